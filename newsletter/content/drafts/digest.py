"""Entries of a feed become one article: a single entry as it is, several as sections under their titles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.content.drafts.nouns import (
    Article,
    Facts,
    Figure,
    Heading,
    Link,
    Paragraph,
    Remark,
    Rule,
    Words,
)
from newsletter.errors import BadInput

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from newsletter.content.drafts.feed import Entry, Feed
    from newsletter.content.drafts.nouns import Block, Blocks

_RANGE = re.compile(r"(\d{1,6})(?:\s*[-–]\s*(\d{1,6}))?")
_SHORT = 60


def picked(text: str, count: int) -> tuple[int, ...]:
    """The indexes that ``1,3-5`` or ``all`` names among ``count`` entries, in that order.

    Raises ``BadInput`` for anything else.
    """
    if text.strip().lower() == "all":
        return tuple(range(count))
    found: dict[int, None] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _RANGE.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= count:
            message = f"“{part}” names no entry: there are {count}"
            raise BadInput(message, hint="Write numbers and ranges such as 1,3-5, or all.")
        found |= dict.fromkeys(range(first - 1, last))
    if not found:
        raise BadInput("no entry was chosen", hint="Write numbers and ranges such as 1,3-5, or all.")
    return tuple(found)


def since(entries: Sequence[Entry], start: dt.datetime) -> tuple[int, ...]:
    """The indexes of the entries from ``start`` on; an entry without a date is none of them."""
    return tuple(index for index, entry in enumerate(entries) if entry.date and entry.date >= start)


def named(entry: Entry) -> str:
    """What an entry is called in a list: its title, or its first words."""
    words = entry.title or " ".join(re.sub(r"<[^>]*>", " ", entry.text).split())
    return words if len(words) <= _SHORT else f"{words[:_SHORT].rstrip()} …"


def article(feed: Feed, chosen: Sequence[Entry]) -> Article:
    """The article of the entries that were chosen."""
    lang = feed.lang if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", feed.lang) else ""
    if len(chosen) == 1:
        entry = chosen[0]
        authors = (entry.author,) if entry.author and "@" not in entry.author else ()
        inner = entry.article()
        blocks = (*_pictured(entry), *inner.blocks)
        # A heading that says the title is the title; without one the title comes first.
        head = (Heading(1, (Words(entry.title),)),) if entry.title and not _begins(blocks, entry.title) else ()
        return Article((*head, *blocks), inner.notes, Facts(entry.title, "", authors, lang, entry.url))
    inners = [entry.article(f"{number}-") for number, entry in enumerate(chosen, 1)]
    blocks = tuple(b for entry, inner in zip(chosen, inners, strict=True) for b in _section(entry, inner.blocks))
    notes = tuple(note for inner in inners for note in inner.notes)
    head = (Heading(1, (Words(feed.title),)),) if feed.title else ()
    about = (Paragraph((Words(feed.about),)),) if feed.about and feed.about != feed.title else ()
    return Article((*head, *about, *blocks), notes, Facts(feed.title, feed.about, (), lang, ""))


def _begins(blocks: Blocks, title: str) -> bool:
    first = next((block for block in blocks if not isinstance(block, Remark | Figure)), None)
    return isinstance(first, Heading) and first.children == (Words(title),)


def _section(entry: Entry, inner: Blocks) -> Blocks:
    label = entry.title or named(entry)
    said = [*([entry.date.date().isoformat()] if entry.date else []), *([entry.author] if entry.author else [])]
    about = [Remark(f"From the feed: {', '.join(said)}")] if said else []
    head: list[Block] = [Rule()]
    if entry.title:
        words = Words(label)
        head = [Heading(2, (Link(entry.url, (words,)) if entry.url else words,))]
    elif entry.url:
        about.append(Remark(f"This entry has no title. Its address: {entry.url}"))
    return (*head, *about, *_pictured(entry), *(_lower(block) for block in inner))


def _pictured(entry: Entry) -> Blocks:
    """The picture that an entry names outside of its text, when it is not in there, too."""
    if not entry.picture or entry.picture in entry.text:
        return ()
    return (Remark(f"This entry has a picture on another server: {entry.picture}"),)


def _lower(block: Block) -> Block:
    """Headings inside an entry stand below its title."""
    return block._replace(level=min(6, max(3, block.level + 1))) if isinstance(block, Heading) else block
