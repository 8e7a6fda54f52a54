"""`newsletter send --at` and `--due`, as real processes in a real workspace."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from delivery.checker import outbox
from delivery.helpers_delivery import fresh, people
from support import CONFIGURATION, Result

from newsletter.cli import approving, wiring
from newsletter.cli.commands import serve
from newsletter.delivery import ledger
from newsletter.errors import Blocked
from newsletter.store.clock import stamp, utcnow

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import Workspace

SLUG = "2026-11-23-hello"
FAR = "2099-12-01 08:00"
FAR_UTC = "2099-12-01T07:00:00.000000Z"
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """A workspace with an issue and twenty people, batches of five."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}send:\n  batch: 5\n")
    workspace.issue('Hello {{ first_name | default("there") }}.\n')
    database = fresh(workspace.root)
    people(database, 20)
    database.close()
    return workspace


def plan(workspace: Workspace, *more: str, at: str = FAR) -> Result:
    """Plan without being asked."""
    return workspace.newsletter("send", "--yes", "--no-wait", "--at", at, *more)


def status(workspace: Workspace) -> Any:
    """How the send stands."""
    return workspace.newsletter("status", "--json").json()


def arrived(workspace: Workspace, tag: str = SLUG) -> Counter[int]:
    """Messages by person."""
    return outbox(workspace.root / ".newsletter" / "outbox" / tag)


def text(workspace: Workspace) -> str:
    """One message that arrived."""
    return next((workspace.root / ".newsletter" / "outbox" / SLUG).glob("*.eml")).read_text("utf-8")


def moved(workspace: Workspace, late: dt.timedelta) -> None:
    """Let time pass: the send was planned yesterday, for ``late`` ago."""
    with (
        contextlib.closing(sqlite3.connect(workspace.root / ".newsletter" / "newsletter.db")) as connection,
        connection,
    ):
        times = (stamp(utcnow() - late), stamp(utcnow() - dt.timedelta(days=1)))
        connection.execute("UPDATE send SET scheduled_at = ?, created_at = ?", times)


def typed(workspace: Workspace, keys: str, *argv: str) -> Result:
    """A command with a terminal to ask on."""
    ours, theirs = pty.openpty()
    os.write(ours, keys.encode())
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", *argv],
        cwd=workspace.root,
        env=workspace.environment(),
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(ours)
    os.close(theirs)
    return Result(done.returncode, done.stdout, done.stderr)


