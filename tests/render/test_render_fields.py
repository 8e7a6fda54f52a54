"""Merge fields through the whole room: where they stand, how they are escaped, and that nothing else changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from render.helpers_render import (
    CODE,
    FIELDS,
    INDEX,
    NAME,
    as_nobody,
    at,
    config,
    default_theme,
    events,
    filled,
    issue,
    items,
    link,
    para,
    picture,
    printed,
    tags,
    themed,
    with_values,
    words,
)

from newsletter.model import (
    Block,
    Button,
    Card,
    Cards,
    Columns,
    Field,
    Figure,
    Footnote,
    Heading,
    Link,
    Note,
    NoteRef,
    PullQuote,
    RawHtml,
    RawMjml,
    Slot,
    Sponsor,
    Styled,
    Table,
    Template,
    Video,
)
from newsletter.personal import CannotRender, join, mark
from newsletter.render.edition import render

BLOCKS: tuple[Block, ...] = (
    para("Hello ", Styled("strong", words(NAME)), f", {NAME}!", NoteRef(1)),
    para(Link(f"https://e.org/c/{CODE}?n={NAME}&x=1#{CODE}", words(NAME), at(), title=f"for {NAME}")),
    Note(f"Note for {NAME}", (para(CODE),), at()),
    Figure(picture(), f"alt {NAME}", words(f"caption {NAME}"), f"credit {CODE}", 536, at(), f"https://e.org/{CODE}"),
    Button(words(f"Go {NAME}"), f"https://e.org/b?c={CODE}", at()),
    Cards((Card(f"t {NAME}", f"k {CODE}", f"https://e.org/{CODE}", picture(), f"a {NAME}", (), at()),), at()),
    Columns(((para(NAME),), (items((para(CODE),)),)), at()),
    PullQuote((para(NAME),), f"source {CODE}", at()),
    Sponsor(f"sponsor {NAME}", (para("x"),), at()),
    Video(f"https://e.org/v/{CODE}", picture(), f"video {NAME}", at()),
    Table((words("head"),), ((words(NAME),),), ("",), at()),
    RawHtml(f'<p title="{NAME}"><a href="https://e.org/{CODE}">{NAME}</a></p>', at()),
    RawMjml(
        f'<mj-section><mj-column><mj-text>{NAME}</mj-text><mj-button href="https://e.org/{CODE}">x</mj-button></mj-column></mj-section>',
        at(),
    ),
)
NOTES = (Footnote(1, (para(f"for {NAME}"),)),)
EDITION = printed(*BLOCKS, footnotes=NOTES, preheader=f"Dear {NAME}", dek=words(f"for {CODE}"))
VALUES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"]), min_size=1, max_size=12)
TRICKY = st.sampled_from(
    [
        '"',
        "'",
        "<b>",
        "&amp;",
        "</p>",
        "{{7*7}}",
        "%recipient.email%",
        "*|X|*",
        "\\",
        "a  b",
        "मस्ते",
        "👨\u200d👩",
        "%20",
        "$1",
    ]
)


def test_every_slot_has_the_context_of_its_place() -> None:
    """Words are escaped as HTML, parts of addresses percent-encoded, whole links taken as they are."""
    before = ""
    for part in EDITION.variants[0].html:
        if isinstance(part, str):
            before += part
            continue
        in_address = before.rpartition('"')[0].endswith(" href=") and before.rfind("<") > before.rfind(">")
        whole = EDITION.fields[part.field].name in {"unsubscribe_url", "view_url"}
        assert part.context == ("link" if whole else "url" if in_address else "html"), before[-80:]
    assert {each.context for each in EDITION.variants[0].subject if isinstance(each, Slot)} == {"header"}
    assert {each.context for each in EDITION.variants[0].text if isinstance(each, Slot)} == {"text", "url"}


@settings(max_examples=60, deadline=None)
@given(name=VALUES | TRICKY, code=VALUES | TRICKY)
def test_joining_equals_rendering_with_the_values_put_in(name: str, code: str) -> None:
    """The same document for a browser, and the same words in the text part."""
    values = [name, code]
    made = issue(*BLOCKS, footnotes=NOTES, preheader=f"Dear {NAME}", dek=words(f"for {CODE}"))
    direct = render(filled(made, values), default_theme(), config())
    links = [f"https://l.example/{each.name}" for each in EDITION.fields[2:]]
    html, text = with_values(EDITION, [*values, *links])
    direct_html, direct_text = with_values(direct, [*values, *links])
    assert events(html) == events(direct_html)
    assert re.sub(r"[\s-]", "", text) == re.sub(r"[\s-]", "", direct_text)
    assert join(EDITION.variants[0].subject, values) == join(direct.variants[0].subject, [])


@settings(max_examples=40, deadline=None)
@given(value=VALUES | TRICKY)
def test_a_value_never_changes_the_structure_of_the_mail(value: str) -> None:
    """Whatever a person is called, the tags are those of the mail without a person."""
    plain = [tag for tag, _ in events(with_values(EDITION, ["x"] * len(EDITION.fields))[0])]
    hostile = [tag for tag, _ in events(with_values(EDITION, [value] * len(EDITION.fields))[0])]
    assert hostile == plain


def test_words_that_look_like_a_token_are_left_alone() -> None:
    """The word in a mark's place is made from the document, which cannot hold it."""
    html, _ = as_nobody(printed(para("m0123456789abh0z m0u1z ", NAME)))
    assert "m0123456789abh0z m0u1z there" in html


