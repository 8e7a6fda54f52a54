"""One message taken apart: its headers decoded, its HTML and its text, as a mail client would."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.parser import BytesParser
from email.policy import compat32
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from email.message import Message

_END = re.compile(rb"\r?\n\r?\n")
_LIST_HEADER = re.compile(rb"^(to|subject):((?:.*(?:\r?\n[ \t].*)*))", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_HEAD_TAG = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)
_WITHIN = re.compile(r"""\bhref=(["']?)#""", re.IGNORECASE)
_LOCAL = re.compile(r"http://(?:localhost|127\.0\.0\.1)(?::\d+)?/(images|u|v)/")


@dataclass(frozen=True, slots=True)
class Opened:
    """A message for reading; ``html`` and ``text`` are empty where it has no such part."""

    headers: tuple[tuple[str, str], ...]
    html: str = field(repr=False)
    text: str = field(repr=False)
    source: str = field(repr=False)
    size: int

    def header(self, name: str) -> str:
        """The decoded value of the first header of that name, or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def head_fields(raw: bytes) -> tuple[str, str]:
    """The decoded ``To`` and ``Subject`` from a message's first bytes; empty where missing."""
    end = _END.search(raw)
    found = {name.lower(): value for name, value in reversed(_LIST_HEADER.findall(raw[: end.start()] if end else raw))}
    to, subject = (decoded(found.get(name, b"").decode("utf-8", "replace")) for name in (b"to", b"subject"))
    return to, subject


def decoded(value: str) -> str:
    """A header's value unfolded and with its encoded words read; as it stands where they cannot be."""
    value = _FOLD.sub("", value).strip()
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return value


def open_message(raw: bytes) -> Opened:
    """Take a message apart; one that is no message still has its source."""
    message = BytesParser(policy=compat32).parsebytes(raw)
    html = text = ""
    for part in message.walk():
        kind = part.get_content_type()
        if part.is_multipart() or part.get_content_disposition() == "attachment":
            continue
        if kind == "text/html":
            html = html or _content(part)
        elif kind == "text/plain":
            text = text or _content(part)
    headers = tuple((name, decoded(str(value))) for name, value in message.items())
    return Opened(headers, html, text, raw.decode("utf-8", "replace"), len(raw))


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        return raw.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def framed(html: str, picture_base: str) -> str:
    """HTML for the frame: pictures and this machine's links come from here, other links open a new tab.

    Links to ``localhost`` are made relative whatever their port, so that a mail stays readable when
    the page is served on another one.
    """
    html = _LOCAL.sub(r"/\1/", html.replace(picture_base, "/images/"))
    html = _WITHIN.sub(r'target="_self" href=\1#', html)
    base = '<base target="_blank">'
    if found := _HEAD_TAG.search(html):
        return f"{html[: found.end()]}{base}{html[found.end() :]}"
    return f"{base}{html}"
