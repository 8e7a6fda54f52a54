"""``newsletter status``, ``pause``, ``resume`` and ``cancel``: a send under way."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from newsletter.cli import output, recording, sending, telling, wiring
from newsletter.cli.app import Call, command
from newsletter.errors import Blocked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.delivery.ledger import Send
    from newsletter.store.database import Database


@command()
@click.argument("issue", required=False)
def status(call: Call, issue: str | None) -> None:
    """Show how a send stands: people and batches by state, time and rate.

    ISSUE is a folder or its slug; the newest issue without it.

    \b
    Examples:
      newsletter status
      newsletter status 2026-11-20-the-tide-tables --json
    """
    from newsletter.delivery import summary

    config = call.config()
    with _found(config, issue) as (database, made):
        with database.read() as connection:
            now = summary.status(connection, made.id)
        telling.report(call, now)
        if call.verbose and not call.json:
            output.table(("batches", "count"), sorted(now.batches.items()))


@command()
@click.argument("issue", required=False)
def pause(call: Call, issue: str | None) -> None:
    """Hold a running send; batches in flight finish, `resume` goes on.

    \b
    Example:
      newsletter pause 2026-11-20-the-tide-tables
    """
    from newsletter.delivery import control

    with _found(call.config(), issue) as (database, made):
        with database.write() as connection:
            held = control.pause(connection, made.id)
        if not held:
            message = f"{made.slug} is not running: it is {made.state}"
            raise Blocked(message)
        _tell(call, database, made)


@command()
@click.argument("issue", required=False)
def cancel(call: Call, issue: str | None) -> None:
    """Stop a send: whoever was not mailed yet is not; `resume` takes it up again.

    What may have been accepted without an answer is in doubt from then on, and is not sent again.

    \b
    Example:
      newsletter cancel 2026-11-20-the-tide-tables
    """
    from newsletter.delivery import claims, control, owners
    from newsletter.store.clock import utcnow

    with _found(call.config(), issue) as (database, made):
        with database.read() as connection:
            named = claims.owners_in_hand(connection, made.id)
        dead = owners.dead(database.path.parent / "locks", named)
        with database.write() as connection:
            stopped = control.cancel(connection, made.id, utcnow(), dead)
        if not stopped:
            message = f"{made.slug} cannot be cancelled: it is {made.state}"
            raise Blocked(message)
        _tell(call, database, made)


@command()
@click.argument("issue", required=False)
@click.option("--frozen", is_flag=True, help="Go on with what the others got, although the issue has changed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@recording.option
def resume(call: Call, issue: str | None, record: Path | None, *, frozen: bool, yes: bool) -> int:
    """Go on with a send that was paused, cancelled or killed.

    \b
    Examples:
      newsletter resume
      newsletter resume 2026-11-20-the-tide-tables --frozen --yes
    """
    from newsletter.delivery import control, start, summary
    from newsletter.delivery.freeze import of_edition
    from newsletter.store.clock import utcnow

    config = call.config()
    with recording.recorded(wiring.provider(config), record) as provider, _found(config, issue) as (database, made):
        if made.state == "done":
            message = f"{made.slug} is done: there is nothing to go on with"
            raise Blocked(message)
        with database.read() as connection:
            pictures = start.content_of(connection, made.content_sha).pictures
        sending.fit(config, database, config.root / config.issues / made.slug, pictures)
        if not frozen:
            edition = wiring.edition(config, wiring.issue_folder(config, issue))
            sending.refuse_changed(database, made, of_edition(edition, config))
        now = sending.bound(database, made, provider)
        with database.read() as connection:
            people = summary.status(connection, made.id).people
        if not yes:
            output.confirm_number(people["open"] + people["cancelled"], "remaining recipients")
        with database.write() as connection:
            control.resume(connection, made.id, utcnow())
        return sending.carry_out(call, config, database, now, provider)


@contextlib.contextmanager
def _found(config: Config, name: str | None) -> Iterator[tuple[Database, Send]]:
    """The database and the issue's newest send; ``Blocked`` when there is none."""
    with sending.opened(config) as database:
        made = sending.find(config, database, name) if database else None
        if database is None or made is None:
            what = wiring.issue_folder(config, name).name
            message = f"{what} has not been sent"
            raise Blocked(message, hint=f"Look at `newsletter plan {what}`, then `newsletter send {what}`.")
        yield database, made


def _tell(call: Call, database: Database, made: Send) -> None:
    from newsletter.delivery import summary

    with database.read() as connection:
        telling.report(call, summary.status(connection, made.id))
