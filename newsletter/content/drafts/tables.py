"""Tables in HTML: those of data become tables, those of layout what stands in their cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.content.drafts.nouns import Break, Grid, Image, Paragraph, Remark, Words, holds
from newsletter.content.drafts.tree import Element

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.content.drafts.nouns import Block, Blocks, Inline, Inlines

    Inner = Callable[[Element], Blocks]

_ROWS = frozenset({"tr"})
_FRAME = {
    "table": frozenset({"caption", "thead", "tbody", "tfoot", "tr"}),
    **dict.fromkeys(("thead", "tbody", "tfoot"), _ROWS),
    "tr": frozenset({"td", "th"}),
}
_WIDEST = 12
_MOST = 100


def read(element: Element, inner: Inner) -> list[Block]:
    """The blocks of a table; its caption stands above it."""
    caption = [block for each in element.find("caption")[:1] for block in inner(each)]
    if _strays(element):
        # Only where tables are nested so deep that the tree was made flat.
        holder = Element("div", {})
        holder.children = element.children
        return list(inner(holder))
    rows = _rows(element)
    cells = [[(cell, inner(cell)) for cell in row] for row in rows]
    layout = element.get("role") in {"presentation", "none"} or element.find("table")
    simple = all(_is_simple(blocks) for row in cells for _, blocks in row)
    wide = max((sum(_span(cell) for cell, _ in row) for row in cells), default=0)
    if layout or not simple or not 1 < wide <= _WIDEST or len(rows) > _MOST:
        return [*caption, *(block for row in cells for _, blocks in row for block in blocks)]
    headed = all(cell.tag == "th" for cell in rows[0])
    grid = [_filled(row, wide) for row in cells]
    aligns = tuple(_align(rows, column) for column in range(wide))
    remarks = [block for row in cells for _, blocks in row for block in blocks if isinstance(block, Remark)]
    if any(_number(cell, "rowspan") > 1 for row in rows for cell in row):
        remarks.append(Remark("In the source a cell of this table reaches over several rows."))
    empty: tuple[Inlines, ...] = ((),) * wide
    return [*caption, *remarks, Grid(tuple(grid) if headed else (empty, *grid), aligns)]


def _strays(element: Element) -> bool:
    """Whether something stands in the frame of a table that is in none of its cells."""
    for child in element.children:
        if isinstance(child, str):
            if child.strip():
                return True
        elif child.tag not in _FRAME[element.tag] or (child.tag in _FRAME and _strays(child)):
            return True
    return False


def _rows(element: Element) -> list[list[Element]]:
    rows: list[list[Element]] = []
    for child in element.children:
        if not isinstance(child, Element):
            continue
        if child.tag in {"thead", "tbody", "tfoot"}:
            rows += _rows(child)
        elif child.tag == "tr":
            cells = [each for each in child.children if isinstance(each, Element) and each.tag in {"td", "th"}]
            rows += [cells] if cells else []
    return rows


def _is_simple(blocks: Blocks) -> bool:
    kept = [block for block in blocks if not isinstance(block, Remark)]
    return all(isinstance(block, Paragraph) and not holds(block.children, Image) for block in kept)


def _filled(row: list[tuple[Element, Blocks]], wide: int) -> tuple[Inlines, ...]:
    """The cells of a row, with empty ones where a cell reaches over several columns or is missing."""
    done: list[Inlines] = []
    for cell, blocks in row:
        words: list[Inline] = []
        for block in blocks:
            if isinstance(block, Paragraph):
                words += [Break(), *block.children] if words else block.children
        done += [tuple(words), *[(Words(""),)] * (_span(cell) - 1)]
    return (*done, *((),) * (wide - len(done)))[:wide]


def _span(cell: Element) -> int:
    return min(max(1, _number(cell, "colspan")), _WIDEST)


def _number(cell: Element, name: str) -> int:
    text = cell.get(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 1


def _align(rows: list[list[Element]], column: int) -> str:
    found = {row[column].get("align") for row in rows if column < len(row) and row[column].tag == "td"}
    return found.pop() if len(found) == 1 else ""
