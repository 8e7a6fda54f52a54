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
