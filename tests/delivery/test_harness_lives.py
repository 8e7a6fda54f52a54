"""Layers B and E: random lives of a send, over which every rule holds, and over which twelve mistakes are found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pytest
from delivery.harness import mutants
from delivery.harness.figures import note, number, shares
from delivery.harness.lives import lived, replay
from delivery.harness.mutants import MUTANTS, Change, Mutant, Stale, plant
from support import ROOT

from newsletter.delivery.checker import INVARIANTS

if TYPE_CHECKING:
    from pathlib import Path

_CHUNKS = shares(number("SEEDS"), 40)
CHUNKS = list(zip(accumulate([0, *_CHUNKS]), _CHUNKS, strict=False))
"""What each test of layer B lives: the first seed, and how many."""

SEARCHED = 400
"""Seeds over which a mistake must be found."""

SOUND = Mutant("none", ())


@pytest.mark.parametrize(("first", "lives"), CHUNKS)
def test_whatever_happens_in_a_life_every_rule_holds(first: int, lives: int, tmp_path: Path) -> None:
    """Deaths, two senders in turns, people who come and go, an operator, wrong clocks; a seed replays each."""
    happened: Counter[str] = Counter()
    for story in lived(range(first, first + lives), tmp_path):
        assert not story.broken and not story.error, f"{replay(story.seed)}\n{story.broken}\n{story.error}"  # noqa: PT018
        happened += story.happened
    tame = {"deaths", "unsubscribed", "paused", "cancelled", "clock set"} - set(happened)
    assert not tame or lives < 20, f"these lives are tame, without any {tame}"
    note("B", f"from {first}", len(CHUNKS), lives=lives, happened=happened)


def test_a_seed_replays_a_life(tmp_path: Path) -> None:
    """To the last event; so the line that a failure prints shows it again."""
    one, two = (
        [(story.record, story.happened) for story in lived(range(12), tmp_path / name)] for name in ("one", "two")
    )
    assert one == two


def told_by(path: Path, first: int, last: int) -> dict[str, Any]:
    """What came of these lives in a process of its own, with the package that lies in ``path``."""
    done = subprocess.run(
        [sys.executable, "-m", "delivery.harness.lives", str(first), str(last), "named"],
        cwd=path,
        env=os.environ | {"PYTHONPATH": f"{path}{os.pathsep}{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=1_200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["program"] == str(path / "newsletter"), "it was not this copy that ran"
    assert not found.get("error"), found["error"]
    return found


@pytest.mark.parametrize("mutant", MUTANTS, ids=[each.name for each in MUTANTS])
def test_a_mistake_breaks_a_rule(mutant: Mutant, tmp_path: Path) -> None:
    """A rule of the checker's own, by its name; the same seed breaks none in a copy without the mistake."""
    found = told_by(plant(mutant, tmp_path / "mutant"), 0, SEARCHED - 1)
    assert "seed" in found, f"{mutant.name} lives on after {SEARCHED} lives: the harness is too weak"
    seed, rule = found["seed"], found["broken"][0]["invariant"]
    assert rule in INVARIANTS
    assert "seed" not in told_by(plant(SOUND, tmp_path / "sound"), seed, seed), replay(seed)
    note("E", mutant.name, len(MUTANTS), mutant=mutant.name, rule=rule, seed=seed)


@pytest.mark.parametrize("text", ["", "no such line\n", "from __future__ import annotations\n"])
def test_a_mistake_in_source_that_has_changed_says_so(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands nowhere, or more than once, is not changed in silence."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.py").write_text("from __future__ import annotations\n" * 2)
    monkeypatch.setattr(mutants, "PACKAGE", package)
    with pytest.raises(Stale, match="not once"):
        plant(Mutant("stale", (Change("a.py", text, "x"),)), tmp_path / "copy")


def test_there_are_twelve_mistakes() -> None:
    """Those of the design, each once."""
    assert len({each.name for each in MUTANTS}) == 12
