"""The stamp of a build, as ``make`` would have it: what was read and what was written, so that nothing is made twice.

A stamp is machine-local (``.newsletter/cache/built/<slug>.json``) and only ever saves time: where it is
missing, damaged or in doubt, the issue is built. It covers every byte that a build reads, but for
the system's time zone tables.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from newsletter.errors import Unwritable
from newsletter.files import make_folder, write
from newsletter.links import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


_LARGEST = 60_000_000
"""Bytes; an issue with a larger file beside it is built each time, for the build would not read that file."""


class _Doubt(Exception):
    """Something in the way that cannot be told from its bytes."""


class Stamp(NamedTuple):
    """Where a build's stamp is kept, and the hash of all that the build reads."""

    path: Path
    inputs: str

    def unchanged(self, target: Path) -> dict[str, int] | None:
        """The sizes of the built files by name, when ``target`` holds what these inputs give; else ``None``."""
        try:
            kept: Any = json.loads(self.path.read_bytes())
            if kept["inputs"] != self.inputs:
                return None
            there = {file.path.removeprefix(f"{target}/") for file in _files(target)}
            if there != kept["files"].keys():
                return None
            found = {name: (target / name).read_bytes() for name in kept["files"]}
        except (OSError, ValueError, LookupError, TypeError, AttributeError, _Doubt):
            return None  # missing or damaged: the issue is built
        same = all(fingerprint(data) == kept["files"][name] for name, data in found.items())
        return {name: len(data) for name, data in found.items()} if same else None

    def keep(self, built: Mapping[str, bytes]) -> None:
        """Remember a build; without a place to write to, the next one is made again."""
        text = json.dumps({"inputs": self.inputs, "files": {name: fingerprint(data) for name, data in built.items()}})
        try:
            make_folder(self.path.parent, mode=0o700)
            write(self.path, text)
        except Unwritable:
            return


def stamp(state: Path, slug: str, config_file: Path, folders: Iterable[Path]) -> Stamp | None:
    """The stamp of an issue whose build reads ``config_file`` and ``folders``; ``None`` where that cannot be told."""
    digest = hashlib.sha256()
    try:
        for path in (str(config_file), *(file.path for folder in folders for file in _files(folder))):
            data = Path(path).read_bytes()
            digest.update(f"{path}\0{len(data)}\0".encode("utf-8", "surrogateescape"))
            digest.update(data)
        digest.update("\0".join(_program()).encode("utf-8", "surrogateescape"))
    except (OSError, _Doubt):
        return None
    return Stamp(state / "cache" / "built" / f"{slug}.json", digest.hexdigest())


def _program() -> Iterator[str]:
    """What the program is: our own sources as ``make`` tells them apart, Python, and every installed release."""
    yield sys.version
    for file in _files(Path(__file__).parent.parent):
        found = file.stat()
        yield f"{file.path} {found.st_size} {found.st_mtime_ns}"
    site = Path(click.__file__).parent.parent
    yield from sorted(entry.name for entry in os.scandir(site) if entry.name.endswith((".dist-info", ".egg-info")))


def _files(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """Every file below ``folder``, in a fixed order; links to folders and what is large or no file leave doubt."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                yield from _files(entry.path)
        elif entry.is_file() and entry.stat().st_size <= _LARGEST:
            yield entry
        else:
            raise _Doubt(entry.path)
