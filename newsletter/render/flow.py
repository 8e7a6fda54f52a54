"""Blocks inside blocks to HTML: lists, quotes, notes, footnotes, and everything on the web page.

``Flow`` holds one function for each kind of block; the mail and the web page share the simple
kinds here and bring their own for the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from newsletter.errors import BadInput, Problem
from newsletter.model import Heading, ListBlock, Paragraph, RawHtml, Rule, Table
from newsletter.render.inline import Pen, escape, html, plain, ref_id
from newsletter.render.markup import Element, Node, parse, written
from newsletter.render.mjml import html_of
from newsletter.render.tree import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from newsletter.model import Block, Blocks, Inlines


_PHONE = 38
"""Characters of a table's row that a phone shows without breaking words."""

_LABELLED = 160
"""Cells that are each named for a phone, at most: every name weighs some fifty bytes."""

LAST = "-last"
"""The gap below a block that is the last in its box: none. Styles named so have no lower margin."""


class Flow(NamedTuple):
    """How to write blocks as HTML: the pen, and a function for each kind."""

    pen: Pen
    kinds: Mapping[type, Callable[[Any, Flow, str], str]]

    def blocks(self, blocks: Blocks) -> str:
        """Blocks one below the other; the last one leaves no space below itself."""
        shown = visible(blocks, self.pen.where)
        return "".join([self.block(each, LAST if index == len(shown) else "") for index, each in enumerate(shown, 1)])

    def block(self, block: Block, gap: str = "") -> str:
        """One block.

        Raises ``BadInput`` for a kind that cannot stand inside another one.
        """
        write = self.kinds.get(type(block))
        if write is None:
            message = "MJML stands at the top level only, not inside another block"
            raise BadInput([Problem(block.place, message, "Move the ::: mjml block out of the block around it.")])
        return write(block, self, gap)

    def small(self) -> Flow:
        """The same flow in a box of smaller type."""
        return self._replace(pen=self.pen.small())

    def spaced(self, name: str, content: str, gap: str, *, css: str = "", **attributes: str) -> str:
        """An element whose style loses its lower margin when ``gap`` says that it is the last one."""
        return self.pen.tag(name, content, css=f"{css or name}{gap}", **attributes)


def with_back_links(number: int, uses: tuple[int, ...], content: str, pen: Pen) -> str:
    """A footnote's HTML with a link back to each of its uses, inside its last paragraph."""
    label = pen.words["back"]
    links = "".join(
        [" " + pen.link(f"#{ref_id(number, use)}", "↩\ufe0e", css="a-back", aria_label=label) for use in uses]
    )
    if content.endswith("</p>"):
        return f"{content.removesuffix('</p>')}{links}</p>"
    return f"{content}{links}"


# -- the kinds that are the same in both ----------------------------------------------


def _paragraph(block: Paragraph, flow: Flow, gap: str) -> str:
    return flow.spaced("p", html(block.children, flow.pen), gap)


def heading(block: Heading, flow: Flow, gap: str) -> str:
    """A section head inside another block."""
    del gap
    level = max(2, block.level)
    return flow.pen.tag(f"h{level}", html(block.children, flow.pen), css="head", id=block.anchor)


def _list(block: ListBlock, flow: Flow, gap: str) -> str:
    return _list_html(block, flow, gap)


def _list_html(block: ListBlock, flow: Flow, place: str) -> str:
    name = "ol" if block.ordered else "ul"
    start = str(block.start) if block.ordered and block.start != 1 else ""
    items = "".join(
        [
            flow.pen.tag("li", _item(item, flow, tight=block.tight), css="li" if block.tight else "li-loose")
            for item in block.items
        ]
    )
    return flow.pen.tag(name, items, css=f"list{place}", start=start)


def _item(blocks: Blocks, flow: Flow, *, tight: bool) -> str:
    shown = visible(blocks, flow.pen.where)
    parts: list[str] = []
    for index, block in enumerate(shown, 1):
        gap = LAST if index == len(shown) else ""
        if tight and isinstance(block, Paragraph):
            parts.append(
                html(block.children, flow.pen) + ("<br />" if not gap and isinstance(shown[index], Paragraph) else "")
            )
        elif tight and isinstance(block, ListBlock):
            parts.append(_list_html(block, flow, "-inner"))
        else:
            parts.append(flow.block(block, gap))
    return "".join(parts)


def _rule(_block: Rule, flow: Flow, _gap: str) -> str:
    return f"<hr{flow.pen.attributes('hr', class_='line')} />"


def table(block: Table, flow: Flow) -> str:
    """The table itself; its frame differs."""
    stacks = flow.pen.where == "email" and _stacks(block)
    labels = [escape(plain(cell)) if stacks else "" for cell in block.head]

    def cells(name: str, row: tuple[Inlines, ...]) -> str:
        return "".join(
            [
                _cell(name, cell, block.aligns[index], flow.pen, labels[index] if index and name == "td" else "")
                for index, cell in enumerate(row)
            ]
        )

    head = f"<thead><tr>{cells('th', block.head)}</tr></thead>" if any(block.head) else ""
    body = "".join([f"<tr>{cells('td', row)}</tr>" for row in block.rows])
    return flow.pen.tag("table", f"{head}<tbody>{body}</tbody>", class_="data stack" if stacks else "data")


def _stacks(block: Table) -> bool:
    """Whether a table is too wide for a phone, and small enough to name each of its cells."""
    rows = (block.head, *block.rows)
    wide = sum(max(len(plain(row[index])) for row in rows) + 2 for index in range(len(block.aligns)))
    return wide > _PHONE and len(block.rows) * len(block.aligns) <= _LABELLED and any(block.head)


def _cell(name: str, content: Inlines, align: str, pen: Pen, label: str) -> str:
    scope = "col" if name == "th" else ""
    if pen.where == "web":
        return pen.tag(name, html(content, pen), scope=scope, class_=f"to-{align}" if align else "")
    named = pen.tag("span", f"{label}: ", css="label", class_="label") if label and content else ""
    return pen.tag(
        name, named + html(content, pen), scope=scope, align=align or ("right" if pen.direction == "rtl" else "left")
    )


def _raw(block: RawHtml, flow: Flow, gap: str) -> str:
    nodes = parse(*written(block))
    if flow.pen.where == "email":
        _style(nodes, flow.pen.css)
    return flow.spaced("div", html_of(nodes), gap)


def _style(nodes: list[Node], css: Mapping[str, str]) -> None:
    """Give elements the style of their kind where the author gave none."""
    for node in nodes:
        if isinstance(node, Element):
            style = css.get("list" if node.tag in {"ol", "ul"} else node.tag, "")
            if style and "style" not in node.attributes:
                node.attributes["style"] = style
            _style(node.children, css)


SHARED: Mapping[type, Callable[[Any, Flow, str], str]] = {
    Paragraph: _paragraph,
    Heading: heading,
    ListBlock: _list,
    Rule: _rule,
    RawHtml: _raw,
}
