"""How much of each layer is run, and what it came to: in ``build/harness`` a file for each part of a layer.

``docs/guarantees.md`` is made from these files: ``delivery.harness.page``.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "build" / "harness"

RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
"""One run of the tests, in however many processes: parts of different runs are never added up."""


class Amount(NamedTuple):
    """How much of something: on every `make test`, where everything must run, and by `make soak`."""

    usual: int
    full: int
    soak: int


AMOUNTS = {
    "SEEDS": Amount(120, 1_000, 5_000),
    "KILLS": Amount(12, 100, 500),
    "ROUNDS": Amount(2, 20, 40),
    "FAULTS": Amount(16, 200, 600),
    "STORIES": Amount(30, 100, 500),
}


def number(name: str) -> int:
    """How much of ``name`` is run: as the variable ``NEWSLETTER_TEST_<name>`` says, or by the size of the whole run."""
    size = os.environ.get("NEWSLETTER_TEST_SIZE") or ("full" if os.environ.get("NEWSLETTER_FULL") == "1" else "usual")
    return int(os.environ.get(f"NEWSLETTER_TEST_{name}") or getattr(AMOUNTS[name], size))


def shares(total: int, most: int, least: int = 1) -> list[int]:
    """``total`` in parts of about the same size, each at most ``most``: what one test does, so that tests can be spread."""
    parts = max(least, -(-total // most))
    return [total // parts + (at < total % parts) for at in range(parts)]


def note(layer: str, part: str, of: int, **figures: Any) -> None:
    """Keep the figures of one of the ``of`` parts that a layer has in this run."""
    folder = FOLDER / layer
    folder.mkdir(parents=True, exist_ok=True)
    data = {"run": RUN, "of": of, "at": dt.datetime.now(dt.UTC).isoformat(), **figures}
    (folder / f"{part.replace(' ', '-')}-of-{of}.json").write_text(json.dumps(data, indent=2) + "\n", "utf-8")


class Kept(NamedTuple):
    """The newest run of a layer that was whole: the day of its end, and what was kept of each part."""

    day: str
    parts: tuple[dict[str, Any], ...]

    def total(self, name: str) -> int:
        """A figure, added up over the parts; those of ``happened`` too."""
        return sum(each.get(name, each.get("happened", {}).get(name, 0)) for each in self.parts)


def kept(layer: str, folder: Path = FOLDER) -> Kept | None:
    """What is known of a layer; ``None`` where no run of it is whole."""
    runs: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted((folder / layer).glob("*.json")):
        part = json.loads(path.read_text("utf-8"))
        runs[part["run"]].append(part)
    whole = [
        Kept(max(each["at"] for each in parts), tuple(parts)) for parts in runs.values() if len(parts) == parts[0]["of"]
    ]
    if not whole:
        return None
    newest = max(whole, key=lambda each: each.day)
    return newest._replace(day=newest.day[:10])
