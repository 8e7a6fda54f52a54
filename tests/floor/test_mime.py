"""A built message, read again by another parser, holds exactly what was put in."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
from email.header import decode_header, make_header
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.headers import unsafe
from newsletter.mime import WIDTH, Frame, address, edition_message, frame, message_bytes
from newsletter.model import Edition, Field, Mailbox, Slot, Template, Variant
from newsletter.personal import CannotRender, join
from newsletter.providers.base import Letter

if TYPE_CHECKING:
    from email.message import EmailMessage

SENDER = Mailbox("Tess Editor", "tess@example.org")
DATE = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
NASTY = [
    '"><script>',
    "{{7*7}}",
    "%recipient.email%",
    "*|X|*",
    "José 🎉 Ünal",
    "مرحبا بالعالم",
    "=?utf-8?q?hi?=",
    "a =?utf-8?b?aGk=?= b",
    "  two  spaces  ",
    "x" * 300,
    "word " * 60,
    "日本語" * 60,
    "",
    ".",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "= equals =3D =",
    'quote " and \\ backslash, comma; semicolon (comment) <angle>',
]
HEADERS = {"From", "Date", "List-Id", "MIME-Version", "To", "Subject", "Message-ID", "Content-Type"}


SUBJECT: Template = (Slot(0, "header"),)
HTML: Template = ("<p>", Slot(0, "html"), "</p>\n")
TEXT: Template = ("Hello ", Slot(0, "text"), "\n")


def framed(
    *,
    subject: Template = SUBJECT,
    html: Template = HTML,
    text: Template = TEXT,
    sender: Mailbox = SENDER,
    reply_to: Mailbox | None = None,
    list_name: str = "The Test Letter",
    unsubscribe_email: str = "",
    feedback_id: str = "",
) -> Frame:
    """A frame around one merge field."""
    return frame(
        Letter(
            tag="2026-11-23-hello",
            sender=sender,
            reply_to=reply_to,
            date=DATE,
            list_name=list_name,
            subject=subject,
            html=html,
            text=text,
            unsubscribe_email=unsubscribe_email,
            feedback_id=feedback_id,
        )
    )


def built(shared: Frame, *values: str, to: str = "ana@example.com", unsubscribe: str = "") -> bytes:
    """One message."""
    return message_bytes(shared, values, to=to, message_id="<abc@example.org>", unsubscribe=unsubscribe)


def parsed(raw: bytes) -> EmailMessage:
    """The message as the standard library's current parser reads it."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert not message.defects
    return message


def body(message: EmailMessage, kind: str) -> str:
    """A decoded part, with plain line ends."""
    part = message.get_body((kind,))
    assert part is not None
    assert not part.defects
    raw = part.get_payload(decode=True)
    assert isinstance(raw, bytes)
    return raw.decode().replace("\r\n", "\n")


def decoded(raw: bytes, header: str) -> str:
    """A header decoded by RFC 2047; the current parser puts spaces between adjacent words of a name."""
    return str(make_header(decode_header(email.message_from_bytes(raw)[header].replace("\r\n", ""))))


def subject(raw: bytes) -> str:
    """The decoded subject."""
    return decoded(raw, "Subject")


def test_a_message_holds_exactly_the_intended_headers() -> None:
    """Every header once, none besides, and both one-click headers for an https link."""
    raw = built(
        framed(reply_to=Mailbox("", "answers@example.org")), "Ana", unsubscribe="https://letters.example.org/u/1u.1.x"
    )
    message = parsed(raw)
    assert sorted(message.keys()) == sorted({*HEADERS, "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post"})
    assert message["From"] == "Tess Editor <tess@example.org>"
    assert message["To"] == "ana@example.com"
    assert message["Date"] == "Mon, 23 Nov 2026 08:00:00 +0000"
    assert message["Message-ID"] == "<abc@example.org>"
    assert message["List-Id"] == "The Test Letter <the-test-letter.example.org>"
    assert message["List-Unsubscribe"] == "<https://letters.example.org/u/1u.1.x>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_one_click_is_announced_for_https_only() -> None:
    """RFC 8058 wants https; the outbox's localhost link goes without the second header."""
    message = parsed(built(framed(), "Ana", unsubscribe="http://localhost:8025/u/1u.1.x"))
    assert message["List-Unsubscribe"] == "<http://localhost:8025/u/1u.1.x>"
    assert "List-Unsubscribe-Post" not in message


def test_lines_are_short_and_end_in_crlf() -> None:
    """No line is longer than 76 octets, none ends in a bare line feed, and all of it is ASCII."""
    raw = built(framed(html=("<p>" + "é" * 5000, Slot(0, "html"), "x" * 5000)), "José " * 40)
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= WIDTH
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert raw.isascii()


@pytest.mark.parametrize("value", NASTY)
def test_nasty_values_arrive_as_they_are(value: str) -> None:
    """Whatever a name holds, subject, text and HTML decode to it, and no header is added."""
    raw = built(framed(), value)
    message = parsed(raw)
    assert set(message.keys()) == HEADERS
    assert subject(raw) == value
    assert body(message, "plain") == f"Hello {value}\n"
    assert body(message, "html") == join(HTML, (value,))


