"""Wrapping plain text by what the reader sees: a mark counts as its field's source, a wide character as two."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import TYPE_CHECKING

from newsletter.render import marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from newsletter.model import Field

KEEP = "\U000f0003"
"""A space at which no line may end; printed as a space."""

_CLOSING = frozenset("、。〉》」』】〕〗！），．：；？｝")
"""Characters that may not begin a line."""


_BREAKS = re.compile("[\u2e80-\ua4cf\uf900-\ufaff\ufe30-\uff60\U00020000-\U0003fffd]")
"""Characters beside which a line may end."""


class Ruler:
    """Measures and wraps text that holds marks."""

    def __init__(self, fields: Sequence[Field], columns: int = 72) -> None:
        self.fields, self.columns = fields, columns

    def width(self, text: str) -> int:
        """Columns that ``text`` takes on a screen with letters of one width."""
        if text.isascii():
            return len(text)
        return sum(map(_columns, marks.shown(text, self.fields)))

    def wrap(self, text: str, first: str = "", rest: str | None = None) -> list[str]:
        """Lines no wider than the page, prefixes included; only a single word may be wider. ``\\n`` breaks for sure."""
        rest = first if rest is None else rest
        lines: list[str] = []
        prefix = first
        for part in text.split("\n"):
            for line in self._fill(part, prefix, rest):
                lines.append(line.replace(KEEP, " ").rstrip())
                prefix = rest
        return lines

    def _fill(self, text: str, first: str, rest: str) -> Iterator[str]:
        line, used, empty = first, self.width(first), True
        for piece, gap in _pieces(text):
            size = len(piece) if piece.isascii() else self.width(piece)
            if not empty and used + len(gap) + size > self.columns:
                yield line
                line, used, empty = rest, self.width(rest), True
            if not empty:
                line, used = line + gap, used + len(gap)
            line, used, empty = line + piece, used + size, False
        yield line


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Pieces between which a line may end, each with the space before it."""
    for word in text.replace("\t", " ").replace("\r", " ").split(" "):
        if word.isascii() or not _BREAKS.search(word):
            if word:
                yield word, " "
            continue
        gap = " "
        for piece in _around_wide(word):
            yield piece, gap
            gap = ""


def _around_wide(word: str) -> Iterator[str]:
    """A word cut before and after each ideograph or kana, where East Asian text may be broken."""
    piece = ""
    for char in word:
        if piece and char not in _CLOSING and _BREAKS.search(piece[-1] + char):
            yield piece
            piece = ""
        piece += char
    yield piece


@functools.lru_cache(maxsize=4096)
def _columns(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
