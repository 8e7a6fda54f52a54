"""Marks, values and joining."""

from __future__ import annotations

import html
from email.header import decode_header, make_header
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model import Context, Field, Filter, Slot
from newsletter.personal import (
    MARK,
    CannotRender,
    cut,
    evaluate,
    join,
    mark,
    number,
    replace,
    unsafe_in_header,
    used,
    without_reader,
)


@given(st.integers(0, 200_000), st.integers(5, 80))
def test_a_mark_keeps_its_length_and_gives_its_number_back(index: int, length: int) -> None:
    """Every position in the author's file holds."""
    made = mark(index, length)
    found = MARK.fullmatch(made)
    assert len(made) == length
    assert found is not None
    assert number(found) == index


def test_neighbouring_marks_stay_apart() -> None:
    """Two fields without a space between them are two fields."""
    text = mark(1, 9) + mark(2, 9)
    assert cut(text, "text", [Field("a")] * 3) == (Slot(1, "text"), Slot(2, "text"))
    assert replace(text, str) == "12"


NAME = Field("first_name", (Filter("default", ("there",)),))


@pytest.mark.parametrize(
    ("filters", "value", "wanted"),
    [
        ((), "Ada", "Ada"),
        ((Filter("default", ("there",)),), "", "there"),
        ((Filter("default", ("there",)),), " \t", "there"),
        ((Filter("default", ("there",)), Filter("upper")), "", "THERE"),
        ((Filter("upper"),), "straße", "STRASSE"),
        ((Filter("lower"),), "ADA", "ada"),
        ((Filter("title"),), "anne-marie o'neil", "Anne-Marie O'neil"),
        ((Filter("date", ("d MMMM y",)),), "2026-11-03", "3 November 2026"),
        ((Filter("date", ("d MMMM",)),), "", ""),
        ((), "{{7*7}}", "{{7*7}}"),
    ],
)
def test_filters_work_in_the_order_given(filters: tuple[Filter, ...], value: str, wanted: str) -> None:
    """A blank value counts as missing, and a value is never compiled."""
    assert evaluate(Field("x", filters), {"x": value}, "en") == wanted


@pytest.mark.parametrize(
    ("lang", "value", "wanted"),
    [
        ("en", "1234567.5", "1,234,567.5"),
        ("de", "1234567.5", "1.234.567,5"),
        ("fr", "-1234.125", "-1\u202f234,125"),
        ("de-CH", "1234", "1’234"),
        ("en", "0.123456789", "0.123456789"),
        ("en", "", ""),
        ("en", " 7 ", "7"),
    ],
)
def test_a_number_speaks_the_issue_s_language(lang: str, value: str, wanted: str) -> None:
    """Grouped and with its own comma, and with all its decimals."""
    assert evaluate(Field("x", (Filter("number"),)), {"x": value}, lang) == wanted


@pytest.mark.parametrize(
    ("lang", "forms", "wanted"),
    [
        ("en", ("day", "days"), {"0": "days", "1": "day", "1.0": "days", "-1": "day", "2": "days", "": ""}),
        ("fr", ("jour", "jours"), {"0": "jour", "1": "jour", "1.5": "jour", "2": "jours", "1000000": "jours"}),
        ("pl", ("dzień", "dni", "dni!"), {"1": "dzień", "2": "dni", "5": "dni!", "22": "dni", "1.5": "dni!"}),
        ("ru", ("1", "2", "5", "½"), {"21": "1", "23": "2", "11": "5", "1.5": "½"}),
        ("ar", ("z", "o", "t", "f", "m", "r"), {"0": "z", "1": "o", "2": "t", "5": "f", "11": "m", "100": "r"}),
        ("ja", ("日",), {"1": "日", "2": "日"}),
    ],
)
def test_plural_gives_the_word_for_a_number(lang: str, forms: tuple[str, ...], wanted: dict[str, str]) -> None:
    """By the language's own categories (CLDR); a form that was not given is the last one."""
    field = Field("x", (Filter("plural", forms),))
    assert {value: evaluate(field, {"x": value}, lang) for value in wanted} == wanted


@pytest.mark.parametrize("value", ["many", "1,234", "1e9", "٣", "--1", "1.", "9" * 31, "0x10", "NaN"])
@pytest.mark.parametrize("name", ["number", "plural"])
def test_a_value_that_is_no_number_cannot_be_rendered(name: str, value: str) -> None:
    """The reason names the field and not the value."""
    field = Field("points", (Filter(name, ("a", "b") if name == "plural" else ()),))
    with pytest.raises(CannotRender, match="points is not a number such as") as caught:
        evaluate(field, {"points": value}, "en")
    assert value not in str(caught.value).replace("1234.5", "")


SITE = Field("site", (Filter("link"),))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("https://example.org", "https://example.org"),
        (" HTTP://example.org/a%20b?c=d&e='f'#g ", "HTTP://example.org/a%20b?c=d&e=%27f%27#g"),
        ("https://bücher.example/ü?q=漢", "https://xn--bcher-kva.example/%C3%BC?q=%E6%BC%A2"),
        ("mailto:a@example.org?subject=Hi", "mailto:a@example.org?subject=Hi"),
        ("tel:+49-30-1234", "tel:+49-30-1234"),
    ],
)
def test_a_whole_address_is_http_https_mailto_or_tel(value: str, wanted: str) -> None:
    """Its letters outside of ASCII are encoded, and nothing that it encodes is encoded twice."""
    assert evaluate(SITE, {"site": value}, "en") == wanted


