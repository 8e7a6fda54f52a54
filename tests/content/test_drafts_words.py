"""The proof of the import: the words of the source are the words of the text part that is built."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

import pytest
from content.helpers_content import encoded, photograph
from content.helpers_drafts import SAMPLES, bring, html_words, same_words, shown_words, text_part, words
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.check.rules import preflight
from newsletter.cli import wiring
from newsletter.model import Severity

if TYPE_CHECKING:
    from support import Workspace

    from newsletter.content.drafts.importing import Imported

TOKENS = (
    "water", "The", "tide", "is", "not", "a", "clock.", "Marit", "says:", "“no”", "don't", "*star*", "_under_", "[ref]",
    "[x](y)", "![a](b)", "{{ name }}", "{{", "}}", ":::", "---", "#1", "##", ">", "1.", "2)", "`tick`", "~~gone~~", "|",
    "a|b", "<b>bold</b>", "<script>", "&amp;", "&#12;", "\\", "\\*", "http://example.org/a_b?c=d&e", "x@example.org",
    "www.example.org", "(see", "below)", "!", "[^1]", "^[x]", "字", "مرحبا", "🙂", "naïve", "3*4*5", "snake_case_name",
)  # fmt: skip
HTML = (
    "<b>", "</b>", "<i>", "</i>", "<p>", "</p>", "<div>", "</div>", "<ul><li>", "</li></ul>", "<h2>", "</h2>", "<br>", "<code>",
    "</code>", "<a href='https://example.org/x'>", "</a>", "<blockquote>", "</blockquote>", "<span>", "</span>", "&lt;", "&amp;",
    "&#65;", "<sup>", "</sup>", "<ol><li>", "</li></ol>", " ", "<script>evil()</script>", "<!-- c -->", "<u>", "</u>",
    "<section>", "</section>", "<li>", "<td>", "</table>", "<font color=red>", "</font>", "<q>", "</q>",
)  # fmt: skip


def uncounted(found: list[str]) -> list[str]:
    """Words without numbers: those of lists are text in the mail, and none in HTML."""
    return [word for word in found if not word.isdigit()]


paragraphs = st.lists(st.lists(st.sampled_from(TOKENS), min_size=4, max_size=40).map(" ".join), min_size=1, max_size=5)
shaken = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@shaken
@given(parts=paragraphs, wrapped=st.booleans(), ends=st.sampled_from(["\n", "\r\n"]))
def test_no_word_of_a_plain_text_is_lost(workspace: Workspace, parts: list[str], wrapped: bool, ends: str) -> None:  # noqa: FBT001 - drawn
    """Whatever stands in it, wrapped or not, with any line ends."""
    made = ["\n".join(textwrap.wrap(part, 72, break_on_hyphens=False)) if wrapped else part for part in parts]
    source = "\n\n".join(["A title", *made, "The last paragraph ends here, and it is long enough to be one."])
    draft = bring(workspace, source.replace("\n", ends), "text")
    same_words(shown_words(text_part(workspace, draft)), words(source))


@shaken
@given(pieces=st.lists(st.sampled_from(HTML + TOKENS[:12]), min_size=1, max_size=30))
def test_no_word_of_html_is_lost(workspace: Workspace, pieces: list[str]) -> None:
    """However its tags are left open, crossed or nested; and what is made of it can be built."""
    source = f"<h1>A title</h1>\n<p>First</p> {' '.join(pieces)} <p>Last"
    draft = bring(workspace, source, "html")
    same_words(uncounted(shown_words(text_part(workspace, draft))), uncounted(html_words(source)))


@shaken
@given(
    pieces=st.lists(st.sampled_from((*TOKENS, "\n", "\n\n", "\n- ", "\n> ", "    ", "\n1. ")), min_size=3, max_size=40)
)
def test_what_markdown_says_is_what_is_built(workspace: Workspace, pieces: list[str]) -> None:
    """Its words after Markdown has read it, not those of its marks."""
    from markdown_it import MarkdownIt

    source = (
        "# A title\n\n" + " ".join(piece for piece in pieces if "[^" not in piece and "^[" not in piece) + "\n\nLast."
    )
    rendered = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(source)
    if "<script>" in rendered:  # what stands behind it is a script for a browser, too
        return
    draft = bring(workspace, source, "markdown")
    same_words(uncounted(shown_words(text_part(workspace, draft))), uncounted(html_words(rendered)))


# -- samples ------------------------------------------------------------------------------


def sample(workspace: Workspace, name: str) -> Imported:
    """Import one of the samples, with its pictures beside it; building it and checking it must find no error."""
    for picture in ("harbour.png", "margin.png"):
        workspace.write(picture, encoded(photograph(640, 400), "PNG"))
    draft = bring(workspace, (SAMPLES / name).read_bytes(), name=name)
    edition = wiring.edition(workspace.config(), draft.path.parent)
    findings = preflight(edition, workspace.config())
    assert not [each for each in findings if each.severity is Severity.ERROR]
    return draft


def less(found: list[str], gone: str) -> list[str]:
    """Words without those of labels that became structure, each once for each time it is named."""
    left = list(found)
    for word in gone.split():
        left.remove(word)
    return left


@pytest.mark.parametrize(
    ("name", "gone", "added"),
    [
        # What a label says its place says: the byline, the caption, the file's name, the numbers of the footnote.
        ("feature.txt", "By Caption harbour png 1 1", ""),
        ("release.txt", "", ""),
        ("german.txt", "Von", ""),
    ],
)
def test_the_words_of_a_text_sample_are_all_there(workspace: Workspace, name: str, gone: str, added: str) -> None:
    """A feature, a press release and a German article."""
    draft = sample(workspace, name)
    source = (SAMPLES / name).read_text("utf-8").replace("mid-\n", "mid-")
    same_words(shown_words(text_part(workspace, draft)), [*less(words(source), gone), *added.split()])


def test_the_words_of_an_html_sample_are_all_there(workspace: Workspace) -> None:
    """A blog post: all of its article, and nothing of what stands around it."""
    draft = sample(workspace, "blog.html")
    source = (SAMPLES / "blog.html").read_text("utf-8")
    article = re.sub(r"<div hidden>.*?</div>", "", source.split("<article>")[1].split("</article>")[0])
    # The marks of the footnote, and the numbers of a list, which are no text in HTML.
    wanted = [*less(html_words(article.replace("<sup>", " <sup>")), "1"), "3", "4", "Ada", "Moreno"]
    same_words(shown_words(text_part(workspace, draft)), wanted)


def test_the_words_of_a_markdown_sample_are_all_there(workspace: Workspace) -> None:
    """A README: what a browser shows of it, its front matter's title and dek, and a caption that was a title."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.footnote import footnote_plugin

    draft = sample(workspace, "readme.md")
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    footnote_plugin(parser)
    rendered = parser.render((SAMPLES / "readme.md").read_text("utf-8").split("---\n", 2)[2])
    wanted = [*html_words(rendered), *words("Reads tide tables and prints them. A. Moreno At half tide")]
    same_words(uncounted(shown_words(text_part(workspace, draft))), uncounted(wanted))


def test_the_words_of_an_arabic_sample_are_all_there(workspace: Workspace) -> None:
    """Its byline's label is the only one that goes."""
    draft = sample(workspace, "arabic.html")
    source = (SAMPLES / "arabic.html").read_text("utf-8").split("<article>")[1]
    same_words(shown_words(text_part(workspace, draft)), less(html_words(source), "بقلم"))


@pytest.mark.parametrize("name", ["feed.rss", "feed.atom"])
def test_the_words_of_a_feed_are_all_there(workspace: Workspace, name: str) -> None:
    """Titles and whole texts of its entries, and what the feed says of itself."""
    draft = sample(workspace, name)
    said = {
        "feed.rss": "Harbour & Sea What the water brought Gale & calm The night It blew nine & more. A map Waves over the "
        "quay New lamp The lamp at the pier’s end is new: 5 < 6 metres. It is red. An entry without a title, and without a "
        "date. * It has a star. Old news Plain words, café style.",
        "feed.atom": "Pencil notes One line a day On rulers A ruler is straight until it’s dropped. wood steel & brass "
        "On erasers We own none.",
    }
    same_words(shown_words(text_part(workspace, draft)), words(said[name]))
