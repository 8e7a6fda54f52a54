"""The mark beside the database: how far mail has gone, so that an older copy in its place is noticed.

``ledger.json`` names the ledger and its newest event at the last moment when mail may have left. It is
written after the database and before the mail. So a living database is never behind its mark, at whatever
point a process dies, and one that is behind has forgotten mail that may have left.
See docs/adr/0009-restored-ledgers.md.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from newsletter.errors import Blocked, TryLater
from newsletter.files import display, write, writing
from newsletter.store import epochs
from newsletter.store.database import BUSY_SECONDS
from newsletter.store.epochs import Here, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from newsletter.store.database import Database

FILE = "ledger.json"
_VERSION = 1

_SIZE = 256
"""Bytes, always the same: the file is written in place, which needs no room on a full disk."""

_SYNC_SECONDS = 1.0
"""What a power failure may take from the mark. A process's death takes nothing."""


class Standing(Enum):
    """What the mark says of the database that lies beside it."""

    FINE = "fine"
    OLDER = "older"
    FOREIGN = "foreign"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class Written(NamedTuple):
    """What the mark's file says."""

    instance: str
    position: Position


class Seen(NamedTuple):
    """The database and its mark, looked at together; ``there`` is ``None`` where the mark says nothing."""

    standing: Standing
    here: Here
    there: Written | None


def path_of(database: Database) -> Path:
    """Where the mark lies."""
    return database.path.with_name(FILE)


def look(database: Database) -> Seen:
    """How the database stands; writes nothing."""
    path = path_of(database)
    seen = _look(database, path)
    # Another process may have made the mark, and remembered it, between the two looks: then it is there now.
    return _look(database, path) if seen.standing is Standing.MISSING else seen


def _look(database: Database, path: Path) -> Seen:
    """Takes no lock: whoever holds it may be stopped, and looking must not wait for that."""
    try:
        with _opened(path, os.O_RDONLY) as descriptor:
            return _judge(database, _settled(descriptor))
    except FileNotFoundError:
        return _judge(database, None)


def _judge(database: Database, raw: bytes | None) -> Seen:
    """The mark is read before the database, which never goes back: the other order would cry wolf."""
    with database.read() as connection:
        now = epochs.here(connection)
    if raw is None:
        return Seen(Standing.MISSING if now.marked else Standing.FINE, now, None)
    there = _parsed(raw)
    if there is None:
        return Seen(Standing.UNREADABLE, now, None)
    if there.instance != now.instance:
        return Seen(Standing.FOREIGN, now, there)
    older = now.position.order < there.position.order
    return Seen(Standing.OLDER if older else Standing.FINE, now, there)


def check(database: Database) -> None:
    """Raise ``Blocked`` when the database is not known to be the newest state of its ledger."""
    _refuse(database, look(database).standing)


def start(database: Database) -> None:
    """Before a send works: the mark stands on the disk from now on.

    A workspace of an older version gets its mark here. The file comes before the database's memory of it,
    because a memory without the file means that somebody took it away.
    """
    seen = look(database)
    _refuse(database, seen.standing)
    if seen.there is None:
        _make(path_of(database), seen.here)
    advance(database, sync=True)
    if not seen.here.marked:
        with database.write() as connection:
            epochs.set_marked(connection)


def advance(database: Database, *, sync: bool, patience: float = BUSY_SECONDS) -> None:
    """Move the mark on to where the database is now; raises ``Blocked`` when the database is behind it.

    ``sync`` waits for the disk. Called after an intent is committed, and before its call is made.
    """
    path = path_of(database)
    try:
        with _locked(path, patience) as descriptor:
            seen = _judge(database, os.pread(descriptor, 2 * _SIZE, 0))
            _refuse(database, seen.standing)
            if seen.there and seen.here.position.order > seen.there.position.order:
                with writing(path):
                    os.pwrite(descriptor, _bytes(seen.here), 0)
            if sync:
                with writing(path):
                    os.fsync(descriptor)
    except FileNotFoundError:
        # Somebody removes files while mail is sent; this process saw the mark when it began.
        with database.read() as connection:
            _make(path, epochs.here(connection))


