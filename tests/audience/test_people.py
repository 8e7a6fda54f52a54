"""People one at a time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from audience.helpers_audience import NOW, dump, everyone, history, imported, write_list

from newsletter.audience import people
from newsletter.errors import BadInput, Blocked
from newsletter.store.clock import stamp

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.audience.people import Change
    from newsletter.store.database import Database

LATER = NOW + dt.timedelta(days=7)


def _add(database: Database, address: str, fields: dict[str, str] | None = None, *, now: dt.datetime = NOW) -> Change:
    with database.write() as connection:
        return people.add(connection, address, fields or {}, source="sign-up sheet", now=now)


def _unsubscribe(database: Database, address: str) -> Change:
    with database.write() as connection:
        return people.unsubscribe(connection, address, reason="asked by phone", now=LATER)


def _resubscribe(database: Database, address: str) -> Change:
    with database.write() as connection:
        return people.resubscribe(connection, address, reason="wrote to us", now=LATER)


def _with_status(database: Database, folder: Path, status: str) -> None:
    path = write_list(folder, f"email,name,status\nada@example.org,Ada,{status}\n")
    imported(database, path, targets={"status": "status"})


def test_adding_somebody_keeps_their_consent(database: Database) -> None:
    """Address, fields, source and time stand with the person and in their history."""
    change = _add(database, " Ada@Example.org ", {"first_name": " Ada ", "city": ""})
    assert (change.before, change.after.address, change.after.fields) == (
        None,
        "Ada@example.org",
        {"first_name": "Ada"},
    )
    assert (change.after.consent_source, change.after.consent_at) == ("sign-up sheet", stamp(NOW))
    assert history(database, "Ada@example.org") == [("consent", "sign-up sheet")]


def test_adding_somebody_who_is_there_updates_the_given_fields(database: Database) -> None:
    """Others stay, a blank value takes one away, and the same again changes nothing."""
    _add(database, "ada@example.org", {"first_name": "Ada", "city": "Hamburg", "plan": "pro"})
    change = _add(database, "ADA@example.org", {"city": "Bremen", "plan": ""}, now=LATER)
    assert change.changed
    assert everyone(database)["ada@example.org"]["fields"] == {"city": "Bremen", "first_name": "Ada"}
    assert history(database, "ada@example.org") == [("consent", "sign-up sheet"), ("edited", "sign-up sheet")]
    before = dump(database)
    assert not _add(database, "ada@example.org", {"city": "Bremen"}).changed
    assert dump(database) == before


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "complained"])
def test_adding_somebody_who_must_not_be_mailed_is_blocked(status: str, database: Database, tmp_path: Path) -> None:
    """It takes their own wish, and says which command that is."""
    _with_status(database, tmp_path, status)
    before = dump(database)
    with pytest.raises(Blocked, match=f"ada@example.org is {status} since 2026-11-23") as raised:
        _add(database, "ada@example.org", {"name": "X"})
    assert "subscribers resubscribe ada@example.org --reason" in str(raised.value)
    assert dump(database) == before


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("First name", "Ada", "“First name” cannot be a field"),
        ("email", "x", "reserved"),
        ("view_url", "x", "reserved"),
        ("status", "active", "reserved"),
        ("name", "A\x00da", "control character (U+0000)"),
        ("name", "A\x1bda", "control character (U+001B)"),
    ],
)
def test_fields_given_by_hand_are_checked(name: str, value: str, reason: str, database: Database) -> None:
    """The same names and characters are refused as in a list."""
    with pytest.raises(BadInput) as raised:
        _add(database, "ada@example.org", {name: value})
    assert reason in str(raised.value)
    assert everyone(database) == {}


def test_unsubscribing_keeps_the_reason(database: Database) -> None:
    """Status, time and reason; a second time changes nothing."""
    _add(database, "ada@example.org")
    change = _unsubscribe(database, "ADA@example.org")
    assert (change.after.status, change.after.status_at, change.after.status_reason) == (
        "unsubscribed",
        stamp(LATER),
        "asked by phone",
    )
    assert history(database, "ada@example.org")[1:] == [("unsubscribed", "asked by phone")]
    before = dump(database)
    assert not _unsubscribe(database, "ada@example.org").changed
    assert dump(database) == before


@pytest.mark.parametrize("status", ["bounced", "complained"])
def test_unsubscribing_lowers_no_graver_status(status: str, database: Database, tmp_path: Path) -> None:
    """A complaint and a bounce stay what they are."""
    _with_status(database, tmp_path, status)
    assert not _unsubscribe(database, "ada@example.org").changed
    assert everyone(database)["ada@example.org"]["status"] == status


@pytest.mark.parametrize("status", ["unsubscribed", "bounced"])
def test_who_wishes_it_comes_back(status: str, database: Database, tmp_path: Path) -> None:
    """The reason is kept as evidence."""
    _with_status(database, tmp_path, status)
    change = _resubscribe(database, "ada@example.org")
    assert (change.after.status, change.after.status_reason) == ("active", "wrote to us")
    assert history(database, "ada@example.org")[-1] == ("resubscribed", "wrote to us")
    assert not _resubscribe(database, "ada@example.org").changed


def test_who_complained_does_not_come_back(database: Database, tmp_path: Path) -> None:
    """Not even by name."""
    _with_status(database, tmp_path, "complained")
    with pytest.raises(Blocked, match="complained on 2026-11-23 and cannot be brought back"):
        _resubscribe(database, "ada@example.org")


@pytest.mark.parametrize("act", [_unsubscribe, _resubscribe])
def test_nobody_by_that_address_is_bad_input(act: object, database: Database) -> None:
    """The address is repeated, and a way to look is given."""
    assert callable(act)
    with pytest.raises(BadInput, match=r"nobody on the list has the address eve@example\.org"):
        act(database, "eve@example.org")
    with pytest.raises(BadInput, match="“eve” is not an address"):
        act(database, "eve")


def test_the_values_of_a_person_have_the_address_among_them(database: Database) -> None:
    """They are what merge fields are evaluated with."""
    _add(database, "Ada@example.org", {"first_name": "Ada"})
    with database.read() as connection:
        assert people.values_of(connection, "ada@EXAMPLE.org") == (1, {"first_name": "Ada", "email": "Ada@example.org"})
