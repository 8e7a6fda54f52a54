"""Looking on while a send goes on: drawn again and again on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING

import click

from newsletter.cli import output, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.cli.app import Call
    from newsletter.delivery.pulse import Pulse
    from newsletter.delivery.summary import Status
    from newsletter.store.database import Database

_DRAW = 0.3
"""Seconds between two looks."""

_LINE = 5.0
"""Seconds between two lines where there is no terminal."""


def look(database: Database, send_id: int) -> tuple[Status, Pulse]:
    """How a send stands now, all of it as it was at one moment."""
    from newsletter.delivery import pulse, summary
    from newsletter.store.clock import utcnow

    with database.read() as connection:
        status = summary.status(connection, send_id)
        return status, pulse.take(connection, database.path.parent / "locks", status.send, utcnow())


def watch(call: Call, database: Database, send_id: int) -> None:
    """Look on until the send ends, is held, or Ctrl-C; the last word is a whole report."""
    terminal = sys.stdout.isatty() and not call.json
    with contextlib.suppress(KeyboardInterrupt):
        (_draw if terminal else _lines)(call, database, send_id)
    if not call.json:
        standing.report(call, *look(database, send_id))


def ended(status: Status, pulse: Pulse) -> bool:
    """Whether nothing more happens by itself: what is in living hands still finishes."""
    alive = [each for each in pulse.workers if each.alive]
    if any(each.batches for each in alive):
        return False
    if status.send.state != "running":
        return True
    # Whoever settled the last message still has to mark the send as done.
    return not status.people["open"] and bool(status.people["in_doubt"] or not alive)


def _looks(database: Database, send_id: int) -> Iterator[tuple[Status, Pulse, bool]]:
    while True:
        status, pulse = look(database, send_id)
        over = ended(status, pulse)
        if over and status.send.state == "running":
            # The ledger is read before the locks: a process may have ended its work, and itself, in between.
            status, pulse = look(database, send_id)
        yield status, pulse, over
        if over:
            return
        time.sleep(_DRAW)


def _draw(call: Call, database: Database, send_id: int) -> None:
    """In place; taken away at the end, for the report that follows."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    del call
    # What stands in for a redirected stream says nothing of what it can show.
    with Live(console=Console(), auto_refresh=False, transient=True, redirect_stdout=False) as live:
        for status, pulse, _ in _looks(database, send_id):
            text = "\n".join([*standing.lines(status, pulse), "", click.style("Ctrl-C ends this view.", dim=True)])
            live.update(Text.from_ansi(text), refresh=True)


def _lines(call: Call, database: Database, send_id: int) -> None:
    next_at = time.monotonic()
    for status, pulse, over in _looks(database, send_id):
        if time.monotonic() < next_at and not over:
            continue
        next_at += _LINE
        if call.json:
            click.echo(json.dumps(standing.data(status, pulse), ensure_ascii=not output.shows_all(sys.stdout)))
        elif not over:
            output.say(standing.line(status, pulse))
