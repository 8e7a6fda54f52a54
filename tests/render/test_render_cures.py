"""Each silent defect of the engine, shown without the cure, and what comes out with it."""

from __future__ import annotations

import re

import pytest
from mjml import mjml2html
from render.helpers_mjml import column, cured, document, engine, faults
from render.helpers_render import events, tags

GHOST = (
    "<mj-raw><!--[if mso]><table><tr><td><![endif]--></mj-raw><mj-text>between</mj-text>"
    "<mj-raw><!--[if mso]></td></tr></table><![endif]--></mj-raw>"
)
MSO = re.compile(r"<!--\[if.*?<!\[endif\]-->", re.DOTALL)


def test_a_line_break_in_an_attribute_becomes_a_space() -> None:
    """The engine prints a backslash and an n; XML says that it is a space."""
    mjml = document(column('<mj-image src="x.png" alt="one\n   two" />'))
    assert "\\n" in tags(engine(mjml), "img")[0]["alt"]
    assert tags(cured(mjml), "img")[0]["alt"] == "one    two"


def test_a_quote_cannot_end_an_attribute() -> None:
    """The engine lets it: an attribute of its own begins."""
    mjml = document(column("<mj-image src='x.png' alt='a\" onerror=\"alert(1)' />"))
    assert "onerror" in tags(engine(mjml), "img")[0]
    assert tags(cured(mjml), "img")[0]["alt"] == 'a" onerror="alert(1)'


@pytest.mark.parametrize("text", ["a\u00a0b", "a\u00adb", "👩\u200d🚀", "हिन्दी", "مُحَمَّد", "e\u0301", "𝒳", "a\\b"])
def test_letters_outside_ascii_survive_in_attributes(text: str) -> None:
    """The engine prints many as Rust writes them, such as u{94d}."""
    mjml = document(column(f'<mj-image src="x.png" alt="{text}" title="{text}" />'))
    picture = tags(cured(mjml), "img")[0]
    assert (picture["alt"], picture["title"]) == (text, text)
    assert tags(engine(mjml), "img")[0]["alt"] != text or text == "𝒳"


def test_a_bare_zero_counts_in_the_sums() -> None:
    """The engine takes the 25 px beside it for nothing."""
    picture = '<mj-image src="x.png" padding="{}" />'
    bare, mended = (document(column(picture.format(each))) for each in ("0 25px", "0px 25px"))
    width = tags(engine(mended), "img")[0]["width"]
    assert tags(engine(bare), "img")[0]["width"] != width
    assert tags(cured(bare), "img")[0]["width"] == width


def test_the_engine_takes_the_last_of_two_and_we_take_none() -> None:
    """The official engine takes the first, so there is no right answer."""
    mjml = document(column('<mj-image src="x.png" alt="one" alt="two" />'))
    assert tags(engine(mjml), "img")[0]["alt"] == "two"
    assert "duplicate attribute" in faults(mjml)[0].message


def test_includes_are_refused() -> None:
    """The engine reads whatever file a loader gives it, and loses paddings."""
    problem = faults(document('<mj-include path="../../secret.mjml" />'))[0]
    assert "<mj-include> cannot be used here" in problem.message
    assert "{% include" in problem.hint


def test_half_a_table_for_outlook_swallows_nothing() -> None:
    """The engine reads the comments as tags and prints what follows as it stands."""
    mjml = document(column(GHOST))
    assert "<mj-text>" in engine(mjml)
    html = cured(mjml)
    assert "mj-" not in MSO.sub("", html).replace("mj-column-per-100", "").replace("mj-outlook-group-fix", "")
    assert html.index("<!--[if mso]><table><tr><td><![endif]-->") < html.index("between")
    assert html.index("between") < html.index("<!--[if mso]></td></tr></table><![endif]-->")


@pytest.mark.parametrize("raw", ["<table><tr><td>", "<div>", "</div>", "<p>one<p>two", "<b><i>x</b></i>"])
def test_unbalanced_html_is_an_error(raw: str) -> None:
    """The engine swallows what follows, or stops without saying where."""
    problem = faults(document(column(f"<mj-raw>{raw}</mj-raw><mj-text>x</mj-text>")))[0]
    assert "not well-formed" in problem.message
    assert problem.place is not None
    assert problem.place.line == 1


