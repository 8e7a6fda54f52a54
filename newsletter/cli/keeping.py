"""Looking the database over, telling what was found, and what must hold before a backup is put back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from newsletter.cli import output
from newsletter.cli.telling import size
from newsletter.errors import BadConfig, BadInput, Blocked, WrongUsage
from newsletter.files import display

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from newsletter.config import Config
    from newsletter.store.examine import Flaw

DAMAGED = 65


def existing(config: Config) -> Path:
    """The workspace's database file; ``Blocked`` when there is none yet."""
    if not config.database.exists():
        message = f"{display(config.database)}: there is no database yet"
        raise Blocked(message, hint="The first import makes it: newsletter subscribers import people.csv")
    return config.database


def same(file: Path, database: Path) -> bool:
    """Whether both are the same file, also by a link."""
    return file.exists() and database.exists() and file.samefile(database)


def refuse_running(config: Config) -> None:
    """Raise ``Blocked`` while a process of this machine sends."""
    from newsletter.delivery import owners

    if owners.at_work(config.state / "locks"):
        message = f"{display(config.database)}: mail is being sent from it"
        raise Blocked(message, hint="Wait for it, or hold it with `newsletter pause`; then run the same command again.")


# -- looking over ---------------------------------------------------------------------


class Report(NamedTuple):
    """What was found: damage makes all else unreliable; ``unseen`` is what could not be looked at, and why."""

    path: Path
    version: str | None
    damage: tuple[str, ...]
    flaws: tuple[Flaw, ...]
    unseen: tuple[str, ...]

    @property
    def code(self) -> int:
        """The exit code."""
        return DAMAGED if self.damage else int(bool(self.flaws))


def look_over(path: Path, secret: Callable[[], str], mark: Callable[[], str]) -> Report:
    """Look a database or a backup over; nothing is changed. ``mark`` says what is wrong with its age, if anything.

    Raises ``BadInput`` for a file that is no database of ours, or of a newer version.
    """
    from newsletter.store import examine, migrate

    with examine.looking(path) as connection:
        if damage := examine.damage(connection):
            return Report(path, None, damage, (), ())
        version = examine.version(connection, path)
        flaws = list(examine.references(connection))
        unseen: list[str] = []
        if version == migrate.HEAD:
            flaws += _ledger(connection, secret, unseen)
        else:
            unseen.append(f"the ledger, because its schema is {version}: newsletter db upgrade")
    if version == migrate.HEAD and (wrong := mark()):
        flaws.append(_aged(wrong))
    return Report(path, version, (), tuple(flaws), tuple(unseen))


def _ledger(connection: Connection, secret: Callable[[], str], unseen: list[str]) -> Iterator[Flaw]:
    from newsletter.audience import erased
    from newsletter.delivery import invariants
    from newsletter.store.examine import EXAMPLES, Flaw

    yield from invariants.flaws(connection)
    try:
        back = list(erased.returned(connection, secret))
    except BadConfig:
        unseen.append("whether erased people came back, because NEWSLETTER_SECRET is not set")
        return
    if back:
        yield Flaw(
            "erased",
            "people who were erased are on the list again",
            len(back),
            tuple(back[:EXAMPLES]),
            "They asked to be forgotten, and would be mailed. An older copy of the database brings them back.",
            "Erase each of them again: newsletter subscribers erase ADDRESS",
        )


def _aged(wrong: str) -> Flaw:
    from newsletter.store.examine import Flaw

    return Flaw(
        "age",
        wrong.partition(": ")[2],
        1,
        (wrong.partition(": ")[0],),
        "Whoever got mail since would get it again, so nothing is sent.",
        "Decide how to go on: newsletter db adopt",
    )


def show_report(report: Report, *, live: bool) -> None:
    """What was found, for people: in the database itself when it is ``live``, else in a backup."""
    name, bytes_ = display(report.path), size(report.path.stat().st_size)
    if report.damage:
        output.say(f"{output.style(name, bold=True)}: {output.style('damaged', fg='red', bold=True)} ({bytes_})")
        for line in report.damage:
            output.say(f"  {line}")
        use = "Use it no more. Put a backup in its place: newsletter db restore FILE"
        output.hint(f"\n{use if live else 'It is of no use as a backup. Look another one over.'}")
        return
    state = output.style("not sound", fg="red", bold=True) if report.flaws else output.style("sound", fg="green")
    output.say(f"{output.style(name, bold=True)}: {state} (schema {report.version}, {bytes_})")
    for flaw in report.flaws:
        times = f" ({flaw.number:,} times)" if flaw.number > 1 else ""
        output.say(f"\n  {output.style(flaw.message, bold=True)}{times} [{flaw.rule}]")
        output.say(f"    where       {', '.join(flaw.places)}{' …' if flaw.number > len(flaw.places) else ''}")
        output.say(f"    means       {flaw.means}")
        output.say(f"    what to do  {flaw.todo}")
    for what in report.unseen:
        output.warn(f"Not looked at: {what}")


def report_json(report: Report) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "file": str(report.path),
        "schema": report.version,
        "sound": report.code == 0,
        "damage": list(report.damage),
        "flaws": [flaw._asdict() for flaw in report.flaws],
        "unseen": list(report.unseen),
    }


# -- asked ----------------------------------------------------------------------------


def confirm_restore(copy: Path, database: Path) -> None:
    """Ask before the database is replaced; ``WrongUsage`` without a terminal."""
    if not sys.stdin.isatty():
        raise WrongUsage("there is no terminal to confirm on", hint="Run this command with --yes.")
    if not click.confirm(f"Put {display(copy)} in the place of {display(database)}?", default=False, err=True):
        raise Blocked("Not confirmed: nothing was changed.")


def refuse_other(copy: Path, database: Path) -> None:
    """Raise ``BadInput`` for a file that cannot be the database, ``Blocked`` for another newsletter's."""
    from newsletter.store import examine

    with examine.looking(copy) as connection:
        if damage := examine.damage(connection):
            raise BadInput(f"{display(copy)}: this backup is damaged: {damage[0]}", hint="Choose another one.")
        examine.version(connection, copy)
        theirs = examine.instance(connection)
    ours = _instance(database)
    if ours and ours != theirs:
        message = f"{display(copy)}: this is a backup of another newsletter's database"
        raise Blocked(message, hint=f"If it is the one you want, move {display(database)} away first.")


def _instance(database: Path) -> str:
    """The id of the ledger in the database; empty when it cannot be read, which is why it is replaced."""
    from newsletter.store import examine

    if not database.exists():
        return ""
    with examine.looking(database) as connection:
        return "" if examine.damage(connection) else examine.instance(connection)
