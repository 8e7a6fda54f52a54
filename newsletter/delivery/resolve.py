"""Doubt ended by the operator's word: what is known of it, and the arrows that nothing but a word may take.

In doubt is a whole batch whose call had no answer, or some people of an accepted batch, when a later answer
spoke against an earlier one. Every word raises the fence: whoever still waits for the answer to an older call
holds the batch no longer, and what comes of that call then is written down by ``late``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from newsletter.delivery import control, ledger, summary
from newsletter.delivery.ledger import Held, Lost
from newsletter.store import clock
from newsletter.store.mentions import ERASED
from newsletter.store.tables import batch, delivery, event, send

if TYPE_CHECKING:
    import datetime as dt

    from newsletter.providers.base import Answer

Word = Literal["sent", "unsent"]
"""What the operator may say: they got it, or they did not."""

_WORD = "the operator's word"
"""How every event begins that a word has made."""

EXAMPLES = 3
"""People of a batch who are named."""


class Happened(NamedTuple):
    """One event of a batch."""

    at: dt.datetime
    before: str
    after: str
    why: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A batch in doubt, or the part of an accepted one that is, with all that is known of it."""

    held: Held
    state: str
    people: int
    examples: tuple[str, ...] = field(repr=False)
    heard: str
    attempts: int
    tried_at: dt.datetime | None
    key: str | None
    key_expires_at: dt.datetime | None
    payload_sha: str | None
    provider_ref: str | None
    events: tuple[Happened, ...]

    @property
    def number(self) -> int:
        """The batch's number."""
        return self.held.batch

    @property
    def whole(self) -> bool:
        """Whether it is a whole batch, and not some people of an accepted one."""
        return self.state == "in_doubt"


def doubts(connection: Connection, send_id: int) -> tuple[Doubt, ...]:
    """Everything in doubt of a send, in the order of the batches."""
    parts = select(delivery.c.batch_id).where(delivery.c.send_id == send_id, delivery.c.outcome == "in_doubt")
    mine = batch.c.send_id == send_id
    rows = connection.execute(
        select(batch).where(mine, or_(batch.c.state == "in_doubt", batch.c.id.in_(parts))).order_by(batch.c.id)
    ).all()
    return tuple(_doubt(connection, row) for row in rows)


def _doubt(connection: Connection, row: Row[Any]) -> Doubt:
    theirs = _people(row.id, row.state)
    people, said = connection.execute(select(func.count(), func.min(delivery.c.error)).where(*theirs)).one()
    shown = func.coalesce(func.nullif(delivery.c.address, ""), ERASED)
    some = select(shown).where(*theirs).order_by(delivery.c.person_id).limit(EXAMPLES)
    events = select(event.c.at, event.c.from_state, event.c.to_state, event.c.detail).where(event.c.batch_id == row.id)
    return Doubt(
        held=Held(row.id, row.fence, row.doubt),
        state=row.state,
        people=people,
        examples=tuple(connection.execute(some).scalars()),
        heard=row.error or said or "",
        attempts=row.attempts,
        tried_at=_time(row.first_sent_at) if row.attempts else None,
        key=row.idem_key,
        key_expires_at=_time(row.key_expires_at),
        payload_sha=row.payload_sha,
        provider_ref=row.provider_ref,
        events=tuple(
            Happened(clock.parse(at), before, after, why)
            for at, before, after, why in connection.execute(events.order_by(event.c.id))
        ),
    )


def _time(stamp: str | None) -> dt.datetime | None:
    return clock.parse(stamp) if stamp else None


def _people(batch_id: int, state: str) -> tuple[Any, ...]:
    """Whoever is in doubt: those with that outcome, and where the batch is in doubt those without one."""
    doubtful = delivery.c.outcome == "in_doubt"
    if state == "in_doubt":
        doubtful = or_(doubtful, delivery.c.outcome.is_(None))
    return (delivery.c.batch_id == batch_id, doubtful)


# -- arrows ---------------------------------------------------------------------------


def assume(connection: Connection, doubt: Doubt, word: Word, at: dt.datetime, by: str) -> None:
    """End one doubt by the operator's word; raises ``Lost`` when it is not as it was when they were asked.

    ``sent``: accepted. ``unsent``: as if it had never been tried, to be sent by whoever works on the send next;
    in a send that was cancelled, cancelled with the rest.
    """
    counted = select(func.count()).where(*_people(doubt.number, doubt.state))
    if connection.execute(counted).scalar_one() != doubt.people:
        raise Lost(doubt.number)
    why = f"{_WORD}: {word}{f', by {by}' if by else ''}"
    open_again = _assume_whole(connection, doubt, word, at, why)
    if not doubt.whole:
        open_again = _assume_part(connection, doubt, word, at, why)
    if open_again and _cancelled(connection, open_again.batch):
        ledger.move(connection, open_again, "pending", "cancelled", at, "its send was cancelled")


