"""A message as it goes out: complete RFC 5322 bytes, made once and filled in for each reader.

``frame`` encodes everything that all readers share, once. ``message_bytes`` puts one reader's
address, links and values between the encoded parts, which costs microseconds; ``email.message``
takes milliseconds. The text and the HTML are quoted-printable, and no line is longer than 76
characters. Two readers with the same values get the same bytes.
"""

from __future__ import annotations

import binascii
import functools
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from newsletter.headers import unsafe
from newsletter.model import Slot
from newsletter.personal import CannotRender, join

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from newsletter.model import Edition, Mailbox, Template, Variant

WIDTH = 76
"""The longest header line, RFC 2047 §2; only an address or a link may be longer, for they cannot be folded."""

_LOCAL = re.compile(r"[!#$%&'*+/=?^_`{|}~A-Za-z0-9-]+(?:\.[!#$%&'*+/=?^_`{|}~A-Za-z0-9-]+)*")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_PLAIN = re.compile(f"{_LOCAL.pattern}@{_DOMAIN.pattern}")
_PLAIN_EACH = re.compile(f"{_PLAIN.pattern}(?:\n{_PLAIN.pattern})*")
_PLAIN_DOMAIN = re.compile(r"[a-z0-9]{1,63}(?:\.[a-z0-9]{1,63}){1,2}")
_VISIBLE = re.compile(r"[!-;=?-~]+")
_VISIBLES = bytes(code for code in range(0x21, 0x7F) if chr(code) not in "<>")
_UNSOUND = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_HEADER = re.compile(rb"[!-9;-~]+: ?[ -~]*")
_FOLDED = re.compile(rb" [ -~]*[!-~][ -~]*")
_DAYS, _MONTHS = "MonTueWedThuFriSatSun", "JanFebMarAprMayJunJulAugSepOctNovDec"
ONE_CLICK = "List-Unsubscribe=One-Click"
"""The value of ``List-Unsubscribe-Post``, RFC 8058 §3.1."""

_Encoded = tuple["bytes | int", ...]
"""Static text, and numbers of ``Frame.slots``."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What all messages of one send share, encoded."""

    head: bytes = field(repr=False)
    subject: Template
    html: _Encoded = field(repr=False)
    text: _Encoded = field(repr=False)
    slots: tuple[Slot, ...]
    """Each distinct place for a value once, so that a value used often is encoded once."""
    boundary: bytes
    mailto: str
    """The second address of ``List-Unsubscribe``, or empty."""


def frame(letter: Shared) -> Frame:
    """Encode what all readers share; the date is aware and goes out as given.

    Raises ``CannotRender`` when a value may not stand in a header.
    """
    sender, subject = letter.sender, letter.subject
    head = [_mailbox("From", sender)]
    if letter.reply_to:
        head.append(_mailbox("Reply-To", letter.reply_to))
    head += [f"Date: {_date(letter.date)}\r\n", _list_id(letter.list_name, sender), "MIME-Version: 1.0\r\n"]
    if letter.feedback_id:
        head.append(_line("Feedback-ID", feedback_id(letter.tag, letter.feedback_id)).decode())
    html, text = letter.html, letter.text
    slots = tuple(dict.fromkeys(part for part in (*text, *html) if isinstance(part, Slot)))
    encoded_text, encoded_html = _encode(text, slots), _encode(html, slots)
    boundary = _boundary(subject, slots, encoded_text, encoded_html)
    raw = "".join(head).encode("ascii")
    _parse_again(raw, len(head))
    return Frame(raw, subject, encoded_html, encoded_text, slots, boundary, mailto(letter.unsubscribe_email))


class Shared(Protocol):
    """What all readers of one send share: a provider's letter, or a build."""

    @property
    def tag(self) -> str:
        """The send's name for people."""

    @property
    def sender(self) -> Mailbox:
        """Who writes."""

    @property
    def reply_to(self) -> Mailbox | None:
        """Where answers go, when not to the sender."""

    @property
    def list_name(self) -> str:
        """The newsletter's name."""

    @property
    def date(self) -> dt.datetime:
        """The ``Date`` of the message."""

    @property
    def subject(self) -> Template:
        """The subject."""

    @property
    def html(self) -> Template:
        """The HTML part."""

    @property
    def text(self) -> Template:
        """The plain text."""

    @property
    def unsubscribe_email(self) -> str:
        """Where people may write to leave, or empty."""

    @property
    def feedback_id(self) -> str:
        """The sender id of ``Feedback-ID``, or empty."""


