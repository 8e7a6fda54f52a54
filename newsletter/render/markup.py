"""Reading a rendered template as XML, so that broken markup is an error at its place and never reaches the engine.

Every element remembers where it came from: the template, and the author's block that it was
rendered for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from xml.parsers import expat

from newsletter.errors import BadInput, Problem
from newsletter.model import Place, RawHtml, RawMjml
from newsletter.personal import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEPTH = 60
"""Elements inside each other, at most: some thousands crash the engine."""

_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_EXPRESSION = re.compile(r"\{[{%#].*?[}%#]\}")
_XML_NAMES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*\?>")
_REASONS = {"duplicate attribute": "Keep one of the two: engines differ on which of them counts."}
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def tags(names: str) -> frozenset[str]:
    """A set of tags, written in one line."""
    return frozenset(names.split())


class Origin(NamedTuple):
    """Where markup comes from: a template (or the author's own file), its text, and the author's block."""

    path: str
    source: str
    block: Place | None = None
    first_line: int = 1
    verbatim: bool = False
    """Whether the markup is ``source`` itself, so that its lines are the file's lines."""
    printed: Callable[[int], tuple[str, str, int] | None] | None = None
    """Where the n-th element was written: a template's path and text, and an offset in it."""


class Element:
    """An element of the tree; children are elements, comments and text (with entities resolved).

    ``number`` counts the elements of one piece of markup, in the order in which they begin.
    """

    __slots__ = ("attributes", "children", "line", "number", "origin", "tag")

    def __init__(self, tag: str, attributes: Mapping[str, str], line: int, origin: Origin, number: int = 0) -> None:
        self.tag = tag
        self.attributes = dict(attributes)
        self.children: list[Node] = []
        self.line = line
        self.origin = origin
        self.number = number


class Comment:
    """A comment; Outlook's conditional ones matter."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


Node = Element | Comment | str


def written(block: RawHtml | RawMjml) -> tuple[str, Origin]:
    """The author's own markup and where it stands; MJML begins on the line after its container's."""
    if isinstance(block, RawHtml):
        return block.html, Origin(block.place.path, block.html, block.place, block.place.line, verbatim=True)
    return block.source, Origin(block.place.path, block.source, block.place, block.place.line + 1, verbatim=True)


def problem(origin: Origin, markup: str, line: int, message: str, hint: str = "", col: int = 1) -> Problem:
    """A problem at a line of rendered markup, placed in the template that made it; ``col`` is for the author's own."""
    lines = markup.split("\n")
    excerpt = lines[line - 1].strip() if line <= len(lines) else ""
    at = origin.first_line + line - 1 if origin.verbatim else _likely_line(origin.source, excerpt, line)
    if origin.block and not origin.verbatim:
        message = f"{message} (building the block at {origin.block})"
    return Problem(Place(origin.path, at, col if origin.verbatim else 1), message, hint, shortened(excerpt))


def shortened(excerpt: str, most: int = 160) -> str:
    """An excerpt that fits on a screen; a field's mark is shown as a field."""
    excerpt = MARK.sub("{{ … }}", excerpt)
    return excerpt if len(excerpt) <= most else f"{excerpt[:most]}…"


def _likely_line(source: str, excerpt: str, line: int) -> int:
    """The template's line that most likely gave a rendered line: the one with most of its own words in it, in order.

    Loops and inserted text move lines, but a line's static parts come out as they are.
    """
    lines = source.split("\n")
    scores = [_static_length(each, excerpt) for each in lines]
    best = max(range(len(lines)), key=lambda index: (scores[index], -abs(index + 1 - line)))
    return best + 1 if scores[best] else min(line, len(lines))


def _static_length(template_line: str, rendered: str) -> int:
    """How many static characters the two lines share, when all of the template's are there."""
    at = total = 0
    for part in _EXPRESSION.split(template_line):
        words = part.strip()
        found = rendered.find(words, at)
        if found < 0:
            return 0
        at, total = found + len(words), total + len(words)
    return total


def parse(markup: str, origin: Origin) -> list[Node]:
    """The nodes of rendered markup.

    Raises ``BadInput`` naming the template's line, the author's block and the offending excerpt.
    """
    markup = _UNPRINTABLE.sub("", markup)
    return _Reader(_DECLARATION.sub(_blanked, markup, count=1) if "<?xml" in markup else markup, origin).read()


def _blanked(found: re.Match[str]) -> str:
    return re.sub(r"\S", " ", found[0])


class _Reader:
    """One pass of the XML parser over one piece of markup."""

    def __init__(self, markup: str, origin: Origin) -> None:
        self.markup, self.origin = markup, origin
        self.root = Element("", {}, 1, origin)
        self.open = [self.root]
        self.count = 0
        self.parser = parser = expat.ParserCreate(encoding="utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text
        parser.CommentHandler = self.comment
        parser.StartDoctypeDeclHandler = self.doctype

    def read(self) -> list[Node]:
        try:
            self.parser.Parse(f"<fragment>{_resolve(self.markup)}</fragment>".encode(), True)  # noqa: FBT003 - expat takes it by position only
        except expat.ExpatError as error:
            raise BadInput([self.explain(error)]) from None
        return self.root.children

    def explain(self, error: expat.ExpatError) -> Problem:
        reason = expat.ErrorString(error.code)
        inner = self.open[-1]
        if inner is not self.root and reason in {"mismatched tag", "no element found", "unclosed token"}:
            verbatim = self.origin.verbatim
            at = inner.line + self.origin.first_line - 1 if verbatim else inner.line
            whose = "" if verbatim else " of what it prints"
            reason = f"<{inner.tag}> is opened on line {at}{whose} and not closed before this"
        elif reason == "mismatched tag":
            reason = "this closes a tag that was never opened"
        return problem(
            self.origin,
            self.markup,
            error.lineno,
            f"this is not well-formed: {reason}",
            _REASONS.get(reason, "Close every tag, quote every attribute, and write & as &amp; and < as &lt;."),
            self.column(error),
        )

    def column(self, error: expat.ExpatError) -> int:
        """The column of an error in the markup as it was written: before entities became numbers."""
        line = self.markup.split("\n")[error.lineno - 1] if error.lineno <= self.markup.count("\n") + 1 else ""
        at = error.offset - (len("<fragment>") if error.lineno == 1 else 0)
        for found in _NAMED.finditer(line):
            if found.start() >= at:
                break
            at -= len(_resolve(found[0])) - len(found[0])
        return max(at, 0) + 1

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self.open) == 1 and tag == "fragment" and self.parser.CurrentByteIndex == 0:
            return
        line = self.parser.CurrentLineNumber
        if len(self.open) > DEPTH:
            raise BadInput(
                [problem(self.origin, self.markup, line, f"elements are nested more than {DEPTH} deep", "Nest less.")]
            )
        element = Element(tag, attributes, line, self.origin, self.count)
        self.count += 1
        self.open[-1].children.append(element)
        self.open.append(element)

    def end(self, _tag: str) -> None:
        if len(self.open) > 1:
            self.open.pop()

    def text(self, text: str) -> None:
        self.open[-1].children.append(text)

    def comment(self, text: str) -> None:
        self.open[-1].children.append(Comment(text))

    def doctype(self, *_: object) -> None:
        raise BadInput(
            [problem(self.origin, self.markup, self.parser.CurrentLineNumber, "a document type may not stand here")]
        )


def _resolve(markup: str) -> str:
    """Named entities as numbers, because XML knows five of them only."""
    if "&" not in markup:
        return markup
    from html.entities import html5

    def number(found: re.Match[str]) -> str:
        if found[1] in _XML_NAMES:
            return found[0]
        return "".join(f"&#{ord(char)};" for char in html5.get(f"{found[1]};", "")) or found[0]

    return _NAMED.sub(number, markup)
