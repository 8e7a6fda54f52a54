"""What files of a workspace hold of a person: trial mails and caches go, others are named.

A mail is theirs when it is addressed to them, and also when it was made for them and sent to a tester:
then the unsubscribe link in its head is their own.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import stat
from dataclasses import dataclass
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
_HEAD_END = re.compile(rb"\r?\n\r?\n")
# The signature is not looked at: it may have been made with a secret that is no more.
_OWN_LINK = re.compile(rb"/(?:u/1u\.|v/1v\.[0-9a-z]{1,12}-)([0-9a-z]{1,12})\.[A-Za-z0-9_-]{22}")
_MESSAGE_ID = re.compile(rb"^message-id:[ \t]*(?:\r?\n[ \t]+)?<([^@>\s]+)", re.IGNORECASE | re.MULTILINE)


class Traces(NamedTuple):
    """What was done about files, and which still hold the person: path and what to do."""

    mails: int
    left: tuple[tuple[str, str], ...]


class _Mail(NamedTuple):
    """A mail to remove; ``id`` and ``to`` are how a dialect's events name it."""

    path: Path
    addressed: bool
    """Whether it is to the leaver; else it is a tester's copy of one who was erased."""
    id: str
    to: str

    def named(self, line: bytes) -> bool:
        """Whether a line of an index, or of a dialect's events, speaks of it: its subject holds the reader's values."""
        if self.path.name.removesuffix(".part").encode() in line:
            return True
        return self.id.encode() in line and json.dumps(self.to)[1:-1].encode() in line


@dataclass(frozen=True, slots=True)
class _Sought:
    """What may not be left: the address, and a link of one who was erased; in a line also the name of their copy."""

    leaver: Leaver
    gone: frozenset[int]
    copies: tuple[_Mail, ...] = ()

    def within(self, data: bytes) -> bool:
        """Whether a file's bytes, or one line's, hold any of it."""
        return self._mentioned(data) or _own(data, self.gone) or any(each.named(data) for each in self.copies)

    def _mentioned(self, data: bytes) -> bool:
        folded, found = data.lower(), self.leaver.mentions
        likely = any(tail.lower().encode() in folded for tail in found.tails)
        return likely and found.within(data.decode("utf-8", "replace"))


def remove(state: Path, build: Path, leaver: Leaver, gone: frozenset[int]) -> Traces:
    """Remove the trial mails to and for the leaver, their lines in indexes, and caches that hold the person.

    ``gone`` are the numbers of all who were erased: what an earlier run did not come to is found by them. Lines
    go before the mails that tell which. Every file is replaced whole or left. Doing it again does what is left
    to do. Raises ``Unwritable``.
    """
    outbox = state / "outbox"
    mails = [found for path in _files(outbox) if _is_mail(path) and (found := _mail(path, leaver, gone))]
    lines = _Sought(leaver, gone, tuple(each for each in mails if not each.addressed))
    for path in _files(outbox):
        if path.suffix == ".jsonl" and _holds(path, lines):
            _drop_lines(path, lines)
    for mail in mails:
        _unlink(mail.path)
    sought = _Sought(leaver, gone)
    for path in _files(state / "cache"):
        if _holds(path, sought):
            _unlink(path)
    left = [(path, "look into it, or remove it") for path in _others(state)]
    left += [(path, "build the issue again without --as, or remove it") for path in _files(build)]
    return Traces(len(mails), tuple((display(path), advice) for path, advice in left if _holds(path, sought)))


def _others(state: Path) -> Iterator[Path]:
    """Files that are neither mails nor databases: what the operator keeps here, logs, copies made by hand."""
    for path in _files(state):
        within = path.relative_to(state).parts
        picture = within[:2] == ("outbox", "images")
        # Backups are erased as databases.
        database = path.name.startswith(("newsletter.db", ".newsletter.db")) or (
            within[0] == "backups" and path.suffix in {".db", ".part"}
        )
        if not (picture or database or _is_mail(path)):
            yield path


def _files(folder: Path) -> Iterator[Path]:
    for where, _folders, names in os.walk(folder):
        for name in sorted(names):
            yield Path(where, name)


def _is_mail(path: Path) -> bool:
    """Whether this is a message, complete or left behind half."""
    return path.name.endswith((".eml", ".eml.part"))


def _mail(path: Path, leaver: Leaver, gone: frozenset[int]) -> _Mail | None:
    """The mail in a file, if it is the leaver's, or was made for one who was erased."""
    raw = _read(path, _HEAD)
    if len(raw) == _HEAD and not _HEAD_END.search(raw):
        raw = _read(path, _MOST_HEAD)
    end = _HEAD_END.search(raw)
    head = raw[: end.start()] if end else raw
    to = head_fields(raw)[0]
    addressed = leaver.mentions.within(to) and any(_key(each) == leaver.key for _, each in getaddresses([to]))
    if not addressed and not _own(head, gone):
        return None
    named = _MESSAGE_ID.search(head)
    return _Mail(path, addressed, named[1].decode("ascii", "replace") if named else path.name, to)


def _own(data: bytes, gone: frozenset[int]) -> bool:
    """Whether a personal link of one of these people stands here."""
    return any(int(each, 36) in gone for each in _OWN_LINK.findall(data))


def _key(address: str) -> str:
    try:
        return parse(address)[1]
    except BadAddress:
        return ""


def _drop_lines(path: Path, sought: _Sought) -> None:
    """Write the file anew without the lines that hold what is sought."""
    half = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    with writing(path):
        try:
            with _opened(path) as lines, half.open("xb") as kept:
                shutil.copymode(path, half)
                kept.writelines(line for line in lines if not sought.within(line))
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)


def _holds(path: Path, sought: _Sought) -> bool:
    """Whether a file of any size holds what is sought."""
    with _opened(path) as file:
        before = b""
        while block := file.read(_BLOCK):
            data = before + block
            if sought.within(data):
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


def _unlink(path: Path) -> None:
    with writing(path):
        path.unlink(missing_ok=True)
