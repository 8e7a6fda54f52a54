"""The personal links of a mail: ``/u/<token>`` to unsubscribe, ``/v/<token>`` to view in the browser.

A token is ``1`` (the version), a letter for its purpose, the ids in base 36, and 128 bits of
HMAC-SHA256 over all of it. It never expires, and a token for one purpose is of no use for another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import NamedTuple

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Twelve digits are more than any id has, and few enough for a database: 36**12 is below 2**63.
_TOKEN = re.compile(r"(1([a-z])\.([0-9a-z]{1,12}(?:-[0-9a-z]{1,12}){0,3}))\.([A-Za-z0-9_-]{22})")


def _base36(value: int) -> str:
    digits = ""
    while True:
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
        if not value:
            return digits


def _signature(secret: bytes, body: str) -> str:
    digest = hmac.digest(secret, body.encode(), "sha256")[:16]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Links(NamedTuple):
    """Makes and reads the links of one workspace; ``base`` is where they are answered."""

    base: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Links(base={self.base!r}, secret=***)"

    def unsubscribe(self, person: int) -> str:
        """The address that unsubscribes ``person``."""
        return f"{self.base}/u/{self._token('u', _base36(person))}"

    def view(self, send: int, person: int) -> str:
        """The address of this person's copy of a send."""
        return f"{self.base}/v/{self._token('v', f'{_base36(send)}-{_base36(person)}')}"

    def message_id(self, send: str, person: int, domain: str) -> str:
        """The ``Message-ID`` of one person's copy: a keyed hash, so that it tells nothing."""
        digest = hmac.digest(self.secret, f"message-id:{send}:{person}".encode(), "sha256")[:16]
        return f"<{digest.hex()}@{domain}>"

    def _token(self, purpose: str, ids: str) -> str:
        body = f"1{purpose}.{ids}"
        return f"{body}.{_signature(self.secret, body)}"

    def read(self, token: str, purpose: str) -> tuple[int, ...] | None:
        """The ids in a token of this purpose, or ``None`` when it is not one of ours, whatever else it is."""
        found = _TOKEN.fullmatch(token)
        # Also without a match a signature is made, so that the time tells nothing of why.
        body, given, ids, signature = found.groups() if found else ("", "", "", "")
        if not hmac.compare_digest(_signature(self.secret, body), signature) or given != purpose:
            return None
        return tuple(int(part, 36) for part in ids.split("-"))

    def proof(self, instance: str) -> str:
        """What only a server with this secret on the ledger ``instance`` can say; it reveals neither."""
        return hmac.digest(self.secret, f"instance:{instance}".encode(), "sha256").hex()


def fingerprint(data: bytes) -> str:
    """SHA-256 in hexadecimal: the name of content everywhere in the house."""
    return hashlib.sha256(data).hexdigest()
