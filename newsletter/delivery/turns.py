"""The turns in the life of a whole send: when it was held, by whom and why, taken up, cancelled, done.

Events belong to batches. These stand in ``meta``, each a JSON object under ``turn:<send>:<number>``, and
are written in the transaction that makes the turn.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, func, insert, select

from newsletter.store import clock
from newsletter.store.tables import meta

if TYPE_CHECKING:
    import datetime as dt


class Turn(NamedTuple):
    """One transition of a send; ``by`` is empty where no person is known to have made it."""

    at: dt.datetime
    before: str
    after: str
    by: str
    why: str

    def data(self) -> dict[str, Any]:
        """For ``--json``."""
        at = clock.stamp(self.at)
        return {"at": at, "from": self.before, "to": self.after, "by": self.by, "why": self.why}


def add(connection: Connection, send_id: int, turn: Turn) -> None:
    """Write one turn down, after all others of the send."""
    count = connection.execute(select(func.count()).select_from(meta).where(_of(send_id))).scalar_one()
    value = json.dumps(turn.data(), ensure_ascii=False)
    connection.execute(insert(meta).values(key=f"{_prefix(send_id)}{count + 1:06d}", value=value))


def of(connection: Connection, send_id: int) -> tuple[Turn, ...]:
    """Every turn of a send, in order."""
    rows = connection.execute(select(meta.c.value).where(_of(send_id)).order_by(meta.c.key)).scalars()
    return tuple(_turn(json.loads(row)) for row in rows)


def _turn(read: dict[str, str]) -> Turn:
    return Turn(clock.parse(read["at"]), read["from"], read["to"], read["by"], read["why"])


def _prefix(send_id: int) -> str:
    return f"turn:{send_id}:"


def _of(send_id: int) -> Any:
    """A range of keys, which the primary key finds; ``LIKE`` would read them all."""
    return meta.c.key.between(_prefix(send_id), f"{_prefix(send_id)}~")
