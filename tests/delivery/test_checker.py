"""The checker can fail: each of its rules is broken once, and named."""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING

import pytest
from delivery.fakes_delivery import Fake, Truth
from delivery.helpers_delivery import Clock, begin, people, work_on
from sqlalchemy import insert, text, update

from newsletter.delivery import mortal
from newsletter.delivery.checker import INVARIANTS, violations
from newsletter.delivery.mortal import Crash, Fuse, Mortal
from newsletter.store.tables import batch, delivery, meta, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from newsletter.store.database import Database

PEOPLE = 4


def _twice(_connection: Connection, accepted: dict[int, int]) -> None:
    accepted[1] = 2


def _nothing(_connection: Connection, accepted: dict[int, int]) -> None:
    del accepted[1]


def _refused(connection: Connection, _accepted: dict[int, int]) -> None:
    connection.execute(update(delivery).where(delivery.c.person_id == 1).values(outcome="refused"))


def _stranger(_connection: Connection, accepted: dict[int, int]) -> None:
    accepted[99] = 1


def _lost_row(connection: Connection, accepted: dict[int, int]) -> None:
    connection.execute(text("DELETE FROM delivery WHERE person_id = 1"))
    del accepted[1]


def _doubt(connection: Connection, _accepted: dict[int, int]) -> None:
    connection.execute(update(delivery).where(delivery.c.person_id == 1).values(outcome="in_doubt"))


def _open(connection: Connection, accepted: dict[int, int]) -> None:
    connection.execute(update(batch).values(state="pending"))
    connection.execute(update(send).values(state="running"))
    accepted.clear()


BROKEN: dict[str, Callable[[Connection, dict[int, int]], None]] = {
    "once": _twice,
    "accepted is true": _nothing,
    "nothing hidden": _refused,
    "nobody else": _stranger,
    "sums": _lost_row,
    "done": _doubt,
    "comes to rest": _open,
}


@pytest.fixture
def finished(ledger_db: Database, clock: Clock) -> tuple[int, dict[int, int]]:
    """A send that is done, and its truth."""
    people(ledger_db, PEOPLE)
    truth = Truth()
    fake = Fake(truth, now=clock.now)
    made = begin(ledger_db, fake, batch=2)
    assert work_on(ledger_db, made, fake, clock).send.state == "done"
    return made.id, dict(truth.accepted)


def test_a_sound_send_breaks_no_rule(ledger_db: Database, finished: tuple[int, dict[int, int]]) -> None:
    """Else every other test here would mean nothing."""
    made, accepted = finished
    assert violations(ledger_db, made, accepted) == []


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_named(ledger_db: Database, finished: tuple[int, dict[int, int]], rule: str) -> None:
    """By the name that it has in the table."""
    made, accepted = finished
    with ledger_db.write() as connection:
        BROKEN[rule](connection, accepted)
    found = violations(ledger_db, made, accepted)
    assert rule in {each.invariant for each in found}
    assert all(str(each).startswith(f"{each.invariant}: ") for each in found)


def test_a_leaver_who_got_a_message_is_named(ledger_db: Database, finished: tuple[int, dict[int, int]]) -> None:
    """Whoever left before the claim may get nothing."""
    made, accepted = finished
    assert [each.invariant for each in violations(ledger_db, made, accepted, [3])] == ["leavers"]


def test_every_rule_was_broken() -> None:
    """A new one needs a test that breaks it."""
    assert {*BROKEN, "leavers"} == set(INVARIANTS)


def test_before_the_end_open_rows_are_no_fault(ledger_db: Database, finished: tuple[int, dict[int, int]]) -> None:
    """They have their way before them, whether their message has arrived or not."""
    made, accepted = finished
    with ledger_db.write() as connection:
        _open(connection, {})
    assert violations(ledger_db, made, accepted, ended=False) == []
    assert violations(ledger_db, made, {}, ended=False) == []


# -- deaths and time ------------------------------------------------------------------


def test_a_death_falls_before_a_commit_or_after_it(ledger_db: Database) -> None:
    """Checkpoint 1 loses the write, checkpoint 2 keeps it; the dead stay dead until the fuse is lit anew."""
    fuse = Fuse()
    database = Mortal(ledger_db, fuse)

    def write(key: str) -> None:
        with database.write() as connection:
            connection.execute(insert(meta).values(key=key, value=""))

    def keys() -> set[str]:
        with database.read() as connection:
            return set(connection.execute(text("SELECT key FROM meta")).scalars())

    fuse.light(1)
    with pytest.raises(Crash):
        write("before")
    fuse.light(2)
    with pytest.raises(Crash):
        write("after")
    with pytest.raises(Crash):
        write("dead")
    fuse.light()
    write("alive")
    assert keys() & {"before", "after", "dead", "alive"} == {"after", "alive"}
    with database.session() as session, session.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    fuse.burn()
    with pytest.raises(Crash):
        fuse.passing()


def test_one_thread_works_and_the_others_are_told_to_stop() -> None:
    """Whichever asks first, as often as it asks; the thread that made the tools goes on as well."""
    clock = mortal.Clock(dt.datetime(2026, 11, 25, tzinfo=dt.UTC))
    tools = mortal.one_by_one(clock, lambda: 0.5)
    asked: dict[int, list[bool]] = {}
    barrier = threading.Barrier(3)

    def ask() -> None:
        barrier.wait()
        asked[threading.get_ident()] = [tools.stopped() for _ in range(3)]
        barrier.wait()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    assert not tools.stopped()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked.values()) == [[False] * 3, [True] * 3, [True] * 3]
    assert not tools.stopped()


def test_its_clock_waits_without_waiting() -> None:
    """And no two looks at it, and no two names, are the same."""
    start = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    clock = mortal.Clock(start)
    clock.wait(1_800)
    first, second = clock.now(), clock.now()
    assert start + dt.timedelta(seconds=1_800) < first < second < start + dt.timedelta(seconds=1_801)
    assert clock.name() != clock.name()
