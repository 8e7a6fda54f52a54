"""The life of a whole send: paused, cancelled, taken up again, done. Each step leaves a turn that says so.

``by`` is who asked for it, where a person did. ``at`` may be left out: the real time stands in for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, insert, literal, select, update

from newsletter.delivery import orphans, turns
from newsletter.delivery.turns import Turn
from newsletter.store import clock
from newsletter.store.tables import batch, delivery, event, send

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from sqlalchemy import ColumnElement

    from newsletter.providers.base import Fault


def pause(connection: Connection, send_id: int, why: str = "", *, at: dt.datetime | None = None, by: str = "") -> bool:
    """Hold a running send at the operator's word; whether it was running."""
    held = {"state": "paused", "paused_by": "operator", "pause_reason": why}
    return _move(connection, send_id, ("running",), at, by, **held)


def pause_for_fault(
    connection: Connection, send_id: int, fault: Fault, why: str, *, at: dt.datetime | None = None
) -> bool:
    """Hold a running send because going on is of no use; `send` takes it up again."""
    held = {"state": "paused", "paused_by": "fault", "pause_reason": f"{fault.name.lower()}: {why}"}
    return _move(connection, send_id, ("running",), at, **held)


def cancel(connection: Connection, send_id: int, at: dt.datetime, dead: Collection[str] = (), *, by: str = "") -> bool:
    """Stop a send that is planned or not finished: what was not tried is cancelled, what is under way finishes.

    A call that waits to be made again, or whose owner is among the ``dead``, is finished by nobody: it may have
    been accepted, so it is in doubt from now on, and a later `resume` does not make it again. False for a send
    that is not under way; of one that is cancelled already, what was left under way then is settled all the same.
    """
    under_way = ("planned", "running", "paused")
    now = _move(connection, send_id, under_way, at, by, state="cancelled", paused_by=None, pause_reason="")
    _close(connection, send_id, at, dead)
    return now


def _close(connection: Connection, send_id: int, at: dt.datetime, dead: Collection[str] = ()) -> None:
    """Leave nothing open in a cancelled send but what living processes have in hand."""
    cancelled = select(send.c.id).where(send.c.id == send_id, send.c.state == "cancelled")
    if connection.execute(cancelled).first() is None:
        return
    orphans.recover(connection, send_id, dead, at, idempotent=False)
    _all(connection, send_id, "sending", "in_doubt", at, batch.c.owner.is_(None), doubt=True)
    for state in ("pending", "claimed"):
        _all(connection, send_id, state, "cancelled", at)


def take_up(connection: Connection, send_id: int, at: dt.datetime, *, by: str = "") -> bool:
    """Go on with a send that a fault holds, and only then: the operator may have spoken since; whether it did."""
    held = select(send.c.id).where(send.c.id == send_id, send.c.state == "paused", send.c.paused_by == "fault")
    return connection.execute(held).first() is not None and resume(connection, send_id, at, by=by)


def resume(connection: Connection, send_id: int, at: dt.datetime, *, by: str = "") -> bool:
    """Take up a paused or cancelled send; whether there was one to take up.

    One that was cancelled before its time is planned again: it has no people yet.
    """
    unbegun = (send.c.id == send_id, send.c.scheduled_at.is_not(None), send.c.recipients == 0)
    if connection.execute(select(send.c.id).where(*unbegun)).first():
        return _move(connection, send_id, ("cancelled",), at, by, state="planned")
    if not _move(
        connection, send_id, ("paused", "cancelled"), at, by, state="running", paused_by=None, pause_reason=""
    ):
        return False
    _all(connection, send_id, "cancelled", "pending", at)
    connection.execute(
        update(batch)
        .where(batch.c.send_id == send_id, batch.c.state.in_(("pending", "sending")))
        .values(not_before=None)
    )
    return True


def finish(connection: Connection, send_id: int, at: dt.datetime) -> bool:
    """Mark a send done, if every row has its end and none is in doubt.

    One that was cancelled meanwhile is closed: what came back since from a call that was under way goes on by
    `resume` only.
    """
    _close(connection, send_id, at)
    unfinished = ("pending", "claimed", "sending", "in_doubt", "cancelled")
    left = select(batch.c.id).where(batch.c.send_id == send_id, batch.c.state.in_(unfinished)).limit(1)
    doubtful = select(delivery.c.person_id).where(delivery.c.send_id == send_id, delivery.c.outcome == "in_doubt")
    if connection.execute(left).first() or connection.execute(doubtful.limit(1)).first():
        return False
    counted = select(func.count()).select_from(delivery).where(delivery.c.send_id == send_id)
    frozen = select(send.c.recipients).where(send.c.id == send_id)
    if connection.execute(counted).scalar_one() != connection.execute(frozen).scalar_one():
        return False
    return _move(connection, send_id, ("running",), at, state="done", finished_at=clock.stamp(at))


def _move(
    connection: Connection,
    send_id: int,
    expect: tuple[str, ...],
    at: dt.datetime | None,
    by: str = "",
    **values: str | None,
) -> bool:
    """Set these columns of a send in an expected state, and write the turn down; whether it was in one."""
    before = connection.execute(select(send.c.state).where(send.c.id == send_id)).scalar_one()
    if before not in expect:
        return False
    connection.execute(update(send).where(send.c.id == send_id).values(**values))
    turn = Turn(at or clock.utcnow(), before, str(values["state"]), by, values.get("pause_reason") or "")
    turns.add(connection, send_id, turn)
    return True


def _all(
    connection: Connection,
    send_id: int,
    expect: str,
    to: str,
    at: dt.datetime,
    *further: ColumnElement[bool],
    **values: bool,
) -> None:
    """Move every batch of a send that is in one state, and fits ``further``, with an event for each."""
    these = (batch.c.send_id == send_id, batch.c.state == expect, *further)
    columns = ["batch_id", "at", "from_state", "to_state", "fence", "detail"]
    rows = select(batch.c.id, literal(clock.stamp(at)), literal(expect), literal(to), batch.c.fence, literal("")).where(
        *these
    )
    connection.execute(insert(event).from_select(columns, rows))
    connection.execute(update(batch).where(*these).values(state=to, owner=None, lease_until=None, **values))
