"""What a draft is written as says exactly its words: hostile texts, styles and places, through the real parser."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import pytest
from content.helpers_content import read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.content.drafts import write
from newsletter.content.drafts.escape import clean
from newsletter.content.drafts.nouns import (
    Box,
    Break,
    Cite,
    Code,
    Grid,
    Heading,
    Items,
    Link,
    Paragraph,
    Styled,
    Verbatim,
    Words,
    plain,
)
from newsletter.content.inline import plain_text
from newsletter.model import Code as ReadCode
from newsletter.model import CodeBlock, ListBlock, Note, Quote, Table
from newsletter.model import Heading as ReadHeading
from newsletter.model import Link as ReadLink
from newsletter.model import Paragraph as ReadParagraph
from newsletter.model import Styled as ReadStyled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import Workspace

    from newsletter.content.drafts import nouns
    from newsletter.model import Block, Blocks, Inlines

HOSTILE = (
    "*", "**", "_", "__", "[", "]", "(", ")", "[x](y)", "![a](b.png)", "[^1]", "^[x]", "[^1]: x", "[x]: y", "{{", "}}",
    "{{ name }}", "\\{{ name }}", "{#id}", "{", "}", ":::", "::: note", "::::", "---", "- -", "***", "===", "=", "-", "+",
    "#", "##", "# x", ">", "> x", "1.", "2)", "1234567890.", "`", "``", "```", "~", "~~", "~~~", "|", "|---|", ":-", "<",
    "<b>", "</b>", "<br>", "<script>", "<!--", "-->", "<?", "<!X", "<https://x.org>", "&", "&amp;", "&#12;", "&#x41;", "&copy",
    "&copy;", "&#123;{", "\\", "\\\\", "\\*", "!", "^", "%", "$", "=?utf-8?q?x?=", "\u00a0", "a", "Wort", "字", "مرحبا", "🙂",
    "9", "é", "x_y", "2*3", "http://a.org/b_c", "—", "…",
)  # fmt: skip

texts = st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=7).flatmap(
    lambda parts: st.lists(st.sampled_from(["", " ", "  "]), min_size=len(parts), max_size=len(parts)).map(
        lambda gaps: "".join(part + gap for part, gap in zip(parts, gaps, strict=True))
    )
)
shaken = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def inlines(depth: int = 2) -> st.SearchStrategy[nouns.Inlines]:
    """Running text with styles in styles."""
    leaf: list[st.SearchStrategy[nouns.Inline]] = [
        st.builds(Words, texts),
        st.builds(Code, texts),
        st.just(Break()),
    ]
    if depth:
        inner = inlines(depth - 1)
        leaf.append(st.builds(Styled, st.sampled_from(["em", "strong", "sup", "s", "mark"]), inner))
    return st.lists(st.one_of(leaf), min_size=1, max_size=4).map(tuple)


def folded(text: str) -> str:
    """Words with white space made one space, and quotes of every kind alike: the parser sets them."""
    text = re.sub("[“”„«»]", '"', re.sub("[‘’‚]", "'", text.replace("\u2060", "")))
    return " ".join(text.split())


def close(text: str) -> str:
    """The same without any white space: a style's end may take the space beside it."""
    return "".join(folded(text).split())


def walk(blocks: Blocks) -> Iterator[Block]:
    """Blocks and those in them."""
    for block in blocks:
        yield block
        for name in ("children", "items"):
            inner = getattr(block, name, ())
            if inner and isinstance(inner[0], tuple) and isinstance(block, ListBlock | Quote | Note):
                for each in inner if isinstance(block, ListBlock) else (inner,):
                    yield from walk(each)


def said(blocks: Blocks) -> str:
    """The words of paragraphs and headings as they were read."""
    return " ".join(plain_text(b.children) for b in walk(blocks) if isinstance(b, ReadParagraph | ReadHeading))


def styles(children: Inlines) -> set[type]:
    """The kinds of inline content."""
    found: set[type] = set()
    for each in children:
        found.add(type(each))
        if isinstance(each, ReadStyled | ReadLink):
            found |= styles(each.children)
    return found


