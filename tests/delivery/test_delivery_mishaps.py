"""A laptop that sleeps, a database that cannot be written, or that another program keeps: the ledger stays true."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from delivery.checker import violations
from delivery.fakes_delivery import MODELS, Fake, Truth
from delivery.helpers_delivery import LINKS, Clock, begin, go_on, people, status, work_on

from newsletter.delivery import desk, work
from newsletter.errors import NewsletterError, TryLater, Unwritable
from newsletter.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from delivery.fakes_delivery import Model
    from sqlalchemy import Connection

    from newsletter.providers.base import Answer, Payload

HOUR = 3600.0
MOST_WRITES = 24
"""More than a send of two batches makes."""


@pytest.fixture
def truth() -> Truth:
    """What the provider accepted."""
    return Truth()


# -- asleep ---------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("before", [True, False])
def test_an_hour_asleep_in_the_midst_of_a_call(
    ledger_db: Database, truth: Truth, clock: Clock, model: Model, *, before: bool
) -> None:
    """The lease is long over when the answer comes, and nobody has taken the batch meanwhile: the answer counts."""
    people(ledger_db, 8)
    fake = Fake(truth, model, now=clock.now)
    made = begin(ledger_db, fake, batch=4)
    whole = fake.submit

    def asleep(payload: Payload, key: str) -> Answer:
        if before:
            clock.sleep(HOUR)
        answer = whole(payload, key)
        if not before:
            clock.sleep(HOUR)
        return answer

    fake.submit = asleep  # type: ignore[method-assign]
    end = work_on(ledger_db, made, fake, clock)
    assert (end.send.state, end.people["accepted"]) == ("done", 8)
    assert violations(ledger_db, made.id, truth.accepted) == []


@pytest.mark.parametrize("model", MODELS)
def test_another_process_works_on_while_one_sleeps(
    ledger_db: Database, truth: Truth, clock: Clock, model: Model
) -> None:
    """It takes over what the sleeper had in hand; when that one wakes up with its answer, nobody has got two."""
    people(ledger_db, 8)
    fake = Fake(truth, model, now=clock.now)
    made = begin(ledger_db, fake, batch=4)
    whole = fake.submit

    def asleep(payload: Payload, key: str) -> Answer:
        fake.submit = whole  # type: ignore[method-assign]
        answer = whole(payload, key)
        clock.sleep(HOUR)
        work.run(desk.job(ledger_db, made.id, fake, LINKS, clock.tools()), 1, lambda: None)
        return answer

    fake.submit = asleep  # type: ignore[method-assign]
    end = work_on(ledger_db, made, fake, clock)
    assert (end.send.state, end.people["accepted"]) == ("done", 8)
    assert violations(ledger_db, made.id, truth.accepted) == []


# -- a database that cannot be written ------------------------------------------------


class Failing(Database):
    """A database that takes some writes and then none, until it is mended."""

    def __init__(self, database: Database, writes: int, error: NewsletterError) -> None:
        super().__init__(database._engine, database.path, database._schema)
        self.left = writes
        self.error = error

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """Fail as the real one does: before anything is written."""
        self.left -= 1
        if self.left < 0:
            raise self.error
        with super().write(durable=durable) as connection:
            yield connection


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("error", [Unwritable("it is read-only"), TryLater("another process holds the database")])
def test_a_database_that_fails_from_any_write_on_loses_nothing(
    ledger_db: Database, truth: Truth, clock: Clock, model: Model, error: NewsletterError
) -> None:
    """Its own error ends the run (a busy one is waited for until the lease ends); once it is mended, the next completes.

    Whatever write is the first to fail: nobody gets two, and nobody is left out.
    """
    people(ledger_db, 8)
    failed = 0
    fake = Fake(truth, model, now=clock.now)
    made = begin(ledger_db, fake, batch=4)
    for writes in range(MOST_WRITES):
        failing = Failing(ledger_db, writes, error)
        job = desk.job(failing, made.id, fake, LINKS, clock.tools())
        began = clock.at
        try:
            work.run(job, 1, lambda: None)
        except type(error):
            failed += 1
            assert isinstance(error, Unwritable) or clock.at - began >= desk.LEASE
        go_on(ledger_db, made, clock.now())
        assert violations(ledger_db, made.id, truth.accepted, ended=False) == []
    end = work_on(ledger_db, made, fake, clock)
    assert failed > 2
    assert set(truth.accepted.values()) == {1}
    assert end.people["accepted"] + end.people["in_doubt"] == 8
    assert violations(ledger_db, made.id, truth.accepted) == []
    assert status(ledger_db, made).people["open"] == 0
