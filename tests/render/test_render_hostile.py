"""Texts that mean harm through every field: what they hold stays text, and is never a tag, an attribute or a template."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from render.helpers_hostile import ALL, SCRIPTS, TEMPLATES
from render.helpers_render import (
    CODE,
    FIELDS,
    NAME,
    at,
    config,
    events,
    items,
    para,
    picture,
    printed,
    with_values,
    words,
)

from newsletter.content.issue import load_issue
from newsletter.errors import BadInput
from newsletter.model import (
    Button,
    Card,
    Cards,
    Code,
    CodeBlock,
    Columns,
    Figure,
    Footnote,
    Heading,
    InlineImage,
    Issue,
    Link,
    Note,
    NoteRef,
    PullQuote,
    Quote,
    SignOff,
    Sponsor,
    Styled,
    Table,
    Text,
    Video,
)
from newsletter.personal import CannotRender, join, unsafe_in_header

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.errors import Problem
    from newsletter.model import Block, Edition

PRODUCT = str(7919 * 7919)
URL = "https://example.org/?q="


def everywhere(text: str, href: str) -> tuple[tuple[Block, ...], dict[str, Any]]:
    """Blocks and front matter with a text in each place that takes one, and an address in each that takes one."""
    running = (
        Text(text),
        Link(href, words(text), at(), text),
        Styled("abbr", words(text), text),
        Code(text),
        NoteRef(1),
    )
    inner = (para(*running), items((para(text),)))
    shown = picture()
    blocks: tuple[Block, ...] = (
        para(*running, InlineImage(shown, text, 20, at())),
        Heading(2, words(text), "a-head", at()),
        items((para(text),), tight=False, start=3),
        Quote(inner, at()),
        PullQuote((para(text),), text, at()),
        Note(text, inner, at()),
        Figure(shown, text, words(text), text, 536, at(), href),
        Button(words(text), href, at()),
        Columns((inner, (Note(text, (para(text),), at()), Button(words(text), href, at()))), at()),
        Cards((Card(text, text, href, shown, text, (para(text),), at()),), at()),
        Table((words(text), words(text)), ((words(text), running),), ("", "right"), at()),
        CodeBlock(text, "", at()),
        Sponsor(text, (para(text),), at()),
        Video(href, shown, text, at()),
        SignOff(shown, text, (para(text),), at()),
    )
    front = {
        "title": text,
        "subject": text,
        "preheader": text,
        "number": text,
        "kicker": text,
        "dek": words(text),
        "location": text,
        "authors": (text, text),
        "credits": (words(text),),
        "footnotes": (Footnote(1, (para(text),)),),
    }
    return blocks, front


def skeleton(html: str) -> list[tuple[str, Any]]:
    """Tags with the names of their attributes, and comments: everything but text."""
    return [
        (kind, sorted(data) if isinstance(data, dict) else data if kind == "comment" else None)
        for kind, data in events(html)
        if kind != "text"
    ]


def said(html: str, text: str) -> int:
    """How often a text stands in text or in an attribute, as a browser reads them."""
    found = 0
    for _, data in events(html):
        values = list(data.values()) if isinstance(data, dict) else [data]
        found += sum(value.count(text) for value in values if isinstance(value, str))
    return found


def web(edition: Edition) -> str:
    """The web page."""
    return edition.web if isinstance(edition.web, str) else join(edition.web, ["" for _ in edition.fields])


HARMLESS = "☞harmless☜"
MORE = " and some words more"
"""So much that no layout depends on how long the text itself is."""

FORMATTED = {"em", "strong", "code", "/em", "/strong", "/code"}
"""What Markdown makes of stars and backticks."""


@pytest.fixture(scope="module")
def harmless() -> Edition:
    """What comes out for a text that means no harm."""
    blocks, front = everywhere(HARMLESS + MORE, URL)
    return printed(*blocks, **front)


@pytest.mark.parametrize("text", ALL)
def test_an_authors_text_stays_text(text: str, harmless: Edition) -> None:
    """In the mail and on the web page; as often as the harmless one, and nothing else is there."""
    blocks, front = everywhere(f"☞{text}☜{MORE}", f"{URL}{quote(text)}")
    made = printed(*blocks, **front)
    nobody = [""] * len(made.fields)
    for ours, other in ((with_values(made, nobody)[0], with_values(harmless, nobody)[0]), (web(made), web(harmless))):
        assert skeleton(ours) == skeleton(other)
        assert said(ours, f"☞{text}☜") == said(other, HARMLESS)
    assert PRODUCT not in repr(made)


@pytest.fixture(scope="module")
def personal() -> Edition:
    """An edition with a field in each place that takes one."""
    blocks, front = everywhere(f"☞{NAME}☜{MORE}", f"{URL}{CODE}")
    return printed(*blocks, **front)


@pytest.mark.parametrize(
    "value",
    [*ALL, "two\nlines\tand a tab", "\x00\x07\x1b[31m", "\U000f0000\U000f0100\U000f0001", "\U000f0004c0\U000f0004"],
)
def test_a_readers_value_stays_a_value(value: str, personal: Edition) -> None:
    """A value is put into the finished mail, escaped for its place, and nobody reads it as anything."""
    own = [value if index < len(FIELDS) else "https://l.example/u" for index in range(len(personal.fields))]
    plain = ["harmless" if index < len(FIELDS) else "https://l.example/u" for index in range(len(personal.fields))]
    (html, text), (other, _) = with_values(personal, own), with_values(personal, plain)
    assert skeleton(html) == skeleton(other)
    assert said(html, f"☞{value}☜") == said(other, HARMLESS) > 40
    assert f"☞{value}☜" in text
    assert html.count(f"{URL}{quote(value, safe='')}") == other.count(f"{URL}harmless") > 5
    assert PRODUCT not in html
    subject = personal.variants[0].subject
    if unsafe_in_header(value) and "\n" not in value:
        with pytest.raises(CannotRender, match="may not stand in a header"):
            join(subject, own)
    else:
        assert "\n" not in join(subject, own)


def read(folder: Path, made: Config) -> Issue | tuple[Problem, ...]:
    """The issue in a folder, or what is wrong with it."""
    try:
        return load_issue(folder, made)
    except BadInput as error:
        return error.problems


@pytest.mark.parametrize("text", [*SCRIPTS, *TEMPLATES])
def test_an_issues_file_gives_text_or_an_error_at_its_place(text: str, tmp_path: Path) -> None:
    """Through front matter and options as they are written; a template that no field has the form of is an error."""
    said_ = json.dumps(f"☞{text}☜", ensure_ascii=False)
    keys = "".join(f"{key}: {said_}\n" for key in ("title", "subject", "preheader", "kicker", "dek", "place", "number"))
    lists = "".join(f"{key}:\n  - {said_}\n" for key in ("authors", "credits"))
    option = text.replace("\\", "").replace('"', "").replace("{", "").replace("}", "")
    body = f'::: note ☞ {option}\nText.\n:::\n\n::: quote {{source="☞{option}☜"}}\nText.\n:::\n\n::: sponsor {{name="☞{option}☜"}}\nText.\n:::\n'
    folder = tmp_path / "issues" / "2026-11-23-hello"
    folder.mkdir(parents=True)
    (folder / "index.md").write_text(f"---\nid: hello-0001\ndate: 2026-11-23\n{keys}{lists}---\n{body}", "utf-8")
    issue = read(folder, config(root=tmp_path))
    if not isinstance(issue, Issue):
        assert all(problem.place for problem in issue)
        return
    front = ("title", "subject", "preheader", "kicker", "dek", "location", "number", "authors", "credits", "fields")
    made = printed(*issue.blocks, **{key: getattr(issue, key) for key in front})
    html = with_values(made, ["" for _ in made.fields])[0]
    plain = printed(*issue.blocks, title="x", kicker="x", dek=words("x"), authors=("x",), credits=(words("x"),))
    other = with_values(plain, ["" for _ in plain.fields])[0]
    assert {tag for tag, _ in skeleton(html)} - FORMATTED == {tag for tag, _ in skeleton(other)} - FORMATTED
    names = {name for _, names in skeleton(html) if isinstance(names, list) for name in names}
    assert not {name for name in names if name.startswith("on")}
    assert PRODUCT not in html
