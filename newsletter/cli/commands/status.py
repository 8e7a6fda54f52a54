"""``newsletter status``, ``pause``, ``resume`` and ``cancel``: a send under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli import output, recording, scheduling, sending, standing, watching, wiring
from newsletter.cli.app import Call, command
from newsletter.errors import Blocked

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.delivery.ledger import Send
    from newsletter.store.database import Database


@command()
@click.argument("issue", required=False)
@click.option("--watch", is_flag=True, help="Look on until the send ends; Ctrl-C ends only the view.")
def status(call: Call, issue: str | None, *, watch: bool) -> None:
    """Show how a send stands: people and batches by state, its pace, faults, doubt, and who works on it.

    ISSUE is a folder or its slug; the newest issue without it. It may be asked from any terminal while the send
    runs. With -v it tells when the send was held and taken up, and by whom; with --watch and --json together it
    prints an object a line.

    \b
    Examples:
      newsletter status
      newsletter status --watch
      newsletter status 2026-11-20-the-tide-tables --json
    """
    with sending.found(call.config(), issue) as (database, made):
        sending.tell_if_restored(database)
        if watch:
            watching.watch(call, database, made.id)
        else:
            standing.report(call, *watching.look(database, made.id))


@command()
@click.argument("issue", required=False)
@click.option("--reason", metavar="TEXT", default="", help="Why; `status` shows it.")
def pause(call: Call, issue: str | None, reason: str) -> None:
    """Hold a running send; batches in flight finish, `resume` goes on.

    \b
    Examples:
      newsletter pause
      newsletter pause 2026-11-20-the-tide-tables --reason "a wrong date in the first paragraph"
    """
    from newsletter.delivery import control
    from newsletter.store.clock import utcnow

    why = " ".join("".join(char if char.isprintable() else " " for char in reason).split())
    with sending.found(call.config(), issue) as (database, made):
        with database.write() as connection:
            held = control.pause(connection, made.id, why, at=utcnow(), by=sending.operator())
        if not held:
            raise _not_now(database, made, "is not running")
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
    from newsletter.delivery import control, orphans, owners
    from newsletter.store.clock import utcnow

    with sending.found(call.config(), issue) as (database, made):
        with database.read() as connection:
            named = orphans.owners(connection, made.id)
        dead = owners.dead(database.path.parent / "locks", named)
        with database.write() as connection:
            stopped = control.cancel(connection, made.id, utcnow(), dead, by=sending.operator())
        if not stopped:
            raise _not_now(database, made, "cannot be cancelled")
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
    from newsletter.delivery import control, schedule, start, summary
    from newsletter.delivery.freeze import of_edition
    from newsletter.store.clock import utcnow

    config = call.config()
    with (
        recording.recorded(wiring.provider(config), record) as provider,
        sending.found(config, issue) as (database, made),
    ):
        if made.state == "done":
            message = f"{made.slug} is done: there is nothing to go on with"
            raise Blocked(message)
        if schedule.unbegun(made):
            return scheduling.plan_again(call, database, made)
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
            control.resume(connection, made.id, utcnow(), by=sending.operator())
        return sending.carry_out(call, config, database, now, provider)


def _not_now(database: Database, made: Send, what: str) -> Blocked:
    status, pulse = watching.look(database, made.id)
    return Blocked(f"{made.slug} {what}: it is {status.send.state}", hint=standing.next_step(status, pulse))


def _tell(call: Call, database: Database, made: Send) -> None:
    standing.report(call, *watching.look(database, made.id))
