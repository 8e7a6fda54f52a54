"""The list as a whole: who is on it, how many, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, or_, select, true

from newsletter.audience import erased
from newsletter.audience.people import COLUMNS, Person, of_row
from newsletter.audience.status import ACTIVE
from newsletter.store.tables import STATUSES, person

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Select

_AT_A_TIME = 1_000


THERE = person.c.address != ""
"""What an erased person's row fails: it is left only because the ledger counts by it."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which people: with one of these statuses (all of them when empty), and with a text in address or values.

    With ``reasons`` the text may also stand in the status's reason. Nobody who was erased is among them.
    """

    statuses: tuple[str, ...] = ()
    search: str = ""
    reasons: bool = False

    def narrow(self, statement: Select[Any]) -> Select[Any]:
        """The statement for these people only."""
        statement = statement.where(THERE)
        if self.statuses:
            statement = statement.where(person.c.status.in_(self.statuses))
        if self.search:
            value = func.json_each(person.c.fields).table_valued("value")
            in_a_value = select(value.c.value).where(value.c.value.icontains(self.search, autoescape=True)).exists()
            in_address = person.c.key.contains(self.search.casefold(), autoescape=True)
            found = or_(in_address, in_a_value)
            if self.reasons:
                found = or_(found, person.c.status_reason.icontains(self.search, autoescape=True))
            statement = statement.where(found)
        return statement


@dataclass(frozen=True, slots=True)
class Stats:
    """How many people by status, how many addresses were erased, and how many active people have each field."""

    people: int
    statuses: Mapping[str, int]
    erased: int
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
    member = func.json_each(person.c.fields).table_valued("key")
    having = select(member.c.key, func.count()).select_from(person.join(member, true()))
    rows = connection.execute(having.where(person.c.status == ACTIVE).group_by(member.c.key).order_by(member.c.key))
    statuses = by_status(connection)
    fields = {str(name): int(number) for name, number in rows}
    return Stats(sum(statuses.values()), statuses, erased.count(connection), fields)


def by_status(connection: Connection) -> dict[str, int]:
    """How many people have each status."""
    counted = select(person.c.status, func.count()).where(THERE).group_by(person.c.status)
    found = {str(status): int(number) for status, number in connection.execute(counted)}
    return {status: found.get(status, 0) for status in STATUSES}
