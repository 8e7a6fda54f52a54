"""A complete message from what a provider was given, so that decoding it gives back exactly that.

Made apart from the rest of the program on purpose: what the outbox writes by itself and what a dialect writes can be
compared, because they share no code. Only line ends change, as mail does it: each becomes CRLF.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass, field
from email.charset import Charset
from email.header import Header
from email.utils import format_datetime
from typing import TYPE_CHECKING

from newsletter.headers import unsafe
from newsletter.providers.dialects.addresses import mailbox, members

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from newsletter.providers.dialects.addresses import Mailbox

_WIDTH = 76
_LONGEST = 998
"""Characters in a line without its end, RFC 5322 §2.1.1."""

_NAME = re.compile(r"[!-9;-~]{1,70}")
_FOLD = re.compile(r"(?<=[^ \t]) (?=[^ \t])")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_UTF8 = Charset("utf-8")

_OURS = frozenset({"from", "to", "cc", "bcc", "subject", "mime-version", "return-path", "received"})
"""Headers that a message has once and that have their own field, or that only servers write."""


_ADDRESSES = frozenset({"reply-to", "sender"})


class CannotCarry(ValueError):
    """A value may not stand in the header it was given for."""


@dataclass(frozen=True, slots=True)
class Parts:
    """One message; ``headers`` come after the ones that every message has, and replace ``Date`` and ``Message-ID``."""

    sender: Mailbox
    to: tuple[Mailbox, ...]
    subject: str
    date: dt.datetime
    message_id: str
    headers: tuple[tuple[str, str], ...]
    text: str | None = field(repr=False)
    html: str | None = field(repr=False)


def check_name(name: str) -> None:
    """Raise ``CannotCarry`` for a header that may not be set."""
    if not _NAME.fullmatch(name):
        raise CannotCarry("its name holds a character that no header's name may hold")
    if name.lower() in _OURS or name.lower().startswith("content-"):
        raise CannotCarry("it belongs to the message itself")


def check_value(value: str) -> None:
    """Raise ``CannotCarry`` for a value that could break a message apart."""
    if reason := unsafe(value):
        raise CannotCarry(reason)


def message(parts: Parts, qp: Encoder) -> bytes:
    """The message's bytes; ``qp`` keeps what is the same in many messages of a call."""
    given = {name.lower() for name, _ in parts.headers}
    head = [
        _people("From", (parts.sender,)),
        _people("To", parts.to),
        subject_line(parts.subject),
    ]
    if "date" not in given:
        head.append(f"Date: {format_datetime(parts.date)}\r\n")
    if "message-id" not in given:
        head.append(f"Message-ID: {parts.message_id}\r\n")
    head += [header(name, value) for name, value in parts.headers]
    head.append("MIME-Version: 1.0\r\n")
    bodies = [(kind, qp(text)) for kind, text in (("plain", parts.text), ("html", parts.html)) if text is not None]
    return "".join(head).encode("ascii") + _body(bodies)


def header(name: str, value: str) -> str:
    """One header line: ASCII as it stands, folded at single spaces, anything else as encoded words."""
    check_value(value)
    if not value.isascii() and name.lower() in _ADDRESSES and (people := _mailboxes(value)):
        return _people(name, people)
    if not value.isascii() or value != value.strip():
        return _encoded(name, value)
    return _folded(f"{name}: {value}")


def subject_line(value: str) -> str:
    """The subject's line; raises ``CannotCarry``."""
    check_value(value)
    # Here an encoded word is just text that the author wrote, and must be read as such.
    if "=?" in value or not value.isascii() or value != value.strip():
        return _encoded("Subject", value)
    return _folded(f"Subject: {value}")


def _encoded(name: str, value: str) -> str:
    return f"{name}: {Header(value, _UTF8, _WIDTH, name).encode(linesep=chr(13) + chr(10))}\r\n"


def _folded(line: str) -> str:
    if len(line) > _WIDTH:
        lines = [""]
        for word in _FOLD.split(line):
            if lines[-1] and len(lines[-1]) + 1 + len(word) > _WIDTH and len(lines[-1]) > line.index(":") + 1:
                lines.append(word)
            else:
                lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
        if any(len(each) > _LONGEST - 1 for each in lines):
            raise CannotCarry("it is longer than a line of mail may be")
        line = "\r\n ".join(lines)
    return f"{line}\r\n"


def _mailboxes(value: str) -> list[Mailbox]:
    """The mailboxes of a header in which only names may be encoded; none where one of them cannot be read."""
    found = [mailbox(member) for member in members(value)]
    return [each for each in found if each] if all(found) else []


def _people(name: str, people: Iterable[Mailbox]) -> str:
    shown = [each.spec if not each.name else f"{_phrase(name, each.name)} <{each.spec}>" for each in people]
    return f"{name}: {f',{chr(13)}{chr(10)} '.join(shown)}\r\n"


def _phrase(header_name: str, name: str) -> str:
    check_value(name)
    if name.isascii() and "=?" in name:
        return name  # The client's own encoded words: Mailgun passes them on.
    if _ATOMS.fullmatch(name) and len(name) < _WIDTH:
        return name
    if name.isascii() and len(name) < _WIDTH:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return Header(name, _UTF8, _WIDTH, header_name).encode(linesep="\r\n")


# -- bodies ---------------------------------------------------------------------------


class Encoder:
    """Quoted-printable; a body that several messages of a call share is encoded once."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def shared(self, texts: Sequence[str | None]) -> None:
        """Encode what will be the same in every message."""
        self._kept.update({text: quoted(text) for text in texts if text is not None})

    def __call__(self, text: str) -> bytes:
        """The encoded text, ending in CRLF."""
        kept = self._kept.get(text)
        return quoted(text) if kept is None else kept


def quoted(text: str) -> bytes:
    """``text`` as quoted-printable with CRLF; a lone CR is kept as one, half a surrogate pair becomes ``?``."""
    raw = text.replace("\r\n", "\n").encode("utf-8", "replace")
    # Each line that a CR ends here is broken softly: lines stay short, and the encoder never sees a CR.
    encoded = b"=0D=\n".join([binascii.b2a_qp(piece) for piece in raw.split(b"\r")])
    return encoded.replace(b"\n", b"\r\n")


def _body(bodies: Sequence[tuple[str, bytes]]) -> bytes:
    if len(bodies) == 1:
        kind, encoded = bodies[0]
        return _type(kind) + encoded
    digest = hashlib.sha256()
    for _, encoded in bodies:
        digest.update(encoded)
    boundary = f"=_{digest.hexdigest()[:32]}".encode()
    head = b'Content-Type: multipart/alternative;\r\n boundary="' + boundary + b'"\r\n\r\n'
    parts = [b"--" + boundary + b"\r\n" + _type(kind) + encoded + b"\r\n" for kind, encoded in bodies]
    return head + b"".join(parts) + b"--" + boundary + b"--\r\n"


def _type(kind: str) -> bytes:
    return f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
