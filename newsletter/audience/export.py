"""Writing the list as CSV, so that a spreadsheet runs nothing and an import takes it back."""

from __future__ import annotations

import contextlib
import csv
import os
import secrets
from typing import IO, TYPE_CHECKING

from newsletter.audience.cells import guard
from newsletter.audience.listing import Query, field_names, people
from newsletter.files import writing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection


def write_csv(connection: Connection, query: Query, target: IO[str], *, raw: bool = False) -> int:
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
    return written


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[IO[str]]:
    """A file for the owner alone (0600) that stands under its name once it is whole."""
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with writing(path):
        try:
            descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as target:
                yield target
            half.replace(path)
        finally:
            half.unlink(missing_ok=True)
