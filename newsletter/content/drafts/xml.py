"""XML as a tree of elements with namespaces, from a parser that declares no entities and asks nobody for files."""

from __future__ import annotations

import re
from html.entities import html5
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

_CDATA = re.compile(r"(<!\[CDATA\[.*?\]\]>)", re.DOTALL)
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]*);")
_BARE = re.compile(r"&(?!(?:#\d+|#x[0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);)")
_OWN = frozenset({"amp", "lt", "gt", "quot", "apos"})
_DEEPEST = 200


class Unreadable(ValueError):
    """Why a text is no XML, and on which line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def parse(text: str) -> Element:
    """The root of a document; HTML's entities and a bare ``&``, which feeds are full of, are mended.

    Raises ``Unreadable``.
    """
    text = re.sub(r"^\s*<\?xml[^>]*\?>", lambda found: "\n" * found[0].count("\n"), text)
    try:
        return _parsed(text)
    except Unreadable as error:
        mended = "".join(each if each.startswith("<![CDATA[") else _mended(each) for each in _CDATA.split(text))
        if mended == text:
            raise
        try:
            return _parsed(mended)
        except Unreadable:
            raise error from None


def _mended(text: str) -> str:
    def entity(found: re.Match[str]) -> str:
        if found[1] in _OWN:
            return found[0]
        return html5.get(f"{found[1]};", f"&amp;{found[1]};")

    return _NAMED.sub(entity, _BARE.sub("&amp;", text))


def _parsed(text: str) -> Element:
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate("utf-8", "\n")
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise Unreadable("it is nested too deep", parser.CurrentLineNumber)
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise Unreadable("it declares entities of its own, which are not read", parser.CurrentLineNumber)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)  # noqa: FBT003 - expat's own signature
    except expat.ExpatError as error:
        raise Unreadable(expat.ErrorString(error.code), error.lineno) from None
    return builder.close()


def name(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("\n")[2].lower()


def space(element: Element) -> str:
    """An element's namespace."""
    return element.tag.rpartition("\n")[0]
