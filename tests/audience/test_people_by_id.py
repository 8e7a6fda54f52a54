"""People known by their number only, as in the links of a mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from audience.helpers_audience import NOW, dump, history, imported, write_list
from sqlalchemy import update

from newsletter.audience import people
from newsletter.store.clock import stamp
from newsletter.store.tables import person

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.store.database import Database


def _leave(database: Database, who: int) -> bool:
    with database.write() as connection:
        return people.unsubscribe_by_id(connection, who, reason="one-click", now=NOW)


def _person(database: Database, who: int) -> people.Person | None:
    with database.read() as connection:
        return people.by_id(connection, who)


def _with_status(database: Database, folder: Path, status: str) -> None:
    path = write_list(folder, f"email,name,status\nada@example.org,Ada,{status}\n")
    imported(database, path, targets={"status": "status"})


def test_who_leaves_by_number_is_off_with_reason_and_time(database: Database, tmp_path: Path) -> None:
    """As by address."""
    _with_status(database, tmp_path, "active")
    assert _leave(database, 1)
    found = _person(database, 1)
    assert found
    assert (found.status, found.status_reason, found.status_at) == ("unsubscribed", "one-click", stamp(NOW))
    assert history(database, "ada@example.org")[-1] == ("unsubscribed", "one-click")


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "complained"])
def test_who_is_off_stays_as_they_are(database: Database, tmp_path: Path, status: str) -> None:
    """It is a success all the same, and leaves no trace."""
    _with_status(database, tmp_path, status)
    before = dump(database)
    assert _leave(database, 1)
    assert dump(database) == before


@pytest.mark.parametrize("who", [0, -1, 2, 2**62])
def test_an_unknown_number_is_nobody(database: Database, tmp_path: Path, who: int) -> None:
    """Nothing is written."""
    _with_status(database, tmp_path, "active")
    before = dump(database)
    assert not _leave(database, who)
    assert _person(database, who) is None
    assert dump(database) == before


def test_somebody_erased_is_nobody(database: Database, tmp_path: Path) -> None:
    """Their row stays without an address."""
    _with_status(database, tmp_path, "unsubscribed")
    with database.write() as connection:
        connection.execute(update(person).values(address="", fields="{}"))
    assert not _leave(database, 1)
    assert _person(database, 1) is None
