"""The embedded provider: one complete ``.eml`` file per message, and nothing leaves this machine.

::

    .newsletter/outbox/
        images/<name>                  the pictures, by content hash
        <tag>/<person>-<key>.eml       the messages of one send
        <tag>/.index/<key>.jsonl       file, address and subject of a batch's messages, for fast lists
        <tag>/.part/<key>.<random>/    a batch being written

A file's name derives from the idempotency key and the person, so that a batch written again takes
the same names; ``newsletter.providers.spool`` says how.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from newsletter.errors import Unwritable
from newsletter.files import make_folder, write
from newsletter.mime import frame, message_bytes
from newsletter.personal import CannotRender, join
from newsletter.providers import spool
from newsletter.providers.base import (
    Answer,
    Capabilities,
    Fault,
    Letter,
    Message,
    NotSent,
    Payload,
    Unknown,
    Verdict,
    at_once,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from newsletter.mime import Frame
    from newsletter.providers.base import Sought, Suppressed, Turn

IMAGES = "images"


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
        self.capabilities = capabilities(batch)
        self.account = "outbox"
        self._framed: tuple[Letter, Frame] | None = None

    def shares(self, letter: Letter, message: Message) -> bool:
        """Any message may stand beside others."""
        del letter, message
        return True

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """Build the messages; those that cannot be built are ``failed``."""
        del batch
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
            with spool.part(folder, key) as part:
                files = [spool.File(file.name(key), file.to, file.subject, file.data) for file in body.files]
                spool.fill(part, key, files)
                self._pictures(body.letter)
                _publish(part, folder, key, files)
        except (OSError, Unwritable) as error:
            raise NotSent(_why(folder, error), fault=Fault.DISK) from error
        return Answer(ref=body.letter.tag)

    def find(self, sought: Sought) -> Answer | None:
        """Never needed: the same batch with the same key is the same files."""
        del sought
        return None

    def suppressions(self, turn: Turn = at_once) -> Iterator[Suppressed]:
        """It mails whomever it is told to."""
        del turn
        return iter(())

    def close(self) -> None:
        """Nothing is held open."""

    def _frame(self, letter: Letter) -> Frame:
        """The encoded form of ``letter``, kept for the next batch; two threads may both make it, harmlessly."""
        kept = self._framed
        if kept is not None and kept[0] is letter:
            return kept[1]
        made = frame(letter)
        self._framed = (letter, made)
        return made

    def _pictures(self, letter: Letter) -> None:
        missing = [p for p in letter.pictures if not (self.folder / IMAGES / p.name).exists()]
        if missing:
            make_folder(self.folder / IMAGES)
        for picture in missing:
            write(self.folder / IMAGES / picture.name, picture.data)


def capabilities(batch: int = 100) -> Capabilities:
    """What the outbox can do."""
    return Capabilities(
        name="outbox",
        real=False,
        batch_max=batch,
        batch_bytes=None,
        personalisation="joined",
        idempotent=True,
        settling="key",
        message_id=True,
    )


def _publish(part: Path, folder: Path, key: str, files: Sequence[spool.File]) -> None:
    try:
        spool.publish(part, folder, key, files)
    except OSError as error:
        raise Unknown(_why(folder, error), fault=Fault.DISK) from error


def _why(folder: Path, error: OSError | Unwritable) -> str:
    return str(error) if isinstance(error, Unwritable) else f"{folder}: cannot be written: {error.strerror or error}"
