"""The start of a send, who is alive, and how fast it may go."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from delivery.fakes_delivery import Crash, Fake, Mortal, Points, Truth
from delivery.helpers_delivery import LINKS, NOW, Clock, begin, edition, people, wish, work_on
from sqlalchemy import select, update
from support import before_statements

from newsletter.delivery import claims, cutting, desk, freeze, owners, rate, start, work
from newsletter.errors import Blocked
from newsletter.store.tables import batch, delivery, person, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.store.database import Database


@pytest.fixture
def truth() -> Truth:
    """What the provider accepted."""
    return Truth()


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
    mortal = Mortal(ledger_db, Points(at))
    before_statements(mortal, statements.append)
    with pytest.raises(Crash):
        start.create(mortal, wish(fake), NOW)
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
        digest = cutting.Digest()
        for part in cutting.audience(connection):
            digest.add(part)
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


def test_another_s_plan_is_not_joined_by_who_was_shown_one(ledger_db: Database, clock: Clock, truth: Truth) -> None:
    """Another process has begun meanwhile: whoever confirmed the same plan joins it, whoever confirmed another stops."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake)
    assert start.create(ledger_db, wish(fake), NOW, plan_id=made.plan_id) == made
    with pytest.raises(Blocked, match=f"is being sent by the plan {made.plan_id}, not another"):
        start.create(ledger_db, wish(fake), NOW, plan_id="another")


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
    """The lock tells at once; a file that is gone tells nothing, and is not made anew."""
    folder = ledger_db.path.parent / "locks"
    with owners.alive(folder, "one"):
        with owners.alive(folder, "two"):
            pass
        assert owners.dead(folder, {"one", "two", "never"}) == {"two"}
        owners.forget(folder, {"two"})
        assert {path.stem for path in folder.iterdir()} == {"one", "two"}
        owners.forget(folder, ())
        assert {path.stem for path in folder.iterdir()} == {"one"}
    owners.forget(folder, ())
    assert not list(folder.iterdir())


def test_who_is_about_to_take_a_lock_is_not_taken_for_dead(
    ledger_db: Database, truth: Truth, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process whose lock file is there but not yet held claims between another's looks: its batch stays its own."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake)
    job = desk.job(ledger_db, made.id, fake, LINKS, clock.tools())
    job.locks.mkdir()
    (job.locks / "newborn.lock").touch()
    look = owners.dead

    def then_claims(*arguments: Any) -> frozenset[str]:
        found = look(*arguments)
        with ledger_db.write() as connection:
            assert claims.take(connection, made.id, "newborn", clock.now(), desk.LEASE)
        return found

    monkeypatch.setattr(owners, "dead", then_claims)
    assert work.recover(job) == 0


def test_a_send_goes_on_through_the_provider_it_began_with(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Another account knows none of its keys, so it would accept a doubtful batch a second time."""
    people(ledger_db, 4)
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake)
    fake.account = "another"
    with pytest.raises(Blocked, match=r"began through fake \(fake\), and fake \(another\)"):
        desk.job(ledger_db, made.id, fake, LINKS, clock.tools())


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
        return [round(rate.slot(connection, "acc", per_second / rate.WITHIN, now()), 6) for _ in range(count)]


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
