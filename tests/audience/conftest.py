"""A fresh database for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from newsletter.store.database import Database, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database."""
    opened = open_database(tmp_path / "state" / "newsletter.db")
    yield opened
    opened.close()
