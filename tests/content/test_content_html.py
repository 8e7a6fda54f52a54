"""HTML in Markdown: a small set passes, well-formed; all the rest is said to be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from content.helpers_content import outline, read, wrong
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.content.issue import load_issue
from newsletter.errors import BadInput
from newsletter.model import Paragraph, RawHtml, Styled

if TYPE_CHECKING:
    from support import Workspace

INLINE = {
    "strong": ("<b>a</b>", (("Styled", "strong", (("Text", "a"),), ""),)),
    "nested": (
        "<u>a *b <sub>c</sub>*</u>",
        (
            (
                "Styled",
                "u",
                (("Text", "a "), ("Styled", "em", (("Text", "b "), ("Styled", "sub", (("Text", "c"),), "")), "")),
                "",
            ),
        ),
    ),
    "break": ("a<br>b<BR/>c", (("Text", "a"), ("Break", True), ("Text", "b"), ("Break", True), ("Text", "c"))),
    "abbreviation": (
        "x <abbr title='A &amp; B'>AB</abbr>",
        (("Text", "x "), ("Styled", "abbr", (("Text", "AB"),), "A & B")),
    ),
    "capitals": ("<SUP>2</SUP>", (("Styled", "sup", (("Text", "2"),), ""),)),
    "comment": ("a<!-- b -->c", (("Text", "ac"),)),
    "no tag": ("a < b > c, 1<2", (("Text", "a < b > c, 1<2"),)),
}


@pytest.mark.parametrize(("body", "expected"), INLINE.values(), ids=INLINE.keys())
def test_inline_tags_become_styles(workspace: Workspace, body: str, expected: object) -> None:
    """And comments nothing."""
    assert outline(read(workspace, body).blocks) == (("Paragraph", expected),)


@pytest.mark.parametrize(
    "name",
    ["strong", "em", "s", "sub", "sup", "mark", "u", "small", "kbd", "ins", "del", "abbr", "cite", "q", "var", "samp"],
)
def test_every_style_of_the_model_has_its_tag(workspace: Workspace, name: str) -> None:
    """The tag's name is the style's."""
    (block,) = read(workspace, f"a <{name}>b</{name}>").blocks
    assert isinstance(block, Paragraph)
    assert isinstance(block.children[1], Styled)
    assert block.children[1].style == name


BLOCKS = {
    "table": (
        '<table>\n<tr><td colspan="2">A &amp; B&nbsp;C<br>D</td></tr>\n</table>',
        '<table>\n<tbody><tr><td colspan="2">A &amp; B&#160;C<br/>D</td></tr>\n</tbody></table>',
    ),
    "link": (
        '<p><a href="https://example.org/?a=1&amp;b" title="T">A</a></p>',
        '<p><a href="https://example.org/?a=1&amp;b" title="T">A</a></p>',
    ),
    "rule": ("<hr>", "<hr/>"),
    "unquoted": ("<div lang=de dir='rtl'>a</div>", '<div lang="de" dir="rtl">a</div>'),
    "comment in it": ("<div>a<!-- <script> -->b</div>", "<div>ab</div>"),
}


@pytest.mark.parametrize(("body", "expected"), BLOCKS.values(), ids=BLOCKS.keys())
def test_blocks_of_html_are_made_well_formed(workspace: Workspace, body: str, expected: str) -> None:
    """As XML, because MJML is."""
    (block,) = read(workspace, body).blocks
    assert isinstance(block, RawHtml)
    assert block.html == expected
    ET.fromstring(f"<x>{block.html}</x>")


BAD = {
    "script": ("a\n\n<script>alert(1)</script>\n", ["3:1 the HTML tag <script> cannot stand in a mail's text"]),
    "script in text": ("a <script>b</script>", ["1:3 the HTML tag <script> cannot stand in a text"]),
    "style": ("<style>p{}</style>", ["1:1 the HTML tag <style> cannot stand in a mail's text"]),
    "frame": (
        '<iframe src="https://example.org"></iframe>',
        ["1:1 the HTML tag <iframe> cannot stand in a mail's text"],
    ),
    "picture": ('a <img src="a.jpg">', ["1:3 the HTML tag <img> cannot stand in a text"]),
    "link in text": ('a <a href="https://example.org">b</a>', ["1:3 the HTML tag <a> cannot stand in a text"]),
    "handler": ('<div\n onclick="x()">a</div>', ["2:2 the attribute “onclick” cannot stand in <div>"]),
    "style attribute": (
        '<p style="color:red" class=x>a</p>',
        ["1:4 the attribute “style” cannot stand in <p>", "1:22 the attribute “class” cannot stand in <p>"],
    ),
    "attribute in text": ('a <sub class="x">b</sub>', ["1:3 the attribute “class” cannot stand in <sub>"]),
    "javascript": (
        '<div><a href="java&#10;script:x">a</a></div>',
        ["1:9 links of the kind “javascript:” are not allowed in mail"],
    ),
    "in an unquoted attribute": (
        "<div><a href=javascript:x>a</a></div>",
        ["1:9 links of the kind “javascript:” are not allowed in mail"],
    ),
    "never closed": ("a <b>b", ["1:3 <b> is never closed in its paragraph"]),
    "never opened": ("a b</b>", ["1:4 </b> closes nothing here"]),
    "crossing": ("*a <b>b* c</b>", ["1:4 <b> is never closed in its paragraph", "1:11 </b> closes nothing here"]),
    "over paragraphs": (
        "<div>\n\n*a*\n\n</div>",
        ["1:1 <div> is never closed in its block", "5:1 </div> closes nothing here"],
    ),
    "block out of order": ("<div><p>a</div></p>", ["1:10 </div> closes nothing here"]),
    "comment never closed": ("a\n\n<!-- b\n\nc", ["3:1 this comment is never closed"]),
    "instruction": ("a <?php b ?>", ["1:3 “<?php b ?>” is not HTML that mail can hold"]),
    "doctype": ("<!DOCTYPE html>", ["1:1 this is not HTML that mail can hold"]),
    "CDATA": ("a <![CDATA[b]]>", ["1:3 “<![CDATA[b]]>” is not HTML that mail can hold"]),
    "broken": ("<div <p>a</div>", ["1:1 this is not HTML that mail can hold", "1:10 </div> closes nothing here"]),
    "deep": ("<div>" * 40 + "a" + "</div>" * 40, ["1:121 HTML tags are nested more than 24 deep here"]),
    "in a list": ("- a\n\n  <p onload=x>b</p>", ["3:6 the attribute “onload” cannot stand in <p>"]),
}


@pytest.mark.parametrize(("body", "expected"), BAD.values(), ids=BAD.keys())
def test_everything_else_is_an_error_and_never_dropped_in_silence(
    workspace: Workspace, body: str, expected: list[str]
) -> None:
    """With its place and a hint."""
    assert wrong(workspace, body) == expected


PIECES = st.sampled_from(
    ["<div>", "</div>", "<p", ">", "<b>", "</b>", "<a href=", '"', "'", "javascript:", "https://e.org", "<table>", "<td>", "<tr>", "</table>", "<br>", "<hr/>", "&", "&lt;", "&nbsp;", "<", "/>", "x", " ", "\n", "=", "<!--", "-->", "<svg>", "<math>", "<style>", "onx=", "{{ a }}"],
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=14).map(lambda parts: "<div>" + "".join(parts) + "</div>"))
def test_whatever_passes_is_well_formed_and_harmless(workspace: Workspace, body: str) -> None:
    """No script, no handler, no other scheme, for any mixture of tags."""
    try:
        issue = load_issue(workspace.issue(body), workspace.config())
    except BadInput:
        return
    for block in issue.blocks:
        if isinstance(block, RawHtml):
            for element in ET.fromstring(f"<x>{block.html}</x>").iter():
                assert element.tag not in {"script", "style", "svg", "math"}
                assert not [key for key in element.attrib if key.startswith("on")]
                assert not element.get("href", "").lower().startswith("javascript")
