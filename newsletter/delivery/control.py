"""The life of a whole send: paused, cancelled, taken up again, done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, insert, literal, select, update

from newsletter.store import clock
from newsletter.store.tables import batch, delivery, event, send

if TYPE_CHECKING:
    import datetime as dt

    from newsletter.providers.base import Fault


def pause(connection: Connection, send_id: int, why: str = "") -> bool:
    """Hold a running send at the operator's word; whether it was running."""
    return _move(connection, send_id, ("running",), state="paused", paused_by="operator", pause_reason=why)


def pause_for_fault(connection: Connection, send_id: int, fault: Fault, why: str) -> bool:
    """Hold a running send because going on is of no use; `send` takes it up again."""
    reason = f"{fault.name.lower()}: {why}"
    return _move(connection, send_id, ("running",), state="paused", paused_by="fault", pause_reason=reason)


def cancel(connection: Connection, send_id: int, at: dt.datetime) -> bool:
    """Stop a send that is not finished: what was not tried is cancelled, what is under way finishes."""
    if not _move(connection, send_id, ("running", "paused"), state="cancelled", paused_by=None, pause_reason=""):
        return False
    for state in ("pending", "claimed"):
        _all(connection, send_id, state, "cancelled", at)
    return True


def take_up(connection: Connection, send_id: int, at: dt.datetime) -> bool:
    """Go on with a send that a fault holds, and only then: the operator may have spoken since; whether it did."""
    held = select(send.c.id).where(send.c.id == send_id, send.c.state == "paused", send.c.paused_by == "fault")
    return connection.execute(held).first() is not None and resume(connection, send_id, at)


def resume(connection: Connection, send_id: int, at: dt.datetime) -> bool:
    """Take up a paused or cancelled send; whether there was one to take up."""
    if not _move(connection, send_id, ("paused", "cancelled"), state="running", paused_by=None, pause_reason=""):
        return False
    _all(connection, send_id, "cancelled", "pending", at)
    connection.execute(
        update(batch)
        .where(batch.c.send_id == send_id, batch.c.state.in_(("pending", "sending")))
        .values(not_before=None)
    )
    return True


def finish(connection: Connection, send_id: int, at: dt.datetime) -> bool:
    """Mark a send done, if every row has its end and none is in doubt."""
    unfinished = ("pending", "claimed", "sending", "in_doubt", "cancelled")
    left = select(batch.c.id).where(batch.c.send_id == send_id, batch.c.state.in_(unfinished)).limit(1)
    doubtful = select(delivery.c.person_id).where(delivery.c.send_id == send_id, delivery.c.outcome == "in_doubt")
    if connection.execute(left).first() or connection.execute(doubtful.limit(1)).first():
        return False
    counted = select(func.count()).select_from(delivery).where(delivery.c.send_id == send_id)
    frozen = select(send.c.recipients).where(send.c.id == send_id)
    if connection.execute(counted).scalar_one() != connection.execute(frozen).scalar_one():
        return False
    return _move(connection, send_id, ("running",), state="done", finished_at=clock.stamp(at))


def _move(connection: Connection, send_id: int, expect: tuple[str, ...], **values: str | None) -> bool:
    moved = connection.execute(update(send).where(send.c.id == send_id, send.c.state.in_(expect)).values(**values))
    return moved.rowcount == 1


def _all(connection: Connection, send_id: int, expect: str, to: str, at: dt.datetime) -> None:
    """Move every batch of a send that is in one state, with an event for each."""
    these = (batch.c.send_id == send_id, batch.c.state == expect)
    columns = ["batch_id", "at", "from_state", "to_state", "fence", "detail"]
    rows = select(batch.c.id, literal(clock.stamp(at)), literal(expect), literal(to), batch.c.fence, literal("")).where(
        *these
    )
    connection.execute(insert(event).from_select(columns, rows))
    connection.execute(update(batch).where(*these).values(state=to, owner=None, lease_until=None))
