"""What the tests of the render room share: issues built by hand, the default theme, and readings of the HTML."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from support import ROOT

from newsletter.config import Account, Config, Limits, Sending, Serving
from newsletter.errors import BadInput, Problem
from newsletter.model import (
    Block,
    Edition,
    Field,
    Filter,
    Inline,
    Issue,
    Link,
    ListBlock,
    Mailbox,
    Paragraph,
    Picture,
    Place,
    RawHtml,
    RawMjml,
    Text,
)
from newsletter.personal import MARK, escape_html, join, mark, number, without_reader
from newsletter.render.edition import render
from newsletter.render.theme import Theme, load_theme

TEMPLATES = ROOT / "templates"
INDEX = "issues/2026-11-23-hello/index.md"

FIELDS = (
    Field("first_name", (Filter("default", ("there",)),), '{{ first_name | default("there") }}'),
    Field("code", (), "{{ code }}"),
)
NAME = mark(0, len(FIELDS[0].source))
CODE = mark(1, len(FIELDS[1].source))


def at(line: int = 10) -> Place:
    """A place in the author's file."""
    return Place(INDEX, line)


def words(text: str) -> tuple[Text, ...]:
    """Running text without markup."""
    return (Text(text),)


def para(*children: Inline | str, line: int = 10) -> Paragraph:
    """A paragraph."""
    return Paragraph(tuple(Text(each) if isinstance(each, str) else each for each in children), at(line))


def link(href: str, label: str = "a link") -> Link:
    """A link."""
    return Link(href, words(label), at())


def items(*each: tuple[Block, ...], tight: bool = True, start: int = 0) -> ListBlock:
    """A list; one with a start is ordered."""
    return ListBlock(ordered=bool(start), start=start or 1, items=each, tight=tight, place=at())


def picture(name: str = "harbour.png", width: int = 1072, height: int = 640) -> Picture:
    """A picture whose bytes nobody looks at."""
    return Picture(name, b"not really a picture", "image/png", width, height, at())


def issue(*blocks: Block, **changes: Any) -> Issue:
    """An issue of these blocks."""
    made = Issue(
        id="hello-0001",
        slug="hello",
        title="What the harbour keeps",
        subject=f"{NAME}, a letter",
        preheader="Ropes and cranes",
        number="12",
        date=dt.datetime(2026, 11, 23, tzinfo=ZoneInfo("Europe/Berlin")),
        location="Hamburg",
        kicker="Walking the coast",
        dek=words("A day on the quay."),
        authors=("Ada Moreno", "Bo Lind"),
        credits=(words("Edited by C. Hale."),),
        lang="en",
        theme="default",
        sender=Mailbox("The Letter", "ada@example.org"),
        reply_to=None,
        canonical_url="https://example.org/hello",
        fields=FIELDS,
        blocks=blocks or (para("Hello."),),
        footnotes=(),
        pictures=(),
        place=at(1),
        places=(("title", at(3)),),
    )
    return made._replace(**changes)


def config(**changes: Any) -> Config:
    """A configuration without a workspace."""
    made = Config(
        root=Path("workspace"),
        name="The Harbour Letter",
        sender=Mailbox("The Letter", "ada@example.org"),
        reply_to=None,
        lang="en",
        timezone=ZoneInfo("UTC"),
        theme="default",
        public_url="https://letters.example.org",
        assets_url="",
        postal_address=("The Harbour Letter", "1 Quay Street", "20457 Hamburg"),
        reason="",
        issues="issues",
        unsubscribe_email="ada@example.org",
        feedback_id="",
        testers=(),
        provider="outbox",
        outbox_port=8025,
        mailgun=Account("https://api.mailgun.net", 60, None, "example.org"),
        resend=Account("https://api.resend.com", 60, None),
        serving=Serving("127.0.0.1", 8000, ()),
        public="public",
        sending=Sending(100, 2),
        limits=Limits(80000, 102000, 1000000, 70),
    )
    return dataclasses.replace(made, **changes)


