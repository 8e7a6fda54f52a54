"""CommonMark, tables, footnotes and code: what the author writes becomes blocks with places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from content.helpers_content import faults, names_of, outline, photo, read, wrong
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.content.issue import load_issue
from newsletter.errors import BadInput
from newsletter.model import Figure, Heading, Link, Paragraph, Table, Text

if TYPE_CHECKING:
    from support import Workspace

    from newsletter.model import Place


def text(words: str) -> tuple[str, str]:
    """The outline of plain words."""
    return ("Text", words)


def para(*inlines: object) -> tuple[object, ...]:
    """The outline of a paragraph."""
    return ("Paragraph", inlines)


BLOCKS = {
    "paragraph": (
        "a\nb  \nc\\\nd\n",
        (para(text("a"), ("Break", False), text("b"), ("Break", True), text("c"), ("Break", True), text("d")),),
    ),
    "styles": (
        "*a **b*** ~~c~~ `d`",
        (
            para(
                ("Styled", "em", (text("a "), ("Styled", "strong", (text("b"),), "")), ""),
                text(" "),
                ("Styled", "s", (text("c"),), ""),
                text(" "),
                ("Code", "d"),
            ),
        ),
    ),
    "link": (
        '[a *b*](https://example.org/ü?x=1&amp;y "T")',
        (para(("Link", "https://example.org/%C3%BC?x=1&y", (text("a "), ("Styled", "em", (text("b"),), "")), "T")),),
    ),
    "autolink": (
        "<https://example.org/a_b> <a@example.org>",
        (
            para(
                ("Link", "https://example.org/a_b", (text("https://example.org/a_b"),), ""),
                text(" "),
                ("Link", "mailto:a@example.org", (text("a@example.org"),), ""),
            ),
        ),
    ),
    "international host": (
        "[a](https://bücher.example/)",
        (para(("Link", "https://xn--bcher-kva.example/", (text("a"),), "")),),
    ),
    "entities and escapes": ("&copy; \\*a\\* &#228; \\[^1]", (para(text("© *a* ä [^1]")),)),
    "headings": (
        "# A\n\nB\n===\n\n### A\n\n#\n",
        (
            ("Heading", 1, (text("A"),), "a"),
            ("Heading", 1, (text("B"),), "b"),
            ("Heading", 3, (text("A"),), "a-2"),
            ("Heading", 1, (), "section"),
        ),
    ),
    "own anchor": (
        "## Über *uns* {#About_us}\n\n## Grüße\n",
        (
            ("Heading", 2, (text("Über "), ("Styled", "em", (text("uns"),), "")), "About_us"),
            ("Heading", 2, (text("Grüße"),), "grusse"),
        ),
    ),
    "tight list": (
        "- a\n- b\n  1. c\n",
        (
            (
                "ListBlock",
                False,
                1,
                ((para(text("a")),), (para(text("b")), ("ListBlock", True, 1, ((para(text("c")),),), True))),
                True,
            ),
        ),
    ),
    "loose list": ("3. a\n\n4. b\n", (("ListBlock", True, 3, ((para(text("a")),), (para(text("b")),)), False),)),
    "quote": ("> a\n>\n> b\n", (("Quote", (para(text("a")), para(text("b")))),)),
    "rule": ("a\n\n---\n\nb", (para(text("a")), ("Rule",), para(text("b")))),
    "fence": ("```python title=x\na = 1\n\nb\n```\n", (("CodeBlock", "a = 1\n\nb", "python"),)),
    "indented code": ("    a\n      b\n", (("CodeBlock", "a\n  b", ""),)),
    "table": (
        "| a | *b* | c |\n|---|:-:|--:|\n| 1 | 2 \\| 3 |\n",
        (
            (
                "Table",
                ((text("a"),), (("Styled", "em", (text("b"),), ""),), (text("c"),)),
                (((text("1"),), (text("2 | 3"),), ()),),
                ("", "center", "right"),
            ),
        ),
    ),
    "footnotes": (
        "a[^x] b[^y] c[^x]\n\n[^y]: Two.\n[^x]: One *and*\n    more.\n",
        (para(text("a"), ("NoteRef", 1, 1), text(" b"), ("NoteRef", 2, 1), text(" c"), ("NoteRef", 1, 2)),),
    ),
    "quotes stay in code": ('"a" `"b"`', (para(text("“a” "), ("Code", '"b"')),)),
    "no other replacements": ("(c) -- ... +-", (para(text("(c) -- ... +-")),)),
    "right to left": ("مرحبا 😀 שלום", (para(text("مرحبا 😀 שלום")),)),
}


@pytest.mark.parametrize(("body", "expected"), BLOCKS.values(), ids=BLOCKS.keys())
def test_markdown_becomes_blocks(workspace: Workspace, body: str, expected: object) -> None:
    """One construct each."""
    assert outline(read(workspace, body).blocks) == expected


def test_footnotes_come_in_reading_order_with_their_uses(workspace: Workspace) -> None:
    """Also those written in the line, and those that stand in other notes or in a container."""
    issue = read(
        workspace, "a^[In *line*] b[^x]\n\n::: note\nc[^x]\n\n[^x]: One[^z].\n:::\n\n[^z]: Last.\n\n    - a list\n"
    )
    assert [outline(note) for note in issue.footnotes] == [
        ("Footnote", 1, (para(text("In "), ("Styled", "em", (text("line"),), "")),), 1),
        ("Footnote", 2, (para(text("One"), ("NoteRef", 3, 1), text(".")),), 2),
        ("Footnote", 3, (para(text("Last.")), ("ListBlock", False, 1, ((para(text("a list")),),), True)), 1),
    ]


def test_an_image_alone_in_its_paragraph_is_a_figure(workspace: Workspace) -> None:
    """Its title is the caption, with Markdown; a link around it stays."""
    workspace.write("issues/2026-11-23-hello/a b.jpg", photo(1600, 1000))
    workspace.write("issues/2026-11-23-hello/small.jpg", photo(300, 200))
    issue = read(
        workspace,
        '![A *view*](<a b.jpg> "Seen from *here*")\n\n[![B](small.jpg)](https://example.org)\n\n![C](a%20b.jpg){width=200}\n',
    )
    assert outline(issue.blocks) == (
        ("Figure", "*.jpg", "A view", (text("Seen from "), ("Styled", "em", (text("here"),), "")), "", 536, ""),
        ("Figure", "*.jpg", "B", (), "", 300, "https://example.org"),
        ("Figure", "*.jpg", "C", (), "", 200, ""),
    )
    assert [(p.width, p.height) for p in issue.pictures] == [(1072, 670), (300, 188 + 12), (400, 250)]


def test_an_image_in_running_text_stays_there(workspace: Workspace) -> None:
    """With the width it asks for, else its own."""
    workspace.write("issues/2026-11-23-hello/i.png", photo(40, 40))
    issue = read(workspace, "a ![b](i.png) c ![](i.png){width=20}\n")
    assert outline(issue.blocks) == (
        para(text("a "), ("InlineImage", "*.jpg", "b", 40), text(" c "), ("InlineImage", "*.jpg", "", 20)),
    )


def test_the_same_picture_is_kept_once(workspace: Workspace) -> None:
    """However often it is shown at one size."""
    workspace.write("issues/2026-11-23-hello/a.jpg", photo())
    issue = read(workspace, "![a](a.jpg)\n\n![b](a.jpg)\n\n![c](a.jpg){width=100}\n")
    names = [block.picture.name for block in issue.blocks if isinstance(block, Figure)]
    assert (names[0] == names[1], names[0] == names[2]) == (True, False)
    assert [picture.name for picture in issue.pictures] == [names[0], names[2]]


def test_every_block_and_link_knows_its_place(workspace: Workspace) -> None:
    """Also inside lists, quotes, tables and emphasis, and behind fields."""
    body = "\n# A\n\n- b\n  [c](https://example.org/c)\n\n> d {{ x }}\n> *[e](https://example.org/e)*\n\n| f | g |\n|---|---|\n| h | [i](https://example.org/i) |\n"
    issue = read(workspace, body)
    assert [(block.place.line - 6, block.place.col) for block in issue.blocks] == [(2, 1), (4, 1), (7, 1), (10, 1)]
    found = []

    def walk(value: object) -> None:
        if isinstance(value, Link):
            found.append((value.place.line - 6, value.place.col))
        names = names_of(value)
        for each in (getattr(value, name) for name in names) if names else value if isinstance(value, tuple) else ():
            walk(each)

    walk(issue.blocks)
    assert found == [(5, 3), (8, 4), (12, 7)]
    assert isinstance(issue.blocks[0], Heading)
    assert isinstance(issue.blocks[3], Table)


BAD = {
    "javascript": ("a [b](javascript:alert(1))", ["1:3 links of the kind “javascript:” are not allowed in mail"]),
    "in capitals": ("[b](JavaScript:x)", ["1:1 links of the kind “JavaScript:” are not allowed in mail"]),
    "as an entity": ("[b](&#106;avascript:x)", ["1:1 links of the kind “javascript:” are not allowed in mail"]),
    "with a tab": ("[b](<java\tscript:x>)", []),
    "vbscript": ("<vbscript:x>", ["1:1 links of the kind “vbscript:” are not allowed in mail"]),
    "data": ("[b](data:text/html,x)", ["1:1 links of the kind “data:” are not allowed in mail"]),
    "file": ("[b][r]\n\n[r]: file:///etc/passwd", ["1:1 links of the kind “file:” are not allowed in mail"]),
    "unknown scheme": ("[b](ftp://example.org)", ["1:1 links of the kind “ftp:” are not allowed in mail"]),
    "no host": ("[b](https:///x) [c](http:x)", ["1:1 this link has no host", "1:17 this link has no host"]),
    "form feed": ("a&#12;b", ["1:2 this character (&#12;) may not stand here"]),
    "NUL": ("a\0b", ["1:2 this character (U+0000) may not stand here"]),
    "forged mark": (
        "a \U000f0000\U000f0100 &#xF0000;&#983296;",
        [
            "1:3 this character (U+F0000) may not stand here",
            "1:4 this character (U+F0100) may not stand here",
            "1:6 this character (&#xF0000;) may not stand here",
            "1:15 this character (&#983296;) may not stand here",
        ],
    ),
    "undefined footnote": ("a[^1] [^2]", ["1:2 there is no footnote “1” here", "1:7 there is no footnote “2” here"]),
    "unused footnote": ("a\n\n[^1]: b", ["3:1 nothing refers to the footnote “1”"]),
    "footnote twice": ("a[^1]\n\n[^1]: b\n\n[^1]: c", ["5:1 the footnote “1” is already defined on line 9"]),
    "empty footnote": ("a[^1]\n\n[^1]:\n", ["3:1 the footnote “1” is empty"]),
    "footnote in caption": (
        '![a](a.jpg "b[^1]")\n',
        ["1:1 the picture “a.jpg” is missing", "1:1 there is no footnote “1” here"],
    ),
    "code never closed": ("a\n\n```python\nb\n", ["3:1 this code block is never closed"]),
    "code closed too short": ("````\nb\n```\n", ["1:1 this code block is never closed"]),
    "only a fence": ("```", ["1:1 this code block is never closed"]),
    "too many cells": ("| a | b |\n|---|---|\n| 1 | 2 | 3 |\n", ["3:1 this row has 3 cells, and the table 2 columns"]),
    "anchor twice": ("# a {#x}\n\n# b {#x}\n", ["3:1 the anchor “x” is already taken by another heading"]),
    "picture without file": ("![a]()", ["1:1 this picture names no file"]),
    "picture option": (
        "x ![a](b.jpg){widht=20}",
        ["1:3 the picture “b.jpg” is missing", "1:15 a picture has no option “widht”"],
    ),
    "picture options": (
        "x ![a](b.jpg){.left}",
        ["1:3 the picture “b.jpg” is missing", '1:15 options are written key=value or key="some words"'],
    ),
    "picture width": ("![a](b.jpg){width=9999}", ["1:1 the picture “b.jpg” is missing", "1:19 “9999” is not a width"]),
    "lists too deep": ("- " * 40 + "a", ["1:1 this is nested more than 12 deep"]),
    "quotes too deep": (">" * 100 + "a", ["1:1 this is nested more than 12 deep"]),
    "styles too deep": ("*a _b " * 20 + "_c* " * 20, ["1:1 styles and links are nested more than 12 deep here"]),
}


@pytest.mark.parametrize(("body", "expected"), BAD.values(), ids=BAD.keys())
def test_mistakes_in_the_body_are_reported_at_their_places(
    workspace: Workspace, body: str, expected: list[str]
) -> None:
    """Nothing the author wrote is lost in silence."""
    if expected:
        found = wrong(workspace, body)
        assert [each.partition(" ")[2] for each in found] == [each.partition(" ")[2] for each in expected]
        assert found == expected
    else:
        assert read(workspace, body)


def test_a_table_may_have_rows_in_quotes_and_lists(workspace: Workspace) -> None:
    """The edges of a quote are no cells."""
    issue = read(
        workspace,
        "> | a | b |\n> |---|---|\n> | 1 | 2 |\n\n- | a | b |\n  |---|---|\n  | 1 | `x \\| y` |\n\na | b\n--|--\n1 | 2\n",
    )
    assert len(issue.blocks) == 3


def test_a_text_in_latin_1_is_refused_whole(workspace: Workspace) -> None:
    """With the place of the first wrong byte."""
    folder = workspace.issue("")
    workspace.write("issues/2026-11-23-hello/index.md", "---\nid: abc-123\ntitle: A\n---\nÄrger\n".encode("latin-1"))
    (problem,) = faults(workspace, folder)
    assert str(problem.place).endswith(":5:1")


def test_a_mark_cannot_be_forged_through_two_layers_of_entities(workspace: Workspace) -> None:
    """A caption is read twice; nothing in it stands for a field that is not there."""
    workspace.write("issues/2026-11-23-hello/a.jpg", SMALL)
    (figure,) = read(workspace, '![a](a.jpg "b &amp;#xF0000;&amp;#xF0105; c")').blocks
    assert isinstance(figure, Figure)
    assert figure.caption == (Text("b \ufffd c"),)


def test_an_empty_body_is_an_empty_issue(workspace: Workspace) -> None:
    """Whether that is wise is for the pre-flight to say."""
    assert read(workspace, "").blocks == ()
    assert read(workspace, "\n<!-- later -->\n\n[r]: https://example.org\n").blocks == ()


# -- properties -----------------------------------------------------------------------

FRAGMENTS = (
    "{{ first_name }}", "{{", "}}", "\\{{", '{{ x | default("a") }}', "{{ 7*7 }}", "`", "```\n", "~~~", ":::", "::::", ":::: columns\n", "::: column\n",
    "::: note Title\n", '::: quote {source="A"}\n', "::: figure {width=inset}\n", "![a](a.jpg)", '![a](a.jpg "c *x*"){width=30}', "![a](", "[x](https://e.org/",
    "[^1]", "[^1]: note\n", "^[inline]", "\n\n", "\n", "    ", "> ", "- ", "1. ", "*", "**", "_", "~~", "<b>", "</b>", "<br>", "<div>", "</div>", "<!--", "-->",
    "&amp;", "\\", "| a | b |\n|---|---|\n| 1 | 2 |\n", "# ", "## H {#x}\n", "===\n", "---\n", '"', "'", "word", "é", "\u202e", "\U000f0000", "\0", "\u2028", "\t",
    "::: mjml\n<mj-text>{{ a }}</mj-text>\n:::\n", "::: when x\n", ":::: cards\n", '::: card {title="t"}\n', '::: button {href="https://e.org/?{{ a }}"}\nGo\n:::\n',
    "[r]: https://e.org/{{ x }}\n", "[r]", "<https://e.org/{{ x }}>", "[{{ x }}](mailto:{{ email }})", "::: contents\n:::\n", "(", ")", "[", "]", "!",
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(st.text(), st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=25).map("".join))
)
def test_any_body_loads_or_is_refused_with_places(workspace: Workspace, body: str) -> None:
    """No other error, and every problem has a place in the issue's folder."""
    if any("\ud800" <= char <= "\udfff" for char in body):
        return
    folder = workspace.issue(body)
    workspace.write("issues/2026-11-23-hello/a.jpg", SMALL)
    places: list[Place | None] = []
    try:
        places = [block.place for block in load_issue(folder, workspace.config()).blocks]
    except BadInput as error:
        places = [problem.place for problem in error.problems]
    assert all(place and place.path.endswith("index.md") and place.line >= 7 for place in places)


SMALL = photo(20, 20)


def test_paragraphs_are_paragraphs(workspace: Workspace) -> None:
    """Reading is stable: the same text gives the same issue."""
    first, second = (read(workspace, "a *b* {{ c }}\n\n- d\n") for _ in range(2))
    assert first == second
    assert isinstance(first.blocks[0], Paragraph)
