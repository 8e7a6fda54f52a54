"""Taking batches in hand, and taking over what the dead left."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, String, cast, exists, func, or_, select, update

from newsletter.delivery import ledger
from newsletter.delivery.ledger import Held
from newsletter.delivery.members import Members
from newsletter.store import clock
from newsletter.store.prepared import Prepared, named
from newsletter.store.tables import batch, delivery, event, person, person_event, send

LONGEST_WAIT = dt.timedelta(seconds=120)
"""How long a process waits for a provider; what takes longer is for the operator to know."""

_OLD_KEY = "the provider may have forgotten its key"

_BETWEEN = "\x1e"
"""Stands in no address."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One batch in hand. A ``key`` means that it is made again: same members, same bytes, same key."""

    held: Held
    variant: str
    attempts: int
    lease_until: dt.datetime
    members: Members = field(repr=False)
    history: int
    """The last change of anybody's status that was known when the batch was taken in hand."""
    key: str | None = None
    payload_sha: str | None = None


_STATE = Prepared(
    select(send.c.state, send.c.stage, send.c.provider, send.c.account).where(send.c.id == named("of_send"))
)


class _Due(NamedTuple):
    """A batch that may be taken."""

    id: int
    fence: int
    doubt: bool
    variant: str
    attempts: int
    idem_key: str | None
    payload_sha: str | None
    key_expires_at: str | None
    first_sent_at: str | None


_DUE = (
    select(*(batch.c[name] for name in _Due._fields))
    .where(
        batch.c.send_id == named("of_send"),
        or_(
            batch.c.not_before.is_(None),
            batch.c.not_before <= named("now"),
            batch.c.not_before > named("never"),
        ),
    )
    .limit(1)
)
_IN_STAGE = batch.c.stage <= named("stage")
# In the index's own order: the first row is the one, and where no stage has any left no row is read.
_DUE_AGAIN = Prepared(_DUE.where(batch.c.state == "sending", batch.c.owner.is_(None)).order_by(batch.c.id))
_DUE_FRESH = Prepared(_DUE.where(batch.c.state == "pending", _IN_STAGE).order_by(batch.c.stage, batch.c.id))
# The latest part first: what refuses every call is found out after a few, and not after each batch was cut once.
_DUE_PART = Prepared(
    _DUE.where(batch.c.state == "pending", _IN_STAGE, batch.c.parent.is_not(None)).order_by(
        batch.c.stage.desc(), batch.c.id.desc()
    )
)
_OPEN_IN_IT = (delivery.c.batch_id == named("of_batch"), delivery.c.outcome.is_(None))
_LEFT = exists().where(person.c.id == delivery.c.person_id, person.c.status != "active")
_SOMEBODY_LEFT = Prepared(select(delivery.c.person_id).where(*_OPEN_IN_IT, _LEFT).limit(1))
_LAST_CHANGE = Prepared(select(func.max(person_event.c.id)))
_SKIP_LEAVERS = Prepared(
    update(delivery)
    .where(*_OPEN_IN_IT, _LEFT)
    .values(
        outcome="skipped",
        error=select(person.c.status).where(person.c.id == delivery.c.person_id).scalar_subquery(),
    )
)
# One row for all: with a row for each, threads that wait for one another's turn at Python do so at every row.
_MEMBERS = Prepared(
    select(
        func.aggregate_strings(cast(delivery.c.person_id, String), ","),
        func.aggregate_strings(delivery.c.address, _BETWEEN),
        func.aggregate_strings(delivery.c.fields, ","),
        func.count().filter(person.c.status != "active"),
    )
    .join_from(delivery, person)
    .where(*_OPEN_IN_IT)
)


Through = tuple[str, str]
"""A provider's name, and the account there."""


def running(connection: Connection, send_id: int, through: Through | None = None) -> bool:
    """Whether batches of this send may be taken, and intents made; by an account, if it is still bound to it."""
    return _stage(connection, send_id, through) is not None


def _stage(connection: Connection, send_id: int, through: Through | None) -> int | None:
    """The stage that a send is at, where batches of it may be taken."""
    state, stage, *bound = _STATE.one(connection, {"of_send": send_id}) or ("", 0)
    return stage if state == "running" and (through is None or through == tuple(bound)) else None


def take(
    connection: Connection,
    send_id: int,
    owner: str,
    now: dt.datetime,
    lease: dt.timedelta,
    through: Through | None = None,
) -> Claim | None:
    """Take the next batch in hand: first those that wait to be made again, then parts, then the untried.

    Suppression is read again for the untried: who unsubscribed since the send began is skipped.
    """
    stage = _stage(connection, send_id, through)
    if stage is None:
        return None
    # A wait longer than any that is ever named comes from a clock that went back.
    when = {
        "of_send": send_id,
        "stage": stage,
        "now": clock.stamp(now),
        "never": clock.stamp(now + 2 * LONGEST_WAIT),
    }
    for due, claimed in ((_DUE_AGAIN, _again), (_DUE_PART, _fresh), (_DUE_FRESH, _fresh)):
        while row := due.one(connection, when):
            if claim := claimed(connection, _Due._make(row), owner, now, lease):
                return claim
    return None


