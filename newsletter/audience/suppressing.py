"""People who must never be mailed, from a file or as a provider tells them: planned, and applied in one transaction.

A status is only ever raised: complaint goes over bounce, bounce over unsubscribed. Who is not on the
list yet comes onto it with that status, so that no later import can make them active. Who was
erased stays erased.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import Connection, case, func, insert, literal, null, select, update

from newsletter.audience import csvfile, recognising, staging
from newsletter.audience.address import BadAddress, parse
from newsletter.audience.cells import address_reader
from newsletter.audience.columns import NO_WISHES, Column, Wishes, read_address_column
from newsletter.audience.erased import Secret, no_secret
from newsletter.audience.importing import Outcome, any_refused, record, stage
from newsletter.audience.plan import Plan, read_plan
from newsletter.audience.refusedfile import check_free, refused_file
from newsletter.audience.staging import CHANGED, incoming, known
from newsletter.audience.status import COMPLAINED, RANK
from newsletter.errors import BadInput, Problem
from newsletter.model import Place
from newsletter.store import clock
from newsletter.store.tables import person, person_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import ColumnElement

    from newsletter.audience.cells import Entry
    from newsletter.store.database import Database

_BLOCK = 1_000
_NAMED = 20
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Order:
    """One list from a file: what everybody on it is, and whether to write it.

    ``wishes`` can only say which column holds the addresses. ``skip`` takes refused rows; without it
    one of them refuses the whole file.
    """

    path: Path
    status: str
    wishes: Wishes = NO_WISHES
    apply: bool = False
    skip: Path | None = None
    secret: Secret = field(default=no_secret, repr=False)


def run(
    database: Database,
    order: Order,
    *,
    now: Callable[[], dt.datetime] = clock.utcnow,
    advance: Callable[[int], None] = lambda _bytes: None,
) -> Outcome:
    """Read the file and plan it; when told to, and without refused rows, apply it.

    ``advance`` is told of bytes read. Raises ``BadInput`` when the file cannot be read as a list.
    """
    if order.skip is not None:
        check_free(order.skip)
    with csvfile.opened(order.path, advance) as file, database.session() as session:
        columns = _columns(file, order.wishes)
        stage(session, file, address_reader(columns, order.status))
        with session.read() as connection:
            _gather(connection, order.secret)

        def plan(connection: Connection) -> Plan:
            _judge(connection, order.secret)
            return read_plan(connection, file=file.shown, sha256=file.sha256, columns=columns)

        if not order.apply or (order.skip is None and any_refused(session)):
            with session.read() as connection:
                return Outcome(plan(connection), applied=False)
        with refused_file(order.skip, file, session) as publish, session.write() as connection:
            made = plan(connection)
            if made.new or made.changed:
                at = clock.stamp(now())
                what = {"at": at, "file": order.path.name, "sha256": made.sha256, "consent_source": ""}
                named = record(connection, what | {"suppress": order.status, "rows": made.rows})
                _apply(connection, now=at, reason=f"imported from {order.path.name}", detail=named)
            publish()
        return Outcome(made, applied=True)


def _columns(file: csvfile.CsvFile, wishes: Wishes) -> tuple[Column, ...]:
    """The columns by the heading line, or by the first row where there is no such line: no heading has an @."""
    found = [index for index, cell in enumerate(file.header) if "@" in cell]
    if not found:
        return read_address_column(file.header, wishes, Place(file.shown))
    place = Place(file.shown, 1, 1)
    hint = "Put a line with “email” over the addresses at the top of the file."
    if len(found) > 1:
        raise BadInput([Problem(place, "there is no heading line, and more than one value may be the address", hint)])
    if named := (*wishes.targets, *wishes.ignored):
        message = f"there is no heading line, so there is no column “{named[0]}”"
        raise BadInput([Problem(place, message, hint)])
    heading = ["email" if index == found[0] else "" for index in range(len(file.header))]
    file.without_heading(heading)
    return tuple(Column(i, each, "email" if each else "ignored") for i, each in enumerate(heading))


# -- from a provider ------------------------------------------------------------------

Told = tuple[str, str, dt.datetime | None, str]
"""What a provider says of somebody: address, status, since when, why."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a provider's list means for ours; of the addresses that cannot be read, the first few with the reason."""

    plan: Plan
    told: int
    unreadable: int
    examples: tuple[str, ...]
    applied: bool