def started(workspace: Workspace, *argv: str) -> subprocess.Popen[str]:
    """A command under way."""
    return subprocess.Popen(
        [sys.executable, "-m", "newsletter", *argv],
        cwd=workspace.root,
        env=workspace.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def waiting(process: subprocess.Popen[str], word: str = "waits for it") -> None:
    """Read on until a process says that it waits."""
    assert process.stderr is not None
    while word not in (line := process.stderr.readline()):
        assert line, "it ended without waiting"


# -- planning -------------------------------------------------------------------------


def test_a_plan_is_shown_on_its_own_clock_in_utc_and_as_a_length_of_time(ready: Workspace) -> None:
    """And nobody is mailed; status, plan and send say when it goes, and how."""
    result = plan(ready, at="2099-12-01 08:00 America/New_York")
    said = "2099-12-01 08:00 EST (America/New_York), 2099-12-01 13:00 UTC, in "
    begins = r"begins      2099-12-01 08:00 EST \(America/New_York\)\n {14}2099-12-01 13:00 UTC, in \d"
    assert re.search(begins, result.out), result.out
    assert "send --due" in result.out
    assert arrived(ready) == Counter()
    told = status(ready)
    assert (told["state"], told["scheduled_at"]) == ("planned", "2099-12-01T13:00:00.000000Z")
    assert (told["recipients"], told["people"]["open"]) == (0, 0)
    assert "planned for 2099-12-01 08:00 EST (America/New_York)" in ready.newsletter("status").out
    assert said in ready.newsletter("plan").err
    assert ready.newsletter("plan", "--json").json()["already"] == "planned"
    assert f"it begins {said}" in ready.newsletter("send").out
    assert ready.newsletter("send", "--json").json()["state"] == "planned"
    assert ready.newsletter("send", "--due").out == ""


def test_planning_asks_first(ready: Workspace) -> None:
    """The number of those who would get it now; without a terminal nothing is planned."""
    result = ready.run("send", "--at", FAR, "--no-wait")
    assert result.code == 2
    assert typed(ready, "19\n", "send", "--at", FAR, "--no-wait").code == 1
    assert ready.run("status").code == 1
    result = typed(ready, "20\n", "send", "--at", FAR, "--no-wait")
    assert result.code == 0, result.err
    assert "whoever is active when it begins" in result.err
    assert status(ready)["state"] == "planned"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--at", "2099-03-29 02:30"), "the clock goes from 2099-03-29 02:00 straight to 2099-03-29 03:00"),
        (("--at", "2099-10-25 02:30"), "shows 2099-10-25 02:30 twice"),
        (("--at", "2020-12-01 08:00"), "is past"),
        (("--at", "soon"), "is not a time"),
        (("--at", "2099-12-01 08:00 Europe/Berlni"), "Did you mean “Europe/Berlin”?"),
        (("--due", "--at", FAR), "--due begins every send"),
        (("--due", SLUG), "--due begins every send"),
        (("--due", "--stages", "100%"), "--due begins every send"),
    ],
)
def test_what_cannot_be_meant_plans_nothing(ready: Workspace, argv: tuple[str, ...], words: str) -> None:
    """Exit code 2, with what to write instead."""
    result = ready.run("send", "--yes", *argv)
    assert result.code == 2, result.err
    assert words in result.err
    assert "Traceback" not in result.err
    assert ready.run("status").code == 1


@pytest.mark.parametrize(("choice", "at"), [("1", "2099-10-25T00:30"), ("2", "2099-10-25T01:30")])
def test_a_time_that_comes_twice_is_asked_about(ready: Workspace, choice: str, at: str) -> None:
    """Both are shown in UTC; a number says which."""
    result = typed(ready, f"{choice}\n20\n", "send", "--at", "2099-10-25 02:30", "--no-wait")
    assert result.code == 0, result.err
    assert "2099-10-25 02:30 CEST (Europe/Berlin), 2099-10-25 00:30 UTC" in result.err
    assert "2099-10-25 02:30 CET (Europe/Berlin), 2099-10-25 01:30 UTC" in result.err
    assert status(ready)["scheduled_at"].startswith(at)


def test_the_same_guards_hold_for_a_plan_as_for_a_send(ready: Workspace) -> None:
    """Findings, nobody to send to, another plan than the one that was looked at."""
    assert ready.run("send", "--yes", "--no-wait", "--at", FAR, "--plan", "another").code == 1
    ready.issue("Hello, ![](nothing.png)\n")
    assert ready.run("send", "--yes", "--no-wait", "--at", FAR).code == 65
    ready.issue("Hello.\n")
    for number in range(20):
        ready.newsletter("subscribers", "unsubscribe", f"p{number}@example.com")
    assert "nobody to send to" in ready.run("send", "--yes", "--no-wait", "--at", FAR).err
    assert ready.run("status").code == 1


def test_planned_anew_it_says_what_changes(ready: Workspace) -> None:
    """The time, the content, the stages; unchanged, nothing is asked."""
    plan(ready)
    before = status(ready)
    assert ready.newsletter("send", "--no-wait", "--at", FAR).code == 0
    ready.issue("Goodbye.\n")
    result = plan(ready, "--stages", "10%,100%", at="2099-12-02 08:00")
    assert "anew        it would have begun 2099-12-01 08:00 CET" in result.out
    assert "anew        it had no stages" in result.out
    assert "anew        its content: html, text" in result.out
    after = status(ready)
    assert (after["send"], after["scheduled_at"]) == (before["send"], "2099-12-02T07:00:00.000000Z")
    moved(ready, MINUTE)
    assert ready.run("send", "--due").code == 3  # the second stage waits
    assert "Goodbye" in text(ready)


