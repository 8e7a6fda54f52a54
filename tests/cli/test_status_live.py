"""`newsletter status` beside a running send, and pause, resume and cancel from other processes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cli.helpers_live import (
    KEY,
    NOTHING_FOUND,
    SLUG,
    TAKEN,
    TOO_FAST,
    finish,
    gated,
    prepare,
    send,
    start,
    status,
    until,
)
from providers.scripted import reply, scripted, silence
from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from support import Workspace


def plain(workspace: Workspace, *argv: str) -> str:
    """The status as text."""
    return workspace.newsletter("status", SLUG, *argv).out


# -- what is shown --------------------------------------------------------------------


def test_a_running_send_is_seen_from_another_process(workspace: Workspace) -> None:
    """People and batches by state, pace, time left, the account's limit, the last answer, and who works on it."""
    with gated(workspace, 2, more="  per_second: 50\n") as (server, gate):
        process = start(workspace)
        until(lambda: len(server.requests) == 3, process)
        now = status(workspace)
        assert (now["state"], now["recipients"], sum(now["people"].values())) == ("running", 12, 12)
        assert sum(now["batches"].values()) == 12
        assert (2 <= now["people"]["accepted"] < 12, now["batches"]["accepted"]) == (True, now["people"]["accepted"])
        assert now["recent_per_second"] > 0
        assert now["seconds_left"] >= 0
        assert 0 < now["calls_per_second"] <= 50
        assert now["created_at"] < now["last_answer_at"]
        (worker,) = now["processes"]
        assert (worker["pid"], worker["alive"], worker["batches"] >= 1) == (process.pid, True, True)
        text = plain(workspace)
        assert re.search(r"\d of 12 settled", text)
        assert re.search(r"accepted +\d+ +accepted +\d+", text)
        assert re.search(rf"processes +{process.pid} at work, \d batch", text)
        assert re.search(r"time +\d+ s so far, about \d+ s left", text)
        assert f"newsletter status --watch {SLUG}" in text
        assert max(map(len, text.splitlines())) <= 80
        gate.set()
        assert finish(process)[0] == 0
    done = status(workspace)
    assert (done["state"], done["processes"], done["recent_per_second"], done["seconds_left"]) == (
        "done",
        [],
        None,
        None,
    )


def test_faults_are_counted_by_kind(workspace: Workspace) -> None:
    """429, other answers, and lost ones; of this send only."""
    answers = [TOO_FAST, TOO_FAST, TAKEN, reply(500, {"message": "?"}), TAKEN]
    with scripted(*answers, last=NOTHING_FOUND) as server:
        prepare(workspace, server.url, people=3)
        assert send(workspace).code == 3
        now = status(workspace)
        assert [(each["kind"], each["calls"]) for each in now["faults"]] == [("429", 2), ("500", 1)]
        assert (now["people"]["in_doubt"], now["batches"]["in_doubt"]) == (1, 1)
        text = plain(workspace)
        assert re.search(r"faults +429: 2, .*the last .* ago\n +500: 1", text)
        assert re.search(r"doubt +1 person, 1 batch as a whole", text)
        assert f"newsletter resolve {SLUG}" in text


def test_a_dead_process_is_told_from_a_living_one(workspace: Workspace) -> None:
    """Killed in a call: its batch is in its hands until the next send takes it over."""
    with scripted(TAKEN, silence, last=NOTHING_FOUND) as server:
        prepare(workspace, server.url, people=6)
        process = start(workspace)
        until(lambda: len(server.requests) == 2, process)
        process.kill()
        finish(process)
        (worker,) = status(workspace)["processes"]
        assert (worker["pid"], worker["alive"]) == (process.pid, False)
        text = plain(workspace)
        assert re.search(rf"processes +{process.pid} is gone, with \d batch", text)
        assert "none is at work on it" in text
        assert f"To go on: newsletter send {SLUG}" in text


def test_a_wait_is_told_with_its_end(workspace: Workspace) -> None:
    """The provider wants a pause: until when the account makes no call, and how many batches wait."""
    with scripted(TAKEN, last=reply(429, {"message": "slow down"}, retry_after="20")) as server:
        prepare(workspace, server.url, people=3)
        process = start(workspace)
        until(lambda: len(server.requests) == 2 and bool(status(workspace)["faults"]), process)
        now = status(workspace)
        assert now["batches_waiting"] >= 1
        assert now["next_try_at"] > now["last_answer_at"]
        assert now["account_free_at"] > now["last_answer_at"]
        text = plain(workspace)
        assert re.search(r"next try +in \d+\.\d s, \d batch", text)
        assert re.search(r"no call for 1\d\.\d s", text)
        process.send_signal(signal.SIGTERM)
        assert finish(process)[0] == 130


# -- watching -------------------------------------------------------------------------


def test_watching_without_a_terminal_prints_a_line_now_and_then(workspace: Workspace) -> None:
    """The first at once; when the send has ended, the whole report; 0."""
    with gated(workspace, 1) as (server, gate):
        process = start(workspace)
        until(lambda: len(server.requests) == 2, process)
        watching = start(workspace, "status", "--watch", SLUG)
        assert watching.stdout is not None
        assert re.match(rf"{SLUG}: 1 of 12 settled", watching.stdout.readline().decode())
        gate.set()
        code, out, err = finish(watching)
        assert (code, err) == (0, "")
        assert f"{SLUG}  done: 12 of 12 accepted by Mailgun" in out
        assert finish(process)[0] == 0


