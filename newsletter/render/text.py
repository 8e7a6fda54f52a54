"""The text part: an issue's blocks as plain text, with links as numbered references at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from newsletter.model import (
    Break,
    Button,
    Cards,
    Code,
    CodeBlock,
    Columns,
    Contents,
    Figure,
    Heading,
    InlineImage,
    Link,
    ListBlock,
    Note,
    NoteRef,
    Paragraph,
    PullQuote,
    Quote,
    RawHtml,
    RawMjml,
    Rule,
    SignOff,
    Social,
    Sponsor,
    Styled,
    Table,
    Text,
    Video,
)
from newsletter.render import marks
from newsletter.render.inline import plain
from newsletter.render.textraw import paragraphs
from newsletter.render.texttable import rows
from newsletter.render.tree import visible
from newsletter.render.words import service
from newsletter.render.wrap import KEEP, Ruler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from newsletter.model import Block, Blocks, Card, Footnote, Inlines
    from newsletter.render.words import Words

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_AROUND = {"strong": ("*", "*"), "em": ("_", "_"), "s": ("~", "~"), "del": ("~", "~"), "q": ("“", "”")}


class TextWriter:
    """Writes blocks as lines and keeps the list of links."""

    def __init__(self, ruler: Ruler, words: Words, headings: Sequence[Heading]) -> None:
        self.ruler, self.words, self.headings = ruler, words, headings
        self._links: dict[str, int] = {}

    # -- running text -----------------------------------------------------------------

    def inline(self, children: Inlines) -> str:
        """Running text; a hard break is a line break."""
        return "".join([_INLINE[type(child)](self, child) for child in children])

    def link(self, href: str, label: str) -> str:
        """A label with the number of its link; an address that is its own label stands as it is."""
        if not href or href.startswith("#"):
            return label
        if label in {href, href.removeprefix("mailto:"), href.removeprefix("https://"), href.removeprefix("http://")}:
            return marks.in_url(label)
        number = self._links.setdefault(marks.in_url(href), len(self._links) + 1)
        return f"{label}{KEEP}[{number}]"

    def image(self, alt: str) -> str:
        """A picture's words, or nothing for one that only decorates."""
        return f"[{self.words['image']}: {alt}]" if alt else ""

    def links(self) -> list[str]:
        """The list of links, in the order of their numbers; an address is never wrapped."""
        return [f"[{number}] {href}" for href, number in self._links.items()]

    # -- blocks -----------------------------------------------------------------------

    def blocks(self, blocks: Blocks, first: str = "", rest: str | None = None, *, tight: bool = False) -> list[str]:
        """Lines of blocks, an empty line between them; ``first`` and ``rest`` are put before the lines."""
        rest = first if rest is None else rest
        lines: list[str] = []
        for block in visible(blocks, "email"):
            found = self.block(block, rest if lines else first, rest)
            if lines and found and not tight:
                lines.append(rest.rstrip())
            lines += found
        return lines

    def block(self, block: Block, first: str, rest: str) -> list[str]:
        """The lines of one block."""
        return _KINDS[type(block)](self, block, first, rest)

    def footnotes(self, notes: Sequence[tuple[Footnote, tuple[int, ...]]]) -> list[str]:
        """The footnotes, each begun by its number."""
        return [line for note, _ in notes for line in self.blocks(note.children, f"{raised(note.number)} ", "  ")]


def _styled(writer: TextWriter, child: Styled) -> str:
    before, after = _AROUND.get(child.style, ("", ""))
    return f"{before}{writer.inline(child.children)}{after}"


_INLINE: Mapping[type, Callable[[TextWriter, Any], str]] = {
    Text: lambda _writer, child: child.text.replace("\n", " "),
    Code: lambda _writer, child: f"`{child.text}`",
    Break: lambda _writer, child: "\n" if child.hard else " ",
    Styled: _styled,
    Link: lambda writer, child: writer.link(child.href, writer.inline(child.children)),
    InlineImage: lambda writer, child: writer.image(child.alt),
    NoteRef: lambda _writer, child: raised(child.number),
}


# -- one function for each kind of block ------------------------------------------------


def _paragraph(writer: TextWriter, block: Paragraph, first: str, rest: str) -> list[str]:
    return writer.ruler.wrap(writer.inline(block.children), first, rest)


def _quote(writer: TextWriter, block: Quote, first: str, rest: str) -> list[str]:
    return writer.blocks(block.children, f"{first}> ", f"{rest}> ")


def _pull_quote(writer: TextWriter, block: PullQuote, first: str, rest: str) -> list[str]:
    lines = writer.blocks(block.children, f"{first}> ", f"{rest}> ")
    return lines + (writer.ruler.wrap(f"— {block.source}", f"{rest}> ") if block.source else [])


def _note(writer: TextWriter, block: Note, first: str, rest: str) -> list[str]:
    return _boxed(writer, block.title, block.children, first, rest)


def _sponsor(writer: TextWriter, block: Sponsor, first: str, rest: str) -> list[str]:
    label = writer.words["sponsor"].format(name=block.name) if block.name else writer.words["sponsor_plain"]
    return _boxed(writer, label, block.children, first, rest)


def _button(writer: TextWriter, block: Button, first: str, rest: str) -> list[str]:
    return writer.ruler.wrap(f"→ {writer.link(block.href, writer.inline(block.label))}", first, f"{rest}  ")


def _video(writer: TextWriter, block: Video, first: str, rest: str) -> list[str]:
    return writer.ruler.wrap(f"▶ {writer.link(block.href, block.title or writer.words['watch'])}", first, f"{rest}  ")


