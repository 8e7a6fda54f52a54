"""The pictures of a draft: files beside the source and ``data:`` URIs go along, those on other servers become links."""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, unquote_to_bytes, urljoin, urlsplit

from newsletter.content.cache import Unusable, encoded
from newsletter.content.drafts.nouns import (
    Box,
    Cite,
    Figure,
    Grid,
    Heading,
    Image,
    Items,
    Link,
    Paragraph,
    Remark,
    Styled,
    Words,
)
from newsletter.content.pictures import LARGEST
from newsletter.content.slugs import slug

if TYPE_CHECKING:
    from newsletter.content.drafts.nouns import Block, Blocks, Draft, Inline, Inlines

_DATA = re.compile(
    r"data:(?P<type>[^,;]*)(?P<base64>(?:;[^,;]*)*?;base64)?(?:;[^,]*)?,(?P<data>.*)", re.DOTALL | re.IGNORECASE
)
_ENDINGS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"GIF8": ".gif", b"RIFF": ".webp"}
_WIDEST = 1072


class _Lost(Exception):
    """Why a picture does not go along."""


class Settled(NamedTuple):
    """A draft whose pictures are files beside it, or links."""

    draft: Draft
    files: dict[str, bytes]


def settle(draft: Draft, folder: Path) -> Settled:
    """Take the pictures of ``draft`` along; relative ones lie in ``folder`` or below."""
    taker = _Taker(folder)
    blocks = taker.blocks(draft.blocks)
    notes = tuple((label, taker.blocks(inner)) for label, inner in draft.notes)
    return Settled(draft._replace(blocks=blocks, notes=notes), {name: raw for raw, name in taker.names.items()})


