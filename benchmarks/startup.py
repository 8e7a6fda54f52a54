"""Start-up: whole processes of newsletter against a bare python, in one run.

Yardstick: ``python -c pass`` with the same interpreter. Goals: ``newsletter --help`` at most 3 ×,
``newsletter build`` of the largest sample with cached pictures at most 12 ×.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEWSLETTER = Path(sys.executable).with_name("newsletter")


def largest_issue(root: Path) -> str:
    """The sample with the longest text."""
    return max((root / "issues").glob("*/index.md"), key=lambda path: path.stat().st_size).parent.name


def seconds(command: list[str], folder: Path) -> float:
    """One run of a whole process."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
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
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "newsletter --help": [str(NEWSLETTER), "--help"],
            "newsletter build": [str(NEWSLETTER), "build", largest_issue(work)],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for counted in range(runs + 2):
            for name, command in commands.items():
                spent = seconds(command, work)
                if counted >= 2:
                    taken[name].append(spent)
    bare = statistics.median(taken["python -c pass"])
    for name, goal in (("newsletter --help", 3), ("newsletter build", 12)):
        ratio = statistics.median(taken[name]) / bare
        print(f"{name}: {ratio:.2f} x bare python (goal: at most {goal}; median of {runs} runs)")


if __name__ == "__main__":
    main()
