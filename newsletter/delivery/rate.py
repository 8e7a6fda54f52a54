"""One rate for all processes that use an account: GCRA, one row, one update for a slot.

``tat``, the theoretical arrival time, is when the next call may be made if calls come evenly (ITU-T
I.371). Here no burst is allowed: providers count in short windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, select, update

from newsletter.store.tables import rate

if TYPE_CHECKING:
    import datetime as dt

_FARTHEST = 600.0
"""Seconds; a slot farther away than this was booked before the clock went back."""

SLOWER = 0.8
"""What is left of the rate after the provider said that it was too fast."""


def slot(connection: Connection, account: str, per_second: float, now: dt.datetime) -> float:
    """Book the next slot; seconds until it comes.

    The rate kept for the account is never above ``per_second``, and stays below it once ``slow_down``
    was called.
    """
    at = now.timestamp()
    row = connection.execute(select(rate.c.tat, rate.c.per_second).where(rate.c.account == account)).first()
    if row is None:
        connection.execute(insert(rate).values(account=account, tat=at + 1 / per_second, per_second=per_second))
        return 0.0
    mine = row.tat if at < row.tat < at + _FARTHEST else at
    allowed = min(row.per_second, per_second)
    connection.execute(update(rate).where(rate.c.account == account).values(tat=mine + 1 / allowed, per_second=allowed))
    return float(mine - at)


def slow_down(connection: Connection, account: str, now: dt.datetime, retry_after: float) -> None:
    """Heed the provider's “too fast”: nothing for ``retry_after`` seconds, and slower from then on."""
    until = now.timestamp() + retry_after
    row = connection.execute(select(rate.c.tat, rate.c.per_second).where(rate.c.account == account)).first()
    if row:
        values = {"tat": max(row.tat, until), "per_second": row.per_second * SLOWER}
        connection.execute(update(rate).where(rate.c.account == account).values(**values))
