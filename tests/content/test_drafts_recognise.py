"""What is recognised in a draft, what is left in doubt, and what is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from content.helpers_content import encoded, photograph
from content.helpers_drafts import body_of, bring, front_of

if TYPE_CHECKING:
    from support import Workspace

LONG = "This paragraph is long enough to be one, and it says so itself, twice over and at some length."


def front(workspace: Workspace, source: str) -> str:
    """The front matter of a plain text, without id and preheader."""
    made = bring(workspace, source, "text")
    return "\n".join(line for line in front_of(made) if not line.startswith(("id:", "preheader:")))


def body(workspace: Workspace, source: str) -> str:
    """The body of a plain text below a title."""
    return body_of(bring(workspace, f"A title\n\n{source}\n", "text"))


def test_the_parts_at_the_top_go_to_the_front_matter(workspace: Workspace) -> None:
    """Kicker, title, dek, byline and dateline; a comment keeps the words that became keys."""
    source = f"""PRESS RELEASE

The tide is free

Forty years of readings can be used by anyone

By Ada Moreno, Jonas Lind and M. Oje

HAMBURG, 20 November 2026 — {LONG}
"""
    assert front(workspace, source) == (
        'title: "The tide is free"\n'
        'date: "2026-11-20"\n'
        'place: "HAMBURG"    # in the source: HAMBURG, 20 November 2026 —\n'
        'kicker: "PRESS RELEASE"\n'
        'dek: "Forty years of readings can be used by anyone"\n'
        'authors: ["Ada Moreno", "Jonas Lind", "M. Oje"]    # in the source: By Ada Moreno, Jonas Lind and M. Oje'
    )


def test_a_date_that_the_issue_would_write_otherwise_stays(workspace: Workspace) -> None:
    """Nothing is reworded: only the place goes."""
    made = bring(workspace, f"A title\n\nLONDON, Nov. 3rd, 2026 -- {LONG}", "text")
    assert 'place: "LONDON"' in "\n".join(front_of(made))
    assert body_of(made).endswith(f"Nov. 3rd, 2026 -- {LONG}")


@pytest.mark.parametrize(
    "opening",
    [
        "He said — and meant it — that the tide was early, and then he went down to look at it.",
        "By the time Ada came down to the harbour the water had turned, and nobody was there to see it.",
        "Tide tables - the blue ones - are sold in November, by the chandler and by nobody else at all.",
        "Editor's notebooks are kept in the attic, and this is not about a note of any editor's whatever.",
    ],
)
def test_what_only_looks_like_a_part_stays(workspace: Workspace, opening: str) -> None:
    """A dash is no dateline, “by” is no byline."""
    made = bring(workspace, f"A title\n\n{opening}\n\n{LONG}", "text")
    assert body_of(made) == f"{opening}\n\n{LONG}"


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("Editor's Note: It is *new*.", "Editor's Note"),
        ("EDITOR’S NOTE. It is *new*.", "EDITOR’S NOTE"),
        ("Anmerkung der Redaktion: It is *new*.", "Anmerkung der Redaktion"),
        ("ملاحظة المحرر: It is *new*.", "ملاحظة المحرر"),
    ],
)
def test_an_editor_s_note_becomes_a_note(workspace: Workspace, source: str, title: str) -> None:
    """At the top and further down; its label is the lead-in."""
    note = f"::: note {title}\nIt is \\*new\\*.\n:::"
    assert body(workspace, f"{source}\n\n{LONG}") == f"{note}\n\n{LONG}"
    assert body(workspace, f"{LONG}\n\n{source}") == f"{LONG}\n\n{note}"


def test_short_lines_between_paragraphs_are_heads(workspace: Workspace) -> None:
    """Not those with a full stop, a colon, a list below a lower-case word, or nothing behind them."""
    source = f"{LONG}\n\nWhat now?\n\n{LONG}\n\nThat is all.\n\n{LONG}\n\nas said\n\n{LONG}\n\nThe end"
    assert body(workspace, source).split("\n\n") == [
        LONG, "## What now?", LONG, "That is all.", LONG, "as said", LONG, "The end",
    ]  # fmt: skip


def test_credits_at_the_end_go_to_their_key(workspace: Workspace) -> None:
    """Line by line, in their own words; a name in the middle stays."""
    source = f"A title\n\n{LONG}\n\nPhotos: not at the end\n\n{LONG}\n\nWords: A. Moreno\nPhotos by J. *Lind*\n\nWith thanks to M. Oje"
    made = bring(workspace, source, "text")
    line = next(line for line in front_of(made) if line.startswith("credits"))
    assert line == r'credits: ["Words: A. Moreno", "Photos by J. \\*Lind\\*", "With thanks to M. Oje"]'
    assert body_of(made) == f"{LONG}\n\nPhotos: not at the end\n\n{LONG}"


def test_a_picture_s_caption_and_credit_are_told_by_their_labels(workspace: Workspace) -> None:
    """In one paragraph or in two, wrapped or not."""
    workspace.write("my pier.png", encoded(photograph(64, 40), "PNG"))
    for gap in ("\n", "\n\n"):
        made = body(workspace, f"{LONG}\n\n[Image: my pier.png]{gap}Caption: The *pier*{gap}Photo: J. Lind\n\n{LONG}")
        assert '::: figure {credit="Photo: J. Lind"}\n![](my-pier.png "The \\\\*pier\\\\*")\n:::' in made
        assert "Describe this picture" in made


def test_lines_are_joined_where_they_were_wrapped_only(workspace: Workspace) -> None:
    """Short lines are a verse or an address and keep their ends; a hyphen at an end is kept and told."""
    wrapped = "The water at the end of our pier will stop rising at eight minutes to one,\nand then it goes down in a well-\nknown way."
    verse = "Half tide\nand the gull\nsays nothing"
    made = body(workspace, f"{wrapped}\n\n{verse}\n\n{LONG}")
    assert "at eight minutes to one, and then it goes down in a well-known way." in made
    assert "Half tide\\\nand the gull\\\nsays nothing" in made
    assert "“well-known”" in made


def test_indented_lines_begin_paragraphs(workspace: Workspace) -> None:
    """As novels are set: no empty line between, and no quotation made of it."""
    lines = "\n".join(f"    {LONG}" for _ in range(3))
    assert body(workspace, lines) == "\n\n".join([LONG] * 3)


def test_lists_are_lists_when_they_count(workspace: Workspace) -> None:
    """Bullets, nested ones, and numbers that go up by one; other numbers stay as they are."""
    assert body(workspace, f"{LONG}\n\n• one\n• two\n  - inner\n  - more\n• three").endswith(
        "- one\n- two\n  - inner\n  - more\n- three"
    )
    assert body(workspace, f"{LONG}\n\n3. three\n4. four").endswith("3. three\n4. four")
    assert body(workspace, f"{LONG}\n\n1. one\n3. three").endswith("1\\. one\\\n3\\. three")


def test_footnotes_keep_their_numbers(workspace: Workspace) -> None:
    """Marks and texts in order become footnotes; out of order they stay as they stand."""
    made = body(workspace, f"{LONG}[1] More.[2]\n\n{LONG}\n\n[1] The first.\n[2] The second.")
    assert f"{LONG}[^1] More.[^2]" in made
    assert made.endswith("[^1]: The first.\n\n[^2]: The second.")
    assert f"{LONG}\\[2\\]" in body(workspace, f"{LONG}[2] More.[1]\n\n{LONG}\n\n[1] The first.\n[2] The second.")


def test_a_draft_without_a_title_is_named_after_its_file(workspace: Workspace) -> None:
    """And says so; a title on the command line wins, and the text keeps its own."""
    made = bring(workspace, f"{LONG} {LONG} It goes on and on and on.", "text", name="the-tide_tables.txt")
    assert made.draft.title == "the tide tables"
    assert [text for _, text in made.remarks] == ["No title was recognised: this one is a name from outside the text."]
    mine = bring(workspace, f"# Theirs\n\n{LONG}", "markdown", title="Mine")
    assert mine.draft.title == "Mine"
    assert body_of(mine) == f"## Theirs\n\n{LONG}"


def test_titles_that_front_matter_refuses_are_parted_by_nothing_visible(workspace: Workspace) -> None:
    """Merge fields and encoded words are words here."""
    made = bring(workspace, f"On {{{{ names }}}} and =?utf-8?q?x?= in mail\n\n{LONG}", "text")
    assert 'title: "On {\u2060{ names }} and =\u2060?utf-8?q?x?= in mail"' in front_of(made)


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("Das ist der Text, und er ist nicht lang, aber die Wörter sind da, mit dem Meer und auf dem Deich.", "de"),
        ("وصل جدول عام يوم الثلاثاء وهو كتيّب أزرق رقيق", "ar"),
        ("潮の表は火曜日に来ました。青い小冊子です。", "ja"),
        ("Short.", ""),
    ],
)
def test_the_language_is_told_by_script_and_small_words(workspace: Workspace, text: str, lang: str) -> None:
    """And asked about; where it is the configuration's own, nothing is written."""
    made = bring(workspace, f"Titel\n\n{text}\n\n{text}", "text")
    assert made.draft.lang == lang
    assert any("language" in remark for _, remark in made.remarks) == bool(lang)
