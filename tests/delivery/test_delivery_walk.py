"""The walk through a send: faults, holds, doubts, people who leave, values that do not fit."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from delivery.checker import violations
from delivery.fakes_delivery import LIFETIME, Fake, Truth, scripted
from delivery.helpers_delivery import (
    LINKS,
    NOW,
    Clock,
    begin,
    go_on,
    one_call,
    people,
    row,
    status,
    unsubscribe,
    work_on,
)
from sqlalchemy import insert, select

from newsletter.delivery import control, desk, owners, summary, work
from newsletter.errors import TryLater
from newsletter.links import Links
from newsletter.providers.base import Answer, Fault, NotSent, Payload, Unknown
from newsletter.store.tables import batch, person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.delivery.ledger import Send
    from newsletter.providers.base import Letter, Message
    from newsletter.store.database import Database


@pytest.fixture
def truth() -> Truth:
    """What the provider accepted."""
    return Truth()


def test_everyone_gets_it_once(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Without faults: one message for each active person, in as many calls as batches, and the send is done."""
    people(ledger_db, 10)
    unsubscribe(ledger_db, 3)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake, batch=4)
    end = work_on(ledger_db, made, fake, clock)
    assert truth.accepted == Counter(set(range(1, 11)) - {3})
    assert truth.calls == 3
    assert end.send.state == "done"
    assert summary.exit_code(end) == 0
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_second_run_mails_nobody(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Working on a send that is done makes no call."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake)
    work_on(ledger_db, made, fake, clock)
    calls = truth.calls
    work_on(ledger_db, made, fake, clock)
    assert truth.calls == calls


def test_who_leaves_during_the_send_gets_nothing(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Somebody unsubscribes while the first batch is under way; the second batch goes without them."""
    people(ledger_db, 8)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake, batch=4)

    def leave() -> str:
        unsubscribe(ledger_db, 7)
        return ""

    fake._fault = leave
    end = work_on(ledger_db, made, fake, clock)
    assert truth.accepted[7] == 0
    assert end.people["skipped"] == 1
    assert end.send.state == "done"
    assert violations(ledger_db, made.id, truth.accepted, {7}) == []


def test_a_value_that_does_not_fit_fails_its_person_only(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """The rest of the batch goes, the reason is on record, and the send ends with 1."""
    people(ledger_db, 3)
    with ledger_db.write() as connection:
        connection.execute(insert(person), [row("bad@example.com", {"born": "not a date"})])
        connection.execute(insert(person), [row("evil@example.com", {"first_name": "a\x85Bcc: x@example.com"})])
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake, batch=10)
    end = work_on(ledger_db, made, fake, clock)
    assert (end.people["accepted"], end.people["failed"], end.send.state) == (3, 2, "done")
    assert summary.exit_code(end) == 1
    assert [(address, outcome) for address, outcome, _ in end.examples] == [
        ("bad@example.com", "failed"),
        ("evil@example.com", "failed"),
    ]
    assert "born is not an ISO date" in end.examples[0][2]


def test_a_batch_of_which_nothing_can_be_made_is_skipped(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """No call is made for nobody."""
    people(ledger_db, 2, born="never")
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake)
    end = work_on(ledger_db, made, fake, clock)
    assert truth.calls == 0
    assert (end.people["failed"], end.batches, end.send.state) == (2, {"skipped": 1}, "done")


@pytest.mark.parametrize(
    ("faults", "calls"), [(["refused connection", "refused connection"], 4), (["429", "429 with a time"], 4)]
)
def test_what_passes_is_waited_out(
    ledger_db: Database, truth: Truth, clock: Clock, faults: list[str], calls: int
) -> None:
    """Surely not accepted, so it is tried again after a wait, and nobody gets two."""
    people(ledger_db, 8)
    fake = Fake(truth, now=clock.now, fault=scripted(*faults))
    end = work_on(ledger_db, made := begin(ledger_db, fake, batch=4), fake, clock)
    assert truth.calls == calls
    assert clock.at - NOW > dt.timedelta(seconds=1)
    assert end.send.state == "done"
    assert violations(ledger_db, made.id, truth.accepted) == []


@pytest.mark.parametrize(("fault", "code"), [("refused connection", 69), ("429 with a time", 75), ("quota", 75)])
def test_what_does_not_pass_holds_the_send(
    ledger_db: Database, truth: Truth, clock: Clock, fault: str, code: int
) -> None:
    """After five calls in vain, or at once for a quota: paused by a fault, everyone still open."""
    people(ledger_db, 8)
    fake = Fake(truth, now=clock.now, fault=lambda: fault)
    end = work_on(ledger_db, made := begin(ledger_db, fake, batch=4), fake, clock)
    assert truth.calls == (1 if fault == "quota" else 5)
    assert (end.send.state, end.send.paused_by, end.people["open"]) == ("paused", "fault", 8)
    assert summary.exit_code(end) == code
    again = work_on(ledger_db, made, Fake(truth, now=clock.now), clock)
    assert again.send.state == "done"
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_named_wait_that_is_too_long_holds_the_send(ledger_db: Database, clock: Clock, truth: Truth) -> None:
    """An hour is for the operator to know, not to sit through."""
    people(ledger_db, 2)
    fake = Fake(truth, now=clock.now)

    def hour(payload: Payload, key: str) -> Answer:
        del payload, key
        reason = "too many"
        raise NotSent(reason, retry_after=3600)

    fake.submit = hour  # type: ignore[method-assign]
    end = work_on(ledger_db, begin(ledger_db, fake), fake, clock)
    assert (end.send.fault, end.people["open"]) == (Fault.LATER, 2)


@pytest.mark.parametrize("model", ["keys", "no keys"])
@pytest.mark.parametrize("fault", ["time-out before", "time-out after"])
def test_an_outage_holds_the_send_after_two_unknown_answers(
    ledger_db: Database, truth: Truth, clock: Clock, model: Any, fault: str
) -> None:
    """Two batches are doubtful at most, the others stay untouched; with keys the doubt resolves itself."""
    people(ledger_db, 20)
    fake = Fake(truth, model, now=clock.now, fault=lambda: fault)
    end = work_on(ledger_db, made := begin(ledger_db, fake, batch=4), fake, clock)
    assert truth.calls == 2
    assert (end.send.state, end.send.fault) == ("paused", Fault.UNAVAILABLE)
    assert end.batches["pending"] >= 3
    assert summary.exit_code(end) == (3 if model == "no keys" else 69)
    end = work_on(ledger_db, made, Fake(truth, model, now=clock.now), clock)
    assert end.people["in_doubt"] == (8 if model == "no keys" else 0)
    assert summary.exit_code(end) == (3 if model == "no keys" else 0)
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_verdict_refuses_the_batch_and_the_others_go(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Refused is an end; the send ends with 1."""
    people(ledger_db, 8)
    fake = Fake(truth, now=clock.now, fault=scripted("verdict"))
    end = work_on(ledger_db, made := begin(ledger_db, fake, batch=4), fake, clock)
    assert (end.people["refused"], end.people["accepted"], end.send.state) == (4, 4, "done")
    assert summary.exit_code(end) == 1
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_other_bytes_are_never_sent_with_an_old_key(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """The secret changed between two attempts, so the links did: the batch is in doubt instead."""
    people(ledger_db, 2)
    fake = Fake(truth, now=clock.now, fault=scripted("time-out after"))
    made = begin(ledger_db, fake)
    job = desk.job(ledger_db, made.id, fake, LINKS, clock.tools())
    one_call(job)
    clock.sleep(60)
    job = desk.job(ledger_db, made.id, fake, Links(LINKS.base, b"another secret altogether"), clock.tools())
    work.run(job, 1, lambda: None)
    end = status(ledger_db, made)
    assert (truth.calls, end.people["in_doubt"], end.send.state) == (1, 2, "running")
    assert summary.exit_code(end) == 3


def test_a_fault_of_the_disk_keeps_the_key_of_a_batch_half_written(
    ledger_db: Database, truth: Truth, clock: Clock
) -> None:
    """Unknown with a fault holds the send at once; the next run makes the same batch with the same key."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake)
    whole = fake.submit

    def half(payload: Payload, key: str) -> Answer:
        whole(payload, key)
        reason = "disk full"
        raise Unknown(reason, fault=Fault.DISK)

    fake.submit = half  # type: ignore[method-assign]
    end = work_on(ledger_db, made, fake, clock)
    assert (end.send.fault, end.people["open"], summary.exit_code(end)) == (Fault.DISK, 4, 74)
    end = work_on(ledger_db, made, Fake(truth, now=clock.now), clock)
    assert end.send.state == "done"
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_stop_finishes_the_batch_in_flight(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Ctrl-C during the first call: that batch is recorded, no other is begun, the exit code is 130."""
    people(ledger_db, 12)
    fake = Fake(truth, now=clock.now)

    def stop() -> str:
        clock.stop.set()
        return ""

    fake._fault = stop
    end = work_on(ledger_db, made := begin(ledger_db, fake, batch=4), fake, clock)
    assert (truth.calls, end.people["accepted"], end.people["open"]) == (1, 4, 8)
    assert summary.exit_code(end, interrupted=True) == 130
    assert violations(ledger_db, made.id, truth.accepted, ended=False) == []


@pytest.mark.parametrize("word", ["pause", "cancel"])
def test_another_process_may_hold_the_send(ledger_db: Database, truth: Truth, clock: Clock, word: str) -> None:
    """A pause or cancel during a call takes effect before the next batch."""
    people(ledger_db, 12)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake, batch=4)

    def hold() -> str:
        with ledger_db.write() as connection:
            control.pause(connection, made.id) if word == "pause" else control.cancel(connection, made.id, NOW)
        return ""

    fake._fault = hold
    end = work_on(ledger_db, made, fake, clock)
    assert truth.calls == 1
    left = "cancelled" if word == "cancel" else "open"
    assert (end.people["accepted"], end.people[left]) == (4, 8)
    assert summary.exit_code(end) == (1 if word == "cancel" else 3)
    end = work_on(ledger_db, made, Fake(truth, now=clock.now), clock)
    assert end.send.state == "done"
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_cancel_between_claim_and_intent_sends_nothing(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """The claimer finds its batch gone and makes no call."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake)
    whole = fake.prepare

    def cancel(letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        with ledger_db.write() as connection:
            control.cancel(connection, made.id, NOW)
        return whole(letter, messages, batch)

    fake.prepare = cancel  # type: ignore[method-assign]
    end = work_on(ledger_db, made, fake, clock)
    assert (truth.calls, end.people["cancelled"]) == (0, 4)


def test_the_threads_share_the_work(ledger_db: Database, truth: Truth) -> None:
    """Four threads, real time: everyone once."""
    people(ledger_db, 100)
    tools = desk.tools(threading.Event())
    fake = Fake(truth, now=tools.now)
    made = begin(ledger_db, fake, batch=3)
    seen: list[int] = []

    def watch() -> None:
        with ledger_db.read() as connection:
            seen.append(summary.settled(connection, made.id))

    work.run(desk.job(ledger_db, made.id, fake, LINKS, tools), 4, watch)
    assert violations(ledger_db, made.id, truth.accepted) == []
    assert status(ledger_db, made).send.state == "done"
    assert seen[-1] == 100


def test_what_breaks_a_thread_is_raised_and_leaves_a_ledger_to_go_on_with(
    ledger_db: Database, truth: Truth, clock: Clock
) -> None:
    """A fault in our own code is no silence: it reaches the caller, and the next run takes over at once."""
    people(ledger_db, 8)
    fake = Fake(truth, now=clock.now)

    def bug() -> str:
        raise ZeroDivisionError

    fake._fault = bug
    made = begin(ledger_db, fake, batch=4)
    with pytest.raises(ZeroDivisionError):
        work_on(ledger_db, made, fake, clock)
    end = work_on(ledger_db, made, Fake(truth, now=clock.now), clock)
    assert end.send.state == "done"
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_busy_database_is_asked_again(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Another process holds the ledger when the answer comes: it is recorded once the ledger is free."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake)
    busy = [3]
    whole = ledger_db.write

    def sometimes(*, durable: bool = True) -> Any:
        if truth.calls and busy[0]:
            busy[0] -= 1
            message = "another process holds the database"
            raise TryLater(message)
        return whole(durable=durable)

    job = desk.job(ledger_db, made.id, fake, LINKS, clock.tools())
    ledger_db.write = sometimes  # type: ignore[method-assign]
    work.run(job, 1, lambda: None)
    assert busy == [0]
    assert truth.calls == 1
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_busy_database_at_the_end_is_waited_for(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Everyone has it, and another process holds the ledger when the send would be marked done."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake)
    busy = [3]
    whole = ledger_db.write

    def sometimes(*, durable: bool = True) -> Any:
        if threading.current_thread() is threading.main_thread() and busy[0]:
            busy[0] -= 1
            message = "another process holds the database"
            raise TryLater(message)
        return whole(durable=durable)

    job = desk.job(ledger_db, made.id, fake, LINKS, clock.tools())
    ledger_db.write = sometimes  # type: ignore[method-assign]
    work.run(job, 1, lambda: None)
    assert busy == [0]
    assert status(ledger_db, made).send.state == "done"


def test_who_only_watches_does_not_end_the_lock_of_those_who_work(
    ledger_db: Database, truth: Truth, clock: Clock
) -> None:
    """What breaks in the progress bar ends the run after the batch in flight, which stays this process's own."""
    people(ledger_db, 8)
    fake = Fake(truth, now=clock.now)
    watched, found = threading.Event(), []

    def slow() -> str:
        watched.wait(10)
        found.append(owners.dead(job.locks, {job.owner}))
        return ""

    def watch() -> None:
        watched.set()
        raise BrokenPipeError

    fake._fault = slow
    made = begin(ledger_db, fake, batch=4)
    job = desk.job(ledger_db, made.id, fake, LINKS, desk.tools(threading.Event()))
    with pytest.raises(BrokenPipeError):
        work.run(job, 1, watch)
    assert found == [frozenset()]
    assert status(ledger_db, made).people["accepted"] == 4


@pytest.mark.parametrize("asleep", [dt.timedelta(minutes=2), LIFETIME])
def test_a_key_that_is_outlived_by_a_wait_is_not_used(
    ledger_db: Database, truth: Truth, clock: Clock, asleep: dt.timedelta
) -> None:
    """A batch is taken in hand again, then the machine sleeps: the provider may have forgotten it by then."""
    people(ledger_db, 4)
    fake = Fake(truth, "keys for 30 min", now=clock.now, fault=scripted("time-out after", ""))
    made = begin(ledger_db, fake)
    sleeping = [False]
    prepare = fake.prepare

    def sleep_in_between(letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        if truth.calls:
            clock.sleep(asleep.total_seconds())
            sleeping[0] = True
        return prepare(letter, messages, batch)

    fake.prepare = sleep_in_between  # type: ignore[method-assign]
    end = work_on(ledger_db, made, fake, clock)
    assert sleeping == [True]
    assert set(truth.accepted.values()) == {1}
    assert end.people["in_doubt" if asleep == LIFETIME else "accepted"] == 4
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_held_send_is_not_touched(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Working on a send that the operator paused makes no call."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    made: Send = begin(ledger_db, fake)
    with ledger_db.write() as connection:
        control.pause(connection, made.id)
    job = desk.job(ledger_db, made.id, fake, LINKS, clock.tools())
    work.run(job, 1, lambda: None)
    assert truth.calls == 0
    go_on(ledger_db, made, clock.now())
    work.run(job, 1, lambda: None)
    assert truth.calls == 1


def test_a_rate_is_waited_for_in_claimed(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """A provider with a rate is called no faster, and the wait comes before the intent."""
    import dataclasses

    people(ledger_db, 6)
    fake = Fake(truth, now=clock.now)
    fake.capabilities = dataclasses.replace(fake.capabilities, per_second=0.5)
    made = begin(ledger_db, fake, batch=2)
    states: list[str] = []
    whole = clock.sleep

    def sleep(seconds: float) -> None:
        with ledger_db.read() as connection:
            states.extend(connection.execute(select(batch.c.state).where(batch.c.owner.is_not(None))).scalars())
        whole(seconds)

    clock.sleep = sleep  # type: ignore[method-assign]
    end = work_on(ledger_db, made, fake, clock)
    assert end.send.state == "done"
    assert set(states) == {"claimed"}
    assert clock.at - NOW >= dt.timedelta(seconds=4)
