"""Who was erased: blanked, counted, and never brought back but by their own wish."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import pytest
from audience.helpers_audience import NOW, dump, erase, everyone, imported, secret, statuses, write_list
from sqlalchemy import select
from support import before_statements

from newsletter.audience import erased, erasing, listing, people
from newsletter.audience.erased import no_secret
from newsletter.errors import BadConfig, BadInput, Blocked
from newsletter.store.clock import stamp
from newsletter.store.database import Database, open_database
from newsletter.store.tables import erased as hashes
from newsletter.store.tables import person, person_event

if TYPE_CHECKING:
    from pathlib import Path

LIST = "email,name\nAda@Example.org,Ada\nbob@example.org,Bob\n"


@pytest.fixture
def filled(database: Database, tmp_path: Path) -> Path:
    """A list of two that was imported, from which one was erased."""
    path = write_list(tmp_path, LIST)
    imported(database, path)
    erase(database, "ADA@example.org")
    return path


def test_a_person_is_blanked_and_their_number_stays(database: Database, filled: Path) -> None:
    """Address, values and every word of their history go; only the hash of the folded address is kept."""
    del filled
    with database.read() as connection:
        row = connection.execute(select(person).where(person.c.id == 1)).mappings().one()
        assert (row["address"], row["key"], row["fields"]) == ("", "erased:1", "{}")
        assert (row["status"], row["status_reason"], row["consent_source"]) == ("unsubscribed", "erased", "")
        told = connection.execute(select(person_event.c.what, person_event.c.detail).order_by(person_event.c.id))
        assert told.all() == [("consent", ""), ("consent", "import:1"), ("erased", "")]
        kept = connection.execute(select(hashes.c.hash, hashes.c.at)).all()
    digest = hmac.new(secret().encode(), b"erased:ada@example.org", hashlib.sha256).hexdigest()
    assert kept == [(digest, stamp(NOW))]


@pytest.mark.parametrize("status", ["bounced", "complained"])
def test_a_graver_status_stays(status: str, database: Database, tmp_path: Path) -> None:
    """With the time that it has."""
    path = write_list(tmp_path, f"email,status\nada@example.org,{status}\n")
    imported(database, path, targets={"status": "status"})
    erase(database, "ada@example.org")
    assert statuses(database) == {"": status}


def test_an_import_leaves_the_erased_out(database: Database, filled: Path) -> None:
    """Counted under a verdict of its own, shown by line only, and never inserted; the next import says the same."""
    before = dump(database)
    for _ in range(2):
        plan = imported(database, filled).plan
        assert (plan.new, plan.unchanged, dict(plan.suppressed), plan.accepted) == (0, 1, {"erased": 1}, 2)
        (example,) = plan.examples["erased"]
        assert (example.line, example.address) == (2, "(erased)")
    assert dump(database) == before


def test_an_import_needs_the_secret_only_once_somebody_was_erased(database: Database, tmp_path: Path) -> None:
    """Before, it is not even asked for; afterwards its lack is 78, and nothing is written."""

    def never() -> str:
        raise AssertionError

    path = write_list(tmp_path, LIST)
    imported(database, path, secret=never)
    erase(database, "ada@example.org")
    before = dump(database)
    with pytest.raises(BadConfig, match="NEWSLETTER_SECRET is not set") as raised:
        imported(database, path, secret=no_secret)
    assert raised.value.exit_code == 78
    assert dump(database) == before


@pytest.mark.parametrize("first", [True, False])
def test_who_is_erased_while_a_list_is_read_stays_away(first: bool, database: Database, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter of the test
    """Be they the first who ever was, or one more: hashes that are new under the lock are looked for again."""
    path = write_list(tmp_path, LIST)
    imported(database, write_list(tmp_path, "email\nada@example.org\neve@example.org\n", "before.csv"))
    if not first:
        erase(database, "eve@example.org")
    done: list[str] = []

    def leave(statement: str) -> None:
        if statement == "BEGIN IMMEDIATE" and not done:
            done.append(statement)
            other = open_database(database.path)
            erase(other, "ada@example.org")
            other.close()

    before_statements(database, leave)
    plan = imported(database, path).plan
    assert (plan.new, dict(plan.suppressed)) == (1, {"erased": 1})
    assert "Ada@example.org" not in everyone(database)


def test_adding_the_erased_is_blocked(database: Database, filled: Path) -> None:
    """The error names the way, and not the address; another address may be added."""
    del filled
    before = dump(database)
    with database.write() as connection, pytest.raises(Blocked, match="erased on 2026-11-23") as raised:
        people.add(connection, "ada@example.org", {}, source="x", now=NOW, secret=secret)
    assert "subscribers resubscribe" in str(raised.value)
    assert "ada@" not in str(raised.value)
    with database.write() as connection, pytest.raises(BadConfig):
        people.add(connection, "ada@example.org", {}, source="x", now=NOW)
    assert dump(database) == before
    with database.write() as connection:
        people.add(connection, "eve@example.org", {}, source="x", now=NOW, secret=secret)


def test_the_erased_come_back_by_their_own_wish(database: Database, filled: Path) -> None:
    """As somebody new of whom nothing is known; then imports may fill in their values, and they can be erased again."""
    with database.write() as connection:
        change = people.resubscribe(connection, "ada@example.org", reason="wrote to us", now=NOW, secret=secret)
    assert (change.before, change.after.id, change.after.status) == (None, 3, "active")
    assert (change.after.consent_source, dict(change.after.fields)) == ("wrote to us", {})
    plan = imported(database, filled).plan
    assert (plan.new, plan.changed, dict(plan.suppressed)) == (0, 1, {})
    erase(database, "ada@example.org")
    assert dict(imported(database, filled).plan.suppressed) == {"erased": 1}
    with database.read() as connection:
        assert erased.count(connection) == 1


def test_nobody_else_comes_back_so(database: Database, filled: Path) -> None:
    """An address that was never there is bad input, with a secret and without."""
    del filled
    with database.write() as connection, pytest.raises(BadInput, match="nobody on the list"):
        people.resubscribe(connection, "eve@example.org", reason="x", now=NOW, secret=secret)


def test_the_erased_are_in_no_list_and_in_no_count_of_people(database: Database, filled: Path) -> None:
    """Lists, fields and counts pass over the blanked row; how many were erased is told beside them."""
    del filled
    with database.read() as connection:
        assert [each.address for each in listing.people(connection, listing.Query())] == ["bob@example.org"]
        assert listing.count(connection, listing.Query(search="erased")) == 0
        found = listing.stats(connection)
    assert (found.people, found.statuses["unsubscribed"], found.erased) == (1, 0, 1)


def test_a_secret_is_in_no_representation() -> None:
    """Neither of an order nor of one who leaves, nor is the address in the latter."""
    leaver = erasing.leaver("ada@example.org", secret)
    assert "ada@" not in repr(leaver)
    assert secret() not in repr(leaver)
