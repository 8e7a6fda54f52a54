"""An issue folder becomes an ``Issue``, or an error with everything that is wrong with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from newsletter.content.blocks import read_body
from newsletter.content.data import load_data
from newsletter.content.fields import Fields
from newsletter.content.frontmatter import Front, locate, read_front, split
from newsletter.content.inline import read_inline
from newsletter.content.pictures import Gallery, Widths
from newsletter.content.reading import Reading
from newsletter.content.rules import parser
from newsletter.content.source import Source, read_source
from newsletter.errors import BadInput, Problem
from newsletter.files import display
from newsletter.headers import unsafe
from newsletter.model import Issue, Place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from newsletter.config import Config

FILE = "index.md"


def load_issue(
    folder: Path, config: Config, *, cache: Path | None = None, keep: bool = True, widths: Widths | None = None
) -> Issue:
    """Read the issue in ``folder``; encoded pictures are looked up and, with ``keep``, kept below ``cache``.

    Raises ``BadInput`` with every problem of front matter, fields, containers, links and pictures.
    """
    problems: list[Problem] = []
    _check_folder(folder)
    source = read_source(folder / FILE, problems)
    if source is None:
        raise BadInput(problems)
    yaml, body = split(source, problems)
    front = read_front(yaml, source, folder.absolute().name, config, problems)
    fields = Fields(front.lang, load_data(folder, front.data, problems), problems)
    headers = {key: _personal(key, text, front, source, fields) for key, text in front.personal.items()}
    lifted = Source(source.path, fields.lift(body, lambda offset, _: source.place(offset)), source.starts)
    gallery = Gallery(folder, cache, problems, keep=keep)
    reading = Reading(lifted, problems, fields, gallery, widths or Widths(), parser(front.lang))
    issue = _read(folder.absolute().name, front, headers, reading)
    if problems:
        raise BadInput(dict.fromkeys(problems))
    return issue


def _read(slug: str, front: Front, headers: Mapping[str, str], reading: Reading) -> Issue:
    """The issue as far as it can be read; it is sound when no problem was reported."""
    start = Place(reading.source.path)
    blocks, footnotes = read_body(reading)
    return Issue(
        id=front.id,
        slug=slug,
        title=front.title,
        subject=headers["subject"],
        preheader=headers["preheader"],
        number=front.number,
        date=front.date,
        location=front.location,
        kicker=front.kicker,
        dek=read_inline(reading, front.dek, dict(front.places).get("dek", start)),
        authors=front.authors,
        credits=tuple(read_inline(reading, text, place) for text, place in front.credits),
        lang=front.lang,
        theme=front.theme,
        sender=front.sender,
        reply_to=front.reply_to,
        canonical_url=front.canonical_url,
        fields=tuple(reading.fields.found),
        blocks=blocks,
        footnotes=footnotes,
        pictures=tuple(reading.gallery.taken.values()),
        place=start,
        places=front.places,
    )


def _check_folder(folder: Path) -> None:
    name = folder.absolute().name
    if not (folder / FILE).is_file():
        message = f"{display(folder)}: there is no {FILE} in this folder"
        raise BadInput(message, hint="Name an issue's folder, or make one with `newsletter new`.")
    if unsafe(name) or os.fsencode(name).decode("utf-8", "replace") != name:
        message = f"{name!r}: the folder's name holds characters that cannot be shown"
        raise BadInput(message, hint="Rename the folder: letters, digits and hyphens serve best.")


def _personal(key: str, text: str, front: Front, source: Source, fields: Fields) -> str:
    """A subject or preheader with final marks."""
    places = dict(front.places)
    if "{{" not in text or key not in places:
        return text
    start = places[key]
    seen: dict[str, Place] = {}

    def place(_: int, piece: str) -> Place:
        # The same field a second time stands behind the first.
        after = seen.get(piece)
        found = locate(source, piece, Place(after.path, after.line, after.col + 1) if after else start)
        seen[piece] = found
        return found

    done = fields.text(fields.lift(text, place))
    if reason := unsafe(done):
        fields.problems.append(
            Problem(start, f"“{key}” cannot be used: {reason}", "Look at the data that stands in it.")
        )
    elif "=?" in done:
        fields.problems.append(
            Problem(
                start, f"“{key}” holds both an encoded word (=?) and a merge field", "Write the characters themselves."
            )
        )
    return done
