"""The normaliser against the real MJML engine: each of its silent defects, and what comes out instead."""

from __future__ import annotations

import pytest
from mjml import mjml2html
from render.helpers_render import at, events, html_of, tags, text_of, themed, wrong

from newsletter.errors import BadInput
from newsletter.model import RawMjml
from newsletter.render.markup import DEPTH, Element, Origin, parse
from newsletter.render.mjml import compile_document, serialise


def engine(mjml: str) -> str:
    """What the bare engine makes of MJML."""
    html: str = mjml2html(mjml, disable_comments=True, fonts={})
    return html


def document(inside: str) -> str:
    """A whole document around something in a column."""
    return (
        '<mjml lang="en" dir="ltr"><mj-head><mj-title>T</mj-title></mj-head>'
        f"<mj-body><mj-section><mj-column>{inside}</mj-column></mj-section></mj-body></mjml>"
    )


def tree(mjml: str) -> Element:
    """A parsed document."""
    root = parse(mjml, Origin("layout.mjml.j2", mjml))[0]
    assert isinstance(root, Element)
    return root


def cured(inside: str) -> str:
    """What comes out when the normaliser stands before the engine."""
    return compile_document(tree(document(inside)))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a &quot; b", 'a " b'),
        ("a \\ b", "a \\ b"),
        ("a\n b", "a  b"),
        ("a&#10;b", "a b"),
        ("non\u00a0breaking", "non\u00a0breaking"),
        ("soft\u00adhyphen", "soft\u00adhyphen"),
        ("नमस्ते", "नमस्ते"),
        ("مرحبًا", "مرحبًا"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("&lt;b&gt; &amp;amp;", "<b> &amp;"),
    ],
)
def test_an_attribute_arrives_as_it_was_written(value: str, written: str) -> None:
    """The engine prints attributes with Rust's debug formatter."""
    assert tags(cured(f'<mj-text><a title="{value}" href="#">x</a></mj-text>'), "a")[0]["title"] == written
    assert tags(cured(f'<mj-image src="x.png" alt="{value}" />'), "img")[0]["alt"] == written


def test_the_engine_still_needs_the_cure_for_attributes() -> None:
    """When this fails, the engine was mended and the normaliser can be made smaller."""
    assert '\\"' in engine(document("<mj-text><a title='a \"b\"'>x</a></mj-text>"))
    assert "\\u{" in engine(document('<mj-text><a title="a\u00ad">x</a></mj-text>'))


def test_a_quote_in_the_title_cannot_end_the_label_of_the_mail() -> None:
    """The engine repeats the title inside an attribute."""
    root = tree('<mjml><mj-head><mj-title>A "b" onload="x" é</mj-title></mj-head><mj-body></mj-body></mjml>')
    html = compile_document(root)
    assert tags(html, "div")[0]["aria-label"] == 'A "b" onload="x" é'
    assert "onload" not in tags(html, "div")[0]
    assert ("text", 'A "b" onload="x" é') in events(html)


def test_a_zero_without_a_unit_counts_in_the_widths() -> None:
    """The engine leaves it out of its sums."""
    inside = '<mj-section padding="{}"><mj-column><mj-image src="x.png" width="600px" /></mj-column></mj-section>'
    bare, mended = (f"<mjml><mj-body>{inside.format(each)}</mj-body></mjml>" for each in ("0 25px", "0px 25px"))
    width = tags(compile_document(tree(bare)), "img")[0]["width"]
    assert width == tags(compile_document(tree(mended)), "img")[0]["width"]
    assert 'padding="0px 10px 0px 1px"' in serialise(tree('<mj-text padding="0 10px 0 1px"></mj-text>'))
    assert 'padding="10px 0.5px"' in serialise(tree('<mj-text padding="10px 0.5px"></mj-text>'))


def test_a_duplicate_attribute_is_an_error() -> None:
    """The engine takes the last, the official one the first."""
    problem = wrong(
        RawMjml('<mj-section>\n<mj-column padding="1px" padding="2px"></mj-column>\n</mj-section>', at(30))
    )[0]
    assert problem.place == at(32)._replace(col=26)
    assert "duplicate attribute" in problem.message
    assert "Keep one" in problem.hint


@pytest.mark.parametrize("tag", ["mj-include", "mj-carousel", "mj-navbar", "mj-html-attributes"])
def test_a_tag_that_the_engine_mishandles_is_refused(tag: str) -> None:
    """Includes check no path; carousels and bars share one id; the last stops the engine."""
    problem = wrong(RawMjml(f"<mj-section><mj-column><{tag} /></mj-column></mj-section>", at(30)))[0]
    assert f"<{tag}>" in problem.message
    assert problem.place == at(31)._replace(col=24)
    assert problem.hint


@pytest.mark.parametrize("raw", ["<mj-raw><table><tr></mj-raw>", "<mj-raw><div></mj-raw>", "<mj-raw></div></mj-raw>"])
def test_unbalanced_html_in_raw_is_an_error(raw: str) -> None:
    """The engine swallows the tags that follow and prints them."""
    assert "not well-formed" in wrong(RawMjml(f"{raw}", at(30)))[0].message


