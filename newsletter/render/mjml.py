"""MJML to HTML: the normaliser that cures what the engine gets silently wrong, and the one call of the engine.

The engine is mrml by way of mjml-python. Measured against the official one, it prints attribute
values with Rust's debug formatter (so that a quote ends them early), leaves a zero without a unit
out of its sums, drops a line break between two tags, gives pictures no ``alt``, repeats an mj-title
inside an attribute, reads the half-open tables of Outlook's comments as tags, and loses some attributes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from newsletter.errors import BadInput, Problem
from newsletter.model import Place
from newsletter.render import marks
from newsletter.render.cures import cure
from newsletter.render.markup import Comment, Element, Node, tags
from newsletter.render.nesting import CONTAINERS, check, is_conditional

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_URLS = tags("action background background-url href src")
_SPOKEN = tags("alt aria-label title")
_VOID = tags("area base br col embed hr img input link meta source track wbr")
_BLOCKS = tags(
    "address article aside blockquote br center dd details div dl dt figcaption figure footer h1 h2 h3 h4 "
    "h5 h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
)
_CARRIED = {
    "mj-button": ("rel", "", ("title",)),
    "mj-image": ("alt", "", ("sizes",)),
    "mj-social-element": ("alt", "", ("srcset", "sizes")),
    "mj-table": ("cellpadding", "0", ("role",)),
}
"""Attributes that the engine loses, and one of the same tag that it prints: they come through in its place."""

_HELD = re.compile("\U000f0004([ac])([0-9]+)\U000f0004")
"""What stands for a part of the mail that the engine must not see: an attribute of another name, or a comment."""

_BODY = '<body style="word-spacing:normal'
_BARE_ZERO = re.compile(r"(?<![\w.])0(?![\w.%])")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]|[\"\\]")
_REFERENCE = re.compile("&#x([0-9a-f]+);")
"""What ``_reference`` writes, for the engine's sake only; an ampersand of the author's is ``&amp;`` before it."""
_PICTURES = tags("img mj-image mj-social-element")
_SPECIAL = re.compile(r"[^\x20-\x7e]|[\"\\&<>]")
_BLANK = " \t\r\n"
_SPACE = re.compile(r"[\t\n\r]+ *")


def compile_document(root: Element) -> str:
    """The HTML of a whole ``<mjml>`` tree, marks in their places.

    Raises ``BadInput`` for what ``nesting`` finds, and for what the engine itself refuses.
    """
    from mjml import mjml2html

    if problems := check([root]):
        raise BadInput(problems)
    cure(root)
    sink = _Sink([], [])
    _element(root, sink, pre=False)
    document, word = marks.to_tokens("".join(sink.parts))
    try:
        html: str = mjml2html(
            _HELD.sub(rf"{word}\1\2z", document) if sink.held else document, disable_comments=True, fonts={}
        )
    except ValueError as error:
        raise BadInput([_refused(str(error), document, root)]) from None
    html = _REFERENCE.sub(lambda found: chr(int(found[1], 16)), html)
    return _on_body(_unheld(marks.from_tokens(html, word), word, sink.held or []), root)


class _Sink(NamedTuple):
    """Where markup is written to, and what is held back from the engine; ``held`` is None where no engine follows."""

    parts: list[str]
    held: list[str] | None = None

    def hold(self, kind: str, text: str) -> str:
        """What to write in place of ``text``."""
        if self.held is None:
            return text
        self.held.append(text)
        return f"\U000f0004{kind}{len(self.held) - 1}\U000f0004"


def _unheld(html: str, word: str, held: Sequence[str]) -> str:
    """The HTML with what was held back in its places."""
    if not held:
        return html
    html = re.sub(rf'[a-z]+="{word}a([0-9]+)z"', lambda found: held[int(found[1])], html)
    return re.sub(rf"{word}c([0-9]+)z", lambda found: held[int(found[1])], html)


def _on_body(html: str, root: Element) -> str:
    """The mail's class also on ``body``, where the official engine has it; ours has it on the div inside."""
    for each in root.children:
        if isinstance(each, Element) and each.tag == "mj-body" and (name := each.attributes.get("css-class")):
            return html.replace(_BODY, f'<body class="{_attribute(name)}"{_BODY[5:]}', 1)
    return html


def _refused(message: str, document: str, root: Element) -> Problem:
    """The engine's own error; it knows a position in the document at best."""
    found = re.search(r"position (\d+)", message)
    excerpt = document.encode()[int(found[1]) : int(found[1]) + 120].decode(errors="replace") if found else ""
    hint = "Compare the theme with the default one: newsletter theme show default."
    return Problem(Place(root.origin.path), f"the MJML engine cannot read this mail: {message}", hint, excerpt)


