"""Plain text becomes blocks, by its empty lines, its indentation and the length of its lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from newsletter.content.drafts import plainlists
from newsletter.content.drafts.nouns import (
    Article,
    Break,
    Cite,
    Figure,
    Grid,
    Heading,
    Image,
    Mention,
    Paragraph,
    Remark,
    Rule,
    Verbatim,
    Words,
)
from newsletter.content.drafts.words import linked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.content.drafts.nouns import Block, Inline, Inlines

_RULE = re.compile(r"(?:[*_~=•⁂⸻—–-] ?){3,}|⁂|⸻")
_UNDERLINE = re.compile(r"(={3,}|-{3,}|~{3,})")
_PICTURE = re.compile(
    r"(?:\[|\(|<)?(?:(?:image|picture|photo|figure|bild|foto|abbildung|image|صورة)\s*:\s*)?"
    r"(?P<file>[^\s\[\]()<>:\"|?*][^\[\]()<>:\"|?*\n]*\.(?:jpe?g|png|gif|webp))(?:\]|\)|>)?",
    re.IGNORECASE,
)
_NOTE = re.compile(r"\[(\d{1,3})\][ \t]+(?=\S)")
_MARK = re.compile(r"(?<=\S)\[(\d{1,3})\]")
_CODE = re.compile(
    r"[{};]\s*$|^\s*(?:\$ |#!|def |class |import |function |</?\w+[^>]*>\s*$)|^\s*\w+\(.*\)\s*$", re.MULTILINE
)
_COLUMNS = re.compile(r"\S(?: {3,}|\t)\S")
_RULED = re.compile(r"[\s|:+-]*-[\s|:+-]*")
_BAR = re.compile(r"\s*\|\s*")
_SENTENCE = re.compile(r"[.!?…][’”»'\")]*$")
_HYPHEN = re.compile(r"\w-$")
_LONG_LINE, _WRAPPED = 110, 72
_WIDEST, _LONGEST, _DEEPEST = 12, 40, 6


class _Shape(NamedTuple):
    """How the whole text is laid out: ``wrap`` is where lines end, 0 where a paragraph is one line."""

    wrap: int
    indented: bool
    depth: int = 0


def read(text: str, *, label: str = "") -> Article:
    """The article of a plain text; ``label`` begins the names of its footnotes."""
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    groups = _groups(lines)
    margin = min((len(line) - len(line.lstrip(" ")) for group in groups for line in group), default=0)
    groups = [[line[margin:] for line in group] for group in groups]
    shape = _shape(groups)
    texts, groups = _notes(groups)
    blocks = [block for group in groups for block in _blocks(group, shape)]
    marks = [found[1] for group in groups for line in group for found in _MARK.finditer(line)]
    if texts and list(dict.fromkeys(marks)) == list(texts) == [str(n) for n in range(1, len(texts) + 1)]:
        made = tuple(_marked(block, label) for block in blocks)
        notes = ((f"{label}{n}", (Paragraph(_inline(below, shape, short=False)),)) for n, below in texts.items())
        return Article(made, tuple(notes), loose=True)
    left = [block for n, below in texts.items() for block in _blocks([f"[{n}] {below[0]}", *below[1:]], shape)]
    return Article((*blocks, *left), loose=True)


def _groups(lines: Sequence[str]) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            groups[-1].append(line)
        elif groups[-1]:
            groups.append([])
    return [group for group in groups if group]


def _shape(groups: Sequence[Sequence[str]]) -> _Shape:
    inner = [len(line) for group in groups for line in group[:-1] if not plainlists.starts(line)]
    long = sum(length > _LONG_LINE for length in inner)
    indented = sum(group[0].startswith((" ", "\t")) for group in groups)
    wrap = 0 if inner and long > len(inner) / 2 else max((n for n in inner if n <= _LONG_LINE), default=_WRAPPED)
    return _Shape(max(wrap, 50) if wrap else 0, indented > len(groups) / 2)


def _notes(groups: Sequence[list[str]]) -> tuple[dict[str, list[str]], list[list[str]]]:
    """The texts of footnotes ``[1] …`` at the end, and what stands before them."""
    left = list(groups)
    texts: dict[str, list[str]] = {}
    while left and _NOTE.match(left[-1][0]):
        found: dict[str, list[str]] = {}
        for line in left[-1]:
            if start := _NOTE.match(line):
                found[start[1]] = [line[start.end() :]]
            else:
                found[list(found)[-1]].append(line.strip())
        texts = {**found, **texts}
        left.pop()
    return texts, left


def _marked(block: Block, label: str) -> Block:
    if not isinstance(block, Paragraph):
        return block
    children: list[Inline] = []
    for each in block.children:
        if not isinstance(each, Words):
            children.append(each)
            continue
        at = 0
        for found in _MARK.finditer(each.text):
            children += [Words(each.text[at : found.start()]), Mention(f"{label}{found[1]}")]
            at = found.end()
        children.append(Words(each.text[at:]))
    return Paragraph(tuple(children))


# -- one group of lines between empty ones ------------------------------------------------


def _blocks(group: Sequence[str], shape: _Shape) -> list[Block]:
    for reader in (_marked_out, _list, _table, _picture, _indented):
        if made := reader(group, shape):
            return made
    return _paragraphs(group, shape)


def _marked_out(group: Sequence[str], shape: _Shape) -> list[Block]:
    """Lines across, underlined headings, and quotations as mail marks them."""
    if len(group) == 1 and _RULE.fullmatch(group[0].strip()):
        return [Rule()]
    if len(group) > 1 and _underlined(group[0], group[1].strip()):
        head = Heading(1 if group[1].strip()[0] == "=" else 2, _inline(group[:1], shape))
        return [head, *(_blocks(group[2:], shape) if group[2:] else [])]
    if shape.depth < _DEEPEST and all(line.lstrip().startswith(">") for line in group):
        shape = shape._replace(depth=shape.depth + 1)
        inner = [re.sub(r"^\s*> ?", "", line) for line in group]
        return [Cite(tuple(block for part in _groups(inner) for block in _blocks(part, shape)))]
    return []


def _underlined(line: str, below: str) -> bool:
    """Whether a row of dashes is about as long as the line above it: a shorter one is a dash that was wrapped."""
    return _UNDERLINE.fullmatch(below) is not None and 2 * len(below) >= len(line) and not plainlists.starts(line)


def _list(group: Sequence[str], shape: _Shape) -> list[Block]:
    return plainlists.read(group, lambda lines: _inline(lines, shape, short=False))


def _picture(group: Sequence[str], shape: _Shape) -> list[Block]:
    found = _PICTURE.fullmatch(group[0].strip())
    if not found:
        return []
    return [Figure(Image(found["file"].strip(), "")), *(_blocks(group[1:], shape) if group[1:] else [])]


def _indented(group: Sequence[str], shape: _Shape) -> list[Block]:
    if not all(line.startswith((" ", "\t")) for line in group):
        return []
    margin = min(len(line) - len(line.lstrip(" \t")) for line in group)
    inner = [line[margin:] for line in group]
    if len(group) > 1 and _CODE.search("\n".join(inner)):
        return [Remark("These lines look like code."), Verbatim("\n".join(inner))]
    if len(group) > 1 and not _is_short(inner, shape) and all(_SENTENCE.search(line) for line in inner):
        return [block for line in inner for block in _paragraphs([line], shape)]
    if shape.indented or (len(group) == 1 and margin < 3):
        return _paragraphs(inner, shape)
    return [Remark("This was indented: it is taken for a quotation."), Cite(tuple(_paragraphs(inner, shape)))]


def _paragraphs(group: Sequence[str], shape: _Shape) -> list[Block]:
    """A group as paragraphs: cut where a line is indented, or at every line of a text without wrapped ones."""
    parts: list[list[str]] = []
    for line in group:
        if not parts or not shape.wrap or line.startswith((" ", "\t")):
            parts.append([])
        parts[-1].append(line.strip())
    made: list[Block] = []
    for part in parts:
        joined = [f"{line} … {part[i + 1].split()[0]}" for i, line in enumerate(part[:-1]) if _HYPHEN.search(line)]
        if joined and not _is_short(part, shape):
            ends = ", ".join(f"“{line.split()[-3]}{line.split()[-1]}”" for line in joined)
            made.append(
                Remark(f"A line ended in a hyphen here; the two halves are joined, and the hyphen is left: {ends}")
            )
        made.append(Paragraph(_inline(part, shape)))
    return made


def _is_short(lines: Sequence[str], shape: _Shape) -> bool:
    """Whether lines end long before they must: a verse, an address, credits."""
    return len(lines) > 1 and max(map(len, lines)) < (shape.wrap or _WRAPPED) * 0.65


def _inline(lines: Sequence[str], shape: _Shape, *, short: bool = True) -> Inlines:
    lines = [line.strip() for line in lines]
    if short and _is_short(lines, shape):
        parts: list[Inline] = []
        for line in lines:
            parts += [*([Break()] if parts else []), Words(line)]
        return linked(tuple(parts))
    text = ""
    for line in lines:
        text += line if not text or _HYPHEN.search(text) or _wide(text[-1], line[:1]) else f" {line}"
    return linked((Words(text),))


def _wide(before: str, after: str) -> bool:
    """Whether two characters are of a script that is written without spaces."""
    return all(
        "\u2e80" <= char <= "\uac00" or "\uf900" <= char <= "\ufaff" or "\uff00" <= char <= "\uffef"
        for char in (before, after)
    )


def _table(group: Sequence[str], _: _Shape) -> list[Block]:
    """A table by tabs or bars; lines with wide gaps only look like one, and stay as they stand."""
    lines = [line for line in group if not _RULED.fullmatch(line)]
    if len(lines) < 2:
        return []
    barred = len(lines) < len(group) or all(line.lstrip().startswith("|") for line in lines)
    rows = [_BAR.split(line.strip().strip("|").strip()) if barred else line.split("\t") for line in lines]
    wide = len(rows[0])
    if 1 < wide <= _WIDEST and all(len(row) == wide and row[0] and len(max(row, key=len)) <= _LONGEST for row in rows):
        cells = tuple(tuple(linked((Words(cell.strip()),)) for cell in row) for row in rows)
        return [Remark("The first line is taken for the head of this table."), Grid(cells, ("",) * wide)]
    if all(_COLUMNS.search(line.strip()) for line in group):
        return [Remark("These lines look like a table; they are kept as they stand."), Verbatim("\n".join(group))]
    return []
