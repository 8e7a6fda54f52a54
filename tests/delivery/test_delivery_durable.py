"""What waits for the disk before the next step, and what a power failure may take back (docs/adr/0012)."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from delivery.fakes_delivery import FAULTS, MODELS, Fake, Truth, scripted
from delivery.helpers_delivery import begin, people, status, work_on
from sqlalchemy import select

from newsletter.providers.base import Verdict
from newsletter.store.database import Database, open_database
from newsletter.store.tables import event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from delivery.fakes_delivery import Model
    from delivery.helpers_delivery import Clock
    from sqlalchemy import Connection

    from newsletter.providers.base import Answer, Payload

WAITS, GOES_ON = 2, 1
"""``synchronous`` FULL and NORMAL, as SQLite tells them."""


class Watching(Database):
    """A real database that notes of each write which arrows it holds, and whether it waits for the disk."""

    def __init__(self, database: Database) -> None:
        super().__init__(database._engine, database.path, database._schema)
        self.seen: list[tuple[tuple[str, ...], int]] = []
        self._known = 0

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A write, noted at its end."""
        with super().write(durable=durable) as connection:
            yield connection
            arrows = connection.execute(select(event.c.id, event.c.to_state).where(event.c.id > self._known)).all()
            self._known = max((each.id for each in arrows), default=self._known)
            level = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
            self.seen.append((tuple(each.to_state for each in arrows), level))


class HoldsBack(Fake):
    """Accepts all but one of a call, for whom the operator has to act."""

    def submit(self, payload: Payload, key: str) -> Answer:
        """Accept the others."""
        answer = super().submit(payload, key)
        return replace(answer, held_back=(Verdict(payload.body[0], "the sender is not verified"),))


@pytest.fixture
def watching(empty_ledger: Path, tmp_path: Path) -> Iterator[Watching]:
    """A ledger on the disk, with ten people."""
    path = tmp_path / ".newsletter" / "newsletter.db"
    path.parent.mkdir()
    shutil.copy(empty_ledger, path)
    database = open_database(path)
    people(database, 10)
    yield Watching(database)
    database.close()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_only_an_acceptance_does_not_wait_for_the_disk(
    watching: Watching, clock: Clock, model: Model, fault: str
) -> None:
    """Claims, intents, refusals, doubts, pauses and the end do, whatever happens to a call."""
    truth = Truth()
    fake = Fake(truth, model, now=clock.now, fault=scripted("", fault))
    made = begin(watching, fake, batch=3)
    for _ in range(3):
        work_on(watching, made, fake, clock)
    levels = {arrows: level for arrows, level in watching.seen if arrows}
    assert {"claimed", "sending", "accepted"} <= {arrow for arrows in levels for arrow in arrows}
    assert levels == {arrows: GOES_ON if arrows[0] == "accepted" else WAITS for arrows in levels}
    assert all(level == WAITS for arrows, level in watching.seen if not arrows)


def test_an_acceptance_that_holds_the_send_waits_for_the_disk(watching: Watching, clock: Clock) -> None:
    """Somebody is held back: that the send is paused must not be taken back once the operator was told."""
    fake = HoldsBack(Truth(), now=clock.now)
    made = begin(watching, fake, batch=3)
    work_on(watching, made, fake, clock)
    assert status(watching, made).send.state == "paused"
    accepted = [level for arrows, level in watching.seen if "accepted" in arrows]
    assert accepted
    assert set(accepted) == {WAITS}


def test_every_call_has_an_intent_on_the_disk(watching: Watching, clock: Clock) -> None:
    """Also the one of a batch that was taken in hand, or is made again, in a write that did not wait."""
    truth = Truth()
    levels: list[int] = []

    def look() -> str:
        levels.append(watching.seen[-1][1])
        return "time-out after" if truth.calls == 2 else ""

    fake = Fake(truth, "keys", now=clock.now, fault=look)
    made = begin(watching, fake, batch=3)
    work_on(watching, made, fake, clock)
    assert status(watching, made).send.state == "done"
    assert levels == [WAITS] * 5
