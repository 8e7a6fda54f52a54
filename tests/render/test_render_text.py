"""The text part: widths, prefixes, lists, tables, links."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render.helpers_render import (
    CODE,
    FIELDS,
    NAME,
    at,
    items,
    link,
    para,
    picture,
    printed,
    text_of,
    with_values,
    words,
)

from newsletter.model import (
    Align,
    Block,
    Code,
    CodeBlock,
    Figure,
    Footnote,
    Heading,
    Note,
    NoteRef,
    PullQuote,
    Quote,
    RawHtml,
    Styled,
    Table,
)
from newsletter.render.texttable import rows
from newsletter.render.wrap import Ruler

LONG = "The tide came in twice that day, and each time it left something on the stones. " * 3


def body(*blocks: Block, **changes: object) -> str:
    """The text of some blocks without the frame."""
    text = text_of(*blocks, **changes)
    return text[text.index("2026\n\n") + 6 : text.index("\n\nEdited by")]


def test_no_line_is_wider_than_72_columns() -> None:
    """In paragraphs, lists, quotes and boxes, prefixes included."""
    inner = (para(LONG), items((para(LONG), Quote((para(LONG),), at())), tight=False))
    text = text_of(*inner, Quote(inner, at()), Note("A title", inner, at()), PullQuote((para(LONG),), LONG, at()))
    assert max(len(line) for line in text.splitlines()) <= 72
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_a_word_that_cannot_be_broken_may_be_wider() -> None:
    """An address that is cut in two leads nowhere."""
    address = "https://example.org/" + "a" * 90
    assert address in body(para("See ", link(address, address), " today.")).splitlines()


def test_a_field_counts_as_wide_as_its_source() -> None:
    """The same line breaks for everyone, near the width of the author's own text."""
    assert Ruler(FIELDS).width(f"a {CODE}") == len("a {{ code }}")
    filled = f"{NAME} " * 4
    assert len(Ruler(FIELDS).wrap(filled.strip())) == 2


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=90), max_size=30))
def test_wrapping_loses_no_word_and_keeps_the_width(parts: list[str]) -> None:
    """A line is wider only where a single word is."""
    ruler = Ruler((), 40)
    lines = ruler.wrap(" ".join(parts), "> ")
    assert "".join(line[2:] for line in lines).replace(" ", "") == "".join(parts)
    for line in lines:
        assert ruler.width(line) <= 40 or " " not in line[2:]


def test_wide_characters_count_twice_and_break_anywhere() -> None:
    """Chinese and Japanese have no spaces; a full stop does not begin a line."""
    lines = Ruler((), 20).wrap("潮汐表告诉我们海水何时上涨。" * 3)
    assert len(lines) > 3
    assert all(sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line) <= 22 for line in lines)
    assert not any(line.startswith("。") for line in lines)
    assert Ruler(()).width("e\u0301") == 1


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (Heading(2, words("A head"), "a", at()), "A head\n------"),
        (Heading(3, words("A head"), "a", at()), "### A head"),
        (items((para("a"),), (para("b"),)), "- a\n- b"),
        (items((para("a"),), (para("b"),), tight=False), "- a\n\n- b"),
        (items((para("a"),), (para("b"),), start=9), "9.  a\n10. b"),
        (
            items((para("a"), items((para("b"),), start=1))),
            "- a\n  1. b",
        ),
        (items((para("a"), para("b")), tight=False), "- a\n\n  b"),
        (items((), (para("b"),)), "-\n- b"),
        (Quote((para("a"), para("b")), at()), "> a\n>\n> b"),
        (Quote((Quote((para("a"),), at()),), at()), "> > a"),
        (Note("T", (para("a"), para("b")), at()), "| T\n|\n| a\n|\n| b"),
        (Note("", (para("a"),), at()), "| a"),
        (CodeBlock("if x:\n\n\n    y\n", "python", at()), "    if x:\n\n\n        y"),
        (para(Styled("strong", words("a")), " ", Styled("em", words("b")), " ", Code("c")), "*a* _b_ `c`"),
        (Figure(picture(), "cranes", words("A caption."), "By A.", 536, at()), "[Image: cranes]\nA caption. By A."),
        (Figure(picture(), "", (), "", 536, at()), ""),
        (RawHtml("<p>a <b>b</b><br/>c</p><ul><li>d</li></ul>", at()), "a b\nc\n\n- d"),
    ],
)
def test_each_kind_has_its_form(block: Block, expected: str) -> None:
    """Marked the way plain text has always marked it."""
    assert body(block, para("end")) == f"{expected}\n\nend".lstrip("\n")


