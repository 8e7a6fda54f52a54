"""Layer A: a process dies at each of its checkpoints in turn, and the next one completes the send."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from delivery.harness.figures import note
from delivery.harness.world import KINDS, Made, one_thread

from newsletter.providers.hostile.fates import Level

if TYPE_CHECKING:
    from delivery.ledgers import Ledgers

PEOPLE = 12
BATCH = 3
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_death_at_every_checkpoint(model: str, seed: int, new_ledger: Ledgers) -> None:
    """Before and after each commit and each acceptance: one more run, in which nothing goes wrong, ends the send."""
    at = 0
    died = True
    with one_thread():
        while died:
            at += 1
            world = Made(new_ledger(f"at-{at}"), model, seed, PEOPLE, BATCH, level=Level(0.3, 0.1), marked=True)
            died = world.killed(at)
            assert world.check() == [], f"dead at checkpoint {at}"
            world.calm = True
            world.time.wait(60)
            world.send()
            assert world.check(ended=True) == [], f"dead at checkpoint {at}, and at rest"
            world.database.close()
    assert at > 20, "there are fewer checkpoints than a send must have"
    note("A", f"{model}-{seed}", len(SEEDS) * len(KINDS), kind=model, deaths=at - 1)
