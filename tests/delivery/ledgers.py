"""Fresh ledgers, copied from one that was migrated once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from delivery.helpers_delivery import fresh
from sqlalchemy import event

from newsletter.store.database import Database, open_database

if TYPE_CHECKING:
    from pathlib import Path


class Ledgers:
    """Makes ledgers below ``folder``, each in a folder of its own, from the ``empty`` one."""

    def __init__(self, folder: Path, empty: Path) -> None:
        self._folder = folder
        self._empty = empty
        self._made: list[Database] = []

    def __call__(self, name: str) -> Database:
        """One more."""
        path = self._folder / name / ".newsletter" / "newsletter.db"
        path.parent.mkdir(parents=True)
        shutil.copy(self._empty, path)
        return self.open(path)

    def open(self, path: Path) -> Database:
        """One that is there, opened as a new process would open it."""
        database = quick(path)
        self._made.append(database)
        return database

    def close(self) -> None:
        """Close them all."""
        for database in self._made:
            database.close()
        self._made.clear()


def migrated(folder: Path) -> Path:
    """A migrated database without rows, closed."""
    database = fresh(folder)
    with database.write():
        pass
    database.close()
    return database.path


def quick(path: Path) -> Database:
    """A database that does not wait for the disk.

    The deaths here are deaths of a process, which keep what the operating system has been given.
    """
    database = open_database(path)
    database.close()
    event.listen(database._engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
    return database