@pytest.mark.parametrize("value", NASTY)
def test_nasty_names_of_senders_arrive_as_they_are(value: str) -> None:
    """A display name decodes to itself in From and Reply-To."""
    if not value.strip() or value != value.strip():
        return
    raw = built(framed(sender=Mailbox(value, "tess@example.org"), reply_to=Mailbox(value, "re@example.org")), "x")
    for header, where in (("From", "tess@example.org"), ("Reply-To", "re@example.org")):
        assert [address.addr_spec for address in parsed(raw)[header].addresses] == [where]
        name = decoded(raw, header).removesuffix(f" <{where}>")
        if name.startswith('"'):
            name = name[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        assert name == value
    assert max(map(len, raw.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= WIDTH


_VALUES = st.text(max_size=120)
_STATIC = st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc")), max_size=200)


@given(value=_VALUES, before=_STATIC, after=_STATIC)
@settings(max_examples=300, deadline=None)
def test_any_value_arrives_or_is_refused(value: str, before: str, after: str) -> None:
    """For any text: either the message cannot be made, or it decodes to exactly that text."""
    shared = framed(
        html=(before, Slot(0, "html"), after, Slot(0, "html")), text=(before + "\n", Slot(0, "text"), "\n" + after)
    )
    try:
        raw = built(shared, value)
    except CannotRender:
        assert unsafe(value) or any(ord(c) < 32 or ord(c) == 127 or "\ud800" <= c <= "\udfff" for c in value)
        return
    message = parsed(raw)
    assert set(message.keys()) == HEADERS
    assert subject(raw) == join(SUBJECT, (value,))
    plain = value.replace("\r\n", "\n").replace("\r", "\n")
    assert body(message, "plain") == f"{before}\n{plain}\n{after}"
    assert body(message, "html") == join((before, Slot(0, "html"), after, Slot(0, "html")), (plain,))
    assert max(map(len, raw.split(b"\r\n"))) <= WIDTH


@pytest.mark.parametrize(
    "value",
    [
        "=?utf-8?q?hi=0ABcc=3A_evil=40example.com?=",
        "a\x00b",
        "a\u2028b",
        "a\x85b",
    ],
)
def test_a_line_break_in_a_subject_cannot_be_rendered(value: str) -> None:
    """Hidden in an encoded word or in another control character, a line break never becomes a header."""
    with pytest.raises(CannotRender):
        built(framed(), value)


@pytest.mark.parametrize("line", ["a\r\nBcc: evil@example.com", "a\nb", "a\tb"])
def test_a_line_break_in_an_author_s_subject_cannot_be_rendered(line: str) -> None:
    """Authors are told, whereas a reader's value becomes one line."""
    with pytest.raises(CannotRender):
        built(framed(subject=(line,)), "Ana")
    raw = built(framed(), line)
    assert subject(raw) == " ".join(line.split())
    assert set(parsed(raw).keys()) == HEADERS


@pytest.mark.parametrize("value", ["a\x00b", "a\x1bb", "\ud800"])
def test_a_control_character_in_a_body_cannot_be_rendered(value: str) -> None:
    """What no message may hold is refused, in text and HTML alike."""
    with pytest.raises(CannotRender):
        built(framed(subject=("Hi",)), value)


@pytest.mark.parametrize(
    "to",
    [
        "ana",
        "ana@",
        "@example.com",
        "a b@example.com",
        "ü@example.com",
        "a@b\r\nBcc: x@y.z",
        "a@-",
        '"a b"@example.com',
        "a..b@example.com",
        "",
    ],
)
def test_an_address_that_no_header_can_carry_is_refused(to: str) -> None:
    """Line breaks, quotes, and parts before the @ that need SMTPUTF8."""
    with pytest.raises(CannotRender):
        address(to)


def test_a_domain_goes_out_by_idna() -> None:
    """A reader's address with an international domain is written in its ASCII form."""
    assert parsed(built(framed(), "x", to="ana@exämple.com"))["To"] == "ana@xn--exmple-cua.com"


@pytest.mark.parametrize("link", ["https://x/\r\nBcc: a@b.c", "https://x/<>", "https://x/ y"])
def test_a_link_that_breaks_its_header_is_refused(link: str) -> None:
    """The unsubscribe link stands in a header and is looked at like every other value."""
    with pytest.raises(CannotRender):
        built(framed(), "x", unsubscribe=link)


def test_a_sender_with_a_hidden_line_break_is_refused() -> None:
    """CVE-2024-6923: an encoded word that decodes to a line break does not pass."""
    with pytest.raises(CannotRender):
        framed(sender=Mailbox("=?utf-8?q?a=0ABcc=3A_x?=", "tess@example.org"))


def test_the_same_content_gives_the_same_bytes_and_other_content_another_boundary() -> None:
    """Nothing but content and values goes into a message."""
    one, two = built(framed(), "Ana"), built(framed(), "Ana")
    assert one == two
    assert framed().boundary != framed(text=("Other",)).boundary


def test_an_edition_is_written_without_a_reader() -> None:
    """The build's email.eml is addressed to nobody, dated as the issue, and the same each time."""

    class Named:
        name = "The Test Letter"
        unsubscribe_email = "leave@example.org"
        feedback_id = ""

    made = Edition(
        issue_id="hello-0001",
        slug="hello",
        title="Hello",
        lang="en",
        sender=SENDER,
        reply_to=None,
        date=DATE,
        fields=(Field("first_name"), Field("unsubscribe_url")),
        variants=(Variant("", ("Hi ", Slot(0, "header")), ("<a>", Slot(1, "link"), "</a>"), TEXT),),
        web="",
        pictures=(),
        preheader=(),
        links=(),
        images=(),
        places=(),
    )
    values = ("there", "https://letters.example.org/u/example")
    raw = edition_message(made, made.variants[0], Named(), values)
    message = parsed(raw)
    assert message["To"] == "undisclosed-recipients:;"
    assert message["Date"] == "Mon, 23 Nov 2026 08:00:00 +0000"
    assert message["Subject"] == "Hi there"
    leave = "<https://letters.example.org/u/example>, <mailto:leave@example.org?subject=unsubscribe>"
    assert message["List-Unsubscribe"].strip() == leave
    assert raw == edition_message(made, made.variants[0], Named(), values)