def test_another_time_keeps_the_stages(ready: Workspace) -> None:
    """`--at` alone, and `--at now`, which is how `send` says to begin it at once; other stages are named, and said."""
    plan(ready, "--stages", "10%,100%", "--wait", "2h")
    result = plan(ready, at="2099-12-02 08:00")
    assert "stages      10% (2), then 100% (18); 2 hours between them" in result.out
    assert "anew        it would have begun" in result.out
    assert result.out.count("anew") == 1
    result = plan(ready, "--stages", "50%,100%", "--wait", "0", at="2099-12-02 08:00")
    assert "stages      50% (10), then 100% (10); one right after the other" in result.out
    assert "anew        before, stages 10%, then 100%; 2 hours between them" in result.out
    assert [each["share"] for each in status(ready)["stages"]] == ["50%", "100%"]
    plan(ready, "--stages", "10%,100%")
    assert ready.run("send", "--yes", "--no-wait", "--at", " NOW").code == 3
    assert sum(arrived(ready).values()) == 2


def test_every_line_of_what_to_do_is_indented(ready: Workspace) -> None:
    """An error is one block, however many ways lead on from it."""
    plan(ready)
    head, *rest = ready.run("resume").err.splitlines()
    assert head.startswith("Error: ")
    assert len(rest) == 3
    assert all(line.startswith("    ") for line in rest)


def test_what_cannot_be_held_says_what_can_be_done(ready: Workspace) -> None:
    """Of a planned send, and of one that was called off; `resolve` sends nobody elsewhere."""
    plan(ready)
    said = ready.run("pause").err
    assert "is not running: it is planned\n    It is begun by `newsletter send --due`" in said
    assert f"newsletter cancel {SLUG}" in said
    assert f"newsletter send {SLUG} --at now" in ready.newsletter("resolve").out
    ready.newsletter("cancel")
    said = ready.run("cancel").err
    assert f"cannot be cancelled: it is cancelled\n    To go on: newsletter resume {SLUG}" in said


def test_the_life_of_a_plan_is_told_on_its_clock(ready: Workspace) -> None:
    """With -v; each line fits."""
    plan(ready)
    plan(ready, at="2099-12-01 08:00 America/Argentina/Buenos_Aires")
    told = ready.newsletter("status", "-v").out
    assert re.search(r"turns +.* ago: new to planned.*: for 2099-12-01 08:00 CET\s+\(Europe/Berlin\)\n", told)
    assert re.search(r"\n +.* ago: still planned", told)
    assert max(map(len, told.splitlines())) <= 80


def test_a_plan_is_called_off_and_taken_up_again(ready: Workspace) -> None:
    """Cancelled, its time may come and nothing happens; `resume` and `--at` plan it again; `pause` has nothing to hold."""
    plan(ready)
    assert ready.run("pause").code == 1
    assert ready.run("resume").code == 1
    ready.run("cancel")
    moved(ready, MINUTE)
    assert (ready.newsletter("send", "--due").out, arrived(ready)) == ("", Counter())
    assert ready.run("send", "--yes").code == 1
    assert ready.newsletter("resume", "--json").json()["state"] == "planned"
    ready.run("cancel")
    plan(ready)
    assert (status(ready)["state"], status(ready)["scheduled_at"]) == ("planned", FAR_UTC)


def test_now_begins_what_was_planned_for_later(ready: Workspace) -> None:
    """Also what was never planned."""
    plan(ready)
    ready.newsletter("send", "--yes", "--at", "now")
    assert arrived(ready) == Counter(range(1, 21))
    ready.newsletter("send", "--yes", "--again", "--at", "now")
    assert arrived(ready, f"{SLUG}~2") == Counter(range(1, 21))


