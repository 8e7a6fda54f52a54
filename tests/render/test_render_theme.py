"""Loading themes, and what is said about a theme that is broken."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from render.helpers_render import (
    FIELDS,
    INDEX,
    TEMPLATES,
    at,
    default_theme,
    html_of,
    para,
    printed,
    themed,
    words,
    wrong,
)

from newsletter.errors import BadInput
from newsletter.model import Columns, Heading, Note, Rule
from newsletter.render.jinja import Templates
from newsletter.render.theme import BLOCKS, load_theme

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.errors import Problem
    from newsletter.render.theme import Theme


def mine(folder: Path, **files: str) -> Theme:
    """A workspace theme of some files over the packaged one; ``__`` in a name is a slash, ``_`` before the end a dot."""
    for name, text in files.items():
        path = folder / "mine" / NAMES[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load_theme("mine", [folder, TEMPLATES])


NAMES = {
    "yaml": "theme.yaml",
    "note": "blocks/note.mjml.j2",
    "notte": "blocks/notte.mjml.j2",
    "partial": "blocks/_part.mjml.j2",
    "layout": "layout.mjml.j2",
    "inline": "inline.css",
    "dark": "dark.css",
    "mail": "mail.css",
}


def faults(folder: Path, **files: str) -> tuple[Problem, ...]:
    """What loading such a theme reports."""
    with pytest.raises(BadInput) as caught:
        mine(folder, **files)
    return caught.value.problems


def test_the_default_theme_is_sound() -> None:
    """Every template compiles, and there is one for each kind of block."""
    theme = default_theme()
    templates = Templates(theme.sources)
    assert [templates.check(name) for name in theme.sources] == [None] * len(theme.sources)
    assert {f"blocks/{name}.mjml.j2" for name in BLOCKS} <= theme.sources.keys()
    assert theme.title == "Default"


def test_an_unknown_theme_suggests_one_that_exists() -> None:
    """A misspelt name in front matter or configuration."""
    with pytest.raises(BadInput, match="no theme “defualt”") as caught:
        load_theme("defualt", [TEMPLATES])
    assert "default" in caught.value.problems[0].hint


def test_a_theme_may_hold_a_single_file(tmp_path: Path) -> None:
    """What it lacks comes from the packaged theme."""
    theme = mine(tmp_path, note='<mj-text css-class="mine"><p>{{ html }}</p></mj-text>')
    html = html_of(Note("", (para("A note."),), at()), theme=theme)
    assert 'class="mine"' in html
    assert "What the harbour keeps" in html


def test_a_theme_may_change_a_single_colour(tmp_path: Path) -> None:
    """Settings and inline styles are laid over those of the packaged theme one by one."""
    theme = mine(tmp_path, yaml='title: Mine\ncolours:\n  link: "#AA0000"\n', inline="lead { color:$link }\n")
    assert theme.title == "Mine"
    assert theme.styles["a"].startswith("color:#AA0000")
    assert theme.styles["lead"] == "color:#AA0000"
    assert theme.settings["ink"] == default_theme().settings["ink"]
    assert "color: #AA0000" in theme.head


def test_a_copy_of_the_default_theme_stands_before_the_packaged_one(tmp_path: Path) -> None:
    """``init`` makes such a copy; changing it changes the mail."""
    shutil.copytree(TEMPLATES / "default", tmp_path / "default")
    path = tmp_path / "default" / "layout.mjml.j2"
    path.write_text(path.read_text().replace("{{ name }}", "My own masthead"))
    theme = load_theme("default", [tmp_path, TEMPLATES])
    assert "My own masthead" in html_of(theme=theme)


@pytest.mark.parametrize(
    ("files", "path", "line", "said", "hint"),
    [
        ({"yaml": "titel: Mine\n"}, "theme.yaml", 1, "unknown key “titel”", "title"),
        ({"yaml": "- a\n"}, "theme.yaml", 1, "key: value", ""),
        ({"yaml": "settings: blue\n"}, "theme.yaml", 1, "settings", ""),
        ({"yaml": "title: [\n"}, "theme.yaml", 2, "not valid YAML", ""),
        ({"yaml": "colours:\n  link: #AA0000\n"}, "theme.yaml", 2, "“link” is empty", "quoted"),
        ({"yaml": 'settings:\n  linkk: "#A00"\n'}, "theme.yaml", 2, "nothing reads the setting “linkk”", "link"),
        ({"note": "a\n{% if %}\n"}, "note.mjml.j2", 2, "cannot be read", ""),
        ({"note": "a\n\n{{ html }\n"}, "note.mjml.j2", 3, "cannot be read", ""),
        ({"notte": "x"}, "notte.mjml.j2", 1, "no block “notte”", "note"),
        ({"inline": "p { margin:0 }\na { color:$lnk }\n"}, "inline.css", 2, "no setting “lnk”", "link"),
        ({"inline": "p { margin:0 }\n\nnonsense\n"}, "inline.css", 3, "not a rule", ""),
        ({"dark": "/* a\n b */\n@media x { p { a: b } }\n"}, "dark.css", 3, "not a rule", "mail.css"),
        ({"mail": "a { color: red }\n@media x {\n a { b: c }\n"}, "mail.css", 2, "{ is never closed", ""),
        ({"mail": "a { content: '{' }\n}\n"}, "mail.css", 2, "} closes nothing", ""),
        ({"note": "<p>\n\U000f0000</p>"}, "note.mjml.j2", 2, "U+F0000", ""),
        ({"mail": "a { color: $start }\n"}, "mail.css", 1, "no setting “start”", ""),
    ],
)
def test_a_problem_in_a_theme_has_its_place(
    tmp_path: Path, files: dict[str, str], path: str, line: int, said: str, hint: str
) -> None:
    """Each file of a theme is checked when it is loaded."""
    problem = faults(tmp_path, **files)[0]
    assert problem.place is not None
    assert problem.place.path.endswith(path)
    assert (problem.place.line, said in problem.message, hint in problem.hint) == (line, True, True)


def test_all_problems_of_a_theme_are_reported_at_once(tmp_path: Path) -> None:
    """Mending one after the other would take as many runs."""
    found = faults(tmp_path, yaml="titel: x\n", note="{% if %}", notte="x")
    assert len(found) == 3


def test_a_theme_may_have_parts_of_its_own(tmp_path: Path) -> None:
    """A name that begins with an underscore is no block."""
    theme = mine(tmp_path, partial="<p>{{ html }}</p>", note='<mj-text>{% include "blocks/_part.mjml.j2" %}</mj-text>')
    assert "<p>A note.</p>" in html_of(Note("", (para("A note."),), at()), theme=theme).replace(' style="margin:0"', "")


def test_a_template_that_is_no_text_is_reported(tmp_path: Path) -> None:
    """Bytes that are not UTF-8."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "layout.mjml.j2").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match=r"layout.mjml.j2:1:1: this is not UTF-8 \(byte 0xFF\)"):
        load_theme("mine", [tmp_path, TEMPLATES])