def test_watching_for_scripts_prints_an_object_a_line(workspace: Workspace) -> None:
    """The last one has the end."""
    with gated(workspace, 1) as (server, gate):
        process = start(workspace)
        until(lambda: len(server.requests) == 2, process)
        watching = start(workspace, "status", "--watch", "--json", SLUG)
        assert watching.stdout is not None
        first = watching.stdout.readline().decode()
        gate.set()
        code, out, _ = finish(watching)
        said: list[dict[str, Any]] = [json.loads(line) for line in (first, *out.splitlines())]
        assert (code, said[0]["state"], said[-1]["state"]) == (0, "running", "done")
        assert said[-1] == status(workspace)
        assert finish(process)[0] == 0


@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM])
def test_watching_on_a_terminal_draws_in_place(workspace: Workspace, number: signal.Signals | None) -> None:
    """Until the send ends, or until Ctrl-C, which is nothing to the send; then the whole report, and 0."""
    with gated(workspace, 1) as (server, gate):
        process = start(workspace)
        until(lambda: len(server.requests) == 2, process)
        ours, theirs = pty.openpty()
        watching = start(workspace, "status", "--watch", SLUG, stdout=theirs, stderr=theirs)
        os.close(theirs)
        screen = b""
        while b"Ctrl-C ends this view" not in screen:
            screen += os.read(ours, 65536)
        if number is None:
            gate.set()
        else:
            watching.send_signal(number)
        try:
            while part := os.read(ours, 65536):
                screen += part
        except OSError:  # its side was closed
            pass
        os.close(ours)
        assert watching.wait(timeout=60) == 0
        assert b"\x1b[?25h" in screen, "the cursor is not shown again"
        assert "─" in screen.partition(b"Ctrl-C")[0].decode(), "the bar is not that of the report"
        last = screen.rpartition(b"\x1b[?25h")[2].decode()
        assert ("done: 12 of 12" if number is None else "of 12 settled") in last
        assert "Ctrl-C ends this view" not in last
        assert "Traceback" not in screen.decode()
        gate.set()
        assert finish(process)[0] == 0


def test_watching_ends_with_a_pause(workspace: Workspace) -> None:
    """A send that is held goes on by a word only; who waits for its end would wait for ever."""
    with gated(workspace, 1) as (server, gate):
        process = start(workspace)
        until(lambda: len(server.requests) == 2, process)
        watching = start(workspace, "status", "--watch", SLUG)
        assert watching.stdout is not None
        assert watching.stdout.readline()
        workspace.newsletter("pause", SLUG, "--reason", "a wrong date")
        gate.set()
        code, out, _ = finish(watching)
        assert (code, f"{SLUG}  paused: a wrong date" in out) == (0, True)
        assert finish(process)[0] == 3


# -- holding --------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["pause", "cancel"])
def test_a_word_from_another_process_holds_within_a_batch(workspace: Workspace, word: str) -> None:
    """Once it is taken, no call begins but the one that had its intent; all of it leaves its trace."""
    with gated(workspace, 2) as (server, gate):
        process = start(workspace)
        until(lambda: len(server.requests) == 3, process)
        workspace.newsletter(word, SLUG)
        taken = len(server.requests)
        gate.set()
        code, _, err = finish(process)
        assert code == (3 if word == "pause" else 1), err
        assert len(server.requests) <= taken + 1
        held = status(workspace)
        state = "paused" if word == "pause" else "cancelled"
        assert (held["state"], held["people"]["accepted"]) == (state, len(server.requests))
        assert (held["people"]["in_doubt"], held["processes"]) == (0, [])
        assert workspace.run("send", "--yes", env=KEY).code == 1
        assert workspace.run("resume", "--yes", env=KEY).code == 0
        assert len(server.requests) == 12
    done = status(workspace)
    assert [(turn["from"], turn["to"]) for turn in done["turns"]] == [
        ("running", state),
        (state, "running"),
        ("running", "done"),
    ]
    assert done["turns"][0]["by"] == done["turns"][1]["by"]
    assert f"running to {state}" in plain(workspace, "-v")


def test_a_pause_says_why_and_by_whom(workspace: Workspace) -> None:
    """The reason in one line, without what would move the cursor."""
    with gated(workspace, 1) as (server, gate):
        process = start(workspace)
        until(lambda: len(server.requests) == 2, process)
        paused = workspace.newsletter("pause", "--json", "--reason", "a wrong\ndate\x1b[31m").json()
        assert paused["reason"] == "a wrong date [31m"
        (turn,) = paused["turns"]
        assert (turn["from"], turn["to"], turn["why"]) == ("running", "paused", "a wrong date [31m")
        gate.set()
        assert finish(process)[0] == 3
    text = plain(workspace, "-v")
    assert f"{SLUG}  paused: a wrong date [31m\n" in text
    if turn["by"]:
        assert re.search(rf"since +.* ago, by {re.escape(turn['by'])}\n", text)


def test_a_fault_leaves_its_trace_too(workspace: Workspace) -> None:
    """What held the send, and that `send` took it up again."""
    with scripted(reply(401, "Forbidden"), last=TAKEN) as server:
        prepare(workspace, server.url, people=1)
        assert send(workspace).code == 78
        assert send(workspace).code == 0
    held, taken_up, done = status(workspace)["turns"]
    assert (held["to"], held["by"], held["why"].startswith("config: Mailgun answered 401")) == ("paused", "", True)
    assert (taken_up["to"], done["to"]) == ("running", "done")


def test_the_benchmark_of_the_status_runs(tmp_path: Path) -> None:
    """Two ratios for each size of a batch; its figures are for `make bench`."""
    benchmark: list[Any] = [sys.executable, ROOT / "benchmarks" / "status.py", "--quick"]
    done = subprocess.run(benchmark, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^  .+ +\d+\.\d\d   \(goal .+\)$", done.stdout, re.MULTILINE)) == 4
