"""Erasing somebody while they are being sent to: nothing in hand keeps them, and no call loses its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from delivery.checker import violations
from delivery.fakes_delivery import Fake, Truth
from delivery.helpers_delivery import LINKS, NOW, Clock, begin, people, work_on
from sqlalchemy import select, update

from newsletter.audience import suppressing
from newsletter.delivery import attempt, claims, desk, forgetting, summary
from newsletter.delivery.desk import LEASE, Streaks
from newsletter.delivery.ledger import Lost
from newsletter.errors import Blocked
from newsletter.store.mentions import mentions
from newsletter.store.tables import batch, delivery, event, person

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.delivery.claims import Claim
    from newsletter.delivery.ledger import Send
    from newsletter.store.database import Database


def _claim(database: Database, made: Send) -> Claim:
    with database.write() as connection:
        claim = claims.take(connection, made.id, "somebody", NOW, LEASE)
    assert claim is not None
    return claim


def _erase(database: Database, who: int) -> None:
    with database.write() as connection:
        forgetting.settle(connection, who, mentions([f"p{who - 1}@example.com"]), NOW)
        forgetting.blank(connection, who)
        gone = update(person).where(person.c.id == who)
        connection.execute(gone.values(address="", key=f"erased:{who}", fields="{}", status="unsubscribed"))


def _set_state(database: Database, state: str) -> None:
    with database.write() as connection:
        connection.execute(update(batch).where(batch.c.id == 1).values(state=state))


def test_a_claimed_batch_is_taken_out_of_its_owners_hands(ledger_db: Database, clock: Clock) -> None:
    """Its owner holds the old members in memory: the intent fails, and the next claim goes without the erased."""
    truth = Truth()
    people(ledger_db, 8)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake, batch=4)
    claim = _claim(ledger_db, made)
    _erase(ledger_db, 2)
    job = desk.job(ledger_db, made.id, fake, LINKS, clock.tools())
    with pytest.raises(Lost):
        attempt.deliver(job, Streaks(), claim)
    assert truth.calls == 0
    end = work_on(ledger_db, made, fake, clock)
    assert (truth.accepted[2], sum(truth.accepted.values()), end.people["skipped"]) == (0, 7, 1)
    assert end.send.state == "done"
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_claim_without_the_erased_stays(ledger_db: Database, clock: Clock) -> None:
    """Only the batches that hold them are touched."""
    people(ledger_db, 8)
    made = begin(ledger_db, Fake(Truth(), now=clock.now), batch=4)
    _claim(ledger_db, made)
    _erase(ledger_db, 8)
    with ledger_db.read() as connection:
        assert connection.execute(select(batch.c.state)).scalars().all() == ["claimed", "pending"]


@pytest.mark.parametrize("who", [1, 4])
def test_a_call_under_way_blocks(who: int, ledger_db: Database, clock: Clock) -> None:
    """The same key must find the same bytes; the error names the send and how to go on, and nothing is changed."""
    people(ledger_db, 8)
    made = begin(ledger_db, Fake(Truth(), now=clock.now), batch=4)
    _claim(ledger_db, made)
    _set_state(ledger_db, "sending")
    with pytest.raises(Blocked, match="may have to be repeated") as raised:
        _erase(ledger_db, who)
    assert f"newsletter send {made.slug}" in str(raised.value)
    with ledger_db.read() as connection:
        assert connection.execute(select(delivery.c.address).where(delivery.c.address == "")).all() == []
        assert connection.execute(select(event.c.detail).where(event.c.detail.contains("erased"))).all() == []


def test_a_call_that_mentions_somebody_in_anothers_values_blocks_too(ledger_db: Database, clock: Clock) -> None:
    """Blanking a friend's address in a frozen value would change that call's bytes as well."""
    people(ledger_db, 8, friend="p7@example.com")
    made = begin(ledger_db, Fake(Truth(), now=clock.now), batch=4)
    _claim(ledger_db, made)
    _set_state(ledger_db, "sending")
    with pytest.raises(Blocked):
        _erase(ledger_db, 8)


def test_who_is_not_in_the_call_any_more_blocks_nothing(ledger_db: Database, clock: Clock) -> None:
    """A member who failed or was skipped is not in its bytes; of the reason only a status stays."""
    people(ledger_db, 4)
    made = begin(ledger_db, Fake(Truth(), now=clock.now), batch=4)
    _claim(ledger_db, made)
    _set_state(ledger_db, "sending")
    with ledger_db.write() as connection:
        out = update(delivery)
        connection.execute(out.where(delivery.c.person_id == 1).values(outcome="failed", error="P0's value is bad"))
        connection.execute(out.where(delivery.c.person_id == 2).values(outcome="skipped", error="bounced"))
    for who in (1, 2):
        _erase(ledger_db, who)
    with ledger_db.read() as connection:
        rows = connection.execute(select(delivery.c.address, delivery.c.fields, delivery.c.error).limit(2)).all()
    assert rows == [("", "{}", "(erased)"), ("", "{}", "bounced")]


@pytest.mark.parametrize("state", ["pending", "accepted", "refused", "in_doubt", "cancelled", "skipped"])
def test_in_every_other_state_they_can_be_erased(state: str, ledger_db: Database, clock: Clock) -> None:
    """What became of their copy still counts; their row shows as erased where people are shown."""
    people(ledger_db, 4)
    made = begin(ledger_db, Fake(Truth(), now=clock.now), batch=4)
    _set_state(ledger_db, state)
    _erase(ledger_db, 1)
    with ledger_db.read() as connection:
        now = summary.status(connection, made.id)
    assert sum(now.people.values()) == 4
    assert all(address for address, _, _ in now.examples)


def test_a_list_of_leavers_counts_in_the_middle_of_a_send(ledger_db: Database, clock: Clock, tmp_path: Path) -> None:
    """Applied while the first batch is under way, it keeps the second from them."""
    truth = Truth()
    people(ledger_db, 8)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake, batch=4)
    left = tmp_path / "left.txt"
    left.write_text("P6@example.com\nnobody-there@example.com\n")

    def leave() -> str:
        suppressing.run(ledger_db, suppressing.Order(left, "complained", apply=True))
        return ""

    fake._fault = leave
    end = work_on(ledger_db, made, fake, clock)
    assert (truth.accepted[7], sum(truth.accepted.values()), end.people["skipped"]) == (0, 7, 1)
    assert violations(ledger_db, made.id, truth.accepted, {7}) == []
