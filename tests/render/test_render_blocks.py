"""Every kind of block in the mail, the text part and the web page."""

from __future__ import annotations

import re
import typing
from typing import TYPE_CHECKING

import pytest
from render.helpers_render import (
    FIELDS,
    NAME,
    as_nobody,
    at,
    body_text,
    config,
    default_theme,
    events,
    html_of,
    issue,
    items,
    link,
    para,
    picture,
    printed,
    tags,
    text_of,
    words,
    wrong,
)

from newsletter import model
from newsletter.model import (
    Break,
    Button,
    Card,
    Cards,
    Code,
    CodeBlock,
    Columns,
    Condition,
    Contents,
    Figure,
    Footnote,
    Heading,
    InlineImage,
    ListBlock,
    Note,
    NoteRef,
    Only,
    Paragraph,
    PullQuote,
    Quote,
    RawHtml,
    RawMjml,
    Rule,
    SignOff,
    Social,
    Sponsor,
    Styled,
    Table,
    Video,
    When,
)
from newsletter.render.edition import render

if TYPE_CHECKING:
    from newsletter.model import Block

MJML = "<mj-section><mj-column><mj-text>raw word</mj-text></mj-column></mj-section>"

SAMPLES: dict[type, tuple[Block, str]] = {
    Paragraph: (para("plain ", Styled("em", words("word"))), "plain"),
    Heading: (Heading(2, words("A head"), "a-head", at()), "A head"),
    ListBlock: (items((para("an item"),)), "an item"),
    Quote: (Quote((para("quoted"),), at()), "quoted"),
    PullQuote: (PullQuote((para("pulled"),), "Ada", at()), "pulled"),
    Note: (Note("Lead-in", (para("noted"),), at()), "noted"),
    Figure: (Figure(picture(), "cranes", words("a caption"), "a credit", 536, at()), "a caption"),
    Button: (Button(words("press"), "https://example.org/b", at()), "press"),
    Columns: (Columns(((para("left"),), (para("right"),)), at()), "right"),
    Cards: (Cards((Card("carded", "kick", "https://e.org", picture(), "alt", (para("x"),), at()),), at()), "carded"),
    Table: (Table((words("A"), words("B")), ((words("celled"), words("2")),), ("", "right"), at()), "celled"),
    CodeBlock: (CodeBlock("print(1)\n", "python", at()), "print"),
    Rule: (Rule(at()), ""),
    Contents: (Contents(at()), "In this issue"),
    Sponsor: (Sponsor("Example", (para("bought"),), at()), "Sponsored by Example"),
    Video: (Video("https://example.org/v", picture(), "moving", at()), "▶"),
    Social: (Social((("github", "https://github.com/e"),), at()), "GitHub"),
    SignOff: (SignOff(picture("me.png"), "Ada", (para("until then"),), at()), "until then"),
    Only: (Only("email", (para("for mail"),), at()), "for mail"),
    When: (When(Condition("==", "plan", ("",)), (para("for nobody"),), (), at()), "for nobody"),
    RawMjml: (RawMjml(MJML, at()), "raw word"),
    RawHtml: (RawHtml("<p>raw html</p>", at()), "raw html"),
}
KINDS = typing.get_args(model.Block)


def test_there_is_a_sample_of_every_kind() -> None:
    """A new kind of block is not forgotten here."""
    assert set(SAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_each_block_shows_in_mail_text_and_web(kind: type) -> None:
    """Alone in an issue."""
    block, shown = SAMPLES[kind]
    edition = printed(block)
    html, text = as_nobody(edition)
    assert shown in body_text(html)
    assert shown in text
    if kind not in {RawMjml, Only}:
        assert shown in body_text(edition.web)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not RawMjml])
@pytest.mark.parametrize("outer", ["note", "list", "quote", "column", "footnote"])
def test_each_block_shows_inside_another(kind: type, outer: str) -> None:
    """Notes, lists, quotes, columns and footnotes hold any block."""
    block, shown = SAMPLES[kind]
    around: dict[str, Block] = {
        "note": Note("", (block,), at()),
        "list": items((para("x"), block), tight=False, start=1),
        "quote": Quote((block,), at()),
        "column": Columns(((block,), (para("y"),)), at()),
        "footnote": para("x", NoteRef(1)),
    }
    notes = (Footnote(1, (block,)),) if outer == "footnote" else ()
    edition = printed(around[outer], footnotes=notes)
    html, text = as_nobody(edition)
    assert shown in body_text(html)
    assert shown in text
    assert kind is Only or shown in body_text(edition.web)


