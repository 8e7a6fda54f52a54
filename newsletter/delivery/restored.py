"""Going on with an older copy of the ledger: what it holds open may have been mailed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, func, insert, literal, select, update

from newsletter.delivery import ledger, summary
from newsletter.store import clock
from newsletter.store.tables import batch, event, send

if TYPE_CHECKING:
    import datetime as dt

    from newsletter.delivery.ledger import Send

WHY = "the ledger was put back from an older copy: it may have been mailed since"

UNTRIED = ("pending", "claimed", "cancelled")
"""States in which the copy knows of no attempt, and which may have gone on since."""


class Unfinished(NamedTuple):
    """A send that the copy holds open, and how many people it says have got nothing yet."""

    send: Send
    people: int


def unfinished(connection: Connection) -> tuple[Unfinished, ...]:
    """Every send with people of whom the copy cannot know what became, the newest first."""
    numbers = (
        select(batch.c.send_id)
        .where(batch.c.state.in_((*UNTRIED, "sending")))
        .distinct()
        .order_by(batch.c.send_id.desc())
    )
    found: list[Unfinished] = []
    for number in connection.execute(numbers).scalars().all():
        people = summary.status(connection, number).people
        found.append(Unfinished(ledger.get(connection, number), people["open"] + people["cancelled"]))
    return tuple(found)


def settle(connection: Connection, at: dt.datetime, *, doubt: bool) -> int:
    """Let the open batches of all sends fall into doubt; how many that were.

    Without ``doubt`` those that were never tried stay open, by the person's word. What was under way when
    the copy was made may have been accepted whatever became of the copy: that is in doubt in any case.
    """
    states = (*UNTRIED, "sending") if doubt else ("sending",)
    return sum(_into_doubt(connection, state, at) for state in states)


def _into_doubt(connection: Connection, state: str, at: dt.datetime) -> int:
    these = batch.c.state == state
    columns = ["batch_id", "at", "from_state", "to_state", "fence", "detail"]
    moment = literal(clock.stamp(at))
    rows = select(batch.c.id, moment, literal(state), literal("in_doubt"), batch.c.fence, literal(WHY)).where(these)
    connection.execute(insert(event).from_select(columns, rows))
    # Where the provider can be asked, it is asked for calls since then.
    began = select(send.c.created_at).where(send.c.id == batch.c.send_id).scalar_subquery()
    values = {
        "state": "in_doubt",
        "doubt": True,
        "error": WHY,
        "owner": None,
        "lease_until": None,
        "first_sent_at": func.coalesce(batch.c.first_sent_at, began),
    }
    return connection.execute(update(batch).where(these).values(**values)).rowcount
