"""Which merge fields would be empty for somebody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, func, select

from newsletter.audience.status import ACTIVE
from newsletter.model import FieldGap
from newsletter.personal import RESERVED
from newsletter.store.tables import person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement


def field_gaps(connection: Connection, names: Sequence[str]) -> tuple[FieldGap, ...]:
    """For each name, how many active people lack a value that is not blank; in one pass over the list.

    Names that everybody has, such as ``email``, are missing for nobody.
    """
    asked = [name for name in dict.fromkeys(names) if name not in RESERVED]
    values = [func.coalesce(func.json_extract(person.c.fields, f'$."{name}"'), "") for name in asked]
    # A case and not the bare comparison: SQLAlchemy would read the sum of truth values as one truth value.
    blank = [case((func.trim(value) == "", 1), else_=0) for value in values]
    lacking: list[ColumnElement[Any]] = [func.coalesce(func.sum(each), 0) for each in blank]
    counts = select(func.count(), *lacking).select_from(person).where(person.c.status == ACTIVE)
    total, *missing = map(int, connection.execute(counts).one())
    found = dict(zip(asked, missing, strict=True))
    return tuple(FieldGap(name, found.get(name, 0), total) for name in names)


def gaps_by(
    connection: Connection, needs: Callable[[Mapping[str, str]], Iterable[tuple[str, bool]]]
) -> tuple[FieldGap, ...]:
    """The same where not everybody's mail asks for the same: ``needs`` says of a person's values which it does.

    Nothing for what nobody's mail asks for.
    """
    counts: dict[tuple[str, bool], list[int]] = {}
    everyone = select(person.c.address, person.c.fields).where(person.c.status == ACTIVE)
    for address, fields in connection.execute(everyone, execution_options={"yield_per": 1_000}):
        values = {**json.loads(fields), "email": address}
        for name, fallback in needs(values):
            count = counts.setdefault((name, fallback), [0, 0])
            count[0] += not values.get(name, "").strip()
            count[1] += 1
    return tuple(FieldGap(name, lack, total, fallback) for (name, fallback), (lack, total) in counts.items())
