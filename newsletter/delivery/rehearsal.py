"""A whole send played on a copy of the ledger: runs that die or are held, people who leave, until it comes to rest.

The send is the real one: the same frozen content, the same walk, the same arrows. Only time, deaths and the provider
are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sqlalchemy import Connection, func, select

from newsletter.delivery import checker, control, desk, ledger, summary, work
from newsletter.delivery.mortal import Clock, Crash, Fuse, Mortal, one_by_one
from newsletter.store.tables import batch, delivery

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from newsletter.delivery.checker import Violation
    from newsletter.delivery.summary import Status
    from newsletter.links import Links
    from newsletter.providers.base import Provider
    from newsletter.store.database import Database

LEAVERS = 3
"""How many people unsubscribe in the middle of it, about."""

_RUNS = 200
"""Runs in which things may go wrong; then they stop doing so."""

_CALM = 10
"""Runs after that: one brings a send to rest, unless refusal after refusal holds it."""

_CHECKPOINTS = 8
"""Of a batch that goes well: each of its three commits has two, its call has two."""

_PAUSES = (1.0, 60.0, 400.0, 3_600.0)
"""Seconds until somebody runs the command again."""

_CHECKED = 10_000
"""Recipients up to which ledger and truth are compared after every run; above, at the end."""


class Chance(Protocol):
    """A number from 0 up to 1 that hangs on nothing but a seed and what it is about."""

    def __call__(self, *about: object) -> float:
        """Draw it."""


class Row(NamedTuple):
    """One batch of the final ledger."""

    seq: int
    people: int
    state: str
    attempts: int
    doubt: bool
    error: str


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a rehearsal; ``seconds`` are those of its own clock, ``doubts`` why how many are in doubt."""

    status: Status
    violations: tuple[Violation, ...]
    runs: int
    deaths: int
    left: frozenset[int]
    doubts: tuple[tuple[str, int], ...]
    batches: tuple[Row, ...]
    seconds: float


@dataclass(slots=True)
class Turmoil:
    """What happens around the calls of a rehearsal: its process dies, and people leave.

    ``passing`` is for the provider to call. ``leave`` takes a person off in a transaction; who it is is drawn from
    those whose batch nobody has in hand, so that they must get nothing.
    """

    database: Database
    send_id: int
    clock: Clock
    chance: Chance
    leave: Callable[[Connection, int, dt.datetime], object]
    fuse: Fuse = field(default_factory=Fuse)
    left: set[int] = field(default_factory=set)
    share: float = 0.0

    def passing(self, moment: str, who: str) -> None:
        """Look on at a call; raises ``Crash`` where the process dies."""
        if moment == "called" and len(self.left) < LEAVERS and self.chance("leaves", who) < self.share:
            self._leave(who)
        self.fuse.passing()

    def _leave(self, who: str) -> None:
        waiting = (batch.c.send_id == self.send_id, batch.c.state == "pending")
        with self.database.write() as connection:
            count = connection.execute(select(func.count()).where(*waiting)).scalar_one()
            if not count:
                return
            which = select(batch.c.id).where(*waiting).order_by(batch.c.id)
            one = connection.execute(which.offset(int(self.chance("batch", who) * count)).limit(1)).scalar_one()
            inside = select(delivery.c.person_id).where(delivery.c.batch_id == one, delivery.c.outcome.is_(None))
            people = connection.execute(inside.order_by(delivery.c.person_id)).scalars().all()
            if people:
                person = people[int(self.chance("person", who) * len(people))]
                self.leave(connection, person, self.clock.now())
                self.left.add(person)


@dataclass(frozen=True, slots=True)
class Piece:
    """What is played: the provider, who alone knows what was ``accepted``, and how often the process is killed.

    ``calm`` lets nothing go wrong with calls any more. ``watch`` is called a few times a second.
    """

    provider: Provider
    links: Links
    accepted: Callable[[], Mapping[int, int]]
    calm: Callable[[], object]
    kills: int = 0
    watch: Callable[[], None] = lambda: None


