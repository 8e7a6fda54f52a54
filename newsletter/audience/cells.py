"""Cells: what stands in a CSV file for a value, and one row as a person."""

from __future__ import annotations

import re
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, NamedTuple

from newsletter.audience.address import BadAddress, parse
from newsletter.audience.status import RANK, read_flag, read_status
from newsletter.store.tables import STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from newsletter.audience.columns import Column

# A spreadsheet runs a cell that begins like this (OWASP, "CSV Injection"). Cells that already begin
# with an apostrophe before it get another one, so that every value comes back as it was.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guard(value: str) -> str:
    """A value as a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if _FORMULA.match(value) else value


def unguard(cell: str) -> str:
    """The value of a cell: without the space around it, and without the apostrophe of ``guard``."""
    value = cell.strip()
    return value[1:].strip() if value[:1] == "'" and _GUARDED.match(value) else value


class Refused(ValueError):
    """A row that cannot be taken; the message says why."""


class Entry(NamedTuple):
    """One row as a person; ``patch`` is JSON, null for a value that is blank in the file."""

    address: str
    key: str
    patch: str
    rank: int


def entry_reader(columns: Sequence[Column]) -> Callable[[Sequence[str], str], Entry]:
    """How the cells of a row are read, given what is wrong with its form; the result raises ``Refused``."""
    width = len(columns)
    email = next(column.index for column in columns if column.role == "email")
    fields = [column for column in sorted(columns, key=lambda each: each.name) if column.role == "field"]
    members = [(c.index, f"{',' if n else ''}{encode_basestring(c.name)}:") for n, c in enumerate(fields)]
    statuses = [column for column in columns if column.role in {"status", "flag"}]
    unnamed = [column for column in columns if column.role == "unnamed"]

    def read(cells: Sequence[str], fault: str) -> Entry:
        if fault or len(cells) != width:
            raise Refused(fault or _length(len(cells), width))
        if unnamed:
            _refuse_unnamed(cells, unnamed)
        try:
            address, key = parse(unguard(cells[email]))
        except BadAddress as error:
            raise Refused(str(error)) from None
        patch = ""
        for index, member in members:
            value = unguard(cells[index])
            patch += member + (encode_basestring(value) if value else "null")
        rank = max(_rank(cells[column.index], column) for column in statuses) if statuses else 0
        return Entry(address, key, f"{{{patch}}}", rank)

    return read


def _length(found: int, width: int) -> str:
    return f"it has {found} value{'' if found == 1 else 's'} where the heading line has {width}"


def _refuse_unnamed(cells: Sequence[str], unnamed: Sequence[Column]) -> None:
    for column in unnamed:
        if cells[column.index].strip():
            raise Refused(f"column {column.index + 1} has a value but no name in the heading line")


def _rank(cell: str, column: Column) -> int:
    text = unguard(cell)
    status = read_status(text) if column.role == "status" else read_flag(text, column.name)
    if status is None:
        known = ", ".join(STATUSES) if column.role == "status" else "yes, no or a date"
        raise Refused(f"“{' '.join(text.split())[:80]}” in the column “{column.header}” is none of: {known}")
    return RANK[status]