@pytest.mark.parametrize(
    "wrong", ["<mj-txt>x</mj-txt>", '<mj-text colour="red">x</mj-text>', '<mj-text color="redd">x</mj-text>']
)
def test_what_the_engine_passes_without_a_word_is_an_error(wrong: str) -> None:
    """Unknown tags, unknown attributes and bad values."""
    mjml = document(column(wrong))
    assert engine(mjml)
    assert len(faults(mjml)) == 1


@pytest.mark.parametrize(
    "tag",
    [
        '<mj-image src="x.png" />',
        '<mj-social><mj-social-element src="x.png" href="#">x</mj-social-element></mj-social>',
    ],
)
def test_a_picture_without_words_gets_an_empty_alt(tag: str) -> None:
    """The engine gives it none, and screen readers read the file's name."""
    mjml = document(column(tag))
    assert "alt" not in tags(engine(mjml), "img")[0]
    assert tags(cured(mjml), "img")[0]["alt"] == ""


@pytest.mark.parametrize(
    ("mjml", "tag", "expected"),
    [
        ('<mj-button href="#" title="T&quot;é">x</mj-button>', "a", {"title": 'T"é'}),
        ('<mj-button title="T" rel="nofollow">x</mj-button>', "p", {"title": "T", "rel": "nofollow"}),
        (
            '<mj-image src="x.png" srcset="y.png 2x" sizes="50vw" alt="a" />',
            "img",
            {"sizes": "50vw", "alt": "a", "srcset": "y.png 2x"},
        ),
        (
            '<mj-table role="presentation" cellpadding="4"><tr><td>x</td></tr></mj-table>',
            "table",
            {"role": "presentation", "cellpadding": "4"},
        ),
        (
            '<mj-social><mj-social-element src="x.png" srcset="y.png 2x" sizes="5vw" href="#">x</mj-social-element></mj-social>',
            "img",
            {"srcset": "y.png 2x", "sizes": "5vw", "alt": ""},
        ),
    ],
)
def test_attributes_that_the_engine_loses_come_through(mjml: str, tag: str, expected: dict[str, str]) -> None:
    """They travel inside one that it prints."""
    whole = document(column(mjml))
    assert not any(expected.items() <= each.items() for each in tags(engine(whole), tag))
    assert any(expected.items() <= each.items() for each in tags(cured(whole), tag))


def test_the_gap_of_a_wrapper_is_kept() -> None:
    """The engine loses it; here an empty section holds the sections apart."""
    mjml = document(f'<mj-wrapper gap="20px">{column("<mj-text>a</mj-text>") * 3}</mj-wrapper>')
    assert "20px;line-height:20px" not in engine(mjml)
    assert cured(mjml).count("height:20px;line-height:20px") == 2


def test_a_buttons_width_holds_its_border() -> None:
    """The engine puts the border around it; the official one takes it from the link's width."""
    mjml = document(column('<mj-button href="#" width="240px" border="2px solid red" border-left="none">x</mj-button>'))
    assert "width:190px" in tags(engine(mjml), "a")[0]["style"]
    assert "width:188px" in tags(cured(mjml), "a")[0]["style"]


def test_the_mails_class_is_on_the_body_too() -> None:
    """The official engine puts it there, ours on the div inside; a dark page needs both."""
    mjml = '<mjml><mj-body css-class="page"></mj-body></mjml>'
    assert "class" not in tags(engine(mjml), "body")[0]
    html = cured(mjml)
    assert tags(html, "body")[0]["class"] == "page"
    assert tags(html, "div")[0]["class"] == "page"


def test_styles_that_would_not_be_inlined_are_refused() -> None:
    """The engine leaves them out of the mail altogether."""
    mjml = document(
        column('<mj-text><p class="a">x</p></mj-text>'), '<mj-style inline="inline">.a { color: red }</mj-style>'
    )
    assert "color: red" not in tags(engine(mjml), "p")[0].get("style", "")
    assert "does nothing with “inline”" in faults(mjml)[0].message


@pytest.mark.parametrize("tag", ["mj-carousel", "mj-navbar"])
def test_two_of_a_kind_would_share_one_id(tag: str) -> None:
    """So the engine's carousels and bars are refused."""
    inner = (
        '<mj-carousel-image src="x.png" />' if tag == "mj-carousel" else '<mj-navbar-link href="#">x</mj-navbar-link>'
    )
    attribute = ' hamburger="hamburger"' if tag == "mj-navbar" else ""
    mjml = document(column(f"<{tag}{attribute}>{inner}</{tag}>" * 2))
    assert engine(mjml).count("00000000") >= 2
    assert {problem.message for problem in faults(mjml)} == {f"<{tag}> cannot be used here"}


