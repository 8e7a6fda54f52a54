"""A source of any kind becomes an issue folder."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from newsletter.content.draft import make
from newsletter.content.drafts import digest, feed, front, html, markdown, pictures, plain, write
from newsletter.content.drafts.recognise import recognise
from newsletter.content.source import LARGEST
from newsletter.errors import BadInput

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.content.drafts.decode import Kind
    from newsletter.content.drafts.feed import Entry, Feed
    from newsletter.content.drafts.nouns import Article, Draft

    Chooser = Callable[[Feed], Sequence[Entry]]

_REMARK = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)


class Imported(NamedTuple):
    """An issue that was made: its file, its draft, and the comments to look at, by line."""

    path: Path
    draft: Draft
    pictures: tuple[str, ...]
    remarks: tuple[tuple[int, str], ...]


def article_of(text: str, kind: Kind, shown: str, choose: Chooser) -> Article:
    """The article of a text; ``choose`` is asked which entries of a feed are wanted."""
    if kind == "feed":
        found = feed.read(text, shown)
        return digest.article(found, choose(found))
    return {"text": plain.read, "markdown": markdown.read, "html": html.read}[kind](text)


def import_article(
    article: Article,
    config: Config,
    folder: Path,
    *,
    name: str,
    title: str,
    today: dt.date,
    token: str,
) -> Imported:
    """Make the issue folder of an article; its relative pictures lie in ``folder``.

    Raises ``BadInput`` when there is nothing in it, the text is too long for an issue, or its folder is there already.
    """
    fallback = PurePath(name).stem.replace("-", " ").replace("_", " ").strip() if name else ""
    draft = recognise(article, title=title, fallback=fallback or "A draft", lang=config.lang)
    draft, files = pictures.settle(draft, folder)
    body = write.body(draft.blocks, draft.notes)
    if not _REMARK.sub("", body).strip() and not draft.dek:
        raise BadInput(f"{name or 'the draft'}: there is no text in it", hint="Name a file that holds the draft.")
    text = f"{front.front(draft, config, today=today, token=token)}\n{body}"
    if len(text.encode()) > LARGEST:
        message = f"{name or 'the draft'}: the text is larger than {LARGEST:,} bytes, which is too long for an issue"
        raise BadInput(message, hint="Cut it into several issues.")
    path = make(config, front.line(draft.title), text, files, today=today)
    start = text.index("\n---\n", 4)
    found = [*front.DOUBT.finditer(text, 0, start), *_REMARK.finditer(text, start)]
    return Imported(
        path, draft, tuple(files), tuple((text.count("\n", 0, each.start()) + 1, each[1]) for each in found)
    )