# -- templates that break when they are used ------------------------------------------


@pytest.mark.parametrize(
    ("template", "line", "said", "excerpt"),
    [
        ("<mj-text>\n  <p>{{ html }}\n</mj-text>", 3, "<p> is opened", "</mj-text>"),
        ("<mj-text>\n  {{ html }}</p>\n</mj-text>", 2, "<mj-text> is opened", "</p>"),
        ("<mj-text><p class=x>{{ html }}</p></mj-text>", 1, "not well-formed", "class=x"),
        ("<mj-text>\n<p>Fish & chips {{ html }}</p></mj-text>", 2, "not well-formed", "Fish &"),
        ("<mj-text>\n<p>{{ html }} a < b</p></mj-text>", 2, "not well-formed", "a < b"),
        ("<mj-text>&nosuch;{{ html }}</mj-text>", 1, "undefined entity", "&nosuch;"),
        ("<mj-text>{{ html }}</mj-text>\nstray words\n", 2, "text cannot stand outside", "stray words"),
        ("{{ html }}", 1, "<p> cannot stand directly in <mj-column>", "{{ html }}"),
        ("<mj-txt>{{ html }}</mj-txt>", 1, "unknown tag <mj-txt>", "<mj-txt>"),
        ("<mj-text>{{ html }}", 1, "<mj-text> is opened", "<mj-text>"),
    ],
)
def test_broken_mjml_names_template_line_block_and_excerpt(template: str, line: int, said: str, excerpt: str) -> None:
    """The engine never sees it, and the author learns which of the blocks shows it."""
    problem = wrong(para("Before."), Note("", (para("A note."),), at(21)), theme=themed(note=template))[0]
    assert problem.place is not None
    assert (problem.place.path, problem.place.line) == ("templates/mine/blocks/note.mjml.j2", line)
    assert said in problem.message
    assert f"{INDEX}:21:1" in problem.message
    assert excerpt in problem.excerpt