@pytest.mark.parametrize(
    ("mjml", "said"),
    [
        (document(column("<mj-text><![CDATA[a < b]]></mj-text>")), "a < b"),
        (f'<?xml version="1.0" encoding="UTF-8"?>\n{document(column("<mj-text>declared</mj-text>"))}', "declared"),
        (document(column("<mj-text>a &lt; b &amp; c</mj-text>")), "a < b & c"),
        (
            document(
                '<mj-section mj-class="x"><mj-column><mj-text>by class</mj-text></mj-column></mj-section>',
                '<mj-attributes><mj-class name="x"><mj-text color="#ff0000" /></mj-class></mj-attributes>',
            ),
            "by class",
        ),
    ],
)
def test_what_stops_the_engine_though_it_is_right(mjml: str, said: str) -> None:
    """The official engine reads these; so do we."""
    assert ("text", said) in events(cured(mjml))


@pytest.mark.parametrize(
    "mjml",
    [
        document(column("<mj-text><![CDATA[a < b]]></mj-text>")),
        f'<?xml version="1.0"?>\n{document("")}',
        document("", '<mj-attributes><mj-class name="x"><mj-text color="#ff0000" /></mj-class></mj-attributes>'),
    ],
)
def test_the_engine_still_stops_there(mjml: str) -> None:
    """When this fails, the engine was mended and the cure can go."""
    with pytest.raises(ValueError, match=r"."):
        engine(mjml)


@pytest.mark.parametrize(
    "mjml",
    [
        document("", "<mj-preview>a <b>b</b></mj-preview>"),
        document("<mj-html-attributes />"),
        document(column("<mj-text>a < b</mj-text>")),
        document(column("<mj-text><p>one<p>two</mj-text>")),
        document(column("<mj-image src=x.png />")),
        document("<mj-raw>a</mj-raw>").replace("<mj-head>", '<mj-raw position="file-start">x</mj-raw><mj-head>'),
    ],
)
def test_what_stops_the_engine_is_an_error_with_its_place(mjml: str) -> None:
    """The engine names a position in a document that nobody has seen."""
    problem = faults(mjml)[0]
    assert problem.hint
    assert problem.place is not None
    assert problem.place.col > 1


def test_the_children_of_a_class_reach_what_stands_below() -> None:
    """As the official engine does it: the nearest class counts, and an own attribute wins."""
    head = (
        '<mj-attributes><mj-class name="x"><mj-text color="#ff0000" /><mj-column background-color="#eeeeee" /></mj-class>'
        '<mj-class name="y" /></mj-attributes>'
    )
    inside = "<mj-text>a</mj-text><mj-text color='#00ff00'>b</mj-text>"
    html = cured(
        document(
            f'<mj-section mj-class="x"><mj-column>{inside}</mj-column></mj-section>'
            f'<mj-section mj-class="y"><mj-column>{inside}</mj-column></mj-section>',
            head,
        )
    )
    assert re.findall(r"color:(#[0-9a-f]{6});\">([ab])", html) == [
        ("#ff0000", "a"),
        ("#00ff00", "b"),
        ("#000000", "a"),
        ("#00ff00", "b"),
    ]
    assert html.count("background-color:#eeeeee") == 1


def test_a_right_to_left_mail_is_so_throughout() -> None:
    """Neither engine takes more from ``dir`` than the attribute itself."""
    mjml = document(column("<mj-text>سلام</mj-text>") * 2, root='lang="ar" dir="rtl"')
    assert "direction:rtl" not in engine(mjml)
    html = cured(mjml)
    assert html.count("direction:rtl") == 4
    assert html.count("text-align:right") == 2
    assert "direction:ltr" not in html


def test_a_theme_that_sets_its_own_direction_keeps_it() -> None:
    """The cure fills in what is not said."""
    head = '<mj-attributes><mj-text align="center" /><mj-all direction="ltr" /></mj-attributes>'
    html = cured(document(column("<mj-text>سلام</mj-text>"), head, 'dir="rtl"').replace("<mj-all", "<mj-column"))
    assert "text-align:right" not in html
    assert html.count("direction:ltr") == 1


def test_the_bare_engine_would_link_fonts_from_elsewhere() -> None:
    """Its own list of fonts is Google's."""
    mjml = document(column('<mj-text font-family="Ubuntu">x</mj-text>'))
    assert "fonts.googleapis.com" in mjml2html(mjml)
    assert "googleapis" not in cured(mjml)
