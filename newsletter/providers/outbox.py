"""The embedded provider: one complete ``.eml`` file per message, and nothing leaves this machine.

::

    .newsletter/outbox/
        images/<name>                  the pictures, by content hash
        <tag>/<person>-<key>.eml       the messages of one send
        <tag>/.index/<key>.jsonl       file, address and subject of a batch's messages, for fast lists
        <tag>/.part/<key>.<random>/    a batch being written

A file's name derives from the idempotency key and the person, so that a batch written again takes
the same names. All files of a batch are written in ``.part`` first and renamed when each of them is
complete: a full disk leaves none of them, a kill leaves names that the replay fills in. Files are
not flushed to the platter one by one: they survive any death of the process, not that of the machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from newsletter.errors import Unwritable
from newsletter.files import make_folder, write
from newsletter.mime import frame, message_bytes
from newsletter.personal import CannotRender, join
from newsletter.providers.base import Answer, Capabilities, Fault, Letter, Message, NotSent, Payload, Unknown, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from newsletter.mime import Frame

IMAGES = "images"
INDEX = ".index"
_PART = ".part"


@dataclass(frozen=True, slots=True)
class _File:
    person: int
    to: str
    subject: str
    data: bytes = field(repr=False)

    def name(self, key: str) -> str:
        return f"{self.person:08d}-{key}.eml"


@dataclass(frozen=True, slots=True)
class _Files:
    letter: Letter
    files: tuple[_File, ...]


class Outbox:
    """Writes messages below ``folder``; ``batch`` is how many it takes in one call."""

    def __init__(self, folder: Path, *, batch: int = 100) -> None:
        self.folder = folder
        self.capabilities = Capabilities(
            name="outbox", real=False, batch_max=batch, batch_bytes=None, personalisation="joined", idempotent=True
        )
        self.account = "outbox"
        self._framed: tuple[Letter, Frame] | None = None

    def prepare(self, letter: Letter, messages: Sequence[Message]) -> Payload:
        """Build the messages; those that cannot be built are ``failed``."""
        framed = self._frame(letter)
        made: list[_File] = []
        failed: list[Verdict] = []
        digest = hashlib.sha256(letter.tag.encode())
        for message in messages:
            try:
                data = message_bytes(
                    framed,
                    message.values,
                    to=message.to,
                    message_id=message.message_id,
                    unsubscribe=message.unsubscribe,
                )
                made.append(_File(message.person, message.to, join(letter.subject, message.values), data))
            except CannotRender as error:
                failed.append(Verdict(message.person, str(error)))
                continue
            digest.update(b"%d:%d:" % (message.person, len(data)))
            digest.update(data)
        size = sum(len(file.data) for file in made)
        return Payload(digest.hexdigest(), _Files(letter, tuple(made)), len(made), size, tuple(failed))

    def submit(self, payload: Payload, key: str) -> Answer:
        """Write the batch's files; with the same key, the same files again."""
        body: _Files = payload.body
        folder = self.folder / body.letter.tag
        try:
            with _part(folder, key) as part:
                for file in body.files:
                    _write(part / _unfinished(file.name(key)), file.data)
                index = part / f"{key}.jsonl"
                _write(index, _index(body.files, key))
                self._pictures(body.letter)
                _publish(part, folder, [file.name(key) for file in body.files], index)
        except (OSError, Unwritable) as error:
            raise NotSent(_why(folder, error), fault=Fault.DISK) from error
        return Answer(ref=body.letter.tag)

    def close(self) -> None:
        """Nothing is held open."""

    def _frame(self, letter: Letter) -> Frame:
        """The encoded form of ``letter``, kept for the next batch; two threads may both make it, harmlessly."""
        kept = self._framed
        if kept is not None and kept[0] is letter:
            return kept[1]
        made = frame(
            sender=letter.sender,
            reply_to=letter.reply_to,
            date=letter.date,
            list_name=letter.list_name,
            subject=letter.subject,
            html=letter.html,
            text=letter.text,
        )
        self._framed = (letter, made)
        return made

    def _pictures(self, letter: Letter) -> None:
        missing = [p for p in letter.pictures if not (self.folder / IMAGES / p.name).exists()]
        if missing:
            make_folder(self.folder / IMAGES)
        for picture in missing:
            write(self.folder / IMAGES / picture.name, picture.data)


@contextlib.contextmanager
def _part(folder: Path, key: str) -> Iterator[Path]:
    """A fresh folder for one attempt, gone afterwards; what killed attempts with this key left goes with it."""
    parts = folder / _PART
    make_folder(parts)
    (folder / INDEX).mkdir(exist_ok=True)
    for left in parts.glob(f"{key}.*"):
        shutil.rmtree(left, ignore_errors=True)
    part = parts / f"{key}.{secrets.token_hex(4)}"
    part.mkdir()
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


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


def _publish(part: Path, folder: Path, names: list[str], index: Path) -> None:
    """Give every complete file its name; from the first one on, the batch counts as possibly accepted."""
    try:
        for name in names:
            os.rename(part / _unfinished(name), folder / name)  # noqa: PTH104 - twice as fast, and it is done for every message
        index.rename(folder / INDEX / index.name)
    except OSError as error:
        raise Unknown(_why(folder, error), fault=Fault.DISK) from error


def _index(files: Sequence[_File], key: str) -> bytes:
    lines = ({"file": file.name(key), "to": file.to, "subject": file.subject} for file in files)
    return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()


def _why(folder: Path, error: OSError | Unwritable) -> str:
    return str(error) if isinstance(error, Unwritable) else f"{folder}: cannot be written: {error.strerror or error}"
