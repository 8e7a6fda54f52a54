"""Layer C: real processes and sockets. Whatever is killed and whenever, the same command run again completes the send."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from delivery.harness.figures import note, number, shares
from delivery.harness.scene import (
    DIALECTS,
    ENDS,
    Scene,
    cut_short,
    finished,
    free_port,
    prepare,
    working,
    workspace_in,
)
from delivery.helpers_delivery import unsubscribe

from newsletter.providers.hostile.mishaps import MISHAPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = number("ROUNDS")
PROCESSES = 8

LOST = ",".join(each.name for each in MISHAPS if "throttled" not in each.name and each.fault is None)
"""What goes wrong: all but what makes a send wait, or hold it; else there is little to kill."""

SERVERS = tuple((dialect, faults) for faults in (LOST, "none") for dialect in DIALECTS)

KILLS = [
    (part, *SERVERS[part % len(SERVERS)], kills) for part, kills in enumerate(shares(number("KILLS"), 10, least=4))
]
"""What each test of layer C does: its number, which drives it, the dialect, what goes wrong, and so many kills."""

_BESIDE = 4
"""How often a send ends by itself for each that is killed, at most: else nothing is tested."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Scene]:
    """A workspace, and a server that ends with the test."""
    made = Scene(workspace_in(tmp_path), DIALECTS[0], free_port())
    yield made
    made.stop()


@pytest.mark.parametrize(("part", "dialect", "faults", "kills"), KILLS, ids=[f"{each[1]}-{each[0]}" for each in KILLS])
def test_killed_again_and_again_nobody_is_mailed_twice(
    part: int, dialect: str, faults: str, kills: int, stage: Scene
) -> None:
    """SIGKILL at random moments of a send, now and then of its server too; answers get lost; everyone is accounted for."""
    stage.provider = dialect
    each = 40 if faults == LOST else 120  # people: what goes wrong takes its time
    prepare(stage.workspace, dialect, count=200 + each * kills, batch=4, port=stage.port, timeout=1)
    chance, happened = random.Random(part), Counter[str]()
    hostile = ("--hostile", faults, "--hang", "2", "--seed")
    stage.listen(*hostile, str(part))
    while happened["kills"] < kills:
        assert happened["sends"] < kills + _BESIDE * (kills + 5), f"the sends end before they can be killed: {happened}"
        everything = chance.random() < 0.1
        killed(stage, chance, happened, everything=everything)
        assert stage.check() == [], f"part {part}: {happened}"
        if everything:
            stage.listen(*hostile, str(part + 1_000 * happened["sends"]))
        if not stage.rows_left():
            break
    stage.stop()
    stage.listen("--hostile", "none")
    made = stage.to_its_end()
    assert stage.check(ended=True) == [], f"part {part}: {happened}"
    assert made.state == ("running" if stage.people()["in_doubt"] else "done")
    assert happened["kills"] == kills, "the sends ended before they could be killed: give them more people"
    note("C", str(part), len(KILLS), kills=kills, happened=happened)


def killed(scene: Scene, chance: random.Random, happened: Counter[str], *, everything: bool) -> None:
    """Run the send, and kill it at some moment: mostly in the midst of its work, else anywhere, its start included."""
    before, process = scene.events(), scene.send()
    happened["sends"] += 1
    if chance.random() < 0.8:
        while scene.events() == before and process.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.3))
    else:
        time.sleep(chance.uniform(0, 1.0))
    if everything:
        scene.stop(signal.SIGKILL)
        happened["kills of everything"] += 1
    process.kill()
    code, err = finished(process)
    assert code in {*ENDS, -signal.SIGKILL}, err
    happened["kills"] += code == -signal.SIGKILL
    happened["in the middle"] += code == -signal.SIGKILL and scene.events() > before


@pytest.mark.parametrize("part", range(ROUNDS))
def test_eight_sends_at_once_make_one(part: int, tmp_path: Path) -> None:
    """On a fresh ledger: one send, everyone once, and each of the eight ends with 0."""
    count = 200
    scene = Scene(workspace_in(tmp_path), "outbox")
    prepare(scene.workspace, "outbox", count=count, batch=10)
    ends = [finished(process) for process in [scene.send() for _ in range(PROCESSES)]]
    assert [code for code, _ in ends] == [0] * PROCESSES, ends
    assert scene.sends() == 1
    assert scene.truth() == Counter(range(1, count + 1))
    assert scene.check(ended=True) == []
    note("C8", str(part), ROUNDS, rounds=1)


def test_of_two_sends_at_once_one_survives(tmp_path: Path) -> None:
    """They share the work; the survivor takes over what the other had in hand and ends with 0."""
    scene = Scene(workspace_in(tmp_path), "outbox")
    prepare(scene.workspace, "outbox", count=2_000, batch=2)
    one, two = scene.send(), scene.send()
    working(scene, one)
    one.kill()
    assert finished(one)[0] == -signal.SIGKILL, "the send was too fast for this test: give it more people"
    assert finished(two)[0] == 0
    assert scene.truth() == Counter(range(1, 2_001))
    assert scene.check(ended=True) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_a_dead_sender_is_not_waited_for(number: signal.Signals, tmp_path: Path) -> None:
    """Its lock tells at once; its lease would take longer than the next send is waited for here."""
    scene = cut_short(tmp_path, number, count=800, batch=2)
    assert finished(scene.send())[0] == 0
    assert scene.truth() == Counter(range(1, 801))
    assert scene.check(ended=True) == []


def test_who_unsubscribes_while_another_process_sends_gets_nothing(stage: Scene) -> None:
    """The last of the list leave when the first have their mail."""
    prepare(stage.workspace, stage.provider, count=200, batch=4, port=stage.port, per_second=10)
    stage.listen("--hostile", "none")
    process = stage.send()
    working(stage, process)
    with stage.opened() as database:
        unsubscribe(database, 199, 200)
    assert not stage.truth()[200], "the send was too fast for this test: give it more people"
    assert finished(process)[0] == 0
    assert stage.people()["skipped"] == 2
    assert stage.check(ended=True, left={199, 200}) == []
