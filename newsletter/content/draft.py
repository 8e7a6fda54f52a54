"""A new issue: a folder with an ``index.md`` in which every key is explained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from newsletter import files
from newsletter.content.frontmatter import ID
from newsletter.content.slugs import slug
from newsletter.errors import BadInput
from newsletter.files import display
from newsletter.headers import unsafe
from newsletter.personal import PRIVATE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from newsletter.config import Config

_HEAD = """\
---
# What tells this issue from all others, whatever its folder is called. Leave it as it is.
id: {id}

title: {title}

# The subject of the mail; the title when left out. Merge fields may stand in it, in quotes:
# subject: "{{{{ first_name | default('Hello') }}}}, here is the new issue"

# The grey line that inboxes show behind the subject: 40 to 100 characters that make one want to read on.
preheader: ""

# Take the first # away from what you need:
# date: {date}    # the folder's date when left out; with a time: {date}T08:00
# number: 1    # the issue's number
# place: Hamburg    # where it was written
# kicker: Field notes    # a word or two above the headline
# dek: One sentence below the headline, with *emphasis* if you like.
# authors: [Ada Moreno]    # one name, or a list
# credits: ["Pictures: [A. Person](https://example.org)"]
# lang: {lang}    # the language, such as en, de or pt-BR
# theme: {theme}    # a folder in templates/
# from: {sender}    # the sender of this issue
# reply_to: editors@example.org    # where answers go
# canonical_url: https://example.org/first    # where this first appeared
# data: figures.yaml    # values for {{{{ data.key }}}}: a YAML or JSON file beside this one, or a list of them
---
"""

_BODY = """\

Write here, in Markdown. A picture lies beside this file and stands in a paragraph of its own:
`![What it shows](photo.jpg "The caption")`.

::: note Before you begin
Boxes, buttons, columns and figures stand between lines of colons, like this one. Values of a
reader stand in double braces, with a word for those who have none: dear {{{{ first_name | default("reader") }}}}.
:::

## A section

Make the mail with `newsletter build`, look it over with `newsletter check`, and send it with `newsletter send`.
"""


def draft(config: Config, title: str, *, today: dt.date, token: str) -> Path:
    """Make ``issues/<today>-<slug>/index.md`` with ``token`` as its id, and return its path.

    Raises ``BadInput`` when the title cannot be one, or the folder is there already.
    """
    title = " ".join(title.split()) if not unsafe(title.strip()) else title
    if not title.strip():
        raise BadInput("an issue needs a title", hint='For example: newsletter new "What we saw at the harbour"')
    if reason := unsafe(title) or _unusual(title):
        message = f"the title cannot be used: {reason}"
        raise BadInput(message, hint="Write it on one line, as plain words.")
    return make(config, title, head(config, title, today=today, token=token) + _BODY.format(), {}, today=today)


def head(config: Config, title: str, *, today: dt.date, token: str) -> str:
    """The front matter of a new issue, with every key in it, most of them as comments."""
    if not ID.fullmatch(token):
        message = "an id is 6 to 64 letters, digits, - or _"
        raise ValueError(message)
    return _HEAD.format(
        id=token if not token.isdigit() else f'"{token}"',
        title=json.dumps(title, ensure_ascii=False),
        date=today.isoformat(),
        lang=config.lang,
        theme=config.theme,
        sender=json.dumps(f"{config.sender.name} <{config.sender.address}>".strip(), ensure_ascii=False),
    )


def make(config: Config, title: str, text: str, pictures: Mapping[str, bytes], *, today: dt.date) -> Path:
    """Make ``issues/<today>-<slug>/`` with its ``index.md`` and pictures, or nothing; the path of the ``index.md``.

    Raises ``BadInput`` when the folder is there already.
    """
    path = config.root / config.issues / f"{today.isoformat()}-{slug(title, 'issue')}" / "index.md"
    files.make_folder(path.parent.parent)
    with files.writing(path.parent):
        try:
            path.parent.mkdir()
        except FileExistsError:
            message = f"{display(path.parent)}: this folder is there already"
            raise BadInput(message, hint="Choose another title; nothing was changed.") from None
    try:
        for name, data in pictures.items():
            files.write(path.parent / name, data)
        files.write(path, text)
    except BaseException:
        for name in pictures:
            (path.parent / name).unlink(missing_ok=True)
        path.parent.rmdir()
        raise
    return path


def _unusual(title: str) -> str:
    if "{{" in title:
        return "merge fields may stand in the subject, not in the title"
    return "it holds a character that no text may hold" if PRIVATE.search(title) else ""