class _Taker:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[bytes, str] = {}
        self.remarks: list[Remark] = []

    def blocks(self, blocks: Blocks) -> Blocks:
        done: list[Block] = []
        for block in blocks:
            made = self._block(block)
            done += [*self.remarks, *made]
            self.remarks = []
        return tuple(done)

    def _block(self, block: Block) -> Blocks:
        if isinstance(block, Figure):
            return self._figure(block)
        if isinstance(block, Paragraph | Heading):
            return (block._replace(children=self._inlines(block.children)),)
        if isinstance(block, Cite | Box):
            return (block._replace(children=self.blocks(block.children)),)
        if isinstance(block, Grid):
            return (block._replace(rows=tuple(tuple(map(self._inlines, row)) for row in block.rows)),)
        if isinstance(block, Items):
            items = []
            hoisted: list[Remark] = []
            for item in block.items:
                inner = self.blocks(item)
                hoisted += [each for each in inner if isinstance(each, Remark)]
                items.append(tuple(each for each in inner if not isinstance(each, Remark)))
            self.remarks += hoisted
            return (block._replace(items=tuple(filter(None, items))),)
        return (block,)

    def _figure(self, figure: Figure) -> Blocks:
        try:
            name = self._take(figure.image)
        except _Lost as error:
            self.remarks.append(Remark(str(error)))
            href = _link(_address(figure.image))
            label: Inline = Words(figure.image.alt or _name(figure.image.source))
            shown = Link(figure.href or href, (label,)) if figure.href or href else label
            # A picture that is only missing leaves its name: in a plain text that is a word of the text.
            said = bool(href or figure.href or figure.image.alt or not figure.image.source.startswith("data:"))
            below = [
                Paragraph(each) for each in (figure.caption, (Words(figure.credit),)) if each and each != (Words(""),)
            ]
            return (*((Paragraph((shown,)),) if said else ()), *below)
        if not figure.image.alt:
            self.remarks.append(Remark("Describe this picture in the brackets, for readers who do not see it."))
        return (figure._replace(image=Image(name, figure.image.alt)),)

    def _inlines(self, children: Inlines) -> Inlines:
        done: list[Inline] = []
        for each in children:
            if isinstance(each, Styled | Link):
                done.append(each._replace(children=self._inlines(each.children)))
            elif isinstance(each, Image):
                done.append(self._inline(each))
            else:
                done.append(each)
        return tuple(done)

    def _inline(self, image: Image) -> Inline:
        try:
            return Image(self._take(image), image.alt)
        except _Lost as error:
            self.remarks.append(Remark(str(error)))
            href = _link(_address(image))
            if href and image.alt:
                return Link(href, (Words(image.alt),))
            return Words(image.alt)

    # -- files ------------------------------------------------------------------------

    def _take(self, image: Image) -> str:
        """The name that a picture gets beside ``index.md``.

        Raises ``_Lost`` for one on another server, outside the folder, missing, or of no use in a mail.
        """
        raw, name = self._read(image)
        if raw in self.names:
            return self.names[raw]
        try:
            encoded(raw, _WIDEST, None)
        except Unusable as error:
            raise _Lost(f"A picture was left out: {_shown(image.source)} {error}") from None
        self.names[raw] = self._free(name, raw)
        return self.names[raw]

    def _read(self, image: Image) -> tuple[bytes, str]:
        source = image.source if self._is_here(image.source) else _address(image)
        if source.lower().startswith("data:"):
            return _decoded(source), "picture"
        if re.match(r"(?:https?:)?//", source, re.IGNORECASE):
            hint = "Download it, put it beside this file, and write: ![What it shows](picture.jpg)"
            raise _Lost(f"A picture on another server: {source[:1000]}\n{hint}")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\~]", source):
            raise _Lost(f"A picture was left out, because it is no path beside the source: {source[:300]}")
        if path := self._path(source):
            return self._bytes(path, source), path.name
        raise _Lost(f"A picture is missing: {source[:300]}")

    def _is_here(self, source: str) -> bool:
        """Whether a saved page's picture lies beside it, wherever the page once stood."""
        return not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\~]", source) and self._path(source) is not None

    def _path(self, source: str) -> Path | None:
        for name in dict.fromkeys((source, unquote(source.partition("?")[0].partition("#")[0]))):
            path = self.folder / name
            if "\0" in name or len(name) > 500:
                continue
            if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.folder)):
                raise _Lost(f"A picture was left out, because it lies outside the source's folder: {source[:300]}")
            if path.is_file():
                return path
        return None

    def _bytes(self, path: Path, source: str) -> bytes:
        try:
            if path.stat().st_size <= LARGEST:
                return path.read_bytes()
        except OSError as error:
            raise _Lost(f"A picture cannot be read: {source[:300]}: {error.strerror or error}") from None
        raise _Lost(f"A picture was left out, because it is larger than {LARGEST // 1_000_000} MB: {source[:300]}")

    def _free(self, name: str, raw: bytes) -> str:
        """A name that no other picture has, of letters that need no escape anywhere."""
        ending = next((end for sign, end in _ENDINGS.items() if raw.startswith(sign)), ".jpg")
        stem = re.sub(r"[^A-Za-z0-9-]", "-", slug(PurePosixPath(name).stem, "picture")).strip("-") or "picture"
        taken, count, free = set(self.names.values()), 1, f"{stem}{ending}"
        while free in taken:
            count += 1
            free = f"{stem}-{count}{ending}"
        return free


def _decoded(source: str) -> bytes:
    found = _DATA.match(source)
    if not found:
        raise _Lost("A picture was left out: its data: address cannot be read")
    data = unquote_to_bytes(found["data"])
    if not found["base64"]:
        return data
    try:
        return base64.b64decode(re.sub(rb"\s", b"", data), validate=True)
    except (binascii.Error, ValueError):
        raise _Lost("A picture was left out: its data: address cannot be read") from None


def _address(image: Image) -> str:
    """Where a picture lies when it does not lie beside the source."""
    if image.base and not image.source.lower().startswith("data:"):
        return urljoin(image.base, image.source)
    return image.source


def _link(source: str) -> str:
    source = f"https:{source}" if source.startswith("//") else source
    return source if re.match(r"https?://[^/?#\\\s]+", source, re.IGNORECASE) else ""


def _name(source: str) -> str:
    if source.startswith("data:"):
        return ""
    return PurePosixPath(unquote(urlsplit(source).path)).name if _link(source) else source


def _shown(source: str) -> str:
    return "in the source itself (data:)" if source.startswith("data:") else source[:300]