@shaken
@given(parts=st.lists(texts, min_size=1, max_size=4))
def test_words_come_back_as_they_were(workspace: Workspace, parts: list[str]) -> None:
    """In paragraphs, headings, items, quotes and notes; nothing becomes a style, a link or a field."""
    made = [clean(part) for part in parts]
    if not all(part.strip("\u00a0 ") for part in made):
        return
    blocks: tuple[nouns.Block, ...] = (
        *(Paragraph((Words(part),)) for part in made),
        Heading(3, (Words(made[0]),)),
        Items(tuple((Paragraph((Words(part),)),) for part in made)),
        Items(tuple((Paragraph((Words(part),)), Paragraph((Words(part),))) for part in made), 4),
        Cite((Paragraph((Words(made[-1]),)),)),
        Box("Note", (Paragraph((Words(made[0]), Break(), Words(made[-1]))),)),
    )
    issue = read(workspace, write.body(blocks))
    wanted = [*made, made[0], *made, *(part for part in made for _ in "ab"), made[-1], made[0], made[-1]]
    assert folded(said(issue.blocks)) == folded(" ".join(wanted))
    assert issue.fields == ()
    for block in walk(issue.blocks):
        if isinstance(block, ReadParagraph):
            assert not styles(block.children) & {ReadStyled, ReadLink, ReadCode}


@shaken
@given(children=inlines())
def test_styled_words_come_back(workspace: Workspace, children: nouns.Inlines) -> None:
    """However styles, code and breaks meet each other, no character is added or lost."""
    words = clean(plain(children))
    if not words.strip("\u00a0 "):
        return
    link = Link("https://example.org/a_(b)?c=*&d=[e]", (Words("a link"),))
    body = write.body(
        (Paragraph((Words("In "), *children, Words(" and "), link, Words("!"), link)), Heading(2, children))
    )
    issue = read(workspace, body)
    first = issue.blocks[0]
    assert isinstance(first, ReadParagraph)
    assert close(plain_text(first.children)) == close(f"In {words} and a link!a link")
    assert close(said(issue.blocks[1:])) == close(words)
    hrefs = {each.href for each in first.children if isinstance(each, ReadLink)}
    assert hrefs == {"https://example.org/a_%28b%29?c=*&d=%5Be%5D"} or len(hrefs) == 1


@shaken
@given(cells=st.lists(texts, min_size=4, max_size=4), code=st.lists(texts, min_size=1, max_size=4))
def test_tables_and_code_come_back(workspace: Workspace, cells: list[str], code: list[str]) -> None:
    """Bars in cells, fences in code, fields in both."""
    made = [clean(cell) for cell in cells]
    lines = [clean(line).rstrip() or "x" for line in code]
    grid = Grid((tuple((Words(c),) for c in made[:2]), ((Code(made[2]),), (Words(made[3]),))), ("", "right"))
    issue = read(workspace, write.body((Paragraph((Words("Before"),)), grid, Verbatim("\n".join(lines), "sh"))))
    tables = [block for block in issue.blocks if isinstance(block, Table)]
    if tables:
        found = " ".join(plain_text(cell) for row in (tables[0].head, *tables[0].rows) for cell in row)
        assert close(found) == close(" ".join(made))
    else:
        assert not any(part.strip() for part in made)
    blocks = [block for block in issue.blocks if isinstance(block, CodeBlock)]
    assert [block.text.replace("\u2060", "").split("\n") for block in blocks] == [lines]


@pytest.mark.parametrize("mark", ["em", "strong"])
@pytest.mark.parametrize(
    ("before", "inner", "after"), [("a ", "b", " c"), ("日本", "「語」", "の"), ("x", '"y"', "z"), ("*", "*", "*")]
)
def test_emphasis_survives_where_stars_would_not(
    workspace: Workspace, mark: str, before: str, inner: str, after: str
) -> None:
    """Where CommonMark takes no star, the tag is written."""
    issue = read(workspace, write.body((Paragraph((Words(before), Styled(mark, (Words(inner),)), Words(after))),)))
    (block,) = issue.blocks
    assert isinstance(block, ReadParagraph)
    (style,) = [each for each in block.children if isinstance(each, ReadStyled)]
    assert style.style == mark
    assert close(plain_text(style.children)) == close(inner)
    assert unicodedata.is_normalized("NFC", plain_text(block.children))
