"""Layer F: Hypothesis tells any story of a send, and every rule of the checker holds after each of its steps."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from delivery.harness.figures import note, number, shares
from delivery.harness.world import KINDS, Made, one_thread
from delivery.ledgers import Ledgers, migrated
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from newsletter.errors import Blocked
from newsletter.providers.hostile.fates import Level
from newsletter.store.mark import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator

STORIES = list(enumerate(shares(number("STORIES"), 10)))
"""So many stories in each test, and the seed that drives it."""

STEPS = 25

_FORGOTTEN = 26
"""Hours after which every provider has forgotten every key."""


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    """A migrated ledger to copy."""
    with tempfile.TemporaryDirectory() as folder:
        yield migrated(Path(folder))


class Story(RuleBasedStateMachine):
    """A send, and everything that can happen to it; ``empty`` is the ledger that each begins with."""

    empty: Path
    told = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledgers = Ledgers(self.folder, self.empty)
        self.copy: Path | None = None
        self.wrong_clocks = False
        self.world: Made

    @initialize(
        model=st.sampled_from(sorted(KINDS)),
        seed=st.integers(0, 10_000),
        count=st.integers(1, 9),
        batch=st.integers(1, 4),
        wrong_clocks=st.booleans(),
    )
    def begin(self, model: str, seed: int, count: int, batch: int, *, wrong_clocks: bool) -> None:
        """A ledger with some people; nothing is sent yet."""
        self.wrong_clocks = wrong_clocks
        ledger = self.ledgers("story")
        self.world = Made(ledger, model, seed, count, batch, level=Level(0.3, 0.03), marked=True)
        type(self).told += 1

    def teardown(self) -> None:
        """When nothing goes wrong any more, what is open ends."""
        if hasattr(self, "world"):
            self.world.calm = True
            self.world.time.wrong = dt.timedelta(0)
            self._adopt()
            for _ in range(3):
                self.world.resume()
                self._send(0)
                if not self.world.count_of("pending", "claimed", "sending"):
                    break
            assert self.world.check(ended=True) == []
        self.ledgers.close()
        shutil.rmtree(self.folder)

    # -- the steps --------------------------------------------------------------------

    @rule()
    def somebody_new_is_imported(self) -> None:
        """They are no part of a send that has begun."""
        self.world.join()

    @rule(data=st.data())
    def somebody_unsubscribes(self, data: st.DataObject) -> None:
        """Whoever is active."""
        if active := self.world.active():
            self.world.leave(data.draw(st.sampled_from(active)))

    @rule()
    def send(self) -> None:
        """To its end, or until something holds it."""
        self._send(0)

    @rule(at=st.integers(1, 40))
    def crash(self, at: int) -> None:
        """A send that dies at one of its checkpoints."""
        self._send(at)

    @rule()
    def pause(self) -> None:
        """By the operator."""
        self.world.pause()

    @rule()
    def cancel(self) -> None:
        """By the operator."""
        self.world.cancel()

    @rule()
    def resume(self) -> None:
        """By the operator."""
        self.world.resume()

    @rule()
    def resolve(self) -> None:
        """By an operator who knows what arrived."""
        self.world.settle()

    @rule(seconds=st.sampled_from((1, 400, 3_600)))
    def time_passes(self, seconds: int) -> None:
        """Some of it."""
        self.world.time.wait(seconds)

    @precondition(lambda self: not self.wrong_clocks)
    @rule()
    def a_day_passes(self) -> None:
        """And an hour or two."""
        self.world.time.wait(_FORGOTTEN * 3_600)

    @precondition(lambda self: self.wrong_clocks)
    @rule(hours=st.sampled_from((-25, 0, 25)))
    def the_clock_is_set(self, hours: int) -> None:
        """To what it is not, or back to what it is."""
        self.world.time.wrong = dt.timedelta(hours=hours)

    @precondition(lambda self: self.world.sent() is not None)
    @rule()
    def back_up(self) -> None:
        """The ledger as it is now; the copy before is gone."""
        if self.copy is not None:
            self.copy.unlink()
        self.copy = self.world.backed_up(self.folder / "copy.db")

    @precondition(lambda self: self.copy is not None)
    @rule(adopt=st.booleans())
    def restore(self, *, adopt: bool) -> None:
        """The copy becomes the ledger; perhaps a send is tried before a person decides."""
        assert self.copy is not None
        self.world.restored(self.copy, self.ledgers)
        if adopt:
            self._adopt()

    # -- what must hold ---------------------------------------------------------------

    @invariant()
    def every_rule_holds(self) -> None:
        """Of the checker, and of a sound ledger."""
        if hasattr(self, "world"):
            assert self.world.check() == []

    def _send(self, at: int) -> None:
        older = self.world.standing() is not Standing.FINE
        before = len(self.world.truth.calls())
        try:
            self.world.killed(at)
        except Blocked:
            assert older or not self.world.active()
        if older:
            assert len(self.world.truth.calls()) == before, "mail left from an older copy of the ledger"

    def _adopt(self) -> None:
        if self.world.standing() is not Standing.FINE:
            self.world.adopted()
        assert self.world.standing() is Standing.FINE


@pytest.mark.parametrize(("part", "stories"), STORIES)
def test_any_story_of_a_send_ends_well(part: int, stories: int, empty: Path) -> None:
    """Import, unsubscribe, send, crash, pause, cancel, resume, resolve, back up, restore, and a clock that jumps."""
    how = settings(
        max_examples=stories,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    Story.empty, Story.told = empty, 0
    with one_thread():
        run_state_machine_as_test(seed(part)(Story), settings=how)
    note("F", str(part), len(STORIES), stories=Story.told, steps=STEPS)
