"""Erasing a person everywhere: the ledger, then files, then backups, then what the database's file still holds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import click
from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from newsletter.audience import erased, erasing
from newsletter.audience.people import address_of
from newsletter.cli import output, traces
from newsletter.delivery import forgetting
from newsletter.errors import BadInput, Blocked, NewsletterError, TryLater, WrongUsage
from newsletter.files import display, writing
from newsletter.store import backup, mentions
from newsletter.store.clock import utcnow
from newsletter.store.database import Database, open_copy

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from newsletter.audience.erasing import Leaver
    from newsletter.config import Config


class Erased(NamedTuple):
    """What was erased; ``again`` when the address had been erased before, ``left`` names files that still hold it."""

    again: bool
    copies: int
    mails: int
    backups: tuple[str, ...]
    left: tuple[tuple[str, str], ...]


def check(database: Database, leaver: Leaver) -> None:
    """Raise ``BadInput`` when nobody has the address and nobody who had it was erased."""
    with database.read() as connection:
        if erasing.person_of(connection, leaver) is None and not erased.kept(connection, leaver.hash):
            hint = "Look with: newsletter subscribers list --search TEXT"
            raise BadInput("nobody on the list has this address, and nobody who had it was erased", hint=hint)


def erase(config: Config, database: Database, leaver: Leaver) -> Erased:
    """Erase the address; doing it again finishes what was interrupted.

    The person goes in one transaction, first of all. Raises ``Blocked`` while a call with them in it
    is under way, and ``TryLater`` when all is done but what another process keeps from being
    overwritten.
    """
    again, copies = _erase_in(database, leaver, utcnow())
    with database.read() as connection:
        gone = erasing.gone(connection)
    files = traces.remove(config.state, config.root / "build", leaver, gone)
    backups, bad = _backups(database, leaver)
    try:
        database.compact()
    except TryLater as error:
        message = "The address is erased, but another process uses the database, and its files hold older pages still"
        hint = "Run the same command again when that process has ended; it finishes the work."
        raise TryLater(message, hint=hint) from error
    return Erased(again, copies, files.mails, backups, (*files.left, *bad))


def _erase_in(database: Database, leaver: Leaver, now: dt.datetime, *, copy: bool = False) -> tuple[bool, int]:
    """One transaction, in the database or in a backup (nobody sends from that): was nobody there; copies."""
    with database.write() as connection:
        who = erasing.person_of(connection, leaver)
        if not copy:
            forgetting.settle(connection, who, leaver.mentions, now)
        copies = 0
        if who is not None:
            copies = forgetting.blank(connection, who)
            erasing.blank(connection, who, now)
        mentions.blank(connection, leaver.mentions)
        if not copy or inspect(connection).has_table("erased"):
            erased.keep(connection, leaver.hash, now)
        return who is None, copies


def _backups(database: Database, leaver: Leaver) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Erase in every backup that lies in the workspace; those that cannot be written are named."""
    done: list[str] = []
    bad: list[tuple[str, str]] = []
    folder, name = database.path.parent, database.path.name
    backups = folder / backup.FOLDER
    with backup.alone(backups):  # no copy is under way, and halves of those that were killed go
        for half in (*folder.glob(f".{name}.*.part"), *folder.glob(f"{name}.*.bak.part")):
            with writing(half):
                half.unlink(missing_ok=True)  # a migration that was killed left it; the database is migrated since
    for path in (*sorted(folder.glob(f"{name}.*.bak")), *sorted(backups.glob("*.db"))):
        problem = _backup(path, leaver)
        if problem:
            bad.append((display(path), f"{problem}; remove it, or mend it and run the same command again"))
        else:
            done.append(display(path))
    return tuple(done), tuple(bad)


def _backup(path: Path, leaver: Leaver) -> str:
    """Erase in one backup; what went wrong, empty for nothing."""
    try:
        copy = open_copy(path)
        try:
            _erase_in(copy, leaver, utcnow(), copy=True)
            copy.compact()
        finally:
            copy.close()
    except NewsletterError as error:
        return error.message.removeprefix(f"{display(path)}: ")
    except SQLAlchemyError:
        return "this backup does not have the tables that it should have"
    return ""


# -- asked and shown ------------------------------------------------------------------


def confirm(leaver: Leaver) -> None:
    """Ask the operator to type the address; anything else raises ``Blocked``, no terminal ``WrongUsage``."""
    if not sys.stdin.isatty():
        raise WrongUsage("there is no terminal to confirm on", hint="Run this command with --yes.")
    typed = click.prompt("Type the address again to erase it for good", default="", show_default=False, err=True)
    if not typed.strip() or address_of(typed)[1] != leaver.key:
        raise Blocked("Not confirmed: nothing was erased.")


def show(done: Erased) -> None:
    """What was erased, without the address: it shall stand in no log either."""
    output.say(f"{output.style('erased', fg='green')}  {_what(done)}")
    for path in done.backups:
        output.hint(f"        {path}: erased there too")
    for path, advice in done.left:
        output.warn(f"{path} still holds the address: {advice}")
    if not done.left:
        output.hint("\nA keyed hash keeps them off the list, as long as NEWSLETTER_SECRET stays the same.")


def _what(done: Erased) -> str:
    if done.again:
        return "This address had been erased; whatever was left of it is gone now."
    copies = f"{done.copies:,} {'copy' if done.copies == 1 else 'copies'} in the ledger"
    return f"One person, {copies}, {done.mails:,} trial mail{'' if done.mails == 1 else 's'}."
