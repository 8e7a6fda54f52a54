"""Taking a person out of the ledger: what became of their copies still counts, who they were is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, case, or_, select, update

from newsletter.delivery import ledger
from newsletter.delivery.ledger import Held
from newsletter.errors import Blocked
from newsletter.store.mentions import ERASED, Mentions
from newsletter.store.tables import STATUSES, batch, delivery, send

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator


def settle(connection: Connection, person_id: int | None, found: Mentions, now: dt.datetime) -> None:
    """Let go of the batches in hand that hold the person, or a value that mentions them.

    A claimed batch goes back: its owner's intent fails, and the next claim reads suppression anew. Raises
    ``Blocked`` while a call is under way, or waits to be made again with the very same bytes.
    """
    rows = list(_in_hand(connection, person_id, found))
    for row in rows:
        if row.state == "sending":
            message = f"{row.slug}: a call with this person in it is under way or may have to be repeated"
            hint = (
                f"Nothing was erased. Let that send settle first, with `newsletter send {row.slug}`"
                f" (see `newsletter status {row.slug}`), then run the same command again."
            )
            raise Blocked(message, hint=hint)
    for held in dict.fromkeys(Held(row.id, row.fence, row.doubt) for row in rows):
        ledger.release(connection, held, now, "a person in it was erased")


def _in_hand(connection: Connection, person_id: int | None, found: Mentions) -> Iterator[Row[Any]]:
    columns = (batch.c.id, batch.c.fence, batch.c.doubt, batch.c.state, send.c.slug)
    theirs = delivery.c.person_id == (0 if person_id is None else person_id)
    rows = connection.execute(
        select(*columns, theirs.label("theirs"), delivery.c.fields)
        .join(batch, batch.c.id == delivery.c.batch_id)
        .join(send, send.c.id == batch.c.send_id)
        .where(batch.c.state.in_(("claimed", "sending")), delivery.c.outcome.is_(None))
        .where(or_(theirs, found.perhaps(delivery.c.fields)))
    )
    return (row for row in rows if row.theirs or found.within(row.fields))


def blank(connection: Connection, person_id: int) -> int:
    """Blank every copy of this person's in the ledger; how many there are.

    Who was skipped for their status keeps it as the reason: it names nobody.
    """
    told = case((delivery.c.error.is_(None) | delivery.c.error.in_(STATUSES), delivery.c.error), else_=ERASED)
    mine = update(delivery).where(delivery.c.person_id == person_id)
    return connection.execute(mine.values(address="", fields="{}", error=told)).rowcount
