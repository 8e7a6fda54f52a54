"""A small world: one send, the provider that alone knows what it accepted, people who come and go, time, and deaths.

Everything in it hangs on what it is told to do, so that a seed, or a list of steps, replays it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from delivery.helpers_delivery import LINKS, NOW, people, wish
from sqlalchemy import func, select, update

from newsletter.audience import people as audience
from newsletter.delivery import (
    checker,
    control,
    desk,
    invariants,
    ledger,
    orphans,
    owners,
    resolve,
    start,
    work,
)
from newsletter.delivery import restored as older
from newsletter.delivery.checker import Violation
from newsletter.delivery.desk import Tools
from newsletter.delivery.mortal import Crash, Fuse, Mortal
from newsletter.delivery.terms import NO_TERMS, Terms
from newsletter.links import fingerprint
from newsletter.providers.hostile.fates import Level, Plan
from newsletter.providers.hostile.likes import MODELS
from newsletter.providers.hostile.mishaps import MISHAPS, Mishap, fitting
from newsletter.providers.hostile.provider import Hostile, World
from newsletter.providers.hostile.truth import Truth
from newsletter.providers.wrappers import Announced
from newsletter.store import backup, epochs, mark, putback
from newsletter.store.tables import batch, delivery, event, meta, person, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from delivery.ledgers import Ledgers
    from sqlalchemy import Connection

    from newsletter.delivery.ledger import Send
    from newsletter.providers.base import Capabilities
    from newsletter.store.database import Database


KINDS: dict[str, Capabilities] = {
    **MODELS,
    "asked": replace(MODELS["no-keys"], name="asked", settling="search"),
}
"""The models of the design, and a provider without keys that can be asked."""

ISSUE = "hello-0001"

_LEVEL = Level(0.3, 0.03)


class Time:
    """The true time, and the clock of this machine, which may be set wrong."""

    def __init__(self) -> None:
        self._true = NOW
        self.wrong = dt.timedelta(0)
        self._names = 0

    def true(self) -> dt.datetime:
        """As the provider has it; it always moves a little."""
        self._true += dt.timedelta(microseconds=1)
        return self._true

    def now(self) -> dt.datetime:
        """As this machine has it."""
        return self.true() + self.wrong

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._true += dt.timedelta(seconds=seconds)

    def name(self) -> str:
        """A name never given before."""
        self._names += 1
        return f"name-{self._names:06d}"


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let every process do without the thread that gets the next batch ready: it would take turns as it pleases.

    And without waiting for the disk, which keeps what it was given when a process dies. The layers with real
    processes have both.
    """
    with patch.object(work, "_AHEAD", 0), patch.object(os, "fsync", lambda _descriptor: None):
        yield


