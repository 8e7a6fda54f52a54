"""MJML to HTML: the normaliser that cures what the engine gets silently wrong, and the one call of the engine.

The engine is mrml by way of mjml-python. Measured against the official one, it prints attribute
values with Rust's debug formatter (so that a quote ends them early), leaves a zero without a unit
out of its sums, drops a line break between two tags, gives pictures no ``alt``, and repeats an
mj-title inside an attribute.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.errors import BadInput, Problem
from newsletter.model import Place
from newsletter.render import marks
from newsletter.render.markup import Comment, Element, Node, tags
from newsletter.render.nesting import CONTAINERS, check, is_conditional

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_URLS = tags("action background background-url href src")
_VOID = tags("area base br col embed hr img input link meta source track wbr")
_BLOCKS = tags(
    "address article aside blockquote br center dd details div dl dt figcaption figure footer h1 h2 h3 h4 "
    "h5 h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
)
_BARE_ZERO = re.compile(r"(?<![\w.])0(?![\w.%])")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]|[\"\\]")
_BLANK = " \t\r\n"
_SPACE = re.compile(r"[\t\n\r]+ *")


def compile_document(root: Element) -> str:
    """The HTML of a whole ``<mjml>`` tree, marks in their places.

    Raises ``BadInput`` for what ``nesting`` finds, and for what the engine itself refuses.
    """
    from mjml import mjml2html

    if problems := check([root]):
        raise BadInput(problems)
    document, word = marks.to_tokens(serialise(root))
    try:
        html: str = mjml2html(document, disable_comments=True, fonts={})
    except ValueError as error:
        raise BadInput([_refused(str(error), document, root)]) from None
    return marks.from_tokens(html, word)


def _refused(message: str, document: str, root: Element) -> Problem:
    """The engine's own error; it knows a position in the document at best."""
    found = re.search(r"position (\d+)", message)
    excerpt = document.encode()[int(found[1]) : int(found[1]) + 120].decode(errors="replace") if found else ""
    hint = "Compare the theme with the default one: newsletter theme show default."
    return Problem(Place(root.origin.path), f"the MJML engine cannot read this mail: {message}", hint, excerpt)


# -- the normaliser -------------------------------------------------------------------


def serialise(element: Element) -> str:
    """The element as MJML that the engine prints the way the official one does."""
    parts: list[str] = []
    _element(element, parts, pre=False)
    return "".join(parts)


def html_of(nodes: Sequence[Node]) -> str:
    """HTML nodes as text, for use outside MJML."""
    parts: list[str] = []
    _html(nodes, parts, pre=False, block=True)
    return "".join(parts)


def merge_text(nodes: Iterable[Node]) -> list[Node]:
    """Join neighbouring mj-text elements that differ in nothing: one table row less for each paragraph.

    One with a padding of its own stays apart, because it would lose the space to its neighbour.
    """
    merged: list[Node] = []
    for node in nodes:
        if isinstance(node, str) and not node.strip(_BLANK):
            continue
        last = merged[-1] if merged else None
        if isinstance(node, Element) and isinstance(last, Element) and _alike(last, node):
            joined = Element("mj-text", last.attributes, last.line, last.origin)
            joined.children = [*last.children, *node.children]
            merged[-1] = joined
        else:
            merged.append(node)
    return merged


def _alike(one: Element, other: Element) -> bool:
    same = one.tag == other.tag == "mj-text" and one.attributes == other.attributes
    return same and not any("padding" in name for name in one.attributes)


def _element(element: Element, parts: list[str], *, pre: bool) -> None:
    tag = element.tag
    parts.append(f"<{tag}{_attributes(element)}>")
    if tag in _VOID:
        parts[-1] = parts[-1][:-1] + " />"
        return
    if tag in CONTAINERS or tag == "mj-attributes":
        for child in merge_text(element.children):
            if isinstance(child, Element):
                _element(child, parts, pre=False)
    elif tag == "mj-style":
        parts.extend(_css(child) for child in element.children if isinstance(child, str))
    elif tag in {"mj-title", "mj-preview"}:
        parts.extend(_attribute(child) for child in element.children if isinstance(child, str))
    else:
        _html(element.children, parts, pre=pre or tag == "pre", block=tag in _BLOCKS or tag.startswith("mj-"))
    parts.append(f"</{tag}>")


def _html(children: Sequence[Node], parts: list[str], *, pre: bool, block: bool) -> None:
    for index, child in enumerate(children):
        if isinstance(child, Element):
            _element(child, parts, pre=pre)
        elif isinstance(child, Comment):
            if is_conditional(child):
                parts.append(f"<!--{child.text}-->")
        elif "\n" in child and not child.strip(_BLANK):
            parts.append(_blank(children, index, child, pre=pre, block=block))
        else:
            parts.append(child.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _blank(children: Sequence[Node], index: int, text: str, *, pre: bool, block: bool) -> str:
    """White space that holds a line break: the engine would drop it, and between words that joins them."""
    if pre:
        return text.replace("\n", "&#10;")
    before = children[index - 1] if index else None
    after = children[index + 1] if index + 1 < len(children) else None
    edges = (before, after)
    if (None in edges and block) or any(isinstance(edge, Element) and edge.tag in _BLOCKS for edge in edges):
        return ""
    return " "


def _css(text: str) -> str:
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line).replace("&", "&amp;").replace("<", "&lt;")


def _attributes(element: Element) -> str:
    attributes = element.attributes
    if element.tag in {"mj-image", "img"} and "alt" not in attributes:
        attributes = {**attributes, "alt": ""}
    return "".join(f' {name}="{_value(name, value)}"' for name, value in attributes.items())


def _value(name: str, value: str) -> str:
    if "padding" in name:
        value = _BARE_ZERO.sub("0px", value)
    return _attribute(marks.in_url(value) if name in _URLS else value)


def _attribute(value: str) -> str:
    value = _SPACE.sub(" ", value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if _UNPRINTABLE.search(value) is None:
        return value
    return "".join(_UNPRINTABLE.sub(_reference, static) + mark for static, mark in marks.split(value))


def _reference(found: re.Match[str]) -> str:
    return "&quot;" if found[0] == '"' else f"&#x{ord(found[0]):x};"