def message_bytes(frame: Frame, values: Sequence[str], *, to: str, message_id: str, unsubscribe: str) -> bytes:
    """One reader's complete message; ``values[i]`` is the evaluated value of field ``i``.

    ``to`` is a bare address, ``message_id`` stands in its angle brackets, ``unsubscribe`` is a URL
    or empty. One-click unsubscribing is announced for an https URL only (RFC 8058 §3.1). Raises
    ``CannotRender`` when the address or a value may not stand where it would.
    """
    boundary = frame.boundary
    encoded = [_value(slot, values) for slot in frame.slots]
    return b"".join(
        (
            frame.head,
            f"To: {address(to)}\r\n".encode() if to else b"To: undisclosed-recipients:;\r\n",
            _subject(join(frame.subject, values)),
            _line("Message-ID", f"<{_visible('message id', message_id[1:-1])}>"),
            _unsubscribe(unsubscribe, frame.mailto),
            b'Content-Type: multipart/alternative;\r\n boundary="',
            boundary,
            b'"\r\n\r\n--',
            boundary,
            b'\r\nContent-Type: text/plain; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n',
            _fill(frame.text, encoded),
            b"\r\n--",
            boundary,
            b'\r\nContent-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n',
            _fill(frame.html, encoded),
            b"\r\n--",
            boundary,
            b"--\r\n",
        )
    )


class Masthead(Protocol):
    """What the workspace's configuration puts into the headers of every mail."""

    @property
    def name(self) -> str:
        """The newsletter's name."""

    @property
    def unsubscribe_email(self) -> str:
        """Where people may write to leave."""

    @property
    def feedback_id(self) -> str:
        """The sender id of ``Feedback-ID``, or empty."""


class _Built(NamedTuple):
    """An edition as ``frame`` wants it."""

    tag: str
    sender: Mailbox
    reply_to: Mailbox | None
    list_name: str
    date: dt.datetime
    subject: Template
    html: Template
    text: Template
    unsubscribe_email: str
    feedback_id: str


def edition_message(edition: Edition, variant: Variant, config: Masthead, values: Sequence[str]) -> bytes:
    """``email.eml`` of a build: addressed to nobody, dated as the issue is, the same at each build."""
    shared = frame(
        _Built(
            tag=edition.slug,
            sender=edition.sender,
            reply_to=edition.reply_to,
            list_name=config.name,
            date=edition.date,
            subject=variant.subject,
            html=variant.html,
            text=variant.text,
            unsubscribe_email=config.unsubscribe_email,
            feedback_id=config.feedback_id,
        )
    )
    digest = hashlib.sha256(f"{edition.issue_id}:{shared.boundary.decode()}".encode()).hexdigest()[:32]
    message_id = f"<{digest}@{_domain(edition.sender.domain)}>"
    unsubscribe = next(
        (v for f, v in zip(edition.fields, values, strict=True) if f.name == "unsubscribe_url" and not f.filters), ""
    )
    return message_bytes(shared, values, to="", message_id=message_id, unsubscribe=unsubscribe)


# -- the body -------------------------------------------------------------------------


def _encode(template: Template, slots: Sequence[Slot]) -> _Encoded:
    """The static parts as quoted-printable, each but the last ended by a soft break, so that they can be joined."""
    last = len(template) - 1
    return tuple(
        slots.index(part) if isinstance(part, Slot) else _quoted(part, last=index == last)
        for index, part in enumerate(template)
    )


def _quoted(text: str, *, last: bool) -> bytes:
    raw = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    if last:
        return binascii.b2a_qp(raw).replace(b"\n", b"\r\n")
    # The NUL, always written "=00", keeps the encoder from treating the end of this part as the end of a line.
    piece = binascii.b2a_qp(raw + b"\0")[:-3]
    if piece and not piece.endswith(b"=\n"):
        piece += b"=\n"
    return piece.replace(b"\n", b"\r\n")


