"""Header values that come from people: refused when they could break a message apart."""

from __future__ import annotations

import re

from newsletter.model import Mailbox
from newsletter.personal import unsafe_in_header

_ADDRESS = re.compile(r"[^\s@<>(),;:\"\\\[\]]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_NAMED = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<address>[^<>]*)>")


def unsafe(text: str) -> str:
    """Why ``text`` may not become a header value, before or after decoding; empty when it may.

    Python before 3.11.15 writes a line break hidden in an encoded word as a real one
    (CVE-2024-6923), so both forms are looked at.
    """
    if bad := unsafe_in_header(text):
        return f"it holds a line break or control character ({bad})"
    if "=?" in text:
        from email.errors import HeaderParseError
        from email.header import decode_header, make_header

        try:
            # Other letters beside an encoded word stop the decoder, and hide nothing.
            decoded = str(make_header(decode_header(_NOT_ASCII.sub("x", text))))
        except (HeaderParseError, LookupError, UnicodeError, ValueError):
            return "it holds an encoded word that cannot be read"
        if bad := unsafe_in_header(decoded):
            return f"an encoded word in it hides a line break or control character ({bad})"
    return ""


def mailbox(text: str) -> Mailbox:
    """Read ``Name <address>`` or a bare address.

    Raises ``ValueError`` with the reason when it is neither, or unsafe in a header.
    """
    if reason := unsafe(text):
        raise ValueError(reason)
    text = text.strip()
    named = _NAMED.fullmatch(text)
    name, address = (named["name"].strip().strip('"').strip(), named["address"].strip()) if named else ("", text)
    if not _ADDRESS.fullmatch(address) or "." not in address.rpartition("@")[2]:
        message = "it is not an address of the form “Name <name@example.org>”"
        raise ValueError(message)
    return Mailbox(name, address)
