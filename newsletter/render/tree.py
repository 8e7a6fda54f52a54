"""Walking an issue's tree: what is visible where, and what stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from newsletter.model import (
    Button,
    Cards,
    Columns,
    Figure,
    Heading,
    Link,
    ListBlock,
    Note,
    NoteRef,
    Only,
    Paragraph,
    PullQuote,
    Quote,
    SignOff,
    Sponsor,
    Styled,
    Table,
    When,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.model import Block, Blocks, Footnote, Inline, Inlines, Issue

Where = Literal["email", "web"]


def visible(blocks: Blocks, where: Where) -> tuple[Block, ...]:
    """The blocks that show in the mail or on the web page, ``Only`` taken apart."""
    if not any(isinstance(block, Only) for block in blocks):
        return blocks
    found: list[Block] = []
    for block in blocks:
        if not isinstance(block, Only):
            found.append(block)
        elif block.where == where:
            found.extend(visible(block.children, where))
    return tuple(found)


def walk(blocks: Blocks, where: Where) -> Iterator[Block]:
    """Every visible block in reading order, parents first."""
    for block in visible(blocks, where):
        yield block
        for group in groups(block):
            yield from walk(group, where)


def groups(block: Block) -> tuple[Blocks, ...]:
    """The blocks that stand in a block, by the part of it."""
    match block:
        case Quote() | PullQuote() | Note() | Sponsor() | SignOff():
            return (block.children,)
        case ListBlock():
            return block.items
        case Columns():
            return block.columns
        case Cards():
            return tuple(card.children for card in block.cards)
        case When():
            return (block.children, block.otherwise)
        case _:
            return ()


def texts(block: Block) -> tuple[Inlines, ...]:
    """The running text that stands in a block itself, not in its children."""
    match block:
        case Paragraph() | Heading():
            return (block.children,)
        case Figure():
            return (block.caption,)
        case Button():
            return (block.label,)
        case Table():
            return (*block.head, *(cell for row in block.rows for cell in row))
        case _:
            return ()


def inlines(children: Inlines) -> Iterator[Inline]:
    """Every piece of running text in reading order, parents first."""
    for child in children:
        yield child
        if isinstance(child, Styled | Link):
            yield from inlines(child.children)


def headings(issue: Issue, where: Where) -> tuple[Heading, ...]:
    """The section heads for a table of contents: of the two highest levels in use."""
    found = [block for block in walk(issue.blocks, where) if isinstance(block, Heading)]
    top = min((heading.level for heading in found), default=1)
    return tuple(heading for heading in found if heading.level <= max(2, top))


def footnotes(issue: Issue, where: Where) -> tuple[tuple[Footnote, tuple[int, ...]], ...]:
    """The footnotes that visible text refers to, each with its visible uses."""
    uses: dict[int, list[int]] = {note.number: [] for note in issue.footnotes}

    def count(blocks: Blocks) -> None:
        for block in walk(blocks, where):
            for text in texts(block):
                note_refs(text)

    def note_refs(text: Inlines) -> None:
        for each in inlines(text):
            if isinstance(each, NoteRef) and each.number in uses:
                uses[each.number].append(each.occurrence)

    note_refs(issue.dek)
    count(issue.blocks)
    for note in issue.footnotes:
        if uses[note.number]:
            count(note.children)
    return tuple((note, tuple(uses[note.number])) for note in issue.footnotes if uses[note.number])
