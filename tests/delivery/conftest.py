"""A fresh ledger for each test, copied from one that was migrated once."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from delivery.helpers_delivery import Clock, fresh
from sqlalchemy import event

from newsletter.store.database import Database, open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows, closed."""
    database = fresh(tmp_path_factory.mktemp("ledger"))
    with database.write():
        pass
    database._engine.dispose()
    return database.path


@pytest.fixture
def new_ledger(empty_ledger: Path, tmp_path: Path) -> Iterator[Callable[[str], Database]]:
    """Makes ledgers, each below a folder of its own."""
    made: list[Database] = []

    def make(name: str) -> Database:
        path = tmp_path / name / ".newsletter" / "newsletter.db"
        path.parent.mkdir(parents=True)
        shutil.copy(empty_ledger, path)
        database = open_database(path)
        # These deaths are deaths of a process, which keep what the operating system has been given.
        database.close()
        event.listen(database._engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
        made.append(database)
        return database

    yield make
    for database in made:
        database.close()


@pytest.fixture
def ledger_db(new_ledger: Callable[[str], Database]) -> Database:
    """One fresh ledger."""
    return new_ledger("workspace")


@pytest.fixture
def clock() -> Clock:
    """A clock that moves when it is told to."""
    return Clock()