def test_a_send_that_has_begun_takes_no_other_time(ready: Workspace) -> None:
    """Its own time is the same command again."""
    plan(ready)
    moved(ready, MINUTE)
    at = status(ready)["scheduled_at"].partition(".")[0] + "Z"
    with contextlib.closing(sqlite3.connect(ready.root / ".newsletter" / "newsletter.db")) as connection, connection:
        connection.execute("UPDATE send SET scheduled_at = ?", (at.replace("Z", ".000000Z"),))
    assert ready.newsletter("send", "--yes", "--at", at, "--json").json()["state"] == "done"
    assert "sent already" in ready.newsletter("send", "--yes", "--at", at).out
    result = ready.run("send", "--yes", "--at", FAR)
    assert (result.code, "has begun already" in result.err) == (2, True)


# -- beginning ------------------------------------------------------------------------


def test_what_is_due_goes_out_to_those_who_are_there_then_with_the_words_of_the_plan(ready: Workspace) -> None:
    """Somebody came, somebody left, the issue was edited; it says that it was."""
    plan(ready)
    ready.write("more.csv", "email\nnew@example.com\n")
    ready.newsletter("subscribers", "import", "more.csv", "--apply", "--consent-source", "test")
    ready.newsletter("subscribers", "unsubscribe", "p0@example.com")
    ready.issue("Goodbye.\n")
    moved(ready, MINUTE)
    result = ready.newsletter("send", "--due")
    assert "has changed since it was planned; what was frozen then is sent" in result.err
    assert arrived(ready) == Counter(range(2, 22))
    assert "Goodbye" not in text(ready)
    assert (ready.newsletter("send", "--due").out, ready.newsletter("send", "--due", "--json").json()) == ("", [])


@pytest.mark.parametrize("ruin", ["unreadable", "renamed", "gone"])
def test_what_was_frozen_needs_no_issue_any_more(ready: Workspace, ruin: str) -> None:
    """A trial begins although its issue cannot be read, has another folder, or none."""
    plan(ready)
    folder = ready.root / "issues" / SLUG
    if ruin == "unreadable":
        (folder / "index.md").write_text("---\nid: hello-0001\ntitle: [\n---\nOops.\n")
    elif ruin == "renamed":
        folder.rename(folder.with_name("renamed"))
    else:
        (folder / "index.md").unlink()
    moved(ready, MINUTE)
    (told,) = ready.newsletter("send", "--due", "--json").json()
    assert (told["state"], told["code"]) == ("done", 0)
    assert arrived(ready) == Counter(range(1, 21))


def test_the_issue_itself_can_be_begun_when_its_time_has_come(ready: Workspace) -> None:
    """`newsletter send` goes on where it was, as ever."""
    plan(ready)
    moved(ready, MINUTE)
    assert ready.newsletter("send", "--json").json()["state"] == "done"
    assert arrived(ready) == Counter(range(1, 21))


def test_what_is_late_needs_the_yes_of_a_person(ready: Workspace) -> None:
    """From cron 1 with what to do, and it stays planned; on a terminal it is asked; --late is a yes."""
    plan(ready)
    moved(ready, HOUR + MINUTE)
    for argv in (("--due",), ("--due", "--yes"), ("--yes",)):
        result = ready.run("send", *argv)
        assert result.code == 1
        assert "is late by 1 hour 1 minute" in result.err
        assert f"newsletter send {SLUG} --late" in result.err
    (told,) = ready.run("send", "--due", "--json").json()
    assert (told["state"], told["code"]) == ("planned", 1)
    assert typed(ready, "n\n", "send").code == 1
    assert (status(ready)["state"], arrived(ready)) == ("planned", Counter())
    assert typed(ready, "y\n", "send").code == 0
    assert arrived(ready) == Counter(range(1, 21))


def test_how_late_is_too_late_is_configured(ready: Workspace) -> None:
    """`send.late`; and --late with --due."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}send:\n  late: 10m\n")
    plan(ready)
    moved(ready, 30 * MINUTE)
    assert ready.run("send", "--due").code == 1
    assert ready.run("send", "--due", "--late").code == 0
    assert arrived(ready) == Counter(range(1, 21))


def test_a_length_of_time_that_is_none_is_bad_configuration(ready: Workspace) -> None:
    """78 at its place."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}send:\n  late: 10\nbrake:\n  bounced: much\n")
    result = ready.run("send", "--due")
    assert result.code == 78
    assert "30m, 2h or 1h30m" in result.err
    assert "not a percentage" in result.err