def _fill(parts: _Encoded, encoded: Sequence[bytes]) -> bytes:
    return b"".join([part if isinstance(part, bytes) else encoded[part] for part in parts])


def _value(slot: Slot, values: Sequence[str]) -> bytes:
    sound(values[slot.field])
    return _quoted(join((slot,), values), last=False)


def sound(value: str) -> None:
    """Raise ``CannotRender`` when ``value`` may stand in no message: control characters, lone surrogates."""
    if not value.isprintable() and (bad := _UNSOUND.search(value)):
        message = f"a value holds U+{ord(bad[0]):04X}, which may not stand in a message"
        raise CannotRender(message)


def _boundary(subject: Template, slots: Sequence[Slot], *parts: _Encoded) -> bytes:
    """A boundary from the content; quoted-printable text can never hold its ``=_`` (RFC 2045 §6.7)."""
    digest = hashlib.sha256(repr((subject, slots)).encode())
    for encoded in parts:
        for part in encoded:
            digest.update(part if isinstance(part, bytes) else b"%d" % part)
    return f"=_{digest.hexdigest()[:40]}".encode()


# -- headers --------------------------------------------------------------------------


def address(text: str) -> str:
    """A reader's address in ASCII, its domain by IDNA.

    Raises ``CannotRender`` for a local part that only SMTPUTF8 could carry, or one in quotes.
    """
    if _PLAIN.fullmatch(text):
        return text
    local, _, domain = text.rpartition("@")
    if not _LOCAL.fullmatch(local):
        message = "the part before the @ needs quotes or SMTPUTF8, which providers do not take"
        raise CannotRender(message)
    return f"{local}@{_domain(domain)}"


def addresses(texts: Sequence[str]) -> list[str]:
    """Every one's ``address``; a look at all of them together costs a third.

    Raises ``CannotRender`` when one of them has none.
    """
    together = "\n".join(texts)
    if together.count("\n") == len(texts) - 1 and _PLAIN_EACH.fullmatch(together):
        return list(texts)
    return [address(text) for text in texts]


def _domain(domain: str) -> str:
    if _PLAIN_DOMAIN.fullmatch(domain):
        return domain
    import idna

    try:
        ascii_domain = idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        message = "the part after the @ is not a domain"
        raise CannotRender(message) from None
    return ascii_domain


def _date(date: dt.datetime) -> str:
    """RFC 5322 §3.3; ``email.utils`` would do, but importing it, sockets and all, takes longer than all the rest."""
    day, month = 3 * date.weekday(), 3 * (date.month - 1)
    return f"{_DAYS[day : day + 3]}, {date.day:02} {_MONTHS[month : month + 3]} {date.year:04} {date:%H:%M:%S %z}"


def _visible(what: str, value: str) -> str:
    if not _VISIBLE.fullmatch(value):
        message = f"the {what} holds a character that may not stand in a header"
        raise CannotRender(message)
    return value


def _line(name: str, value: str) -> bytes:
    """A header line, folded after its name when it is too long; the value itself cannot be folded."""
    space = " " if len(name) + 2 + len(value) <= WIDTH else "\r\n "
    return f"{name}:{space}{value}\r\n".encode("ascii")


def mailto(where: str) -> str:
    """The ``mailto:`` of ``List-Unsubscribe`` (RFC 2369 §3.2), or an empty string."""
    from urllib.parse import quote

    return f"mailto:{quote(address(where), safe='@')}?subject=unsubscribe" if where else ""


def visible_link(url: str) -> None:
    """Raise ``CannotRender`` when an unsubscribe link may not stand in a header; an empty one may."""
    if not url.isascii() or url.encode().translate(None, _VISIBLES):
        _visible("unsubscribe link", url)


def list_unsubscribe(url: str, mailto: str) -> str:
    """The value of ``List-Unsubscribe``: the page first, then the address; either may be empty."""
    return ", ".join(f"<{each}>" for each in (url, mailto) if each)


def _unsubscribe(url: str, mailto: str) -> bytes:
    visible_link(url)
    wheres = [f"<{each}>" for each in (url, mailto) if each]
    if not wheres:
        return b""
    first = _line("List-Unsubscribe", wheres[0] + "," * (len(wheres) > 1))
    line = first + b"".join(f" {each}\r\n".encode() for each in wheres[1:])
    return line + _line("List-Unsubscribe-Post", ONE_CLICK) if url.startswith("https://") else line


