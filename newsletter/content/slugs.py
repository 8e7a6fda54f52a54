"""Short names for folders and anchors, from titles in any script."""

from __future__ import annotations

import unicodedata

_LONGEST = 60
_LONGEST_BYTES = 150

# Letters that have no decomposition but a customary spelling in ASCII.
_SPELT = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "'": "", "’": ""}
)


def slug(text: str, fallback: str) -> str:
    """``text`` in lower case with hyphens: ASCII where possible, other letters kept, 60 characters at most."""
    lowered = unicodedata.normalize("NFC", text.casefold()).translate(_SPELT)
    spelt = "".join(_letter(char) for char in lowered)
    words = unicodedata.normalize("NFC", spelt).split()
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word
        if len(longer) > _LONGEST or len(longer.encode()) > _LONGEST_BYTES:
            break
        name = longer
    return name or _cut(words[0] if words else "") or fallback


def _letter(char: str) -> str:
    plain = unicodedata.normalize("NFKD", char)
    if plain[0].isascii():
        return "".join(
            c.lower() if c.isascii() and c.isalnum() else "" if unicodedata.combining(c) else " " for c in plain
        )
    return char if unicodedata.category(char)[0] in "LMN" else " "


def _cut(word: str) -> str:
    return word[:_LONGEST].encode()[:_LONGEST_BYTES].decode("utf-8", "ignore")
