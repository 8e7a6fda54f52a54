"""Erasing a person: who they were goes, that they must not be mailed stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, String, case, cast, insert, literal, select, update

from newsletter.audience import erased
from newsletter.audience.address import spellings
from newsletter.audience.people import address_of
from newsletter.audience.status import ACTIVE, UNSUBSCRIBED
from newsletter.store import clock
from newsletter.store.mentions import Mentions, mentions
from newsletter.store.tables import person, person_event

if TYPE_CHECKING:
    import datetime as dt

    from newsletter.audience.erased import Secret

REASON = "erased"
"""The status's reason and the last event of a person who was erased."""


@dataclass(frozen=True, slots=True)
class Leaver:
    """An address to erase: its key, every way it may be written, and the hash that stays of it."""

    key: str = field(repr=False)
    mentions: Mentions = field(repr=False)
    hash: str


def leaver(text: str, secret: Secret) -> Leaver:
    """The address in ``text``; raises ``BadInput`` for none, and ``BadConfig`` without a secret."""
    _, key = address_of(text)
    return Leaver(key, mentions(spellings(text.strip())), erased.hasher(secret)(key))


def person_of(connection: Connection, leaver: Leaver) -> int | None:
    """The number of the person who has the address; ``None`` for nobody."""
    return connection.execute(select(person.c.id).where(person.c.key == leaver.key)).scalar()


def _key_of_nobody() -> ColumnElement[str]:
    return literal("erased:") + cast(person.c.id, String)


def gone(connection: Connection) -> frozenset[int]:
    """The numbers of all who were erased; who comes back gets a new one."""
    return frozenset(connection.execute(select(person.c.id).where(person.c.key == _key_of_nobody())).scalars())


def blank(connection: Connection, person_id: int, now: dt.datetime) -> None:
    """Blank a person and their history.

    The number stays, for the ledger counts by it; a graver status stays with its time. What happened
    when stays too, without a word of why.
    """
    at = clock.stamp(now)
    active = person.c.status == ACTIVE
    values = {
        "address": "",
        "key": _key_of_nobody(),
        "fields": "{}",
        "status": case((active, UNSUBSCRIBED), else_=person.c.status),
        "status_at": case((active, at), else_=person.c.status_at),
        "status_reason": REASON,
        "consent_source": "",
    }
    connection.execute(update(person).where(person.c.id == person_id).values(values))
    connection.execute(update(person_event).where(person_event.c.person_id == person_id).values(detail=""))
    connection.execute(insert(person_event).values(person_id=person_id, at=at, what=REASON, detail=""))
