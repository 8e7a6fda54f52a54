"""Start-up: whole processes of newsletter against a bare python, in one run.

Yardstick: ``python -c pass`` with the same interpreter. Goals: ``newsletter --help`` at most 3 ×,
``newsletter build`` of the largest sample with cached pictures at most 12 ×. The build is measured twice:
*in full*, its stamp removed before each run, so that everything but the pictures is made again, and
*unchanged*, when the stamp tells that the files in ``build/`` are what would be built. The first two runs
warm up and are not counted; they also leave the compiled modules and templates, as any user's first run does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BARE, HELP = "python -c pass", "newsletter --help"
FULL, AGAIN = "newsletter build, in full, pictures cached", "newsletter build, unchanged"
NEWSLETTER = Path(sys.executable).with_name("newsletter")


def largest_issue(root: Path) -> str:
    """The sample with the longest text."""
    return max((root / "issues").glob("*/index.md"), key=lambda path: path.stat().st_size).parent.name


def seconds(command: list[str], folder: Path, *, stamp: Path | None = None) -> float:
    """One run of a whole process, without the stamp of an earlier build when that is named."""
    if stamp:
        stamp.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start


def main() -> None:
    """Run the commands in turn and print the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=25)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for name in ("issues", "templates"):
            shutil.copytree(ROOT / name, work / name)
        shutil.copy(ROOT / "newsletter.yaml", work)
        issue = largest_issue(work)
        stamps = {FULL: work / ".newsletter" / "cache" / "built" / f"{issue}.json"}
        build = [str(NEWSLETTER), "build", issue]
        commands = {BARE: [sys.executable, "-c", "pass"], HELP: [str(NEWSLETTER), "--help"], FULL: build, AGAIN: build}
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for counted in range(runs + 2):
            for name, command in commands.items():
                spent = seconds(command, work, stamp=stamps.get(name))
                if counted >= 2:
                    taken[name].append(spent)
    bare = statistics.median(taken[BARE])
    for name, goal in ((HELP, 3), (FULL, 12), (AGAIN, 12)):
        ratio = statistics.median(taken[name]) / bare
        print(f"{name}: {ratio:.2f} x bare python (goal: at most {goal}; median of {runs} runs)")


if __name__ == "__main__":
    main()
