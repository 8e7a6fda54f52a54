"""Putting a backup in the database's place; what stood there is kept beside the backups."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import TYPE_CHECKING

from newsletter.errors import BadInput, TryLater, Unwritable
from newsletter.files import display, make_folder, sync_folder, writing
from newsletter.store import backup
from newsletter.store.database import translated

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

_LOGS = ("-wal", "-shm")
"""What SQLite keeps beside a database; beside another one they would damage it."""


def put_back(copy: Path, database: Path, now: dt.datetime) -> Path | None:
    """Make ``copy`` the database; where the one before is kept, ``None`` when there was none.

    Call it while nothing sends. Until the last step the database is what it was; the copy itself stays. Raises
    ``BadInput`` for a damaged copy, ``TryLater`` while another process works on the database.
    """
    make_folder(database.parent, mode=0o700)
    folder = database.parent / backup.FOLDER
    fresh = database.with_name(f".{database.name}.{os.urandom(4).hex()}.part")
    with backup.alone(folder):
        try:
            backup.copy(copy, fresh)
            kept = None
            if database.exists():
                _empty_log(database)
                kept = backup.free_name(folder, database, now, "replaced")
                with writing(kept):
                    _keep(database, kept)
            with writing(database):
                for log in _LOGS:
                    database.with_name(database.name + log).unlink(missing_ok=True)
                fresh.replace(database)
                sync_folder(database.parent)
        finally:
            fresh.unlink(missing_ok=True)
    return kept


def _empty_log(database: Path) -> None:
    """Bring what stands in the write-ahead log into the file; a damaged one is kept with its log instead."""
    try:
        with translated(database), contextlib.closing(sqlite3.connect(database, timeout=1.0)) as connection:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except (BadInput, Unwritable):  # why it is replaced
        return
    if busy:
        message = f"{display(database)}: another process works on the database"
        raise TryLater(message, hint="End every `newsletter` command, `serve` too, then run the same command again.")


def _keep(database: Path, kept: Path) -> None:
    """A second name for the file, so that there is no moment without a database."""
    os.link(database, kept)
    for log in _LOGS:
        with contextlib.suppress(FileNotFoundError):
            os.link(database.with_name(database.name + log), kept.with_name(kept.name + log))
    sync_folder(kept.parent)
