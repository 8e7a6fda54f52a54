"""One rate for all processes that use an account: GCRA, one row, one update for a slot.

``tat``, the theoretical arrival time, is when the next call may be made if calls come evenly (ITU-T
I.371). Here no burst is allowed: providers count in short windows.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from newsletter.store import clock
from newsletter.store.prepared import Prepared, named
from newsletter.store.tables import event, rate

_FARTHEST = 600.0
"""Seconds; a slot farther away than this was booked before the clock went back."""

_IDLE = 600.0
"""Seconds without a call after which an account may go at its full rate again."""

_LOOK_BACK = 10.0
"""Seconds over which the rate of calls is measured where the provider names none."""

SLOWER = 0.8
"""What is left of the rate after the provider said that it was too fast."""

FASTER = 1.002
"""What every call gains of it back: a limit that was met once is felt for again, slowly."""

WITHIN = 0.97
"""What is used of a rate that is named: a call that comes late makes the second after it too full by one."""

_SLOWEST = 0.05
"""Calls a second, at least."""


class _Row(NamedTuple):
    """What is kept for an account."""

    tat: float
    per_second: float


_ROW = Prepared(select(rate.c.tat, rate.c.per_second).where(rate.c.account == named("of_account")))
_BOOK = Prepared(update(rate).where(rate.c.account == named("of_account")))


def slot(connection: Connection, account: str, per_second: float | None, now: dt.datetime) -> float:
    """Book the next slot; seconds until it comes.

    The rate kept for the account is never above ``per_second`` (``None``: no limit is named), and stays below
    it for some time once ``slow_down`` was called.
    """
    at = now.timestamp()
    row = _row(connection, account)
    per_second = per_second and per_second * WITHIN
    if row is None:
        if per_second is not None:
            connection.execute(insert(rate).values(account=account, tat=at + 1 / per_second, per_second=per_second))
        return 0.0
    mine = row.tat if at < row.tat < at + _FARTHEST else at
    if at - row.tat > _IDLE and per_second is None:
        connection.execute(delete(rate).where(rate.c.account == account))
        return 0.0
    allowed, kept = row.per_second, row.per_second * FASTER
    if per_second is not None:
        allowed = per_second if at - row.tat > _IDLE else min(allowed, per_second)
        kept = min(allowed * FASTER, per_second)
    _BOOK.run(connection, {"of_account": account, "tat": mine + 1 / allowed, "per_second": kept})
    return float(mine - at)


def slow_down(connection: Connection, account: str, now: dt.datetime, retry_after: float) -> None:
    """Heed the provider's “too fast”: nothing for ``retry_after`` seconds, and slower from then on.

    Several calls that were under way at the same time lower the rate once.
    """
    until = now.timestamp() + retry_after
    row = _row(connection, account)
    if row is None:
        learned = max(_seen(connection, now) * SLOWER, _SLOWEST)
        connection.execute(insert(rate).values(account=account, tat=until, per_second=learned))
        return
    slower = row.per_second if row.tat >= until - retry_after / 2 else max(row.per_second * SLOWER, _SLOWEST)
    values = {"tat": max(row.tat, until), "per_second": slower}
    connection.execute(update(rate).where(rate.c.account == account).values(**values))


def hold(connection: Connection, account: str, now: dt.datetime, seconds: float) -> None:
    """Heed a provider that wants no call for some seconds, without going slower afterwards."""
    until = now.timestamp() + seconds
    connection.execute(update(rate).where(rate.c.account == account, rate.c.tat < until).values(tat=until))


def _row(connection: Connection, account: str) -> _Row | None:
    row = _ROW.one(connection, {"of_account": account})
    return None if row is None else _Row._make(row)


def _seen(connection: Connection, now: dt.datetime) -> float:
    """Calls a second just now, of all processes, as their intents tell."""
    since = clock.stamp(now - dt.timedelta(seconds=_LOOK_BACK))
    recent = select(func.count(), func.min(event.c.at)).where(event.c.to_state == "sending", event.c.at >= since)
    count, first = connection.execute(recent).one()
    seconds = (now - clock.parse(first)).total_seconds() if first else _LOOK_BACK
    return float(count / max(seconds, 1.0))
