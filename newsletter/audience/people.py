"""People one at a time: looked up, added, taken off, and brought back with a reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update

from newsletter.audience import erased, names
from newsletter.audience.address import Address, BadAddress, parse
from newsletter.audience.erased import Secret, no_secret
from newsletter.audience.status import ACTIVE, COMPLAINED, CONSENT, EDITED, RANK, RESUBSCRIBED, UNSUBSCRIBED
from newsletter.errors import BadInput, Blocked, Problem
from newsletter.personal import unsafe_in_header
from newsletter.store import clock
from newsletter.store.tables import person, person_event

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from sqlalchemy import Row


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the list; times are UTC text, ``fields`` holds no blank value."""

    id: int
    address: str
    status: str
    status_at: str
    status_reason: str
    consent_source: str
    consent_at: str
    created_at: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one person; ``before`` is ``None`` for somebody new."""

    before: Person | None
    after: Person

    @property
    def changed(self) -> bool:
        """Whether anything did."""
        return self.before != self.after


COLUMNS = tuple(person.c[name] for name in Person.__dataclass_fields__)


def of_row(row: Row[Any]) -> Person:
    """A row of ``COLUMNS`` as a person."""
    return Person(**(row._asdict() | {"fields": json.loads(row.fields)}))


def address_of(text: str) -> Address:
    """An address given on the command line; ``BadInput`` says what is wrong with it."""
    try:
        return parse(text.strip())
    except BadAddress as error:
        raise BadInput(str(error), hint="Write it as name@example.org.") from None


def find(connection: Connection, text: str) -> Person:
    """The person with this address; ``BadInput`` when nobody has it."""
    address, key = address_of(text)
    found = _by_key(connection, key)
    if found is None:
        hint = "Look with: newsletter subscribers list --search TEXT"
        raise BadInput(f"nobody on the list has the address {address}", hint=hint)
    return found


def values_of(connection: Connection, text: str) -> tuple[int, dict[str, str]]:
    """The id and the merge-field values of the person with this address, ``email`` among them."""
    found = find(connection, text)
    return found.id, {**found.fields, "email": found.address}


def add(
    connection: Connection,
    text: str,
    fields: Mapping[str, str],
    *,
    source: str,
    now: dt.datetime,
    secret: Secret = no_secret,
) -> Change:
    """Add a person with consent, or update the fields of one who is there.

    A blank value takes the field away. Raises ``Blocked`` for a person who must not be mailed or was
    erased, and ``BadConfig`` when somebody was erased and there is no secret.
    """
    address, key = address_of(text)
    given = check_fields(fields)
    before = _by_key(connection, key)
    stamp = clock.stamp(now)
    if before is None:
        if at := erased.since(connection, key, secret):
            hint = 'Only their own wish brings them back: newsletter subscribers resubscribe ADDRESS --reason "…"'
            raise Blocked(f"this address was erased on {at[:10]}; nothing was changed", hint=hint)
        return _insert(connection, (address, key), _json(given), source, event=CONSENT, at=stamp)
    if before.status != ACTIVE:
        hint = f'Only their own wish brings them back: newsletter subscribers resubscribe {before.address} --reason "…"'
        raise Blocked(
            f"{before.address} is {before.status} since {before.status_at[:10]}; nothing was changed", hint=hint
        )
    merged = _json({**before.fields, **given})
    if merged != _json(before.fields):
        connection.execute(update(person).where(person.c.id == before.id).values(fields=merged))
        _event(connection, before.id, stamp, EDITED, source)
    return Change(before, find(connection, address))


def unsubscribe(connection: Connection, text: str, *, reason: str, now: dt.datetime) -> Change:
    """Take a person off; a graver status stays as it is."""
    before = find(connection, text)
    if RANK[before.status] >= RANK[UNSUBSCRIBED]:
        return Change(before, before)
    return _set_status(connection, before, UNSUBSCRIBED, reason=reason, event=UNSUBSCRIBED, now=now)


def by_id(connection: Connection, person_id: int) -> Person | None:
    """The person of this number, whatever their status; ``None`` for nobody and for one who was erased."""
    row = connection.execute(select(*COLUMNS).where(person.c.id == person_id)).first()
    return of_row(row) if row and row.address else None


def unsubscribe_by_id(connection: Connection, person_id: int, *, reason: str, now: dt.datetime) -> bool:
    """Take the person of this number off; a graver status stays as it is, and twice is as once.

    Returns whether such a person is there: not for an unknown number, nor for one who was erased.
    """
    before = by_id(connection, person_id)
    if before is None:
        return False
    if RANK[before.status] < RANK[UNSUBSCRIBED]:
        _record(connection, before.id, UNSUBSCRIBED, reason=reason, event=UNSUBSCRIBED, now=now)
    return True


def resubscribe(
    connection: Connection, text: str, *, reason: str, now: dt.datetime, secret: Secret = no_secret
) -> Change:
    """Bring a person back who unsubscribed, bounced or was erased; of the erased nothing but the address is known.

    Raises ``Blocked`` for one who complained: mail to them again harms every other reader's.
    """
    address, key = address_of(text)
    before = _by_key(connection, key)
    if before is None and erased.since(connection, key, secret):
        erased.forget(connection, key, secret)
        return _insert(connection, (address, key), "{}", reason, event=RESUBSCRIBED, at=clock.stamp(now))
    before = before or find(connection, text)
    if before.status == ACTIVE:
        return Change(before, before)
    if before.status == COMPLAINED:
        hint = "Who marked mail as spam stays off the list; ask them to sign up with another address."
        raise Blocked(f"{before.address} complained on {before.status_at[:10]} and cannot be brought back", hint=hint)
    return _set_status(connection, before, ACTIVE, reason=reason, event=RESUBSCRIBED, now=now)


def check_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Fields given by hand, without the space around their values; ``BadInput`` lists what is wrong."""
    problems = []
    for name, value in fields.items():
        if reason := names.unusable(name):
            problems.append(Problem(None, f"“{name}” cannot be a field: {reason}"))
        elif bad := unsafe_in_header(value.replace("\n", " ").replace("\t", " ")):
            problems.append(Problem(None, f"the value of “{name}” holds a control character ({bad})"))
    if problems:
        raise BadInput(problems)
    return {name: value.strip() for name, value in fields.items()}


