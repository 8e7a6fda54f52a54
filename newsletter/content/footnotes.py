"""Footnotes: their definitions collected, their texts in the order in which readers meet the marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.content.containers import name_of
from newsletter.content.inline import InlineReader
from newsletter.model import Footnote, Paragraph

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from newsletter.content.blocks import BlockReader
    from newsletter.content.reading import Node, Reading
    from newsletter.model import Blocks


def _walk(nodes: Sequence[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _walk(node.children)


def collect_notes(nodes: Sequence[Node], reading: Reading) -> None:
    """Remember the definitions, so that marks can refer to them."""
    known = reading.notes.definitions
    for node in _walk(nodes):
        if node.token.type == "inline_note_open":
            known[f"^{node.token.meta['id']}"] = node
        elif node.token.type == "footnote_reference_open":
            label = node.token.meta["label"]
            if label in known:
                first = known[label].token.map or [0]
                reading.wrong(
                    reading.line(node.token),
                    f"the footnote “{_name(label, reading)}” is already defined on line {first[0] + 1}",
                    "Give one of the two another name.",
                )
            known[label] = node


def _name(label: str, reading: Reading) -> str:
    return reading.fields.literal(label)


def _for_everybody(note: Node, reading: Reading) -> None:
    """Report conditional parts in a footnote: its mark and its number stand for everybody who sees the text."""
    for node in _walk(note.children):
        if node.token.type == "box_open" and name_of(node.token.info) == "when":
            hint = "Put what the footnote belongs to into ::: when, with a footnote of its own."
            reading.wrong(reading.line(node.token), "a footnote holds no “when”", hint)


def read_notes(body: BlockReader) -> tuple[Footnote, ...]:
    """The notes in the order of their marks; a note's own marks come behind those of the body."""
    reading = body.reading
    notes = reading.notes
    texts: list[Blocks] = []
    while len(texts) < len(notes.order):
        node = notes.definitions[notes.order[len(texts)]]
        if node.token.type == "inline_note_open":
            place, token = notes.places[notes.order[len(texts)]], node.children[0].token
            children: Blocks = (Paragraph(InlineReader(reading, token, place, reading.widths.full).read(), place),)
        else:
            children = body.blocks(node.children)
            _for_everybody(node, reading)
            if not children:
                reading.wrong(
                    reading.line(node.token), f"the footnote “{_name(node.token.meta['label'], reading)}” is empty"
                )
        texts.append(children)
    for label, node in notes.definitions.items():
        if label not in notes.uses and node.token.type == "footnote_reference_open":
            reading.wrong(
                reading.line(node.token),
                f"nothing refers to the footnote “{_name(label, reading)}”",
                f"Write [^{_name(label, reading)}] where it belongs, or delete it.",
            )
    return tuple(
        Footnote(index, text, notes.uses[label])
        for index, (label, text) in enumerate(zip(notes.order, texts, strict=True), 1)
    )
