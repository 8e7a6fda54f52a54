"""Lists in plain text: bullets, and numbers that count up by one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.content.drafts.nouns import Items, Paragraph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from newsletter.content.drafts.nouns import Block, Blocks, Inlines

_MARK = re.compile(r"(?P<indent>[ \t]*)(?:(?P<bullet>[-*+•·‣▪◦●])|(?P<number>\d{1,9})[.)])(?:[ \t]+)(?=\S)")
_DEEPEST = 5


def starts(line: str) -> bool:
    """Whether a line begins an item."""
    return _MARK.match(line) is not None


def read(group: Sequence[str], inline: Callable[[Sequence[str]], Inlines]) -> list[Block]:
    """The list that a group of lines is, perhaps below a line that announces it; empty when it is none.

    One item alone is no list: it may be a dialogue or a date.
    """
    first = next((index for index, line in enumerate(group) if starts(line)), len(group))
    if first > 2 or (first and not group[first - 1].rstrip().endswith(":")):
        return []
    items = _items(group[first:])
    if len(items) < 2:
        return []
    made = _list(items, inline, 0)
    if made is None:
        return []
    return [*([Paragraph(inline(group[:first]))] if first else []), *made]


def _items(lines: Sequence[str]) -> list[tuple[re.Match[str], list[str]]]:
    """Each item's mark and its lines; a line without a mark goes on with the item above."""
    items: list[tuple[re.Match[str], list[str]]] = []
    for line in lines:
        if found := _MARK.match(line):
            items.append((found, [line[found.end() :]]))
        elif items:
            items[-1][1].append(line.strip())
    return items


def _list(
    items: Sequence[tuple[re.Match[str], list[str]]], inline: Callable[[Sequence[str]], Inlines], depth: int
) -> list[Block] | None:
    """``None`` where the numbers don't count up, because Markdown would count for itself."""
    margin = len(items[0][0]["indent"])
    tops = [index for index, (found, _) in enumerate(items) if len(found["indent"]) <= margin or depth == _DEEPEST]
    kinds = {bool(items[index][0]["bullet"]) for index in tops}
    numbers = [int(items[index][0]["number"] or 0) for index in tops]
    if len(kinds) > 1 or (kinds == {False} and numbers != list(range(numbers[0], numbers[0] + len(numbers)))):
        return None
    made: list[Blocks] = []
    for index, end in zip(tops, [*tops[1:], len(items)], strict=True):
        inner: list[Block] = [Paragraph(inline(items[index][1]))]
        if end > index + 1:
            below = _list(items[index + 1 : end], inline, depth + 1)
            if below is None:
                return None
            inner += below
        made.append(tuple(inner))
    return [Items(tuple(made), None if kinds == {True} else numbers[0])]
