"""What the validator finds before the engine runs, where it says it is, and what it suggests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from render.helpers_mjml import column, cured, document, faults
from render.helpers_render import NAME, at, config, html_of, themed, wrong

from newsletter.content.issue import load_issue
from newsletter.model import Paragraph, Place, RawMjml, Text
from newsletter.render.attributes import ANY, fault
from newsletter.render.schema import ATTRIBUTES, CHILDREN

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.errors import Problem

HEAD = '<mj-attributes><mj-class name="small" font-size="13px" /></mj-attributes>'


def one(mjml: str) -> Problem:
    """The only thing that is wrong."""
    problems = faults(mjml)
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize(
    ("tag", "said", "hint"),
    [
        ('<mj-text colr="#fff">x</mj-text>', "<mj-text> has no attribute “colr”", "“color”"),
        ('<mj-text style="color:red">x</mj-text>', "<mj-text> has no attribute “style”", "css-class"),
        ('<mj-text href="#">x</mj-text>', "<mj-text> has no attribute “href”", ""),
        ('<mj-text color="#ff">x</mj-text>', "“color” takes a colour, not “#ff”", "#16191D"),
        ('<mj-text color="bleu">x</mj-text>', "“color” takes a colour", "“blue”"),
        ('<mj-text color="White">x</mj-text>', "“color” takes a colour", "“white”"),
        ('<mj-text color="hsl(1, 2%, 3%)">x</mj-text>', "“color” takes a colour", "rgb("),
        ('<mj-text color="#fff;background:url(x)">x</mj-text>', "“color” takes a colour", ""),
        ('<mj-text color="">x</mj-text>', "“color” takes a colour", ""),
        ('<mj-text font-size="16">x</mj-text>', "“font-size” takes one number in px, not “16”", "16px"),
        ('<mj-text font-size="1em">x</mj-text>', "“font-size” takes one number in px", ""),
        ('<mj-text font-size="1px 2px">x</mj-text>', "“font-size” takes one number", ""),
        ('<mj-text padding="1px 2px 3px 4px 5px">x</mj-text>', "“padding” takes 1 to 4 numbers in px or in %", "24px"),
        ('<mj-text padding="1px, 2px">x</mj-text>', "“padding” takes 1 to 4 numbers", ""),
        ('<mj-text padding="-1px">x</mj-text>', "“padding” takes 1 to 4 numbers", ""),
        ('<mj-text padding="">x</mj-text>', "“padding” takes 1 to 4 numbers", ""),
        (
            '<mj-text line-height="1.5em">x</mj-text>',
            "“line-height” takes one number in px or in % or without a unit",
            "",
        ),
        ('<mj-text letter-spacing="1%">x</mj-text>', "“letter-spacing” takes one number in px or in em", ""),
        ('<mj-text align="centre">x</mj-text>', "“align” takes one of: left, right, center, justify", "“center”"),
        ('<mj-table cellpadding="4px"><tr></tr></mj-table>', "“cellpadding” takes a whole number", ""),
        ('<mj-table cellpadding="٤"><tr></tr></mj-table>', "“cellpadding” takes a whole number", ""),
        ('<mj-image src="x.png" fluid-on-mobile="yes" />', "“fluid-on-mobile” takes one of: true, false", ""),
        ('<mj-image src="x.png" width="50%" />', "“width” takes one number in px", ""),
        ('<mj-image src="x.png" height="50%" />', "“height” takes one number in px, or auto", ""),
        ('<mj-image src="x.png" border-top="1px solid red" />', "does nothing with “border-top”", "border"),
        ('<mj-button href="javascript:alert(1)">x</mj-button>', "begins with “javascript:”", "https://"),
        ('<mj-button href=" Java&#9;Script:x">x</mj-button>', "begins with", "https://"),
        ('<mj-text mj-class="smal">x</mj-text>', "there is no mj-class “smal”", "“small”"),
        ('<mj-text><p onclick="x()">x</p></mj-text>', "a script (“onclick”)", "Leave"),
        ('<mj-text><a href="vbscript:x">x</a></mj-text>', "begins with “vbscript:”", "https://"),
        ("<mj-raw><script>x</script></mj-raw>", "<script> cannot stand in a mail", "Leave"),
        ('<mj-text><iframe src="https://a.example" /></mj-text>', "<iframe> cannot stand in a mail", "Leave"),
        ("<mj-image src='x.png'><b>x</b></mj-image>", "<mj-image> holds nothing", "Close"),
        ("<mj-divider>x</mj-divider>", "text cannot stand directly in <mj-divider>", "mj-text"),
        ("<mj-class name='x' />", "<mj-class> cannot stand directly in <mj-column>", "mj-text"),
    ],
)
def test_what_is_wrong_is_said_with_a_suggestion(tag: str, said: str, hint: str) -> None:
    """One fault, one sentence, and what to do."""
    if "Java" in tag:
        tag = tag.replace("&#9;", "")
    problem = one(document(column(tag), HEAD))
    assert said in problem.message
    assert problem.hint
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("<mj-attributes><mj-txt /></mj-attributes>", "unknown tag <mj-txt>"),
        ('<mj-attributes><mj-text colr="red" /></mj-attributes>', "no attribute “colr”"),
        ('<mj-attributes><mj-all colr="red" /></mj-attributes>', "no attribute “colr”"),
        ('<mj-attributes><mj-all color="redd" /></mj-attributes>', "takes a colour"),
        ('<mj-attributes><mj-class color="red" /></mj-attributes>', "an mj-class needs a name"),
        ('<mj-attributes><mj-class name="a" padding="3" /></mj-attributes>', "“padding” takes"),
        ('<mj-attributes><mj-class name="a"><mj-text colr="red" /></mj-class></mj-attributes>', "no attribute “colr”"),
        ("<mj-attributes>text</mj-attributes>", "text cannot stand directly in <mj-attributes>"),
        ("<mj-attributes><mj-attributes /></mj-attributes>", "cannot have defaults"),
        ('<mj-breakpoint width="480" />', "“width” takes one number in px"),
        ("<mj-title>again</mj-title>", "holds more than one <mj-title>"),
        ("<mj-section />", "<mj-section> cannot stand directly in <mj-head>"),
    ],
)
def test_the_head_is_held_to_the_same_rules(head: str, said: str) -> None:
    """Defaults are checked where they are written, not where they are used."""
    assert said in one(document("", head)).message


@pytest.mark.parametrize(
    ("mjml", "said"),
    [
        ("<mjml></mjml>", "lacks its <mj-body>"),
        ("<mjml><mj-body></mj-body><mj-body></mj-body></mjml>", "more than one <mj-body>"),
        ('<mjml dir="left"><mj-body></mj-body></mjml>', "“dir” takes one of"),
        ('<mjml version="4"><mj-body></mj-body></mjml>', "<mjml> has no attribute “version”"),
        ('<mjml><mj-body width="600"></mj-body></mjml>', "“width” takes one number in px"),
        ('<mjml><mj-body id="x"></mj-body></mjml>', "does nothing with “id”"),
    ],
)
def test_the_frame_is_checked(mjml: str, said: str) -> None:
    """A mail without a body is an empty mail."""
    assert said in one(mjml).message


@pytest.mark.parametrize("tag", sorted(ATTRIBUTES))
def test_the_official_engines_own_values_pass(tag: str) -> None:
    """One good value for each attribute of each tag is no fault, or it is one that our engine loses."""
    good = {"color": "#16191D", "integer": "4", "boolean": "true", "string": "x"}
    for name, kind in ATTRIBUTES[tag].items():
        value = good.get(kind) or (kind[5:-1].split(",")[0] if kind.startswith("enum") else "24px")
        found = fault(tag, name, value)
        assert found is None or "does nothing with" in found[0]
        bare = fault(tag, name, "0") if kind.startswith("unit") else None
        assert bare is None or "does nothing with" in bare[0]
        if kind != "string":
            assert fault(tag, name, "24 foo; }") is not None


@pytest.mark.parametrize("value", ["1.5", "150%", "24px", "0"])
def test_a_line_height_may_be_a_bare_number(value: str) -> None:
    """It is the one measure that CSS has without a unit."""
    assert fault("mj-text", "line-height", value) is None


@pytest.mark.parametrize(
    "value", ["#fff", "#FFFFFF", "white", "transparent", "rgb(1, 2, 3)", "rgba(1,2,3,0.5)", "inherit"]
)
def test_colours_may_be_written_in_each_way_that_mail_knows(value: str) -> None:
    """Names, hexadecimal, and red, green and blue."""
    assert fault("mj-text", "color", value) is None


def test_every_nesting_of_the_schema_is_known() -> None:
    """Nothing in the table of children is a tag without attributes of its own."""
    names = {name for children in CHILDREN.values() for name in children.split()}
    assert names <= {*ATTRIBUTES, "mj-selector", "mj-html-attribute"}
    assert "css-class" in ANY


# -- places ---------------------------------------------------------------------------


def test_a_fault_in_the_authors_own_mjml_has_its_line_and_column() -> None:
    """Also behind entities, comments and on the attribute's own line."""
    source = (
        "<mj-section>\n"
        '  <!-- <mj-text colr="x"> --><mj-column>\n'
        '    <mj-text css-class="a colr=b"\n'
        '       colr="x">&mdash;&hearts; <b>x</b></mj-text><mj-txt />\n'
        "  </mj-column>\n"
        "</mj-section>\n"
    )
    problems = wrong(RawMjml(source, at(30)))
    assert [(problem.message, problem.place) for problem in problems] == [
        ("<mj-text> has no attribute “colr”", at(34)._replace(col=8)),
        ("unknown tag <mj-txt>", at(34)._replace(col=51)),
    ]