def pull(
    database: Database,
    told: Iterable[Told],
    provider: str,
    *,
    apply: bool,
    secret: Secret,
    now: Callable[[], dt.datetime] = clock.utcnow,
) -> Pulled:
    """Stage what the provider tells, whole, before anything is judged; then plan it, and ``apply`` it when told to."""
    bad: list[str] = []
    entries = _entries(told, provider, bad)
    count = 0
    with database.session() as session:
        with session.read() as connection:
            staging.create(connection)
        # A block is complete before the database is touched: the provider may take its time.
        while block := list(itertools.islice(entries, _BLOCK)):
            with session.read() as connection:
                count += staging.add(connection, block)
        with session.read() as connection:
            _gather(connection, secret)
        with session.write() if apply else session.read() as connection:
            _judge(connection, secret)
            made = read_plan(connection, file=provider, sha256="", columns=())
            if apply and (made.new or made.changed):
                _apply(connection, now=clock.stamp(now()), reason=provider)
    return Pulled(made, count + len(bad), len(bad), tuple(filter(None, bad)), apply)


def _entries(told: Iterable[Told], provider: str, bad: list[str]) -> Iterator[Entry]:
    """Rows to stage, numbered so that of several for one address the gravest comes first."""
    for number, (text, status, at, reason) in enumerate(told, 1):
        try:
            address, key = parse(text.strip())
        except BadAddress as error:
            bad.append(str(error) if len(bad) < _NAMED else "")
            continue
        said = json.dumps({"at": clock.stamp(at) if at else None, "reason": f"{provider}: {_one_line(reason)}"})
        rank = RANK[status]
        yield (RANK[COMPLAINED] - rank) << 40 | number, key, None if address == key else address, said, rank


def _one_line(text: str) -> str:
    """A foreign text that may stand in a terminal: no control characters, and not too long."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(shown.split())[:_LONGEST] or "no reason given"


# -- judged and applied ---------------------------------------------------------------


def _gather(connection: Connection, secret: Secret) -> None:
    staging.gather(connection, ranked=True)
    recognising.recognise(connection, secret)


def _judge(connection: Connection, secret: Secret) -> None:
    """Compare with those who are there: who is raised is changed, the others are left as they are."""
    graver = staging.is_graver()
    verdict = case((graver, CHANGED), else_=person.c.status)
    status = case((graver, staging.status_of(incoming.c.rank)), else_=null())
    found = select(incoming.c.id, person.c.id, verdict, status, null()).join(person, person.c.key == incoming.c.key)
    names = ["incoming", "person", "verdict", "status", "fields"]
    connection.execute(insert(known).from_select(names, found.order_by(incoming.c.id)))
    recognising.leave_out(connection, secret)


def _apply(connection: Connection, *, now: str, reason: str, detail: str = "") -> None:
    """Write what ``_judge`` found; a row's own time and reason go before ``now`` and ``reason``.

    Events name ``detail``, or else the reason.
    """

    def said(name: str, otherwise: str) -> ColumnElement[str]:
        return func.coalesce(func.json_extract(incoming.c.patch, f"$.{name}"), otherwise)

    last = connection.execute(select(func.coalesce(func.max(person.c.id), 0))).scalar_one()
    values = {
        "address": func.coalesce(incoming.c.address, incoming.c.key),
        "key": incoming.c.key,
        "status": staging.status_of(incoming.c.rank),
        "status_at": said("at", now),
        "status_reason": said("reason", reason),
        "consent_at": literal(""),
        "created_at": literal(now),
    }
    new = select(*values.values()).where(staging.is_new()).order_by(incoming.c.id)
    connection.execute(insert(person).from_select(list(values), new))
    raised = (person.c.id == known.c.person, known.c.incoming == incoming.c.id, known.c.status.is_not(None))
    changed = update(person).values(
        status=known.c.status, status_at=said("at", now), status_reason=said("reason", reason)
    )
    connection.execute(changed.where(*raised))
    events = ["person_id", "at", "what", "detail"]
    happened = select(person.c.id, literal(now), person.c.status, literal(detail) if detail else person.c.status_reason)
    old = happened.join(known, known.c.person == person.c.id).where(known.c.status.is_not(None))
    for rows in (happened.where(person.c.id > last), old):
        connection.execute(insert(person_event).from_select(events, rows))
