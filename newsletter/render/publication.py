"""What the public sees: the page of an issue, and the index of all of them.

A page lies in a folder of its own, ``<slug>/index.html``; the pictures of all pages lie in ``images/`` beside those
folders, and the index above them. Links between them are relative, so that the whole may be put anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from newsletter import personal
from newsletter.errors import BadInput, Problem
from newsletter.model import Page, Published
from newsletter.render.edition import Press, needs_reader, not_too_deep
from newsletter.render.inline import plain, safe
from newsletter.render.jinja import Templates
from newsletter.render.showing import shown
from newsletter.render.theme import INDEX
from newsletter.render.words import day, direction, numbered, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from newsletter.config import Config
    from newsletter.model import Field, Issue
    from newsletter.render.theme import Theme


def page(issue: Issue, theme: Theme, config: Config, slug: str) -> Page:
    """The public page of an issue in the folder ``slug``.

    Raises ``BadInput`` at every merge field on it that says nothing without a reader. The theme's template is not
    given ``unsubscribe_url`` and ``view_url``: a page that anybody may read belongs to no reader.
    """
    with not_too_deep(issue):
        press = Press(shown(issue, {}), theme, config)
        more = {"home": "../"}
        if not issue.canonical_url:
            more["canonical_url"] = address(config, slug)
        cut = press.page("../images/", more)
    if problems := list(_empty(press.fields[index] for index in sorted(personal.used([cut])))):
        raise BadInput(problems)
    dek = plain(issue.dek) or press.preheader()
    about = Published(issue.id, slug, issue.number, issue.title, dek, issue.lang, issue.date)
    return Page(about, press.readerless(cut), press.pictures())


def _empty(fields: Iterator[Field]) -> Iterator[Problem]:
    for field in fields:
        if field.name in personal.LINKS:
            message = f"“{field.name}” is each reader's own, and the web page is for anybody"
            yield Problem(field.place, message, "Put this part into ::: email-only.")
        elif needs_reader(field):
            message = f"“{field.name}” has no value on the web page, which is for anybody"
            hint = f'Give it a default: {{{{ {field.name} | default("…") }}}}, or put this part into ::: email-only.'
            yield Problem(field.place, message, hint)


def index(issues: Sequence[Published], theme: Theme, config: Config) -> str:
    """The index of the archive: ``issues`` in the order in which they are listed."""
    own = words(config.lang)
    values = {
        "c": theme.settings,
        "w": theme.widths,
        "logo": None,
        "style": safe(theme.page),
        "words": own,
        "lang": config.lang,
        "dir": direction(config.lang),
        "name": config.name,
        "title": own["archive"],
        "description": own["archive_of"].format(name=config.name),
        "canonical_url": address(config),
        "postal_address": config.postal_address,
        "issues": [_listed(each) for each in issues],
    }
    return Templates(theme.sources, theme.compiled).render(INDEX, values)


def _listed(issue: Published) -> dict[str, str]:
    """An issue in the words of its own language."""
    return {
        "href": _folder(issue.slug),
        "lang": issue.lang,
        "dir": direction(issue.lang),
        "number": numbered(issue.number, words(issue.lang)),
        "title": issue.title,
        "dek": issue.dek,
        "date": issue.date.date().isoformat(),
        "day": day(issue.date, issue.lang),
    }


def address(config: Config, slug: str = "") -> str:
    """Where a page, or the index, is found; empty when nobody said where the archive is served."""
    base = config.assets_url or config.public_url
    return f"{base}/{_folder(slug) if slug else ''}" if base else ""


def _folder(slug: str) -> str:
    return f"{quote(slug)}/"