def test_a_block_that_is_indented_keeps_its_columns(tmp_path: Path) -> None:
    """From the file as it was written, fields and all."""
    text = (
        "---\nid: hello-0001\ntitle: Hello\ndate: 2026-11-23\n---\n  ::: mjml\n"
        '  <mj-section><mj-column><mj-text>{{ first_name | default("you") }}</mj-text>\n'
        '    <mj-text align="centre">{{ first_name | default("you") }}</mj-text></mj-column></mj-section>\n  :::\n'
    )
    folder = tmp_path / "issues" / "2026-11-23-hello"
    folder.mkdir(parents=True)
    (folder / "index.md").write_text(text, "utf-8")
    issue = load_issue(folder, config(root=tmp_path))
    problem = wrong(*issue.blocks, fields=issue.fields)[0]
    assert problem.place
    assert (problem.place.line, problem.place.col) == (8, text.split("\n")[7].index("align") + 1)
    assert problem.excerpt == '<mj-text align="centre">{{ … }}</mj-text></mj-column></mj-section>'


def test_every_fault_is_reported_at_once() -> None:
    """The author mends them in one go."""
    source = '<mj-section colr="x"><mj-column colr="x"><mj-text colr="x">x</mj-text></mj-column></mj-section>'
    assert [problem.place.col for problem in wrong(RawMjml(source, at(30))) if problem.place] == [13, 33, 51]