class Process(Mortal):
    """The ledger as one process has it: it may die at each commit, and others come between two of them."""

    def __init__(self, world: Made, fuse: Fuse, give: Callable[[], None]) -> None:
        super().__init__(world.database, fuse)
        self._world = world
        self._give = give

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A write that notes who is active when it makes the send."""
        self._give()
        with super().write(durable=durable) as connection, self._world.looking(connection):
            yield connection
        self._give()


@dataclass
class Made:
    """One world, in ``database``; ``level`` is how much goes wrong with calls and with people."""

    database: Database
    model: str
    seed: int
    count: int
    batch: int
    level: Level = _LEVEL
    mishaps: tuple[Mishap, ...] = MISHAPS
    """What may go wrong; a few kinds again and again meet what all of them, once each, pass by."""
    terms: Terms = NO_TERMS
    marked: bool = False
    """Whether the mark beside the database is kept, as the command keeps it."""
    time: Time = field(default_factory=Time)
    truth: Truth = field(default_factory=Truth)
    left: set[int] = field(default_factory=set)
    """Who left while their batch was in nobody's call, and must get nothing from then on."""
    calm: bool = False
    deaths: int = 0
    _watched: set[int] = field(default_factory=set)
    _frozen: frozenset[int] | None = None
    _active: frozenset[int] | None = None
    _newcomers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        people(self.database, self.count)
        with self.database.write() as connection:  # who comes first in a staged send is drawn by it
            connection.execute(update(meta).where(meta.c.key == "instance").values(value=f"ledger-{self.seed}"))

    # -- sending ----------------------------------------------------------------------

    def send(self, fuse: Fuse | None = None, give: Callable[[], None] | None = None) -> None:
        """`newsletter send` as one process: make the send or take it up, and work on it; raises ``Crash``."""
        fuse, give = fuse or Fuse(), give or self.watch
        process = Process(self, fuse, give)

        def wait(seconds: float) -> None:
            self.time.wait(seconds)
            give()

        def passing(_moment: str, _who: str) -> None:
            fuse.passing()
            give()

        can = KINDS[self.model]
        plan = Plan(self.seed, fitting(can, self.mishaps), self.level)
        hostile = Hostile(self.truth, plan, can, World(self.time.true, wait, passing))
        if self.calm:
            hostile.calm()
        provider: Any = hostile
        if self.marked:
            mark.check(process)
            provider = Announced(hostile, lambda: mark.advance(process, sync=False))
        made = self._begin(process, provider)
        if made is None:
            return
        if self.marked:
            mark.start(process)
        tools = Tools(self.time.now, wait, lambda: False, self.time.name, lambda: 0.5)
        work.run(desk.job(process, made.id, provider, LINKS, tools), 1, lambda: None)

    def _begin(self, process: Process, provider: Any) -> Send | None:
        """The send to work on; ``None`` where the command would not go on with it."""
        found = self.sent()
        if found is None:
            wanted = replace(wish(provider, batch=self.batch), terms=self.terms)
            return start.create(process, wanted, self.time.now())
        if found.state == "paused" and found.paused_by == "fault":
            with process.write() as connection:
                control.take_up(connection, found.id, self.time.now())
            return found
        return found if found.state == "running" else None

    def killed(self, at: int) -> bool:
        """`newsletter send` that dies at its checkpoint number ``at``, if it comes that far; whether it did."""
        fuse = Fuse()
        fuse.light(at)
        try:
            self.send(fuse)
        except Crash:
            self.deaths += 1
            return True
        return False

    # -- what others do ---------------------------------------------------------------

    def leave(self, who: int) -> None:
        """Somebody unsubscribes."""
        with self.database.write() as connection:
            if not audience.unsubscribe_by_id(connection, who, reason="asked", now=self.time.now()):
                return
            state = connection.execute(self._states().where(delivery.c.person_id == who)).scalar()
        if state in {"pending", "claimed", "cancelled"}:
            self.left.add(who)
        elif state == "sending":
            self._watched.add(who)

    def join(self) -> None:
        """Somebody new is imported."""
        with self.database.write() as connection:
            text = f"new{next(self._newcomers)}@example.com"
            audience.add(connection, text, {"first_name": "New"}, source="form", now=self.time.now())

    def pause(self) -> None:
        """`newsletter pause`."""
        if found := self.sent():
            with self.database.write() as connection:
                control.pause(connection, found.id, at=self.time.now())

    def cancel(self) -> None:
        """`newsletter cancel`."""
        if found := self.sent():
            locks = self.database.path.parent / "locks"
            with self.database.read() as connection:
                dead = owners.dead(locks, orphans.owners(connection, found.id))
            with self.database.write() as connection:
                control.cancel(connection, found.id, self.time.now(), dead)

    def resume(self) -> None:
        """`newsletter resume`, without working on it."""
        if found := self.sent():
            with self.database.write() as connection:
                control.resume(connection, found.id, self.time.now())

    def settle(self) -> int:
        """`newsletter resolve` by an operator who knows the truth, and says nothing where one word does not fit all.

        How many doubts were ended. Nobody may be sending.
        """
        found = self.sent()
        if found is None:
            return 0
        got, ended = self.truth.accepted(), 0
        with self.database.write() as connection:
            for doubt in resolve.doubts(connection, found.id):
                theirs = resolve._people(doubt.number, doubt.state)
                who = connection.execute(select(delivery.c.person_id).where(*theirs)).scalars().all()
                arrived = {got[each] > 0 for each in who}
                if len(arrived) == 1:
                    word: resolve.Word = "sent" if arrived == {True} else "unsent"
                    resolve.assume(connection, doubt, word, self.time.now(), "tester")
                    ended += 1
            resolve.close(connection, found.id, self.time.now(), "tester")
        return ended

    # -- older copies of the ledger ---------------------------------------------------

    def backed_up(self, path: Path) -> Path:
        """`newsletter db backup`."""
        return backup.copy(self.database.path, path).path

    def restored(self, copy: Path, ledgers: Ledgers) -> None:
        """`newsletter db restore`: who left since the copy was made has not left any more, and nobody can know."""
        self.database.close()
        putback.put_back(copy, self.database.path, self.time.now())
        self.database = ledgers.open(self.database.path)
        active = set(self.active())
        self.left -= active
        self._watched -= active

    def standing(self) -> mark.Standing:
        """What the mark beside the ledger says of it."""
        return mark.look(self.database).standing

    def adopted(self) -> None:
        """`newsletter db adopt --doubt`."""
        there = mark.look(self.database).there
        with self.database.write() as connection:
            older.settle(connection, self.time.now(), doubt=True)
            epochs.begin(connection, there.position.epoch if there else 0, self.time.now(), "doubt")
        mark.set_to(self.database)

    # -- looking ----------------------------------------------------------------------

    def sent(self) -> Send | None:
        """The send as it is now."""
        with self.database.read() as connection:
            return ledger.latest(connection, ISSUE, "outbox")

    def count_of(self, *states: str) -> int:
        """How many batches are in one of these states."""
        with self.database.read() as connection:
            return connection.execute(select(func.count()).where(batch.c.state.in_(states))).scalar_one()

    def active(self) -> list[int]:
        """Everybody who may be mailed."""
        with self.database.read() as connection:
            return sorted(_active(connection))

    @contextlib.contextmanager
    def looking(self, connection: Connection) -> Iterator[None]:
        """Note who is active in the transaction that makes the send; one that is rolled back made none."""
        if self._frozen is None and _any(connection):
            self._frozen = self._active
        yield
        if self._frozen is None and _any(connection):
            self._active = _active(connection)

    def watch(self) -> None:
        """Look after those who left during a call: where nothing of it arrived, they must get nothing."""
        if not self._watched:
            return
        got = self.truth.accepted()
        with self.database.read() as connection:
            rows = connection.execute(self._states().add_columns(delivery.c.person_id)).all()
        back = {who for state, who in rows if state in {"pending", "cancelled"}} & self._watched
        self._watched -= back
        self.left |= {who for who in back if not got[who]}

    def record(self) -> str:
        """A hash of all that happened to batches; the same for the same life."""
        with self.database.read() as connection:
            rows = connection.execute(select(event).order_by(event.c.id)).all()
        return fingerprint(repr([tuple(row) for row in rows]).encode())

    def check(self, *, ended: bool = False) -> list[Violation]:
        """Everything that must not be, by the checker and by what always holds in a sound ledger."""
        got = self.truth.accepted()
        found = self.sent()
        if found is None:
            return [Violation("nobody else", f"person {who} got a message of no send") for who in got]
        self.watch()
        frozen = self._active if self._frozen is None else self._frozen
        bad = checker.violations(self.database, found.id, got, self.left, ended=ended, audience=frozen)
        with self.database.read() as connection:
            bad += [
                Violation(each.rule, f"{each.message}: {', '.join(each.places)}")
                for each in invariants.flaws(connection)
            ]
        if (
            ended
            and found.state not in {"done", "cancelled"}
            and not self.count_of("in_doubt")
            and not self._doubtful()
        ):
            bad.append(Violation("comes to rest", f"everything has ended, and the send is {found.state}"))
        return bad

    def _doubtful(self) -> bool:
        doubtful = select(delivery.c.person_id).where(delivery.c.outcome == "in_doubt").limit(1)
        with self.database.read() as connection:
            return connection.execute(doubtful).first() is not None

    @staticmethod
    def _states() -> Any:
        return (
            select(func.coalesce(delivery.c.outcome, batch.c.state))
            .select_from(delivery)
            .join(batch, batch.c.id == delivery.c.batch_id)
        )


def _any(connection: Connection) -> bool:
    return connection.execute(select(send.c.id).limit(1)).first() is not None


def _active(connection: Connection) -> frozenset[int]:
    return frozenset(connection.execute(select(person.c.id).where(person.c.status == "active")).scalars())
