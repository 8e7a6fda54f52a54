"""Deaths that a process survives to tell of, and a clock that waits without waiting: for rehearsals and tests."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from typing import TYPE_CHECKING

from newsletter.delivery.desk import Tools
from newsletter.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from newsletter.store.database import Session


class Crash(BaseException):
    """The process dies here; nothing of it goes on."""


class Fuse:
    """Lets a process die at a checkpoint; what it was once burnt for stays dead until it is lit anew."""

    def __init__(self) -> None:
        self._left = 0
        self.burnt = False

    def light(self, at: int = 0) -> None:
        """Begin a new life, which ends at its checkpoint number ``at``; never for 0."""
        self._left = at
        self.burnt = False

    def burn(self) -> None:
        """End this life at its next checkpoint."""
        self.burnt = True

    def passing(self) -> None:
        """Pass a checkpoint; raises ``Crash`` where it ends."""
        if not self.burnt:
            self._left -= 1
            self.burnt = self._left == 0
        if self.burnt:
            raise Crash


class Mortal(Database):
    """A database whose every write may be the last thing its process does: before the commit, or after."""

    def __init__(self, database: Database, fuse: Fuse) -> None:
        self._lasting = database
        self._fuse = fuse
        self.path = database.path

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view for the block."""
        with self._lasting.read() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A write with a checkpoint on either side of its commit."""
        with self._lasting.write(durable=durable) as connection:
            yield connection
            self._fuse.passing()
        self._fuse.passing()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A connection of one's own; deaths do not fall here."""
        with self._lasting.session() as session:
            yield session

    @contextlib.contextmanager
    def kept(self, *, cache: int) -> Iterator[Session]:
        """As the database within; deaths fall in its writes all the same."""
        with self._lasting.kept(cache=cache) as session:
            yield session

    def compact(self) -> None:
        """As the database within."""
        self._lasting.compact()

    def close(self) -> None:
        """Close the database within."""
        self._lasting.close()


class Clock:
    """A clock that moves when somebody waits, and a little whenever it is looked at."""

    def __init__(self, at: dt.datetime) -> None:
        self._at = at
        self._names = 0
        self._lock = threading.Lock()

    def now(self) -> dt.datetime:
        """The time."""
        with self._lock:
            self._at += dt.timedelta(microseconds=1)
            return self._at

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._at += dt.timedelta(seconds=seconds)

    def name(self) -> str:
        """A name that this clock has never given."""
        with self._lock:
            self._names += 1
            return f"rehearsed-{self._names:08d}"


def one_by_one(clock: Clock, jitter: Callable[[], float], stopped: Callable[[], bool] = lambda: False) -> Tools:
    """The tools for one life in which a single thread works, whichever asks first, so that a seed replays it.

    All others are told to stop. The thread that asked for the tools is not one of them: it looks after the rest.
    """
    lock = threading.Lock()
    mine = {threading.get_ident()}

    def others() -> bool:
        with lock:
            if len(mine) < 2:
                mine.add(threading.get_ident())
        return stopped() or threading.get_ident() not in mine

    return Tools(clock.now, clock.wait, others, clock.name, jitter)
