"""A provider that alone knows what it accepted, with faults; and deaths at any checkpoint."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from newsletter.providers.base import (
    Answer,
    Capabilities,
    Fault,
    Letter,
    Message,
    NotSent,
    Payload,
    Refused,
    Sought,
    Suppressed,
    Turn,
    Unknown,
    Verdict,
    at_once,
)
from newsletter.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

Model = Literal["no keys", "keys", "keys for 30 min"]
MODELS: tuple[Model, ...] = ("no keys", "keys", "keys for 30 min")
LIFETIME = dt.timedelta(minutes=30)

FAULTS = (
    "refused connection",
    "429",
    "429 with a time",
    "500 before",
    "502 after",
    "time-out before",
    "time-out after",
    "mixed",
    "verdict",
    "quota",
)


class Crash(BaseException):
    """The process dies here."""


@dataclass
class Points:
    """Counts checkpoints and dies at the chosen one; 0 means never."""

    at: int = 0
    seen: int = 0

    def hit(self) -> None:
        """Pass a checkpoint."""
        self.seen += 1
        if self.seen == self.at:
            raise Crash


@dataclass
class Truth:
    """What the provider accepted, for as long as the world lasts: it survives every crash."""

    accepted: Counter[int] = field(default_factory=Counter)
    keys: dict[str, tuple[str, dt.datetime, Answer]] = field(default_factory=dict)
    calls: int = 0


class Fake:
    """A provider whose faults are chosen by ``fault``, called before each call."""

    def __init__(
        self,
        truth: Truth,
        model: Model = "keys",
        *,
        now: Callable[[], dt.datetime],
        fault: Callable[[], str] = lambda: "",
        points: Points | None = None,
    ) -> None:
        self.truth = truth
        self.capabilities = Capabilities(
            name="fake",
            real=False,
            batch_max=1000,
            batch_bytes=None,
            personalisation="joined",
            idempotent=model != "no keys",
            message_id=True,
            key_lifetime=LIFETIME if model == "keys for 30 min" else None,
        )
        self.account = "fake"
        self._now = now
        self._fault = fault
        self._points = points or Points()

    def shares(self, letter: Letter, message: Message) -> bool:
        """Everybody shares, unless it takes one message a call."""
        del letter, message
        return self.capabilities.personalisation != "single"

    def find(self, sought: Sought) -> Answer | None:
        """Nothing can be searched for."""
        del sought
        return None

    def suppressions(self, turn: Turn = at_once) -> Iterator[Suppressed]:
        """Nobody."""
        del turn
        return iter(())

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """All that readers would get, hashed."""
        del batch
        sha = hashlib.sha256(repr((letter.tag, letter.html, [tuple(each) for each in messages])).encode()).hexdigest()
        return Payload(sha, tuple(message.person for message in messages), len(messages), 100 * len(messages))

    def submit(self, payload: Payload, key: str) -> Answer:
        """Accept, or not, and say so, or not."""
        self.truth.calls += 1
        self._points.hit()
        fault = self._fault()
        self._before(fault)
        answer = self._accept(payload, key, mixed=fault == "mixed")
        self._points.hit()
        if fault in {"502 after", "time-out after"}:
            raise Unknown(fault)
        return answer

    def _before(self, fault: str) -> None:
        if fault == "refused connection":
            raise NotSent(fault)
        if fault == "429":
            raise NotSent(fault)
        if fault == "429 with a time":
            raise NotSent(fault, retry_after=3.0)
        if fault == "quota":
            raise NotSent(fault, fault=Fault.LATER)
        if fault == "verdict":
            raise Refused(fault)
        if fault in {"500 before", "time-out before"}:
            raise Unknown(fault)

    def _accept(self, payload: Payload, key: str, *, mixed: bool) -> Answer:
        """Take the messages in, once for a key that is remembered."""
        if self.capabilities.idempotent and key in self.truth.keys:
            sha, at, answer = self.truth.keys[key]
            lifetime = self.capabilities.key_lifetime
            if lifetime is None or self._now() - at < lifetime:
                assert sha == payload.sha, "the same key with other bytes"
                return answer
        refused = (Verdict(payload.body[0], "no such mailbox"),) if mixed else ()
        self.truth.accepted.update(payload.body[len(refused) :])
        answer = Answer("ref", refused)
        self.truth.keys[key] = (payload.sha, self._now(), answer)
        return answer

    def close(self) -> None:
        """Nothing is held."""


class Mortal(Database):
    """A database whose every write may be the last thing its process does: before the commit, or after."""

    def __init__(self, database: Database, points: Points) -> None:
        super().__init__(database._engine, database.path, database._schema)
        self._points = points

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A write with a checkpoint on either side of its commit."""
        with super().write(durable=durable) as connection:
            yield connection
            self._points.hit()
        self._points.hit()


def scripted(*faults: str) -> Callable[[], str]:
    """These faults in order, then none."""
    left: list[Any] = list(faults)
    return lambda: left.pop(0) if left else ""
