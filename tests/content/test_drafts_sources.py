"""HTML, Markdown, feeds, encodings and pictures: what comes along, and what is left out and named."""

from __future__ import annotations

import base64
import codecs
import re
from typing import TYPE_CHECKING

import pytest
from content.helpers_content import encoded, photograph
from content.helpers_drafts import SAMPLES, body_of, bring, front_of
from PIL import Image

from newsletter.content.drafts import decode, digest, feed, xml
from newsletter.content.issue import load_issue
from newsletter.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from support import Workspace

PNG = encoded(Image.new("RGB", (30, 20), (10, 90, 120)), "PNG")
EVIL = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '<a href="javascript:alert(1)">x</a>', "<svg onload=alert(1)>",
    '<iframe src="javascript:alert(1)"></iframe>', '<a href="data:text/html,<script>1</script>">x</a>', "<style>*{}</style>",
    '<object data="x.swf"></object>', '<p onclick="a()" style="background:url(javascript:1)">x</p>', '<math><mi xlink:href="data:x">',
    '<form action="https://evil.example"><input name=p></form>', '<base href="javascript:">', "<meta http-equiv=refresh content=0>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">', "<!--><img src=x onerror=alert(1)>-->", "<template><script>x</script>",
    '<a href="java\nscript:alert(1)">x</a>', '<a href=" &#106;avascript:alert(1)">x</a>', "<plaintext>", "<textarea></textarea>",
)  # fmt: skip


def page(workspace: Workspace, html: str) -> str:
    """The body of an HTML draft below a title; it must load."""
    made = bring(workspace, f"<h1>T</h1>{html}", "html")
    load_issue(made.path.parent, workspace.config())
    return body_of(made)


# -- HTML ---------------------------------------------------------------------------------


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_of_a_script_comes_into_the_draft(workspace: Workspace, evil: str) -> None:
    """Outside of comments no tag, scheme or handler is left, and what was left out is named."""
    made = page(workspace, f"<p>before</p>{evil}<p>after</p>")
    visible = "".join(part.partition("-->")[2] if index else part for index, part in enumerate(made.split("<!--")))
    assert "before" in visible
    for word in ("alert", "javascript:", "onerror", "onclick", "evil.example"):
        assert word not in visible, visible
    assert not re.search(r"(?<!\\)<", visible)
    if evil.startswith(("<script", "<a", "<iframe", "<object", "<form", "<p ")):
        assert "Left out" in made


def test_blocks_in_links_and_styles_keep_both(workspace: Workspace) -> None:
    """HTML5 lets a link hold a heading; every block in it becomes one."""
    made = page(
        workspace, '<a href="https://example.org"><h3>Head</h3><p>Words <b>bold</b></p></a><b><p>One</p><p>Two</p></b>'
    )
    assert made == ("## [Head](https://example.org)\n\n[Words **bold**](https://example.org)\n\n**One**\n\n**Two**")


def test_layout_tables_become_their_cells_and_data_tables_stay(workspace: Workspace) -> None:
    """By their role, by what stands in them, and by their width."""
    assert page(workspace, '<table role="presentation"><tr><td>a</td><td>b</td></tr></table>') == "a\n\nb"
    assert page(workspace, "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>") == (
        "|  |  |\n| --- | --- |\n| a | b |\n| c |  |"
    )


def test_relative_links_need_to_know_where_the_page_stood(workspace: Workspace) -> None:
    """With a canonical address they are resolved; without one the words stay and the address is named."""
    bare = page(workspace, '<p><a href="/about">About</a> <a href="#x">here</a></p>')
    assert bare.endswith("\n\nAbout here")
    assert "/about" in bare
    head = '<html><head><link rel="canonical" href="https://example.org/a/b"></head><body>'
    made = bring(workspace, f'{head}<h1>T</h1><p><a href="../about">About</a></p>', "html")
    assert body_of(made) == "[About](https://example.org/about)"
    assert 'canonical_url: "https://example.org/a/b"' in front_of(made)


def test_deep_nesting_is_made_flat(workspace: Workspace) -> None:
    """Nothing of it is lost, and the issue can be read."""
    for tag in ("div", "blockquote", "ul><li", "b", "span", "table><tr><td"):
        ends = "".join(f"</{name}>" for name in reversed(tag.split("><")))
        assert "core" in page(workspace, f"<{tag}>" * 400 + "core" + ends * 400)