def test_an_error_of_one_send_stops_none_of_the_others(ready: Workspace) -> None:
    """The code is that of the error; the other issue is sent."""
    plan(ready)
    moved(ready, 2 * HOUR)
    ready.issue("Other.\n", slug="2026-11-24-other", id="other-0001")
    ready.newsletter("send", "2026-11-24-other", "--yes", "--no-wait", "--at", FAR)
    with contextlib.closing(sqlite3.connect(ready.root / ".newsletter" / "newsletter.db")) as connection, connection:
        connection.execute("UPDATE send SET scheduled_at = ? WHERE slug = '2026-11-24-other'", (stamp(utcnow()),))
    result = ready.run("send", "--due")
    assert result.code == 1
    assert "is late" in result.err
    assert arrived(ready, "2026-11-24-other") == Counter(range(1, 21))
    assert arrived(ready) == Counter()


def test_a_restored_ledger_begins_nothing(ready: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    """The mark beside it is looked at when a plan begins, too; whoever only looks on is warned."""
    plan(ready)
    copy = ready.root / "copy.db"
    with contextlib.closing(sqlite3.connect(ready.root / ".newsletter" / "newsletter.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    ready.newsletter("send", "--yes", "--at", "now")
    assert "newsletter db adopt" not in ready.newsletter("status").err + ready.newsletter("plan").err
    for path in (ready.root / ".newsletter").glob("newsletter.db*"):
        path.unlink()
    (ready.root / ".newsletter" / "newsletter.db").write_bytes(copy.read_bytes())
    moved(ready, MINUTE)
    result = ready.run("send", "--due")
    assert result.code == 1
    assert "newsletter db adopt" in result.err
    assert arrived(ready) == Counter(range(1, 21))
    for word in ("status", "plan"):
        assert "this ledger is an older copy" in ready.newsletter(word).err
    database, _ = serve._ready(ready.config())
    database.close()
    assert "newsletter db adopt" in capsys.readouterr().err


@pytest.mark.parametrize("round_", range(3))
def test_many_crons_at_once_send_once(ready: Workspace, round_: int) -> None:
    """Real processes: whoever comes second finds it begun, and joins or leaves."""
    del round_
    plan(ready)
    moved(ready, MINUTE)
    processes = [started(ready, "send", "--due") for _ in range(5)]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode in {0, 3}, err
    ready.newsletter("send", "--due")
    assert arrived(ready) == Counter(range(1, 21))
    assert status(ready)["state"] == "done"


def test_the_next_cron_goes_on_with_what_the_one_before_left(ready: Workspace) -> None:
    """Killed right after the send began: it runs, and nobody is at work on it."""
    plan(ready)
    moved(ready, MINUTE)
    code = (
        "import os, signal, sys\n"
        "from newsletter.cli import sending\n"
        "from newsletter.cli.app import run\n"
        "sending.worked_off = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "run(['send', '--due'])\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=ready.root, env=ready.environment(), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (status(ready)["state"], arrived(ready)) == ("running", Counter())
    assert ready.newsletter("send", "--due", "--json").json()[0]["state"] == "done"
    assert arrived(ready) == Counter(range(1, 21))


# -- waiting --------------------------------------------------------------------------


def test_a_process_waits_for_its_time(ready: Workspace) -> None:
    """One line where there is no terminal; when its time has come it sends."""
    process = started(ready, "send", "--yes", "--at", FAR)
    waiting(process, "this process waits for it")
    moved(ready, MINUTE)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "waits for it" in err) == (0, False)
    assert "done: 20 of 20" in out
    assert arrived(ready) == Counter(range(1, 21))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_it_planned_and_says_how_it_goes_on(ready: Workspace, number: signal.Signals) -> None:
    """130; cron begins it."""
    process = started(ready, "send", "--yes", "--at", FAR)
    waiting(process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"{SLUG} stays planned: it begins 2099-12-01 08:00 CET" in err
    assert "newsletter send --due" in err
    assert status(ready)["state"] == "planned"


@pytest.mark.parametrize(
    ("meanwhile", "code"),
    [
        (lambda w: w.run("cancel"), 1),
        (lambda w: plan(w, at="2099-12-02 08:00"), None),
        (lambda w: w.newsletter("send", "--yes", "--no-wait", "--at", "now"), 0),
    ],
    ids=["called off", "moved", "begun"],
)
def test_a_waiting_process_sees_what_others_do(
    ready: Workspace, meanwhile: Callable[[Workspace], object], code: int | None
) -> None:
    """Called off it ends; moved it waits for the new time; begun by cron it finds it done. Nobody is mailed twice."""
    process = started(ready, "send", "--yes", "--at", FAR)
    waiting(process)
    meanwhile(ready)
    if code is None:
        waiting(process, "begins 2099-12-02")
        process.send_signal(signal.SIGINT)
        code = 130
    process.communicate(timeout=60)
    assert process.returncode == code
    assert set(arrived(ready).values()) <= {1}


def test_a_countdown_is_shown_on_a_terminal(ready: Workspace) -> None:
    """In place, with what Ctrl-C does."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "send", "--yes", "--at", FAR],
        cwd=ready.root,
        env=ready.environment({"TERM": "xterm", "COLUMNS": "200"}),
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # the end of a terminal that nobody has open any more
        while part := os.read(ours, 65_536):
            shown = b"Ctrl-C leaves it planned" in seen
            seen += part
            if not shown and b"Ctrl-C leaves it planned" in seen:
                moved(ready, MINUTE)
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"UTC, in " in seen
    assert b"waits for it" not in seen
    assert arrived(ready) == Counter(range(1, 21))


# -- approval -------------------------------------------------------------------------


def test_a_planned_send_is_approved_for_its_time(ready: Workspace) -> None:
    """A trial only says what differs; with the time that was approved nothing differs, when planned and when begun."""
    ready.newsletter("approve", "--yes", "--at", FAR)
    assert "Warning" in plan(ready, at="2099-12-01 09:00").err
    assert "Warning" not in plan(ready).err


@pytest.mark.parametrize(
    ("edited", "approved", "held"),
    [
        (False, True, False),
        (False, False, True),
        (True, True, False),
        (True, False, True),
        (True, None, True),
    ],
    ids=["as planned", "not approved", "edited after", "edited, not approved", "edited and approved anew"],
)
def test_what_was_frozen_must_be_what_was_approved(
    ready: Workspace,
    edited: bool,  # noqa: FBT001 - from the table above
    approved: bool | None,  # noqa: FBT001
    held: bool,  # noqa: FBT001
) -> None:
    """Where an approval is required, a real send begins only if its frozen words and its time have one."""
    if approved:
        ready.newsletter("approve", "--yes", "--at", FAR)
    plan(ready)
    if edited:
        ready.issue("Goodbye.\n")
    if approved is None:
        ready.newsletter("approve", "--yes", "--at", FAR)
    config = ready.config()
    folder = wiring.folder_of(config, "hello-0001")
    assert folder is not None
    edition = wiring.edition(config, folder)
    ready.write("newsletter.yaml", f"{CONFIGURATION}provider: mailgun\napproval: required\n")
    database = wiring.database(config)
    assert database is not None
    with database.read() as connection:
        made = ledger.get(connection, 1)
    database.close()

    def start() -> None:
        approving.before_start(ready.config(), folder, made, None if edited else edition)

    if held:
        with pytest.raises(Blocked, match="approved"):
            start()
    else:
        start()


def test_json_of_due_is_one_list(ready: Workspace) -> None:
    """For scripts: all that `status` tells, with the code of each."""
    plan(ready)
    moved(ready, MINUTE)
    result = ready.newsletter("send", "--due", "--json")
    (told,) = json.loads(result.out)
    assert (told["slug"], told["state"], told["code"], told["people"]["accepted"]) == (SLUG, "done", 0, 20)
