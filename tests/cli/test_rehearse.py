"""``newsletter rehearse``: everything goes wrong, on a copy; nothing leaves, and the report tells what came of it."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from support import CONFIGURATION, ROOT, Workspace

from newsletter.cli import rehearsing
from newsletter.delivery import checker
from newsletter.providers.hostile import likes
from newsletter.providers.hostile.mishaps import MISHAPS

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = 300


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """A workspace with an issue and some people."""
    workspace.issue("Hello {{ first_name }}.\n")
    people = "".join(f"p{number}@example.com,P{number}\n" for number in range(PEOPLE))
    workspace.write("people.csv", f"email,first_name\n{people}")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "a form")
    return workspace


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its hash."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rehearsed(workspace: Workspace, *argv: str) -> Any:
    """The report of a rehearsal in which no rule was broken."""
    result = workspace.run("rehearse", "--json", *argv)
    assert result.code in {0, 1, 3}, result.err
    report = result.json()
    assert report["violations"] == []
    assert (report["duplicates"], report["lost"]) == (0, 0)
    assert sum(report["people"].values()) == report["recipients"]
    return report


def test_without_faults_everybody_is_accepted(ready: Workspace) -> None:
    """One run, one call a batch, exit code 0."""
    result = ready.run("rehearse", "--faults", "none", "--kills", "0", "--json")
    assert result.code == 0, result.err
    report = result.json()
    assert report["state"] == "done"
    left = report["unsubscribed"]
    assert report["people"] == {**dict.fromkeys(report["people"], 0), "accepted": PEOPLE - left, "skipped": left}
    assert (report["runs"], report["retries"], report["mishaps"]) == (1, 0, {})
    assert report["calls"] == len(report["ledger"]) == 3


@pytest.mark.parametrize("like", likes.names())
@pytest.mark.parametrize("seed", ["1", "2"])
def test_whatever_goes_wrong_everybody_is_accounted_for(ready: Workspace, like: str, seed: str) -> None:
    """Like each provider and each model of keys: deaths, faults, leavers, and no rule broken."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}send: {{batch: 10}}\n")
    report = rehearsed(ready, "--like", like, "--faults", "many", "--kills", "3", "--seed", seed)
    assert report["provider"] == like
    assert report["deaths"] == 3
    assert report["runs"] > 3
    assert len(report["mishaps"]) > 2
    assert 0 < report["unsubscribed"] == report["people"]["skipped"]
    assert not report["people"]["open"]
    assert sum(each["people"] for each in report["in_doubt"]) == report["people"]["in_doubt"]
    assert "too fast" not in report["mishaps"]


def test_a_seed_replays_it(ready: Workspace) -> None:
    """The line that is printed gives the same report to the last row, another seed another."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}send: {{batch: 10}}\n")
    first = rehearsed(ready, "--faults", "many", "--kills", "2")
    line = first["replay"].split()
    assert line[:2] == ["newsletter", "rehearse"]
    assert rehearsed(ready, *line[2:]) == first
    other = rehearsed(ready, *[str(first["seed"] + 1) if each == str(first["seed"]) else each for each in line[2:]])
    assert other["ledger"] != first["ledger"]


def test_nothing_of_it_is_left_and_nothing_real_is_touched(ready: Workspace) -> None:
    """Not a byte of the workspace changes, the ledger least of all."""
    before = digests(ready.root)
    ready.run("rehearse", "--faults", "many", "--seed", "3")
    assert digests(ready.root) == before
    assert not (ready.root / ".newsletter" / "rehearsals").exists()


_GUARDED = """
import socket, sys
def refuse(*a, **k):
    sys.stderr.write("A SOCKET WAS OPENED")
    raise OSError("no network in a rehearsal")
