"""Putting a backup in the database's place; what stood there is kept beside the backups.

A process that has the database open, if only to wait for the next reader who unsubscribes, would go on with the file
that was replaced, and all that it wrote would be lost. So nobody else may have it open.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from newsletter.errors import BadInput, TryLater, Unwritable
from newsletter.files import display, make_folder, sync, writing
from newsletter.store import backup
from newsletter.store.database import translated

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from pathlib import Path

_LOGS = ("-wal", "-shm")
"""What SQLite keeps beside a database; beside another one they would damage it."""

_BUSY_SECONDS = 1.0


def put_back(copy: Path, database: Path, now: dt.datetime) -> Path | None:
    """Make ``copy`` the database; where the one before is kept, ``None`` when there was none.

    Until the last step the database is what it was; the copy itself stays. Raises ``BadInput`` for a damaged copy,
    ``TryLater`` while another process has the database open.
    """
    make_folder(database.parent, mode=0o700)
    folder = database.parent / backup.FOLDER
    fresh = database.with_name(f".{database.name}.{os.urandom(4).hex()}.part")
    kept = None
    with backup.alone(folder), contextlib.ExitStack() as held:
        try:
            backup.copy(copy, fresh)
            if database.exists():
                held.enter_context(_nobody_else(database))
                kept = backup.free_name(folder, database, now, "replaced")
                with writing(kept):
                    _keep(database, kept)
            with writing(database):
                for log in _LOGS:
                    database.with_name(database.name + log).unlink(missing_ok=True)
                fresh.replace(database)
                sync(database.parent)
        finally:
            fresh.unlink(missing_ok=True)
    return kept


@contextlib.contextmanager
def _nobody_else(database: Path) -> Iterator[None]:
    """Keep all others out for the block, with the write-ahead log brought into the file.

    A damaged one keeps nobody out, and is kept with its log.
    """
    with contextlib.closing(sqlite3.connect(database, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        try:
            with translated(database):
                _take(connection)
        except TryLater as error:
            message = f"{display(database)}: another process has the database open"
            hint = "End every `newsletter` command, `serve` too, then run the same command again."
            raise TryLater(message, hint=hint) from error
        except (BadInput, Unwritable):  # why it is replaced
            pass
        yield


def _take(connection: sqlite3.Connection) -> None:
    """Take the database for this connection alone; the driver's "locked", or ``TryLater``, when it is open elsewhere.

    Whoever has it open, also while idle, holds a lock that keeps its write-ahead log from being given up.
    """
    connection.execute("PRAGMA journal_mode=DELETE")
    connection.execute("BEGIN EXCLUSIVE")
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "delete":
        message = "somebody has come in between"
        raise TryLater(message)


def _keep(database: Path, kept: Path) -> None:
    """A second name for the file, so that there is no moment without a database."""
    os.link(database, kept)
    for log in _LOGS:
        with contextlib.suppress(FileNotFoundError):
            os.link(database.with_name(database.name + log), kept.with_name(kept.name + log))
    sync(kept.parent)
