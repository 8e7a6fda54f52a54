"""Doubt ended by the operator's word: its arrows, their guards, and what comes after them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from delivery.checker import violations
from delivery.fakes_delivery import Fake, Truth, scripted
from delivery.helpers_delivery import LINKS, NOW, Clock, begin, one_call, people, status, unsubscribe, work_on
from sqlalchemy import select, update

from newsletter.delivery import claims, control, desk, invariants, ledger, orphans, resolve, summary, turns
from newsletter.delivery.ledger import Held, Intent, Lost
from newsletter.providers.base import Answer, Verdict
from newsletter.store.tables import batch, delivery, event

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from newsletter.delivery.ledger import Send
    from newsletter.delivery.resolve import Doubt, Word
    from newsletter.providers.base import Payload
    from newsletter.store.database import Database

LATER = NOW + dt.timedelta(hours=1)
LEASE = desk.LEASE


@pytest.fixture
def truth() -> Truth:
    """What the provider accepted."""
    return Truth()


def doubtful(database: Database, truth: Truth, clock: Clock, *faults: str, people_: int = 8) -> tuple[Send, Fake]:
    """A send without keys, whose first calls end so."""
    people(database, people_)
    fake = Fake(truth, "no keys", now=clock.now, fault=scripted(*(faults or ("time-out after",))))
    made = begin(database, fake, batch=4)
    work_on(database, made, fake, clock)
    return made, fake


def doubts(database: Database, made: Send) -> tuple[Doubt, ...]:
    """What is in doubt."""
    with database.read() as connection:
        return resolve.doubts(connection, made.id)


def assume(database: Database, doubt: Doubt, word: Word, by: str = "ada") -> None:
    """Take a word."""
    with database.write() as connection:
        resolve.assume(connection, doubt, word, LATER, by)


def close(database: Database, made: Send) -> None:
    """What the command does after the words."""
    with database.write() as connection:
        resolve.close(connection, made.id, LATER, "ada")


def found(database: Database, number: int) -> Any:
    """One batch."""
    with database.read() as connection:
        return connection.execute(select(batch).where(batch.c.id == number)).one()


def last_event(database: Database, number: int) -> Any:
    """The newest event of a batch."""
    with database.read() as connection:
        return connection.execute(
            select(event).where(event.c.batch_id == number).order_by(event.c.id.desc()).limit(1)
        ).one()


def sound(database: Database) -> list[str]:
    """Every rule of a sound ledger that is broken."""
    with database.read() as connection:
        return [flaw.rule for flaw in invariants.flaws(connection)]


# -- what is known --------------------------------------------------------------------


def test_all_that_is_known_of_a_doubt_is_told(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """People, when it was tried, what was heard, key and hash, and every event."""
    made, _ = doubtful(ledger_db, truth, clock)
    (doubt,) = doubts(ledger_db, made)
    assert (doubt.number, doubt.whole, doubt.people, doubt.attempts, doubt.heard) == (1, True, 4, 1, "time-out after")
    assert doubt.examples == ("p0@example.com", "p1@example.com", "p2@example.com")
    assert doubt.tried_at is not None
    assert doubt.key == found(ledger_db, 1).idem_key
    assert [(each.before, each.after) for each in doubt.events] == [
        ("pending", "claimed"),
        ("claimed", "sending"),
        ("sending", "in_doubt"),
    ]


def test_who_was_erased_is_not_named(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """A word stands where the address was."""
    made, _ = doubtful(ledger_db, truth, clock)
    with ledger_db.write() as connection:
        connection.execute(update(delivery).where(delivery.c.person_id == 1).values(address="", fields="{}"))
    assert doubts(ledger_db, made)[0].examples[0] == "(erased)"


# -- a whole batch --------------------------------------------------------------------


def test_sent_ends_the_doubt_and_the_send(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Accepted, with an event that names who said so; nothing is left, so the send is done and nobody is mailed."""
    made, fake = doubtful(ledger_db, truth, clock)
    assert summary.exit_code(status(ledger_db, made)) == 3
    assume(ledger_db, doubts(ledger_db, made)[0], "sent")
    close(ledger_db, made)
    end = status(ledger_db, made)
    assert (end.send.state, end.people["accepted"], summary.exit_code(end)) == ("done", 8, 0)
    said = last_event(ledger_db, 1)
    assert (said.from_state, said.to_state, said.detail) == (
        "in_doubt",
        "accepted",
        "the operator's word: sent, by ada",
    )
    calls = truth.calls
    work_on(ledger_db, made, fake, clock)
    assert truth.calls == calls
    assert violations(ledger_db, made.id, truth.accepted) == []
    assert sound(ledger_db) == []