def test_the_authors_mjml_cannot_stand_inside_another_block() -> None:
    """Sections cannot be nested."""
    problem = wrong(Note("", (RawMjml(MJML, at(33)),), at(30)))[0]
    assert problem.place == at(33)


def test_what_is_for_the_web_only_is_not_mailed_and_the_other_way_round() -> None:
    """Also inside other blocks."""
    edition = printed(Note("", (Only("web", (para("webby"),), at()), Only("email", (para("maily"),), at())), at()))
    html, text = as_nobody(edition)
    assert ("webby" in html, "webby" in text, "webby" in edition.web) == (False, False, True)
    assert ("maily" in html, "maily" in text, "maily" in edition.web) == (True, True, False)


def test_the_parts_stand_in_the_order_of_the_design() -> None:
    """View in browser, masthead, kicker, headline, dek, byline, body, notes, credits, why, leave, address."""
    edition = printed(para("Body", NoteRef(1)), footnotes=(Footnote(1, (para("Small print"),)),))
    shown = [
        "View in browser", "The Harbour Letter", "Issue 12", "Walking the coast", "What the harbour keeps",
        "A day on the quay.", "Ada Moreno and Bo Lind · Hamburg · 23 November 2026", "Body", "Small print",
        "Edited by C. Hale.", "You get this letter because", "Unsubscribe", "1 Quay Street",
    ]  # fmt: skip
    html, text = (" ".join(each.split()) for each in (body_text(as_nobody(edition)[0]), as_nobody(edition)[1]))
    start = html.index("View")
    places = [html.replace("\u00a0", " ").index(each, start) for each in shown]
    assert places == sorted(places)
    places = [text.index(each) for each in shown[3:]]
    assert places == sorted(places)


def test_the_footer_leaves_out_an_address_that_is_not_configured() -> None:
    """The pre-flight says what that means."""
    html, text = as_nobody(render(issue(), default_theme(), config(postal_address=(), reason="You asked for it.")))
    assert "Quay Street" not in html + text
    assert "You asked for it." in html
    assert "You asked for it." in text


def test_footnotes_link_both_ways() -> None:
    """From each use to the note and back; a note that only the web shows is not mailed."""
    notes = (Footnote(1, (para("first"),), 2), Footnote(2, (para("second"),)))
    body = (para("a", NoteRef(1), "b", NoteRef(1, 2)), Only("web", (para("c", NoteRef(2)),), at()))
    edition = printed(*body, footnotes=notes)
    for html in (as_nobody(edition)[0], edition.web):
        ids = {
            attributes["id"] for _, attributes in events(html) if isinstance(attributes, dict) and "id" in attributes
        }
        targets = {each["href"][1:] for each in tags(html, "a") if each["href"].startswith("#")}
        assert {"fn-1", "fnref-1", "fnref-1-2"} <= targets
        assert targets <= ids
    assert "second" not in as_nobody(edition)[0] + as_nobody(edition)[1]
    assert "second" in edition.web


def test_the_table_of_contents_links_to_the_heads() -> None:
    """By their anchors, at the two highest levels in use."""
    html = html_of(Contents(at()), *(Heading(level, words(f"h{level}"), f"a{level}", at()) for level in (1, 2, 3)))
    assert [each["href"] for each in tags(html, "a") if each["href"].startswith("#")] == ["#a1", "#a2"]
    assert {"a1", "a2", "a3"} <= {each.get("id") for name in ("h2", "h3") for each in tags(html, name)}


def test_links_and_pictures_are_listed_for_the_pre_flight() -> None:
    """Every link that the author wrote, with its place; the theme's own are not among them."""
    card = Card("card", "", "https://e.org/4", picture("card.png"), "", (para(link("https://e.org/5")),), at(40))
    edition = printed(
        para(link("https://e.org/1"), InlineImage(picture("icon.png"), f"for {NAME}", 20, at(31))),
        Figure(picture(), "cranes", (link("https://e.org/3"),), "", 536, at(32), "https://e.org/2"),
        Cards((card,), at(40)),
        Button((*words("b"),), "https://e.org/6", at(41)),
        RawHtml('<p><a href="https://e.org/7">seven</a><img src="x.png" /></p>', at(42)),
        Only("web", (para(link("https://e.org/web")),), at()),
        dek=(link("https://e.org/0"),),
    )
    assert [each.href[-1] for each in edition.links] == list("01234567")
    assert [each.name for each in edition.images] == ["icon.png", "harbour.png", "card.png", "x.png"]
    assert edition.images[0].alt == f"for {FIELDS[0].source}"
    assert (edition.images[1].bytes, edition.images[1].place) == (len(picture().data), at(32))
    assert edition.links[-1].label == "seven"


