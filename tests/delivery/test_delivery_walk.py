"""The walk through a send: faults, holds, doubts, people who leave, values that do not fit."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from delivery.checker import violations
from delivery.fakes_delivery import Crash, Fake, Mortal, Points, Truth, scripted
from delivery.helpers_delivery import (
    LINKS,
    NOW,
    Clock,
    begin,
    edition,
    go_on,
    people,
    row,
    status,
    unsubscribe,
    wish,
    work_on,
)
from sqlalchemy import event, insert, select, update

from newsletter.delivery import control, desk, owners, rate, start, summary, work
from newsletter.delivery.desk import Streaks
from newsletter.errors import Blocked, TryLater
from newsletter.links import Links
from newsletter.providers.base import Answer, Fault, NotSent, Payload, Unknown
from newsletter.store.tables import batch, delivery, person, send

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
        connection.execute(insert(person), [row("evil@example.com", {"first_name": "a\r\nBcc: x@example.com"})])
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
    work.step(job, Streaks())
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

    def cancel(letter: Letter, messages: Sequence[Message]) -> Payload:
        with ledger_db.write() as connection:
            control.cancel(connection, made.id, NOW)
        return whole(letter, messages)

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

    def sometimes() -> Any:
        if truth.calls and busy[0]:
            busy[0] -= 1
            message = "another process holds the database"
            raise TryLater(message)
        return whole()

    job = desk.job(ledger_db, made.id, fake, LINKS, clock.tools())
    ledger_db.write = sometimes  # type: ignore[method-assign]
    work.run(job, 1, lambda: None)
    assert busy == [0]
    assert truth.calls == 1
    assert violations(ledger_db, made.id, truth.accepted) == []


# -- the start ------------------------------------------------------------------------


def test_starts_at_once_make_one_send(ledger_db: Database, clock: Clock, truth: Truth) -> None:
    """Eight threads with databases of their own: one row, one frozen audience."""
    people(ledger_db, 50)
    fake = Fake(truth, now=clock.now)
    made: list[int] = []

    def go() -> None:
        made.append(start.create(ledger_db, wish(fake), NOW).id)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    with ledger_db.read() as connection:
        assert len(connection.execute(select(send.c.id)).all()) == 1
        assert len(connection.execute(select(delivery.c.person_id)).all()) == 50


@pytest.mark.parametrize("at", [1, 2])
def test_a_send_is_made_whole_or_not_at_all(ledger_db: Database, clock: Clock, truth: Truth, at: int) -> None:
    """Content, audience and batches are one transaction: dying before its commit leaves nothing, after it everything."""
    people(ledger_db, 10)
    fake = Fake(truth, now=clock.now)
    statements: list[str] = []
    event.listen(ledger_db._engine, "before_cursor_execute", lambda _c, _u, sql, *_: statements.append(sql))
    with pytest.raises(Crash):
        start.create(Mortal(ledger_db, Points(at)), wish(fake), NOW)
    assert statements.count("BEGIN IMMEDIATE") == 1
    assert statements.count("COMMIT") == at - 1
    with ledger_db.read() as connection:
        assert len(connection.execute(select(delivery.c.person_id)).all()) == (0 if at == 1 else 10)
        assert len(connection.execute(select(send.c.id)).all()) == at - 1
    assert work_on(ledger_db, begin(ledger_db, fake), fake, clock).people["accepted"] == 10


def test_a_finished_trial_may_be_repeated_under_a_name_of_its_own(
    ledger_db: Database, clock: Clock, truth: Truth
) -> None:
    """--again makes a second send with the tag slug~2; whoever asks with the same knowledge joins it."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    first = begin(ledger_db, fake)
    work_on(ledger_db, first, fake, clock)
    second = start.create(ledger_db, wish(fake, kind="again"), NOW, after=first.id)
    joined = start.create(ledger_db, wish(fake, kind="again"), NOW, after=first.id)
    assert (second.kind, joined.id) == ("again", second.id)
    with ledger_db.read() as connection:
        assert [start.tag(connection, each) for each in (first, second)] == ["2026-11-23-hello", "2026-11-23-hello~2"]
    work_on(ledger_db, second, fake, clock)
    assert truth.accepted == Counter(dict.fromkeys(range(1, 5), 2))


