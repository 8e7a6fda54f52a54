"""Receipts, from a ledger that sends of every outcome went through."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from delivery.fakes_delivery import Fake, Truth, scripted
from delivery.helpers_delivery import LINKS, NOW, begin, edition, people, row, unsubscribe, work_on
from sqlalchemy import insert, update

from newsletter.delivery.receipt import Book, Receipt
from newsletter.model import Slot
from newsletter.providers.base import Answer
from newsletter.providers.outbox import Outbox
from newsletter.store import tables
from newsletter.store.clock import stamp

if TYPE_CHECKING:
    from pathlib import Path

    from delivery.helpers_delivery import Clock

    from newsletter.store.database import Database


def receipts(database: Database, person: int) -> list[Receipt]:
    """Everything one person was to get."""
    with database.read() as connection:
        return Book(connection, LINKS, database.instance()).of(person)


def one(database: Database, person: int) -> Receipt:
    """The only one."""
    (found,) = receipts(database, person)
    return found


def test_the_bytes_are_those_that_the_outbox_wrote(ledger_db: Database, clock: Clock, tmp_path: Path) -> None:
    """The complete message, every header of it, and the hashes of what was in it."""
    people(ledger_db, 3, born="1815-12-10")
    outbox = Outbox(tmp_path / "outbox")
    work_on(ledger_db, begin(ledger_db, outbox), outbox, clock)
    for person in (1, 2, 3):
        (path,) = (tmp_path / "outbox").glob(f"2026-11-23-hello/{person:08d}-*.eml")
        found = one(ledger_db, person)
        assert found.made is not None
        assert found.made.message == path.read_bytes()
        assert found.made.subject == f"Hi P{person - 1}"
        assert found.made.text.startswith(f"Hello P{person - 1}\n")
        assert ", born 1815</p>" in found.made.html
        assert found.made.hashes()["message"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert found.made.hashes()["html"] == hashlib.sha256(found.made.html.encode()).hexdigest()
    assert len({one(ledger_db, person).payload_sha for person in (1, 2, 3)}) == 1


def test_a_later_edit_of_the_person_changes_no_receipt(ledger_db: Database, clock: Clock, tmp_path: Path) -> None:
    """Values were frozen with the send."""
    people(ledger_db, 1)
    outbox = Outbox(tmp_path / "outbox")
    work_on(ledger_db, begin(ledger_db, outbox), outbox, clock)
    before = one(ledger_db, 1)
    with ledger_db.write() as connection:
        connection.execute(update(tables.person).values(fields='{"first_name":"Else"}'))
    assert one(ledger_db, 1) == before


def test_times_attempts_and_the_provider_s_id_are_the_batch_s(ledger_db: Database, clock: Clock) -> None:
    """When it was first tried and when it was settled, over all attempts."""
    people(ledger_db, 1)
    fake = Fake(Truth(), now=clock.now, fault=scripted("429", "429"))
    work_on(ledger_db, begin(ledger_db, fake), fake, clock)
    found = one(ledger_db, 1)
    assert (found.outcome, found.attempts, found.provider_id) == ("accepted", 3, "ref")
    assert found.tried_at is not None
    assert found.settled_at is not None
    assert NOW < found.tried_at < found.settled_at
    assert (found.settled_at - found.tried_at).total_seconds() > 1


def test_a_message_s_own_id_goes_before_the_call_s(ledger_db: Database, clock: Clock) -> None:
    """A provider that gives each message an id, and one whose id is the ``Message-ID``."""
    people(ledger_db, 2)

    class Giving(Fake):
        def submit(self, payload: object, key: str) -> Answer:
            """Accept with one id for the call, and one for a person."""
            del payload, key
            return Answer("<call@mg.example.org>", ids=((2, "mine"),))

    fake = Giving(Truth(), now=clock.now)
    work_on(ledger_db, begin(ledger_db, fake), fake, clock)
    first, second = one(ledger_db, 1), one(ledger_db, 2)
    assert (first.provider_id, second.provider_id) == ("<call@mg.example.org>", "mine")
    assert first.made is not None
    assert second.made is not None
    assert b"\r\nMessage-ID: <call@mg.example.org>\r\n" in first.made.message
    assert b"call@mg" not in second.made.message


@pytest.mark.parametrize(
    ("model", "fault", "outcome", "reason"),
    [
        ("keys", "mixed", "refused", "no such mailbox"),
        ("keys", "verdict", "refused", "verdict"),
        ("no keys", "time-out after", "in_doubt", "time-out after"),
        ("keys", "quota", "open", "quota"),
    ],
)
def test_every_outcome_has_its_reason(
    ledger_db: Database, clock: Clock, model: str, fault: str, outcome: str, reason: str
) -> None:
    """A verdict on one or on all, doubt, and what is still open."""
    people(ledger_db, 1)
    fake = Fake(Truth(), model, now=clock.now, fault=scripted(fault))  # type: ignore[arg-type]
    work_on(ledger_db, begin(ledger_db, fake), fake, clock)
    found = one(ledger_db, 1)
    assert (found.outcome, found.reason, found.provider_id) == (outcome, reason, "")
    assert found.made is not None
    assert (found.settled_at is None) is (outcome in {"in_doubt", "open"})
    assert found.attempts == 1


def test_who_was_taken_out_before_the_call_was_never_tried(ledger_db: Database, clock: Clock) -> None:
    """Whatever became of the others of their batch."""
    people(ledger_db, 1)
    with ledger_db.write() as connection:
        bad = row("bad@example.com", {"first_name": "a\x85b"})
        connection.execute(insert(tables.person), [bad, row("left@example.com", {})])
    fake = Fake(Truth(), now=clock.now)
    made = begin(ledger_db, fake, made=edition(text=("Hello ", Slot(0, "text"), "\n")))
    unsubscribe(ledger_db, 3)
    work_on(ledger_db, made, fake, clock)
    well, failed, skipped = (one(ledger_db, person) for person in (1, 2, 3))
    assert well.outcome == "accepted"
    assert (failed.outcome, failed.tried_at, failed.attempts, failed.made) == ("failed", None, 0, None)
    assert "U+0085" in failed.reason
    assert (skipped.outcome, skipped.reason, skipped.tried_at) == ("skipped", "unsubscribed", None)
    assert (skipped.attempts, skipped.payload_sha) == (0, "")


def test_the_newest_send_comes_first(ledger_db: Database, clock: Clock, tmp_path: Path) -> None:
    """A repeated trial is a receipt of its own, with a tag and a message of its own."""
    people(ledger_db, 1)
    outbox = Outbox(tmp_path / "outbox")
    first = begin(ledger_db, outbox)
    work_on(ledger_db, first, outbox, clock)
    from delivery.helpers_delivery import wish

    from newsletter.delivery import start

    again = start.create(ledger_db, wish(outbox, kind="again"), clock.now(), after=first.id)
    work_on(ledger_db, again, outbox, clock)
    newer, older = receipts(ledger_db, 1)
    assert (newer.send.id, older.send.id) == (again.id, first.id)
    (path,) = (tmp_path / "outbox" / "2026-11-23-hello~2").glob("*.eml")
    assert newer.made is not None
    assert newer.made.message == path.read_bytes()
    assert stamp(newer.send.created_at) > stamp(older.send.created_at)


def test_nobody_got_nothing(ledger_db: Database) -> None:
    """An unknown number, and somebody who came after the last send."""
    assert receipts(ledger_db, 7) == []
