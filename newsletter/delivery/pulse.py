"""How a send is getting on while it runs: its pace, what went wrong, and which processes work on it.

Everything is read from the ledger and from the locks beside it, so any process can ask. What is counted
comes from the events; the kind of a fault is read from the reason that its event carries.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, Row, func, select, true

from newsletter.delivery import ledger, owners, turns
from newsletter.store import clock
from newsletter.store.tables import batch, event, rate

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.delivery.ledger import Send
    from newsletter.delivery.turns import Turn

RECENT = dt.timedelta(minutes=1)
"""How far back the present pace is measured."""

_NO_FAULT = frozenset({"", "again", "stopped"})
_ANSWERED = re.compile(r"\banswered ([1-5]\d\d)\b")
_KINDS = (
    ("cannot be reached", "not reached"),
    ("broke before its answer", "answer lost"),
    ("did not end the call", "answer lost"),
    ("cannot be read", "answer not readable"),
    ("answered for", "answer not readable"),
    ("gave one id to several", "answer not readable"),
    ("but not its API", "not the API"),
    ("refuses the sender", "sender refused"),
    ("forgotten its key", "key too old"),
    ("its process is gone", "process died"),
    ("its lease has ended", "process fell silent"),
    ("cannot be written", "disk"),
)
"""What stands in a reason, and what kind of fault that is."""


class Trouble(NamedTuple):
    """Calls that did not end well, by kind: a status like ``429``, or a word."""

    kind: str
    calls: int
    recent: int
    """How many of them within ``RECENT``."""
    last_at: dt.datetime

    def data(self) -> dict[str, Any]:
        """For ``--json``; how many are recent depends on when it is asked."""
        return {"kind": self.kind, "calls": self.calls, "last_at": clock.stamp(self.last_at)}


class Worker(NamedTuple):
    """One process's part: ``batches`` is how many it has in hand, none while it waits."""

    owner: str
    pid: int | None
    alive: bool
    batches: int


@dataclass(frozen=True, slots=True)
class Pulse:
    """What is known of a send at work, beyond its counts."""

    now: dt.datetime
    recent: float | None
    """Messages settled a second within ``RECENT``; ``None`` when nobody works on it, or all wait for a stage."""
    left: float | None
    """Seconds until the end at this pace and within the account's limit; ``None`` when nobody can say."""
    last_answer: dt.datetime | None
    troubles: tuple[Trouble, ...]
    again: int
    """Open batches that may have been accepted, and are made again with their key."""
    waiting: int
    next_at: dt.datetime | None
    """When the first of the ``waiting`` batches may be tried again."""
    calls_per_second: float | None
    """What the account is held to, when it is held to anything."""
    account_free_at: dt.datetime | None
    """Until when the account makes no call, when that is farther ahead than calls usually come."""
    workers: tuple[Worker, ...]
    turns: tuple[Turn, ...]

    def data(self) -> dict[str, Any]:
        """For ``--json``; nothing in it depends on when it was asked, once the send has ended."""
        return {
            "recent_per_second": None if self.recent is None else round(self.recent, 1),
            "seconds_left": None if self.left is None else round(self.left),
            "last_answer_at": _stamp(self.last_answer),
            "faults": [each.data() for each in self.troubles],
            "batches_made_again": self.again,
            "batches_waiting": self.waiting,
            "next_try_at": _stamp(self.next_at),
            "calls_per_second": self.calls_per_second and round(self.calls_per_second, 2),
            "account_free_at": _stamp(self.account_free_at),
            "processes": [each._asdict() for each in self.workers],
            "turns": [each.data() for each in self.turns],
        }


def _stamp(moment: dt.datetime | None) -> str | None:
    return clock.stamp(moment) if moment else None


def take(connection: Connection, locks: Path, made: Send, now: dt.datetime) -> Pulse:
    """Feel the pulse of a send; ``locks`` is the folder of its owners."""
    seen = _seen(connection, made.id, now)
    waits = _open(connection, made, now)
    held = _in_hand(connection, made.id)
    workers = _workers(locks, made.id, held)
    running = made.state == "running" and waits.batches > 0
    under_way = running and waits.begun > 0 and any(each.alive for each in workers)
    recent = seen.recent if under_way else None
    limit = connection.execute(select(rate).where(rate.c.account == made.account)).first() if running else None
    free_at = _free_at(limit, waits, now) if limit else None
    calls = limit.per_second if limit else None
    later = made.stage + 1 < len(made.terms.ends)  # how long a send takes that waits, and may be stopped, nobody knows
    return Pulse(
        now=now,
        recent=recent,
        left=None if later else time_left(waits, recent, calls, (free_at - now).total_seconds() if free_at else 0.0),
        last_answer=seen.last_answer,
        troubles=seen.troubles,
        again=waits.doubtful,
        waiting=waits.waiting,
        next_at=waits.next_at if running else None,
        calls_per_second=calls,
        account_free_at=free_at,
        workers=workers,
        turns=turns.of(connection, made.id),
    )


