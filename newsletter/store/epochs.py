"""Epochs of a ledger: each begins when a person goes on with an older copy of it.

What an older copy does not know cannot be taken back: mails that left, and the numbers that they bear. So the
ledger counts anew from where the copy ends, and the epoch tells the two apart.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, insert, select, update

from newsletter.store import clock
from newsletter.store.tables import batch, meta, send

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy import Connection

_EPOCH, _BEGUN = "epoch", "epoch:"

# One question, in the driver's own words: it is asked before every call to a provider.
_HERE = """
    SELECT (SELECT value FROM meta WHERE key = 'instance'), (SELECT value FROM meta WHERE key = 'epoch'), id, at
    FROM (SELECT 1) AS one LEFT JOIN event ON id = (SELECT max(id) FROM event)
"""


class Position(NamedTuple):
    """How far a ledger has come; a later one is greater. ``at`` is when its newest event was written."""

    epoch: int
    event: int
    at: str

    @property
    def order(self) -> tuple[int, int]:
        """What is compared: the clock may have gone back."""
        return self.epoch, self.event


class Here(NamedTuple):
    """A database's own account of itself; ``marked`` when a mark was made beside it before."""

    instance: str
    position: Position
    marked: bool


def here(connection: Connection) -> Here:
    """Where this ledger is; three look-ups by key."""
    instance, epoch, number, at = connection.exec_driver_sql(_HERE).one()
    return Here(str(instance), Position(int(epoch or 0), number or 0, at or ""), epoch is not None)


def set_marked(connection: Connection) -> None:
    """Remember that there is a mark beside this database, unless that is known."""
    if not here(connection).marked:
        connection.execute(insert(meta).values(key=_EPOCH, value="0"))


def begin(connection: Connection, after: int, now: dt.datetime, word: str) -> int:
    """Begin an epoch later than this ledger's and later than ``after``; its number.

    It is recorded with the ``word`` that the person gave, and with the last numbers that this copy knows.
    """
    number = max(here(connection).position.epoch, after) + 1
    set_marked(connection)
    connection.execute(update(meta).where(meta.c.key == _EPOCH).values(value=str(number)))
    last = {
        table.name: connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
        for table in (send, batch)
    }
    record = {"at": clock.stamp(now), "word": word, **last}
    connection.execute(insert(meta).values(key=f"{_BEGUN}{number}", value=json.dumps(record)))
    return number


class Names(NamedTuple):
    """Which epoch a number belongs to, for what bears it outside of this house.

    An older copy gives numbers a second time. What would be taken for the other thing of that number (the
    provider's search, a Message-ID in somebody's mailbox) has to carry the epoch with it.
    """

    begun: tuple[tuple[int, int, int], ...] = ()
    """Epoch, last send and last batch before it, the newest first."""

    def of_send(self, number: int) -> str:
        """``~2`` for a send that epoch 2 made; nothing for one of the first."""
        return self._tail(number, 1)

    def of_batch(self, number: int) -> str:
        """The same for a batch."""
        return self._tail(number, 2)

    def _tail(self, number: int, column: int) -> str:
        return next((f"~{each[0]}" for each in self.begun if number > each[column]), "")


def names(connection: Connection) -> Names:
    """The epochs that this ledger has gone through."""
    rows = connection.execute(select(meta.c.key, meta.c.value).where(meta.c.key.startswith(_BEGUN, autoescape=True)))
    begun: list[tuple[int, int, int]] = []
    for key, value in rows:
        record: dict[str, Any] = json.loads(value)
        begun.append((int(key.removeprefix(_BEGUN)), int(record["send"]), int(record["batch"])))
    return Names(tuple(sorted(begun, reverse=True)))
