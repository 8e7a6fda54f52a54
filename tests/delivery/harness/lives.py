"""Layer B: one seed is one life of a send, with deaths, two senders in turns, people, an operator, and wrong clocks.

``python -m delivery.harness.lives FIRST LAST`` lives these seeds until one breaks a rule, and says so as JSON; the
tests' folder has to be on the path.
"""

from __future__ import annotations

import datetime as dt
import gc
import json
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from delivery.harness.turns import Life, take_turns
from delivery.harness.world import KINDS, Made, one_thread
from delivery.ledgers import Ledgers, migrated

import newsletter
from newsletter.delivery.checker import INVARIANTS
from newsletter.delivery.mortal import Crash, Fuse
from newsletter.delivery.terms import Terms
from newsletter.providers.hostile.fates import Level
from newsletter.providers.hostile.mishaps import MISHAPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from newsletter.delivery.checker import Violation

_PAUSES = (0, 1, 400, 3_600)
"""Seconds until somebody runs the command again."""

_LONG = 26 * 3_600
"""Long enough for every key to be forgotten. Not where clocks are wrong: one that was set back by as much as time has
passed cannot be told from one that stood still."""

_LONGEST_LIFE = 60
"""Checkpoints up to which a process dies, if it does."""

_FEW = (2, 3, 4)
"""How many kinds of mishaps there are in a life that meets the same ones again and again."""

_LEVELS = (0.2, 0.4, 0.7)
"""Shares of calls that go wrong; where it is most of them, one mishap follows another in the same batch."""

_SWEPT = 25

_RUNS = 4
"""Runs after which a send must rest when nothing goes wrong with calls: refusal after refusal holds it once or twice."""


@dataclass
class Story:
    """What happened in a life, and what must not have."""

    seed: int
    broken: list[Violation] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    error: str = ""
    record: str = ""
    """A hash of everything that happened."""


def live(seed: int, ledgers: Ledgers) -> Story:
    """One life, driven by its seed alone."""
    dice, story = random.Random(seed), Story(seed)
    wrong_clocks = dice.random() < 0.5
    staged = Terms(shares=("20%", "100%"), wait=90) if dice.random() < 0.2 else Terms()
    world = Made(
        ledgers(f"life-{seed}"),
        dice.choice(list(KINDS)),
        seed,
        count=dice.randint(6, 14),
        batch=dice.choice((1, 2, 4, 20)),
        level=Level(dice.choice(_LEVELS), 0.03),
        mishaps=tuple(dice.sample(MISHAPS, dice.choice(_FEW))) if dice.random() < 0.6 else MISHAPS,
        terms=staged,
    )
    happened = story.happened
    with one_thread():
        for _ in range(dice.randint(1, 5)):
            _round(world, dice, happened, wrong_clocks=wrong_clocks)
            story.broken = world.check()
            if story.broken:
                break
            world.time.wait(dice.choice(_PAUSES) if wrong_clocks else dice.choice((*_PAUSES, _LONG)))
            if dice.random() < 0.5:
                happened["doubts settled"] += world.settle()
            if dice.random() < 0.7:
                world.resume()
        story.broken = story.broken or _rest(world, dice)
    story.record = world.record()
    happened["deaths"] = world.deaths
    happened["unsubscribed"] = len(world.left)
    happened["messages"] = world.truth.accepted().total()
    for tried in world.truth.calls():
        happened["calls"] += 1
        happened["calls that went wrong"] += bool(tried.mishap)
    return story


def _round(world: Made, dice: random.Random, happened: Counter[str], *, wrong_clocks: bool) -> None:
    """One or two senders, until each has died or has nothing to do."""

    def sender(life: Life) -> None:
        fuse = Fuse()
        fuse.light(ends.pop())
        try:
            world.send(fuse, life.give)
        except Crash:
            world.deaths += 1

    count = dice.choice((1, 2, 2))
    ends = [
        dice.choice((0, dice.randint(1, _LONGEST_LIFE))) if world.deaths else dice.randint(1, 30) for _ in range(count)
    ]

    def between() -> None:
        world.watch()
        if dice.random() < 0.04:
            name, act = dice.choice(_acts(world, dice, wrong_clocks=wrong_clocks))
            act()
            happened[name] += 1

    take_turns([Life(sender) for _ in range(count)], dice, between)


def _acts(world: Made, dice: random.Random, *, wrong_clocks: bool) -> list[tuple[str, Callable[[], object]]]:
    """What others may do while senders are at work."""

    def leave() -> None:
        if active := world.active():
            world.leave(dice.choice(active))

    def jump() -> None:
        world.time.wrong = dt.timedelta(hours=dice.choice((-25, 0, 25)))

    acts: list[tuple[str, Callable[[], object]]] = [("joined", world.join), ("paused", world.pause)]
    acts += [("cancelled", world.cancel), *[("resumed", world.resume)] * 2, *[("left", leave)] * 3]
    return acts + [("clock set", jump)] * 4 if wrong_clocks else acts


def _rest(world: Made, dice: random.Random) -> list[Violation]:
    """Nothing goes wrong any more; what is cancelled may stay so."""
    world.calm = True
    world.time.wrong = dt.timedelta(0)
    stays = dice.random() < 0.3
    for _ in range(_RUNS):
        found = world.sent()
        if found and found.state == "cancelled" and stays:
            world.cancel()
            break
        world.resume()
        world.send()
        if not world.count_of("pending", "claimed", "sending"):
            break
    return world.check(ended=True)


def lived(seeds: range, folder: Path) -> Iterator[Story]:
    """These lives, one after another."""
    empty = migrated(folder / "empty")
    for seed in seeds:
        place = folder / str(seed)
        ledgers = Ledgers(place, empty)
        try:
            yield live(seed, ledgers)
        except Exception:  # noqa: BLE001 - told with the seed that brings it about
            yield Story(seed, error=traceback.format_exc())
        finally:
            ledgers.close()
            shutil.rmtree(place)
            if seed % _SWEPT == 0:
                gc.collect()  # a process that works on a send keeps the collector from what stands there


def replay(seed: int) -> str:
    """The line that lives one seed again."""
    return f"PYTHONPATH=tests .venv/bin/python -m delivery.harness.lives {seed} {seed}"


def main(first: int, last: int, wanted: str = "any") -> None:
    """Tell of the first life that breaks a rule; with ``named`` it must be one of the checker's own."""
    told: dict[str, Any] = {"program": str(Path(newsletter.__file__).parent), "lives": 0}
    happened: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for story in lived(range(first, last + 1), Path(folder)):
            told["lives"] += 1
            happened += story.happened
            broken = [each for each in story.broken if wanted == "any" or each.invariant in INVARIANTS]
            if broken or story.error:
                told |= {"seed": story.seed, "broken": [each._asdict() for each in broken], "error": story.error}
                break
    sys.stdout.write(json.dumps(told | {"happened": happened}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