# -- Markdown -----------------------------------------------------------------------------


def test_front_matter_of_others_is_understood(workspace: Workspace) -> None:
    """What has a place here goes there; the rest is told in a comment."""
    made = bring(
        workspace,
        "---\ntitle: 'A: title'\nsubtitle: The dek\nauthor:\n  name: Ada\nlang: de\nlayout: post\n---\n\nText {{ x }}\n",
        "markdown",
    )
    assert {'title: "A: title"', 'dek: "The dek"', 'authors: ["Ada"]', 'lang: "de"'} <= set(front_of(made))
    assert body_of(made) == "<!-- The source's front matter says, too:\nlayout: post -->\n\nText \\{{ x }}"


# -- encodings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "guessed"),
    [
        ("Grüße “x”".encode(), ""),
        (codecs.BOM_UTF8 + "Grüße “x”".encode(), ""),
        ("Grüße “x”".encode("utf-16"), ""),
        (b'<meta charset="iso-8859-1">' + "Grüße “x”".encode("cp1252"), ""),
        (b'<?xml version="1.0" encoding="windows-1252"?>' + "Grüße “x”".encode("cp1252"), ""),
        ("Viele Grüße, “x” und noch mehr Text".encode("cp1252"), "windows-1252"),
    ],
)
def test_a_source_s_encoding_is_found(raw: bytes, guessed: str) -> None:
    """By its BOM, by what it says, by UTF-8, and else as a guess that is told."""
    source = decode.decode(raw, "x")
    assert "Grüße" in source.text
    assert "“x”" in source.text
    assert source.guessed == guessed


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("# Head\n\n## Another", "-", "markdown"), ("Just words.", "-", "text"), ("# Head", "a.txt", "text"), ("words", "a.md", "markdown"),
        ("<p>a</p><p>b</p>", "-", "html"), ("<!doctype html><p>", "a.txt", "html"), ('<?xml version="1.0"?>\n<rss>', "a.txt", "feed"),
        ('<feed xmlns="x">', "-", "feed"), ("a < b and c > d", "-", "text"), ("---\ntitle: x\n---\ny", "-", "markdown"),
    ],
)  # fmt: skip
def test_a_source_s_kind_is_told(text: str, name: str, kind: str) -> None:
    """By what stands in it where that is plain, else by its name, else by its signs."""
    assert decode.kind_of(text, name) == kind


# -- feeds --------------------------------------------------------------------------------


def test_rss_and_atom_are_read(workspace: Workspace) -> None:
    """Titles, addresses, dates, authors and texts, whatever they are wrapped in."""
    rss = feed.read(decode.decode((SAMPLES / "feed.rss").read_bytes(), "feed.rss").text, "feed.rss")
    assert [each.title for each in rss.entries] == ["Gale & calm", "New lamp", "", "Old news"]
    assert rss.entries[1].url == "https://news.example.org/lamp"
    assert rss.entries[0].author == "Ada Moreno"
    assert [each.date is None for each in rss.entries] == [False, False, True, False]
    assert "café" in rss.entries[3].text
    atom = bring(workspace, (SAMPLES / "feed.atom").read_bytes(), name="feed.atom")
    assert body_of(atom) == (
        "## [On rulers](https://atom.example.org/rulers)\n\n<!-- From the feed: 2026-11-24, Jonas Lind -->\n\n"
        "A ruler is *straight* until it’s **dropped**.\n\n- wood\n- steel & brass\n\n"
        "## [On erasers](https://atom.example.org/erasers)\n\n<!-- From the feed: 2026-11-20 -->\n\nWe own none."
    )


def test_footnotes_of_two_entries_keep_apart(workspace: Workspace) -> None:
    """Both call theirs fn1."""
    entry = '&lt;p&gt;{0}&lt;a id="r" href="#fn"&gt;1&lt;/a&gt;&lt;/p&gt;&lt;ol&gt;&lt;li id="fn"&gt;Note {0} &lt;a href="#r"&gt;^&lt;/a&gt;&lt;/li&gt;&lt;/ol&gt;'
    items = "".join(f"<item><title>{x}</title><description>{entry.format(x)}</description></item>" for x in "AB")
    made = bring(workspace, f"<rss><channel><title>T</title>{items}</channel></rss>", "feed")
    load_issue(made.path.parent, workspace.config())
    assert body_of(made).endswith("[^1-1]: Note A\n\n[^2-1]: Note B")


