"""Markdown's block tokens become blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from newsletter.content import boxes, choosing, html
from newsletter.content.containers import read_box
from newsletter.content.footnotes import collect_notes, read_notes
from newsletter.content.inline import InlineReader, display_width, plain_text, read_inline
from newsletter.content.lone import lone_image
from newsletter.content.reading import DEEPEST, Node
from newsletter.model import (
    CodeBlock,
    Figure,
    Heading,
    ListBlock,
    Paragraph,
    Quote,
    RawHtml,
    Rule,
    Table,
)
from newsletter.personal import PRIVATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from markdown_it.token import Token

    from newsletter.content.options import Option
    from newsletter.content.reading import Reading
    from newsletter.model import Align, Block, Blocks, Footnote, Inlines

_DEEPER = frozenset({"blockquote_open", "list_item_open", "box_open", "footnote_reference_open"})
_NOTES = frozenset({"footnote_reference_open", "inline_note_open"})


def read_body(reading: Reading) -> tuple[Blocks, tuple[Footnote, ...]]:
    """The blocks and footnotes of the source of ``reading``."""
    env: dict[str, object] = {}
    try:
        tokens = reading.parser.parse(reading.source.text, env)
    except RecursionError:
        reading.wrong(reading.source.place(0), "this is nested too deep to be read", "Look for long rows of brackets.")
        return (), ()
    reading.references.update(cast("dict[str, object]", env.get("references", {})))
    nodes = _nest(tokens, reading)
    collect_notes(nodes, reading)
    body = BlockReader(reading, reading.widths.full)
    blocks = body.blocks(nodes)
    return blocks, read_notes(body)


def _nest(tokens: Sequence[Token], reading: Reading) -> list[Node]:
    """The tokens as a tree, cut off where it gets too deep."""
    root = Node(tokens[0]) if tokens else None
    stack = [root] if root else []
    depth, deepest = 0, 0
    for token in tokens:
        if token.nesting < 0:
            depth -= stack.pop().token.type in _DEEPER
            continue
        node = Node(token)
        if depth <= DEEPEST:
            stack[-1].children.append(node)
        if token.nesting > 0:
            stack.append(node)
            depth += token.type in _DEEPER
            if depth > DEEPEST >= deepest:
                reading.wrong(reading.line(token), f"this is nested more than {DEEPEST} deep", "Make it simpler.")
            deepest = max(deepest, depth)
    return root.children if root else []


# -- blocks ---------------------------------------------------------------------------


class BlockReader:
    """Makes blocks of nodes; ``room`` is how wide a picture may be here, in CSS pixels."""

    def __init__(self, reading: Reading, room: int) -> None:
        self.reading = reading
        self.room = room

    def within(self, room: int) -> BlockReader:
        """The same with less room."""
        return BlockReader(self.reading, min(room, self.room))

    def blocks(self, nodes: Sequence[Node], parent: str | None = "") -> Blocks:
        """The blocks of some nodes; ``parent`` is as for ``read_box``."""
        return tuple(
            block for node, other in choosing.pairs(nodes) for block in self._block(node, parent, otherwise=other)
        )

    def _block(self, node: Node, parent: str | None, *, otherwise: Node | None = None) -> Blocks:
        token = node.token
        if token.type in _NOTES:
            return ()
        if token.type == "stray":
            hint = (
                "Delete it, or open a container before it. A container that holds others needs more colons than they."
            )
            self.reading.wrong(
                self.reading.source.place(token.meta["at"]), f"this {_colons(self.reading, token)} closes nothing", hint
            )
            return ()
        if token.type == "box_open":
            box = read_box(node, self.reading, parent)
            if box is None:
                # What stands in it is read all the same, for its own problems.
                self.blocks(node.children, None)
                return ()
            other = read_box(otherwise, self.reading, parent) if otherwise else None
            return choosing.when(box, self, other) if other else boxes.build(box, self)
        made = self._markdown(node)
        return (made,) if made else ()

    def _markdown(self, node: Node) -> Block | None:
        makers: Mapping[str, Callable[[Node], Block | None]] = {
            "paragraph_open": self._paragraph,
            "heading_open": self._heading,
            "bullet_list_open": self._list,
            "ordered_list_open": self._list,
            "blockquote_open": lambda node: Quote(self.blocks(node.children), self.reading.line(node.token)),
            "fence": self._code,
            "code_block": self._code,
            "hr": lambda node: Rule(self.reading.line(node.token)),
            "table_open": self._table,
            "html_block": self._html,
        }
        return makers[node.token.type](node)

    def inlines(self, node: Node) -> Inlines:
        """The content of the inline token in a paragraph, heading or cell."""
        return self._inline(node).read() if node.children else ()

    def _inline(self, node: Node) -> InlineReader:
        token = node.children[0].token
        return InlineReader(self.reading, token, self.reading.line(token), self.room)

    def _paragraph(self, node: Node) -> Block | None:
        if lone_image(node):
            return self.figure(node)
        children = self.inlines(node)
        return Paragraph(children, self.reading.line(node.token)) if children else None

    def figure(self, node: Node, box: Mapping[str, Option] | None = None) -> Figure | None:
        """The figure that a paragraph with only a picture is; ``box`` are the options of ``::: figure``."""
        found = lone_image(node)
        if found is None:
            return None
        link, image = found
        inline = self._inline(node)
        options = inline.options(image, ("width",))
        width = inline.width(options["width"]) if "width" in options else self.room
        if box and "width" in box:
            width = display_width(self.reading, box["width"].value, inline.place, self.room)
        taken = inline.picture(image, width)
        # Read in any case, for their own problems.
        alt = inline.alt(image.children or ())
        caption = read_inline(self.reading, str(image.attrs.get("title", "")), inline.place)
        href = boxes.link(self.reading, str(link.attrs["href"]), inline.place) if link else ""
        if taken is None:
            return None
        picture, place = taken
        asked = "width" in options or bool(box and "width" in box)
        return Figure(picture, alt, caption, "", width if asked else min(width, picture.width), place, href)

    def _heading(self, node: Node) -> Heading:
        token = node.token
        children, place = self.inlines(node), self.reading.line(token)
        anchor = token.meta.get("anchor")
        if anchor in self.reading.anchors:
            self.reading.wrong(
                place, f"the anchor “{anchor}” is already taken by another heading", "Give one of the two another name."
            )
        if anchor:
            self.reading.anchors[anchor] = 1
        return Heading(
            int(token.tag[1]), children, anchor or self.reading.anchor(PRIVATE.sub("", plain_text(children))), place
        )

    def _html(self, node: Node) -> RawHtml | None:
        place = self.reading.line(node.token)
        clean = html.block(node.token.content, self.reading, place.line)
        return RawHtml(clean, place) if clean else None

    def _code(self, node: Node) -> CodeBlock:
        token, fields = node.token, self.reading.fields
        place = self.reading.line(token)
        if token.type == "fence" and token.map:
            last = self.reading.source.line(token.map[1]).strip(" \t>")
            if token.map[1] - token.map[0] < 2 or last.strip(token.markup[0]) or len(last) < len(token.markup):
                self.reading.wrong(
                    place, "this code block is never closed", f"Write {token.markup} on a line of its own behind it."
                )
        language = fields.literal(token.info.strip()).partition(" ")[0]
        return CodeBlock(fields.literal(token.content).removesuffix("\n"), language, place)

    def _list(self, node: Node) -> ListBlock:
        token = node.token
        tight = all(
            child.token.hidden
            for item in node.children
            for child in item.children
            if child.token.type == "paragraph_open"
        )
        items = tuple(self.blocks(item.children) for item in node.children)
        return ListBlock(
            token.type == "ordered_list_open", int(token.attrs.get("start", 1)), items, tight, self.reading.line(token)
        )

    def _table(self, node: Node) -> Table:
        rows = [row for part in node.children for row in part.children]
        head, *body = [tuple(self.inlines(cell) for cell in row.children) for row in rows]
        aligns = tuple(
            cast("Align", str(cell.token.attrs.get("style", "")).partition(":")[2]) for cell in rows[0].children
        )
        for row in rows:
            self._lost_cells(row, len(aligns))
        return Table(head, tuple(body), aligns, self.reading.line(node.token))

    def _lost_cells(self, row: Node, columns: int) -> None:
        """Markdown drops the cells that a row has too many."""
        from markdown_it.rules_block.table import escapedSplit

        place = self.reading.line(row.token)
        line = re.sub(r"^[\s>]*(?:[-*+]\s|\d+[.)]\s)?\s*", "", self.reading.source.line(place.line)).strip()
        cells = escapedSplit(line)
        count = len(cells) - (not cells[0].strip()) - (len(cells) > 1 and not cells[-1].strip())
        if count > columns:
            self.reading.wrong(
                place,
                f"this row has {count} cells, and the table {columns} columns",
                r"Write \| for a bar that is not the edge of a cell.",
            )


def _colons(reading: Reading, token: Token) -> str:
    found = re.match(":+", reading.source.text[token.meta["at"] :])
    return found[0] if found else ":::"
