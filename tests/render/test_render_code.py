"""Code in colours, and tables that a phone can show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from render.helpers_render import FIELDS, NAME, at, default_theme, events, html_of, printed, tags, words
from render.test_render_look import opened

from newsletter.model import CodeBlock, NoteRef, Table, Text
from newsletter.render.highlight import LONGEST

if TYPE_CHECKING:
    from newsletter.model import Align

PYTHON = '# a remark\ndef height(hour: int) -> float:\n\treturn 0.5 + TABLE["a < b"]  \n\n\n    # end'


def written(html: str) -> str:
    """The characters of the first <pre>."""
    inside = html[html.index("<pre") : html.index("</pre>")]
    return "".join(data for kind, data in events(inside) if kind == "text")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", PYTHON),
        ("PYTHON", PYTHON),
        ("html", '<p class="x">a &amp; b</p>\n<!-- c -->'),
        ("diff", "-old\n+new\n same"),
        ("console", "$ make test\nok"),
        ("nosuch", PYTHON),
        ("", PYTHON),
        ("json", "{broken: ["),
        ("python", "x = 1\n" * (LONGEST // 5)),
        ("bash", "   \n"),
    ],
)
def test_colours_change_no_character(language: str, text: str) -> None:
    """White space, empty lines and markup included, in the mail and on the page."""
    edition = printed(CodeBlock(text, language, at()))
    assert written(edition.web) == text
    assert written(html_of(CodeBlock(text, language, at()))).rstrip("\n") == text.rstrip("\n")


def test_each_kind_of_token_has_its_colour_inline_and_a_class_for_the_dark() -> None:
    """Comments, keywords, strings, numbers and names."""
    html = html_of(CodeBlock(PYTHON, "python", at()))
    settings = default_theme().settings
    found = {each["class"]: each["style"] for each in tags(html, "span") if each.get("class", "").startswith("c")}
    roles = {"cq": "quiet", "cw": "word", "ct": "text", "cn": "number", "cf": "name"}
    assert found == {short: f"color:{settings[f'code_{role}']}" for short, role in roles.items()}
    assert all(f".page .{short} {{ color: {settings[f'code_{role}_dark']}" in html for short, role in roles.items())
    web = printed(CodeBlock(PYTHON, "python", at())).web
    assert {each.get("class") for each in tags(web, "span")} >= set(roles)
    assert not [each for each in tags(web, "span") if "style" in each]


# -- tables ---------------------------------------------------------------------------

HEAD = (words("Day"), words("High water"), (Text("Low & water"), NoteRef(1)), words("Remark"))
ROW = (words("Monday"), words("12:31"), words("18:40"), words("Spring tide, with an easterly wind"))
ALIGNS: tuple[Align, ...] = ("", "right", "center", "")


@pytest.mark.browser
def test_a_wide_table_becomes_records_on_a_phone(browser: Any) -> None:
    """Every value below the other with the name of its column; on a desk the names do not show."""
    html = html_of(Table(HEAD, (ROW, ROW), ALIGNS, at()))
    look = """() => [...document.querySelectorAll('.data td')].map(
      e => [e.getBoundingClientRect().left, getComputedStyle(e.querySelector('span') || e).display])"""
    phone = opened(browser, html, width=375).evaluate(look)
    assert {each[0] for each in phone} == {20}
    assert [each[1] for each in phone] == ["block", "inline", "inline", "inline"] * 2
    desk = opened(browser, html, width=700).evaluate(look)
    assert len({each[0] for each in desk}) == 4
    assert [each[1] for each in desk] == ["table-cell", "none", "none", "none"] * 2


def test_a_columns_name_is_plain_words_and_may_hold_a_field() -> None:
    """A footnote's mark in a head is not repeated, and neither is its anchor."""
    head = (words("Day"), (Text(f"For {NAME}"), NoteRef(1)), *HEAD[2:])
    html = html_of(Table(head, (ROW,), ALIGNS, at()))
    labels = re.findall(r'<span class="label"[^>]*>([^<]*)</span>', html)
    assert labels == ["For there: ", "Low &amp; water: ", "Remark: "]
    assert FIELDS[0].default == "there"
    assert html.count('id="fnref-1"') == 2  # the two heads' own


@pytest.mark.parametrize(
    ("head", "rows"),
    [
        ((words("A"), words("B")), [(words("1"), words("2"))]),
        ((), [ROW]),
        (HEAD, [ROW] * 60),
        (HEAD, []),
    ],
)
def test_narrow_nameless_and_huge_tables_stay_tables(head: Any, rows: Any) -> None:
    """Names would say nothing, or weigh too much."""
    width = len(rows[0]) if rows else len(HEAD)
    html = html_of(Table(head or ((),) * width, tuple(rows), ALIGNS[:width], at()))
    assert 'class="label"' not in html


def test_an_empty_cell_has_no_name() -> None:
    """A name without a value is noise."""
    html = html_of(Table(HEAD, ((*ROW[:3], ()),), ALIGNS, at()))
    assert html.count('class="label"') == 2