def feedback_id(tag: str, sender: str) -> str:
    """The value of ``Feedback-ID``: four fields, the sender's last (Gmail Help 6254652, 2026-11-22)."""
    return f"{plain(tag, 60)}:issue:newsletter:{sender}"


def plain(text: str, most: int = 120) -> str:
    """``text`` as ASCII letters, digits, ``_`` and ``-``: what tags may be made of everywhere."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)[:most].strip("-") or "issue"


def _subject(text: str) -> bytes:
    if text.isascii() and len(text) + len("Subject: ") <= WIDTH and "=?" not in text and text.isprintable():
        stripped = text.strip()
        if stripped == text:
            return f"Subject: {text}\r\n".encode("ascii")
    return f"Subject: {_encoded('Subject', text)}\r\n".encode("ascii")


def _mailbox(header: str, mailbox: Mailbox) -> str:
    where = address(mailbox.address)
    return _after(_phrase(header, mailbox.name), f"<{where}>") if mailbox.name else f"{header}: {where}\r\n"


def unfolded(line: str) -> str:
    """The value of a header line on one line, for an API that folds by itself."""
    return line.partition(":")[2].replace("\r\n", "").strip()


def sender_value(sender: Mailbox) -> str:
    """A mailbox in ASCII: its name as it is, in quotes, or as encoded words (RFC 2047)."""
    return unfolded(_mailbox("From", sender))


def unquoted_value(mailbox: Mailbox) -> str:
    """The same without quotes: a name that needs them becomes encoded words, too."""
    value = sender_value(mailbox)
    if not value.startswith('"'):
        return value
    words = _encoded("Reply-To", mailbox.name).replace("\r\n", "")
    return f"{words} <{address(mailbox.address)}>"


def list_id(name: str, sender: Mailbox) -> str:
    """The value of ``List-Id`` (RFC 2919), the same for every issue."""
    return unfolded(_list_id(name, sender))


def _list_id(name: str, sender: Mailbox) -> str:
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-") or "newsletter"
    return _after(_phrase("List-Id", name), f"<{label}.{_domain(sender.domain)}>")


def _phrase(header: str, name: str) -> str:
    """A header's name and a display name: as it is, in quotes, or as encoded words."""
    if "=?" in name or not name.isascii() or len(header) + len(name) + 6 > WIDTH:
        return f"{header}: {_encoded(header, name)}"
    if _ATOMS.fullmatch(name):
        return f"{header}: {name}"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{header}: "{escaped}"'


def _after(phrase: str, where: str) -> str:
    line = phrase.rpartition("\n")[2]
    space = " " if len(line) + 1 + len(where) <= WIDTH else "\r\n "
    return f"{phrase}{space}{where}\r\n"


@functools.lru_cache(maxsize=1024)
def _encoded(header: str, text: str) -> str:
    """``text`` folded into lines of at most 76 characters; it decodes to exactly itself.

    Plain ASCII stays readable where that is safe; everything else becomes encoded words.
    """
    from email.header import Header

    if reason := unsafe(text):
        message = f"the {header.lower()} may not go out: {reason}"
        raise CannotRender(message)
    if text.isascii() and header == "Subject" and "=?" not in text and re.fullmatch(r"\S+(?: \S+)*", text):
        folded = Header(text, "us-ascii", maxlinelen=WIDTH, header_name=header).encode(linesep="\r\n")
        if max(map(len, f"{header}: {folded}".split("\r\n"))) <= WIDTH and folded.replace("\r\n", "") == text:
            return folded
    return Header(text, "utf-8", maxlinelen=WIDTH, header_name=header).encode(linesep="\r\n")


def _parse_again(raw: bytes, expected: int) -> None:
    """Read the shared headers back (RFC 5322 §2.2): one more or less means that a value broke out of its line."""
    lines = raw.removesuffix(b"\r\n").split(b"\r\n")
    headers = sum(_HEADER.fullmatch(line) is not None for line in lines)
    folded = sum(_FOLDED.fullmatch(line) is not None for line in lines)
    if headers != expected or headers + folded != len(lines):
        message = "the sender or the newsletter's name breaks the message's headers apart"
        raise CannotRender(message)
