"""Merge-field marks on their way through the renderer: where each one stands decides its escaping.

A mark inside a URL carries a flag. The MJML engine prints attributes with Rust's debug
formatter, which damages anything outside ASCII, so marks cross it as plain words (*tokens*)
that occur nowhere else in the document; afterwards the HTML is cut at them.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from newsletter.model import Context, Field, Slot, Template
from newsletter.personal import MARK, is_encoded, is_whole, mark, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_IN_URL = "\U000f0002"
_FLAGGED = re.compile(f"({MARK.pattern}){_IN_URL}?")
_UNFLAGGED = re.compile(f"(?>{MARK.pattern})(?!{_IN_URL})")


def in_url(text: str) -> str:
    """``text`` with its marks flagged as parts of a URL; one that is flagged already stays as it is."""
    return _UNFLAGGED.sub(lambda found: found[0] + _IN_URL, text)


def split(text: str) -> Iterable[tuple[str, str]]:
    """Pairs of static text and the (flagged) mark that follows it; the last mark is empty."""
    at = 0
    for found in _FLAGGED.finditer(text):
        yield text[at : found.start()], found[0]
        at = found.end()
    yield text[at:], ""


def cut(text: str, plain: Context, fields: Sequence[Field]) -> Template:
    """Cut ``text`` at its marks: ``plain`` is the context outside URLs."""
    parts: list[str | Slot] = []
    for static, mark_ in split(text):
        if static:
            parts.append(static)
        if found := _FLAGGED.match(mark_):
            parts.append(_slot(_number(found), plain, fields, flagged=mark_.endswith(_IN_URL)))
    return tuple(parts)


def _number(found: re.Match[str]) -> int:
    inner = MARK.match(found[1])
    return number(inner) if inner else 0


def _slot(index: int, plain: Context, fields: Sequence[Field], *, flagged: bool) -> Slot:
    if not flagged:
        return Slot(index, plain)
    if is_whole(fields[index]) or is_encoded(fields[index]):
        return Slot(index, "text" if plain == "text" else "link")
    return Slot(index, "url")


def to_tokens(mjml: str) -> tuple[str, str]:
    """``mjml`` with ASCII tokens in place of marks, and the word that all of them begin with.

    The word is a hash of the document, so the document cannot hold it but by intent, and that is looked for.
    """
    word = "m" + hashlib.sha256(mjml.encode()).hexdigest()[:12]
    while word in mjml:
        word = "m" + hashlib.sha256(word.encode()).hexdigest()[:12]

    def token(found: re.Match[str]) -> str:
        return f"{word}{'u' if found[0].endswith(_IN_URL) else 'h'}{_number(found)}z"

    return _FLAGGED.sub(token, mjml), word


def from_tokens(html: str, word: str) -> str:
    """``html`` with (flagged) marks again in place of tokens."""
    return re.sub(
        f"{word}([hu])([0-9]+)z",
        lambda found: mark(int(found[2]), 3) + (_IN_URL if found[1] == "u" else ""),
        html,
    )


def shown(text: str, fields: Sequence[Field]) -> str:
    """``text`` as the author sees it: each mark stands for its field's source."""
    return _FLAGGED.sub(lambda found: fields[_number(found)].source or "{{ }}", text)
