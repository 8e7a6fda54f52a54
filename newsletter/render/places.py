"""Where an element was written: in the author's file, or in the template that printed it.

A rendered template's lines are not the template's. When something is wrong in one, it is rendered
again from a copy in which every tag says where it stands; so finding a place costs nothing while all is well.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from newsletter.errors import BadInput, Problem
from newsletter.model import Place
from newsletter.render.markup import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from newsletter.render.jinja import Templates
    from newsletter.render.markup import Element

_TAG = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<([A-Za-z][^\s/<>]*)", re.DOTALL)
_MARKED = re.compile(r'<[A-Za-z][\w-]* newsletter-at="([0-9]+):([0-9]+)"')
_OPENING = re.compile(r"<[A-Za-z][\w-]*(?=[\s/>])")
_ATTRIBUTE = re.compile(r"""([^\s=/<>"']+)\s*=\s*(?:"[^"]*"|'[^']*')""")

Spot = tuple[str, str, int]
"""A file's path, its text, and an offset in it."""


def tags(markup: str) -> list[int]:
    """Where each start tag begins, in order; those in comments are none."""
    return [found.start() for found in _TAG.finditer(markup) if found[1]]


def attribute(text: str, offset: int, name: str) -> int:
    """Where an attribute of the tag at ``offset`` begins; the tag itself when that cannot be told."""
    following = re.compile(r"<(?![%#{])").search(text, offset + 1)
    end = following.start() if following else len(text)
    exact = next((each.start() for each in _ATTRIBUTE.finditer(text, offset, end) if each[1] == name), -1)
    if exact >= 0:
        return exact
    loose = re.compile(rf"(?<![\w-]){re.escape(name)}\s*=").search(text, offset, end)
    return loose.start() if loose else offset


def place(path: str, text: str, offset: int, first_line: int = 1) -> Place:
    """The line and column of an offset."""
    start = text.rfind("\n", 0, offset) + 1
    return Place(path, first_line + text.count("\n", 0, offset), offset - start + 1)


class Printed:
    """What one template printed: asks where the n-th of its elements was written."""

    def __init__(self, templates: Templates, name: str, values: Mapping[str, object]) -> None:
        self._templates, self._name, self._values = templates, name, values

    def __call__(self, number: int) -> Spot | None:
        """The template's path and text and the tag's offset; what a value brought along stands where it was printed."""
        known = [spot for spot in self._spots[: number + 1] if spot]
        return known[-1] if known else None

    @cached_property
    def _spots(self) -> list[Spot | None]:
        from newsletter.render.jinja import Templates

        names = self._templates.names()
        sources = [self._templates.source(name) for name in names]
        marked = {
            name: (self._marked(text, index), path)
            for index, (name, (text, path)) in enumerate(zip(names, sources, strict=True))
        }
        try:
            markup = Templates(marked).render(self._name, self._values)
        except BadInput:  # it rendered before, so this is about the marks
            return []
        spots: list[Spot | None] = []
        for start in tags(markup):
            found = _MARKED.match(markup, start)
            text, path = sources[int(found[1])] if found else ("", "")
            spots.append((path, text, int(found[2])) if found else None)
        return spots

    def _marked(self, text: str, index: int) -> str:
        """A template whose tags say where they stand, as far as they are not put together by expressions."""
        parts: list[str] = []
        at = 0
        for kind, value in self._templates.tokens(text):
            start = text.index(value, at)
            parts.append(text[at:start])
            at = start + len(value)
            parts.append(_numbered(value, index, start) if kind == "data" else value)
        return "".join([*parts, text[at:]])


def _numbered(markup: str, index: int, start: int) -> str:
    return _OPENING.sub(lambda tag: f'{tag[0]} newsletter-at="{index}:{start + tag.start()}"', markup)


def problem(element: Element, message: str, hint: str, name: str = "") -> Problem:
    """A problem at an element, or at one of its attributes."""
    origin = element.origin
    if origin.verbatim:
        starts = tags(origin.source)
        spot: Spot | None = (
            (origin.path, origin.source, starts[element.number]) if element.number < len(starts) else None
        )
    else:
        spot = origin.printed(element.number) if origin.printed else None
    if origin.block and not origin.verbatim:
        message = f"{message} (building the block at {origin.block})"
    if spot is None:
        lines = origin.source.split("\n")
        line = min(element.line, len(lines))
        return Problem(
            Place(origin.path, origin.first_line + line - 1), message, hint, shortened(lines[line - 1].strip())
        )
    path, text, offset = spot
    start = attribute(text, offset, name) if name else offset
    excerpt = text[text.rfind("\n", 0, start) + 1 :].partition("\n")[0].strip()
    return Problem(place(path, text, start, origin.first_line), message, hint, shortened(excerpt))
