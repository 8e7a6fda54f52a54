"""Lists to import, and what the database then holds."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from newsletter.audience import erased, erasing
from newsletter.audience.columns import Wishes
from newsletter.audience.importing import Order, Outcome, run
from newsletter.store.tables import meta, person, person_event

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.audience.erased import Secret
    from newsletter.store.database import Database

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)


def write_list(folder: Path, data: str | bytes, name: str = "people.csv") -> Path:
    """A file to import."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def secret() -> str:
    """The secret of all tests here."""
    return "a-secret-made-for-tests-only"


def erase(database: Database, address: str) -> None:
    """Erase somebody from the list, and keep their hash."""
    leaver = erasing.leaver(address, secret)
    with database.write() as connection:
        who = erasing.person_of(connection, leaver)
        assert who is not None
        erasing.blank(connection, who, NOW)
        erased.keep(connection, leaver.hash, NOW)


def imported(
    database: Database,
    path: Path,
    *,
    consent: str | None = "sign-up form",
    skip: Path | None = None,
    ignored: tuple[str, ...] = (),
    targets: dict[str, str] | None = None,
    now: dt.datetime = NOW,
    secret: Secret = secret,
) -> Outcome:
    """Import a file with a fixed clock."""
    order = Order(path, Wishes(targets or {}, frozenset(ignored)), consent, skip, secret)
    return run(database, order, now=lambda: now)


def everyone(database: Database) -> dict[str, dict[str, Any]]:
    """All people by address, their fields read."""
    with database.read() as connection:
        rows = connection.execute(select(person).order_by(person.c.id)).mappings().all()
    return {row["address"]: {**row, "fields": json.loads(row["fields"])} for row in rows}


def statuses(database: Database) -> dict[str, str]:
    """Each address with its status."""
    return {address: row["status"] for address, row in everyone(database).items()}


def history(database: Database, address: str) -> list[tuple[str, str]]:
    """What became of a person, in order."""
    events = select(person_event.c.what, person_event.c.detail).join(person, person.c.id == person_event.c.person_id)
    with database.read() as connection:
        found = connection.execute(events.where(person.c.address == address).order_by(person_event.c.id))
        return [(what, detail) for what, detail in found]


def records(database: Database) -> dict[str, Any]:
    """What is kept of each import."""
    with database.read() as connection:
        found = connection.execute(select(meta).where(meta.c.key.startswith("import:")).order_by(meta.c.key))
        return {key: json.loads(value) for key, value in found}


def dump(database: Database) -> list[Any]:
    """Every row of every table that people are in."""
    with database.read() as connection:
        return [connection.execute(select(table)).all() for table in (person, person_event, meta)]
