"""Sending, against a mail API on loopback that is never the bottleneck, with django-anymail as the yardstick.

Prints ratios taken in one run; both sides take turns, and of several rounds the fastest of each counts, because
other work on the machine only slows down. Each measurement is a process of its own.

    python benchmarks/send.py [--quick] [--rounds 5] [--people 1000000]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from sink import Sink

ROOT = Path(__file__).resolve().parent.parent
FEW = 10_000
MEMORY = 120
WORKERS = 2
"""What `send.workers` is without a word in the configuration."""


class Bench:
    """Runs the parts, and keeps what each took: the fewest seconds, the most memory."""

    def __init__(self, folder: str, sink: Sink, rounds: int) -> None:
        self._folder = folder
        self._sink = sink
        self._rounds = rounds
        self._ready: set[int] = set()

    def take(
        self, part: str, people: int, provider: str = "mailgun", latency: int = 0, limit: int = 0, **how: Any
    ) -> dict[str, float]:
        """One measurement."""
        if part != "prepare" and people not in self._ready:
            self.take("prepare", people)
            self._ready.add(people)
        size = 1_000 if provider == "mailgun" else 100
        url = self._sink.url(0 if provider == "mailgun" else size, latency, limit)
        given = {"folder": self._folder, "url": url, "provider": provider, "people": people, "size": size, "workers": 1}
        command = [sys.executable, str(ROOT / "benchmarks" / "scene.py"), part, json.dumps(given | how)]
        done = subprocess.run(command, cwd=self._folder, env=_environment(), check=True, stdout=subprocess.PIPE)
        took: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return took

    def rates(self, *parts: dict[str, Any]) -> list[float]:
        """E-mails a second of each part, in turns."""
        seconds: dict[int, list[float]] = defaultdict(list)
        for _ in range(self._rounds):
            for index, part in enumerate(parts):
                seconds[index].append(self.take(**part)["working"])
        return [part["people"] / min(seconds[index]) for index, part in enumerate(parts)]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def line(name: str, ratio: float, goal: str) -> None:
    """One figure and what it shall be."""
    print(f"  {name:<78} {ratio:6.2f}   (goal {goal})", flush=True)


def against_anymail(bench: Bench, people: int, few: int) -> None:
    """Whole sends, ledger on, against anymail's batches; one connection each."""
    print("e-mails a second, ledger on, one connection, ÷ django-anymail's")
    ours = {"part": "delivered", "people": people}
    one, two, theirs = bench.rates(ours, {**ours, "processes": 2}, {"part": "anymail_mailgun", "people": few})
    line("Mailgun, values put in there, 1,000 a call", one / theirs, "8")
    line("the same, the command run twice at the same time", two / theirs, "8")
    ours = {"part": "delivered", "provider": "resend", "people": few // 2}
    theirs_too = {"part": "anymail_resend", "provider": "resend", "people": few // 10}
    one, two, theirs = bench.rates(ours, {**ours, "processes": 2}, theirs_too)
    line("Resend, rendered here with 48 kB of HTML, 100 a call", one / theirs, "4")
    line("the same, the command run twice at the same time", two / theirs, "4")


def against_a_bare_loop(bench: Bench, rounds: int) -> None:
    """Whole sends against the same client posting one prepared body from as many threads."""
    print(f"e-mails a second, ledger on, {WORKERS} workers, ÷ a loop of httpx that posts a prepared body")
    for latency, goal in ((200, "0.9"), (50, "0.75")):
        for provider, size in (("mailgun", 1_000), ("resend", 100)):
            people = rounds * WORKERS * size
            scene = {"people": people, "provider": provider, "latency": latency, "workers": WORKERS}
            ours, bare = bench.rates({"part": "delivered", **scene}, {"part": "bare", **scene})
            line(f"{provider.capitalize()}, {latency} ms a call", ours / bare, goal)


def without_ledger(bench: Bench, people: int) -> None:
    """What it costs to write down every intent and every answer."""
    print(f"time, ledger on ÷ off, {WORKERS} workers")
    for provider, number, latency in (
        ("mailgun", people, 0),
        ("resend", people // 10, 0),
        ("resend", people // 20, 50),
    ):
        scene = {"people": number, "provider": provider, "latency": latency, "workers": WORKERS}
        on, off = bench.rates({"part": "delivered", **scene}, {"part": "unledgered", **scene})
        line(f"{provider.capitalize()}, {latency} ms a call", off / on, "at most 1.2")


def memory(bench: Bench, people: int) -> None:
    """The peak of a whole process."""
    few, many = (bench.take("delivered", number, workers=WORKERS)["peak"] for number in (min(FEW, people), people))
    print(f"peak memory of a send to {people:,} people, {WORKERS} workers")
    line(f"÷ that of one to {min(FEW, people):,}", many / few, "at most 1.25")
    line("MiB", many / 1024, f"under {MEMORY}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--people", type=int, default=1_000_000, help="of the largest send")
    parser.add_argument("--quick", action="store_true", help="small numbers, only to see that it runs")
    options = parser.parse_args()
    rounds, cycles, many, few = (1, 1, 2_000, 2_000) if options.quick else (options.rounds, 40, 200_000, 40_000)
    with tempfile.TemporaryDirectory(prefix="newsletter-") as folder, Sink() as sink:
        print(f"sink on loopback: {sink.name}", flush=True)
        bench = Bench(folder, sink, rounds)
        against_anymail(bench, many, few)
        without_ledger(bench, many)
        against_a_bare_loop(bench, cycles)
        memory(bench, 2_000 if options.quick else options.people)
    print(f"the sink took {sink.busy:.1f} s of processor in all")


if __name__ == "__main__":
    main()