# -- the normaliser -------------------------------------------------------------------


def serialise(element: Element) -> str:
    """The element as MJML that the engine prints the way the official one does, but for what it must not see."""
    sink = _Sink([])
    _element(element, sink, pre=False)
    return "".join(sink.parts)


def html_of(nodes: Sequence[Node]) -> str:
    """HTML nodes as text, for use outside MJML."""
    sink = _Sink([])
    _html(nodes, sink, pre=False, block=True)
    return "".join(sink.parts)


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
            joined = Element("mj-text", last.attributes, last.line, last.origin, last.number)
            joined.children = [*last.children, *node.children]
            merged[-1] = joined
        else:
            merged.append(node)
    return merged


def _alike(one: Element, other: Element) -> bool:
    same = one.tag == other.tag == "mj-text" and one.attributes == other.attributes
    return same and not any("padding" in name for name in one.attributes)


def _element(element: Element, sink: _Sink, *, pre: bool) -> None:
    tag, parts = element.tag, sink.parts
    parts.append(f"<{tag}{_attributes(element, sink)}>")
    if tag in _VOID:
        parts[-1] = parts[-1][:-1] + " />"
        return
    if tag in CONTAINERS or tag == "mj-attributes":
        for child in merge_text(element.children):
            if isinstance(child, Element):
                _element(child, sink, pre=False)
    elif tag == "mj-style":
        parts.extend(_css(child) for child in element.children if isinstance(child, str))
    elif tag in {"mj-title", "mj-preview"}:
        parts.extend(_attribute(child, spoken=True) for child in element.children if isinstance(child, str))
    else:
        _html(element.children, sink, pre=pre or tag == "pre", block=tag in _BLOCKS or tag.startswith("mj-"))
    parts.append(f"</{tag}>")


def _html(children: Sequence[Node], sink: _Sink, *, pre: bool, block: bool) -> None:
    parts = sink.parts
    for index, child in enumerate(children):
        if isinstance(child, Element):
            _element(child, sink, pre=pre)
        elif isinstance(child, Comment):
            if is_conditional(child):
                parts.append(sink.hold("c", f"<!--{child.text}-->"))
        elif "\n" in child and not child.strip(_BLANK):
            parts.append(_blank(children, index, child, pre=pre, block=block))
        else:
            parts.append(_text(child))


def _text(text: str) -> str:
    """Text as a value of a reader is written (``personal.escape_html``), so that a mail is the same in both ways."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("'", "&#39;")


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


def _attributes(element: Element, sink: _Sink) -> str:
    attributes, tag = element.attributes, element.tag
    if tag in _PICTURES and "alt" not in attributes:
        attributes = {**attributes, "alt": ""}
    if sink.held is not None and tag in _CARRIED and any(lost in attributes for lost in _CARRIED[tag][2]):
        carrier, default, lost = _CARRIED[tag]
        attributes = {carrier: default, **attributes} if default else attributes
        together = _written({each: attributes[each] for each in (carrier, *lost) if each in attributes})
        rest = {name: value for name, value in attributes.items() if name != carrier and name not in lost}
        return f'{_written(rest)} {carrier}="{sink.hold("a", together[1:])}"'
    return _written(attributes)


def _written(attributes: Mapping[str, str]) -> str:
    return "".join([f' {name}="{_value(name, value)}"' for name, value in attributes.items()])


def _value(name: str, value: str) -> str:
    if "padding" in name:
        value = _BARE_ZERO.sub("0px", value)
    elif name in _URLS and not value.isascii():
        value = marks.in_url(value)
    spoken = name in _SPOKEN
    return _attribute(value, spoken=spoken) if spoken or _SPECIAL.search(value) else value


def _attribute(value: str, *, spoken: bool = False) -> str:
    """A value between double quotes; ``spoken`` words are escaped as ``_text`` does it."""
    value = _SPACE.sub(" ", value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if spoken:
        value = value.replace('"', "&quot;").replace("'", "&#39;")
    if _UNPRINTABLE.search(value) is None:
        return value
    return "".join([_UNPRINTABLE.sub(_reference, static) + mark for static, mark in marks.split(value)])


def _reference(found: re.Match[str]) -> str:
    return "&quot;" if found[0] == '"' else f"&#x{ord(found[0]):x};"
