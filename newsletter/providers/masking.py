"""Secrets taken out of what a server answers, however they are written there.

An answer's words go into messages, recordings and the ledger, and a server may repeat what it was given: as it was,
escaped for JSON or a URL, in base64, in other case.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MARK = "…".encode()
_ESCAPES = (b"\\", b"%", b"&")

_SHORTEST = 6
"""Characters of base64 that are masked: fewer stand in any text."""


class Mask:
    """Takes ``secrets`` out; quick where there is none, because every answer passes here."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form.lower(): form for each in secrets if each for form in _forms(each.encode())}
        self._plain = tuple(forms)
        longest_first = sorted(forms.values(), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(_any_way, longest_first)), re.IGNORECASE)

    def __call__(self, data: bytes) -> bytes:
        """The same without any of the secrets."""
        if b"\0" in data:  # text in UTF-16, where every letter would stand apart
            data = data.replace(b"\0", b"")
        low = data.lower()
        if not self._plain or not any(each in low for each in (*_ESCAPES, *self._plain)):
            return data
        return self._pattern.sub(_MARK, data)

    def text(self, text: str) -> str:
        """The same for text."""
        return self(text.encode("utf-8", "replace")).decode("utf-8", "replace")

    def __repr__(self) -> str:
        return "Mask(…)"


def _forms(secret: bytes) -> Iterator[bytes]:
    """A secret as it is, and within a text in base64: three ways, by how many bytes of that text come before it."""
    yield secret
    for before, foreign in enumerate((0, 2, 3)):
        whole = (before + len(secret)) * 8 // 6  # characters that hang on nothing behind it
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            own = encode(bytes(before) + secret)[foreign:whole]
            if len(own) >= _SHORTEST:
                yield own


def _any_way(form: bytes) -> bytes:
    """A pattern for every way to write these bytes: each of them plain, or escaped once or twice."""
    return b"".join(map(_byte, form))


def _byte(byte: int) -> bytes:
    plain = rb"\\{0,3}" + re.escape(bytes([byte]))
    json = rb"\\{1,3}u00%02x" % byte
    url = rb"(?:%%|\\{1,3}u0025)(?:25){0,2}%02x" % byte
    html = rb"&(?:amp;)?#(?:%d|x%x);" % (byte, byte)
    return b"(?:%b)" % b"|".join((plain, json, url, html))
