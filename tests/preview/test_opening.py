"""Taking one message apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from preview.helpers_preview import HTML, Sample

from newsletter.preview.opening import framed, head_fields, open_message


def test_html_text_and_headers_come_out_decoded(sample: Sample) -> None:
    """Transfer encodings and encoded words are the mail client's business, so they are read here."""
    raw = sample.put("a", subject="Ömer, next year’s water", text="Grüße\n").read_bytes()
    opened = open_message(raw)
    assert opened.header("subject") == "Ömer, next year’s water"
    assert opened.text == "Grüße\n"
    assert opened.html.strip() == HTML.strip()
    assert opened.size == len(raw)
    assert "=?utf-8?" in opened.source


def test_an_attached_page_is_not_the_mail() -> None:
    """Only what a client would show in place counts as HTML or text."""
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\nContent-Disposition: attachment\n\nno\n"
        b"--b\nContent-Type: text/html; charset=no-such-charset\n\nyes\n--b--\n"
    )
    assert open_message(raw).html.strip() == "yes"


def test_folded_and_encoded_list_headers_are_read() -> None:
    """The quick look and the full one agree; the first of several counts, and the body is no header."""
    raw = b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?_aus?= Hamburg\r\nto:\r\n ada@example.org\r\nTo: b@example.org\r\n\r\nSubject: no\r\n"
    assert head_fields(raw) == ("ada@example.org", "Grüße aus Hamburg")
    assert open_message(raw).header("subject") == "Grüße aus Hamburg"


def test_an_encoded_word_that_cannot_be_read_stays_as_it_is() -> None:
    """Showing the odd header beats hiding the message."""
    assert head_fields(b"Subject: =?no-such?q?x?=\r\n\r\n")[1] == "=?no-such?q?x?="


@given(st.binary(max_size=300))
def test_no_bytes_can_break_the_page(raw: bytes) -> None:
    """Whatever lies in the folder can be opened and listed."""
    assert open_message(raw).size == len(raw)
    assert all(isinstance(value, str) for value in head_fields(raw))


@given(st.text(max_size=80), st.sampled_from(["Subject", "Content-Type", "Content-Disposition", "To"]))
def test_no_header_can_break_the_page(value: str, name: str) -> None:
    """The same for one odd header in a sound message."""
    opened = open_message(f"{name}: {value}\n\nBody".encode("utf-8", "replace"))
    assert isinstance(opened.html + opened.text, str)


def test_pictures_and_personal_links_come_from_this_page_on_any_port() -> None:
    """A mail made for one port stays readable on another, and with pictures hosted elsewhere."""
    html = (
        '<img src="https://static.example.org/images/ab.png"><img src="http://localhost:9999/images/cd.png">'
        '<a href="http://127.0.0.1:1234/v/t">v</a><a href="https://example.org/images/x">x</a>'
    )
    shown = framed(html, "https://static.example.org/images/")
    assert '<img src="/images/ab.png"><img src="/images/cd.png"><a href="/v/t">' in shown
    assert 'href="https://example.org/images/x"' in shown


def test_links_leave_the_frame_but_footnotes_stay() -> None:
    """A link opens a new tab; a jump within the mail stays in the mail."""
    shown = framed(HTML, "http://localhost:8025/images/")
    assert '<head><base target="_blank"><meta' in shown
    assert '<a target="_self" href="#fn1">' in shown
    assert framed("<p>No head</p>", "x:").startswith('<base target="_blank">')
