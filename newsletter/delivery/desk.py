"""What a process needs to work on a send: the job, and the world outside as tools."""

from __future__ import annotations

import datetime as dt
import random
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from newsletter.delivery import ledger, owners, rebind, start
from newsletter.delivery.personalise import Writer
from newsletter.errors import Interrupted, TryLater
from newsletter.store import epochs
from newsletter.store.clock import utcnow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from newsletter.delivery.freeze import Frozen
    from newsletter.links import Links
    from newsletter.providers.base import Letter, Provider
    from newsletter.store.database import Database
    from newsletter.store.epochs import Names

_T = TypeVar("_T")

LEASE = dt.timedelta(minutes=5)
"""How long a batch stays with a silent owner; longer than any provider's whole deadline."""

POLL = 0.2
"""Seconds between looks at what other processes have in hand."""

_REFUSALS = 5
"""Verdicts on whole calls in a row before the send is held."""

_WHOLE = 30
"""Calls in a row that are refused whole, cut or not, before the send is held.

One bad address among a thousand costs eleven before the first acceptance, whichever part is tried first.
"""


@dataclass(frozen=True, slots=True)
class Tools:
    """Time, waiting, names and chance; tests bring their own."""

    now: Callable[[], dt.datetime]
    sleep: Callable[[float], object]
    stopped: Callable[[], bool]
    new_name: Callable[[], str]
    jitter: Callable[[], float]
    lease: dt.timedelta = LEASE
    tell: Callable[[str, float], object] = lambda _reason, _seconds: None
    """Told by any thread why a call came to nothing, and in how many seconds it is made again."""
    busy: Callable[[str], object] = lambda _reason: None
    """Told by any thread, again and again, that another process holds the database."""


@dataclass(frozen=True, slots=True)
class Between:
    """What a process does between two stages of a send.

    ``refresh`` takes over whom the provider does not mail any more, as far as it can be asked. ``tell`` is told once
    which stage, counted from 0, begins when. Without ``wait`` the process ends there, and another goes on.
    """

    refresh: Callable[[], object] = lambda: None
    tell: Callable[[int, dt.datetime], object] = lambda _stage, _at: None
    wait: bool = True


NOTHING = Between()


def tools(
    stop: threading.Event,
    tell: Callable[[str, float], object] = lambda _reason, _seconds: None,
    busy: Callable[[str], object] = lambda _reason: None,
) -> Tools:
    """The real ones; ``stop`` ends every wait."""
    return Tools(utcnow, stop.wait, stop.is_set, lambda: secrets.token_hex(12), random.random, tell=tell, busy=busy)


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
    names: Names
    """Tells numbers apart that were given twice, because an older copy of the ledger was put back."""
    between: Between = NOTHING

    @property
    def through(self) -> tuple[str, str]:
        """The provider and the account that the send is bound to."""
        return self.provider.capabilities.name, self.provider.account

    def batch_name(self, batch: int) -> str:
        """A batch's name outside this house."""
        return f"{self.label}-{batch}{self.names.of_batch(batch)}"


def job(
    database: Database, send_id: int, provider: Provider, links: Links, tools: Tools, between: Between = NOTHING
) -> Job:
    """Everything for working on a send, from its frozen content.

    Raises ``Blocked`` for another provider or account than it began with: keys and doubts mean nothing there.
    """
    with database.read() as connection:
        made = ledger.get(connection, send_id)
        if not rebind.same(made, provider):
            raise rebind.foreign(made, provider)
        frozen = start.content_of(connection, made.content_sha)
        tag = start.tag(connection, made)
        names = epochs.names(connection)
    instance = database.instance()
    return Job(
        database=database,
        send_id=send_id,
        owner=owners.name(send_id, tools.new_name()),
        locks=database.path.parent / "locks",
        provider=provider,
        frozen=frozen,
        writer=Writer(
            frozen,
            links,
            send_id,
            f"{instance}:{send_id}{names.of_send(send_id)}",
            ids=provider.capabilities.message_id,
        ),
        letters={each.key: frozen.letter(each.key, tag, made.created_at) for each in frozen.variants},
        tools=tools,
        label=instance[:8],
        names=names,
        between=between,
    )


def patiently(tools: Tools, until: dt.datetime, action: Callable[[], _T], *, finishing: bool = False) -> _T:
    """Do ``action``, again and again while another process holds the database, until ``until``.

    A process that shall stop waits no longer and raises ``Interrupted``, unless it is ``finishing`` what it began.
    """
    while True:
        try:
            return action()
        except TryLater as error:
            if tools.stopped() and not finishing:
                message = f"Stopped. {error.message}"
                raise Interrupted(message, hint="It is safe to run the same command again.") from error
            if tools.now() >= until:
                raise
            tools.busy(error.message)
            tools.sleep(POLL)


@dataclass(slots=True)
class Streaks:
    """What the threads of this process share: bad answers in a row, and whether one of them broke.

    ``lanes`` are as many as calls may be under way at the same time, until their answer is recorded.
    """

    lanes: threading.Semaphore = field(default_factory=threading.Semaphore)
    unknown: int = 0
    not_sent: int = 0
    refused: int = 0
    whole: int = 0
    """Calls refused whole since the last acceptance, those among them that are cut and made again in parts."""
    broken: BaseException | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def good(self) -> None:
        """Count an acceptance."""
        with self._lock:
            self.unknown = self.not_sent = self.refused = self.whole = 0

    def add_refused(self) -> bool:
        """Count a refusal of a whole call, which is an answer all the same; whether there were too many in a row."""
        with self._lock:
            self.unknown = self.not_sent = 0
            self.refused += 1
            self.whole += 1
            return self.refused >= _REFUSALS or self.whole >= _WHOLE

    def add_cut(self) -> bool:
        """The same for a call that is cut: the refusal is no verdict on anybody yet."""
        with self._lock:
            self.unknown = self.not_sent = 0
            self.whole += 1
            return self.whole >= _WHOLE

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
