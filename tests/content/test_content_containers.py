"""Containers: what each becomes, and what is said when one does not fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from content.helpers_content import faults, outline, photo, read, wrong

from newsletter.content.boxes import _BUILDERS
from newsletter.content.containers import KINDS
from newsletter.content.options import read_options
from newsletter.model import Card, Cards, Columns, Figure, Only, RawMjml

if TYPE_CHECKING:
    from support import Workspace


def para(words: str) -> tuple[object, ...]:
    """The outline of a paragraph of plain words."""
    return ("Paragraph", (("Text", words),))


@pytest.fixture
def desk(workspace: Workspace) -> Workspace:
    """A workspace whose issue has pictures."""
    for name in ("a", "harbour", "poster", "me"):
        workspace.write(f"issues/2026-11-23-hello/{name}.jpg", photo(1200, 800))
    return workspace


GOOD = {
    "note": ("::: note Editor's *note*\nHello.\n:::", ("Note", "Editor’s note", (para("Hello."),))),
    "note without title": ("::: note\nHello.\n:::", ("Note", "", (para("Hello."),))),
    "quote": (
        '::: quote {source="Ada \\"A\\" Lovelace"}\nA\n\nB\n:::',
        ("PullQuote", (para("A"), para("B")), "Ada “A” Lovelace"),
    ),
    "figure": (
        '::: figure {credit="Photo: A. Person" width=inset}\n![What it shows](harbour.jpg "A *caption*")\n:::',
        (
            "Figure",
            "*.jpg",
            "What it shows",
            (("Text", "A "), ("Styled", "em", (("Text", "caption"),), "")),
            "Photo: A. Person",
            320,
            "",
        ),
    ),
    "figure with a link": (
        "::: figure {href='https://example.org/'}\n![A](a.jpg)\n:::",
        ("Figure", "*.jpg", "A", (), "", 536, "https://example.org/"),
    ),
    "figure around a link": (
        "::: figure {width=100}\n[![A](a.jpg)](https://example.org/)\n:::",
        ("Figure", "*.jpg", "A", (), "", 100, "https://example.org/"),
    ),
    "button": (
        "::: button {href=https://example.org/}\nRead *it*\n:::",
        ("Button", (("Text", "Read "), ("Styled", "em", (("Text", "it"),), "")), "https://example.org/"),
    ),
    "columns": (
        ":::: columns\n::: column\nL\n:::\n::: column\nR\n:::\n::::",
        ("Columns", ((para("L"),), (para("R"),))),
    ),
    "cards": (
        ':::: cards\n::: card {href="https://example.org/" image="a.jpg" alt="It" kicker="Tools" title="A title"}\nText\n:::\n::: card {title=B}\n:::\n::::',
        (
            "Cards",
            (
                ("Card", "A title", "Tools", "https://example.org/", "*.jpg", "It", (para("Text"),)),
                ("Card", "B", "", "", None, "", ()),
            ),
        ),
    ),
    "sponsor": ('::: sponsor {name="A & B"}\nText.\n:::', ("Sponsor", "A & B", (para("Text."),))),
    "video": (
        '::: video {href="https://example.org/v" poster="poster.jpg" title="T"}\n:::',
        ("Video", "https://example.org/v", "*.jpg", "T"),
    ),
    "signoff": ('::: signoff {image="me.jpg"}\nBye\n:::', ("SignOff", "*.jpg", "", (para("Bye"),))),
    "signoff alone": ("::: signoff\nBye\n:::", ("SignOff", None, "", (para("Bye"),))),
    "web-only": ("::: web-only\nA\n:::", ("Only", "web", (para("A"),))),
    "email-only": ("::: email-only\n:::", ("Only", "email", ())),
    "contents": ("::: contents\n:::", ("Contents",)),
    "social": (
        '::: social {mastodon="https://example.org/@a" email="mailto:a@example.org"}\n:::',
        ("Social", (("mastodon", "https://example.org/@a"), ("email", "mailto:a@example.org"))),
    ),
    "when": (
        '::: when plan == "pro"\nA\n:::\n::: else\nB\n:::',
        ("When", ("Condition", "==", "plan", ("pro",), ()), (para("A"),), (para("B"),)),
    ),
    "mjml": (
        "::: mjml\n<mj-section>\n\n  *a* :::: b\n</mj-section>\n:::",
        ("RawMjml", "<mj-section>\n\n  *a* :::: b\n</mj-section>\n"),
    ),
}


@pytest.mark.parametrize(("body", "expected"), GOOD.values(), ids=GOOD.keys())
def test_each_container_becomes_its_block(desk: Workspace, body: str, expected: object) -> None:
    """With its options, title and content."""
    assert outline(read(desk, f"Before.\n\n{body}\n\nAfter.\n").blocks) == (para("Before."), expected, para("After."))


def test_every_container_of_the_table_is_tested_and_built() -> None:
    """A new one cannot be forgotten here."""
    tested = set(re.findall(r"^:+ ([a-z-]+)", "\n".join(body for body, _ in GOOD.values()), re.MULTILINE))
    assert tested == set(KINDS) == set(_BUILDERS)


def test_containers_need_no_empty_lines_around_them(desk: Workspace) -> None:
    """They end a paragraph, and stand in lists, quotes and each other."""
    body = "Before.\n::: note A\nHello.\n:::\nAfter.\n\n- ::: note B\n  Hello.\n  :::\n\n> ::: note C\n> Hello.\n> :::\n\n::::: web-only\n:::: note D\n::: quote\nE\n:::\n::::\n:::::\n"
    note = ("Note", "A", (para("Hello."),))
    assert outline(read(desk, body).blocks) == (
        para("Before."),
        note,
        para("After."),
        ("ListBlock", False, 1, ((("Note", "B", (para("Hello."),)),),), True),
        ("Quote", (("Note", "C", (para("Hello."),)),)),
        ("Only", "web", (("Note", "D", (("PullQuote", (para("E"),), ""),)),)),
    )


def test_colons_in_code_are_code(desk: Workspace) -> None:
    """A fenced block may show how containers are written."""
    issue = read(desk, "::: note\n```\n:::\n::: quote\n```\n\n    :::\n:::\n\n\\::: note\n\na ::: b\n")
    assert outline(issue.blocks) == (
        ("Note", "", (("CodeBlock", ":::\n::: quote", ""), ("CodeBlock", ":::", ""))),
        para("::: note"),
        para("a ::: b"),
    )


def test_pictures_are_as_wide_as_the_room_they_stand_in(desk: Workspace) -> None:
    """Half, third and card; a number is kept where it fits."""
    half = "::: column\n![a](a.jpg)\n:::\n::: column\n![b](a.jpg){width=100}\n\n![c](a.jpg){width=500}\n:::\n"
    issue = read(
        desk,
        f":::: columns\n{half}::::\n\n:::: columns\n{half}::: column\n:::\n::::\n\n:::: cards\n::: card {{title=A image=a.jpg}}\n:::\n::::\n",
    )
    two, three, cards = issue.blocks
    assert isinstance(two, Columns)
    assert isinstance(three, Columns)
    assert isinstance(cards, Cards)
    widths = [
        [each.width for column in block.columns for each in column if isinstance(each, Figure)]
        for block in (two, three)
    ]
    assert widths == [[256, 100, 256], [160, 100, 160]]
    assert cards.cards[0].picture
    assert cards.cards[0].picture.width == 512


def test_a_column_may_hold_anything_else(desk: Workspace) -> None:
    """Also a note with more colons outside."""
    issue = read(desk, "::::: columns\n:::: column\n::: note A\nB\n:::\n::::\n:::: column\nC\n::::\n:::::\n")
    assert outline(issue.blocks) == (("Columns", ((("Note", "A", (para("B"),)),), (para("C"),))),)


def test_places_are_those_of_the_opening_lines(desk: Workspace) -> None:
    """Also for what stands inside."""
    issue = read(
        desk, '\n:::: cards\n::: card {title="A"}\nB\n:::\n::::\n\n::: mjml\n<a/>\n:::\n\n::: web-only\nC\n:::\n'
    )
    cards, mjml, only = issue.blocks
    assert isinstance(cards, Cards)
    assert isinstance(only, Only)
    assert isinstance(mjml, RawMjml)
    card = cards.cards[0]
    assert isinstance(card, Card)
    places = [each.place.line - 6 for each in (cards, card, card.children[0], mjml, only, only.children[0])]
    assert places == [2, 3, 4, 8, 12, 13]


BAD = {
    "unknown": ("::: nots\nA\n:::", ["1:5 unknown container “nots”"]),
    "no name": ("::: {.note}\nA\n:::", ["1:5 unknown container “{.note}”"]),
    "field as a name": ("::: {{ a }}\nA\n:::", ["1:5 unknown container “{{ a }}”"]),
    "never closed": ("a\n\n::: note\nA\n", ["3:1 the container “note” is never closed"]),
    "never closed inside": (
        ":::: columns\n::: column\nA\n::::",
        ["1:1 columns hold two or three columns, not 1", "2:1 the container “column” is never closed"],
    ),
    "never closed in a list": ("- ::: note\n  A\n\nB", ["1:3 the container “note” is never closed"]),
    "never closed in a quote": (
        "> ::: note\n> A\n\n:::",
        ["1:3 the container “note” is never closed", "4:1 this ::: closes nothing"],
    ),
    "never closed for a fence": (
        "::: note\n```\n:::\n",
        ["1:1 the container “note” is never closed", "2:1 this code block is never closed"],
    ),
    "closed twice": ("::: note\nA\n:::\n::::", ["4:1 this :::: closes nothing"]),
    "closes nothing": ("A\n:::\nB", ["2:1 this ::: closes nothing"]),
    "too few colons": (
        "::: columns\n::: column\nA\n:::\n::: column\nB\n:::\n:::",
        ["1:1 “columns” holds “column” and needs more colons than it"],
    ),
    "options not closed": ("::: note {\nA\n:::", ["1:10 the options that begin here are never closed with }"]),
    "option without value": ("::: quote {source}\nA\n:::", ['1:12 options are written key=value or key="some words"']),
    "class": ("::: quote {.big}\nA\n:::", ['1:12 options are written key=value or key="some words"']),
    "quotes not closed": (
        '::: quote {source="A}\nA\n:::',
        ["1:12 the value of “source” is missing or its quotes are not closed"],
    ),
    "twice": ("::: quote {source=A source=B}\nA\n:::", ["1:21 the option “source” is given twice"]),
    "unknown option": ("::: quote {sauce=A}\nA\n:::", ["1:12 “quote” has no option “sauce”"]),
    "option where there is none": ("::: note {title=A}\nA\n:::", ["1:11 “note” has no option “title”"]),
    "missing option": ("::: button\nA\n:::", ["1:1 “button” needs the option “href”"]),
    "empty option": ('::: button {href=""}\nA\n:::', ["1:19 “button” needs the option “href”"]),
    "several missing": (
        "::: video {title=A}\n:::",
        ["1:1 “video” needs the option “href”", "1:1 “video” needs the option “poster”"],
    ),
    "title where there is none": ("::: quote Ada\nA\n:::", ["1:1 “quote” takes no title"]),
    "bad link": (
        "::: button {href='javascript:x'}\nA\n:::",
        ["1:19 links of the kind “javascript:” are not allowed in mail"],
    ),
    "bad picture": ("::: signoff {image=you.jpg}\nA\n:::", ["1:20 the picture “you.jpg” is missing"]),
    "bad width": ("::: figure {width=wide}\n![a](a.jpg)\n:::", ["2:1 “wide” is not a width"]),
    "narrow": ("::: figure {width=2}\n![a](a.jpg)\n:::", ["2:1 “2” is not a width"]),
    "empty figure": (
        "::: figure\n:::",
        ["1:1 a figure holds one picture, or two or three side by side, and nothing else"],
    ),
    "figure with text": (
        "::: figure\n![a](a.jpg)\n\nText\n:::",
        ["1:1 a figure holds one picture, or two or three side by side, and nothing else"],
    ),
    "figure of text": (
        "::: figure\nText [x](javascript:a)\n:::",
        [
            "1:1 a figure holds one picture, or two or three side by side, and nothing else",
            "2:6 links of the kind “javascript:” are not allowed in mail",
        ],
    ),
    "figure with a missing picture": ("::: figure\n![a](b.jpg)\n:::", ["2:1 the picture “b.jpg” is missing"]),
    "button without words": ("::: button {href=https://e.org}\n:::", ["1:1 a button holds one line of text"]),
    "button with a list": ("::: button {href=https://e.org}\n- a\n:::", ["1:1 a button holds one line of text"]),
    "one column": (":::: columns\n::: column\nA\n:::\n::::", ["1:1 columns hold two or three columns, not 1"]),
    "no column": ("::: columns\n:::", ["1:1 “columns” holds no `::: column`"]),
    "text in columns": (
        ":::: columns\nText\n::: column\nA\n:::\n::: column\nA\n:::\n::::",
        ["2:1 only `::: column` can stand in “columns”"],
    ),
    "note in columns": (
        ":::: columns\n::: column\nA\n:::\n::: column\nA\n:::\n::: note\nA\n:::\n::::",
        ["8:1 only `::: column` can stand in “columns”"],
    ),
    "unknown in cards": (":::: cards\n::: card {title=A}\n:::\n::: crd\n:::\n::::", ["4:5 unknown container “crd”"]),
    "column outside": ("::: column\nA\n:::", ["1:1 “column” stands only directly in “columns”"]),
    "column in a note in columns": (
        "::::: columns\n:::: column\n::: column\n:::\n::::\n:::: column\n::::\n:::::",
        ["3:1 “column” stands only directly in “columns”"],
    ),
    "card outside": (
        "::: card {title=A}\n![a](b.jpg)\n:::",
        ["1:1 “card” stands only directly in “cards”", "2:1 the picture “b.jpg” is missing"],
    ),
    "card without title": (
        ":::: cards\n::: card\n[a](javascript:b)\n:::\n::::",
        ["2:1 “card” needs the option “title”", "3:1 links of the kind “javascript:” are not allowed in mail"],
    ),
    "words in contents": ("::: contents\nA\n:::", ["1:1 “contents” holds nothing: its lines would be lost"]),
    "no address": ("::: social\n:::", ["1:1 “social” needs at least one address"]),
    "unknown service": (
        "::: social {mastadon=https://e.org}\n:::",
        ["1:1 “social” needs at least one address", "1:13 “social” has no option “mastadon”"],
    ),
    "footnote in a title": ("::: note A[^1]\nB\n:::", ["1:1 there is no footnote “1” here"]),
    "too deep": (
        "\n".join(":" * (40 - n) + " note" for n in range(14)) + "\nA\n" + "\n".join(":" * (27 + n) for n in range(14)),
        ["13:1 this is nested more than 12 deep"],
    ),
}


@pytest.mark.parametrize(("body", "expected"), BAD.values(), ids=BAD.keys())
def test_what_does_not_fit_is_reported_at_its_place(desk: Workspace, body: str, expected: list[str]) -> None:
    """Once, without errors that only follow from it."""
    assert wrong(desk, body) == expected


def test_hints_suggest_names_options_and_colons(desk: Workspace) -> None:
    """What to write stands in the hint."""
    folder = desk.issue(
        "::: nots\n:::\n\n::: quote {sauce=A}\n:::\n\n::: columns\n::: column\n:::\n::: column\n:::\n:::\n\n::: note\n```\n:::"
    )
    assert [problem.hint for problem in faults(desk, folder)] == [
        "Did you mean “note”?",
        "Did you mean “source”?",
        "Write :::: columns here and :::: at its end.",
        "The code block that begins on line 21 is not closed either, and holds everything behind it.",
        "Write ``` on a line of its own behind it.",
    ]


@pytest.mark.parametrize(
    ("text", "expected", "end"),
    [
        ("{}", [], 2),
        ("{ a=b }x", [("a", "b")], 7),
        ('{a="b c" d=\'e "f"\' g-h=1.5%}', [("a", "b c"), ("d", 'e "f"'), ("g-h", "1.5%")], 28),
        ('{a="b \\"c\\" \\\\"}', [("a", 'b "c" \\')], 16),
        ('{a=""}', [("a", "")], 6),
        ("{a=https://example.org/?b=1&c}", [("a", "https://example.org/?b=1&c")], 30),
    ],
)
def test_options_are_read_as_written(text: str, expected: list[tuple[str, str]], end: int) -> None:
    """Only a value with spaces, quotes or braces needs quotes around it."""
    options, found = read_options(text, 0)
    assert ([(each.key, each.value) for each in options], found) == (expected, end)
    assert all(text.startswith(each.key, each.at) for each in options)
