"""Markdown's inline tokens become inline content."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from newsletter.content import html, targets
from newsletter.content.options import Option, Unreadable
from newsletter.content.reading import DEEPEST, Reading
from newsletter.model import Break, Code, InlineImage, Inlines, Link, NoteRef, Picture, Place, Styled, Text
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from markdown_it.token import Token

    from newsletter.model import Inline, Style

_MARKDOWN = {"em": "em", "strong": "strong", "s": "s"}
_PLAIN = re.compile(r"[^\\`*_~\[\]!<>&^'\"\n]*")
_NARROWEST = 16


class _Open:
    """Something that was opened and not yet closed, and what has come into it so far."""

    __slots__ = ("children", "href", "html", "kind", "place", "title")

    def __init__(self, kind: str, place: Place, title: str = "", href: str = "", *, html: bool = False) -> None:
        self.kind, self.place, self.title, self.href, self.html = kind, place, title, href, html
        self.children: list[Inline] = []


class InlineReader:
    """Reads one inline token; ``room`` is how wide a picture may be here, in CSS pixels."""

    def __init__(self, reading: Reading, token: Token, place: Place, room: int, *, notes: bool = True) -> None:
        self.reading, self.token, self.place, self.room, self.notes = reading, token, place, room, notes
        self.refused: set[str] = set()

    def read(self, tokens: Iterable[Token] | None = None) -> Inlines:
        """The content of ``tokens``, or of the whole token."""
        stack = [_Open("", self.place)]
        for token in self.token.children or () if tokens is None else tokens:
            self._step(stack, token)
        while len(stack) > 1:
            self._unclosed(stack)
        return _joined(stack[0].children)

    def _step(self, stack: list[_Open], token: Token) -> None:
        into = stack[-1].children
        if token.type == "text":
            into.append(Text(self._text(token.content)))
        elif token.type in {"softbreak", "hardbreak"}:
            into.append(Break(token.type == "hardbreak"))
        elif token.type == "code_inline":
            into.append(Code(self.reading.fields.literal(token.content)))
        elif token.type == "image":
            into += self._image(token)
        elif token.type == "html_inline":
            self._html(stack, token)
        elif token.type in {"footnote_ref", "missing_note"}:
            into += self._note(token)
        elif token.nesting > 0:
            self._open(stack, token)
        elif token.nesting < 0:
            self._close(stack, "link" if token.type == "link_close" else _MARKDOWN[token.tag], self._at(token))

    # -- positions and text -----------------------------------------------------------

    def _at(self, token: Token) -> Place:
        return self.reading.at(self.token, self.token.content, token.meta.get("at", 0), self.place)

    def _text(self, lifted: str) -> str:
        return self.reading.fields.text(lifted)

    # -- what encloses ----------------------------------------------------------------

    def _open(self, stack: list[_Open], token: Token) -> None:
        place = self._at(token)
        if len(stack) == DEEPEST + 1:
            self.reading.wrong(place, f"styles and links are nested more than {DEEPEST} deep here", "Make it simpler.")
        if token.type == "link_open":
            href = targets.target(str(token.attrs["href"]), self.reading.fields, place, self.reading.problems)
            stack.append(_Open("link", place, self._text(str(token.attrs.get("title", ""))), href))
        else:
            stack.append(_Open(_MARKDOWN[token.tag], place))

    def _close(self, stack: list[_Open], kind: str, place: Place, *, written: bool = False) -> None:
        if all(each.kind != kind or each.html != written for each in stack[1:]):
            if written:
                self.reading.wrong(
                    place, f"</{kind}> closes nothing here", "Open it in the same paragraph, and in the same emphasis."
                )
            return
        while (stack[-1].kind, stack[-1].html) != (kind, written):
            self._unclosed(stack)
        done = stack.pop()
        children = _joined(done.children)
        if len(stack) > DEEPEST:
            stack[-1].children += children  # reported when it was opened
        elif done.kind == "link":
            stack[-1].children.append(Link(done.href, children, done.place, done.title))
        else:
            style = cast("Style", html.INLINE.get(done.kind, done.kind))
            stack[-1].children.append(Styled(style, children, done.title))

    def _unclosed(self, stack: list[_Open]) -> None:
        """Drop what was opened and keep what is in it; only HTML can be left open."""
        left = stack.pop()
        if left.html:
            self.reading.wrong(
                left.place,
                f"<{left.kind}> is never closed in its paragraph",
                f"Write </{left.kind}> behind the words it is for.",
            )
        stack[-1].children += left.children

    def _html(self, stack: list[_Open], token: Token) -> None:
        place = self._at(token)
        tag = html.inline_tag(token.content, self.reading, place, self.refused)
        if tag is None:
            return
        if tag.name == "br":
            stack[-1].children.append(Break(hard=True))
        elif tag.closing:
            self._close(stack, tag.name, place, written=True)
        else:
            if len(stack) == DEEPEST + 1:
                self.reading.wrong(
                    place, f"styles and links are nested more than {DEEPEST} deep here", "Make it simpler."
                )
            stack.append(_Open(tag.name, place, tag.title, html=True))

    # -- what stands alone --------------------------------------------------------------

    def _note(self, token: Token) -> list[Inline]:
        if token.type == "missing_note":
            label = self.reading.fields.literal(token.content)
            hint = (
                f"Define it in a line of its own: [^{label}]: The note."
                if self.notes
                else "Footnotes stand in running text only."
            )
            self.reading.wrong(
                self._at(token), f"there is no footnote “{label}” here", rf"{hint} \[^ writes the brackets themselves."
            )
            return []
        if not self.notes:
            self.reading.wrong(self.place, "a footnote may not stand here", "Footnotes stand in running text only.")
            return []
        return [NoteRef(*self.reading.notes.refer(token.meta.get("label") or f"^{token.meta['id']}", self._at(token)))]

    def _image(self, token: Token) -> list[Inline]:
        wanted = self.options(token, ("width",)).get("width")
        taken = self.picture(token, self.width(wanted) if wanted else self.room)
        if taken is None:
            return []
        picture, place = taken
        width = self.width(wanted) if wanted else min(picture.width, self.room)
        return [InlineImage(picture, self.alt(token.children or ()), width, place)]

    def picture(self, token: Token, width: int) -> tuple[Picture, Place] | None:
        """The picture of an image token for a display width, and its place."""
        place, source = self._at(token), str(token.attrs["src"])
        if self.reading.fields.refuse(
            source, "in a picture's file name", "Readers all get the same pictures: name one file."
        ):
            return None
        picture = self.reading.gallery.take(source, width, place)
        return (picture, place) if picture else None

    def options(self, token: Token, known: Sequence[str]) -> dict[str, Option]:
        """The options behind an image, by key; what cannot be used is reported."""
        options: Any = token.meta["options"]
        if isinstance(options, Unreadable):
            place = self.reading.at(self.token, self.token.content, options.at, self.place)
            self.reading.wrong(place, str(options), "Write: ![What it shows](photo.jpg){width=300}")
            return {}
        for option in options:
            if option.key not in known:
                place = self.reading.at(self.token, self.token.content, option.at, self.place)
                self.reading.wrong(place, f"a picture has no option “{option.key}”", suggestion(option.key, known))
        return {option.key: option for option in options if option.key in known}

    def width(self, option: Option) -> int:
        """The display width that an option asks for, at most ``room``."""
        place = self.reading.at(self.token, self.token.content, option.value_at, self.place)
        return display_width(self.reading, option.value, place, self.room)

    def alt(self, tokens: Iterable[Token]) -> str:
        """An image's text alternative: its description without any style."""
        parts = []
        for token in tokens:
            if token.type == "text":
                parts.append(self._text(token.content))
            elif token.type == "code_inline":
                parts.append(self.reading.fields.literal(token.content))
            elif token.type in {"softbreak", "hardbreak"}:
                parts.append(" ")
            elif token.type == "image":
                parts.append(self.alt(token.children or ()))
            elif token.type in {"footnote_ref", "missing_note"}:
                self.reading.wrong(self.place, "a footnote may not stand in a picture's description")
        return " ".join("".join(parts).split())


