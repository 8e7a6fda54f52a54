"""Importing a CSV file: staged row by row, planned, and applied in one transaction or not at all."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, select

from newsletter.audience import csvfile, recognising, staging
from newsletter.audience.cells import Refused, entry_reader
from newsletter.audience.columns import NO_WISHES, Wishes, read_columns
from newsletter.audience.erased import Secret, no_secret
from newsletter.audience.plan import Plan, read_plan
from newsletter.audience.refusedfile import check_free, refused_file
from newsletter.errors import BadInput
from newsletter.model import Place
from newsletter.store import clock
from newsletter.store.tables import meta

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from newsletter.audience.cells import Entry, EntryReader
    from newsletter.store.database import Database, Session

_BLOCK = 10_000
_ROOM = 1 << 20
RECORD = "import:"
"""How the keys of ``meta`` begin that say where people came from; events name one in their detail."""


@dataclass(frozen=True, slots=True)
class Order:
    """One import: the file, how to read its columns, and what to do with it.

    ``consent`` says where the people agreed; without it nothing is applied. ``skip`` is the file
    that takes refused rows; without it one of them refuses the whole file.
    """

    path: Path
    wishes: Wishes = NO_WISHES
    consent: str | None = None
    skip: Path | None = None
    secret: Secret = field(default=no_secret, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The plan, and whether it was applied."""

    plan: Plan
    applied: bool


def run(
    database: Database,
    order: Order,
    *,
    now: Callable[[], dt.datetime] = clock.utcnow,
    advance: Callable[[int], None] = lambda _bytes: None,
) -> Outcome:
    """Read the file and plan the import; with consent and without refused rows, apply it.

    ``advance`` is told of bytes read. Raises ``BadInput`` when the file cannot be read as a list.
    """
    if order.skip is not None:
        check_free(order.skip)
    with csvfile.opened(order.path, advance) as file, database.session() as session:
        columns = read_columns(file.header, order.wishes, Place(file.shown))
        stage(session, file, entry_reader(columns))
        with session.read() as connection:
            staging.gather(connection, ranked=any(column.role in {"status", "flag"} for column in columns))
            recognising.recognise(connection, order.secret)

        def plan(connection: Connection) -> Plan:
            staging.judge(connection)
            recognising.leave_out(connection, order.secret)
            return read_plan(connection, file=file.shown, sha256=file.sha256, columns=columns)

        if order.consent is None or (order.skip is None and any_refused(session)):
            with session.read() as connection:
                return Outcome(plan(connection), applied=False)
        with refused_file(order.skip, file, session) as publish, session.write() as connection:
            made = plan(connection)
            if made.new or made.changed:
                _apply(connection, made, order, clock.stamp(now()))
            publish()
        return Outcome(made, applied=True)


def stage(session: Session, file: csvfile.CsvFile, read: EntryReader) -> None:
    """Read every row into temporary tables of the session, a block at a time."""
    rows = file.rows()
    total = 0
    with session.read() as connection:
        staging.create(connection)
    while True:
        bad: list[staging.Refusal] = []
        with session.read() as connection:
            count = staging.add(connection, itertools.islice(_sound(rows, read, bad, file.raw), _BLOCK))
            staging.refuse(connection, bad)
        total += count + len(bad)
        if not bad and count < _BLOCK:
            break
    if not total:
        raise BadInput(f"{file.shown}: there are no rows below the heading line", hint="Is this the right file?")


def _sound(
    rows: Iterator[csvfile.Row], read: EntryReader, bad: list[staging.Refusal], raw: Sequence[bytes]
) -> Iterator[Entry]:
    """The sound rows; the others go to ``bad``, and when that holds enough of them it ends."""
    held = 0
    for line, cells, fault in rows:
        try:
            yield read(line, cells, fault)
        except Refused as error:
            bad.append((line, str(error), b"".join(raw)))
            held += len(bad[-1][2])
            if held > _ROOM:
                return


def any_refused(session: Session) -> bool:
    """Whether a staged row cannot be taken."""
    with session.read() as connection:
        return connection.execute(select(staging.refused.c.line).limit(1)).first() is not None


def _apply(connection: Connection, plan: Plan, order: Order, now: str) -> None:
    """Write the plan, and a record of the file that the events of its people refer to."""
    consent = order.consent or ""
    what = {"at": now, "file": order.path.name, "sha256": plan.sha256, "consent_source": consent, "rows": plan.rows}
    named = record(connection, what)
    staging.apply(connection, now=now, consent=consent, reason=f"imported from {order.path.name}", detail=named)


def record(connection: Connection, what: Mapping[str, Any]) -> str:
    """Keep what is known of a file that was applied; the name under which events refer to it."""
    earlier = select(func.count()).select_from(meta).where(meta.c.key.startswith(RECORD))
    name = f"{RECORD}{connection.execute(earlier).scalar_one() + 1}"
    connection.execute(insert(meta).values(key=name, value=json.dumps(what, ensure_ascii=False)))
    return name
