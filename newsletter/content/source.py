"""A text file of the author's, read so that every position in it can be named."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from newsletter.errors import Problem
from newsletter.files import display
from newsletter.model import Place
from newsletter.personal import PRIVATE

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 2_000_000
"""Bytes; a text larger than this is taken for a mistake."""

UNPRINTABLE = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|{PRIVATE.pattern}")
"""What no text may hold: controls, what XML forbids, and the characters that marks are made of."""

# The only control character that Markdown makes of an entity, and the last code point.
_FORM_FEED, _LAST = 0x0C, 0x10FFFF

_ENTITY = re.compile(r"&#(?:[xX]([0-9A-Fa-f]{1,6})|([0-9]{1,7}));")


class Source(NamedTuple):
    """A text and the path it is shown under; lines end with ``\\n`` alone."""

    path: str
    text: str
    starts: tuple[int, ...]

    @classmethod
    def of(cls, path: str, text: str) -> Source:
        """Index the lines of ``text``."""
        return cls(path, text, (0, *(found.end() for found in re.finditer("\n", text))))

    def place(self, offset: int) -> Place:
        """The place of a character."""
        line = bisect_right(self.starts, offset)
        return Place(self.path, line, offset - self.starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """A line by its number from 1, without its end; empty beyond the last."""
        if not 1 <= number <= len(self.starts):
            return ""
        start = self.starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start:] if end < 0 else self.text[start:end]


def read_source(path: Path, problems: list[Problem]) -> Source | None:
    """Read a UTF-8 file, with or without BOM, with any line ends.

    ``None`` when it cannot be read at all; characters that may not stand are reported and replaced.
    """
    shown = display(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror or error}"
        problems.append(Problem(Place(shown), f"the file {reason}"))
        return None
    if len(raw) > LARGEST:
        problems.append(
            Problem(Place(shown), f"the file is larger than {LARGEST:,} bytes, which cannot be right for a text")
        )
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # utf-8-sig counts from behind the BOM.
        head = error.object[: error.start].decode("utf-8", "replace")
        place = Source.of(shown, _ends(head)).place(len(_ends(head)))
        problems.append(
            Problem(place, f"this is not UTF-8 (byte 0x{error.object[error.start]:02X})", "Save the file as UTF-8.")
        )
        return None
    source = Source.of(shown, _ends(text))
    return Source.of(shown, _clean(source, problems))


def _ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def forbidden(text: str) -> list[tuple[int, str]]:
    """Offset and text of every character that may not stand, also of those that Markdown would make of an entity."""
    found = [(each.start(), f"U+{ord(each[0]):04X}") for each in UNPRINTABLE.finditer(text)]
    return found + [(each.start(), each[0]) for each in _ENTITY.finditer(text) if _bad_entity(each)]


def _bad_entity(found: re.Match[str]) -> bool:
    code = int(found[1], 16) if found[1] else int(found[2])
    return code == _FORM_FEED or (code <= _LAST and PRIVATE.match(chr(code)) is not None)


def _clean(source: Source, problems: list[Problem]) -> str:
    """The text with what may not stand reported and replaced, length for length."""
    text = source.text
    for offset, name in forbidden(text):
        problems.append(Problem(source.place(offset), f"this character ({name}) may not stand here", "Delete it."))
    text = _ENTITY.sub(lambda found: "\ufffd" * len(found[0]) if _bad_entity(found) else found[0], text)
    return UNPRINTABLE.sub("\ufffd", text)
