"""Taking batches in hand, and taking over what the dead left."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, bindparam, exists, func, or_, select, update

from newsletter.delivery import ledger
from newsletter.delivery.ledger import Held
from newsletter.store import clock
from newsletter.store.tables import batch, delivery, event, person, send

if TYPE_CHECKING:
    from collections.abc import Collection

LONGEST_WAIT = dt.timedelta(seconds=120)
"""How long a process waits for a provider; what takes longer is for the operator to know."""

_OLD_KEY = "the provider may have forgotten its key"

Member = tuple[int, str, str]
"""Person, address, and the JSON object of frozen values."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One batch in hand. A ``key`` means that it is made again: same members, same bytes, same key."""

    held: Held
    variant: str
    attempts: int
    lease_until: dt.datetime
    members: tuple[Member, ...] = field(repr=False)
    key: str | None = None
    payload_sha: str | None = None


# Built once: to build a statement takes five times as long as to run it.
_STATE = select(send.c.state).where(send.c.id == bindparam("of_send"))
_DUE = (
    select(batch)
    .where(
        batch.c.send_id == bindparam("of_send"),
        or_(
            batch.c.not_before.is_(None),
            batch.c.not_before <= bindparam("now"),
            batch.c.not_before > bindparam("never"),
        ),
    )
    .order_by(batch.c.id)
    .limit(1)
)
_DUE_AGAIN = _DUE.where(batch.c.state == "sending", batch.c.owner.is_(None))
_DUE_FRESH = _DUE.where(batch.c.state == "pending")
_SKIP_LEAVERS = (
    update(delivery)
    .where(
        delivery.c.batch_id == bindparam("of_batch"),
        delivery.c.outcome.is_(None),
        exists().where(person.c.id == delivery.c.person_id, person.c.status != "active"),
    )
    .values(
        outcome="skipped",
        error=select(person.c.status).where(person.c.id == delivery.c.person_id).scalar_subquery(),
    )
)
_MEMBERS = (
    select(delivery.c.person_id, delivery.c.address, delivery.c.fields)
    .where(delivery.c.batch_id == bindparam("of_batch"), delivery.c.outcome.is_(None))
    .order_by(delivery.c.person_id)
)


def running(connection: Connection, send_id: int) -> bool:
    """Whether batches of this send may be taken, and intents made."""
    return bool(connection.execute(_STATE, {"of_send": send_id}).scalar_one() == "running")


def take(connection: Connection, send_id: int, owner: str, now: dt.datetime, lease: dt.timedelta) -> Claim | None:
    """Take the next batch in hand: first those that wait to be made again, then the untried.

    Suppression is read again for the untried: who unsubscribed since the send began is skipped.
    """
    if not running(connection, send_id):
        return None
    while row := _next(connection, send_id, now):
        claim = _again(connection, row, owner, now, lease) if row.state == "sending" else None
        if row.state == "pending":
            claim = _fresh(connection, row, owner, now, lease)
        if claim:
            return claim
    return None


def _next(connection: Connection, send_id: int, now: dt.datetime) -> Row[Any] | None:
    """The next batch that may be taken; a wait longer than any that is ever named comes from a clock that went back."""
    when = {"of_send": send_id, "now": clock.stamp(now), "never": clock.stamp(now + 2 * LONGEST_WAIT)}
    again = connection.execute(_DUE_AGAIN, when).first()
    return again or connection.execute(_DUE_FRESH, when).first()


def _fresh(connection: Connection, row: Row[Any], owner: str, now: dt.datetime, lease: dt.timedelta) -> Claim | None:
    """Pending to claimed, without those who have left since."""
    until = now + lease
    fence = row.fence + 1
    stamps = {"owner": owner, "lease_until": clock.stamp(until), "fence": fence, "not_before": None}
    ledger.move(connection, Held(row.id, row.fence, row.doubt), "pending", "claimed", now, **stamps)
    held = Held(row.id, fence, row.doubt)
    connection.execute(_SKIP_LEAVERS, {"of_batch": row.id})
    members = _members(connection, row.id)
    if not members:
        ledger.skip(connection, held, now, "nobody is left in it")
        return None
    return Claim(held, row.variant, row.attempts, until, members)


