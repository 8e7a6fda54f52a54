"""``newsletter db``: backup, check, upgrade, restore, adopt."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli import adopting, keeping, output, wiring
from newsletter.cli.app import Call, group
from newsletter.cli.telling import size
from newsletter.config import secret
from newsletter.errors import WrongUsage
from newsletter.files import display

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.store.backup import Copied

_FILE = click.Path(path_type=Path, dir_okay=False)


@group()
def db(call: Call) -> None:
    """Back the database up, look it over, bring it up to date, put a backup back."""
    del call


@db.sub()
@click.option("--to", "to", type=_FILE, metavar="FILE", help="Write it there; a file that exists is never overwritten.")
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep only the newest N copies without a FILE.")
def backup(call: Call, to: Path | None, keep: int | None) -> None:
    """Copy the database, whole and consistent, also while mail is sent.

    Without --to the copy lies in .newsletter/backups, named by the time. It is looked over before it counts.
    It holds everybody's address: only you can read it, and it should stay that way.

    \b
    Examples:
      newsletter db backup --keep 14
      newsletter db backup --to /media/disk/letters.db
    """
    if to is not None and keep is not None:
        raise WrongUsage("--keep prunes copies in .newsletter/backups, and --to writes elsewhere", hint="Give one.")
    config = call.config()
    source = keeping.existing(config)
    made = _backed_up(source, to, keep)
    if call.json:
        pruned = [str(path) for path in made.pruned]
        output.emit({"file": str(made.path), "bytes": made.bytes, "pruned": pruned})
        return
    output.say(f"{output.style(display(made.path), bold=True)}  {size(made.bytes)}, looked over and sound")
    for path in made.pruned:
        output.say(f"  removed {display(path)}")
    output.hint("\nKeep a copy on another machine too. To put it back: newsletter db restore FILE")


def _backed_up(source: Path, to: Path | None, keep: int | None) -> Copied:
    from newsletter.store import backup as backups
    from newsletter.store.clock import utcnow

    pages = max(1, source.stat().st_size // 4096)
    with output.progress(pages, "Copying", unit="pages") as advance:
        done = 0

        def told(progress: backups.Progress) -> None:
            nonlocal done
            advance(progress.done - done)
            done = progress.done

        if to is not None:
            return backups.copy(source, to, told=told)
        folder = source.parent / backups.FOLDER
        with backups.alone(folder):
            made = backups.copy(source, backups.free_name(folder, source, utcnow()), told=told)
            return made._replace(pruned=backups.prune(folder, source, keep) if keep else ())


@db.sub()
@click.argument("file", type=_FILE, required=False)
def check(call: Call, file: Path | None) -> int:
    """Look the database, or a backup, over; nothing is changed.

    SQLite's own checks first, then what must hold in a sound ledger: counts that add up, ends that are ends,
    events that fit. Exit code 1 when something doesn't hold, 65 when the file is damaged.

    \b
    Examples:
      newsletter db check
      newsletter db check .newsletter/backups/newsletter-20261125T080000Z.db --json
    """
    config = call.config()
    path = file or keeping.existing(config)
    live = keeping.same(path, config.database)
    report = keeping.look_over(path, lambda: secret(config.root), (lambda: _aged(config)) if live else str)
    if call.json:
        output.emit(keeping.report_json(report))
    else:
        keeping.show_report(report, live=live)
    return report.code


def _aged(config: Config) -> str:
    """What the mark beside the database says against it."""
    from newsletter.store import mark

    opened = wiring.database(config)
    if opened is None:
        return ""
    try:
        return mark.why(opened, mark.look(opened).standing)
    finally:
        opened.close()


@db.sub()
@click.option("--check", "only_check", is_flag=True, help="Only tell; exit code 1 when there is something to do.")
def upgrade(call: Call, *, only_check: bool) -> int:
    """Bring the database up to date with this program, after a backup.

    Every command does so by itself when it has to. It happens whole or not at all.

    \b
    Examples:
      newsletter db upgrade --check
      newsletter db upgrade
    """
    from newsletter.store import examine, migrate
    from newsletter.store.database import upgrade as upgraded

    config = call.config()
    path = keeping.existing(config)
    with examine.looking(path) as connection:
        before = migrate.known(connection, path)
    made = None if only_check else upgraded(path, before=partial(wiring.refuse_other_version, config))
    due = before != migrate.HEAD
    copy = made.copy if made else None
    if call.json:
        data = {"from": before, "to": migrate.HEAD, "upgraded": made is not None, "backup": str(copy) if copy else None}
        output.emit(data)
    elif made is not None:
        output.say(
            f"{output.style('Upgraded.', fg='green', bold=True)} Schema {made.version or 'none'} → {migrate.HEAD}."
        )
        if copy:
            output.hint(f"\nAs it was before: {display(copy)}")
    elif due and only_check:
        output.say(f"Schema {before or 'none'}; this program works with {migrate.HEAD}. Nothing was changed.")
        output.hint("\nNext: newsletter db upgrade")
    else:
        output.say(f"Schema {migrate.HEAD}: up to date.")
    return int(due and only_check)


@db.sub()
@click.argument("file", type=_FILE)
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(call: Call, file: Path, *, yes: bool) -> None:
    """Put a backup in the database's place; what stood there is kept.

    Stop `newsletter serve` first, and start it again afterwards. If mail has left since the backup was made,
    nothing is sent until you decide how to go on: `newsletter db adopt`.

    \b
    Example:
      newsletter db restore .newsletter/backups/newsletter-20261125T080000Z.db
    """
    from newsletter.store import putback
    from newsletter.store.clock import utcnow

    config = call.config()
    if keeping.same(file, config.database):
        raise WrongUsage(f"{display(file)} is the database itself", hint="Name a backup.")
    keeping.refuse_other(file, config.database)
    keeping.refuse_running(config)
    if not yes:
        keeping.confirm_restore(file, config.database)
    kept = putback.put_back(file, config.database, utcnow())
    wrong = _aged(config)
    if call.json:
        data = {"file": str(config.database), "from": str(file), "kept": str(kept) if kept else None}
        output.emit(data | {"decision_due": bool(wrong)})
        return
    output.say(f"{output.style('Restored.', fg='green', bold=True)} {display(config.database)} is {display(file)} now.")
    if kept:
        output.say(f"  what stood there  {display(kept)}")
    if wrong:
        output.warn(f"{wrong}.")
    output.hint("\nNext: newsletter db adopt" if wrong else "\nNext: newsletter db check")


@db.sub()
@click.option("--doubt", is_flag=True, help="Whoever may have been mailed since is in doubt.")
@click.option(
    "--assume", type=click.Choice(["unsent"]), help="Nothing left since: mail them as if nothing had happened."
)
def adopt(call: Call, assume: str | None, *, doubt: bool) -> int:
    """Go on with a ledger that was put back, or whose mark is gone.

    A small file beside the database remembers how far mail has gone. When the database is behind it, mail has
    left that it does not know of, and nothing is sent. Without an option this shows what is lost and what you
    can say; nothing is changed.

    \b
    Examples:
      newsletter db adopt
      newsletter db adopt --doubt
    """
    from newsletter.store.mark import Standing

    if doubt and assume:
        raise WrongUsage("--doubt and --assume unsent contradict each other", hint="Give one.")
    config = call.config()
    keeping.existing(config)
    opened = wiring.made(config)
    try:
        found = adopting.case(config, opened)
        word = "doubt" if doubt else assume
        due = found.seen.standing is not Standing.FINE
        doubtful = adopting.adopt(opened, found, word) if due and word else 0
    finally:
        opened.close()
    if call.json:
        output.emit(adopting.case_json(found, word if due else None, doubtful))
    elif not due:
        output.say("This ledger is the newest state that this workspace knows of: there is nothing to decide.")
    elif word:
        adopting.tell_adopted(found, doubtful, pulls=config.real)
    else:
        adopting.explain(config, found)
    return int(due and not word)
