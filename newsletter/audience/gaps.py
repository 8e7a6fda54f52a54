"""Which merge fields would be empty for somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, func, select

from newsletter.audience.status import ACTIVE
from newsletter.model import FieldGap
from newsletter.personal import RESERVED
from newsletter.store.tables import person

if TYPE_CHECKING:
    from collections.abc import Sequence

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