def _again(connection: Connection, row: Row[Any], owner: str, now: dt.datetime, lease: dt.timedelta) -> Claim | None:
    """Sending to sending: a second intent with the same key, or in doubt when the key may be forgotten."""
    held = Held(row.id, row.fence, row.doubt)
    if row.key_expires_at and _forgotten(connection, row, now + lease):
        ledger.doubt(connection, held, now, _OLD_KEY)
        return None
    until = now + lease
    stamps = {"owner": owner, "lease_until": clock.stamp(until), "fence": row.fence + 1, "not_before": None}
    ledger.move(connection, held, "sending", "sending", now, "again", tries=True, **stamps)
    return Claim(
        Held(row.id, row.fence + 1, row.doubt),
        row.variant,
        row.attempts,
        until,
        _members(connection, row.id),
        row.idem_key,
        row.payload_sha,
    )


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


def _forgotten(connection: Connection, row: Row[Any], now: dt.datetime) -> bool:
    """Whether the provider may have forgotten a batch's key, or the clock cannot be trusted to tell.

    A clock that went back makes an old key look young. It shows in an event with an earlier time
    than one before it; the first attempt's own time and the latest event's bound the rest.
    """
    last = connection.execute(select(event.c.at).order_by(event.c.id.desc()).limit(1)).scalar_one()
    if max(clock.stamp(now), last) >= row.key_expires_at or clock.stamp(now) < row.first_sent_at:
        return True
    intent = select(func.max(event.c.id)).where(event.c.batch_id == row.id, event.c.from_state == "claimed")
    back = select(event.c.id).where(event.c.id > intent.scalar_subquery(), event.c.at < row.first_sent_at).limit(1)
    return connection.execute(back).first() is not None


def _members(connection: Connection, batch_id: int) -> tuple[Member, ...]:
    return tuple(connection.execute(_MEMBERS, {"of_batch": batch_id}).all())


# -- what the dead left ---------------------------------------------------------------


def orphans(connection: Connection, send_id: int, dead: Collection[str], now: dt.datetime) -> list[Any]:
    """Batches whose owner is dead, or whose lease has ended."""
    rows = connection.execute(
        select(batch.c.id, batch.c.fence, batch.c.doubt, batch.c.state, batch.c.owner, batch.c.lease_until)
        .where(batch.c.send_id == send_id, batch.c.state.in_(("claimed", "sending")), batch.c.owner.is_not(None))
        .order_by(batch.c.id)
    ).all()
    ended = clock.stamp(now)
    return [row for row in rows if row.owner in dead or row.lease_until < ended]


def recover(connection: Connection, send_id: int, dead: Collection[str], now: dt.datetime, *, idempotent: bool) -> int:
    """Free what the dead had in hand; how many batches that was.

    A claim costs nothing: it goes back. An intent may have been carried out: it is made again with
    its key, or without keys it is in doubt.
    """
    rows = orphans(connection, send_id, dead, now)
    for row in rows:
        held = Held(row.id, row.fence, row.doubt)
        why = "its process is gone" if row.owner in dead else "its lease has ended"
        if row.state == "claimed":
            ledger.release(connection, held, now, why)
        elif idempotent:
            ledger.unknown(connection, held, now, why, None)
        else:
            ledger.doubt(connection, held, now, why)
    return len(rows)


def owners_in_hand(connection: Connection, send_id: int | None = None) -> frozenset[str]:
    """Every owner that a batch still names, of one send or of any."""
    named = select(batch.c.owner).where(batch.c.owner.is_not(None)).distinct()
    if send_id is not None:
        named = named.where(batch.c.send_id == send_id)
    return frozenset(connection.execute(named).scalars())


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left to do: open batches, and when the first of those that wait may be taken."""

    open: int
    in_hand: int
    next_at: dt.datetime | None


def remaining(connection: Connection, send_id: int) -> Remaining:
    """Open batches of a send; none are left when it does not run."""
    if not running(connection, send_id):
        return Remaining(0, 0, None)
    row = connection.execute(
        select(func.count(), func.count(batch.c.owner), func.min(batch.c.not_before)).where(
            batch.c.send_id == send_id, batch.c.state.in_(ledger.OPEN)
        )
    ).one()
    return Remaining(row[0], row[1], clock.parse(row[2]) if row[2] else None)