def test_lines_that_a_loop_has_moved_are_still_found_in_the_template() -> None:
    """The place is the template's line, not the rendered one."""
    template = "<mj-text>\n{% for i in range(9) %}\n<p>fine</p>\n{% endfor %}\n<p>{{ html }}</i>\n</mj-text>"
    problem = wrong(Note("", (para("A note."),), at(21)), theme=themed(note=template))[0]
    assert problem.place is not None
    assert problem.place.line == 5


@pytest.mark.parametrize(
    ("template", "line", "said"),
    [
        ("<mj-text>\n{{ nosuch }}</mj-text>", 2, "'nosuch' is undefined"),
        ("<mj-text>\n\n{{ block.nosuch.more }}</mj-text>", 3, "nosuch"),
        ("<mj-text>{{ 1 / 0 }}</mj-text>", 1, "division by zero"),
        ("<mj-text>{{ block.__class__.__mro__ }}</mj-text>", 1, "unsafe"),
        ('<mj-text>{% include "nosuch" %}</mj-text>', 1, "no template “nosuch”"),
        ("<mj-text>\n{% if %}</mj-text>", 2, "cannot be read"),
    ],
)
def test_a_template_that_cannot_be_rendered_names_its_line(template: str, line: int, said: str) -> None:
    """A misspelt name is an error, never an empty place; the sandbox lets nothing out."""
    problem = wrong(Note("", (para("A note."),), at(21)), theme=themed(note=template))[0]
    assert problem.place is not None
    assert (problem.place.path, problem.place.line) == ("templates/mine/blocks/note.mjml.j2", line)
    assert said in problem.message


def test_a_template_that_leaves_out_a_column_is_an_error() -> None:
    """The author's words would be lost without a word."""
    template = "<mj-section><mj-column>{{ columns[0] }}</mj-column></mj-section>"
    block = Columns(((para("left"),), (para("right"),)), at(21))
    assert "leaves out 1" in wrong(block, theme=themed(columns=template))[0].message


@pytest.mark.parametrize("layout", ["<p>no</p>", "<mjml></mjml><mjml></mjml>", "<mjml><mj-body></mj-body></mjml>"])
def test_a_layout_must_be_one_document_that_shows_the_body(layout: str) -> None:
    """Anything else gives a mail without its content."""
    problem = wrong(theme=themed(layout=layout.replace("no", "{{ body }}")))[0]
    assert problem.place is not None
    assert problem.place.path == "templates/mine/layout.mjml.j2"


def test_a_block_that_becomes_a_section_stands_between_the_others() -> None:
    """A theme may give any block its own section."""
    section = '<mj-section css-class="mine"><mj-column><mj-text>{{ html }}</mj-text></mj-column></mj-section>'
    html = html_of(para("before"), Note("", (para("inside"),), at()), para("after"), theme=themed(note=section))
    assert html.index("before") < html.index('class="mine"') < html.index("inside") < html.index("after")


def test_a_section_inside_a_column_is_an_error_at_its_template() -> None:
    """The engine would print the tag as it is."""
    section = "<mj-section><mj-column><mj-text>{{ html }}</mj-text></mj-column></mj-section>"
    block = Columns(((Note("", (para("inside"),), at(22)),), (para("b"),)), at(21))
    problem = wrong(block, theme=themed(note=section))[0]
    assert problem.place is not None
    assert problem.place.path == "templates/mine/blocks/note.mjml.j2"
    assert f"{INDEX}:22:1" in problem.message


def test_only_templates_in_use_are_compiled() -> None:
    """Start-up is part of the interface; a broken template that no block needs stops nothing."""
    broken = themed(note="{% if %}")
    assert printed(para("x"), Heading(2, words("y"), "y", at()), Rule(at()), theme=broken).fields[:2] == FIELDS