def test_links_are_numbered_references_listed_at_the_end() -> None:
    """The same address has one number; a link to a place in the text has none."""
    text = text_of(
        para(
            link("https://a.example", "one"),
            " ",
            link("https://b.example", "two"),
            " ",
            link("https://a.example", "three"),
        ),
        para(link("#below", "below"), " ", link("mailto:a@example.org", "a@example.org")),
    )
    assert "one [1] two [2] three [1]" in text
    assert "below a@example.org" in text
    assert "\n[1] https://a.example\n[2] https://b.example\n\n" in text


def test_a_reference_is_not_parted_from_its_words() -> None:
    """No line begins with a bare number."""
    text = body(para(*(each for n in range(40) for each in (link(f"https://e.org/{n}", "word"), " "))))
    assert not any(line.startswith("[") for line in text.split("\n\n")[0].splitlines())


def test_footnotes_have_superior_figures() -> None:
    """So that they cannot be taken for links."""
    text = text_of(para("a", NoteRef(12)), footnotes=(Footnote(12, (para("small"), para("print"))),))
    assert "a¹²" in text
    assert "Notes:\n\n¹² small\n\n  print" in text


ALIGNS: tuple[Align, ...] = ("left", "center", "right")


def test_a_table_is_aligned() -> None:
    """By the columns' own alignment, with a rule below the head."""
    found = rows([["Quay", "Flag", "Ships"], ["East", "x", "112"], ["W", "y", "7"]], ALIGNS, Ruler(()), 0)
    assert found == ["Quay  Flag  Ships", "----  ----  -----", "East   x      112", "W      y        7"]


def test_a_table_that_is_too_wide_becomes_records() -> None:
    """One below the other, each cell with its head."""
    found = rows([["Quay", "Remarks"], ["East", "grain " * 10], ["West", "coal " * 10]], ("", ""), Ruler((), 40), 0)
    assert found[0] == "Quay: East"
    assert found[1].startswith("  Remarks: grain")
    assert "" in found
    assert max(map(len, found)) <= 40


def test_a_table_without_a_head_has_no_rule() -> None:
    """Empty head cells are left out."""
    block = Table(((), ()), ((words("a"), words("b")),), ("", ""), at())
    assert body(block, para("end")) == "a  b\n\nend"


def test_the_frame_of_the_text() -> None:
    """Name and number, the browser's address, headline, byline; why, how to leave, and the address."""
    edition = printed(para("Body."))
    text = with_values(edition, ["", "", "https://l.example/u", "https://l.example/v"])[1]
    assert text == (
        "The Harbour Letter · Issue 12\n\nView in browser: https://l.example/v\n\nWalking the coast\n\n"
        "What the harbour keeps\n======================\n\nA day on the quay.\n\n"
        "Ada Moreno and Bo Lind · Hamburg · 23 November 2026\n\nBody.\n\nEdited by C. Hale.\n\n"
        f"{'-' * 72}\n\nYou get this letter because you signed up for The Harbour Letter.\n\n"
        "Unsubscribe: https://l.example/u\n\nThe Harbour Letter\n1 Quay Street\n20457 Hamburg\n"
    )
