"""Writing the list as CSV, so that a spreadsheet runs nothing and an import takes it back."""

from __future__ import annotations

import csv
from typing import IO, TYPE_CHECKING

from newsletter.audience.cells import guard
from newsletter.audience.listing import Query, field_names, people

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection


def write_csv(
    connection: Connection,
    query: Query,
    target: IO[str],
    *,
    raw: bool = False,
    advance: Callable[[int], None] | None = None,
) -> int:
    """Write address, status and fields of these people; the number of people.

    Cells that a spreadsheet would take for a formula get an apostrophe, except with ``raw``.
    """
    names = field_names(connection, query)
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(["email", "status", *names])
    written = 0
    for each in people(connection, query):
        cells = [each.address, each.status, *(each.fields.get(name, "") for name in names)]
        writer.writerow(cells if raw else map(guard, cells))
        written += 1
        if advance:
            advance(1)
    return written
