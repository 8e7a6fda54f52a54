"""Who gets which variant of a mail, worked out in the database: a million people take no memory.

Only what the conditions ask for is looked at, and each combination of such values once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Index, Integer, MetaData, String, Subquery, Table, func, insert, select

from newsletter.conditions import asked
from newsletter.store.tables import person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import ColumnElement

    from newsletter.delivery.freeze import Frozen

    Group = tuple[str, int, Subquery]
    """A variant, how many get it, and who: id, address, fields, and their place among each other from 0."""

_AT_A_TIME = 1_000

_temporary = MetaData()

_answered = Table(
    "answered",
    _temporary,
    Column("asked", String, primary_key=True),
    Column("variant", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)
"""For each combination of the values that conditions ask for, the number of the variant."""

_parted = Table(
    "parted",
    _temporary,
    Column("person", Integer, primary_key=True),
    Column("variant", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Index("ix_parted", "variant", "position"),
    prefixes=["TEMPORARY"],
)
"""Everybody's variant and place in the order of the send."""

TEMPORARY = tuple(_temporary.tables.values())


def part(connection: Connection, everyone: Subquery, frozen: Frozen) -> Callable[[int, int], list[Group]]:
    """Part ``everyone`` (id and position); what tells, of the positions from one to before another, who gets what.

    Raises ``RuntimeError`` for somebody whose variant there is not, before anything is sent.
    """
    for table in TEMPORARY:
        table.drop(connection, checkfirst=True)
        table.create(connection)
    names = asked(frozen.choices)
    values = _values(names)
    numbers = {each.key: number for number, each in enumerate(frozen.variants)}
    combinations = select(values).where(person.c.status == "active").distinct()
    rows = connection.execute(combinations, execution_options={"yield_per": _AT_A_TIME}).scalars()
    for some in rows.partitions():
        answers = [{"asked": each, "variant": numbers[_key(each, names, frozen)]} for each in some]
        connection.execute(insert(_answered), answers)
    joined = select(person.c.id, _answered.c.variant, everyone.c.position).join_from(
        everyone, person, person.c.id == everyone.c.id
    )
    found = joined.join(_answered, _answered.c.asked == values)
    connection.execute(insert(_parted).from_select(["person", "variant", "position"], found))
    return lambda begin, end: list(_groups(connection, frozen, begin, end))


def _values(names: tuple[str, ...]) -> ColumnElement[str]:
    """A person's values of these names, as one text."""
    columns: list[ColumnElement[Any]] = [
        person.c.address if name == "email" else func.json_extract(person.c.fields, f'$."{name}"') for name in names
    ]
    return func.json_array(*columns)


def _key(values: str, names: tuple[str, ...], frozen: Frozen) -> str:
    known = {name: value or "" for name, value in zip(names, json.loads(values), strict=True)}
    key = frozen.key_of(known.get("email", ""), known)
    if all(key != each.key for each in frozen.variants):
        message = f"there is no variant “{key}” in the frozen content, and somebody would get it"
        raise RuntimeError(message)
    return key


def _groups(connection: Connection, frozen: Frozen, begin: int, end: int) -> Iterator[Group]:
    here = (_parted.c.position >= begin) & (_parted.c.position < end)
    counts = select(_parted.c.variant, func.count()).where(here).group_by(_parted.c.variant)
    for number, members in sorted((row[0], row[1]) for row in connection.execute(counts)):
        place = (func.row_number().over(order_by=_parted.c.position) - 1).label("place")
        rows = select(person.c.id, person.c.address, person.c.fields, place).join_from(
            _parted, person, person.c.id == _parted.c.person
        )
        yield frozen.variants[number].key, members, rows.where(here, _parted.c.variant == number).subquery()
