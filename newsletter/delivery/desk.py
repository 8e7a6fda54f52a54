"""What a process needs to work on a send: the job, and the world outside as tools."""

from __future__ import annotations

import datetime as dt
import random
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from newsletter.delivery import ledger, start
from newsletter.delivery.personalise import Writer
from newsletter.errors import Blocked, TryLater
from newsletter.store.clock import utcnow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from newsletter.delivery.freeze import Frozen
    from newsletter.links import Links
    from newsletter.providers.base import Letter, Provider
    from newsletter.store.database import Database

_T = TypeVar("_T")

LEASE = dt.timedelta(minutes=5)
"""How long a batch stays with a silent owner; longer than any provider's whole deadline."""

POLL = 0.2
"""Seconds between looks at what other processes have in hand."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Time, waiting, names and chance; tests bring their own."""

    now: Callable[[], dt.datetime]
    sleep: Callable[[float], object]
    stopped: Callable[[], bool]
    new_name: Callable[[], str]
    jitter: Callable[[], float]
    lease: dt.timedelta = LEASE


def tools(stop: threading.Event) -> Tools:
    """The real ones; ``stop`` ends every wait."""
    return Tools(utcnow, stop.wait, stop.is_set, lambda: secrets.token_hex(12), random.random)


@dataclass(frozen=True, slots=True)
class Job:
    """One send and this process's part in it."""

    database: Database
    send_id: int
    owner: str
    locks: Path
    provider: Provider
    frozen: Frozen
    writer: Writer
    letters: Mapping[str, Letter]
    tools: Tools
    label: str
    """Tells this ledger's batches from all others, in the metadata that providers give back."""

    def batch_name(self, batch: int) -> str:
        """A batch's name outside this house."""
        return f"{self.label}-{batch}"


def job(database: Database, send_id: int, provider: Provider, links: Links, tools: Tools) -> Job:
    """Everything for working on a send, from its frozen content.

    Raises ``Blocked`` for another provider or account than it began with: keys and doubts mean nothing there.
    """
    with database.read() as connection:
        made = ledger.get(connection, send_id)
        if (made.provider, made.account) != (provider.capabilities.name, provider.account):
            began, now = f"{made.provider} ({made.account})", f"{provider.capabilities.name} ({provider.account})"
            message = f"{made.slug}: this send began through {began}, and {now} cannot know what that one accepted"
            raise Blocked(message, hint="Set the provider back to the one it began with.")
        frozen = start.content_of(connection, made.content_sha)
        tag = start.tag(connection, made)
    instance = database.instance()
    return Job(
        database=database,
        send_id=send_id,
        owner=tools.new_name(),
        locks=database.path.parent / "locks",
        provider=provider,
        frozen=frozen,
        writer=Writer(frozen, links, send_id, f"{instance}:{send_id}", ids=provider.capabilities.message_id),
        letters={each.key: frozen.letter(each.key, tag, made.created_at) for each in frozen.variants},
        tools=tools,
        label=instance[:8],
    )


def patiently(tools: Tools, until: dt.datetime, action: Callable[[], _T]) -> _T:
    """Do ``action``, again and again while another process holds the database, until ``until``."""
    while True:
        try:
            return action()
        except TryLater:
            if tools.now() >= until:
                raise
            tools.sleep(POLL)


@dataclass(slots=True)
class Streaks:
    """What the threads of this process share: bad answers in a row, and whether one of them broke."""

    unknown: int = 0
    not_sent: int = 0
    refused: int = 0
    broken: BaseException | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def good(self) -> None:
        """Count an acceptance."""
        with self._lock:
            self.unknown = self.not_sent = self.refused = 0

    def add_refused(self) -> int:
        """Count a refusal of a whole call, which is an answer all the same; how many in a row."""
        with self._lock:
            self.unknown = self.not_sent = 0
            self.refused += 1
            return self.refused

    def add_unknown(self) -> int:
        """Count an answer that says nothing; how many in a row."""
        with self._lock:
            self.unknown += 1
            return self.unknown

    def add_not_sent(self) -> int:
        """Count a call that came to nothing; how many in a row."""
        with self._lock:
            self.not_sent += 1
            return self.not_sent
