"""HTML in Markdown: a small safe set, made well-formed; everything else is a problem, never dropped in silence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from newsletter.content.reading import DEEPEST
from newsletter.errors import Problem
from newsletter.model import Place
from newsletter.personal import MARK, escape_html
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from newsletter.content.reading import Reading

    Fault = tuple[str, int, str]  # message, offset, hint

_SAME = (
    "strong", "em", "s", "sub", "sup", "mark", "u", "small", "kbd", "ins", "del", "abbr", "cite", "q", "var",
    "samp",
)  # fmt: skip

INLINE: Mapping[str, str] = {**{name: name for name in _SAME}, "b": "strong", "i": "em", "strike": "s"}
"""The tags that may stand in running text, and the style that each becomes."""

_VOID = frozenset({"br", "hr"})
_BLOCK = frozenset(INLINE).union((
    "a", "address", "blockquote", "br", "caption", "code", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "li", "ol", "p", "pre", "span", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
))  # fmt: skip
_EVERYWHERE = frozenset({"lang", "dir", "title"})
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "a": frozenset({"href"}),
    "td": frozenset({"align", "colspan", "rowspan"}),
    "th": frozenset({"align", "colspan", "rowspan"}),
    "ol": frozenset({"start"}),
}
_HINTS: Mapping[str, str] = {
    "img": "Write a picture as ![What it shows](photo.jpg).",
    "a": "Write a link as [words](https://example.org).",
    "center": "Use a container, or `::: mjml`.",
    "font": "The theme sets the type; use *emphasis* or a container.",
    "video": "Use the container `::: video`.",
    "iframe": "Mail clients show no frames; use `::: video` or a link.",
    "script": "Mail clients run no scripts.",
    "style": "The theme sets the style; for your own layout use `::: mjml`.",
    "form": "Mail clients send no forms; link to a page with one.",
}
_DEFAULT_HINT = "Use Markdown, a container, or `::: mjml` for your own layout."
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*?)(/?)>", re.DOTALL)
_ATTRIBUTE = re.compile(r"([^\s=/]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|(\S+)))?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_VOID_TAG = re.compile(r"<(br|hr)((?:\s+[\w-]+=\"[^\"]*\")*)\s*>")


class InlineTag(NamedTuple):
    """A tag of the safe set in running text."""

    name: str
    closing: bool
    title: str = ""


def inline_tag(content: str, reading: Reading, place: Place, refused: set[str]) -> InlineTag | None:
    """The tag that a piece of HTML in running text is; ``None`` for a comment, and for a problem, which is reported.

    ``refused`` remembers the tags that were refused in this text, so that their ends are not refused again.
    """
    if content.startswith("<!--"):
        return None
    found = _TAG.fullmatch(content)
    if not found:
        reading.wrong(place, f"“{content[:40]}” is not HTML that mail can hold", "Delete it.")
        return None
    name = found[2].lower()
    if name not in INLINE and name != "br":
        if not (found[1] and name in refused):
            reading.wrong(place, f"the HTML tag <{name}> cannot stand in a text", _HINTS.get(name, _DEFAULT_HINT))
        refused.add(name)
        return None
    if reading.fields.refuse(content, "inside an HTML tag"):
        return InlineTag(name, bool(found[1]))
    title = ""
    for attribute in _ATTRIBUTE.finditer(found[3]):
        if attribute[1].lower() == "title" and name == "abbr":
            title = _unescape(attribute[2] or attribute[3] or attribute[4] or "")
        else:
            reading.wrong(
                place,
                f"the attribute “{attribute[1]}” cannot stand in <{name}>",
                "Delete it; the theme sets the style.",
            )
    return InlineTag(name, bool(found[1]), title)


def _unescape(text: str) -> str:
    from html import unescape

    return unescape(text)


# -- blocks ---------------------------------------------------------------------------


def block(content: str, reading: Reading, line: int) -> str:
    """A block of HTML that begins on ``line``, clean and well-formed as XML; empty when nothing is left of it."""
    start = len(reading.problems)
    for message, offset, hint in _faults(content):
        above, column = content.count("\n", 0, offset), offset - content.rfind("\n", 0, offset)
        text = reading.source.line(line + above)
        found = text.find(content[offset - column + 1 :].partition("\n")[0])
        reading.wrong(Place(reading.source.path, line + above, max(found, 0) + column), message, hint)
    for tag in _TAG.finditer(content):
        reading.fields.refuse(tag[0], "inside an HTML tag", "Write a link as [words](https://example.org/{{ code }}).")
    if len(reading.problems) > start:
        return ""
    import nh3

    clean = nh3.clean(
        content,
        tags=set(_BLOCK),
        attributes={"*": set(_EVERYWHERE), **{name: set(names) for name, names in _ATTRIBUTES.items()}},
        url_schemes={"https", "http", "mailto", "tel", "sms"},
        link_rel=None,
    )
    closed = _VOID_TAG.sub(r"<\1\2/>", clean.replace("&nbsp;", "&#160;")).strip()
    if fault := _malformed(closed):
        reading.problems.append(
            Problem(Place(reading.source.path, line), f"this HTML cannot be made well-formed: {fault}", _DEFAULT_HINT)
        )
        return ""
    return reading.fields.text(closed, escape_html)


def _faults(content: str) -> Iterator[Fault]:
    """What is wrong with a block of HTML."""
    # CommonMark lets a comment that is never closed swallow all that follows.
    if (opening := content.rfind("<!--")) >= 0 and "-->" not in content[opening:]:
        yield "this comment is never closed", opening, "Write --> behind it."
    bare = re.sub(r"<!--.*?(?:-->|\Z)", lambda found: re.sub(r"[^\n]", " ", found[0]), content, flags=re.DOTALL)
    tags = [(each[2].lower(), each) for each in _TAG.finditer(bare)]
    refused: set[str] = set()
    for name, tag in tags:
        if name in _BLOCK:
            yield from () if tag[1] else _bad_attributes(name, tag)
        elif not (tag[1] and name in refused):
            refused.add(name)
            yield f"the HTML tag <{name}> cannot stand in a mail's text", tag.start(), _HINTS.get(name, _DEFAULT_HINT)
    yield from _unbalanced([(name, tag) for name, tag in tags if name in _BLOCK and name not in _VOID])
    if (left := re.search(r"<[A-Za-z!?/]", _TAG.sub(lambda tag: " " * len(tag[0]), bare))) is not None:
        yield "this is not HTML that mail can hold", left.start(), "Delete it, or write &lt; for the character itself."


def _unbalanced(tags: Iterable[tuple[str, re.Match[str]]]) -> Iterator[Fault]:
    ends = "A block of HTML ends at the first empty line"
    stack: list[tuple[str, int]] = []
    for name, tag in tags:
        if not tag[1]:
            stack.append((name, tag.start()))
            if len(stack) > 2 * DEEPEST:
                yield f"HTML tags are nested more than {2 * DEEPEST} deep here", tag.start(), "Make it simpler."
                return
        elif stack and stack[-1][0] == name:
            stack.pop()
        else:
            yield f"</{name}> closes nothing here", tag.start(), f"{ends}, and its tags must close in order."
            return
    for name, offset in stack:
        hint = f"{ends}: close the tag before it, or use a container."
        yield f"<{name}> is never closed in its block", offset, hint


def _bad_attributes(name: str, tag: re.Match[str]) -> Iterator[Fault]:
    known = _ATTRIBUTES.get(name, frozenset()) | _EVERYWHERE
    for found in _ATTRIBUTE.finditer(tag[3]):
        key, value = found[1].lower(), found[2] or found[3] or found[4] or ""
        if key not in known:
            hint = (
                "The theme sets the style."
                if key in {"style", "class", "id", "width", "bgcolor"}
                else suggestion(key, sorted(known))
            )
            yield f"the attribute “{key}” cannot stand in <{name}>", tag.start(3) + found.start(), hint
        elif (
            key == "href"
            and not MARK.search(value)
            and (scheme := _SCHEME.match(re.sub(r"[\x00-\x20]", "", _unescape(value))))
        ):
            from newsletter.content.targets import SCHEMES

            if scheme[1].lower() not in SCHEMES:
                yield f"links of the kind “{scheme[1]}:” are not allowed in mail", tag.start(3) + found.start(), ""


def _malformed(text: str) -> str:
    from xml.parsers import expat

    parser = expat.ParserCreate()
    try:
        parser.Parse(f"<html>{text}</html>".encode(), True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        return str(error)
    return ""