# -- what the events tell -------------------------------------------------------------


class _Seen(NamedTuple):
    recent: float
    last_answer: dt.datetime | None
    troubles: tuple[Trouble, ...]


def _seen(connection: Connection, send_id: int, now: dt.datetime) -> _Seen:
    """One walk over the send's events, grouped by what became of a call and why."""
    lately = event.c.at > clock.stamp(now - RECENT)
    columns = (
        event.c.from_state,
        event.c.to_state,
        event.c.detail,
        func.count(),
        func.count().filter(lately),
        func.sum(batch.c.n).filter(lately),
        func.min(event.c.at).filter(lately),
        func.max(event.c.at),
    )
    rows = connection.execute(
        select(*columns)
        .join(batch, batch.c.id == event.c.batch_id)
        .where(batch.c.send_id == send_id, event.c.from_state.in_(("claimed", "sending")))
        .group_by(event.c.from_state, event.c.to_state, event.c.detail)
    )
    settled = 0
    since = answered = ""
    found: dict[str, Trouble] = {}
    for before, after, why, count, new, people, first, last in rows:
        since = min(since or first, first) if first else since
        if before != "sending":
            continue
        if after in {"accepted", "refused"}:
            settled += people or 0
        if after in {"accepted", "refused", "split"} or _ANSWERED.search(why):
            answered = max(answered, last)
        if after != "accepted" and why not in _NO_FAULT:
            _count(found, Trouble(kind(why), count, new, clock.parse(last)))
    seconds = max((now - clock.parse(since)).total_seconds(), 1.0) if since else 1.0
    troubles = sorted(found.values(), key=lambda each: (-each.calls, each.kind))
    return _Seen(settled / seconds, clock.parse(answered) if answered else None, tuple(troubles))


def _count(found: dict[str, Trouble], more: Trouble) -> None:
    known = found.get(more.kind)
    if known is not None:
        last = max(known.last_at, more.last_at)
        more = Trouble(more.kind, known.calls + more.calls, known.recent + more.recent, last)
    found[more.kind] = more


def kind(why: str) -> str:
    """The kind of fault that an event's reason speaks of."""
    status = _ANSWERED.search(why)
    if status and not status[1].startswith("2"):
        return status[1]
    return next((name for words, name in _KINDS if words in why), "other")


# -- what is left ---------------------------------------------------------------------


class Waits(NamedTuple):
    """What is open: people, batches, those that may have been accepted, and those that wait for a time."""

    people: int
    batches: int
    doubtful: int
    waiting: int
    next_at: dt.datetime | None
    begun: int = 0
    """Batches of the stages that have begun."""
    claimed: int = 0


def _open(connection: Connection, made: Send, now: dt.datetime) -> Waits:
    later = batch.c.not_before > clock.stamp(now)
    row = connection.execute(
        select(
            func.coalesce(func.sum(batch.c.n), 0),
            func.count(),
            func.count().filter(batch.c.doubt == true()),
            func.count().filter(later),
            func.min(batch.c.not_before).filter(later),
            func.count().filter(batch.c.stage <= made.stage),
            func.count().filter(batch.c.state == "claimed"),
        ).where(batch.c.send_id == made.id, batch.c.state.in_(ledger.OPEN))
    ).one()
    people, batches, doubtful, waiting, next_at, begun, claimed = row
    return Waits(people, batches, doubtful, waiting, clock.parse(next_at) if next_at else None, begun, claimed)


def _free_at(limit: Row[Any], waits: Waits, now: dt.datetime) -> dt.datetime | None:
    """Until when the account is held; slots that were booked before that are no pause, nor is the usual distance."""
    distance = 1 / limit.per_second
    at = limit.tat - waits.claimed * distance
    return dt.datetime.fromtimestamp(at, dt.UTC) if at - now.timestamp() > distance else None


def time_left(waits: Waits, recent: float | None, calls_per_second: float | None, held: float) -> float | None:
    """Seconds: the longer of what the present pace and the account's limit ask for, after ``held`` seconds of pause."""
    if recent is None or not waits.batches or not (recent or held):
        return None
    paces = [waits.people / recent] if recent else []
    if calls_per_second:
        paces.append(waits.batches / calls_per_second)
    return held + max(paces) if paces else None


# -- who works on it ------------------------------------------------------------------


def _in_hand(connection: Connection, send_id: int) -> dict[str, int]:
    """Owners and how many batches each has in hand."""
    named = select(batch.c.owner, func.count()).where(
        batch.c.send_id == send_id, batch.c.state.in_(ledger.OPEN), batch.c.owner.is_not(None)
    )
    return {row[0]: row[1] for row in connection.execute(named.group_by(batch.c.owner))}


def _workers(locks: Path, send_id: int, held: dict[str, int]) -> tuple[Worker, ...]:
    dead = owners.dead(locks, held)
    everybody = sorted({*held, *owners.at_work(locks, send_id)})
    return tuple(Worker(each, owners.pid(each), each not in dead, held.get(each, 0)) for each in everybody)
