"""A send that is planned: its content is frozen at once, its audience when it begins.

Each step is one transaction, guarded by what the caller has seen. So of two processes that begin a send one does,
and the other learns that it has begun; and what is begun is what was looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, select, update

from newsletter import moments
from newsletter.delivery import cutting, freeze, ledger, start, turns
from newsletter.delivery.turns import Turn
from newsletter.links import fingerprint
from newsletter.store import clock
from newsletter.store.tables import batch, send

if TYPE_CHECKING:
    import datetime as dt

    from newsletter.delivery.ledger import Send
    from newsletter.delivery.start import Wish
    from newsletter.store.database import Database


class Step(NamedTuple):
    """The send as it is now, and whether it was this call that brought it there."""

    send: Send
    mine: bool


def unbegun(made: Send) -> bool:
    """Whether a send has no people yet: it is planned, or was cancelled before its time."""
    return made.scheduled_at is not None and not made.recipients


def plan(database: Database, wish: Wish, at: dt.datetime, now: dt.datetime, before: Send | None = None) -> Step:
    """Freeze the content and note the time: a new send, or ``before`` anew if that has not begun.

    Another send that was made, begun or changed since ``before`` was seen is returned as it is.
    """
    frozen_bytes = freeze.freeze(wish.frozen)
    content_sha = fingerprint(frozen_bytes)
    with database.write() as connection:
        newest = ledger.latest(connection, wish.issue_id, wish.realm)
        if newest and newest != before:
            return Step(newest, mine=False)
        start.keep(connection, content_sha, frozen_bytes)
        frozen = {"content_sha": content_sha, "plan_id": wish.plan_id(content_sha, "")}
        when = {"state": "planned", "scheduled_at": clock.stamp(at)}
        if before and unbegun(before):
            number = before.id
            about = {"provider": wish.capabilities.name, "account": wish.account, "terms": wish.terms.text()}
            fresh = {"slug": wish.slug, "by": wish.by, "created_at": clock.stamp(now)}
            values = {**when, **frozen, **about, **fresh}
            connection.execute(update(send).where(send.c.id == number).values(**values))
        else:
            number = start.insert_send(connection, wish, now, audience_sha="", **when, **frozen)
        state = before.state if before and before.id == number else "new"
        turns.add(connection, number, Turn(now, state, "planned", wish.by, f"for {moments.wall(at, wish.terms.zone)}"))
        return Step(ledger.get(connection, number), mine=True)


def begin(database: Database, seen: Send, wish: Wish, now: dt.datetime) -> Step:
    """Freeze the audience and let a planned send run, if it is still as it was seen.

    Raises ``Blocked``, and leaves it planned, when there is nobody to send to.
    """
    with cutting.ready(database, seen.terms, seen.issue_id, seen.kind), database.write() as connection:
        made = ledger.get(connection, seen.id)
        if made != seen or made.state != "planned":
            return Step(made, mine=False)
        digest = cutting.digest(connection)
        if not digest.count:
            raise start.nobody()
        values = {
            "state": "running",
            "audience_sha": digest.sha,
            "plan_id": wish.plan_id(made.content_sha, digest.sha),
            "provider": wish.capabilities.name,
            "account": wish.account,
            "created_at": clock.stamp(now),
        }
        connection.execute(update(send).where(send.c.id == made.id).values(**values))
        cutting.cut(connection, made.id, made.terms, count=digest.count, size=wish.size, frozen=wish.frozen)
        turns.add(connection, made.id, Turn(now, "planned", "running", wish.by, ""))
        return Step(ledger.get(connection, made.id), mine=True)


def due(connection: Connection, realm: str, now: dt.datetime) -> tuple[Send, ...]:
    """Planned sends whose time has come, the earliest first."""
    where = (send.c.realm == realm, send.c.state == "planned", send.c.scheduled_at <= clock.stamp(now))
    rows = connection.execute(select(send.c.id).where(*where).order_by(send.c.scheduled_at, send.c.id)).scalars()
    return tuple(ledger.get(connection, number) for number in rows.all())


def begun(connection: Connection, realm: str, now: dt.datetime) -> tuple[Send, ...]:
    """Sends that run by a plan or in stages, and have open batches and no wait: whoever began them may be gone."""
    where = (send.c.realm == realm, send.c.state == "running")
    plans = send.c.scheduled_at.is_not(None) | send.c.terms.is_not(None)
    waits = send.c.stage_at.is_not(None) & (send.c.stage_at > clock.stamp(now))
    left = select(batch.c.id).where(batch.c.send_id == send.c.id, batch.c.state.in_(ledger.OPEN)).exists()
    rows = connection.execute(select(send.c.id).where(*where, plans, ~waits, left).order_by(send.c.id)).scalars()
    return tuple(ledger.get(connection, number) for number in rows.all())
