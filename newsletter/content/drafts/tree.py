"""HTML of any quality as a tree: parsed by the sanitiser's HTML5 parser, which closes and nests as browsers do."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, TypeAlias, Union

from newsletter.content.drafts.escape import clean
from newsletter.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    Attributes: TypeAlias = list[tuple[str, str | None]]

DROPPED = frozenset({
    "script", "style", "iframe", "object", "embed", "applet", "noscript", "template", "svg", "video", "audio", "canvas",
    "input", "select", "textarea", "meta", "link", "base", "frame", "frameset", "param", "map", "dialog",
})  # fmt: skip
"""Elements that no mail can hold, or that are not text."""

BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dir", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr",
    "html", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "search", "section", "summary", "table", "tbody",
    "td", "tfoot", "th", "thead", "title", "tr", "ul", "head",
})  # fmt: skip

_INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "br", "button", "cite", "code", "data", "del", "dfn",
    "em", "font", "i", "img", "ins", "kbd", "label", "mark", "picture", "q", "rp", "rt", "ruby", "s", "samp",
    "small", "source", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
})  # fmt: skip
_ATTRIBUTES = frozenset({
    "href", "src", "srcset", "data-src", "data-original", "data-lazy-src", "alt", "class", "id", "lang",
    "width", "height", "start", "value", "type", "colspan", "rowspan", "align", "role", "hidden", "style",
    "data", "reversed", "title",
})  # fmt: skip
_SCHEMES = frozenset({
    "http", "https", "mailto", "tel", "sms", "data", "javascript", "vbscript", "file", "ftp", "ftps", "sftp", "cid",
    "blob", "about", "irc", "xmpp", "sip", "sips", "geo", "magnet", "news", "webcal", "skype", "whatsapp",
})  # fmt: skip
_VOID = frozenset({
    "area", "base", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "param", "source", "wbr",
})  # fmt: skip
_RAW = frozenset({"script", "style", "iframe", "noscript"})
_DEEPEST, _TOO_DEEP = 100, 3000
# Those that HTML closes by itself are often left open, and stand beside each other.
_NESTING = re.compile(
    r"<(/?)(?!(?:p|li|td|th|tr|tbody|thead|tfoot|dt|dd|option|br|hr|img|input|meta|link|col|wbr|source|area|base|embed)\b)"
    r"[a-z][^<>]*(?<!/)>", re.IGNORECASE,
)  # fmt: skip

Node: TypeAlias = Union[str, "Element"]


class Element:
    """A tag with what stands in it."""

    __slots__ = ("attributes", "children", "tag")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Node] = []

    def get(self, name: str) -> str:
        """An attribute, empty without it."""
        return self.attributes.get(name, "")

    def all(self) -> Iterator[Element]:
        """This element and every one in it, in the order of the text."""
        stack: list[Element] = [self]
        while stack:
            each = stack.pop()
            yield each
            stack += [child for child in reversed(each.children) if isinstance(child, Element)]

    def find(self, *tags: str) -> list[Element]:
        """The elements in it with one of these tags."""
        return [each for each in self.all() if each.tag in tags and each is not self]

    def take_out(self, wanted: Element) -> None:
        """Remove an element from wherever it stands in this one."""
        for each in self.all():
            each.children = [child for child in each.children if child is not wanted]

    def as_is(self) -> str:
        """Its characters with every space and line."""
        return "".join(
            child if isinstance(child, str) else "\n" if child.tag == "br" else child.as_is() for child in self.children
        )

    def text(self) -> str:
        """Its words, without those of what is dropped."""
        parts: list[str] = []
        stack: list[Node] = [self]
        while stack:
            each = stack.pop()
            if isinstance(each, str):
                parts.append(each)
            elif each.tag not in DROPPED:
                if each.tag in BLOCKS or each.tag == "br":
                    parts.append(" ")
                stack += reversed(each.children)
        return " ".join("".join(parts).split())


class _Builder(HTMLParser):
    """Builds the tree from what the sanitiser wrote, which is well-formed but for raw text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.stack = [self.root]
        self.raw = ""

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if self.raw:
            return
        made = Element(tag, {key: clean(value or "") for key, value in attrs})
        self.stack[-1].children.append(made)
        if tag not in _VOID:
            # What is nested deeper stays, beside its parent instead of in it.
            self.stack.append(made if len(self.stack) < _DEEPEST else self.stack[-1])
            self.raw = tag if tag in _RAW else ""

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.raw and tag != self.raw:
            return
        self.raw = ""
        if tag not in _VOID and len(self.stack) > 1:
            self.stack.pop()

    def handle_data(self, data: str) -> None:
        if not self.raw:
            # An entity can bring in what the source itself could not hold.
            self.stack[-1].children.append(clean(data))


def _depth(html: str) -> int:
    """How deep tags may stand in each other: the parser takes a minute for what is deeper than any page."""
    depth = deepest = 0
    for found in _NESTING.finditer(html):
        depth = max(0, depth - 1) if found[1] else depth + 1
        deepest = max(deepest, depth)
    return deepest


def parse(html: str) -> Element:
    """The tree of a page or a piece of one; ``<html>``, ``<head>`` and ``<body>`` themselves are not in it."""
    import nh3

    if _depth(html) > _TOO_DEEP:
        message = f"the tags of this HTML stand more than {_TOO_DEEP:,} deep in each other"
        raise BadInput(message, hint="Save the article alone: a reader view, or copied into a new document.")
    clean = nh3.clean(
        # A new line that opens <pre> is no part of it; the parser takes one off, and so would the second one.
        re.sub(r"(<pre\b[^>]*>)(?=\n)", "\\1\n", html, flags=re.IGNORECASE),
        tags=set(DROPPED | BLOCKS | _INLINE),
        clean_content_tags=set(),
        attributes={"*": set(_ATTRIBUTES)},
        generic_attribute_prefixes={"on"},
        url_schemes=set(_SCHEMES),
        link_rel=None,
    )
    builder = _Builder()
    builder.feed(clean)
    builder.close()
    return builder.root


class _Head(HTMLParser):
    """What a page says of itself."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.facts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag == "html" and values.get("lang"):
            self.facts.setdefault("lang", values["lang"])
        elif tag == "meta" and values.get("content"):
            self.facts.setdefault((values.get("name") or values.get("property", "")).lower(), values["content"])
        elif tag == "base" and values.get("href"):
            self.facts.setdefault("base", values["href"])
        elif tag == "link" and "canonical" in values.get("rel", "").lower().split():
            self.facts.setdefault("canonical", values.get("href", ""))


def head(html: str) -> dict[str, str]:
    """``lang``, ``base``, ``canonical`` and every ``<meta>`` by its name, as far as they are given."""
    reader = _Head()
    reader.feed(re.split(r"</head\s*>|<body\b", html, maxsplit=1, flags=re.IGNORECASE)[0][:200_000])
    return reader.facts