def display_width(reading: Reading, value: str, place: Place, room: int) -> int:
    """A width in CSS pixels from ``full``, ``inset`` or a number; ``room`` when it cannot be one, and at most that."""
    named = {"full": room, "inset": min(reading.widths.inset, room)}
    if value in named:
        return named[value]
    if not re.fullmatch(r"[0-9]{1,5}", value) or not _NARROWEST <= int(value) <= reading.widths.full:
        if not reading.fields.refuse(value, "in a width"):
            reading.wrong(
                place,
                f"“{value}” is not a width",
                f"Write full, inset, or a number of pixels from {_NARROWEST} to {reading.widths.full}.",
            )
        return room
    return min(int(value), room)


def read_inline(reading: Reading, lifted: str, place: Place) -> Inlines:
    """The inline Markdown of a text that stands outside the body: a caption, a dek, a title."""
    if _PLAIN.fullmatch(lifted):
        return (Text(reading.fields.text(lifted)),) if lifted else ()
    token = reading.parser.parseInline(lifted, {"references": reading.references})[0]
    token.map = None
    return InlineReader(reading, token, place, reading.widths.full, notes=False).read()


def plain_text(inlines: Inlines) -> str:
    """The words of inline content without their style."""
    parts = []
    for each in inlines:
        if isinstance(each, Text | Code):
            parts.append(each.text)
        elif isinstance(each, Styled | Link):
            parts.append(plain_text(each.children))
        elif isinstance(each, Break):
            parts.append(" ")
        elif isinstance(each, InlineImage):
            parts.append(each.alt)
    return "".join(parts)


def _joined(inlines: Sequence[Inline]) -> Inlines:
    """Neighbouring texts made one, empty ones left out."""
    done: list[Inline] = []
    for each in inlines:
        if isinstance(each, Text) and done and isinstance(last := done[-1], Text):
            done[-1] = Text(last.text + each.text)
        elif not isinstance(each, Text) or each.text:
            done.append(each)
    return tuple(done)