def test_unsent_opens_the_batch_again_with_nothing_left_of_the_attempt(
    ledger_db: Database, truth: Truth, clock: Clock
) -> None:
    """Key, hash, expiry and doubt are cleared; the next run sends it, without who has left since."""
    made, fake = doubtful(ledger_db, truth, clock, "time-out before")
    before = found(ledger_db, 1)
    assume(ledger_db, doubts(ledger_db, made)[0], "unsent")
    close(ledger_db, made)
    row = found(ledger_db, 1)
    assert (row.state, bool(row.doubt), row.fence) == ("pending", False, before.fence + 1)
    assert (row.idem_key, row.payload_sha, row.first_sent_at, row.key_expires_at, row.error) == (None,) * 5
    assert status(ledger_db, made).send.state == "running"
    unsubscribe(ledger_db, 2)
    end = work_on(ledger_db, made, fake, clock)
    assert (end.send.state, end.people["accepted"], end.people["skipped"]) == ("done", 7, 1)
    assert violations(ledger_db, made.id, truth.accepted, {2}) == []
    assert sound(ledger_db) == []


def test_a_wrong_word_is_the_only_way_to_two_copies(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Unsent, though it was accepted: four people get two, and the ledger shows who said so."""
    made, fake = doubtful(ledger_db, truth, clock, "time-out after")
    assume(ledger_db, doubts(ledger_db, made)[0], "unsent")
    work_on(ledger_db, made, fake, clock)
    assert sorted(truth.accepted.values()) == [1, 1, 1, 1, 2, 2, 2, 2]
    with ledger_db.read() as connection:
        told = connection.execute(select(event.c.detail).where(event.c.to_state == "pending")).scalars().all()
    assert told == ["the operator's word: unsent, by ada"]


def test_nothing_but_a_word_ends_a_doubt(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Pause, cancel, resume and any number of runs leave it as it is."""
    made, fake = doubtful(ledger_db, truth, clock)
    calls = truth.calls
    for _ in range(3):
        with ledger_db.write() as connection:
            control.pause(connection, made.id)
            control.cancel(connection, made.id, NOW)
        work_on(ledger_db, made, fake, clock)
    assert [each.number for each in doubts(ledger_db, made)] == [1]
    assert truth.calls == calls


def test_unsent_in_a_cancelled_send_is_cancelled_with_the_rest(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Nothing of a cancelled send is open; its resumption sends it."""
    made, fake = doubtful(ledger_db, truth, clock, "time-out before")
    with ledger_db.write() as connection:
        control.cancel(connection, made.id, NOW)
    assume(ledger_db, doubts(ledger_db, made)[0], "unsent")
    close(ledger_db, made)
    end = status(ledger_db, made)
    assert (end.send.state, end.people["cancelled"], end.people["open"]) == ("cancelled", 4, 0)
    assert sound(ledger_db) == []
    end = work_on(ledger_db, made, fake, clock)
    assert (end.send.state, end.people["accepted"]) == ("done", 8)
    assert violations(ledger_db, made.id, truth.accepted) == []


@pytest.mark.parametrize("who", ["fault", "operator"])
def test_a_send_that_was_held_is_done_with_its_last_doubt(
    ledger_db: Database, truth: Truth, clock: Clock, who: str
) -> None:
    """Two unknown answers held it, or a person did; nothing is left to go on with."""
    made, _ = doubtful(ledger_db, truth, clock, "time-out after", "time-out after")
    if who == "operator":
        with ledger_db.write() as connection:
            control.resume(connection, made.id, NOW)
            control.pause(connection, made.id, "let me think", by="ada")
    assert status(ledger_db, made).send.paused_by == who
    one, two = doubts(ledger_db, made)
    assume(ledger_db, one, "sent")
    close(ledger_db, made)
    assert status(ledger_db, made).send.state == "paused"
    assume(ledger_db, two, "sent")
    close(ledger_db, made)
    assert status(ledger_db, made).send.state == "done"
    with ledger_db.read() as connection:
        assert [turn.after for turn in turns.of(connection, made.id)][-2:] == ["running", "done"]


# -- some people of an accepted batch -------------------------------------------------


def contradicted(database: Database, truth: Truth, clock: Clock) -> tuple[Send, Fake]:
    """A call with a key is made twice: nobody heard the first answer, and the second refuses one person."""
    people(database, 6)
    fake = Fake(truth, "keys", now=clock.now, fault=scripted("time-out before", "", "mixed"))
    made = begin(database, fake, batch=4)
    end = work_on(database, made, fake, clock)
    assert (end.people["accepted"], end.people["in_doubt"], end.send.state) == (5, 1, "running")
    return made, fake


def test_a_part_is_told_from_a_whole(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """One person of an accepted batch, with what was heard of them."""
    made, _ = contradicted(ledger_db, truth, clock)
    (doubt,) = doubts(ledger_db, made)
    assert (doubt.whole, doubt.people, doubt.heard) == (False, 1, "no such mailbox")
    assert len(doubt.examples) == 1


def test_sent_settles_a_part(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """They are accepted as the rest of their batch is, and the send is done."""
    made, _ = contradicted(ledger_db, truth, clock)
    assume(ledger_db, doubts(ledger_db, made)[0], "sent")
    close(ledger_db, made)
    end = status(ledger_db, made)
    assert (end.send.state, end.people["accepted"], end.batches) == ("done", 6, {"accepted": 2})
    assert sound(ledger_db) == []


def test_unsent_gives_a_part_a_batch_of_its_own(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """It alone is sent again, and all numbers add up."""
    made, fake = contradicted(ledger_db, truth, clock)
    (doubt,) = doubts(ledger_db, made)
    assume(ledger_db, doubt, "unsent")
    now = status(ledger_db, made)
    assert (now.people["accepted"], now.people["open"]) == (5, 1)
    child = found(ledger_db, 3)
    assert (child.parent, child.n, child.state, found(ledger_db, doubt.number).n) == (doubt.number, 1, "pending", 3)
    assert sound(ledger_db) == []
    end = work_on(ledger_db, made, fake, clock)
    assert (end.send.state, end.people["accepted"]) == ("done", 6)
    assert violations(ledger_db, made.id, truth.accepted) == []
    assert sound(ledger_db) == []


def test_a_part_of_a_cancelled_send_is_cancelled(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """As a whole batch is."""
    made, _ = contradicted(ledger_db, truth, clock)
    with ledger_db.write() as connection:
        control.cancel(connection, made.id, NOW)
    assume(ledger_db, doubts(ledger_db, made)[0], "unsent")
    assert status(ledger_db, made).people["cancelled"] == 1
    assert sound(ledger_db) == []


# -- guards ---------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["sent", "unsent"])
def test_a_word_is_taken_once(ledger_db: Database, truth: Truth, clock: Clock, word: Word) -> None:
    """Two operators, two words: the second changes nothing."""
    made, _ = doubtful(ledger_db, truth, clock)
    (doubt,) = doubts(ledger_db, made)
    assume(ledger_db, doubt, word)
    state = found(ledger_db, 1).state
    for other in ("sent", "unsent"):
        with pytest.raises(Lost):
            assume(ledger_db, doubt, other)
    assert found(ledger_db, 1).state == state


def test_a_word_about_other_people_is_not_taken(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """As many as were confirmed, or nobody."""
    made, _ = contradicted(ledger_db, truth, clock)
    (doubt,) = doubts(ledger_db, made)
    with ledger_db.write() as connection:
        more = update(delivery).where(delivery.c.batch_id == doubt.number, delivery.c.outcome.is_(None))
        connection.execute(more.values(outcome="in_doubt"))
    for word in ("sent", "unsent"):
        with pytest.raises(Lost):
            assume(ledger_db, doubt, word)
    assert status(ledger_db, made).people["in_doubt"] == 4


def in_flight(database: Database, made: Send) -> Held:
    """A batch in a call of a process that falls silent: its lease ends, and it is in doubt under its own fence."""
    with database.write() as connection:
        claim = claims.take(connection, made.id, "asleep", NOW, LEASE)
        assert claim is not None
        intent = Intent("key", "sha", None, NOW + LEASE)
        ledger.intend(connection, claim.held, NOW, intent, ())
    with database.write() as connection:
        assert orphans.recover(connection, made.id, (), NOW + 2 * LEASE, idempotent=False) == 1
    return claim.held


ANSWER = Answer("ref", (Verdict(2, "no such mailbox"),), ((1, "id-1"),))


@pytest.mark.parametrize("word", ["sent", "unsent"])
def test_whoever_waits_for_an_older_call_has_lost_the_batch(ledger_db: Database, truth: Truth, word: Word) -> None:
    """The word raises the fence."""
    people(ledger_db, 4)
    made = begin(ledger_db, Fake(truth, "no keys", now=lambda: NOW))
    held = in_flight(ledger_db, made)
    assume(ledger_db, doubts(ledger_db, made)[0], word)
    arrows: tuple[Callable[[Connection], object], ...] = (
        lambda c: ledger.accept(c, held, LATER, ANSWER),
        lambda c: ledger.found(c, held, LATER, ANSWER),
        lambda c: ledger.refuse(c, held, LATER, "refused"),
        lambda c: ledger.put_back(c, held, LATER, "429", None),
        lambda c: ledger.doubt(c, held, LATER, "time-out"),
    )
    for arrow in arrows:
        with ledger_db.write() as connection, pytest.raises(Lost):
            arrow(connection)


def late(database: Database, held: Held) -> bool:
    """An acceptance that comes after all."""
    with database.write() as connection:
        return resolve.late(connection, held, LATER, ANSWER)


@pytest.mark.parametrize("word", ["sent", "unsent"])
@pytest.mark.parametrize("claimed", [False, True])
def test_an_acceptance_after_the_word_is_in_time_while_nothing_is_under_way(
    ledger_db: Database, truth: Truth, word: Word, *, claimed: bool
) -> None:
    """It is what counts, with its ids and its refusals; whoever had just taken the batch in hand has lost it."""
    people(ledger_db, 4)
    made = begin(ledger_db, Fake(truth, "no keys", now=lambda: NOW))
    held = in_flight(ledger_db, made)
    assume(ledger_db, doubts(ledger_db, made)[0], word)
    claim = None
    if claimed:
        with ledger_db.write() as connection:
            claim = claims.take(connection, made.id, "another", LATER, LEASE)
        assert (claim is None) == (word == "sent")
    assert late(ledger_db, held)
    row = found(ledger_db, 1)
    assert (row.state, row.provider_ref, row.provider_ids) == ("accepted", "ref", '{"1": "id-1"}')
    assert last_event(ledger_db, 1).detail.startswith("a late answer")
    now = status(ledger_db, made)
    assert (now.people["accepted"], now.people["refused"]) == (3, 1)
    if claim is not None:
        with ledger_db.write() as connection, pytest.raises(Lost):
            ledger.intend(connection, claim.held, LATER, Intent("k", "s", None, LATER), ())
    assert sound(ledger_db) == []


def test_an_acceptance_that_comes_too_late_is_written_down(ledger_db: Database, truth: Truth) -> None:
    """The batch is under way again: only an event can say that its people may get two."""
    people(ledger_db, 4)
    made = begin(ledger_db, Fake(truth, "no keys", now=lambda: NOW))
    held = in_flight(ledger_db, made)
    assume(ledger_db, doubts(ledger_db, made)[0], "unsent")
    with ledger_db.write() as connection:
        claim = claims.take(connection, made.id, "another", LATER, LEASE)
        assert claim is not None
        ledger.intend(connection, claim.held, LATER, Intent("again", "sha", None, LATER + LEASE), ())
    assert late(ledger_db, held)
    assert "may have got it twice" in last_event(ledger_db, 1).detail
    with ledger_db.write() as connection:
        ledger.accept(connection, claim.held, LATER, Answer("second"))
    assert found(ledger_db, 1).provider_ref == "second"
    assert sound(ledger_db) == []


def test_without_a_word_an_older_fence_is_lost_as_ever(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Another process took the batch over with its key: its own answer counts."""
    people(ledger_db, 4)
    made = begin(ledger_db, Fake(truth, "keys", now=clock.now))
    with ledger_db.write() as connection:
        claim = claims.take(connection, made.id, "one", NOW, LEASE)
        assert claim is not None
        ledger.intend(connection, claim.held, NOW, Intent("key", "sha", None, NOW + LEASE), ())
        orphans.recover(connection, made.id, {"one"}, NOW, idempotent=True)
        claims.take(connection, made.id, "two", NOW, LEASE)
    before = last_event(ledger_db, 1)
    assert not late(ledger_db, claim.held)
    assert last_event(ledger_db, 1) == before


def test_a_sleeper_wakes_up_after_the_word(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """A laptop sleeps in the midst of a call; the operator says unsent elsewhere; then the answer comes."""
    people(ledger_db, 8)
    fake = Fake(truth, "no keys", now=clock.now)
    made = begin(ledger_db, fake, batch=4)
    job = desk.job(ledger_db, made.id, fake, LINKS, clock.tools())
    whole = fake.submit

    def asleep(payload: Payload, key: str) -> Answer:
        answer = whole(payload, key)
        clock.sleep(3600)
        with ledger_db.write() as connection:
            orphans.recover(connection, made.id, (), clock.now(), idempotent=False)
        assume(ledger_db, doubts(ledger_db, made)[0], "unsent")
        fake.submit = whole  # type: ignore[method-assign]
        return answer

    fake.submit = asleep  # type: ignore[method-assign]
    one_call(job)
    assert found(ledger_db, 1).state == "accepted"
    end = work_on(ledger_db, made, fake, clock)
    assert (end.send.state, end.people["accepted"]) == ("done", 8)
    assert violations(ledger_db, made.id, truth.accepted) == []