@pytest.mark.parametrize(
    "value",
    [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:x", "java\nscript:x", "data:text/html,x", "vbscript:x",
        "//example.org", "example.org", "/a", "https:", "https://", "https:///a", "https:\\\\example.org", "ftp://a",
        "mailto:", "https://a b", "https://a\tb", 'https://a"onclick=', "https://a<b>", "https://\u2028", "https://a\x00",
        "https://" + "ü" * 80, "file:///etc/passwd", "sms:1", "x:https://example.org",
    ],
)  # fmt: skip
def test_any_other_address_cannot_be_rendered(value: str) -> None:
    """A script above all; the reason names the field and not the value."""
    with pytest.raises(CannotRender, match="site is") as caught:
        evaluate(SITE, {"site": value}, "en")
    assert value not in str(caught.value)


def test_a_link_needs_an_address() -> None:
    """Without one there is no mail; with a default there is."""
    with pytest.raises(CannotRender, match="site is empty, and a link needs an address"):
        evaluate(SITE, {}, "en")
    known = SITE._replace(filters=(Filter("default", ("https://example.org",)), *SITE.filters))
    assert evaluate(known, {}, "en") == "https://example.org"


def test_what_is_encoded_already_goes_into_a_link_as_it_is() -> None:
    """``urlencode`` before a link changes nothing there, and a whole address is not encoded at all."""
    fields = [Field("q"), Field("q", (Filter("urlencode"),)), SITE]
    text = "".join(mark(index, 3) for index in range(3))
    assert cut(text, "url", fields) == (Slot(0, "url"), Slot(1, "link"), Slot(2, "link"))
    values = [evaluate(field, {"q": "a b&c", "site": "tel:1"}, "en") for field in fields]
    assert join(cut(text, "url", fields), values) == "a%20b%26ca%20b%26ctel:1"


def test_a_date_speaks_the_issue_s_language() -> None:
    """CLDR patterns, by Babel."""
    assert evaluate(Field("x", (Filter("date", ("d. MMMM",)),)), {"x": "2026-03-01"}, "de") == "1. März"


def test_a_value_that_is_no_date_cannot_be_rendered() -> None:
    """The reason names the field and not the value."""
    with pytest.raises(CannotRender, match="joined is not an ISO date") as caught:
        evaluate(Field("joined", (Filter("date", ("y",)),)), {"joined": "yesterday"}, "en")
    assert "yesterday" not in str(caught.value)


def test_without_a_reader_a_field_shows_its_default_or_its_name() -> None:
    """As the web page and a plain build show it."""
    assert without_reader(NAME, "en") == "there"
    assert without_reader(Field("city"), "en") == "[city]"
    assert without_reader(Field("unsubscribe_url"), "en", "https://x.org/") == "https://x.org/u/example"


@pytest.mark.parametrize(
    "value", ['"><script>', "{{7*7}}", "%recipient.email%", "*|X|*", "👩‍👩‍👧", "مرحبا", "a'b&c", "\\1"]
)
@pytest.mark.parametrize("context", ["html", "url", "text", "header"])
def test_a_hostile_value_arrives_literally_and_breaks_nothing(value: str, context: Context) -> None:
    """Escaped for where it stands; decoding gives exactly the value."""
    joined = join(("<", Slot(0, context), ">"), [value])[1:-1]
    decoded = joined
    if context == "html":
        assert not set(joined) & set("<>\"'")
        decoded = html.unescape(joined)
    if context == "url":
        assert joined.isascii()
        decoded = unquote(joined)
    assert decoded == value


@pytest.mark.parametrize("value", ["a\x00b", "a\x0bb", "a\x0cb", "a\n\x00b", "a\x85b", "a\u2028b", "a\x1cb", "a\x7fb"])
def test_a_control_character_never_reaches_a_header(value: str) -> None:
    """RFC 5322: it could start another header."""
    with pytest.raises(CannotRender, match=r"U\+[02]0"):
        join((Slot(0, "header"),), [value])


@pytest.mark.parametrize(
    ("value", "line"),
    [("a\tb", "a b"), ("a\nb", "a b"), ("a \r\n\t b", "a b"), ("a\n", "a"), ("\ta", "a"), ("a  b ", "a  b ")],
)
def test_tabs_and_line_breaks_become_one_space_in_a_header(value: str, line: str) -> None:
    """A spreadsheet's cell with a line break fails nobody's mail; plain spaces stay as they are."""
    assert join(("<", Slot(0, "header"), ">"), [value]) == f"<{line}>"
    assert join(("<", Slot(0, "text"), ">"), [value]) == f"<{value}>"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_what_is_safe_in_a_header_has_no_line_break_when_encoded_again(value: str) -> None:
    """The other direction: harmless text is not refused."""
    assert unsafe_in_header(value) == ""
    assert len(str(make_header(decode_header("x")))) == 1


def test_used_lists_each_field_once() -> None:
    """The pre-flight asks only for these."""
    assert used([("a", Slot(2, "text")), (Slot(2, "html"), Slot(0, "url"))]) == {0, 2}
