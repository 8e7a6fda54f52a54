"""Runs of text with what is open around each of them become running text: styles and links in each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from newsletter.content.drafts.nouns import Break, Code, Image, Link, Mention, Styled, Words, holds, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.content.drafts.nouns import Inline, Inlines


class Wrap(NamedTuple):
    """A style, code or link around a run of text; ``key`` tells one element from its neighbours."""

    kind: str
    key: int
    href: str = ""


class Run(NamedTuple):
    wraps: tuple[Wrap, ...]
    inline: Inline


def nested(runs: Sequence[Run], level: int) -> Inlines:
    """Runs as a tree: neighbours that share a wrap at ``level`` are put into it together."""
    done: list[Inline] = []
    at = 0
    while at < len(runs):
        wraps = runs[at].wraps
        if len(wraps) <= level:
            done.append(runs[at].inline)
            at += 1
            continue
        end = at + 1
        while end < len(runs) and runs[end].wraps[level : level + 1] == (wraps[level],):
            end += 1
        inner = nested(runs[at:end], level + 1)
        wrap = wraps[level]
        if wrap.kind == "code":
            done += [Code(each.text) if isinstance(each, Words) else each for each in inner]
        elif wrap.kind == "link":
            done.append(Link(wrap.href, inner))
        elif plain(inner).strip() or holds(inner, Image, Mention):
            done.append(Styled(wrap.kind, inner))
        else:
            done += inner
        at = end
    return tuple(done)


def trimmed(children: Inlines) -> Inlines:
    """Without the space and the breaks around, and without double spaces between neighbours."""
    left = list(children)

    def empty(each: Inline) -> bool:
        return isinstance(each, Break) or (isinstance(each, Words) and not each.text.strip(" "))

    while left and empty(left[0]):
        left.pop(0)
    while left and empty(left[-1]):
        left.pop()
    return tuple(left)
