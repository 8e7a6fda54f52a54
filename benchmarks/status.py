"""How soon `newsletter status` answers beside a running send of a million.

The send is the real command in a process of its own, against a mail API on loopback; each question is the real
command too. The yardstick, on the same ledger beside the same send, is a bare ``SELECT count(*)`` of its recipients.

    python benchmarks/status.py [--quick] [--rounds 10] [--people 1000000]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from scene import ROOT, Scene, prepare
from send import line
from sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(ROOT))

GOAL = 1.0
"""Seconds for an answer, the start of the program included."""

_SLUG = "2026-11-20-a-benchmark"
_NEWSLETTER = (sys.executable, "-m", "newsletter")
_CONFIGURATION = """\
name: Benchmark
from: Bench <bench@example.org>
postal_address: 1 Quay Street
public_url: https://localhost:9
provider: mailgun
mailgun:
  base_url: {url}
  domain: letters.example.org
send:
  batch: {size}
"""


def workspace(folder: Path, scene: Scene) -> Path:
    """A workspace with the people of ``scene`` and one issue."""
    made = folder / f"workspace-{scene.size}"
    issue = made / "issues" / _SLUG
    issue.mkdir(parents=True)
    (issue / "index.md").write_text("---\nid: bench-0001\ntitle: A benchmark\ndate: 2026-11-20\n---\nHello.\n", "utf-8")
    (made / "newsletter.yaml").write_text(_CONFIGURATION.format(url=scene.url, size=scene.size), "utf-8")
    (made / ".newsletter").mkdir(mode=0o700)
    shutil.copyfile(scene.root / f"{scene.people}.db", made / ".newsletter" / "newsletter.db")
    return made


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "NEWSLETTER_SECRET": "a-secret-for-benchmarks",
        "MAILGUN_API_KEY": "of-nobody",
    }


@contextlib.contextmanager
def sending(made: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A send under way, seen by its first acceptances; it is stopped afterwards."""
    with (made / "send.log").open("wb") as log:
        process = subprocess.Popen(
            [*_NEWSLETTER, "send", "--yes"], cwd=made, env=_environment(), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            while _accepted(made) < 3:
                if process.poll() is not None:
                    raise RuntimeError((made / "send.log").read_text("utf-8"))
                time.sleep(0.1)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def _accepted(made: Path) -> int:
    found = _counted(made, "SELECT count(*) FROM batch WHERE state = 'accepted'")
    return found[0]


def _counted(made: Path, statement: str) -> tuple[int, float]:
    """What a bare connection counts, and the seconds that took."""
    with contextlib.closing(sqlite3.connect(made / ".newsletter" / "newsletter.db", timeout=15)) as connection:
        began = perf_counter()
        (number,) = connection.execute(statement).fetchone()
        return int(number), perf_counter() - began


def asked(made: Path) -> float:
    """Seconds for one answer of the real command."""
    began = perf_counter()
    subprocess.run(
        [*_NEWSLETTER, "status", "--json"], cwd=made, env=_environment(), stdout=subprocess.DEVNULL, check=True
    )
    return perf_counter() - began


def looked(made: Path) -> float:
    """Seconds for its questions alone."""
    from newsletter.cli import watching
    from newsletter.store.database import open_database

    database = open_database(made / ".newsletter" / "newsletter.db")
    try:
        began = perf_counter()
        watching.look(database, 1)
        return perf_counter() - began
    finally:
        database.close()


def measure(made: Path, rounds: int) -> tuple[list[float], float]:
    """Seconds of every answer, and the questions' share against the yardstick, in turns beside one send."""
    answers: list[float] = []
    mine: list[float] = []
    bare: list[float] = []
    with sending(made) as process:
        for _ in range(rounds):
            answers.append(asked(made))
            mine.append(looked(made))
            bare.append(_counted(made, "SELECT count(*) FROM delivery")[1])
            if process.poll() is not None:
                print("  the send ended before the last question", flush=True)
                break
    return answers, min(mine) / min(bare)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="small numbers, only to see that it runs")
    options = parser.parse_args()
    people, rounds = (20_000, 2) if options.quick else (options.people, options.rounds)
    with tempfile.TemporaryDirectory(prefix="newsletter-") as folder, Sink() as sink:
        print(f"sink on loopback: {sink.name}", flush=True)
        for size, latency in ((1_000, 400), (100, 40)):
            scene = Scene(folder, sink.url(latency=latency), "mailgun", people, size, 2)
            if not (scene.root / f"{people}.db").exists():
                prepare(scene)
            made = workspace(Path(folder), scene)
            answers, share = measure(made, rounds)
            print(f"`newsletter status` beside a send to {people:,} people in batches of {size:,}")
            line(
                f"the slowest of {len(answers)} answers, start-up included, ÷ a second", max(answers) / GOAL, "under 1"
            )
            line("its questions ÷ a bare SELECT count(*) of the recipients", share, "at most 10")
            shutil.rmtree(made)


if __name__ == "__main__":
    main()