def _columns(writer: TextWriter, block: Columns, first: str, rest: str) -> list[str]:
    return writer.blocks(tuple(each for column in block.columns for each in column), first, rest)


def _table(writer: TextWriter, block: Table, first: str, rest: str) -> list[str]:
    cells = [[writer.inline(cell) for cell in row] for row in (block.head, *block.rows)]
    return _prefixed(rows(cells, block.aligns, writer.ruler, writer.ruler.width(rest)), first, rest)


def _code(_writer: TextWriter, block: CodeBlock, first: str, rest: str) -> list[str]:
    return _prefixed([f"    {line}".rstrip() or KEEP for line in block.text.rstrip("\n").split("\n")], first, rest)


def _rule(writer: TextWriter, _block: Rule, first: str, _rest: str) -> list[str]:
    return [f"{first}{' ' * ((writer.ruler.columns - 5) // 2)}* * *"]


def _contents(writer: TextWriter, _block: Contents, first: str, rest: str) -> list[str]:
    items = [
        line for each in writer.headings for line in writer.ruler.wrap(f"- {plain(each.children)}", rest, f"{rest}  ")
    ]
    return [f"{first}{writer.words['contents']}:", *items]


def _social(_writer: TextWriter, block: Social, first: str, rest: str) -> list[str]:
    return _prefixed([f"{service(name)}: {marks.in_url(href)}" for name, href in block.links], first, rest)


def _sign_off(writer: TextWriter, block: SignOff, first: str, rest: str) -> list[str]:
    return writer.blocks(block.children, first, rest)


def _raw(writer: TextWriter, block: RawHtml | RawMjml, first: str, rest: str) -> list[str]:
    groups = [
        writer.ruler.wrap(text, rest if index else first, rest) for index, text in enumerate(paragraphs(block, writer))
    ]
    return _joined(groups, rest)


def _heading(writer: TextWriter, block: Heading, first: str, rest: str) -> list[str]:
    text = writer.inline(block.children)
    if block.level > 2:
        return writer.ruler.wrap(f"{'#' * block.level} {text}", first, rest)
    lines = writer.ruler.wrap(text, first, rest)
    return [*lines, rest + "-" * max(writer.ruler.width(line) - writer.ruler.width(rest) for line in lines)]


def _list_block(writer: TextWriter, block: ListBlock, first: str, rest: str) -> list[str]:
    lines: list[str] = []
    last = block.start + len(block.items) - 1
    for index, item in enumerate(block.items):
        bullet = f"{block.start + index}.".ljust(len(f"{last}.")) + " " if block.ordered else "- "
        if lines and not block.tight:
            lines.append(rest.rstrip())
        head = f"{first if not index else rest}{bullet}"
        lines += writer.blocks(item, head, rest + " " * len(bullet), tight=block.tight) or [head.rstrip()]
    return lines


def _boxed(writer: TextWriter, title: str, children: Blocks, first: str, rest: str) -> list[str]:
    head = writer.ruler.wrap(title, f"{first}| ", f"{rest}| ") if title else []
    body = writer.blocks(children, f"{rest}| " if head else f"{first}| ", f"{rest}| ")
    return [*head, *([f"{rest}|"] if head and body else []), *body]


def _figure(writer: TextWriter, block: Figure, first: str, rest: str) -> list[str]:
    below = " ".join(part for part in (writer.inline(block.caption), block.credit) if part)
    image = f"[{writer.words['image']}: {block.alt}]" if block.alt else f"[{writer.words['image']}]"
    if not (block.alt or below or block.href):
        return []
    lines = writer.ruler.wrap(writer.link(block.href, image), first, rest)
    return lines + (writer.ruler.wrap(below, rest) if below else [])


def _cards(writer: TextWriter, block: Cards, first: str, rest: str) -> list[str]:
    return _joined(
        [_card(writer, card, rest if index else first, rest) for index, card in enumerate(block.cards)], rest
    )


def _card(writer: TextWriter, card: Card, first: str, rest: str) -> list[str]:
    title = writer.link(card.href, card.title) if card.title else ""
    head = ": ".join(part for part in (card.kicker, title) if part)
    lines = writer.ruler.wrap(head, first, rest) if head else []
    return lines + writer.blocks(card.children, rest if lines else first, rest)


def raised(number: int) -> str:
    """A number in superior figures, which links do not use."""
    return str(number).translate(_RAISED)


def _joined(groups: Sequence[list[str]], rest: str) -> list[str]:
    lines: list[str] = []
    for group in groups:
        if lines and group:
            lines.append(rest.rstrip())
        lines += group
    return lines


def _prefixed(lines: Sequence[str], first: str, rest: str) -> list[str]:
    return [f"{rest if index else first}{line}".rstrip() for index, line in enumerate(lines)]


_KINDS: Mapping[type, Callable[[TextWriter, Any, str, str], list[str]]] = {
    Paragraph: _paragraph,
    Heading: _heading,
    ListBlock: _list_block,
    Quote: _quote,
    PullQuote: _pull_quote,
    Note: _note,
    Figure: _figure,
    Button: _button,
    Columns: _columns,
    Cards: _cards,
    Table: _table,
    CodeBlock: _code,
    Rule: _rule,
    Contents: _contents,
    Sponsor: _sponsor,
    Video: _video,
    Social: _social,
    SignOff: _sign_off,
    RawHtml: _raw,
    RawMjml: _raw,
}
