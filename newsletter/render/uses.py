"""What the pre-flight needs to know of a mail: the links and pictures that an author put into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.model import (
    Button,
    Cards,
    Figure,
    ImageUse,
    InlineImage,
    Link,
    LinkUse,
    RawHtml,
    RawMjml,
    SignOff,
    Social,
    Video,
)
from newsletter.render import marks
from newsletter.render.inline import plain
from newsletter.render.markup import Element, parse, written
from newsletter.render.tree import inlines, texts, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from newsletter.model import Block, Blocks, Footnote, Inlines, Issue, Picture, Place
    from newsletter.render.markup import Node


def uses(
    issue: Issue, notes: Sequence[tuple[Footnote, tuple[int, ...]]]
) -> tuple[tuple[LinkUse, ...], tuple[ImageUse, ...]]:
    """The links and pictures of the mail, in reading order; a field in a label or text is shown as its source."""
    found: list[LinkUse | ImageUse] = [*_running(issue.dek), *_blocks(issue.blocks)]
    for note, _ in notes:
        found += _blocks(note.children)
    for credit in issue.credits:
        found += _running(credit)
    fields = issue.fields
    return (
        tuple(each._replace(label=marks.shown(each.label, fields)) for each in found if isinstance(each, LinkUse)),
        tuple(each._replace(alt=marks.shown(each.alt, fields)) for each in found if isinstance(each, ImageUse)),
    )


def _blocks(blocks: Blocks) -> Iterator[LinkUse | ImageUse]:
    for block in walk(blocks, "email"):
        yield from _own(block)
        for text in texts(block):
            yield from _running(text)


def _running(children: Inlines) -> Iterator[LinkUse | ImageUse]:
    for each in inlines(children):
        if isinstance(each, Link):
            yield LinkUse(each.href, plain(each.children), each.place)
        elif isinstance(each, InlineImage):
            yield _image(each.picture, each.alt, each.place)


def _own(block: Block) -> Iterator[LinkUse | ImageUse]:
    match block:
        case Figure():
            yield _image(block.picture, block.alt, block.place)
            yield from _link(block.href, block.alt, block.place)
        case Button():
            yield LinkUse(block.href, plain(block.label), block.place)
        case Video():
            yield _image(block.poster, block.title, block.place)
            yield LinkUse(block.href, block.title, block.place)
        case Social():
            yield from [LinkUse(href, name, block.place) for name, href in block.links]
        case SignOff(picture=picture) if picture:
            yield _image(picture, block.alt, block.place)
        case Cards():
            for card in block.cards:
                yield from [_image(card.picture, card.alt, card.place)] if card.picture else []
                yield from _link(card.href, card.title, card.place)
        case RawHtml() | RawMjml():
            yield from _raw(parse(*written(block)), block.place)
        case _:
            return


def _link(href: str, label: str, place: Place) -> list[LinkUse]:
    return [LinkUse(href, label, place)] if href else []


def _image(picture: Picture, alt: str, place: Place) -> ImageUse:
    return ImageUse(picture.name, alt, len(picture.data), place, picture.animated)


def _raw(nodes: Sequence[Node], place: Place) -> Iterator[LinkUse | ImageUse]:
    for node in nodes:
        if not isinstance(node, Element):
            continue
        if node.tag in {"img", "mj-image"}:
            yield ImageUse(node.attributes.get("src", ""), node.attributes.get("alt", ""), 0, place)
        if "href" in node.attributes:
            yield LinkUse(node.attributes["href"], " ".join(_text(node).split()), place)
        yield from _raw(node.children, place)


def _text(node: Element) -> str:
    return "".join(
        child if isinstance(child, str) else _text(child) for child in node.children if isinstance(child, str | Element)
    )
