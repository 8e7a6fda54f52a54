"""How near a send comes to what its provider allows, against a mail API on loopback that is never the bottleneck.

Prints ratios taken in one run. The yardstick is arithmetic: how many calls the rate, or the latency, allows.

    python benchmarks/pace.py [--quick] [--rounds 3]
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

from send import Bench, line
from sink import Sink

PER_SECOND = 40
LATENCY = 50
FAR = 200
"""Milliseconds a call."""


def within_the_rate(bench: Bench, seconds: int, *, limited: bool) -> None:
    """A provider that allows so many calls a second, and says so."""
    print(f"a provider that answers in {LATENCY} ms and allows {PER_SECOND} calls a second, 4 workers")
    calls = seconds * PER_SECOND
    scene: dict[str, Any] = {
        "people": calls * 10,
        "size": 10,
        "workers": 4,
        "latency": LATENCY,
        "per_second": PER_SECOND,
    }
    took = bench.take("delivered", **scene, limit=PER_SECOND if limited else 0)
    ideal = (calls - 1) / PER_SECOND + LATENCY / 1000
    line("time ÷ the ideal", took["working"] / ideal, "at most 1.05")
    if limited:
        line("answers of 429", took["refusals"], "none")
    else:
        print("  answers of 429: not counted, because this sink keeps no rate (it needs a C compiler)")


def within_the_latency(bench: Bench, calls: int) -> None:
    """As many calls as the workers can have under way."""
    print(f"calls a second ÷ workers ÷ latency, {FAR} ms a call")
    for workers, goal in ((4, "0.85"), (16, "0.8")):
        scene: dict[str, Any] = {"people": calls * workers * 100, "size": 100, "workers": workers, "latency": FAR}
        took = bench.take("delivered", **scene)
        line(f"{workers} workers", calls * FAR / 1000 / took["working"], goal)


def two_processes(bench: Bench, people: int) -> None:
    """The command run twice on one ledger."""
    scene = {"part": "delivered", "people": people, "latency": LATENCY, "workers": 1}
    one, two = bench.rates(scene, {**scene, "processes": 2})
    print("e-mails a second, two processes ÷ one")
    line(f"one ledger, one worker each, {LATENCY} ms a call", two / one, "1.5")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small numbers, only to see that it runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="newsletter-") as folder, Sink() as sink:
        print(f"sink on loopback: {sink.name}", flush=True)
        bench = Bench(folder, sink, 1 if options.quick else options.rounds)
        within_the_rate(bench, 1 if options.quick else 20, limited=sink.limits)
        within_the_latency(bench, 2 if options.quick else 60)
        two_processes(bench, 4_000 if options.quick else 100_000)


if __name__ == "__main__":
    main()
