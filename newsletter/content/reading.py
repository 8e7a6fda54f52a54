"""What the parts of one reading share: the source, the parser, and where findings go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from newsletter.content.slugs import slug
from newsletter.errors import Problem

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

    from newsletter.content.fields import Fields
    from newsletter.content.pictures import Gallery, Widths
    from newsletter.content.source import Source
    from newsletter.model import Place

DEEPEST = 12
"""How deep lists, quotes, containers and styles may stand in each other."""


class Node:
    """A token with the tokens between it and its end."""

    __slots__ = ("children", "token")

    def __init__(self, token: Token) -> None:
        self.token = token
        self.children: list[Node] = []


class Notes:
    """Footnotes in the order in which readers meet them."""

    def __init__(self) -> None:
        self.definitions: dict[str, Node] = {}
        self.order: list[str] = []
        self.uses: dict[str, int] = {}
        self.places: dict[str, Place] = {}

    def refer(self, label: str, place: Place) -> tuple[int, int]:
        """The number of a footnote, and how often it has been referred to with this."""
        if label not in self.uses:
            self.order.append(label)
            self.places[label] = place
        self.uses[label] = self.uses.get(label, 0) + 1
        return self.order.index(label) + 1, self.uses[label]


class Reading:
    """One issue being read; ``source`` is its text after lifting, so that offsets hold."""

    def __init__(
        self,
        source: Source,
        problems: list[Problem],
        fields: Fields,
        gallery: Gallery,
        widths: Widths,
        parser: MarkdownIt,
    ) -> None:
        self.source, self.problems, self.fields = source, problems, fields
        self.gallery, self.widths, self.parser = gallery, widths, parser
        self.references: dict[str, Any] = {}
        self.notes = Notes()
        self.anchors: dict[str, int] = {}

    def wrong(self, place: Place, message: str, hint: str = "") -> None:
        """Report a problem."""
        self.problems.append(Problem(place, message, hint))

    def anchor(self, text: str) -> str:
        """A unique anchor for a heading's text."""
        name = slug(text, "section")
        while (count := self.anchors.get(name, 0)) and (longer := f"{name}-{count + 1}"):
            self.anchors[name] = count + 1
            name = longer
        self.anchors[name] = 1
        return name

    def line(self, token: Token) -> Place:
        """Where a block token begins: at the first character of its line that is not a space."""
        number = (token.map[0] if token.map else 0) + 1
        text = self.source.line(number)
        return self.source.place(
            self.source.starts[min(number, len(self.source.starts)) - 1] + len(text) - len(text.lstrip(" \t"))
        )

    def at(self, token: Token, content: str, offset: int, fallback: Place) -> Place:
        """Where a character of an inline token's ``content`` stands in the file.

        Markdown has taken the marks of lists, quotes and tables off each line, so it is looked up.
        """
        if token.map is None:
            return fallback
        above = content.count("\n", 0, offset)
        start = content.rfind("\n", 0, offset) + 1
        line = content[start:].partition("\n")[0]
        number = token.map[0] + above + 1
        found = self.source.line(number).find(line)
        if found < 0 or not line:
            return fallback
        return self.source.place(self.source.starts[number - 1] + found + offset - start)
