"""One batch is made ready while others are under way, and no more calls than workers at the same time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from delivery.fakes_delivery import Fake, Truth
from delivery.helpers_delivery import LINKS, Clock, begin, people, status, unsubscribe
from sqlalchemy import select

from newsletter.delivery import control, desk, work
from newsletter.store.tables import batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from newsletter.delivery.ledger import Send
    from newsletter.providers.base import Letter, Message, Payload
    from newsletter.store.database import Database


class Watched(Fake):
    """Says what is made ready, and how many calls are under way; the first call waits for something."""

    def __init__(self, truth: Truth, clock: Clock, first: Callable[[], object]) -> None:
        super().__init__(truth, now=clock.now, fault=self._enter)
        self.made = threading.Semaphore(0)
        self.most = 0
        self._first = first
        self._under_way = 0
        self._lock = threading.Lock()

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """Make ready, and say so."""
        ready = super().prepare(letter, messages, batch)
        self.made.release()
        return ready

    def _enter(self) -> str:
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        if self.truth.calls == 1:
            self._first()
        with self._lock:
            self._under_way -= 1
        return ""


def walk(database: Database, made: Send, fake: Fake, workers: int) -> None:
    """Work on a send with real threads and a real clock."""
    job = desk.job(database, made.id, fake, LINKS, desk.tools(threading.Event()))
    work.run(job, workers, lambda: None)


def second_is_made(fake: Watched) -> None:
    """Wait until two batches have been made ready, which the call under way must not hinder."""
    assert fake.made.acquire(timeout=10)
    assert fake.made.acquire(timeout=10)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_next_batch_is_made_ready_during_a_call(ledger_db: Database, clock: Clock, workers: int) -> None:
    """And never are more calls under way than there are workers."""
    people(ledger_db, 40)
    fake = Watched(Truth(), clock, lambda: second_is_made(fake))
    made = begin(ledger_db, fake, batch=2)
    walk(ledger_db, made, fake, workers)
    assert 1 <= fake.most <= workers
    assert status(ledger_db, made).send.state == "done"
    assert set(fake.truth.accepted.values()) == {1}


def test_who_leaves_while_a_batch_waits_for_its_turn_gets_nothing(ledger_db: Database, clock: Clock) -> None:
    """The second batch was taken in hand and made ready with them, and is made anew without."""
    people(ledger_db, 8)

    def leave() -> None:
        second_is_made(fake)
        unsubscribe(ledger_db, 7)

    fake = Watched(Truth(), clock, leave)
    made = begin(ledger_db, fake, batch=4)
    walk(ledger_db, made, fake, 1)
    assert sorted(fake.truth.accepted) == [1, 2, 3, 4, 5, 6, 8]
    assert status(ledger_db, made).people["skipped"] == 1


def test_a_pause_reaches_the_batch_that_waits_for_its_turn(ledger_db: Database, clock: Clock) -> None:
    """It goes back untried; only the call under way ends as it will."""
    people(ledger_db, 8)

    def pause() -> None:
        second_is_made(fake)
        with ledger_db.write() as connection:
            control.pause(connection, made.id, "by hand")

    fake = Watched(Truth(), clock, pause)
    made = begin(ledger_db, fake, batch=4)
    walk(ledger_db, made, fake, 1)
    assert sorted(fake.truth.accepted) == [1, 2, 3, 4]
    with ledger_db.read() as connection:
        rows = connection.execute(select(batch.c.state, batch.c.attempts).order_by(batch.c.id)).all()
    assert rows == [("accepted", 1), ("pending", 0)]
