"""``newsletter send --due``, for cron: planned sends whose time has come, and sends that nobody goes on with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import output, recording, scheduling, sending, standing, wiring
from newsletter.errors import NewsletterError
from newsletter.store.clock import utcnow

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.cli.app import Call
    from newsletter.config import Config
    from newsletter.delivery.ledger import Send
    from newsletter.providers.base import Provider
    from newsletter.store.database import Database

_INTERRUPTED = 130


def run(call: Call, record: Path | None, *, late: bool) -> int:
    """Begin or go on with all that is due, one after the other; the exit code of the first that did not end well.

    An error of one send stops none of the others. Where nothing is due nothing is printed.
    """
    config = call.config()
    told: list[dict[str, Any]] = []
    codes: list[int] = []
    with sending.opened(config) as database:
        listed = _listed(config, database) if database else ()
        if database is not None and listed:
            with recording.recorded(wiring.provider(config), record) as provider:
                for made in listed:
                    try:
                        code = _one(call, config, database, provider, made, told, late=late)
                    except NewsletterError as error:
                        code = error.exit_code
                        told.append({"slug": made.slug, "state": made.state, "error": str(error), "code": code})
                        click.echo(f"{output.style('Error:', fg='red', bold=True)} {error}", err=True)
                    codes.append(code)
                    if code == _INTERRUPTED:
                        break
    if call.json:
        output.emit(told)
    return next((code for code in codes if code), 0)


def _listed(config: Config, database: Database) -> tuple[Send, ...]:
    """What there is to do; sends that somebody is at work on are theirs."""
    from newsletter.delivery import owners, schedule

    realm, now = sending.realm(config), utcnow()
    with database.read() as connection:
        begun = schedule.begun(connection, realm, now)
        due = schedule.due(connection, realm, now)
    locks = database.path.parent / "locks"
    return (*(each for each in begun if not owners.at_work(locks, each.id)), *due)


def _one(
    call: Call,
    config: Config,
    database: Database,
    provider: Provider,
    made: Send,
    told: list[dict[str, Any]],
    *,
    late: bool,
) -> int:
    if made.state == "planned":
        step = scheduling.begin(call, config, database, provider, made, late=late)
        if not step.mine:  # another process has it, or it was moved
            return 0
        made = step.send
    else:
        made = _taken_up(config, database, provider, made)
    status, pulse, code = sending.worked_off(call, config, database, made, provider, wait=False)
    told.append(standing.data(status, pulse) | {"code": code})
    if not call.json:
        with output.unheard():
            standing.report(call, status, pulse)
    return code


def _taken_up(config: Config, database: Database, provider: Provider, made: Send) -> Send:
    """A send whose process is gone, or that waited for its next stage."""
    from newsletter.delivery import start

    with database.read() as connection:
        pictures = start.content_of(connection, made.content_sha).pictures
    folder = wiring.folder_of(config, made.issue_id) or config.root / config.issues / made.slug
    sending.fit(config, database, folder, pictures)
    return sending.bound(database, made, provider)