@pytest.mark.parametrize(
    ("text", "found"), [("1,3-5", (0, 2, 3, 4)), ("all", tuple(range(9))), (" 2 , 2,1", (1, 0)), ("9", (8,))]
)
def test_entries_are_picked_by_numbers_and_ranges(text: str, found: tuple[int, ...]) -> None:
    """In the order in which they were named, each once."""
    assert digest.picked(text, 9) == found


@pytest.mark.parametrize("text", ["", "0", "10", "3-1", "x", "1-", "-1", "1;2", "999999999999"])
def test_a_pick_that_names_nothing_is_refused(text: str) -> None:
    """With the count, and an example."""
    with pytest.raises(BadInput, match="1,3-5"):
        digest.picked(text, 9)


def test_xml_is_mended_where_feeds_are_careless_and_refused_where_they_are_not() -> None:
    """HTML's entities and bare ampersands are common; entities of one's own are an attack."""
    assert xml.parse("<a>x &nbsp; y & z &hellip; <![CDATA[&nbsp;]]></a>").text == "x \u00a0 y & z … &nbsp;"
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
    outside = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    for text in (bomb, outside, "<a>", "", "<a/><b/>", "<a>" * 500 + "</a>" * 500):
        with pytest.raises(xml.Unreadable):
            xml.parse(text)


# -- pictures -----------------------------------------------------------------------------


def test_pictures_beside_the_source_go_along(workspace: Workspace) -> None:
    """Once each, under a plain name of their own, also when the page was saved from the web."""
    workspace.write("Page_files/A b%.png", PNG)
    workspace.write("Page_files/A b.JPG", encoded(photograph(40, 30), "JPEG"))
    base = '<html><head><base href="https://example.org/x/"></head><body>'
    made = bring(
        workspace,
        f'{base}<h1>T</h1><p><img src="Page_files/A b%25.png" alt="One"></p><p>x <img src="Page_files/A%20b.JPG" alt="Two"> y</p>'
        '<p><img src="Page_files/A b%.png" alt="Again"></p>',
        "html",
    )
    assert body_of(made) == "![One](a-b.png)\n\nx ![Two](a-b.jpg) y\n\n![Again](a-b.png)"
    assert (made.path.parent / "a-b.png").read_bytes() == PNG
    load_issue(made.path.parent, workspace.config())


def test_a_picture_in_the_source_itself_is_unpacked(workspace: Workspace) -> None:
    """A data: URI, in base64 or not; one that is damaged is named."""
    made = page(workspace, f'<p><img alt="Dot" src="data:image/png;base64,{base64.b64encode(PNG).decode()}"></p>')
    assert made == "![Dot](picture.png)"
    assert "left out" in page(workspace, '<p>x<img alt="Dot" src="data:image/png;base64,!!!"></p>')


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("../secret.png", "outside the source's folder"), ("/etc/passwd", "no path beside"), ("file:///etc/passwd", "no path beside"),
        ("gone.png", "is missing"), ("words.png", "is not a picture"), ("link.png", "outside the source's folder"),
        ("https://example.org/far.png", "on another server"), ("//example.org/far.png", "on another server"),
    ],
)  # fmt: skip
def test_other_pictures_are_named_and_leave_their_words(
    workspace: Workspace, tmp_path: Path, source: str, told: str
) -> None:
    """A link where there is something to link to; no file from elsewhere on this machine."""
    (tmp_path.parent / "secret.png").write_bytes(PNG)
    workspace.write("words.png", "only words")
    (workspace.root / "link.png").symlink_to(tmp_path.parent / "secret.png")
    made = page(workspace, f'<figure><img src="{source}" alt="The pier"><figcaption>At night</figcaption></figure>')
    assert told in made
    link = "[The pier](https://example.org/far.png)" if "example.org" in source else "The pier"
    assert made.endswith(f"{link}\n\nAt night")