def default_theme() -> Theme:
    """The packaged theme."""
    return load_theme("default", [TEMPLATES])


def themed(**templates: str) -> Theme:
    """The default theme with some block templates replaced; ``layout`` is the layout."""
    made = default_theme()
    sources = dict(made.sources)
    for name, text in templates.items():
        key = "layout.mjml.j2" if name == "layout" else f"blocks/{name}.mjml.j2"
        sources[key] = (text, f"templates/mine/{key}")
    return made._replace(sources=sources)


def printed(*blocks: Block, theme: Theme | None = None, **changes: Any) -> Edition:
    """The edition of an issue of these blocks."""
    return render(issue(*blocks, **changes), theme or default_theme(), config())


def as_nobody(edition: Edition) -> tuple[str, str]:
    """HTML and text without a reader."""
    return with_values(edition, [without_reader(field, "en", "https://l.example") for field in edition.fields])


def with_values(edition: Edition, values: list[str]) -> tuple[str, str]:
    """HTML and text with these values."""
    variant = edition.variants[0]
    return join(variant.html, values), join(variant.text, values)


def html_of(*blocks: Block, **changes: Any) -> str:
    """The mail's HTML without a reader."""
    return as_nobody(printed(*blocks, **changes))[0]


def text_of(*blocks: Block, **changes: Any) -> str:
    """The text part without a reader."""
    return as_nobody(printed(*blocks, **changes))[1]


def wrong(*blocks: Block, **changes: Any) -> tuple[Problem, ...]:
    """What is reported when these blocks are rendered."""
    with pytest.raises(BadInput) as caught:
        printed(*blocks, **changes)
    return caught.value.problems


# -- reading HTML ---------------------------------------------------------------------


class _Events(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.events: list[tuple[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.events.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.events.append((f"/{tag}", None))

    def handle_data(self, data: str) -> None:
        if self.events and self.events[-1][0] == "text":
            data = self.events.pop()[1] + data
        self.events.append(("text", data))

    def handle_comment(self, data: str) -> None:
        self.events.append(("comment", data))


def events(html: str) -> list[tuple[str, Any]]:
    """What a browser's parser makes of HTML: tags with decoded attributes, text, comments."""
    parser = _Events()
    parser.feed(html)
    parser.close()
    return parser.events


def tags(html: str, name: str) -> list[dict[str, str]]:
    """The attributes of every ``name`` tag."""
    return [attributes for tag, attributes in events(html) if tag == name]


def body_text(html: str) -> str:
    """The visible words of HTML, white space made single."""
    inside = html[html.index("<body") :]
    return " ".join(" ".join(data for kind, data in events(inside) if kind == "text").split())


# -- putting values into an issue directly ---------------------------------------------


def filled(value: Any, values: list[str], *, name: str = "") -> Any:
    """A tree with its marks replaced by values: percent-encoded in addresses, escaped in raw HTML, else plain."""
    if isinstance(value, str):
        if name in {"html", "source"}:
            value = re.sub(r'href="[^"]*"', lambda found: filled(found[0], values, name="href"), value)
        return MARK.sub(lambda found: _encoded(values[number(found)], name), value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        raw = isinstance(value, RawHtml | RawMjml)
        parts = zip(value._fields, value, strict=True)
        return type(value)(*(filled(each, values, name=own if raw or own == "href" else "") for own, each in parts))
    if isinstance(value, tuple):
        return tuple(filled(each, values, name=name) for each in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Place | Picture | Field):
        changes = {
            each.name: filled(getattr(value, each.name), values, name=each.name if each.name == "href" else "")
            for each in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **changes)
    return value


class Ready(str):
    """A value that goes into an address as it is."""

    __slots__ = ()


def _encoded(value: str, name: str) -> str:
    if name == "href" and isinstance(value, Ready):
        return str(value)
    if name == "href":
        return quote(value, safe="")
    return escape_html(value) if name in {"html", "source"} else value