def play(turmoil: Turmoil, piece: Piece) -> Played:
    """Run the send again and again until it rests, and compare what it wrote down with what was accepted."""
    began = turmoil.clock.now()
    turmoil.share = LEAVERS / max(_open(turmoil), 1)
    runs = deaths = calm = 0
    found: list[Violation] = []
    rests = False
    while not (rests or found):
        if runs >= _RUNS or (runs and not _open(turmoil)):
            piece.calm()
            calm += 1
        if runs:
            turmoil.clock.wait(_PAUSES[int(turmoil.chance("pause", runs) * len(_PAUSES))])
        runs += 1
        kills = 0 if calm else piece.kills - deaths
        turmoil.fuse.light(_end(turmoil, runs, kills) if kills else 0)
        died = not _live(turmoil, piece)
        deaths += died
        rests = not died and (_done(turmoil) or (calm > 0 and not _open(turmoil)) or calm == _CALM)
        found = _compare(turmoil, piece, ended=rests)
    with turmoil.database.read() as connection:
        return Played(
            status=summary.status(connection, turmoil.send_id),
            violations=tuple(found),
            runs=runs,
            deaths=deaths,
            left=frozenset(turmoil.left),
            doubts=_doubts(connection, turmoil.send_id),
            batches=_rows(connection, turmoil.send_id),
            seconds=(turmoil.clock.now() - began).total_seconds(),
        )


def _live(turmoil: Turmoil, piece: Piece) -> bool:
    """One process: take the send up if a fault holds it, and work on it; whether it lived to the end."""
    clock, mortal = turmoil.clock, Mortal(turmoil.database, turmoil.fuse)
    tools = one_by_one(clock, lambda: 0.5)
    job = desk.job(mortal, turmoil.send_id, piece.provider, piece.links, tools)
    with turmoil.database.write() as connection:
        control.take_up(connection, turmoil.send_id, clock.now())
    try:
        work.run(job, 1, piece.watch)
    except Crash:
        return False
    return True


def _end(turmoil: Turmoil, run: int, kills: int) -> int:
    """The checkpoint at which this run dies: the deaths that are left fall over what is left to do."""
    ahead = max(_CHECKPOINTS * _open(turmoil) // kills, 1)
    return 1 + int(turmoil.chance("death", run) * ahead)


def _open(turmoil: Turmoil) -> int:
    these = (batch.c.send_id == turmoil.send_id, batch.c.state.in_(ledger.OPEN))
    with turmoil.database.read() as connection:
        return connection.execute(select(func.count()).select_from(batch).where(*these)).scalar_one()


def _done(turmoil: Turmoil) -> bool:
    with turmoil.database.read() as connection:
        return ledger.get(connection, turmoil.send_id).state == "done"


def _compare(turmoil: Turmoil, piece: Piece, *, ended: bool) -> list[Violation]:
    with turmoil.database.read() as connection:
        recipients = ledger.get(connection, turmoil.send_id).recipients
    if not ended and recipients > _CHECKED:
        return []
    return checker.violations(turmoil.database, turmoil.send_id, piece.accepted(), turmoil.left, ended=ended)


def _doubts(connection: Connection, send_id: int) -> tuple[tuple[str, int], ...]:
    """Why how many people are in doubt, the most first."""
    outcome = func.coalesce(delivery.c.outcome, batch.c.state)
    why = func.coalesce(delivery.c.error, batch.c.error, "").label("why")
    rows = connection.execute(
        select(why, func.count())
        .join_from(delivery, batch, batch.c.id == delivery.c.batch_id)
        .where(delivery.c.send_id == send_id, outcome == "in_doubt")
        .group_by(why)
        .order_by(func.count().desc(), why)
    )
    return tuple((row[0], row[1]) for row in rows)


def _rows(connection: Connection, send_id: int) -> tuple[Row, ...]:
    columns = (batch.c.seq, batch.c.n, batch.c.state, batch.c.attempts, batch.c.doubt, func.coalesce(batch.c.error, ""))
    rows = connection.execute(select(*columns).where(batch.c.send_id == send_id).order_by(batch.c.seq))
    return tuple(Row(*row) for row in rows)