def test_pictures_are_hosted_in_the_mail_and_beside_the_web_page() -> None:
    """The mail's address is absolute; Outlook reads the width."""
    edition = printed(SAMPLES[Figure][0])
    source = tags(as_nobody(edition)[0], "img")[0]
    assert source["src"] == "https://letters.example.org/images/harbour.png"
    assert source["width"] == "536"
    assert source["alt"] == "cranes"
    assert tags(edition.web, "img")[0]["src"] == "images/harbour.png"


def test_a_picture_never_leaves_its_column() -> None:
    """Outlook stretches the column around a wider one."""
    figure = Figure(picture(), "x", (), "", 536, at())
    html = html_of(Columns(((figure,), (para("y"),)), at()))
    assert int(tags(html, "img")[0]["width"]) <= 300


def test_paragraphs_share_a_cell_but_heads_and_notes_keep_their_space() -> None:
    """Outlook pads cells only, so what has a padding needs a cell of its own."""
    count = [html_of(*(para("x") for _ in range(n))).count("<td") for n in (1, 9)]
    assert count[0] == count[1]
    html = html_of(Heading(2, words("a"), "a", at()), Heading(2, words("b"), "b", at()))
    assert html.count("padding:18px 0px 10px") == 2
    html = html_of(Note("", (para("a"),), at()), Note("", (para("b"),), at()), credits=())
    assert html.count("padding:0px 0px 20px") == 2


def test_a_notes_title_runs_into_its_first_paragraph() -> None:
    """And stands above anything that is not one, also above code on the web page."""
    running = printed(Note("Lead", (para("text"),), at()))
    for page in (as_nobody(running)[0], running.web):
        assert re.search(r"<p[^>]*><strong[^>]*>Lead</strong>\u2002text</p>", page)
    above = printed(Note("Lead", (CodeBlock("x", "", at()),), at()))
    for page in (as_nobody(above)[0], above.web):
        assert re.search(r"<p[^>]*><strong[^>]*>Lead</strong>\u2002</p>", page)


def test_a_button_is_a_button_in_outlook() -> None:
    """A coloured cell with padding, at the top level and inside a note."""
    html = html_of(SAMPLES[Button][0], Note("", (SAMPLES[Button][0],), at()))
    cells = [each.get("style", "") + each.get("bgcolor", "") for each in tags(html, "td")]
    assert sum("#16191D" in cell and "border-radius:4px" in cell for cell in cells) == 2
    assert len([each for each in tags(html, "a") if each["href"] == "https://example.org/b"]) == 2


