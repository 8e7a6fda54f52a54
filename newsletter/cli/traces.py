"""What files of a workspace hold of an address: trial mails and caches go, others are named."""

from __future__ import annotations

import io
import os
import shutil
import stat
from email.utils import getaddresses
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from newsletter.audience.address import BadAddress, parse
from newsletter.files import display, writing
from newsletter.preview.opening import head_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.audience.erasing import Leaver

_HEAD, _MOST_HEAD = 8 * 1024, 256 * 1024
_BLOCK, _OVERLAP = 1 << 20, 4 * 1024


class Traces(NamedTuple):
    """What was done about files, and which still hold the address: path and what to do."""

    mails: int
    left: tuple[tuple[str, str], ...]


def remove(state: Path, build: Path, leaver: Leaver) -> Traces:
    """Remove the trial mails to the address, its lines in their indexes, and caches that hold it.

    Every file is replaced whole or left. Doing it again does what is left to do. Raises ``Unwritable``.
    """
    outbox = state / "outbox"
    mails = sum(_unlink(path) for path in _files(outbox) if _is_mail(path) and _is_to(path, leaver))
    for path in _files(outbox):
        if path.suffix == ".jsonl" and _holds(path, leaver):
            _drop_lines(path, leaver)
    for path in _files(state / "cache"):
        if _holds(path, leaver):
            _unlink(path)
    left = [(path, "look into it, or remove it") for path in _others(state)]
    left += [(path, "build the issue again without --as, or remove it") for path in _files(build)]
    return Traces(mails, tuple((display(path), advice) for path, advice in left if _holds(path, leaver)))


def _others(state: Path) -> Iterator[Path]:
    """Files that are neither mails nor databases: what the operator keeps here, logs, copies made by hand."""
    for path in _files(state):
        picture = path.relative_to(state).parts[:2] == ("outbox", "images")
        known = picture or _is_mail(path) or path.name.startswith("newsletter.db")  # backups are erased as databases
        if not known:
            yield path


def _files(folder: Path) -> Iterator[Path]:
    for where, _folders, names in os.walk(folder):
        for name in sorted(names):
            yield Path(where, name)


def _is_mail(path: Path) -> bool:
    """Whether this is a message, complete or left behind half."""
    return path.name.endswith((".eml", ".eml.part"))


def _is_to(path: Path, leaver: Leaver) -> bool:
    raw = _read(path, _HEAD)
    if len(raw) == _HEAD and b"\r\n\r\n" not in raw and b"\n\n" not in raw:
        raw = _read(path, _MOST_HEAD)
    to = head_fields(raw)[0]
    return leaver.mentions.within(to) and any(_key(each) == leaver.key for _, each in getaddresses([to]))


def _key(address: str) -> str:
    try:
        return parse(address)[1]
    except BadAddress:
        return ""


def _drop_lines(path: Path, leaver: Leaver) -> None:
    """Write the file anew without the lines that mention the address."""
    half = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    with writing(path):
        try:
            with _opened(path) as lines, half.open("xb") as kept:
                shutil.copymode(path, half)
                kept.writelines(line for line in lines if not leaver.mentions.within(line.decode("utf-8", "replace")))
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)


def _holds(path: Path, leaver: Leaver) -> bool:
    """Whether a file of any size mentions the address."""
    tails = [tail.lower().encode() for tail in leaver.mentions.tails]
    with _opened(path) as file:
        before = b""
        while block := file.read(_BLOCK):
            data = before + block
            folded = data.lower()
            if any(tail in folded for tail in tails) and leaver.mentions.within(data.decode("utf-8", "replace")):
                return True
            before = data[-_OVERLAP:]
    return False


def _read(path: Path, most: int = -1) -> bytes:
    """A plain file's bytes; none when it has gone or is anything else."""
    with _opened(path) as file:
        return file.read(most)


def _opened(path: Path) -> IO[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return io.BytesIO()
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    return io.BytesIO()


def _unlink(path: Path) -> int:
    with writing(path):
        path.unlink(missing_ok=True)
    return 1
