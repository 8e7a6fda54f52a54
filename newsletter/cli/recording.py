"""``--record FILE``: a line of JSON for every call to the provider, appended to a file that only its owner reads."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import output
from newsletter.files import display, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from newsletter.providers.base import Provider

option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--record",
    "record",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Append a line for every call to the provider; no address stands in it.",
)
"""The option of every command that makes calls."""


@contextlib.contextmanager
def recorded(provider: Provider, path: Path | None) -> Iterator[Provider]:
    """The provider, its calls recorded in ``path`` if there is one.

    Raises ``Unwritable`` before any call is made. Later, a full disk ends the record with a warning, not the send.
    """
    if path is None:
        yield provider
        return
    from newsletter.providers.wrappers import Recorded

    with writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        yield Recorded(provider, _Lines(descriptor, path))
    finally:
        os.close(descriptor)


class _Lines:
    """Appends lines, each in one piece, so that threads and processes can share the file."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path
        self._broken = False

    def __call__(self, line: str) -> None:
        """Append one line."""
        if self._broken:
            return
        try:
            os.write(self._descriptor, f"{line}\n".encode())
        except OSError as error:
            self._broken = True
            output.warn(f"{display(self._path)}: nothing more is recorded: {error.strerror or error}")
