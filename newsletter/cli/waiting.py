"""A process that waits until a planned send begins."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

from newsletter.cli import output, scheduling, standing
from newsletter.errors import Interrupted
from newsletter.store.clock import utcnow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from newsletter.cli.app import Call
    from newsletter.delivery.ledger import Send
    from newsletter.store.database import Database

_TICK = 1.0
"""Seconds between two looks at the clock on the wall: a machine that slept is late, and knows."""

_LOOK = 5.0
"""Seconds between two looks at the ledger, where others may move the send, begin it or call it off."""


def until_due(call: Call, database: Database, made: Send) -> Send:
    """The send when its time has come, or as it is when it is not planned any more.

    Ctrl-C raises ``Interrupted``; the send stays planned.
    """
    from newsletter.delivery import ledger

    told = None
    try:
        with _line() as show:
            look_at = time.monotonic() + _LOOK
            while made.state == "planned" and made.scheduled_at and (left := _left(made)) > 0:
                if show is not None:
                    show(f"{made.slug} begins {scheduling.when(made)}. Ctrl-C leaves it planned.")
                elif told != made.scheduled_at and not call.json:
                    told = made.scheduled_at
                    output.note(f"{made.slug} begins {scheduling.when(made)}; this process waits for it.")
                time.sleep(min(left, _TICK))
                if time.monotonic() >= look_at:
                    look_at = time.monotonic() + _LOOK
                    with database.read() as connection:
                        made = ledger.get(connection, made.id)
    except KeyboardInterrupt:
        message = f"{made.slug} stays planned: it begins {scheduling.when(made)}."
        raise Interrupted(message, hint=standing.how_planned(made)) from None
    with database.read() as connection:
        return ledger.get(connection, made.id)


def _left(made: Send) -> float:
    return (made.scheduled_at - utcnow()).total_seconds() if made.scheduled_at else 0.0


@contextlib.contextmanager
def _line() -> Iterator[Callable[[str], None] | None]:
    """A line on standard error that is written over and taken away; ``None`` where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield lambda text: live.update(Text(text, style="dim"), refresh=True)
