"""The list as a whole: who is on it, how many, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, or_, select, true

from newsletter.audience.people import COLUMNS, Person, of_row
from newsletter.audience.status import ACTIVE
from newsletter.store.tables import STATUSES, person

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Select

_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Query:
    """Which people: with one of these statuses (all of them when empty), and with a text in address or values."""

    statuses: tuple[str, ...] = ()
    search: str = ""

    def narrow(self, statement: Select[Any]) -> Select[Any]:
        """The statement for these people only."""
        if self.statuses:
            statement = statement.where(person.c.status.in_(self.statuses))
        if self.search:
            value = func.json_each(person.c.fields).table_valued("value")
            in_a_value = select(value.c.value).where(value.c.value.icontains(self.search, autoescape=True)).exists()
            in_address = person.c.key.contains(self.search.casefold(), autoescape=True)
            statement = statement.where(or_(in_address, in_a_value))
        return statement


@dataclass(frozen=True, slots=True)
class Stats:
    """How many people by status, and how many active ones have each field."""

    people: int
    statuses: Mapping[str, int]
    fields: Mapping[str, int]


def people(connection: Connection, query: Query, *, limit: int | None = None) -> Iterator[Person]:
    """The people, in the order they were added; never more than a block of them in memory."""
    statement = query.narrow(select(*COLUMNS)).order_by(person.c.id).limit(limit)
    for row in connection.execute(statement, execution_options={"yield_per": _AT_A_TIME}):
        yield of_row(row)


def count(connection: Connection, query: Query) -> int:
    """How many people there are."""
    return int(connection.execute(query.narrow(select(func.count()).select_from(person))).scalar_one())


def field_names(connection: Connection, query: Query | None = None) -> tuple[str, ...]:
    """Every field that anybody has, by name."""
    member = func.json_each(person.c.fields).table_valued("key")
    statement = (query or Query()).narrow(select(member.c.key).select_from(person.join(member, true())))
    return tuple(sorted(str(name) for (name,) in connection.execute(statement.distinct())))


def stats(connection: Connection) -> Stats:
    """The counts, in one consistent view."""
    by_status = connection.execute(select(person.c.status, func.count()).group_by(person.c.status))
    found = {str(status): int(number) for status, number in by_status}
    member = func.json_each(person.c.fields).table_valued("key")
    having = select(member.c.key, func.count()).select_from(person.join(member, true()))
    rows = connection.execute(having.where(person.c.status == ACTIVE).group_by(member.c.key).order_by(member.c.key))
    statuses = {status: found.get(status, 0) for status in STATUSES}
    return Stats(sum(statuses.values()), statuses, {str(name): int(number) for name, number in rows})