def test_a_broken_tag_in_the_authors_own_mjml_has_its_column() -> None:
    """Entities that become longer do not move it."""
    problem = wrong(
        RawMjml("<mj-section>\n<mj-column><mj-text>&pi;&pi;&pi;</mj-txt></mj-column></mj-section>", at(30))
    )[0]
    assert problem.place == at(32)._replace(col=35)


def test_a_fault_in_a_theme_is_placed_in_its_template() -> None:
    """Loops, conditions and lines that print nothing move what is rendered, and not the place."""
    text = (
        "{# A comment\n   of two lines. #}\n"
        "{% for each in [1, 2] %}\n"
        "{% if loop.first %}\n"
        "<mj-text>{{ html }}</mj-text>\n"
        "{% else %}\n"
        '<mj-divider border-width="{{ each }}"\n'
        "  />\n"
        "{% endif %}\n"
        "{% endfor %}\n"
    )
    problem = wrong(Paragraph((Text("a"),), at(7)), theme=themed(paragraph=text))[0]
    assert problem.place == Place("templates/mine/blocks/paragraph.mjml.j2", 7, 13)
    assert problem.excerpt == '<mj-divider border-width="{{ each }}"'
    assert "“border-width” takes one number in px, not “2”" in problem.message
    assert f"building the block at {at(7)}" in problem.message


