"""A folder of messages on disk: a batch is written aside and given its names when every file is complete.

A full disk leaves none of a batch, a kill leaves names that writing it again fills in. Files are not flushed to
the platter one by one: they survive any death of the process, not that of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from typing import TYPE_CHECKING, NamedTuple

from newsletter.files import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

INDEX = ".index"
_PART = ".part"


class File(NamedTuple):
    """One message: its file's name, and what a list shows of it."""

    name: str
    to: str
    subject: str
    data: bytes


@contextlib.contextmanager
def part(folder: Path, key: str) -> Iterator[Path]:
    """A fresh folder for one attempt, gone afterwards; what killed attempts with this key left goes with it."""
    parts = folder / _PART
    make_folder(parts)
    (folder / INDEX).mkdir(exist_ok=True)
    for left in parts.glob(f"{key}.*"):
        shutil.rmtree(left, ignore_errors=True)
    made = parts / f"{key}.{secrets.token_hex(4)}"
    made.mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def fill(aside: Path, key: str, files: Sequence[File]) -> None:
    """Write the batch and its index into the folder that ``part`` made."""
    for file in files:
        _write(aside / _unfinished(file.name), file.data)
    _write(aside / f"{key}.jsonl", _index(files))


def publish(aside: Path, folder: Path, key: str, files: Sequence[File]) -> None:
    """Give every complete file its name; from the first one on, the batch counts as possibly accepted."""
    for file in files:
        os.rename(aside / _unfinished(file.name), folder / file.name)  # noqa: PTH104 - twice as fast, and it is done for every message
    (aside / f"{key}.jsonl").rename(folder / INDEX / f"{key}.jsonl")


def _unfinished(name: str) -> str:
    """A name that nobody who looks for messages takes for one: a killed attempt leaves such files."""
    return f"{name}.part"


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)


def _index(files: Sequence[File]) -> bytes:
    lines = ({"file": file.name, "to": file.to, "subject": file.subject} for file in files)
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()
