"""``::: when CONDITION`` and the ``::: else`` behind it: parts of an issue that some readers get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.content.condition import NotACondition, parse
from newsletter.content.containers import name_of
from newsletter.content.expression import NotAField
from newsletter.model import When

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from newsletter.content.blocks import BlockReader
    from newsletter.content.containers import Box
    from newsletter.content.reading import Node, Reading
    from newsletter.model import Blocks, Condition

_NOTE = "footnote_reference_open"


def pairs(nodes: Sequence[Node]) -> Iterator[tuple[Node, Node | None]]:
    """Every node, a ``when`` with the ``else`` that stands directly behind it."""
    at = 0
    while at < len(nodes):
        node = nodes[at]
        at += 1
        other = None
        if _is(node, "when"):
            # The definition of a footnote shows where its mark is, and parts nothing.
            behind = next((index for index in range(at, len(nodes)) if nodes[index].token.type != _NOTE), len(nodes))
            if behind < len(nodes) and _is(nodes[behind], "else"):
                other, at = nodes[behind], behind + 1
        yield node, other


def _is(node: Node, name: str) -> bool:
    return node.token.type == "box_open" and name_of(node.token.info) == name


def when(box: Box, reader: BlockReader, otherwise: Box | None = None) -> Blocks:
    """The two sides of a ``when``, or the one that the issue's data has chosen."""
    condition = _condition(box, reader.reading)
    nodes = box.node.children
    if str(box.node.token.meta["crowded"]) == "else":  # what belongs outside stands inside, and that is reported
        nodes = [each for node in nodes for each in (node.children if _is(node, "else") else (node,))]
    children = reader.blocks(nodes)
    others = reader.blocks(otherwise.node.children) if otherwise else ()
    if condition is None:
        return ()
    if condition.op in {"and", "or"} and not condition.inner:
        return children if condition.op == "and" else others
    return (When(condition, children, others, box.place),)


def stray_else(box: Box, reader: BlockReader) -> Blocks:
    """An ``else`` that belongs to nothing, which is reported."""
    hint = "It stands directly behind the ::: that closes a “when”, with nothing between the two."
    reader.reading.wrong(box.place, "this “else” belongs to no “when”", hint)
    reader.blocks(box.node.children)
    return ()


def _condition(box: Box, reading: Reading) -> Condition | None:
    hint = 'Write the name alone: ::: when plan == "pro"'
    if reading.fields.refuse(box.title, "in a condition", hint):
        return None
    start = box.info_at + box.title_at
    try:
        return parse(box.title, reading.fields.datum)
    except NotACondition as error:
        reading.wrong(reading.source.place(start + error.at), str(error), error.hint)
    except NotAField as error:
        reading.wrong(reading.source.place(start), str(error), error.hint)
    return None
