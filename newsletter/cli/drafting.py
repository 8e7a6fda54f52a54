"""``newsletter new --from``: reading the source, choosing the entries of a feed, and what is told of the draft."""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from newsletter.cli import output
from newsletter.content.drafts import decode, digest
from newsletter.errors import BadInput, WrongUsage
from newsletter.files import display

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.config import Config
    from newsletter.content.drafts.decode import Kind
    from newsletter.content.drafts.feed import Entry, Feed
    from newsletter.content.drafts.importing import Imported

_KINDS = {"text": "plain text", "markdown": "Markdown", "html": "HTML", "feed": "a feed"}
_LISTED = 40


class Wanted(NamedTuple):
    """What the command line asks for."""

    source: str
    title: str = ""
    kind: Kind | None = None
    encoding: str = ""
    pick: str = ""
    since: str = ""
    limit: int | None = None

    @property
    def shown(self) -> str:
        """The source's name in messages."""
        return "standard input" if self.source == "-" else display(Path(self.source))

    @property
    def choosing(self) -> bool:
        """Whether entries are chosen by options."""
        return bool(self.pick or self.since or self.limit)


def import_draft(config: Config, wanted: Wanted) -> tuple[Imported, Kind]:
    """Make the issue of a source, and say what kind of source it was."""
    from newsletter.content.drafts import importing

    since = _moment(wanted.since, config)
    raw = _read(wanted)
    source = decode.decode(raw, wanted.shown, wanted.encoding)
    name = "" if wanted.source == "-" else Path(wanted.source).name
    kind = wanted.kind or decode.kind_of(source.text, name)
    if wanted.choosing and kind != "feed":
        message = f"--pick, --since and --limit are for feeds, and {wanted.shown} is {_KINDS[kind]}"
        raise WrongUsage(message, hint="Leave them out, or say that it is a feed: --as feed")
    doubts = [f"The encoding was guessed: {source.guessed}"] if source.guessed else []
    if source.dropped:
        doubts.append(f"Control characters that no mail may hold were left out: {source.dropped}")
    article = importing.article_of(source.text, kind, wanted.shown, lambda feed: _chosen(feed, wanted, since))
    made = importing.import_article(
        article._replace(doubts=tuple(doubts)),
        config,
        Path.cwd() if wanted.source == "-" else Path(wanted.source).parent,
        name=name,
        title=wanted.title,
        today=dt.datetime.now(config.timezone).date(),
        token=os.urandom(6).hex(),
    )
    return made, kind


def _read(wanted: Wanted) -> bytes:
    if wanted.source == "-":
        if sys.stdin.isatty():
            raise WrongUsage(
                "there is nothing on standard input", hint="For example: newsletter new --from - < draft.txt"
            )
        return sys.stdin.buffer.read(decode.LARGEST + 1)
    path = Path(wanted.source)
    try:
        with path.open("rb") as file:
            return file.read(decode.LARGEST + 1)
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise BadInput(f"{wanted.shown}: {reason}", hint="Name the file with the draft.") from None
    except ValueError:
        raise BadInput("the name of the file holds a character that no name may hold") from None


def _moment(text: str, config: Config) -> dt.datetime | None:
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--since: “{text}” is not an ISO date", hint="For example: --since 2026-11-01") from None
    return found if found.tzinfo else found.replace(tzinfo=config.timezone)


# -- the entries of a feed ----------------------------------------------------------------


def _chosen(feed: Feed, wanted: Wanted, since: dt.datetime | None) -> Sequence[Entry]:
    """The entries that the options name, or that the operator picks from a list."""
    entries = feed.entries
    if not wanted.choosing and len(entries) > 1:
        return _asked(feed, wanted)
    found = list(digest.picked(wanted.pick, len(entries))) if wanted.pick else list(range(len(entries)))
    if since:
        recent = digest.since(entries, since)
        found = [index for index in found if index in recent]
        if undated := sum(entry.date is None for entry in entries):
            output.note(f"{undated} {'entry' if undated == 1 else 'entries'} without a date left out.")
    if wanted.limit:
        found = found[: wanted.limit]
    if not found:
        dates = sorted(entry.date for entry in entries if entry.date)
        newest = f"The newest is of {dates[-1].date().isoformat()}." if dates else "None of them has a date."
        raise BadInput(f"{wanted.shown}: no entry is as recent as {wanted.since}", hint=newest)
    return [entries[index] for index in found]


def _asked(feed: Feed, wanted: Wanted) -> Sequence[Entry]:
    if wanted.source == "-" or not sys.stdin.isatty():
        message = f"{wanted.shown}: this feed has {len(feed.entries)} entries, and there is no terminal to choose on"
        raise WrongUsage(message, hint="Choose with --pick 1,3-5, --pick all, --since DATE or --limit N.")
    lines = [f"{feed.title or wanted.shown}: {len(feed.entries)} entries"]
    for number, entry in enumerate(feed.entries[:_LISTED], 1):
        day = entry.date.date().isoformat() if entry.date else " " * 10
        lines.append(f"{number:>4}  {day}  {digest.named(entry)}")
    if len(feed.entries) > _LISTED:
        lines.append(f"      … and {len(feed.entries) - _LISTED} more, which can be named by their numbers")
    click.echo("\n".join(lines), err=True)
    while True:
        try:
            found = digest.picked(click.prompt("Which ones, such as 1,3-5 or all", err=True), len(feed.entries))
        except BadInput as error:
            click.echo(str(error), err=True)
        else:
            return [feed.entries[index] for index in found]


# -- what is told -------------------------------------------------------------------------


def as_data(made: Imported, kind: Kind) -> dict[str, Any]:
    """The draft for a script."""
    return {
        "path": str(made.path),
        "slug": made.path.parent.name,
        "kind": kind,
        "title": made.draft.title,
        "recognised": list(_recognised(made)),
        "pictures": list(made.pictures),
        "comments": [{"line": line, "text": text} for line, text in made.remarks],
    }


def tell(made: Imported, kind: Kind) -> None:
    """The draft for a person."""
    shown = display(made.path)
    output.say(f"{output.style('made', fg='green')}  {shown}")
    for name in made.pictures:
        output.say(f"{output.style('made', fg='green')}  {display(made.path.parent / name)}")
    output.say(f"\nRead as {_KINDS[kind]}. Recognised: {', '.join(_recognised(made)) or 'nothing but the text'}.")
    if looks := made.remarks:
        output.say(f"\n{len(looks)} {'place' if len(looks) == 1 else 'places'} to look at:")
        for line, text in looks:
            first = text.partition("\n")[0]
            output.say(f"  {shown}:{line}: {first if len(first) <= 160 else first[:160] + ' …'}")
    output.hint(f"\nNext: look it over, then run: newsletter build {made.path.parent.name}")


def _recognised(made: Imported) -> tuple[str, ...]:
    from newsletter.content.drafts.nouns import Box, Figure, Heading

    draft = made.draft
    keys = ("title", "kicker", "dek", "authors", "place", "date", "credits", "lang")
    found = [key for key in keys if getattr(draft, key)]
    for kind, word in ((Box, "note"), (Heading, "section head"), (Figure, "picture")):
        if count := sum(isinstance(block, kind) for block in draft.blocks):
            found.append(f"{count} {word}{'' if count == 1 else 's'}")
    if draft.notes:
        found.append(f"{len(draft.notes)} footnote{'' if len(draft.notes) == 1 else 's'}")
    return tuple(found)
