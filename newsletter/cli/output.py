"""Printing: what a person reads, what a script reads, and the bar on long work."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

import click

from newsletter.errors import Blocked, WrongUsage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

style = click.style


def say(text: str = "") -> None:
    """A line on standard output."""
    click.echo(text)


def note(text: str) -> None:
    """A quiet line on standard error, above the bar where one is shown; it ends no work where nobody reads it."""
    # `err=True` alone goes round the stream which a bar puts in the place of `sys.stderr`; there may be none (`2>&-`).
    with unheard():
        click.secho(text, file=sys.stderr, err=True, dim=True)


def warn(text: str) -> None:
    """A warning on standard error, as ``note`` writes it."""
    with unheard():
        click.echo(f"{click.style('Warning:', fg='yellow', bold=True)} {text}", file=sys.stderr, err=True)


@contextlib.contextmanager
def unheard(*streams: TextIO) -> Iterator[None]:
    """Print as far as somebody reads it: a closed pipe or terminal ends the block, and not what is done besides."""
    try:
        yield
    except OSError:
        for stream in streams or (sys.stdout, sys.stderr):
            drop(stream)


def drop(stream: TextIO) -> None:
    """Send a stream nowhere if it cannot be written any more, so that what it still holds fails no second time."""
    try:
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def hint(text: str) -> None:
    """What to do next, below a result."""
    click.secho(text, dim=True)


def emit(data: Any) -> None:
    """JSON for scripts on standard output."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=not shows_all(sys.stdout)))


def shows_all(stream: TextIO) -> bool:
    """Whether a stream can show every character."""
    return (getattr(stream, "encoding", "") or "").lower().replace("-", "").startswith("utf")


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A plain table; columns of numbers stand to the right."""
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
    right = [all(isinstance(row[i], int) for row in rows) and bool(rows) for i in range(len(headers))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip()

    click.secho(line(headers), bold=True)
    for row in cells:
        click.echo(line(row))


class _Unheard:
    """A terminal that may be closed while a bar is drawn on it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with unheard(self._stream):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with unheard(self._stream):
            self._stream.flush()


class Advance(Protocol):
    """Moves a progress bar on by ``n``."""

    def __call__(self, n: int, /) -> None:
        """Count ``n`` more as done."""


@contextlib.contextmanager
def progress(total: int | None, label: str, *, unit: str = "", done: int = 0) -> Iterator[Advance]:
    """A bar with rate and remaining time on standard error; nothing where that is no terminal.

    Without a ``total`` it only counts: nobody knows how many there are.
    """
    if not sys.stderr.isatty() or (total is not None and total <= 0):
        yield lambda _n: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f} {unit}/s".replace(" /s", "/s") if speed else "", style="dim")

    console = Console(file=cast(TextIO, _Unheard(sys.stderr)))
    width = max(8, min(32, console.width - len(label) - 50))  # the counts beside the bar must not wrap
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=width),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=total, completed=done)
        yield lambda n: bar.advance(task, n)


def confirm_number(
    number: int, what: str, *, look: str = "newsletter plan", declined: str = "nothing was sent now"
) -> None:
    """Ask the operator to type ``number``; anything else raises ``Blocked``, no terminal ``WrongUsage``."""
    if not sys.stdin.isatty():
        message = f"there is no terminal to confirm {number:,} {what} on"
        raise WrongUsage(message, hint=f"Look at `{look}` first, then run this command with --yes.")
    typed = click.prompt(f"Type {number} to go ahead", default="", show_default=False, err=True)
    if typed.strip().replace(",", "") != str(number):
        message = f"Not confirmed: {declined}."
        raise Blocked(message)
