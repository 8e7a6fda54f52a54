"""A fresh ledger for each test, copied from one that was migrated once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from delivery.helpers_delivery import Clock
from delivery.ledgers import Ledgers, migrated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from newsletter.store.database import Database


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows, closed."""
    return migrated(tmp_path_factory.mktemp("ledger"))


@pytest.fixture
def new_ledger(empty_ledger: Path, tmp_path: Path) -> Iterator[Ledgers]:
    """Makes ledgers, each below a folder of its own."""
    ledgers = Ledgers(tmp_path, empty_ledger)
    yield ledgers
    ledgers.close()


@pytest.fixture
def ledger_db(new_ledger: Callable[[str], Database]) -> Database:
    """One fresh ledger."""
    return new_ledger("workspace")


@pytest.fixture
def clock() -> Clock:
    """A clock that moves when it is told to."""
    return Clock()