@pytest.mark.parametrize(
    ("source", "said", "hint"),
    [
        ("<mj-section><mj-column><mj-txt>x</mj-txt></mj-column></mj-section>", "unknown tag <mj-txt>", "mj-text"),
        (
            "<mj-section><mj-text>x</mj-text></mj-section>",
            "<mj-text> cannot stand directly in <mj-section>",
            "mj-column",
        ),
        (
            "<mj-section><mj-column><p>x</p></mj-column></mj-section>",
            "<p> cannot stand directly in <mj-column>",
            "mj-text",
        ),
        (
            "<mj-section><mj-column>stray</mj-column></mj-section>",
            "text cannot stand directly in <mj-column>",
            "mj-text",
        ),
        (
            "<mj-section><mj-column><mj-text><mj-button>x</mj-button></mj-text></mj-column></mj-section>",
            "<mj-button> cannot stand in <mj-text>",
            "Close",
        ),
        (
            "<mj-section><mj-column><mj-section></mj-section></mj-column></mj-section>",
            "<mj-section> cannot stand directly in <mj-column>",
            "holds",
        ),
        ("<mj-section><!--[if mso]>x<![endif]--></mj-section>", "conditional comment", "mj-raw"),
        ("<mj-section><mj-column><MJ-Text>x</MJ-Text></mj-column></mj-section>", "unknown tag <MJ-Text>", "mj-text"),
    ],
)
def test_what_the_engine_passes_without_a_word_is_an_error(source: str, said: str, hint: str) -> None:
    """Unknown tags, stray text and wrong nesting would come out as they are, or not at all."""
    problem = wrong(RawMjml(source, at(30)))[0]
    assert said in problem.message
    assert hint in problem.hint
    assert problem.place is not None
    assert (problem.place.path, problem.place.line) == (at().path, 31)


def test_a_picture_without_words_gets_an_empty_alt() -> None:
    """Otherwise screen readers read the file's name."""
    assert "alt" not in tags(engine(document('<mj-image src="x.png" />')), "img")[0]
    assert tags(cured('<mj-image src="x.png" />'), "img")[0]["alt"] == ""
    assert tags(cured('<mj-text><img src="x.png" /></mj-text>'), "img")[0]["alt"] == ""


def test_a_line_break_between_two_words_stays_a_space() -> None:
    """The engine drops white space with a line break between two tags."""
    assert "<b>a</b><i>b</i>" in engine(document("<mj-text><b>a</b>\n<i>b</i></mj-text>"))
    assert "<b>a</b> <i>b</i>" in cured("<mj-text><b>a</b>\n <i>b</i></mj-text>")
    assert "<pre>x<b>a</b>&#10;<i>b</i></pre>" in cured("<mj-text><pre>x<b>a</b>\n<i>b</i></pre></mj-text>")


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("&nbsp;|&zwnj;|&eacute;|&#8212;|&hearts;", "\u00a0|\u200c|é|—|♥"),
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("<![CDATA[a < b]]>", "a < b"),
    ],
)
def test_text_that_stops_the_engine_is_written_so_that_it_does_not(inside: str, expected: str) -> None:
    """Entities, comparison signs and CDATA come through."""
    assert ("text", expected) in events(cured(f"<mj-text><p>{inside}</p></mj-text>"))


def test_elements_keep_their_form() -> None:
    """An empty cell stays a cell; a void element does not get an end tag."""
    html = cured("<mj-text><table><tr><td></td></tr></table><br/><p></p></mj-text>")
    assert "<td></td>" in html
    assert "<p></p>" in html
    assert "</br>" not in html


def test_outlooks_comments_stay_and_others_go() -> None:
    """Conditional comments are markup for Outlook; the others are notes of the theme's author."""
    html = cured("<mj-text><!--[if mso]><b>only Outlook</b><![endif]-->x<!-- a note --></mj-text>")
    assert "<!--[if mso]><b>only Outlook</b><![endif]-->" in html
    assert "a note" not in html


def test_a_style_sheet_is_not_escaped() -> None:
    """A child selector would be lost."""
    root = tree(
        "<mjml><mj-head><mj-style>.a > .b, .c &gt; .d { color: red }</mj-style></mj-head><mj-body></mj-body></mjml>"
    )
    assert ".a > .b, .c > .d { color: red }" in compile_document(root)


def test_deep_nesting_is_an_error_before_the_engine_sees_it() -> None:
    """Some thousands of elements inside each other crash the process."""
    deep = "<div>" * 20_000 + "</div>" * 20_000
    source = f"<mj-section><mj-column><mj-text>{deep}</mj-text></mj-column></mj-section>"
    assert f"more than {DEPTH} deep" in wrong(RawMjml(source, at(30)))[0].message


def test_a_document_type_is_refused() -> None:
    """Entities of the author's own could grow without end."""
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><mj-section></mj-section>'
    with pytest.raises(BadInput):
        parse(bomb, Origin("x", bomb))
    assert wrong(RawMjml(bomb, at(30)))


def test_an_error_of_the_engine_itself_becomes_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no rule of ours has caught still ends in one clear error."""

    def stops(*_: object, **__: object) -> str:
        message = "unexpected element at position 6:13"
        raise ValueError(message)

    monkeypatch.setattr("mjml.mjml2html", stops)
    problem = wrong(theme=themed(layout=themed().sources["layout.mjml.j2"][0]))[0]
    assert "the MJML engine cannot read this mail" in problem.message
    assert problem.excerpt.startswith("lang=")
    assert problem.place is not None
    assert problem.place.path == "templates/mine/layout.mjml.j2"


def test_the_authors_own_mjml_stands_in_the_mail() -> None:
    """It is placed between the sections, and its words are in the text part."""
    source = '<mj-section><mj-column><mj-text>My <i>own</i> words</mj-text><mj-button href="https://a.example">Go</mj-button></mj-column></mj-section>'
    assert "My <i>own</i> words" in html_of(RawMjml(source, at(30)))
    text = text_of(RawMjml(source, at(30)))
    assert "My own words" in text
    assert "[1] https://a.example" in text
