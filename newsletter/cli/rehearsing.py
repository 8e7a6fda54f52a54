"""What `newsletter rehearse` puts together: a copy of the ledger, a hostile provider, and a clock that never waits."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from newsletter.cli import output, sending
from newsletter.cli.rehearsalreport import Cast, Report
from newsletter.errors import Blocked, WrongUsage
from newsletter.files import make_folder

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.delivery.ledger import Send
    from newsletter.delivery.rehearsal import Played
    from newsletter.links import Links
    from newsletter.model import Edition
    from newsletter.providers.hostile.fates import Plan
    from newsletter.providers.hostile.truth import Truth
    from newsletter.store.database import Database

FOLDER = "rehearsals"
LEDGER = "ledger.db"
"""Not the database's own name: whatever looks for a person's traces finds it as a file like any other."""


def cast(config: Config, like: str, faults: str, seed: int | None, kills: int) -> Cast:
    """What was asked for; ``WrongUsage`` for a fault that there is not, or not at a provider like this."""
    from newsletter.providers.hostile import likes, mishaps

    can, prepares = likes.like(like, config)
    drawn = plan(faults, seed)
    fitting = mishaps.fitting(can)
    refuse_impossible(drawn, {each.name for each in fitting}, f"at a provider like {like}")
    return Cast(like, faults, drawn.only(fitting), kills, can, prepares)


def plan(faults: str, seed: int | None) -> Plan:
    """What goes wrong; without a seed, one that is drawn now."""
    from newsletter.providers.hostile import fates
    from newsletter.providers.hostile.mishaps import NAMED
    from newsletter.yamlread import suggestion

    try:
        return fates.plan(faults, secrets.randbelow(1_000_000) if seed is None else seed)
    except fates.Unknown as error:
        message = f"there is no fault “{error}”"
        raise WrongUsage(message, hint=suggestion(str(error), (*fates.LEVELS, *NAMED))) from None


def refuse_impossible(drawn: Plan, possible: Collection[str], where: str) -> None:
    """Say which of the faults that were named can never happen; ``WrongUsage`` when none of them can."""
    never = [each.name for each in drawn.mishaps if each.name not in possible]
    if not (drawn.named and never):
        return
    from newsletter.providers.hostile.mishaps import NAMED

    message = f"{', '.join(never)}: cannot happen {where}"
    if len(never) == len(drawn.mishaps):
        raise WrongUsage(message, hint=f"What can: {', '.join(name for name in NAMED if name in possible)}")
    output.note(message)


# -- the place ------------------------------------------------------------------------


@contextlib.contextmanager
def place(config: Config, *, keep: bool) -> Iterator[Path]:
    """A folder for one rehearsal, gone afterwards; those that killed rehearsals left go first."""
    from newsletter.delivery import owners

    home = config.state / FOLDER
    make_folder(home, mode=0o700)
    there = [path.name for path in home.iterdir() if path.is_dir()]
    for name in owners.dead(home, there):
        _remove(home, name)
    owners.forget(home, there)
    name = secrets.token_hex(6)
    with owners.alive(home, name):
        make_folder(home / name, mode=0o700)
        try:
            yield home / name
        finally:
            if not keep:
                shutil.rmtree(home / name, ignore_errors=True)
    if keep:
        (home / f"{name}.lock").unlink(missing_ok=True)  # without its lock nobody takes it for a dead one's
    else:
        _remove(home, name)
    with contextlib.suppress(OSError):
        home.rmdir()


def _remove(home: Path, name: str) -> None:
    shutil.rmtree(home / name, ignore_errors=True)
    if not (home / name).exists():
        (home / f"{name}.lock").unlink(missing_ok=True)


@contextlib.contextmanager
def copied(config: Config, folder: Path) -> Iterator[Database]:
    """The ledger as it is now, copied; the real one is only read."""
    if not config.database.exists():
        raise nobody()
    from newsletter.store import backup
    from newsletter.store.database import open_database

    backup.copy(config.database, folder / LEDGER)
    database = open_database(folder / LEDGER)
    try:
        yield database
    finally:
        database.close()


def nobody() -> Blocked:
    """There is no audience."""
    return Blocked("there is nobody to send to", hint="Import people with `newsletter subscribers import people.csv`.")


# -- the play -------------------------------------------------------------------------


def rehearse(config: Config, database: Database, edition: Edition, cast: Cast, kept: Path | None) -> Report:
    """Make the send on the copy, and play it until it rests."""
    from newsletter.audience import people
    from newsletter.delivery import rehearsal
    from newsletter.delivery.mortal import Clock
    from newsletter.providers.hostile.provider import Hostile, World
    from newsletter.providers.hostile.truth import Truth
    from newsletter.store.clock import utcnow

    clock, truth = Clock(utcnow()), Truth()
    leave = partial(_leave, people.unsubscribe_by_id)
    turmoil = rehearsal.Turmoil(database, 0, clock, cast.plan.chance, leave)
    hostile = Hostile(truth, cast.plan, cast.can, World(clock.now, clock.wait, turmoil.passing), cast.prepares)
    made = _create(config, database, hostile, edition, clock.now())
    turmoil.send_id = made.id
    with _bar(database, made) as watch:
        piece = rehearsal.Piece(
            provider=hostile,
            links=_links(config, database),
            accepted=truth.accepted,
            calm=hostile.calm,
            kills=cast.kills,
            watch=watch,
        )
        try:
            played = rehearsal.play(turmoil, piece)
        finally:
            turmoil.fuse.burn()  # after Ctrl-C a thread may still be at work
    return _report(cast, played, truth, kept)


def _leave(unsubscribe: Callable[..., object], connection: object, person: int, now: dt.datetime) -> None:
    unsubscribe(connection, person, reason="rehearsal", now=now)


def _create(config: Config, database: Database, hostile: Any, edition: Edition, now: dt.datetime) -> Send:
    """The send, anew whatever the ledger knows of this issue."""
    from newsletter.delivery import ledger, start

    with database.read() as connection:
        before = ledger.latest(connection, edition.issue_id, "outbox")
    wish = sending.wish(config, hostile, edition, "again" if before else "issue")
    return start.create(database, wish, now, after=before.id if before else None)


def _links(config: Config, database: Database) -> Links:
    """Links as long as the real ones; a rehearsal can do without the secret that makes them true."""
    from newsletter.config import secret
    from newsletter.links import Links

    return Links(config.link_base, (secret(config.root) or f"outbox:{database.instance()}").encode())


@contextlib.contextmanager
def _bar(database: Database, made: Send) -> Iterator[Callable[[], None]]:
    from newsletter.delivery import summary

    done = 0
    with output.progress(made.recipients, "Rehearsing", unit="mails") as advance:

        def watch() -> None:
            nonlocal done
            with database.read() as connection:
                now = summary.settled(connection, made.id)
            if now > done:
                advance(now - done)
                done = now

        yield watch


def _report(cast: Cast, played: Played, truth: Truth, kept: Path | None) -> Report:
    calls = truth.calls()
    return Report(
        cast=cast,
        played=played,
        calls=len(calls),
        again=sum(call.attempt > 1 for call in calls),
        mishaps=dict(Counter(call.mishap for call in calls if call.mishap).most_common()),
        duplicates=sum(count - 1 for count in truth.accepted().values() if count > 1),
        kept=kept,
    )