def test_a_fault_in_an_included_template_or_a_macro_is_placed_there() -> None:
    """Where the tag is written, not where it is called."""
    theme = themed(
        paragraph='{% macro line(width) %}\n<mj-divider border-width="{{ width }}" />\n{% endmacro %}\n{% include "blocks/_part.mjml.j2" %}\n{{ line(3) }}'
    )
    part = '\n <mj-text colour="red">{{ html }}</mj-text>'
    theme = theme._replace(
        sources={**theme.sources, "blocks/_part.mjml.j2": (part, "templates/mine/blocks/_part.mjml.j2")}
    )
    assert [problem.place for problem in wrong(theme=theme)] == [
        Place("templates/mine/blocks/_part.mjml.j2", 2, 11),
        Place("templates/mine/blocks/paragraph.mjml.j2", 2, 13),
    ]


def test_a_tag_that_an_expression_makes_is_placed_at_the_one_before() -> None:
    """As near as it can be known."""
    theme = themed(paragraph='<mj-text>{{ html }}</mj-text>\n<mj-{{ "txt" }} />')
    problem = wrong(theme=theme)[0]
    assert "unknown tag <mj-txt>" in problem.message
    assert problem.place == Place("templates/mine/blocks/paragraph.mjml.j2", 1, 1)


def test_an_unknown_setting_of_the_layout_is_placed_in_the_layout() -> None:
    """The layout has slots, in which other templates' tags stand."""
    layout = (
        themed()
        .sources["layout.mjml.j2"][0]
        .replace('<mj-body css-class="page"', '<mj-body css-class="page" widht="1px"')
    )
    line = next(number for number, each in enumerate(layout.split("\n"), 1) if "widht" in each)
    problem = wrong(theme=themed(layout=layout))[0]
    assert problem.place == Place(
        "templates/mine/layout.mjml.j2", line, layout.split("\n")[line - 1].index("widht") + 1
    )
    assert "“width”" in problem.hint


def test_a_field_cannot_stand_where_a_number_or_a_colour_must() -> None:
    """Its value would be anybody's."""
    theme = themed(paragraph='<mj-text color="{{ block.children[0].text }}">x</mj-text>')
    assert "a field cannot stand in “color”" in wrong(Paragraph((Text(NAME),), at()), theme=theme)[0].message


def test_a_good_block_passes_and_stands_in_the_mail() -> None:
    """The rules leave room for what MJML is for."""
    source = (
        '<mj-wrapper background-color="#fff" gap="8px"><mj-section full-width="full-width" direction="rtl">'
        '<mj-group><mj-column width="50%" css-class="a b"><mj-text letter-spacing="-1px">one</mj-text></mj-column>'
        '<mj-column><mj-spacer height="8px" /><mj-social mode="vertical"><mj-social-element name="github" href="https://a.example">'
        "two</mj-social-element></mj-social></mj-column></mj-group></mj-section></mj-wrapper>"
    )
    html = html_of(RawMjml(source, at(30)))
    assert "one" in html
    assert "two" in html


def test_an_empty_enumeration_is_a_value_where_the_schema_has_one() -> None:
    """The official engine takes full-width="" for no."""
    assert cured(document('<mj-section full-width=""></mj-section>'))