HOSTILE = [
    '"><script>alert(1)</script>',
    "' onload='x",
    "{{7*7}}",
    "{% raw %}",
    "%recipient.email%",
    "*|X|*",
    "<mj-text>",
    "]]>",
    "&amp; &",
    "$ink",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_words_stay_words_everywhere(hostile: str) -> None:
    """In text, attributes, titles, captions, code, front matter and configuration."""
    blocks = (
        para(hostile, Code(hostile), Styled("abbr", words("a"), hostile), link(f"https://e.org/?q={hostile}", hostile)),
        Heading(2, words(hostile), "anchor", at()),
        PullQuote((para("x"),), hostile, at()),
        Note(hostile, (para(hostile),), at()),
        Figure(picture(), hostile, words(hostile), hostile, 536, at()),
        Button(words(hostile), f"https://e.org/{hostile}", at()),
        Cards((Card(hostile, hostile, f"https://e.org/{hostile}", picture(), hostile, (), at()),), at()),
        CodeBlock(hostile, hostile, at()),
        Sponsor(hostile, (), at()),
        Video(f"https://e.org/{hostile}", picture(), hostile, at()),
        Social(((hostile, f"https://e.org/{hostile}"),), at()),
        Contents(at()),
        Table((words(hostile),), ((words(hostile),),), ("",), at()),
    )
    made = issue(
        *blocks, title=hostile, kicker=hostile, dek=words(hostile), authors=(hostile,), location=hostile, number=hostile
    )
    made = made._replace(preheader=hostile, subject=hostile, credits=(words(hostile),), lang="en")
    edition = render(made, default_theme(), config(name=hostile, reason=hostile, postal_address=(hostile,)))
    html, text = as_nobody(edition)
    for page in (html, edition.web):
        assert not tags(page, "script")
        assert not [
            each for _, each in events(page) if isinstance(each, dict) and any(key.startswith("on") for key in each)
        ]
        assert not tags(page, "mj-text")
        assert " ".join(hostile.split()) in body_text(page)
        assert tags(page, "img")[0]["alt"] == hostile
    assert hostile in text


def test_the_mail_and_its_styles_stay_small() -> None:
    """Gmail reads 16 kB of style sheet and clips a mail at about 102 kB."""
    html = html_of(*(block for block, _ in SAMPLES.values()))
    styles = "".join(re.findall(r"<style.*?</style>", html, re.DOTALL))
    assert len(styles.encode()) < 16_000
    assert len(html.encode()) < 80_000
    one, many = (len(html_of(*(para("word " * 80) for _ in range(count)))) for count in (1, 41))
    assert (many - one) / 40 < 400 + 40


def test_no_font_or_script_is_fetched() -> None:
    """Nothing but the pictures comes from elsewhere."""
    html = html_of(*(block for block, _ in SAMPLES.values()))
    assert not tags(html, "link") + tags(html, "script")
    assert "@import" not in html
    assert {each["src"].split("/images/")[0] for each in tags(html, "img")} == {"https://letters.example.org"}


def test_the_heads_of_the_mail_and_the_page_are_complete() -> None:
    """Language, direction, colour schemes, title, description and address."""
    edition = printed(para("x"), lang="pt-BR")
    html = as_nobody(edition)[0]
    for page in (html, edition.web):
        assert tags(page, "html")[0]["lang"] == "pt-BR"
        assert tags(page, "html")[0]["dir"] == "ltr"
        assert {"name": "color-scheme", "content": "light dark"} in tags(page, "meta")
        assert len(tags(page, "h1")) == 1
    assert {"name": "supported-color-schemes", "content": "light dark"} in tags(html, "meta")
    assert {"name": "description", "content": "Ropes and cranes"} in tags(edition.web, "meta")
    assert {"rel": "canonical", "href": "https://example.org/hello"} in tags(edition.web, "link")
    assert "23 de novembro de 2026" in body_text(html).replace("\u00a0", " ")


def test_the_preheader_is_hidden_and_padded() -> None:
    """So that no body text leaks into the inbox row."""
    html = html_of(preheader="A first line")
    hidden = next(each for each in tags(html, "div") if "display:none" in each.get("style", ""))
    assert "max-height:0" in hidden["style"]
    assert ("text", "A first line" + "\u034f\u200c\u00a0" * 80) in events(html)
    assert "\u034f" not in html_of(preheader="")


def test_dark_rules_come_for_both_kinds_of_client() -> None:
    """A media query for most, attributes for Outlook; the page's colour sits on the engine's outer div."""
    html = html_of(Note("", (para("x"),), at()))
    assert "@media (prefers-color-scheme: dark)" in html
    assert "[data-ogsb] .page { background-color: #14171B !important }" in html.replace("[data-ogsb] body, ", "")
    assert "[data-ogsc] .t div, [data-ogsc] .t td { color: #D7DADE !important }" in html
    assert any(each.get("class") == "page" and "#FFFFFF" in each["style"] for each in tags(html, "div"))


def test_a_language_from_right_to_left_turns_the_mail_round() -> None:
    """Direction on document, sections and columns; text to the right; the bar of a quote too."""
    html = html_of(para("x"), Quote((para("y"),), at()), Button(words("b"), "https://e.org", at()), lang="ar")
    assert tags(html, "html")[0]["dir"] == "rtl"
    assert "direction:rtl" in html
    assert "direction:ltr" not in html
    assert "border-right:3px" in html
    assert "text-align:right" in next(
        each["style"] for each in tags(html, "div") if "font-size:18px" in each.get("style", "")
    )


def test_german_words_stand_in_a_german_issue() -> None:
    """The theme's own words follow the issue's language."""
    edition = printed(para("x"), lang="de-DE")
    html, text = as_nobody(edition)
    for said in ("Im Browser ansehen", "Abbestellen", "Ausgabe 12", "23. November 2026"):
        assert said in body_text(html).replace("\u00a0", " ")
        assert said in text


def test_hard_breaks_and_inline_pictures_show() -> None:
    """The small things of running text."""
    block = para("a", Break(hard=True), "b", Break(hard=False), "c", InlineImage(picture("i.png"), "dot", 20, at()))
    html = html_of(block)
    assert "a<br />b c<img" in html
    assert "a\nb c[Image: dot]" in text_of(block)
