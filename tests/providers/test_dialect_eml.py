"""Mails of the dialects, read by the standard library: decoding gives back what was given."""

from __future__ import annotations

import datetime as dt
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.personal import unsafe_in_header
from newsletter.providers.dialects import eml
from newsletter.providers.dialects.addresses import Mailbox, mailbox, members
from newsletter.providers.dialects.eml import CannotCarry, Encoder, Parts

LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200)
BODIES = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\r\n \t.=")), max_size=400)


def made(**changes: object) -> bytes:
    """One message."""
    usual = Parts(
        sender=Mailbox("Tess", "tess@example.org"),
        to=(Mailbox("", "ada@example.com"),),
        subject="Hi",
        date=dt.datetime(2026, 11, 25, tzinfo=dt.UTC),
        message_id="<1@example.org>",
        headers=(),
        text="Hello\n",
        html="<p>Hello</p>",
    )
    values = {name: getattr(usual, name) for name in Parts.__slots__} | changes
    return eml.message(Parts(**values), Encoder())


def shown(raw: bytes, name: str) -> str:
    """A header as a reader sees it."""
    value = str(message_from_bytes(raw)[name]).replace("\r\n", "").replace("\n", "")
    return str(make_header(decode_header(value)))


def longest(raw: bytes) -> int:
    """The length of the longest line."""
    return max(len(line) for line in raw.split(b"\r\n"))


@given(LINES)
def test_a_subject_reads_as_it_was_given(subject: str) -> None:
    """Spaces at its ends, letters of every script, and what looks like an encoded word."""
    try:
        raw = made(subject=subject)
    except CannotCarry:
        assert "=?" in subject or len(subject) > 900
        return
    assert shown(raw, "subject") == subject
    assert longest(raw) <= 998


@pytest.mark.parametrize(
    "subject", ["=?utf-8?q?x?=", " a ", "a  b" * 60, "ä" * 300, "a\tb".replace("\t", "  "), "€" + "x" * 100]
)
def test_subjects_that_break_things_read_as_given(subject: str) -> None:
    """One by one, for those that chance may miss."""
    assert shown(made(subject=subject), "subject") == subject


@given(BODIES, BODIES)
def test_bodies_read_as_they_were_given(text: str, html: str) -> None:
    """But for CRLF, which is a line end; no line is too long."""
    raw = made(text=text, html=html)
    parts = list(message_from_bytes(raw).walk())[1:]
    for part, body in zip(parts, (text, html), strict=True):
        payload = part.get_payload(decode=True)
        assert isinstance(payload, bytes)
        assert payload.decode().replace("\r\n", "\n") == body.replace("\r\n", "\n")
    assert longest(raw) <= 80
    assert b"\n" not in raw.replace(b"\r\n", b"")


@given(LINES)
def test_a_header_of_ascii_is_folded_and_nothing_else(value: str) -> None:
    """Unfolding gives back the value, letter by letter."""
    value = value.encode("ascii", "ignore").decode().strip()
    try:
        raw = made(headers=(("X-Test", value),))
    except CannotCarry:
        assert "=?" in value
        return
    assert str(message_from_bytes(raw)["x-test"]).replace("\r\n", "").replace("\n", "") == value


@given(LINES)
def test_a_display_name_reads_as_it_was_given(name: str) -> None:
    """In ``From``, beside its address."""
    name = name.strip()
    try:
        raw = made(sender=Mailbox(name, "tess@example.org"))
    except CannotCarry:
        assert "=?" in name
        return
    ((found, address),) = getaddresses([str(message_from_bytes(raw)["from"])])
    assert address == "tess@example.org"
    if "=?" not in name:
        assert str(make_header(decode_header(found.replace("\r\n", "").replace("\n", "")))) == name


def test_only_the_name_of_a_reply_address_is_encoded() -> None:
    """Several may stand there."""
    raw = made(headers=(("Reply-To", 'Ré <re@example.org>, "A, B" <ab@example.org>'),))
    found = getaddresses([str(message_from_bytes(raw)["reply-to"])])
    assert [address for _, address in found] == ["re@example.org", "ab@example.org"]


def test_a_message_of_one_part_is_no_multipart() -> None:
    """A text alone is a text."""
    message = message_from_bytes(made(html=None))
    assert message.get_content_type() == "text/plain"
    assert message.get_payload(decode=True) == b"Hello\r\n"


@given(st.text(max_size=30))
def test_no_value_makes_a_header_line_of_its_own(value: str) -> None:
    """What may not stand in a header is refused."""
    try:
        raw = made(subject=value, headers=(("X-Test", value),))
    except CannotCarry:
        assert unsafe_in_header(value) or "=?" in value
        return
    assert len(message_from_bytes(raw).items()) == 8


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a@example.com", ("", "a@example.com")),
        (" A B <a@example.com> ", ("A B", "a@example.com")),
        ('"A, \\"B\\"" <a@example.com>', ('A, "B"', "a@example.com")),
        ("<a@example.com>", ("", "a@example.com")),
        ('"a b"@example.com', ("", '"a b"@example.com')),
        ("a+b@ex-ample.co.uk", ("", "a+b@ex-ample.co.uk")),
        ("a@b", None),
        ("a@-b.example", None),
        ("a@b..example", None),
        ("a b@example.com", None),
        ("A <a@example.com", None),
        ("@example.com", None),
        (f"{'a' * 60}@{'b' * 63}.{'c' * 63}.{'d' * 63}.{'e' * 20}.example", None),
        ("", None),
    ],
)
def test_a_mailbox_is_read_or_refused(text: str, found: tuple[str, str] | None) -> None:
    """Name and address, or nothing."""
    read = mailbox(text)
    assert (read and (read.name, read.spec)) == found


def test_a_list_is_split_outside_of_quotes() -> None:
    """And what cannot be split stays one member, to be refused."""
    assert members("a@x.example,b@x.example") == ["a@x.example", "b@x.example"]
    assert members('"A, B" <a@x.example>, b@x.example') == ['"A, B" <a@x.example>', "b@x.example"]
    assert members('"A <a@x.example>') == ['"A <a@x.example>']
