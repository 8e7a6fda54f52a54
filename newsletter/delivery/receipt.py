"""What one person got: each of their copies, how it went, and the very bytes, made again from the ledger.

The content and the person's values were frozen with the send, so their bytes can be made at any time. Personal
links depend on ``public_url`` and the secret as well, which nothing freezes: when one of the two has changed since,
the hashes are those of the same mail with today's links.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from newsletter.delivery import ledger, start
from newsletter.delivery.personalise import Writer
from newsletter.links import fingerprint
from newsletter.mime import frame, message_bytes
from newsletter.personal import CannotRender, join
from newsletter.store import clock, epochs
from newsletter.store.tables import batch, delivery, event

if TYPE_CHECKING:
    import datetime as dt

    from newsletter.delivery.freeze import Frozen
    from newsletter.delivery.ledger import Send
    from newsletter.links import Links

_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")
_OF_BATCH = {"pending": "open", "claimed": "open", "sending": "open", "split": "open"}
_SETTLED = ("accepted", "refused", "cancelled", "skipped")
_UNTRIED = ("skipped", "failed")
"""Outcomes of people who were taken out of their batch before its call."""


@dataclass(frozen=True, slots=True)
class Made:
    """One copy as bytes: the complete message, and the two parts that a reader sees, decoded."""

    subject: str
    message: bytes = field(repr=False)
    html: str = field(repr=False)
    text: str = field(repr=False)

    def hashes(self) -> dict[str, str]:
        """SHA-256 of the message, the HTML and the text."""
        parts = {"message": self.message, "html": self.html.encode(), "text": self.text.encode()}
        return {name: fingerprint(data) for name, data in parts.items()}


@dataclass(frozen=True, slots=True)
class Receipt:
    """One person's part in one send; ``outcome`` is one of ``delivery.summary.OUTCOMES``."""

    send: Send
    to: str
    outcome: str
    reason: str
    tried_at: dt.datetime | None
    """The first attempt of the batch that holds them."""
    settled_at: dt.datetime | None
    attempts: int
    provider_id: str
    """The provider's id of the message, or else of the call."""
    payload_sha: str
    """Of the whole call, as it was recorded before it was made."""
    made: Made | None = field(repr=False)
    """``None`` when it cannot be made, as for those who ``failed``."""


class Book:
    """Reads receipts from one ledger, ``instance``; ``links`` are made as a send makes them."""

    def __init__(self, connection: Connection, links: Links, instance: str) -> None:
        self._connection = connection
        self._links = links
        self._instance = instance
        self._contents: dict[str, Frozen] = {}
        self._names = epochs.names(connection)

    def of(self, person_id: int) -> list[Receipt]:
        """Everything this person was to get, the newest send first."""
        columns = (
            delivery.c.send_id,
            delivery.c.person_id,
            delivery.c.batch_id,
            delivery.c.address,
            delivery.c.fields,
            batch.c.variant,
            batch.c.attempts,
            batch.c.payload_sha,
            batch.c.provider_ids,
            batch.c.provider_ref,
            func.coalesce(delivery.c.outcome, batch.c.state).label("outcome"),
            func.coalesce(delivery.c.error, batch.c.error, "").label("error"),
        )
        joined = select(*columns).join(batch, batch.c.id == delivery.c.batch_id)
        rows = joined.where(delivery.c.person_id == person_id).order_by(delivery.c.send_id.desc())
        return [self._receipt(row) for row in self._connection.execute(rows).all()]

    def _receipt(self, row: Any) -> Receipt:
        made = ledger.get(self._connection, row.send_id)
        untried = row.outcome in _UNTRIED
        return Receipt(
            send=made,
            to=row.address,
            outcome=_OF_BATCH.get(row.outcome, row.outcome),
            reason=row.error,
            tried_at=None if untried else self._time(func.min, row.batch_id, "sending"),
            settled_at=self._time(func.max, row.batch_id, *_SETTLED) if row.outcome in _SETTLED else None,
            attempts=0 if untried else row.attempts,
            provider_id=_provider_id(row) if row.outcome == "accepted" else "",
            payload_sha="" if untried else row.payload_sha or "",
            made=self._made(row, made),
        )

    def _time(self, which: Any, batch_id: int, *states: str) -> dt.datetime | None:
        """When the batch first, or last, came to one of these states."""
        events = select(which(event.c.at)).where(event.c.batch_id == batch_id, event.c.to_state.in_(states))
        at = self._connection.execute(events).scalar()
        return clock.parse(at) if at else None

    def _made(self, row: Any, made: Send) -> Made | None:
        """The copy's bytes, as a provider that writes whole messages is given them.

        One that sets its own ``Message-ID`` and tells it gets that one; of another's, ours stands in for it.
        """
        frozen = self._content(made.content_sha)
        variant = frozen.variant(row.variant)
        letter = frozen.letter(row.variant, start.tag(self._connection, made), made.created_at)
        writer = Writer(frozen, self._links, made.id, f"{self._instance}:{made.id}{self._names.of_send(made.id)}")
        try:
            message = writer.message(variant, row.person_id, row.address, row.fields)
            known = _provider_id(row)
            given = known if _MESSAGE_ID.fullmatch(known) else message.message_id
            values = message.values
            data = message_bytes(
                frame(letter), values, to=row.address, message_id=given, unsubscribe=message.unsubscribe
            )
            return Made(join(letter.subject, values), data, join(letter.html, values), join(letter.text, values))
        except CannotRender:
            return None

    def _content(self, sha: str) -> Frozen:
        if sha not in self._contents:
            self._contents[sha] = replace(start.content_of(self._connection, sha), pictures=())
        return self._contents[sha]


def _provider_id(row: Any) -> str:
    """The provider's id of this message; that of the whole call where it gives no other."""
    ids: dict[str, str] = json.loads(row.provider_ids or "{}")
    return ids.get(str(row.person_id), row.provider_ref or "")
