"""A planned send: content frozen when it is planned, audience when it begins, and begun once."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any

import pytest
from delivery.fakes_delivery import Crash, Fake, Mortal, Points, Truth
from delivery.helpers_delivery import NOW, Clock, begin, edition, people, row, unsubscribe, wish, work_on
from sqlalchemy import insert, select

from newsletter.delivery import control, freeze, invariants, ledger, schedule, start, turns
from newsletter.delivery.terms import Terms
from newsletter.errors import Blocked
from newsletter.store.tables import batch, content, delivery, person, send

if TYPE_CHECKING:
    from newsletter.delivery.ledger import Send
    from newsletter.delivery.schedule import Step
    from newsletter.store.database import Database

AT = NOW + dt.timedelta(days=3)


@pytest.fixture
def truth() -> Truth:
    """What the provider accepted."""
    return Truth()


@pytest.fixture
def fake(truth: Truth, clock: Clock) -> Fake:
    """A provider without faults."""
    return Fake(truth, now=clock.now)


def planned(database: Database, fake: Fake, before: Send | None = None, *, at: dt.datetime = AT, **how: Any) -> Send:
    """Plan a send."""
    step = schedule.plan(database, wish(fake, **how), at, NOW, before)
    assert step.mine
    return step.send


def begun(database: Database, fake: Fake, made: Send, at: dt.datetime = AT) -> Step:
    """Let it begin."""
    return schedule.begin(database, made, wish(fake), at)


def now(database: Database, made: Send) -> Send:
    """The send as it is."""
    with database.read() as connection:
        return ledger.get(connection, made.id)


def rows(database: Database) -> tuple[int, int]:
    """How many batches and recipients there are."""
    with database.read() as connection:
        counted = [connection.execute(select(table.c.send_id)).all() for table in (batch, delivery)]
    return len(counted[0]), len(counted[1])


def test_the_content_is_frozen_when_planned_and_the_audience_when_it_begins(
    ledger_db: Database, fake: Fake, truth: Truth
) -> None:
    """Who comes in between gets it, who leaves does not; the words are those of the planning."""
    people(ledger_db, 4)
    made = planned(ledger_db, fake)
    assert (made.state, made.scheduled_at, made.recipients, rows(ledger_db)) == ("planned", AT, 0, (0, 0))
    with ledger_db.write() as connection:
        connection.execute(insert(person), [row(f"late{number}@example.com", {}) for number in range(3)])
    unsubscribe(ledger_db, 1)
    made, mine = begun(ledger_db, fake, made)
    assert (mine, made.state, made.recipients, made.created_at) == (True, "running", 6, AT)
    with ledger_db.read() as connection:
        assert start.content_of(connection, made.content_sha) == freeze.thaw(freeze.freeze(wish(fake).frozen))
    assert work_on(ledger_db, made, fake).send.state == "done"
    assert dict(truth.accepted) == dict.fromkeys(range(2, 8), 1)


def test_the_number_of_the_plan_is_that_of_the_audience_at_the_start(ledger_db: Database, fake: Fake) -> None:
    """A send that was planned ends up as one that was not."""
    people(ledger_db, 4)
    made, _ = begun(ledger_db, fake, planned(ledger_db, fake))
    other = begin(ledger_db, fake, kind="again", made=edition(issue_id="other"))
    assert made.plan_id == other.plan_id
    assert made.audience_sha == other.audience_sha


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("step", ["plan", "begin"])
def test_each_step_is_made_whole_or_not_at_all(ledger_db: Database, fake: Fake, step: str, at: int) -> None:
    """Dying before the commit leaves the state before, dying after it the state behind."""
    people(ledger_db, 10)
    made = planned(ledger_db, fake) if step == "begin" else None
    mortal = Mortal(ledger_db, Points(at))
    with pytest.raises(Crash):
        schedule.begin(mortal, made, wish(fake), AT) if made else schedule.plan(mortal, wish(fake), AT, NOW)
    with ledger_db.read() as connection:
        states = connection.execute(select(send.c.state)).scalars().all()
        kept = len(connection.execute(select(content.c.sha)).all())
    if step == "plan":
        assert (states, kept) == (([], 0) if at == 1 else (["planned"], 1))
        assert rows(ledger_db) == (0, 0)
    else:
        assert (states, rows(ledger_db)) == ((["planned"], (0, 0)) if at == 1 else (["running"], (3, 10)))


def test_of_many_who_begin_a_send_one_does(ledger_db: Database, fake: Fake) -> None:
    """The others learn that it has begun; the audience is frozen once."""
    people(ledger_db, 50)
    made = planned(ledger_db, fake)
    steps: list[Step] = []
    threads = [threading.Thread(target=lambda: steps.append(begun(ledger_db, fake, made))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(step.mine for step in steps) == [False] * 7 + [True]
    assert {step.send.state for step in steps} == {"running"}
    assert rows(ledger_db)[1] == 50


def test_of_many_who_plan_a_send_one_does(ledger_db: Database, fake: Fake) -> None:
    """One row, and the others see it."""
    people(ledger_db, 5)
    steps: list[Step] = []
    threads = [
        threading.Thread(target=lambda: steps.append(schedule.plan(ledger_db, wish(fake), AT, NOW))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(step.mine for step in steps) == 1
    assert len({step.send.id for step in steps}) == 1


@pytest.mark.parametrize("change", ["time", "content", "cancelled"])
def test_what_changed_since_it_was_seen_does_not_begin(ledger_db: Database, fake: Fake, change: str) -> None:
    """A plan made anew, or called off, meanwhile: it stays as that left it."""
    people(ledger_db, 5)
    seen = planned(ledger_db, fake)
    if change == "cancelled":
        with ledger_db.write() as connection:
            assert control.cancel(connection, seen.id, NOW)
    elif change == "time":
        planned(ledger_db, fake, seen, at=AT + dt.timedelta(hours=1))
    else:
        planned(ledger_db, fake, seen, made=edition(html=("<p>Other</p>",)))
    step = begun(ledger_db, fake, seen)
    assert not step.mine
    assert step.send.state == ("cancelled" if change == "cancelled" else "planned")
    assert rows(ledger_db) == (0, 0)


def test_it_can_be_planned_anew(ledger_db: Database, fake: Fake) -> None:
    """The same send, with another time and content; who saw the old one cannot."""
    people(ledger_db, 5)
    old = planned(ledger_db, fake)
    later = AT + dt.timedelta(days=1)
    new = planned(ledger_db, fake, old, at=later, made=edition(html=("<p>Other</p>",)))
    assert new.id == old.id
    assert new.scheduled_at == later
    assert new.content_sha != old.content_sha
    assert not schedule.plan(ledger_db, wish(fake), AT, NOW, old).mine
    assert now(ledger_db, new) == new


def test_a_planned_send_is_called_off_and_taken_up_without_anybody_being_mailed(
    ledger_db: Database, fake: Fake, truth: Truth
) -> None:
    """Cancelled, nothing begins it; resumed, it is planned, and not done with nobody in it."""
    people(ledger_db, 5)
    made = planned(ledger_db, fake)
    with ledger_db.write() as connection:
        assert not control.pause(connection, made.id)
        assert control.cancel(connection, made.id, NOW, by="tester")
        assert not control.finish(connection, made.id, NOW)
    with ledger_db.read() as connection:
        assert schedule.due(connection, "outbox", AT) == ()
    with ledger_db.write() as connection:
        assert control.resume(connection, made.id, NOW)
        assert not control.resume(connection, made.id, NOW)
    assert now(ledger_db, made) == made
    assert work_on(ledger_db, begun(ledger_db, fake, made).send, fake).send.state == "done"
    assert len(truth.accepted) == 5


def test_a_send_that_was_called_off_after_it_began_goes_on_as_ever(
    ledger_db: Database, fake: Fake, truth: Truth
) -> None:
    """Its people are known by then."""
    people(ledger_db, 5)
    made, _ = begun(ledger_db, fake, planned(ledger_db, fake))
    with ledger_db.write() as connection:
        assert control.cancel(connection, made.id, AT)
        assert control.resume(connection, made.id, AT)
    assert work_on(ledger_db, made, fake).send.state == "done"
    assert len(truth.accepted) == 5


def test_what_is_due_is_found_when_its_time_has_come(ledger_db: Database, fake: Fake) -> None:
    """The earliest first, in its own realm, and not a second before."""
    people(ledger_db, 5)
    second = planned(ledger_db, fake, at=AT + dt.timedelta(hours=1))
    first = planned(ledger_db, fake, made=edition(issue_id="other"))
    with ledger_db.read() as connection:
        assert schedule.due(connection, "outbox", AT - dt.timedelta(microseconds=1)) == ()
        assert schedule.due(connection, "outbox", AT) == (first,)
        assert schedule.due(connection, "outbox", AT + dt.timedelta(days=1)) == (first, second)
        assert schedule.due(connection, "real", AT + dt.timedelta(days=1)) == ()


def test_what_began_and_stopped_is_found_until_nothing_is_open(ledger_db: Database, fake: Fake) -> None:
    """A plan whose process died; not one that was begun by hand, nor one that is held."""
    people(ledger_db, 5)
    begin(ledger_db, fake, made=edition(issue_id="by hand"))
    made, _ = begun(ledger_db, fake, planned(ledger_db, fake))
    with ledger_db.read() as connection:
        assert schedule.begun(connection, "outbox", AT) == (made,)
    with ledger_db.write() as connection:
        control.pause(connection, made.id)
    with ledger_db.read() as connection:
        assert schedule.begun(connection, "outbox", AT) == ()
    work_on(ledger_db, made, fake)
    with ledger_db.read() as connection:
        assert schedule.begun(connection, "outbox", AT) == ()


def test_nobody_to_send_to_leaves_it_planned(ledger_db: Database, fake: Fake) -> None:
    """All have left by then."""
    people(ledger_db, 1)
    made = planned(ledger_db, fake)
    unsubscribe(ledger_db, 1)
    with pytest.raises(Blocked, match="nobody to send to"):
        begun(ledger_db, fake, made)
    assert now(ledger_db, made) == made


def test_every_step_is_told_and_the_ledger_is_sound_at_each(ledger_db: Database, fake: Fake) -> None:
    """The turns say when it was planned, for when, and when it began."""
    people(ledger_db, 5)
    made = planned(ledger_db, fake, terms=Terms("Europe/Berlin"))
    with ledger_db.read() as connection:
        assert list(invariants.flaws(connection)) == []
    begun(ledger_db, fake, made)
    with ledger_db.read() as connection:
        assert list(invariants.flaws(connection)) == []
        told = [(each.before, each.after, each.by) for each in turns.of(connection, made.id)]
    assert told == [("new", "planned", "tester"), ("planned", "running", "tester")]
    assert now(ledger_db, made).terms.zone == "Europe/Berlin"


def test_an_approval_must_name_the_planned_time_but_not_that_of_a_send_at_once(ledger_db: Database, fake: Fake) -> None:
    """What is planned for the very moment is not scheduled."""
    people(ledger_db, 5)
    made = planned(ledger_db, fake)
    assert made.approved_for == AT
    assert planned(ledger_db, fake, made, at=NOW).approved_for is None