def _insert(connection: Connection, who: Address, fields: str, source: str, *, event: str, at: str) -> Change:
    row = {"address": who[0], "key": who[1], "fields": fields, "status_at": at, "created_at": at}
    connection.execute(insert(person).values(**row, consent_source=source, consent_at=at))
    after = find(connection, who[0])
    _event(connection, after.id, at, event, source)
    return Change(None, after)


def _by_key(connection: Connection, key: str) -> Person | None:
    row = connection.execute(select(*COLUMNS).where(person.c.key == key)).first()
    return of_row(row) if row else None


def _json(fields: Mapping[str, str]) -> str:
    kept = {name: value for name, value in fields.items() if value}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _set_status(
    connection: Connection, before: Person, status: str, *, reason: str, event: str, now: dt.datetime
) -> Change:
    _record(connection, before.id, status, reason=reason, event=event, now=now)
    return Change(before, find(connection, before.address))


def _record(connection: Connection, who: int, status: str, *, reason: str, event: str, now: dt.datetime) -> None:
    stamp = clock.stamp(now)
    changed = update(person).where(person.c.id == who)
    connection.execute(changed.values(status=status, status_at=stamp, status_reason=reason))
    _event(connection, who, stamp, event, reason)


def _event(connection: Connection, who: int, at: str, what: str, detail: str) -> None:
    connection.execute(insert(person_event).values(person_id=who, at=at, what=what, detail=detail))