@pytest.mark.parametrize("change", ["audience", "content", "nothing"])
def test_only_the_plan_that_was_shown_is_carried_out(
    ledger_db: Database, clock: Clock, truth: Truth, change: str
) -> None:
    """Another person, another value or another comma is another plan."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    wanted = wish(fake)
    with ledger_db.read() as connection:
        digest = start.Digest()
        for part in start.audience(connection):
            digest.add(part)
    from newsletter.delivery import freeze

    shown = wanted.plan_id(freeze.sha(wanted.frozen), digest.sha)
    if change == "audience":
        with ledger_db.write() as connection:
            connection.execute(update(person).where(person.c.id == 2).values(fields='{"first_name": "Else"}'))
    if change == "content":
        wanted = wish(fake, edition(html=("<p>Other</p>",)))
    if change == "nothing":
        assert start.create(ledger_db, wanted, NOW, plan_id=shown).recipients == 4
        return
    with pytest.raises(Blocked, match="does not hold any more"):
        start.create(ledger_db, wanted, NOW, plan_id=shown)
    with ledger_db.read() as connection:
        assert not connection.execute(select(send.c.id)).all()


def test_nobody_is_no_send(ledger_db: Database, clock: Clock, truth: Truth) -> None:
    """An empty audience leaves no row behind."""
    with pytest.raises(Blocked, match="nobody"):
        begin(ledger_db, Fake(truth, now=clock.now))
    with ledger_db.read() as connection:
        assert not connection.execute(select(send.c.id)).all()


def test_address_and_values_are_frozen(ledger_db: Database, clock: Clock, truth: Truth) -> None:
    """A later edit of a person changes no message of a send that has begun."""
    people(ledger_db, 2)
    made = begin(ledger_db, Fake(truth, now=clock.now))
    with ledger_db.write() as connection:
        connection.execute(update(person).values(address="other@example.com", fields="{}"))
    with ledger_db.read() as connection:
        rows = connection.execute(
            select(delivery.c.address, delivery.c.fields).where(delivery.c.send_id == made.id)
        ).all()
    assert [row.address for row in rows] == ["p0@example.com", "p1@example.com"]
    assert all("first_name" in row.fields for row in rows)


@pytest.mark.parametrize(("count", "size", "sizes"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (1, 100, [1])])
def test_the_audience_is_cut_into_batches(
    ledger_db: Database, clock: Clock, truth: Truth, count: int, size: int, sizes: list[int]
) -> None:
    """Full batches and the rest, in the order of the people."""
    people(ledger_db, count)
    made = begin(ledger_db, Fake(truth, now=clock.now), batch=size)
    with ledger_db.read() as connection:
        rows = connection.execute(select(batch.c.seq, batch.c.n).where(batch.c.send_id == made.id)).all()
    assert [row.n for row in rows] == sizes
    assert [row.seq for row in rows] == list(range(len(sizes)))


# -- owners and rates -----------------------------------------------------------------


def test_an_owner_is_dead_when_its_lock_is_free(ledger_db: Database) -> None:
    """The lock tells at once; a file that is gone tells nothing."""
    folder = ledger_db.path.parent / "locks"
    with owners.alive(folder, "one"):
        assert owners.dead(folder) == frozenset()
        with owners.alive(folder, "two"):
            pass
        assert owners.dead(folder) == {"two"}
    owners.forget(folder, owners.dead(folder))
    assert not list(folder.iterdir())


def test_a_run_clears_the_locks_of_the_dead_it_has_taken_over(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Nothing piles up: after a run only its own lock file may be left."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake)
    folder = ledger_db.path.parent / "locks"
    for name in ("gone-1", "gone-2"):
        with owners.alive(folder, name):
            pass
    work_on(ledger_db, made, fake, clock)
    assert len(list(folder.iterdir())) <= 1


def slots(database: Database, now: Callable[[], dt.datetime], count: int, per_second: float) -> list[float]:
    """Book slots at one moment."""
    with database.write() as connection:
        return [round(rate.slot(connection, "acc", per_second, now()), 6) for _ in range(count)]


def test_slots_come_evenly(ledger_db: Database) -> None:
    """At two a second the first comes now, the next half a second later, whoever asks."""
    assert slots(ledger_db, lambda: NOW, 3, 2.0) == [0.0, 0.5, 1.0]
    assert slots(ledger_db, lambda: NOW + dt.timedelta(seconds=10), 2, 2.0) == [0.0, 0.5]


def test_too_fast_makes_it_slower(ledger_db: Database) -> None:
    """After “too fast” nothing for as long as named, then at four fifths of the rate."""
    slots(ledger_db, lambda: NOW, 1, 2.0)
    with ledger_db.write() as connection:
        rate.slow_down(connection, "acc", NOW, 10)
    assert slots(ledger_db, lambda: NOW, 2, 2.0) == [10.0, 10.625]


def test_a_slot_booked_before_the_clock_went_back_is_not_waited_for(ledger_db: Database) -> None:
    """A day ahead is no rate."""
    slots(ledger_db, lambda: NOW + dt.timedelta(days=1), 1, 2.0)
    assert slots(ledger_db, lambda: NOW, 1, 2.0) == [0.0]


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
