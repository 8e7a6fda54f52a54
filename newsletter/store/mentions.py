"""Free text of the database that mentions an address, and taking the mention out."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, inspect, or_, select, update

from newsletter.store.tables import batch, delivery, event, meta, person, person_event, send

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement

ERASED = "(erased)"
"""What is shown, and stands in texts, where an address was."""

TEXTS: tuple[Column[Any], ...] = (
    person.c.fields,
    person.c.status_reason,
    person.c.consent_source,
    person_event.c.detail,
    meta.c.value,
    send.c.pause_reason,
    batch.c.provider_ref,
    batch.c.provider_ids,
    batch.c.error,
    event.c.detail,
    delivery.c.fields,
    delivery.c.error,
)
"""Every column that people, files and providers fill with words of their own."""

_PAST = MetaData()
_PAST_TEXTS: tuple[Column[Any], ...] = (
    Table(
        "delivery",
        _PAST,
        Column("send_id", Integer, primary_key=True),
        Column("person_id", Integer, primary_key=True),
        Column("provider_msg_id", String),
    ).c.provider_msg_id,
)
"""Those that only older schemas have, whose backups are cleaned too."""


class Mentions(NamedTuple):
    """How one address may be written: ``pattern`` finds it whole, ``tails`` end all that it can find."""

    pattern: re.Pattern[str]
    tails: tuple[str, ...]

    def within(self, text: str) -> bool:
        """Whether ``text`` mentions the address, and not just a longer one."""
        return self.pattern.search(text) is not None

    def without(self, text: str) -> str:
        """``text`` with ``(erased)`` in place of the address."""
        return self.pattern.sub(ERASED, text)

    def perhaps(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """A quick test for SQL; it holds for every text that ``within`` finds, and for some others."""
        return or_(*(column.icontains(tail, autoescape=True) for tail in self.tails))


def mentions(spellings: Iterable[str]) -> Mentions:
    """Mentions of an address in any of these spellings, in any case, in a text, in a URL or in JSON of plain ASCII."""
    plain = sorted(set(spellings))
    escaped = [json.dumps(each)[1:-1] for each in plain]
    every = sorted({*plain, *escaped, *(quote(each, safe="") for each in plain)})
    words = "|".join(map(re.escape, every))
    # Not where it ends a longer local part or begins a longer domain: that is somebody else's address.
    before = r"(?:(?<![\w.+-])|(?<=%[0-9A-Fa-f]{2}))"
    pattern = re.compile(rf"{before}(?:{words})(?![\w-]|\.\w)", re.IGNORECASE)
    tails = {each[max(each.rfind("@"), each.rfind("%40")) :] for each in every}
    return Mentions(pattern, tuple(sorted(tails)))


def blank(connection: Connection, found: Mentions) -> int:
    """Take every mention out of all texts that this schema has; how many were changed."""
    there = {
        name: {each["name"] for each in columns}
        for (_, name), columns in inspect(connection).get_multi_columns().items()
    }
    return sum(
        _blank(connection, column, found)
        for column in (*TEXTS, *_PAST_TEXTS)
        if column.name in there[column.table.name]
    )


def _blank(connection: Connection, column: Column[Any], found: Mentions) -> int:
    keys = tuple(column.table.primary_key)
    rows = connection.execute(select(*keys, column).where(found.perhaps(column)), execution_options={"yield_per": 500})
    changed = [(row[:-1], found.without(row[-1])) for row in rows if found.within(row[-1])]
    for key, text in changed:
        this = (each == value for each, value in zip(keys, key, strict=True))
        connection.execute(update(column.table).where(*this).values({column: text}))
    return len(changed)
