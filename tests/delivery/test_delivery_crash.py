"""Whatever dies and whenever: everyone is mailed once or flagged, and the ledger agrees with the truth."""

from __future__ import annotations

import datetime as dt
import os
import random
from typing import TYPE_CHECKING

import pytest
from delivery.checker import violations
from delivery.fakes_delivery import FAULTS, MODELS, Crash, Fake, Model, Mortal, Points, Truth
from delivery.helpers_delivery import LINKS, Clock, begin, go_on, people, status, unsubscribe

from newsletter.delivery import desk, owners, work
from newsletter.delivery.desk import Streaks

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.delivery.ledger import Send
    from newsletter.delivery.summary import Status
    from newsletter.store.database import Database

PEOPLE = 8


def one_life(database: Database, made: Send, fake: Fake, clock: Clock) -> bool:
    """One process working on a send; whether it lived to the end."""
    job = desk.job(database, made.id, fake, LINKS, clock.tools())
    try:
        go_on(database, made, clock.now())
        work.run(job, 1, lambda: None)
    except Crash:
        return False
    return True


def until_rest(database: Database, made: Send, truth: Truth, model: Model, clock: Clock) -> Status:
    """Run again without faults until the send comes to rest."""
    for _ in range(3):
        assert one_life(database, made, Fake(truth, model, now=clock.now), clock)
    return status(database, made)


def _any(chance: random.Random, *faults: str) -> Callable[[], str]:
    return lambda: chance.choice(faults)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_death_at_every_checkpoint(
    model: Model, seed: int, new_ledger: Callable[[str], Database], clock: Clock
) -> None:
    """Before and after each commit, before and after each acceptance: a second run completes the send."""
    at = 0
    while True:
        at += 1
        database = new_ledger(f"{model}-{seed}-{at}")
        people(database, PEOPLE)
        truth = Truth()
        fault = _any(random.Random(seed), "", "", "429", "502 after", *([] if model == "keys" else ["mixed"]))
        made = begin(database, Fake(truth, model, now=clock.now), batch=3)
        points = Points(at)
        faulty = Fake(truth, model, now=clock.now, fault=fault, points=points)
        lived = one_life(Mortal(database, points), made, faulty, clock)
        assert violations(database, made.id, truth.accepted, ended=False) == []
        end = until_rest(database, made, truth, model, clock)
        assert violations(database, made.id, truth.accepted) == [], f"checkpoint {at}"
        assert end.send.state == ("running" if end.people["in_doubt"] else "done")
        if model == "keys":
            assert end.people["in_doubt"] == 0
        if lived:
            break
    assert at > 10


SEEDS = int(os.environ.get("NEWSLETTER_TEST_SEEDS", "60"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_random_life(seed: int, new_ledger: Callable[[str], Database]) -> None:
    """Deaths, faults, two senders, leavers and a clock that jumps: one seed drives it all, and replays it."""
    chance = random.Random(seed)
    clock = Clock()
    model = chance.choice(MODELS)
    database = new_ledger("workspace")
    people(database, PEOPLE)
    truth = Truth()
    made = begin(database, Fake(truth, model, now=clock.now), batch=chance.choice((1, 3, 4, 20)))
    gone: set[int] = set()
    for _ in range(chance.randint(1, 4)):
        _two_senders(database, made, truth, model, clock, chance, gone)
        # Real time has passed when the next process starts; some clocks are set wrong by a day.
        clock.at += dt.timedelta(seconds=chance.choice((0, 1, 400, 3600)))
    end = until_rest(database, made, truth, model, clock)
    assert violations(database, made.id, truth.accepted, gone) == [], f"NEWSLETTER_TEST_SEEDS={seed + 1} replays it"
    assert end.send.state == ("running" if end.people["in_doubt"] else "done")


def _two_senders(
    database: Database,
    made: Send,
    truth: Truth,
    model: Model,
    clock: Clock,
    chance: random.Random,
    gone: set[int],
) -> None:
    """Two processes take turns until each has died or found nothing to do."""
    go_on(database, made, clock.now())
    real = clock.at

    def true_now() -> dt.datetime:
        return real

    lives = []
    for _ in range(2):
        points = Points(chance.randint(1, 40))
        fake = Fake(
            truth,
            model,
            now=true_now,
            fault=lambda: chance.choice(FAULTS) if chance.random() < 0.3 else "",
            points=points,
        )
        job = desk.job(Mortal(database, points), made.id, fake, LINKS, clock.tools())
        lock = owners.alive(job.locks, job.owner)
        lock.__enter__()
        lives.append((job, Streaks(), lock))
    for _ in range(60):
        if not lives:
            return
        turn = chance.randrange(len(lives))
        job, streaks, lock = lives[turn]
        try:
            ended = work.step(job, streaks) is None
        except Crash:
            ended = True
        if ended:
            lock.__exit__(None, None, None)
            del lives[turn]
        if chance.random() < 0.1:
            clock.at = real + dt.timedelta(hours=chance.choice((-25, 0, 25)))
        if chance.random() < 0.1:
            _leave(database, made, chance, gone)
    for _, _, lock in lives:
        lock.__exit__(None, None, None)


def _leave(database: Database, made: Send, chance: random.Random, gone: set[int]) -> None:
    """Somebody whose batch is untouched unsubscribes."""
    from sqlalchemy import select

    from newsletter.store.tables import batch, delivery

    with database.read() as connection:
        waiting = (
            connection.execute(
                select(delivery.c.person_id)
                .join(batch, batch.c.id == delivery.c.batch_id)
                .where(delivery.c.send_id == made.id, batch.c.state == "pending")
                .order_by(delivery.c.person_id)
            )
            .scalars()
            .all()
        )
    if waiting:
        who = chance.choice(waiting)
        unsubscribe(database, who)
        gone.add(who)
