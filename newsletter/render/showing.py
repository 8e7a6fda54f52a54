"""An issue as one sort of reader sees it: every ``when`` decided, and the footnotes numbered by what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from newsletter import conditions
from newsletter.model import (
    Cards,
    Columns,
    Footnote,
    ListBlock,
    Note,
    NoteRef,
    Only,
    PullQuote,
    Quote,
    SignOff,
    Sponsor,
    When,
)
from newsletter.render.tree import groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from newsletter.model import Block, Blocks, Issue


def shown(issue: Issue, values: Mapping[str, str]) -> Issue:
    """The issue for a reader with these values, without a ``when`` in it."""
    if not _any_when((*issue.blocks, *(block for note in issue.footnotes for block in note.children))):
        return issue
    notes = tuple(note._replace(children=_decided(note.children, values)) for note in issue.footnotes)
    return _numbered(issue._replace(blocks=_decided(issue.blocks, values), footnotes=notes))


def _any_when(blocks: Blocks) -> bool:
    return any(isinstance(block, When) or any(map(_any_when, _within(block))) for block in blocks)


def _within(block: Block) -> tuple[Blocks, ...]:
    return (block.children,) if isinstance(block, Only) else groups(block)


def _decided(blocks: Blocks, values: Mapping[str, str]) -> Blocks:
    made: list[Block] = []
    for block in blocks:
        if isinstance(block, When):
            chosen = conditions.holds(block.condition, values)
            made.extend(_decided(block.children if chosen else block.otherwise, values))
        elif not any(map(_any_when, _within(block))):
            made.append(block)
        elif (inner := _inside(block, values)) is not None:
            made.append(inner)
    return tuple(made)


def _inside(block: Block, values: Mapping[str, str]) -> Block | None:
    """A block with what stands in it decided; ``None`` where nothing is left that it could be around."""
    match block:
        case ListBlock():
            items = tuple(item for each in block.items if (item := _decided(each, values)) or not each)
            return block._replace(items=items) if items else None
        case Columns():
            columns = tuple(_decided(each, values) for each in block.columns)
            return block._replace(columns=columns) if any(columns) else None
        case Cards():
            return block._replace(
                cards=tuple(each._replace(children=_decided(each.children, values)) for each in block.cards)
            )
        case Quote() | PullQuote() | Note() | Sponsor() | SignOff() | Only():
            children = _decided(block.children, values)
            speaks = isinstance(block, SignOff) or (isinstance(block, Note) and block.title)
            return block._replace(children=children) if children or speaks else None
        case _:
            return block


# -- footnotes ------------------------------------------------------------------------


def _numbered(issue: Issue) -> Issue:
    """Footnotes that no mark is left of are left out, and the others counted as their marks come."""
    notes = {note.number: note for note in issue.footnotes}
    if not notes:
        return issue
    order: list[int] = []
    waiting = [*_refs((issue.dek, issue.blocks, issue.credits))]
    while waiting:
        number = waiting.pop(0)
        if number in notes and number not in order:
            order.append(number)
            waiting += _refs(notes[number].children)
    uses: dict[int, int] = {}
    new = {old: number for number, old in enumerate(order, 1)}

    def renamed(value: Any) -> Any:
        if isinstance(value, NoteRef) and value.number in new:
            number = new[value.number]
            uses[number] = uses.get(number, 0) + 1
            return NoteRef(number, uses[number])
        if not isinstance(value, tuple):
            return value
        inner = (renamed(each) for each in value)
        return type(value)(*inner) if hasattr(value, "_fields") else tuple(inner)

    changed = issue._replace(dek=renamed(issue.dek), blocks=renamed(issue.blocks), credits=renamed(issue.credits))
    children = [renamed(notes[old].children) for old in order]
    footnotes = (Footnote(number, text, uses.get(number, 1)) for number, text in enumerate(children, 1))
    return changed._replace(footnotes=tuple(footnotes))


def _refs(value: Any) -> Iterator[int]:
    if isinstance(value, NoteRef):
        yield value.number
    elif isinstance(value, tuple):
        for each in value:
            yield from _refs(each)
