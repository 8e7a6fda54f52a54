"""What became of a person, in order, and the files that their consent and their changes came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from newsletter.audience.importing import RECORD
from newsletter.store.tables import meta, person_event

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Happened:
    """One event; ``record`` is what is known of the imported file that it came from, ``detail`` any other reason."""

    at: str
    what: str
    detail: str
    record: Mapping[str, Any] | None


def history(connection: Connection, person_id: int) -> tuple[Happened, ...]:
    """Everything that happened to the person of this number, the oldest first."""
    columns = (person_event.c.at, person_event.c.what, person_event.c.detail, meta.c.value)
    imported = (meta.c.key == person_event.c.detail) & meta.c.key.startswith(RECORD)
    rows = connection.execute(
        select(*columns)
        .outerjoin(meta, imported)
        .where(person_event.c.person_id == person_id)
        .order_by(person_event.c.id)
    )
    return tuple(Happened(row.at, row.what, "" if row.value else row.detail, _record(row.value)) for row in rows)


def _record(value: str | None) -> Mapping[str, Any] | None:
    read = json.loads(value) if value else None
    return read if isinstance(read, dict) else None