def _fresh(connection: Connection, row: _Due, owner: str, now: dt.datetime, lease: dt.timedelta) -> Claim | None:
    """Pending to claimed, without those who have left since."""
    until = now + lease
    fence = row.fence + 1
    stamps = _in_hand(owner, until, fence)
    ledger.move(connection, Held(row.id, row.fence, bool(row.doubt)), "pending", "claimed", now, **stamps)
    held = Held(row.id, fence, bool(row.doubt))
    found, leavers = _read(connection, row.id)
    if leavers:
        _SKIP_LEAVERS.run(connection, {"of_batch": row.id})
        found, _ = _read(connection, row.id)
    if not found:
        ledger.skip(connection, held, now, "nobody is left in it")
        return None
    return Claim(held, row.variant, row.attempts, until, found, _history(connection))


def _again(connection: Connection, row: _Due, owner: str, now: dt.datetime, lease: dt.timedelta) -> Claim | None:
    """Sending to sending: a second intent with the same key, or in doubt when the key may be forgotten."""
    held = Held(row.id, row.fence, bool(row.doubt))
    if row.key_expires_at and _forgotten(connection, row, now + lease):
        ledger.doubt(connection, held, now, _OLD_KEY)
        return None
    until = now + lease
    stamps = _in_hand(owner, until, row.fence + 1)
    ledger.move(connection, held, "sending", "sending", now, "again", tries=True, **stamps)
    return Claim(
        Held(row.id, row.fence + 1, held.doubt),
        row.variant,
        row.attempts,
        until,
        members(connection, row.id),
        _history(connection),
        row.idem_key,
        row.payload_sha,
    )


def _in_hand(owner: str, until: dt.datetime, fence: int) -> dict[str, Any]:
    return {"owner": owner, "lease_until": clock.stamp(until), "fence": fence, "not_before": None}


def left(connection: Connection, claim: Claim) -> bool:
    """Whether somebody has left since the batch was taken in hand: it waited for its turn."""
    if _history(connection) == claim.history:
        return False
    return _SOMEBODY_LEFT.one(connection, {"of_batch": claim.held.batch}) is not None


def _history(connection: Connection) -> int:
    """The number of the last change of anybody's status; each leaves an event, and none is ever deleted."""
    found = _LAST_CHANGE.one(connection, {})
    return found[0] or 0 if found else 0


def renew(connection: Connection, held: Held, now: dt.datetime, until: dt.datetime) -> bool:
    """Hold a batch that is made again until ``until``; whether its key may still be used, or it is in doubt instead.

    Raises ``Lost`` when somebody else has it.
    """
    guard = (batch.c.id == held.batch, batch.c.fence == held.fence, batch.c.owner.is_not(None))
    row = connection.execute(select(batch).where(*guard, batch.c.state == "sending")).first()
    if row is None:
        raise ledger.Lost(held.batch)
    if row.key_expires_at and _forgotten(connection, row, until):
        ledger.doubt(connection, held, now, _OLD_KEY)
        return False
    connection.execute(update(batch).where(*guard).values(lease_until=clock.stamp(until)))
    return True


def _forgotten(connection: Connection, row: _Due | Row[Any], now: dt.datetime) -> bool:
    """Whether the provider may have forgotten a batch's key, or the clock cannot be trusted to tell.

    A clock that went back makes an old key look young. It shows in an event with an earlier time
    than one before it; the first attempt's own time and the latest event's bound the rest.
    """
    last = connection.execute(select(event.c.at).order_by(event.c.id.desc()).limit(1)).scalar_one()
    if max(clock.stamp(now), last) >= str(row.key_expires_at) or clock.stamp(now) < str(row.first_sent_at):
        return True
    intent = select(func.max(event.c.id)).where(event.c.batch_id == row.id, event.c.from_state == "claimed")
    back = select(event.c.id).where(event.c.id > intent.scalar_subquery(), event.c.at < row.first_sent_at).limit(1)
    return connection.execute(back).first() is not None


def members(connection: Connection, batch_id: int) -> Members:
    """Everybody in a batch who has no outcome yet, by number."""
    return _read(connection, batch_id)[0]


def _read(connection: Connection, batch_id: int) -> tuple[Members, int]:
    """Everybody without an outcome, and how many of them have left since."""
    people, to, fields, leavers = _MEMBERS.one(connection, {"of_batch": batch_id}) or (None,) * 4
    if people is None:
        return Members([], [], []), 0
    found = Members.sorted(list(map(int, people.split(","))), to.split(_BETWEEN), json.loads(f"[{fields}]"))
    return found, leavers


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left to do: open batches, those in anybody's hands and in mine, and when the next may be taken."""

    open: int
    in_hand: int
    mine: int
    next_at: dt.datetime | None


def remaining(connection: Connection, send_id: int, owner: str, through: Through | None = None) -> Remaining:
    """Open batches of a send up to its stage, for one of its owners; none are left when it does not run."""
    stage = _stage(connection, send_id, through)
    if stage is None:
        return Remaining(0, 0, 0, None)
    mine = func.count(batch.c.id).filter(batch.c.owner == owner)
    row = connection.execute(
        select(func.count(), func.count(batch.c.owner), mine, func.min(batch.c.not_before)).where(
            batch.c.send_id == send_id, batch.c.state.in_(ledger.OPEN), batch.c.stage <= stage
        )
    ).one()
    return Remaining(row[0], row[1], row[2], clock.parse(row[3]) if row[3] else None)
