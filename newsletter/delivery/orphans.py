"""Batches that dead processes left in hand, and their way back to the living."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from newsletter.delivery import ledger
from newsletter.delivery.ledger import Held
from newsletter.store import clock
from newsletter.store.tables import batch

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection

    from sqlalchemy import Connection


def found(connection: Connection, send_id: int, dead: Collection[str], now: dt.datetime) -> list[Any]:
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
    rows = found(connection, send_id, dead, now)
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


def owners(connection: Connection, send_id: int | None = None) -> frozenset[str]:
    """Every owner that a batch still names, of one send or of any."""
    named = select(batch.c.owner).where(batch.c.owner.is_not(None)).distinct()
    if send_id is not None:
        named = named.where(batch.c.send_id == send_id)
    return frozenset(connection.execute(named).scalars())