socket.socket.connect = socket.socket.connect_ex = socket.socket.bind = refuse
socket.getaddrinfo = refuse
from newsletter.cli.app import run
code = run(sys.argv[1:])
sys.stderr.write(f"httpx: {'httpx' in sys.modules}")
sys.exit(code)
"""


@pytest.mark.parametrize(("like", "imported"), [("outbox", False), ("no-keys", False), ("mailgun", True)])
def test_the_network_is_not_touched(ready: Workspace, like: str, imported: bool) -> None:  # noqa: FBT001 - pytest passes it
    """No socket is opened; without a real provider's code not even httpx is loaded."""
    done = subprocess.run(
        [sys.executable, "-c", _GUARDED, "rehearse", "--like", like, "--faults", "none", "--kills", "0"],
        cwd=ready.root,
        env=ready.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"httpx: {imported}"


def test_no_key_and_no_secret_is_needed(ready: Workspace) -> None:
    """Who chooses a provider may have none yet; the configured provider is the default."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}provider: resend\n")
    (ready.root / ".env").unlink()
    report = rehearsed(ready, "--faults", "none", "--kills", "0")
    assert report["provider"] == "resend"
    assert report["seconds_at_rate"] == pytest.approx(report["calls"] / 5, abs=0.1)
    assert report["seconds"] >= (report["calls"] - 1) / 5


def test_doubt_is_reported_with_its_reason_and_ends_with_3(ready: Workspace) -> None:
    """Without keys a lost answer stays in doubt; a search settles it at Mailgun."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}send: {{batch: 10}}\n")
    argv = ("--faults", "timeout-after", "--kills", "0", "--seed", "1")
    result = ready.run("rehearse", "--like", "no-keys", *argv)
    assert result.code == 3
    assert re.search(r"in doubt +\d+\n +\d+: no answer in time", result.out)
    report = rehearsed(ready, "--like", "mailgun", *argv)
    assert report["mishaps"]["timeout-after"] > 1
    assert (report["people"]["in_doubt"], report["state"]) == (0, "done")


def test_a_person_reads_what_came_of_it(ready: Workspace) -> None:
    """Counts, the ledger, the verdict, and the line to see it again."""
    out = ready.run("rehearse", "--like", "resend", "--faults", "many", "--seed", "4").out
    for words in ("rehearsed like resend", "duplicates", "lost", "calls", "at the provider's rate", "attempts"):
        assert words in out
    assert f"{len(checker.INVARIANTS)} rules hold" in out
    assert "newsletter rehearse 2026-11-23-hello --like resend --seed 4 --faults many --kills 1" in out


def test_a_person_is_shown_the_batches_with_a_story(ready: Workspace) -> None:
    """A thousand that were accepted at once tell nothing, and would hide the one that was not."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}send: {{batch: 1}}\n")
    argv = ("rehearse", "--like", "keys-24h", "--faults", "timeout-after", "--seed", "3", "--kills", "0")
    batches = ready.run(*argv, "--json").json()["ledger"]
    story = [row["seq"] + 1 for row in batches if row["attempts"] > 1 or row["state"] != "accepted"][:12]
    out = ready.run(*argv).out
    shown = re.findall(r"^ +(\d+) +1  [a-z]", out.partition("batch  people")[2], re.MULTILINE)
    assert story
    assert [int(number) for number in shown] == story
    assert "were accepted at once" in out


def test_an_issue_that_was_sent_can_be_rehearsed_again(ready: Workspace) -> None:
    """The copy gets a send of its own; the real one stays as it is."""
    ready.newsletter("send", "--yes")
    before = ready.newsletter("status", "--json").json()
    rehearsed(ready, "--faults", "some", "--seed", "1")
    assert ready.newsletter("status", "--json").json() == before


def test_a_kept_ledger_can_be_looked_at(ready: Workspace) -> None:
    """Its folder is for its owner alone, and a later rehearsal leaves it."""
    report = rehearsed(ready, "--keep", "--seed", "1")
    kept = ready.root / report["kept"]
    assert kept.name == rehearsing.LEDGER
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    rehearsed(ready, "--seed", "2")
    assert kept.exists()
    assert "holds people's addresses" in ready.run("rehearse", "--keep", "--seed", "1").out


def test_what_a_killed_rehearsal_left_goes_with_the_next(ready: Workspace) -> None:
    """It holds people's addresses."""
    running = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "rehearse", "--faults", "many"],
        cwd=ready.root,
        env=ready.environment(),
        stdout=subprocess.DEVNULL,
    )
    home = ready.root / ".newsletter" / "rehearsals"
    while not list(home.glob("*/*.db")):
        assert running.poll() is None
        time.sleep(0.005)
    running.kill()
    running.wait()
    assert list(home.iterdir())
    rehearsed(ready, "--faults", "none")
    assert not home.exists()


