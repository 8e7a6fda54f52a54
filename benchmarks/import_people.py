"""Import a million people, against email-validator alone on the same addresses; in one run.

Prints ratios only: seconds depend on the machine, ratios hardly do.

    python benchmarks/import_people.py [--rows 1000000]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SMALL = 10_000
TIME_GOAL = 1.5
MEMORY_GOAL = 1.25

ROOT = Path(__file__).resolve().parent.parent

# The yardstick: nothing but reading the file and the one call that an import makes for each address.
ALONE = """
import csv, sys
from email_validator import validate_email
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    rows = csv.reader(file)
    next(rows)
    for row in rows:
        validate_email(row[0], check_deliverability=False)
"""

FIRST = ("Ada", "Grace", "Zoë", "Mehmet", "Ngozi", "José", "Ingrid", "Wei", "Fatima", "Oleg")
LAST = ("Moreno", "Lindqvist", "O'Neill", "Yılmaz", "Okafor", "Silva", "Berg", "Chen", "Haddad", "Petrov")
CITIES = ("Hamburg", "São Paulo", "Lagos", "İstanbul", "Reykjavík", "New York", "Chengdu", "Beirut")
DOMAINS = ("gmail.com", "outlook.com", "yahoo.co.uk", "web.de", "proton.me", "orange.fr")


@dataclass(frozen=True)
class Run:
    """What one process took: seconds, seconds of processor, and its peak memory."""

    seconds: float
    busy: float
    peak: int


def write_people(path: Path, rows: int) -> None:
    """A list as a newsletter's is: every address once, in no order, a third of them at domains of their own."""
    dice = random.Random(rows)  # noqa: S311 - the same list each time
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("email,first_name,last_name,city\r\n")
        for number in range(rows):
            first, last = dice.choice(FIRST), dice.choice(LAST)
            domain = f"mail.company{dice.randrange(50_000)}.com" if dice.random() < 1 / 3 else dice.choice(DOMAINS)
            local = f"{dice.randrange(36**4):x}.{last.lower() if last.isascii() else 'reader'}.{number}"
            file.write(f"{local}@{domain},{first},{last},{dice.choice(CITIES)}\r\n")


def run(*argv: str | Path, cwd: Path) -> Run:
    """Run Python as a process of its own and wait for it."""
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, *map(str, argv)]
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    before = Path.cwd()
    os.chdir(cwd)
    child = os.posix_spawn(sys.executable, arguments, environment, file_actions=quiet)
    os.chdir(before)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit(f"a command failed: {arguments}")
    return Run(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def workspace(folder: Path, rows: int) -> Path:
    """A workspace with a list to import."""
    folder.mkdir()
    (folder / "newsletter.yaml").write_text("name: Benchmark\nfrom: Bench <bench@example.org>\n", "utf-8")
    write_people(folder / "people.csv", rows)
    return folder


def imported(folder: Path) -> Run:
    """Import the list of a workspace by the real command."""
    command = ("-m", "newsletter", "subscribers", "import", "people.csv", "--apply", "--consent-source", "benchmark")
    return run(*command, cwd=folder)


def main() -> None:
    """Measure and print; of two rounds the faster counts, because other work on the machine only slows down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    alone, many = [], []
    with tempfile.TemporaryDirectory(prefix="newsletter-") as name:
        few = imported(workspace(Path(name) / "small", SMALL))
        large = workspace(Path(name) / "large", options.rows)
        for _ in range(options.rounds):
            shutil.rmtree(large / ".newsletter", ignore_errors=True)
            alone.append(run("-c", ALONE, "people.csv", cwd=large))
            many.append(imported(large))
    time_ratio = min(each.seconds for each in many) / min(each.seconds for each in alone)
    busy_ratio = min(each.busy for each in many) / min(each.busy for each in alone)
    memory_ratio = max(each.peak for each in many) / few.peak
    print(f"newsletter subscribers import --apply, {options.rows:,} rows of four columns")
    print(f"  time       {time_ratio:.2f} x email-validator alone on the same file (goal {TIME_GOAL})")
    print(f"  processor  {busy_ratio:.2f} x email-validator alone on the same file")
    print(f"  memory     {memory_ratio:.2f} x its own peak at {SMALL:,} rows (goal {MEMORY_GOAL})")


if __name__ == "__main__":
    main()
