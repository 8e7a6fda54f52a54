"""The author's own HTML and MJML as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from newsletter.render.markup import Element, Node, parse, tags, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.model import RawHtml, RawMjml

_HIDDEN = tags("mj-attributes mj-style script style template")
_BREAKS = tags(
    "address article aside blockquote dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr "
    "li main ol p pre section table tr ul mj-section mj-column mj-text mj-button mj-image mj-table mj- "
    "social mj-accordion mj-wrapper"
)


class Linker(Protocol):
    """What numbers links."""

    def link(self, href: str, label: str) -> str:
        """The label with its link's number."""
        ...


def paragraphs(block: RawHtml | RawMjml, links: Linker) -> list[str]:
    """The text of raw markup, one string for each paragraph."""
    found: list[list[str]] = [[]]
    _walk(parse(*written(block)), links, found)
    texts = ("\n".join(" ".join(line.split()) for line in "".join(parts).split("\x00")) for parts in found)
    return [text.strip("\n") for text in texts if text.strip()]


def _walk(nodes: Sequence[Node], links: Linker, found: list[list[str]]) -> None:
    for node in nodes:
        if isinstance(node, str):
            found[-1].append(node)
        elif isinstance(node, Element) and node.tag not in _HIDDEN:
            _element(node, links, found)


def _element(element: Element, links: Linker, found: list[list[str]]) -> None:
    tag, attributes = element.tag, element.attributes
    if tag in _BREAKS:
        found.append(["- "] if tag == "li" else [])
    if tag == "br":
        found[-1].append("\x00")
    elif tag in {"img", "mj-image"}:
        alt = attributes.get("alt", "")
        found[-1].append(links.link(attributes.get("href", ""), f"[{alt}]") if alt else "")
    elif tag in {"a", "mj-button", "mj-social-element"}:
        inner: list[list[str]] = [[]]
        _walk(element.children, links, inner)
        label = " ".join("".join("".join(parts) for parts in inner).split())
        found[-1].append(links.link(attributes.get("href", ""), label) if label else "")
    else:
        _walk(element.children, links, found)
        if tag in {"td", "th"}:
            found[-1].append(" ")
    if tag in _BREAKS:
        found.append([])
