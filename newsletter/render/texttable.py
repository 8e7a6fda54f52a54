"""Tables in plain text: aligned columns, or one record below the other where they would be too wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.render.wrap import KEEP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.model import Align
    from newsletter.render.wrap import Ruler

_GAP = "  "


def rows(cells: Sequence[Sequence[str]], aligns: Sequence[Align], ruler: Ruler, indent: int) -> list[str]:
    """The lines of a table whose first row is its head; ``indent`` columns are taken already."""
    table = [[cell.replace("\n", " ").replace(KEEP, " ").strip() for cell in row] for row in cells]
    widths = [max((ruler.width(row[index]) for row in table), default=0) for index in range(len(aligns))]
    if sum(widths) + len(_GAP) * (len(widths) - 1) + indent > ruler.columns:
        return _records(table, ruler, indent)
    lines = [
        _GAP.join(_pad(cell, widths[index], aligns[index], ruler) for index, cell in enumerate(row)).rstrip()
        for row in table
    ]
    if not any(table[0]):
        return lines[1:]
    return [lines[0], _GAP.join("-" * width for width in widths), *lines[1:]]


def _pad(cell: str, width: int, align: Align, ruler: Ruler) -> str:
    space = width - ruler.width(cell)
    if align == "right":
        return " " * space + cell
    if align == "center":
        return " " * (space // 2) + cell + " " * (space - space // 2)
    return cell + " " * space


def _records(table: Sequence[Sequence[str]], ruler: Ruler, indent: int) -> list[str]:
    head, *body = table
    lines: list[str] = []
    narrow = type(ruler)(ruler.fields, ruler.columns - indent)
    for row in body:
        if lines:
            lines.append("")
        for index, cell in enumerate(row):
            label = f"{head[index]}: " if head[index] else ""
            lines += narrow.wrap(f"{label}{cell}", "" if not index else "  ", "    ")
    return lines
