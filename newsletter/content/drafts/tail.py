"""The parts of an article that are told by what stands around them: heads, captions, credits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.content.drafts import signs
from newsletter.content.drafts.nouns import (
    Box,
    Break,
    Cite,
    Figure,
    Grid,
    Heading,
    Image,
    Items,
    Link,
    Mention,
    Paragraph,
    Remark,
    Verbatim,
    Words,
    holds,
    lines,
    plain,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.content.drafts.nouns import Block, Blocks, Inlines

_LONGEST_HEAD, _LONGEST_CAPTION, _MOST_WORDS = 80, 300, 12


def texts(blocks: Blocks) -> Iterator[str]:
    """The words of blocks, one text for each paragraph."""
    for block in blocks:
        if isinstance(block, Paragraph | Heading):
            yield plain(block.children)
        elif isinstance(block, Cite | Box):
            yield from texts(block.children)
        elif isinstance(block, Items):
            for item in block.items:
                yield from texts(item)
        elif isinstance(block, Grid):
            yield from (plain(cell) for row in block.rows for cell in row)


def heads(blocks: Blocks) -> Blocks:
    """Short lines without a full stop between paragraphs become headings."""
    done: list[Block] = []
    before: Block | None = None
    told = [block for block in blocks if not isinstance(block, Remark)]
    following = iter([*told[1:], None])
    for block in blocks:
        if isinstance(block, Remark):
            done.append(block)
            continue
        after = next(following)
        head = isinstance(block, Paragraph) and _is_head(block.children, before, after)
        before = Heading(2, block.children) if head and isinstance(block, Paragraph) else block
        done.append(before)
    return tuple(done)


def _is_head(children: Inlines, before: Block | None, after: Block | None) -> bool:
    text = plain(children).strip()
    if isinstance(before, Heading | Figure) or not isinstance(
        after, Paragraph | Items | Cite | Figure | Grid | Verbatim
    ):
        return False
    if holds(children, Break, Image, Link, Mention) or not 1 < len(text) <= _LONGEST_HEAD:
        return False
    if isinstance(after, Paragraph) and len(plain(after.children)) < len(text):
        return False
    if signs.END.search(text) or len(text.split()) > _MOST_WORDS or not re.search(r"[^\W\d_]", text):
        return False
    if any(sign.fullmatch(text) for sign in (signs.BYLINE, signs.CREDIT, signs.CREDITS, signs.PHOTO, signs.NOTE)):
        return False
    return not (text[0].islower() or text[0] in '([“"«„–—-#*' or signs.CAPTION.match(text))


def captions(blocks: Blocks) -> Blocks:
    """The lines below a picture in a plain text: its caption and whose it is."""
    left, done = list(blocks), []
    while left:
        block = left.pop(0)
        if isinstance(block, Figure) and not block.caption:
            block = _captioned(block, left)
        done.append(block)
    return tuple(done)


def _captioned(figure: Figure, left: list[Block]) -> Figure:
    while left and isinstance(below := left[0], Paragraph) and not holds(below.children, Image, Mention):
        told = figure
        for row in lines(below.children):
            text = plain(row).strip()
            found = signs.CAPTION.match(text)
            if len(text) > _LONGEST_CAPTION:
                return figure
            if found and not told.caption:
                told = told._replace(caption=without(row, found.end()))
            elif signs.PHOTO.fullmatch(text) and not told.credit:
                told = told._replace(credit=text)
            elif told.caption and not told.credit and told is not figure:
                told = told._replace(caption=(*told.caption, Words(" "), *row))
            else:
                return figure
        figure = told
        left.pop(0)
    return figure


def credits_of(blocks: Blocks) -> tuple[Blocks, tuple[Inlines, ...], tuple[tuple[str, str], ...]]:
    """What stands before the credits at the end, the credits line by line, and the heading they stood below."""
    left = list(blocks)
    found: list[Inlines] = []
    while left:
        block = left[-1]
        rows = _rows(block)
        if not rows or not all(signs.CREDIT.fullmatch(plain(row).strip()) for row in rows):
            break
        found[:0] = rows
        left.pop()
    headed = (
        left
        and isinstance(head := left[-1], Heading | Paragraph)
        and signs.CREDITS.fullmatch(plain(head.children).strip())
    )
    if headed and found and isinstance(head := left[-1], Heading | Paragraph):
        left.pop()
        return tuple(left), tuple(found), (("credits", plain(head.children).strip()),)
    if left and found and len(left) > 1:
        return tuple(left), tuple(found), ()
    return blocks, (), ()


def _rows(block: Block) -> list[Inlines]:
    if isinstance(block, Paragraph) and not holds(block.children, Image, Mention):
        return list(lines(block.children))
    if isinstance(block, Items) and block.start is None:
        inner = [item[0].children for item in block.items if len(item) == 1 and isinstance(item[0], Paragraph)]
        return inner if len(inner) == len(block.items) else []
    return []


def levels(blocks: Blocks) -> Blocks:
    """Headings moved so that the highest is of the second level, below the headline."""
    top = min((block.level for block in blocks if isinstance(block, Heading)), default=2)
    return tuple(
        block._replace(level=min(6, block.level + 2 - top)) if isinstance(block, Heading) else block for block in blocks
    )
