"""What every kind of source is read into: an ``Article`` of blocks, and the ``Draft`` that is recognised in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

# -- running text -----------------------------------------------------------------------


class Words(NamedTuple):
    """Text as readers see it, with no markup in it."""

    text: str


class Code(NamedTuple):
    text: str


class Styled(NamedTuple):
    """``style`` is a tag that may stand in running text, such as ``em``."""

    style: str
    children: Inlines


class Link(NamedTuple):
    href: str
    children: Inlines


class Image(NamedTuple):
    """A picture as the source names it: a path, an address or a ``data:`` URI; ``base`` is where the page lay."""

    source: str
    alt: str
    base: str = ""


class Mention(NamedTuple):
    """The mark of a footnote."""

    label: str


class Break(NamedTuple):
    """A new line in the same paragraph."""


Inline: TypeAlias = Words | Code | Styled | Link | Image | Mention | Break
Inlines: TypeAlias = "tuple[Inline, ...]"

# -- blocks -----------------------------------------------------------------------------


class Paragraph(NamedTuple):
    children: Inlines


class Heading(NamedTuple):
    level: int
    children: Inlines


class Figure(NamedTuple):
    """A picture of its own, perhaps inside a link."""

    image: Image
    caption: Inlines = ()
    credit: str = ""
    href: str = ""


class Items(NamedTuple):
    """A list; without a ``start`` it has bullets."""

    items: tuple[Blocks, ...]
    start: int | None = None


class Cite(NamedTuple):
    """A quotation."""

    children: Blocks


class Box(NamedTuple):
    """A note with a bold lead-in."""

    title: str
    children: Blocks


class Verbatim(NamedTuple):
    """Lines that stay as they are."""

    text: str
    language: str = ""


class Grid(NamedTuple):
    """A table of rows with equally many cells; the first row is its head, empty where it has none."""

    rows: tuple[tuple[Inlines, ...], ...]
    aligns: tuple[str, ...]


class Rule(NamedTuple):
    """A line across."""


class Remark(NamedTuple):
    """A comment for the author, which no reader sees."""

    text: str


Block: TypeAlias = Paragraph | Heading | Figure | Items | Cite | Box | Verbatim | Grid | Rule | Remark
Blocks: TypeAlias = "tuple[Block, ...]"
Notes: TypeAlias = "tuple[tuple[str, Blocks], ...]"

# -- the whole --------------------------------------------------------------------------


class Facts(NamedTuple):
    """What a source says about itself outside of its text; empty where it says nothing."""

    title: str = ""
    dek: str = ""
    authors: tuple[str, ...] = ()
    lang: str = ""
    url: str = ""


class Article(NamedTuple):
    """A source as it was read; ``loose`` is whether heads and the like are told by their looks alone.

    ``doubts`` are what reading it left uncertain.
    """

    blocks: Blocks
    notes: Notes = ()
    facts: Facts = Facts()
    loose: bool = False
    doubts: tuple[str, ...] = ()


class Draft(NamedTuple):
    """An issue to be written; ``sources`` are the words from which a key was made, ``doubts`` what to look at."""

    title: str
    blocks: Blocks
    notes: Notes = ()
    kicker: str = ""
    dek: Inlines = ()
    authors: tuple[str, ...] = ()
    place: str = ""
    date: str = ""
    credits: tuple[Inlines, ...] = ()
    lang: str = ""
    url: str = ""
    sources: tuple[tuple[str, str], ...] = ()
    doubts: tuple[str, ...] = ()


# -- helpers ----------------------------------------------------------------------------


def plain(children: Inlines) -> str:
    """The words of running text; a break is a space."""
    return "".join(_plain(each) for each in children)


def _plain(inline: Inline) -> str:
    if isinstance(inline, Words | Code):
        return inline.text
    if isinstance(inline, Styled | Link):
        return plain(inline.children)
    if isinstance(inline, Break):
        return " "
    return inline.alt if isinstance(inline, Image) else ""


def holds(children: Inlines, *kinds: type) -> bool:
    """Whether something of these kinds stands anywhere in running text."""
    return any(
        isinstance(each, kinds) or (isinstance(each, Styled | Link) and holds(each.children, *kinds))
        for each in children
    )


def without(children: Inlines, count: int) -> Inlines:
    """Running text without its first ``count`` characters, and without the space behind them."""
    left = list(children)
    done: list[Inline] = []
    while left:
        each = left.pop(0)
        text = _plain(each)
        if count >= len(text) and not (count == 0 and text.strip()):
            count -= len(text)
            if isinstance(each, Mention):
                done.append(each)
            continue
        if isinstance(each, Words):
            done.append(Words(each.text[count:].lstrip() if not done else each.text[count:]))
        elif isinstance(each, Styled | Link):
            done.append(each._replace(children=without(each.children, count)))
        else:
            done.append(each)
        break
    return (*done, *left)


def lines(children: Inlines) -> Iterator[Inlines]:
    """Running text cut at its breaks; a style or link around a break keeps it together."""
    line: list[Inline] = []
    for each in children:
        if isinstance(each, Break):
            yield tuple(line)
            line = []
        else:
            line.append(each)
    yield tuple(line)