def advancer(database: Database, timer: Callable[[], float] = time.monotonic) -> Callable[[], None]:
    """``advance`` for every call to a provider: it waits for the disk once a second.

    Threads may share it.
    """
    synced = timer()

    def step() -> None:
        nonlocal synced
        now = timer()
        sync = now - synced >= _SYNC_SECONDS
        if sync:
            synced = now
        advance(database, sync=sync)

    return step


def set_to(database: Database) -> None:
    """Put the mark where the database is, whatever it says: a person has decided."""
    with database.read() as connection:
        now = epochs.here(connection)
    write(path_of(database), _bytes(now), mode=0o600, durable=True)
    advance(database, sync=True)


# -- the file -------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(path: Path, how: int) -> Iterator[int]:
    """The file, open; raises ``FileNotFoundError``."""
    if not path.exists():
        raise FileNotFoundError(path)
    with writing(path):
        descriptor = os.open(path, how | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _locked(path: Path, patience: float) -> Iterator[int]:
    """The file, open and nobody else's; raises ``FileNotFoundError``. The lock ends with any death.

    Raises ``TryLater`` when another process holds it for longer than ``patience`` seconds: it is stopped.
    """
    with _opened(path, os.O_RDWR) as descriptor:
        deadline, pause = time.monotonic() + patience, 0.0002
        while not _grip(path, descriptor):
            if time.monotonic() > deadline:
                message = f"{display(path)}: another process holds the mark beside the ledger, and does not go on"
                raise TryLater(message, hint="Let it go on (fg) or end it, then run the same command again.")
            time.sleep(pause)
            pause = min(2 * pause, 0.01)
        yield descriptor


def _grip(path: Path, descriptor: int) -> bool:
    with writing(path):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _settled(descriptor: int) -> bytes:
    """The content once two readings agree: one alone may fall into the midst of a writing."""
    raw = os.pread(descriptor, 2 * _SIZE, 0)
    while (again := os.pread(descriptor, 2 * _SIZE, 0)) != raw:
        raw = again
    return raw


def _make(path: Path, now: Here) -> None:
    """Make the file whole, and never over one that another process has made."""
    made = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    write(made, _bytes(now), mode=0o600, durable=True)
    try:
        with writing(path), contextlib.suppress(FileExistsError):
            os.link(made, path)
    finally:
        made.unlink(missing_ok=True)


def _bytes(now: Here) -> bytes:
    epoch, event, at = now.position
    data = {"version": _VERSION, "instance": now.instance, "epoch": epoch, "event": event, "at": at}
    return (json.dumps(data).ljust(_SIZE - 1) + "\n").encode()


def _parsed(raw: bytes) -> Written | None:
    try:
        read = json.loads(raw)
        if read["version"] != _VERSION:
            return None
        return Written(str(read["instance"]), Position(int(read["epoch"]), int(read["event"]), str(read["at"])))
    except (ValueError, KeyError, TypeError):
        return None


# -- in words -------------------------------------------------------------------------

_WHY = {
    Standing.OLDER: "this ledger is an older copy: mail has left from this workspace that it does not know of",
    Standing.FOREIGN: "this is not the ledger that mail was sent from in this workspace",
    Standing.MISSING: "the mark beside the ledger is gone: nobody can tell whether this is its newest state",
    Standing.UNREADABLE: "this mark cannot be read: nobody can tell whether the ledger is its newest state",
}


def why(database: Database, standing: Standing) -> str:
    """What is wrong, in a sentence; empty for nothing."""
    if standing is Standing.FINE:
        return ""
    missing = standing in {Standing.MISSING, Standing.UNREADABLE}
    return f"{display(path_of(database) if missing else database.path)}: {_WHY[standing]}"


def _refuse(database: Database, standing: Standing) -> None:
    if standing is not Standing.FINE:
        hint = "Nothing is sent until you decide how to go on: newsletter db adopt"
        raise Blocked(why(database, standing), hint=hint)