def test_ctrl_c_ends_it_cleanly(ready: Workspace) -> None:
    """130, no traceback, nothing left."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}send: {{batch: 1}}\n")
    running = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "rehearse", "--faults", "none"],
        cwd=ready.root,
        env=ready.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    home = ready.root / ".newsletter" / "rehearsals"
    while not list(home.glob("*/locks/*.lock")):
        assert running.poll() is None
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert "Traceback" not in err
    ready.newsletter("rehearse", "--faults", "none", "--kills", "0")
    assert not home.exists()


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("--faults", "thortled"), 2, "Did you mean “throttled”?"),
        (("--faults", ""), 2, "some"),
        (("--like", "resend", "--faults", "verdict"), 2, "cannot happen at a provider like resend"),
        (("--like", "mailgum"), 2, "mailgun"),
        (("--kills", "-1"), 2, "--kills"),
        (("--seed", "x"), 2, "--seed"),
        (("no-such-issue",), 65, "no-such-issue"),
    ],
)
def test_bad_input_is_refused_before_anything_is_copied(
    ready: Workspace, argv: tuple[str, ...], code: int, words: str
) -> None:
    """With what there is instead."""
    result = ready.run("rehearse", *argv)
    assert result.code == code, result.err
    assert words in result.err
    assert not (ready.root / ".newsletter" / "rehearsals").exists()


def test_a_fault_that_cannot_happen_there_is_named_and_the_others_are_played(ready: Workspace) -> None:
    """Whoever tries one list at several providers has to know what was not tried; the replay says it again."""
    result = ready.run("rehearse", "--like", "resend", "--faults", "verdict, slow", "--seed", "1", "--kills", "0")
    assert "verdict: cannot happen at a provider like resend" in result.err
    assert "--faults 'verdict, slow'" in result.out
    assert set(re.findall(r"went wrong +[\d,]+ +(\S+)", result.out)) <= {"slow"}


def test_nobody_to_send_to_is_said(workspace: Workspace) -> None:
    """As `newsletter send` says it, before there is a database and after."""
    workspace.issue("Hello.\n")
    none = workspace.run("rehearse")
    workspace.newsletter("subscribers", "add", "ada@example.com", "--consent-source", "a form")
    workspace.newsletter("subscribers", "unsubscribe", "ada@example.com")
    for result in (none, workspace.run("rehearse")):
        assert result.code == 1
        assert "there is nobody to send to" in result.err


def test_findings_block_a_rehearsal_as_they_block_a_send(ready: Workspace) -> None:
    """It would never come to the provider."""
    ready.issue("Hello {{ no_such_field }}.\n")
    sent, result = ready.run("send", "--yes"), ready.run("rehearse")
    assert (result.code, sent.code) == (1, 1)
    assert "may not be sent yet" in result.err


# -- the checker's verdict ------------------------------------------------------------


def test_a_broken_rule_ends_with_1_and_names_it(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger that forgets doubt is found out: the rehearsal can fail."""
    from newsletter.cli.app import run
    from newsletter.delivery import ledger

    def forgetful(connection: Any, held: Any, at: Any, why: str, not_before: Any) -> None:
        ledger.move(connection, held, "sending", "pending", at, why, not_before=not_before, owner=None, idem_key=None)

    monkeypatch.setattr(ledger, "unknown", forgetful)
    monkeypatch.chdir(ready.root)
    ready.write("newsletter.yaml", f"{CONFIGURATION}send: {{batch: 10}}\n")
    code = run(["rehearse", "--like", "keys-24h", "--faults", "timeout-after", "--kills", "0", "--seed", "1"])
    out = capsys.readouterr().out
    assert code == 1
    assert re.search(r"BROKEN  once: person \d+ got 2 messages", out)
    assert re.search(r"duplicates +[1-9]", out)


def test_every_rule_and_every_fault_stands_in_the_page() -> None:
    """`make docs` brings it up to date."""
    from newsletter.cli.rehearsalpage import reference

    text = (ROOT / "docs" / "rehearsing.md").read_text("utf-8")
    assert text == reference()
    for each in MISHAPS:
        assert f"| `{each.name}` |" in text
    for rule in checker.INVARIANTS.values():
        assert rule in text
