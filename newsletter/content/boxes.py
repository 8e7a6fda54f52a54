"""What each container becomes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.content import choosing, targets
from newsletter.content.containers import name_of, read_box
from newsletter.content.inline import plain_text, read_inline
from newsletter.content.lone import pictures_of
from newsletter.model import (
    Button,
    Card,
    Cards,
    Columns,
    Contents,
    Note,
    Only,
    PullQuote,
    RawMjml,
    SignOff,
    Social,
    Sponsor,
    Video,
)
from newsletter.personal import escape_html

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from newsletter.content.blocks import BlockReader
    from newsletter.content.cache import Shape
    from newsletter.content.containers import Box
    from newsletter.content.reading import Node, Reading
    from newsletter.model import Blocks, Figure, Picture, Place

    Builder = Callable[[Box, BlockReader], Blocks]


_MOST = 3
"""Columns, or pictures side by side: more are too narrow to read."""


def build(box: Box, reader: BlockReader) -> Blocks:
    """The block of a container; nothing when it could not be made, and that is reported."""
    return _BUILDERS[box.name](box, reader)


def link(reading: Reading, lifted: str, place: Place) -> str:
    """A checked address, empty when there is none."""
    return targets.target(lifted, reading.fields, place, reading.problems) if lifted else ""


def _words(box: Box, reader: BlockReader, lifted: str) -> str:
    """A title or credit: read as inline Markdown for its quotes, kept as plain words."""
    return plain_text(read_inline(reader.reading, lifted, box.place)).strip()


def _option(box: Box, reader: BlockReader, key: str) -> str:
    return plain_text(read_inline(reader.reading, box.get(key), box.where(reader.reading, key))).strip()


def _href(box: Box, reader: BlockReader) -> str:
    return link(reader.reading, box.get("href"), box.where(reader.reading, "href"))


def _picture(box: Box, reader: BlockReader, key: str, width: int, shape: Shape = "") -> Picture | None:
    lifted, place = box.get(key), box.where(reader.reading, key)
    # A field in it has been refused with the options.
    if not lifted or reader.reading.fields.literal(lifted) != lifted:
        return None
    return reader.reading.gallery.take(lifted, min(width, reader.room), place, shape)


def _note(box: Box, reader: BlockReader) -> Blocks:
    return (Note(_words(box, reader, box.title), reader.blocks(box.node.children), box.place),)


def _quote(box: Box, reader: BlockReader) -> Blocks:
    return (PullQuote(reader.blocks(box.node.children), _option(box, reader, "source"), box.place),)


def _sponsor(box: Box, reader: BlockReader) -> Blocks:
    return (Sponsor(_option(box, reader, "name"), reader.blocks(box.node.children), box.place),)


def _signoff(box: Box, reader: BlockReader) -> Blocks:
    picture = _picture(box, reader, "image", reader.reading.widths.avatar, "square")
    return (SignOff(picture, _option(box, reader, "alt"), reader.blocks(box.node.children), box.place),)


def _only(box: Box, reader: BlockReader) -> Blocks:
    return (Only("web" if box.name == "web-only" else "email", reader.blocks(box.node.children), box.place),)


def _contents(box: Box, _: BlockReader) -> Blocks:
    return (Contents(box.place),)


def _button(box: Box, reader: BlockReader) -> Blocks:
    nodes = _written(box)
    href = _href(box, reader)
    if [node.token.type for node in nodes] != ["paragraph_open"]:
        reader.blocks(nodes)
        reader.reading.wrong(
            box.place, "a button holds one line of text", "Write its words between the two lines with colons."
        )
        return ()
    return (Button(reader.inlines(nodes[0]), href, box.place),)


def _figure(box: Box, reader: BlockReader) -> Blocks:
    nodes, reading = _written(box), reader.reading
    width = box.options.get("width")
    if width and reading.fields.literal(width.value) != width.value:
        return ()
    if len(parts := pictures_of(nodes)) > 1:
        return _row(box, reader, parts)
    before = len(reading.problems)
    made: Figure | None = reader.figure(nodes[0], box.options) if len(nodes) == 1 else None
    if made is None:
        if len(reading.problems) == before:
            reader.blocks(nodes)
            reading.wrong(
                box.place,
                "a figure holds one picture, or two or three side by side, and nothing else",
                'Write: ![What it shows](photo.jpg "The caption")',
            )
        return ()
    return (
        made._replace(credit=_option(box, reader, "credit"), href=_href(box, reader) or made.href, place=box.place),
    )


def _row(box: Box, reader: BlockReader, nodes: list[Node]) -> Blocks:
    """Pictures side by side are columns of one figure each; the credit stands below the last."""
    reading = reader.reading
    if len(nodes) > _MOST:
        reading.wrong(box.place, f"a figure holds at most three pictures side by side, not {len(nodes)}", "Write two.")
    if "width" in box.options:
        hint = "Leave the width away, or write one figure for each picture."
        reading.wrong(box.where(reading, "width"), "pictures side by side share the whole width", hint)
    narrow = reader.within(reading.widths.third if len(nodes) >= _MOST else reading.widths.half)
    credit, href = _option(box, reader, "credit"), _href(box, reader)
    made = [each for node in nodes[:_MOST] if (each := narrow.figure(node))]
    last = len(made) - 1
    row = (
        (each._replace(credit=credit if index == last else "", href=each.href or href),)
        for index, each in enumerate(made)
    )
    return (Columns(tuple(row), box.place),) if made else ()


def _columns(box: Box, reader: BlockReader) -> Blocks:
    nodes = _inner(box, reader, "column")
    if nodes and not 2 <= len(nodes) <= _MOST:
        reader.reading.wrong(
            box.place, f"columns hold two or three columns, not {len(nodes)}", "For one column no container is needed."
        )
    narrow = reader.within(reader.reading.widths.third if len(nodes) == _MOST else reader.reading.widths.half)
    made = tuple(narrow.blocks((node,), "columns") for node in nodes)
    return (Columns(made, box.place),)


def _column(box: Box, reader: BlockReader) -> Blocks:
    """Also of a card that stands outside of cards, which is reported elsewhere."""
    return reader.blocks(box.node.children)


def _cards(box: Box, reader: BlockReader) -> Blocks:
    narrow = reader.within(reader.reading.widths.card)
    nodes = _inner(box, reader, "card")
    made: list[Card] = []
    for node in nodes:
        if found := read_box(node, reader.reading, "cards"):
            made.append(_card(found, narrow))
        else:
            narrow.blocks(node.children, None)
    return (Cards(tuple(made), box.place),)


def _card(box: Box, reader: BlockReader) -> Card:
    picture = _picture(box, reader, "image", reader.reading.widths.card)
    href, children = _href(box, reader), reader.blocks(box.node.children)
    title, kicker, alt = (_option(box, reader, key) for key in ("title", "kicker", "alt"))
    return Card(title, kicker, href, picture, alt, children, box.place)


def _video(box: Box, reader: BlockReader) -> Blocks:
    href, title = _href(box, reader), _option(box, reader, "title")
    poster = _picture(box, reader, "poster", reader.room, "play")
    return (Video(href, poster, title, box.place),) if poster else ()


def _social(box: Box, reader: BlockReader) -> Blocks:
    reading = reader.reading
    links = tuple((key, link(reading, option.value, box.where(reading, key))) for key, option in box.options.items())
    if not links:
        reading.wrong(box.place, "“social” needs at least one address", f"For example: {box.kind.example}")
    return (Social(links, box.place),)


def _mjml(box: Box, reader: BlockReader) -> Blocks:
    reading, source = reader.reading, box.node.token.content
    for tag in re.finditer(r"<[A-Za-z/][^<>]*>", source):
        reading.fields.refuse(tag[0], "inside a tag", "In `::: mjml` a field can stand in the text between tags.")
    return (RawMjml(reading.fields.text(source, escape_html), box.place),)


def _written(box: Box) -> list[Node]:
    """The nodes of a container without the definitions of footnotes."""
    return [node for node in box.node.children if node.token.type != "footnote_reference_open"]


def _inner(box: Box, reader: BlockReader, name: str) -> list[Node]:
    """The containers of one kind that this one holds; anything else in it is reported."""
    found = []
    for node in _written(box):
        token = node.token
        if token.type == "box_open" and name_of(token.info) == name:
            found.append(node)
            continue
        reader.blocks((node,), box.name)
        if token.type not in {"box_open", "stray"} or name_of(token.info) in _BUILDERS:
            place = reader.reading.line(token)
            reader.reading.wrong(
                place,
                f"only `::: {name}` can stand in “{box.name}”",
                f"Put this into one of them, or outside “{box.name}”.",
            )
    if not found:
        reader.reading.wrong(
            box.place, f"“{box.name}” holds no `::: {name}`", f"Write ::: {name} and ::: around each part."
        )
    return found


_BUILDERS: Mapping[str, Builder] = {
    "note": _note,
    "quote": _quote,
    "figure": _figure,
    "button": _button,
    "columns": _columns,
    "column": _column,
    "cards": _cards,
    "card": _column,
    "sponsor": _sponsor,
    "video": _video,
    "signoff": _signoff,
    "web-only": _only,
    "email-only": _only,
    "contents": _contents,
    "social": _social,
    "mjml": _mjml,
    "when": choosing.when,
    "else": choosing.stray_else,
}
