"""The containers ``::: name {options} Title``: which there are, and what each may hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from newsletter.content.options import Option, Unreadable, read_options
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from newsletter.content.reading import Node, Reading
    from newsletter.model import Place

SERVICES = (
    "mastodon", "bluesky", "threads", "x", "twitter", "facebook", "instagram", "linkedin", "youtube", "vimeo",
    "tiktok", "pinterest", "github", "gitlab", "codeberg", "medium", "substack", "reddit", "discord", "signal",
    "telegram", "whatsapp", "rss", "website", "email",
)  # fmt: skip
"""What ``::: social`` can link to."""


class Kind(NamedTuple):
    """What one container may have; ``inside`` is the only container it may stand in."""

    example: str
    options: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    titled: bool = False
    empty: bool = False
    inside: str = ""
    verbatim: bool = False
    """Whether all behind the name is the title, braces included."""


KINDS: Mapping[str, Kind] = {
    "note": Kind("::: note Editor's note", titled=True),
    "quote": Kind('::: quote {source="Ada Lovelace"}', ("source",)),
    "figure": Kind('::: figure {credit="Photo: A. Person" width=inset}', ("credit", "width", "href")),
    "button": Kind('::: button {href="https://example.org"}', ("href",), ("href",)),
    "columns": Kind(":::: columns"),
    "column": Kind("::: column", inside="columns"),
    "cards": Kind(":::: cards"),
    "card": Kind(
        '::: card {href="https://example.org" title="A title"}',
        ("href", "image", "alt", "kicker", "title"),
        ("title",),
        inside="cards",
    ),
    "sponsor": Kind('::: sponsor {name="Example"}', ("name",), ("name",)),
    "video": Kind(
        '::: video {href="https://example.org/v" poster="poster.jpg" title="What it shows"}',
        ("href", "poster", "title"),
        ("href", "poster", "title"),
        empty=True,
    ),
    "signoff": Kind('::: signoff {image="me.jpg"}', ("image", "alt")),
    "web-only": Kind("::: web-only"),
    "email-only": Kind("::: email-only"),
    "contents": Kind("::: contents", empty=True),
    "social": Kind('::: social {mastodon="https://example.org/@a"}', SERVICES, empty=True),
    "mjml": Kind("::: mjml"),
    "when": Kind('::: when plan == "pro"', titled=True, verbatim=True),
    "else": Kind("::: else"),
}

_INFO = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)?[ \t]*")
_TEXTS = frozenset({"source", "credit", "kicker", "title", "name", "alt", "href"})


class Box(NamedTuple):
    """A container as it stands in the source, its options known and complete."""

    name: str
    kind: Kind
    options: Mapping[str, Option]
    title: str
    node: Node
    place: Place
    info_at: int
    title_at: int

    def get(self, key: str) -> str:
        """An option's text, still lifted; empty without the option."""
        return self.options[key].value if key in self.options else ""

    def where(self, reading: Reading, key: str) -> Place:
        """The place of an option's value."""
        return reading.source.place(self.info_at + self.options[key].value_at) if key in self.options else self.place


def name_of(info: str) -> str:
    """The name in the line that opens a container; empty when there is none."""
    head = _INFO.match(info)
    return (head and head[1]) or ""


def read_box(node: Node, reading: Reading, parent: str | None) -> Box | None:
    """The container that a node is, or ``None`` when it cannot be one; whatever is wrong is reported.

    ``parent`` is the name of the container it stands in directly, empty outside of any, and ``None``
    if that one was wrong itself.
    """
    token = node.token
    info, at = token.info, token.meta["info_at"]
    place = reading.source.place(token.meta["at"])
    head, name = _INFO.match(info), name_of(info)
    kind = KINDS.get(name)
    if kind is None:
        word = name or info.partition(" ")[0]
        hint = suggestion(reading.fields.literal(word), KINDS)
        reading.wrong(reading.source.place(at), f"unknown container “{reading.fields.literal(word)}”", hint)
        return None
    _balance(token.markup, name, token.meta, reading, place)
    start = head.end() if head else 0
    try:
        options, start = _options(info, start) if not kind.verbatim else ((), start)
    except Unreadable as error:
        reading.wrong(reading.source.place(at + error.at), str(error), f"For example: {kind.example}")
        return None
    known = {each.key: each for each in options if each.key in kind.options}
    title = info[start:].strip()
    box = Box(name, kind, known, title, node, place, at, start + len(info[start:]) - len(info[start:].lstrip()))
    _complain(box, options, reading, parent)
    return box if all(box.get(key) for key in kind.required) else None


def _options(info: str, at: int) -> tuple[tuple[Option, ...], int]:
    """The options that stand at ``at``, and where the title begins."""
    return read_options(info, at) if info.startswith("{", at) else ((), at)


def _balance(markup: str, name: str, found: Mapping[str, object], reading: Reading, place: Place) -> None:
    inner = reading.fields.literal(str(found["crowded"]))
    if found["unclosed"]:
        hint = f"Write {markup} on a line of its own behind it."
        if fence := found.get("fence"):
            hint = f"The code block that begins on line {fence} is not closed either, and holds everything behind it."
        reading.wrong(place, f"the container “{name}” is never closed", hint)
    elif inner == "else" and name == "when":
        reading.wrong(place, "this “when” is not closed before its “else”", f"Write {markup} before ::: else, too.")
    elif inner:
        reading.wrong(
            place,
            f"“{name}” holds “{inner}” and needs more colons than it",
            f"Write :{markup} {name} here and :{markup} at its end.",
        )


def _complain(box: Box, options: tuple[Option, ...], reading: Reading, parent: str | None) -> None:
    kind, name = box.kind, box.name
    for option in options:
        place = reading.source.place(box.info_at + option.at)
        if option.key not in kind.options:
            hint = suggestion(option.key, kind.options) if kind.options else f"Write: {kind.example}"
            reading.wrong(place, f"“{name}” has no option “{option.key}”", hint)
        elif option.key not in _TEXTS:
            reading.fields.refuse(option.value, f"in the option “{option.key}”")
    for key in kind.required:
        if not box.get(key):
            reading.wrong(box.where(reading, key), f"“{name}” needs the option “{key}”", f"For example: {kind.example}")
    if box.title and not kind.titled:
        hint = f"Options stand in braces: {kind.example}" if kind.options else f"Write only: {kind.example}"
        if name == "else":
            hint = "For more than two cases put another “when” into the “else”, with fewer colons."
        reading.wrong(box.place, f"“{name}” takes no title", hint)
    if kind.inside and parent not in {kind.inside, None}:
        reading.wrong(
            box.place,
            f"“{name}” stands only directly in “{kind.inside}”",
            f"Put {KINDS[kind.inside].example} … :::: around it.",
        )
    if kind.empty and box.node.children:
        reading.wrong(
            box.place,
            f"“{name}” holds nothing: its lines would be lost",
            f"Write {kind.example} and ::: on the next line.",
        )
