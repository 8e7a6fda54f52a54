"""Addresses in text that is not marked up become links."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.content.drafts.nouns import Link, Styled, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.content.drafts.nouns import Inline, Inlines

_ADDRESS = re.compile(
    r"(?P<url>\bhttps?://[^\s<>\"“”„«»{}\\^`|]+)"
    r"|(?P<www>(?<![\w@./-])www\.[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?:/[^\s<>\"“”„«»{}\\^`|]*)?)"
    r"|(?P<mail>(?<![\w.+@/-])[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)"
)
_BEHIND = ".,;:!?'’‘*_~…。，、؟،"
_PAIRS = {")": "(", "]": "["}
_HOST = re.compile(r"https?://[^/?#\s]*[^\W_]")


def linked(children: Inlines) -> Inlines:
    """``children`` with every bare address a link to itself."""
    return tuple(made for each in children for made in _linked(each))


def _linked(each: Inline) -> Iterator[Inline]:
    if isinstance(each, Styled):
        yield each._replace(children=linked(each.children))
    elif isinstance(each, Words):
        yield from _split(each.text)
    else:
        yield each


def _split(text: str) -> Iterator[Inline]:
    at = 0
    for found in _ADDRESS.finditer(text):
        shown = _without_punctuation(found[0])
        href = {"url": "", "www": "https://", "mail": "mailto:"}[str(found.lastgroup)] + shown
        if found.lastgroup == "url" and not _HOST.match(shown):
            continue
        if found.start() > at:
            yield Words(text[at : found.start()])
        yield Link(href, (Words(shown),))
        at = found.start() + len(shown)
    if at < len(text):
        yield Words(text[at:])


def _without_punctuation(address: str) -> str:
    """An address without what ends the sentence around it."""
    while address:
        last = address[-1]
        if last in _BEHIND or (last in _PAIRS and address.count(last) > address.count(_PAIRS[last])):
            address = address[:-1]
        else:
            break
    return address
