"""Cells: what stands in a CSV file for a value, and one row as a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

from newsletter.audience.address import BadAddress, parse
from newsletter.audience.status import RANK, read_flag, read_status
from newsletter.store.tables import STATUSES

if TYPE_CHECKING:
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
    return value[1:].strip() if _GUARDED.match(value) else value


class Refused(ValueError):
    """A row that cannot be taken; the message says why."""


Entry = tuple[int, str, str | None, str, int]
"""One row as a person: line, key, address unless it equals the key, fields as JSON, the status's rank.

A value that is blank in the file is null in the JSON.
"""


EntryReader = Callable[[int, Sequence[str], str], Entry]
"""Reads a row: its line, its cells, what is wrong with its form; raises ``Refused``."""


def entry_reader(columns: Sequence[Column]) -> EntryReader:
    """How the rows below these columns are read."""
    width = len(columns)
    email = next(column.index for column in columns if column.role == "email")
    fields = [column for column in sorted(columns, key=lambda each: each.name) if column.role == "field"]
    indexes = [column.index for column in fields]
    form = "{" + ",".join(f"{encode_basestring(column.name)}:%s" for column in fields) + "}"
    statuses = [column for column in columns if column.role in {"status", "flag"}]
    unnamed = [column for column in columns if column.role == "unnamed"]
    quote = encode_basestring  # a local name, because a million rows look it up

    def read(line: int, cells: Sequence[str], fault: str) -> Entry:
        if fault or len(cells) != width:
            raise Refused(fault or _length(len(cells), width))
        if unnamed:
            _refuse_unnamed(cells, unnamed)
        text = cells[email].strip()
        try:
            address, key = parse(unguard(text) if text[:1] == "'" else text)
        except BadAddress as error:
            raise Refused(str(error)) from None
        rank = max(_rank(cells[column.index], column) for column in statuses) if statuses else 0
        values = [cells[index].strip() for index in indexes]
        patch = form % tuple([quote(text) if text and text[0] != "'" else _json(text) for text in values])
        return line, key, None if address == key else address, patch, rank

    return read


def address_reader(columns: Sequence[Column], status: str) -> EntryReader:
    """How the rows of a list are read of which only the addresses count; everybody on it has this status."""
    width = len(columns)
    email = next(column.index for column in columns if column.role == "email")
    rank = RANK[status]

    def read(line: int, cells: Sequence[str], fault: str) -> Entry:
        if fault or len(cells) != width:
            raise Refused(fault or _length(len(cells), width))
        try:
            address, key = parse(unguard(cells[email]))
        except BadAddress as error:
            raise Refused(str(error)) from None
        return line, key, None if address == key else address, "{}", rank

    return read


def _json(text: str) -> str:
    return encode_basestring(unguard(text)) if text else "null"


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
