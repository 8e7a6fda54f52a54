"""Real processes, really killed: the outbox is the truth, and everyone is in it once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from delivery.checker import outbox, violations
from delivery.helpers_delivery import people, unsubscribe
from sqlalchemy import select
from support import ROOT

from newsletter.delivery import summary
from newsletter.store.tables import batch, delivery, send

if TYPE_CHECKING:
    from newsletter.store.database import Database

DRIVER = Path(__file__).with_name("driver.py")


def begin_process(database: Database, *arguments: str) -> subprocess.Popen[str]:
    """A sender, started; it says when it works."""
    folder = database.path.parent.parent
    return subprocess.Popen(
        [sys.executable, str(DRIVER), str(folder), *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        stdout=subprocess.PIPE,
        text=True,
    )


def working(process: subprocess.Popen[str]) -> None:
    """Wait until it works."""
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"


def finished(process: subprocess.Popen[str]) -> int:
    """Wait for its end."""
    process.communicate(timeout=120)
    return process.returncode


def truth(database: Database) -> Counter[int]:
    """Messages by person."""
    return outbox(database.path.parent / "outbox" / "2026-11-23-hello")


def open_rows(database: Database) -> int:
    """How many people wait for their message."""
    with database.read() as connection:
        return summary.status(connection, 1).people["open"]


KILLS = 34


def test_killed_again_and_again_everyone_is_mailed_once(ledger_db: Database) -> None:
    """SIGKILL at random moments and between acceptance and answer; each run takes over at once; the last completes it."""
    count = 2500
    people(ledger_db, count)
    chance = random.Random(2026)
    kills = in_flight = 0
    while kills < KILLS:
        between = kills % 4 == 3
        process = begin_process(ledger_db, *([str(chance.randint(1, 6))] if between else []))
        working(process)
        if not between:
            time.sleep(chance.uniform(0, 0.08))
            process.kill()
        assert finished(process) == -signal.SIGKILL, "the send ended before it could be killed: give it more people"
        kills += 1
        assert violations(ledger_db, 1, truth(ledger_db), ended=False) == []
        with ledger_db.read() as connection:
            states = connection.execute(select(batch.c.state).where(batch.c.owner.is_not(None))).scalars().all()
        in_flight += "sending" in states
    assert open_rows(ledger_db) > 0
    assert in_flight >= KILLS // 2, "the kills fell beside the work"
    assert finished(begin_process(ledger_db)) == 0
    assert truth(ledger_db) == Counter(range(1, count + 1))
    assert violations(ledger_db, 1, truth(ledger_db)) == []
    with ledger_db.read() as connection:
        end = summary.status(connection, 1)
    assert (end.send.state, end.people["accepted"], end.people["in_doubt"]) == ("done", count, 0)


def test_two_sends_at_once_of_which_one_is_killed(ledger_db: Database) -> None:
    """They share the work; the survivor takes over what the other had in hand and ends with 0."""
    people(ledger_db, 600)
    one, two = begin_process(ledger_db), begin_process(ledger_db)
    working(one)
    working(two)
    time.sleep(0.1)
    one.kill()
    finished(one)
    assert finished(two) == 0
    assert truth(ledger_db) == Counter(range(1, 601))
    assert violations(ledger_db, 1, truth(ledger_db)) == []


def test_eight_starts_at_once_make_one_send(ledger_db: Database) -> None:
    """On a fresh ledger: one send, everyone once, and each of the eight ends with 0."""
    people(ledger_db, 400)
    processes = [begin_process(ledger_db) for _ in range(8)]
    assert [finished(process) for process in processes] == [0] * 8
    with ledger_db.read() as connection:
        assert connection.execute(select(send.c.id)).scalars().all() == [1]
    assert truth(ledger_db) == Counter(range(1, 401))
    assert violations(ledger_db, 1, truth(ledger_db)) == []


def test_who_unsubscribes_while_another_process_sends_gets_nothing(ledger_db: Database) -> None:
    """The last batch's people leave while the first ones are under way."""
    people(ledger_db, 1000)
    process = begin_process(ledger_db)
    working(process)
    leavers = list(range(981, 1001))
    unsubscribe(ledger_db, *leavers)
    with ledger_db.read() as connection:
        states = connection.execute(
            select(batch.c.state).join(delivery, delivery.c.batch_id == batch.c.id).where(delivery.c.person_id > 980)
        ).scalars()
        assert set(states) == {"pending"}, "the send was too fast for this test: give it more people"
    assert finished(process) == 0
    assert truth(ledger_db) == Counter(range(1, 981))
    assert violations(ledger_db, 1, truth(ledger_db), leavers) == []
    with ledger_db.read() as connection:
        assert summary.status(connection, 1).people["skipped"] == 20


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_dead_owner_is_not_waited_for(ledger_db: Database, number: signal.Signals) -> None:
    """The lock file tells at once; waiting for the lease would take longer than `finished` waits."""
    people(ledger_db, 100)
    process = begin_process(ledger_db, "3") if number is signal.SIGKILL else begin_process(ledger_db)
    working(process)
    if number is not signal.SIGKILL:
        process.send_signal(number)
    assert finished(process) == -number
    assert finished(begin_process(ledger_db)) == 0
    assert truth(ledger_db) == Counter(range(1, 101))
