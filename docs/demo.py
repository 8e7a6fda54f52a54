"""Show the whole way on the sample issue: build, check, import, plan, send, status.

It works in ``demo/``, an ignored copy of the workspace with a throw-away secret, and sends through
the embedded outbox only. With ``--kills N`` the send is killed N times on its way (SIGKILL) and
run again; then the messages are counted.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
sys.path.insert(0, str(ROOT / "benchmarks"))

from people import write as write_people  # noqa: E402 - the generator lies beside the benchmarks


def make_workspace(people: int) -> None:
    """Copy the workspace, afresh."""
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    for name in ("issues", "templates"):
        shutil.copytree(ROOT / name, DEMO / name)
    shutil.copy(ROOT / "newsletter.yaml", DEMO)
    (DEMO / ".env").write_text(f"NEWSLETTER_SECRET={secrets.token_urlsafe(32)}\n")
    with (DEMO / "people.csv").open("w", encoding="utf-8", newline="") as file:
        write_people(people, file)


def command(*argv: str) -> list[str]:
    """The command line of ``newsletter`` in this environment."""
    return [sys.executable, "-m", "newsletter", *argv]


def show(*argv: str) -> None:
    """Run one command as a person would, and stop the demo if it fails."""
    print(_line(argv), flush=True)
    done = subprocess.run(command(*argv), cwd=DEMO, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def _line(argv: tuple[str, ...]) -> str:
    quoted = [f'"{word}"' if " " in word else word for word in argv]
    return f"\n$ newsletter {' '.join(quoted)}"


def messages() -> int:
    """How many complete mails lie in the outbox."""
    return sum(1 for _ in (DEMO / ".newsletter" / "outbox").glob("*/*.eml"))


def kill_at(wanted: int) -> None:
    """Start the send and kill it once so many mails are out."""
    print("\n$ newsletter send --yes", flush=True)
    running = subprocess.Popen(command("send", "--yes"), cwd=DEMO, stdout=subprocess.DEVNULL)
    while running.poll() is None and messages() < wanted:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    print(f"Killed (SIGKILL) with {messages():,} mails in the outbox.")


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=0)
    arguments = parser.parse_args()
    os.environ.pop("NEWSLETTER_SECRET", None)
    make_workspace(arguments.people)
    print(f"A copy of the sample workspace lies in demo/, with {arguments.people:,} generated people.")
    show("build")
    show("check")
    show("subscribers", "import", "people.csv", "--apply", "--consent-source", "Generated for the demo")
    show("plan")
    for turn in range(arguments.kills):
        kill_at(arguments.people * (turn + 1) // (arguments.kills + 1))
    show("send", "--yes")
    show("status")
    print(f"\nThe outbox holds {messages():,} mails for {arguments.people:,} subscribers.")
    if messages() != arguments.people:
        sys.exit("That is not one for each: please report it.")
    built = next((DEMO / "build").glob("*/email.html"))
    print(f"""
Look at it:
  the mails, in your browser:   cd demo && ../.venv/bin/newsletter outbox
  the mail alone:               {built.relative_to(ROOT)}
  its web page:                 {built.with_name("web.html").relative_to(ROOT)}
""")


if __name__ == "__main__":
    main()