def _assume_whole(connection: Connection, doubt: Doubt, word: Word, at: dt.datetime, why: str) -> Held | None:
    """In doubt to accepted, or to pending with everything of the attempts cleared."""
    if not doubt.whole:
        return None
    fence = doubt.held.fence + 1
    _inherit(connection, doubt.number)
    if word == "sent":
        ledger.move(connection, doubt.held, "in_doubt", "accepted", at, why, fence=fence, error=None, **ledger.FREE)
        return None
    anew: dict[str, Any] = {"fence": fence, "doubt": False, "error": None, "not_before": None, "provider_ref": None}
    ledger.move(connection, doubt.held, "in_doubt", "pending", at, why, **anew, **ledger.FREE, **ledger.UNTRIED)
    return Held(doubt.number, fence, doubt=False)


def _assume_part(connection: Connection, doubt: Doubt, word: Word, at: dt.datetime, why: str) -> Held | None:
    """Some people of an accepted batch: accepted as the others are, or moved to a new batch of their own."""
    fence = doubt.held.fence + 1
    about = f"{why} ({doubt.people} of its people)"
    ledger.move(connection, doubt.held, doubt.state, doubt.state, at, about, fence=fence)
    if word == "sent":
        _inherit(connection, doubt.number)
        return None
    row = connection.execute(select(batch.c.send_id, batch.c.variant).where(batch.c.id == doubt.number)).one()
    last = connection.execute(select(func.max(batch.c.seq)).where(batch.c.send_id == row.send_id)).scalar_one()
    values = {"send_id": row.send_id, "seq": last + 1, "parent": doubt.number, "variant": row.variant}
    made = connection.execute(insert(batch).values(**values, n=doubt.people).returning(batch.c.id)).scalar_one()
    _inherit(connection, doubt.number, made)
    connection.execute(update(batch).where(batch.c.id == doubt.number).values(n=batch.c.n - doubt.people))
    return Held(made, 0, doubt=False)


def _inherit(connection: Connection, batch_id: int, to: int | None = None) -> None:
    """Let those with an outcome in doubt have their batch's state again, or that of the batch ``to``."""
    these = (delivery.c.batch_id == batch_id, delivery.c.outcome == "in_doubt")
    connection.execute(update(delivery).where(*these).values(batch_id=to or batch_id, outcome=None, error=None))


def _cancelled(connection: Connection, batch_id: int) -> bool:
    state = select(send.c.state).join(batch, batch.c.send_id == send.c.id).where(batch.c.id == batch_id)
    return bool(connection.execute(state).scalar_one() == "cancelled")


def close(connection: Connection, send_id: int, at: dt.datetime, by: str) -> None:
    """Mark the send done if the last doubt was all that kept it; one that is held for nothing any more too."""
    people = summary.status(connection, send_id).people
    if people["open"] or people["in_doubt"] or people["cancelled"]:
        return
    if ledger.get(connection, send_id).state == "paused":
        control.resume(connection, send_id, at, by=by)
    control.finish(connection, send_id, at)


# -- what comes after a word ----------------------------------------------------------

_TOO_LATE = "a late answer: an earlier call was accepted, so its people may have got it twice"
_IN_TIME = "a late answer: an earlier call was accepted after all"


def late(connection: Connection, held: Held, at: dt.datetime, answer: Answer) -> bool:
    """Write down an acceptance for somebody who lost the batch to the operator's word; whether it was that.

    What was to be sent again and is not yet under way is accepted instead. Otherwise only an event can tell.
    """
    after = (event.c.batch_id == held.batch, event.c.from_state == "in_doubt", event.c.fence > held.fence)
    words = select(event.c.to_state).where(*after, event.c.detail.startswith(_WORD, autoescape=True))
    word = connection.execute(words.order_by(event.c.id.desc()).limit(1)).scalar()
    if word is None:
        return False
    row = connection.execute(select(batch.c.state, batch.c.fence, batch.c.doubt).where(batch.c.id == held.batch)).one()
    now = Held(held.batch, row.fence, row.doubt)
    unsent = row.state in {"pending", "claimed", "cancelled"}
    if unsent or (row.state == "accepted" and word == "accepted"):
        ids = json.dumps(dict(answer.ids)) if answer.ids else None
        found = {"provider_ref": answer.ref or None, "provider_ids": ids, "error": None, **ledger.FREE}
        ledger.move(connection, now, row.state, "accepted", at, _IN_TIME, **found)
        for outcome, verdicts in (("refused", answer.refused), ("in_doubt", answer.held_back)):
            for each in verdicts:
                theirs = (delivery.c.batch_id == held.batch, delivery.c.person_id == each.person)
                values = {"outcome": outcome, "error": each.reason}
                connection.execute(update(delivery).where(*theirs, delivery.c.outcome.is_(None)).values(**values))
    else:
        ledger.move(connection, now, row.state, row.state, at, _TOO_LATE)
    return True