def test_the_themes_own_links_become_fields_when_they_are_used() -> None:
    """And only then; the author's fields keep their numbers."""
    edition = printed(para("x"))
    assert [each.name for each in edition.fields] == ["first_name", "code", "unsubscribe_url", "view_url"]
    layout = default_theme().sources["layout.mjml.j2"][0].replace("{{ unsubscribe_url }}", "https://e.org/leave")
    without = printed(para(NAME), theme=themed(layout=layout))
    assert [each.name for each in without.fields] == ["first_name", "code", "unsubscribe_url", "view_url"]
    html, text = with_values(without, ["Ada", "c", "UNSUB", "VIEW"])
    assert "UNSUB" not in html
    assert "UNSUB" in text
    assert 'href="VIEW"' in html
    assert "Ada" in html


def test_an_unused_link_leaves_no_gap_in_the_numbers() -> None:
    """A theme without an unsubscribe link gives an edition without the field; the pre-flight tells."""
    theme = themed(
        layout=default_theme().sources["layout.mjml.j2"][0].replace("{{ unsubscribe_url }}", "https://e.org")
    )
    text, path = theme.sources["text/layout.txt.j2"]
    sources = {**theme.sources, "text/layout.txt.j2": (text.replace("{{ unsubscribe_url }}", ""), path)}
    edition = printed(para("x"), theme=theme._replace(sources=sources))
    assert [each.name for each in edition.fields] == ["first_name", "code", "view_url"]
    assert 'href="VIEW"' in with_values(edition, ["a", "b", "VIEW"])[0]


def test_the_authors_own_unsubscribe_link_is_one_whole_link() -> None:
    """It shares the field of the footer, and its address is not encoded once more."""
    fields = (*FIELDS, Field("unsubscribe_url", (), "{{ unsubscribe_url }}"))
    own = mark(2, len("{{ unsubscribe_url }}"))
    edition = printed(para(Link(own, words("leave"), at())), fields=fields)
    assert [each.name for each in edition.fields] == ["first_name", "code", "unsubscribe_url", "view_url"]
    html, text = with_values(edition, ["", "", "https://l.example/u/1?a=b&c=d", "https://l.example/v"])
    assert len([each for each in tags(html, "a") if each["href"] == "https://l.example/u/1?a=b&c=d"]) == 2
    assert "[1] https://l.example/u/1?a=b&c=d\n" in text


def test_the_web_page_shows_what_stands_without_a_reader() -> None:
    """Defaults, else the field's name, escaped for their places."""
    edition = printed(para(NAME, " ", link(f"https://e.org/{CODE}", "x")), fields=FIELDS)
    assert ">there <a " in edition.web
    assert 'href="https://e.org/%5Bcode%5D"' in edition.web


def test_a_line_break_in_a_value_cannot_enter_the_subject() -> None:
    """The subject is a header: a break becomes a space, and what hides better is refused."""
    subject = EDITION.variants[0].subject
    assert "a Bcc: x@example.org" in join(subject, ["a\r\nBcc: x@example.org", "c"])
    with pytest.raises(CannotRender):
        join(subject, ["a\x0bBcc: x@example.org", "c"])


def test_two_renderings_are_equal() -> None:
    """The same input gives the same bytes."""
    assert printed(*BLOCKS, footnotes=NOTES) == printed(*BLOCKS, footnotes=NOTES)


def test_the_build_does_not_depend_on_hash_seed_locale_or_time_zone() -> None:
    """In three processes, as different as they can be."""
    script = (
        "import sys, hashlib; sys.path[:0] = sys.argv[1:]; import test_render_fields as t; "
        "print(hashlib.sha256(repr(t.EDITION).encode()).hexdigest())"
    )
    folders = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    surroundings = (
        {"PYTHONHASHSEED": "1", "TZ": "UTC", "LANG": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LANG": "de_DE.UTF-8"},
        {"PYTHONHASHSEED": "3", "TZ": "America/Lima", "LC_ALL": "tr_TR.UTF-8"},
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", script, *folders],
            env={**os.environ, **each},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for each in surroundings
    }
    assert len(seen) == 1


def test_headings_and_lists_of_contents_carry_fields_too() -> None:
    """A head with a name in it."""
    html, text = with_values(printed(Heading(2, words(f"For {NAME}"), "for", at())), ["Ada", "", "", ""])
    assert "For Ada" in html
    assert "For Ada\n---" in text


def static(template: Template) -> str:
    """The parts of a template that nobody's values change."""
    return "".join(part for part in template if isinstance(part, str))


def test_no_mark_or_token_is_left_over() -> None:
    """Neither private characters nor tokens reach a reader, and no path of the author's machine does."""
    variant = EDITION.variants[0]
    for text in (static(variant.html), static(variant.text), static(variant.subject), EDITION.web):
        assert not any(ord(char) >= 0xF0000 for char in text)
        assert INDEX not in text
