"""Markdown becomes HTML by its own parser, and that becomes blocks: the words, not the way they were written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from newsletter.content.drafts import html, plain
from newsletter.content.drafts.nouns import Cite, Facts, Heading, Items, Paragraph, Remark, Words
from newsletter.content.drafts.words import linked
from newsletter.yamlread import Listed, Mapped, Scalar
from newsletter.yamlread import read as read_yaml

if TYPE_CHECKING:
    from newsletter.content.drafts.nouns import Article, Block, Blocks
    from newsletter.errors import Problem
    from newsletter.yamlread import Node

_FRONT = re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_NESTING = 100
_DEK = ("dek", "subtitle", "description", "summary", "excerpt", "standfirst")
_KEYS = ("title", "author", "authors", "lang", "language", "canonical_url", "canonical", *_DEK)


def read(text: str) -> Article:
    """The article of a Markdown text, with the front matter that other programs write."""
    facts, remarks, body = _front(text)
    from markdown_it import MarkdownIt
    from mdit_py_plugins.footnote import footnote_plugin

    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": _NESTING}).enable(["table", "strikethrough"])
    footnote_plugin(parser)
    # Addresses of every kind reach the reader of HTML, which names the ones that it leaves out.
    setattr(parser, "validateLink", _any_link)  # noqa: B010 - the parser has no other way
    env: dict[str, Any] = {}
    try:
        tokens = parser.parse(body, env)
    except RecursionError:
        tokens = []
    if not tokens or max(token.level for token in tokens) >= _NESTING - 2:
        # What is nested deeper would be lost.
        return plain.read(body)._replace(
            facts=facts, doubts=("This is nested too deep for Markdown: read as plain text.",)
        )
    article = html.read(parser.renderer.render(tokens, parser.options, env), made=True)
    blocks = _headed(tuple(_linked(each) for each in article.blocks), facts)
    notes = tuple((label, tuple(map(_linked, inner))) for label, inner in article.notes)
    return article._replace(blocks=(*remarks, *blocks), notes=notes, facts=facts)


def _headed(blocks: Blocks, facts: Facts) -> Blocks:
    """The title and dek that only the front matter says, where they would stand in the text."""
    first = next((index for index, block in enumerate(blocks) if not isinstance(block, Remark)), len(blocks))
    head = blocks[first] if first < len(blocks) else None
    titled = isinstance(head, Heading) and head.level == 1
    title: Blocks = (Heading(1, (Words(facts.title),)),) if facts.title and not titled else ()
    before, after = blocks[: first + titled], blocks[first + titled :]
    dek = Paragraph((Words(facts.dek),))
    said = not facts.dek or (after and after[0] == dek) or not (titled or title)
    return (*before, *title, *(() if said else (dek,)), *after)


def _any_link(_: str) -> bool:
    return True


def _linked(block: Block) -> Block:
    if isinstance(block, Paragraph):
        return Paragraph(linked(block.children))
    if isinstance(block, Cite):
        return Cite(_all(block.children))
    if isinstance(block, Items):
        return block._replace(items=tuple(_all(item) for item in block.items))
    return block


def _all(blocks: Blocks) -> Blocks:
    return tuple(map(_linked, blocks))


def _front(text: str) -> tuple[Facts, list[Block], str]:
    """What the front matter says, a comment with the lines of it that have no place here, and the text behind it."""
    found = _FRONT.match(text)
    problems: list[Problem] = []
    node = read_yaml(found[1], "", problems) if found else None
    if found is None or not isinstance(node, Mapped) or problems:
        return Facts(), [], text
    values = {entry.key.text.lower(): _texts(entry.value) for entry in node.entries}
    one = {key: " ".join(texts[0].split()) for key, texts in values.items() if texts}
    rest = [f"{key}: {', '.join(texts)}" for key, texts in values.items() if key not in _KEYS and texts]
    lang = one.get("lang") or one.get("language", "")
    url = one.get("canonical_url") or one.get("canonical", "")
    facts = Facts(
        title=one.get("title", ""),
        dek=next((one[key] for key in _DEK if key in one), ""),
        authors=tuple(" ".join(name.split()) for name in values.get("authors") or values.get("author") or ()),
        lang=lang if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", lang) else "",
        url=url if url.startswith(("http://", "https://")) else "",
    )
    remarks: list[Block] = [Remark("\n".join(["The source's front matter says, too:", *rest]))] if rest else []
    return facts, remarks, text[found.end() :]


def _texts(node: Node) -> tuple[str, ...]:
    if isinstance(node, Scalar):
        return (node.text,) if node.text and node.kind != "null" else ()
    if isinstance(node, Listed):
        return tuple(text for item in node.items for text in _texts(item))
    named: dict[str, Any] = {entry.key.text: entry.value for entry in node.entries}
    return _texts(named["name"]) if "name" in named else ()
