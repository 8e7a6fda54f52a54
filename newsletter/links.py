"""The personal links of a mail: ``/u/<token>`` to unsubscribe, ``/v/<token>`` to view in the browser.

A token is ``1`` (the version), a letter for its purpose, the ids in base 36, and 128 bits of
HMAC-SHA256 over all of it. It never expires, and a token for one purpose is of no use for another.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from _hashlib import HASH
    from collections.abc import Iterable, Sequence

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_BLOCK = 64
"""Bytes that SHA-256 takes in at a time."""

_PAIRS = tuple(high + low for high in _DIGITS for low in _DIGITS)

# Twelve digits are more than any id has, and few enough for a database: 36**12 is below 2**63.
_TOKEN = re.compile(r"(1([a-z])\.([0-9a-z]{1,12}(?:-[0-9a-z]{1,12}){0,3}))\.([A-Za-z0-9_-]{22})")


def _base36(value: int) -> str:
    if value < len(_PAIRS):
        return _PAIRS[value] if value >= len(_DIGITS) else _DIGITS[value]
    high, low = divmod(value, len(_PAIRS))
    return _base36(high) + _PAIRS[low]


@functools.lru_cache(maxsize=8)
def _keyed(secret: bytes) -> tuple[HASH, HASH]:
    """HMAC's inner and outer hash with the key taken in (RFC 2104 §2).

    Links are a quarter of a send's work, and the library's own objects take twice as long to copy.
    """
    block = (hashlib.sha256(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in block)), hashlib.sha256(bytes(byte ^ 0x5C for byte in block))


def _macs(secret: bytes, texts: Iterable[str]) -> list[bytes]:
    """HMAC-SHA256 of each."""
    begun, ended = _keyed(secret)
    made = []
    for text in texts:
        inner, outer = begun.copy(), ended.copy()
        inner.update(text.encode())
        outer.update(inner.digest())
        made.append(outer.digest())
    return made


def _signatures(secret: bytes, bodies: Sequence[str]) -> list[str]:
    """Each one's first 128 bits in base64; two zero bytes fill them up to 24 letters, of which 22 are theirs."""
    filled = b"\0\0".join([*[mac[:16] for mac in _macs(secret, bodies)], b""])
    letters = base64.urlsafe_b64encode(filled).decode()
    return [letters[at : at + 22] for at in range(0, len(letters), 24)]


class Links(NamedTuple):
    """Makes and reads the links of one workspace; ``base`` is where they are answered."""

    base: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Links(base={self.base!r}, secret=***)"

    def unsubscribe(self, person: int) -> str:
        """The address that unsubscribes ``person``."""
        return self.unsubscribe_each([person])[0]

    def unsubscribe_each(self, people: Sequence[int]) -> list[str]:
        """The same for each of ``people``, which costs less together."""
        return self._each("u", [f"1u.{_base36(person)}" for person in people])

    def view(self, send: int, person: int) -> str:
        """The address of this person's copy of a send."""
        return self.view_each(send, [person])[0]

    def view_each(self, send: int, people: Sequence[int]) -> list[str]:
        """The same for each of ``people``."""
        begun = f"1v.{_base36(send)}"
        return self._each("v", [f"{begun}-{_base36(person)}" for person in people])

    def message_id(self, send: str, person: int, domain: str) -> str:
        """The ``Message-ID`` of one person's copy: a keyed hash, so that it tells nothing."""
        return f"<{_macs(self.secret, [f'message-id:{send}:{person}'])[0][:16].hex()}@{domain}>"

    def _each(self, path: str, bodies: Sequence[str]) -> list[str]:
        start = f"{self.base}/{path}/"
        signed = zip(bodies, _signatures(self.secret, bodies), strict=True)
        return [f"{start}{body}.{signature}" for body, signature in signed]

    def read(self, token: str, purpose: str) -> tuple[int, ...] | None:
        """The ids in a token of this purpose, or ``None`` when it is not one of ours, whatever else it is."""
        found = _TOKEN.fullmatch(token)
        # Also without a match a signature is made, so that the time tells nothing of why.
        body, given, ids, signature = found.groups() if found else ("", "", "", "")
        if not hmac.compare_digest(_signatures(self.secret, [body])[0], signature) or given != purpose:
            return None
        return tuple(int(part, 36) for part in ids.split("-"))

    def proof(self, instance: str) -> str:
        """What only a server with this secret on the ledger ``instance`` can say; it reveals neither."""
        return _macs(self.secret, [f"instance:{instance}"])[0].hex()


def fingerprint(data: bytes) -> str:
    """SHA-256 in hexadecimal: the name of content everywhere in the house."""
    return hashlib.sha256(data).hexdigest()
