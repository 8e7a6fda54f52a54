"""`newsletter send --stages`, as real processes in a real workspace."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from delivery.checker import outbox
from delivery.helpers_delivery import fresh, people
from support import CONFIGURATION, listening

from newsletter.store.clock import stamp, utcnow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support import Result, Workspace

SLUG = "2026-11-23-hello"
STAGES = ("--stages", "10%,50%,100%")
KEY = {"MAILGUN_API_KEY": "key-for-tests"}


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """A workspace with an issue and forty people, batches of five."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}send:\n  batch: 5\n")
    workspace.issue('Hello {{ first_name | default("there") }}.\n')
    database = fresh(workspace.root)
    people(database, 40)
    database.close()
    return workspace


def ask(workspace: Workspace, statement: str, *values: object) -> list[Any]:
    """One statement on the ledger."""
    with (
        contextlib.closing(sqlite3.connect(workspace.root / ".newsletter" / "newsletter.db")) as connection,
        connection,
    ):
        return connection.execute(statement, values).fetchall()


def over(workspace: Workspace) -> None:
    """Let the wait between two stages be over."""
    ask(workspace, "UPDATE send SET stage_at = ?", stamp(utcnow() - dt.timedelta(seconds=1)))


def send(workspace: Workspace, *more: str, code: int = 0, env: dict[str, str] | None = None) -> Result:
    """Send without being asked."""
    result = workspace.run("send", "--yes", *more, env=env)
    assert result.code == code, result.err
    return result


def status(workspace: Workspace) -> Any:
    """How the send stands."""
    return workspace.newsletter("status", "--json").json()


def arrived(workspace: Workspace) -> Counter[int]:
    """Messages by person."""
    return outbox(workspace.root / ".newsletter" / "outbox" / SLUG)


def of_stage(workspace: Workspace, stage: int) -> list[tuple[int, str]]:
    """Who is in a stage: numbers and addresses."""
    sql = "SELECT person_id, address FROM delivery JOIN batch ON batch.id = batch_id WHERE stage = ? ORDER BY person_id"
    return [(row[0], row[1]) for row in ask(workspace, sql, stage)]


# -- the way through ------------------------------------------------------------------


def test_stages_are_shown_and_go_out_one_after_the_other(ready: Workspace) -> None:
    """One process: it tells what is next, waits, and ends with everybody mailed once."""
    result = send(ready, *STAGES, "--wait", "1s")
    assert "stages      10% (4), then 50% (16), then 100% (20); 1 second between them" in result.out
    assert "brake       5% refused, 3% bounced, 0.1% complained" in result.out
    assert "Stage 1 of 3 is out. The next (50%, 16 people) begins " in result.err
    assert "Stage 2 of 3 is out. The next (100%, 20 people) begins " in result.err
    assert arrived(ready) == Counter(range(1, 41))
    assert [each["settled"] for each in status(ready)["stages"]] == [4, 16, 20]
    assert "sent already" in send(ready, *STAGES, "--wait", "1s").out


def test_cron_goes_on_from_stage_to_stage(ready: Workspace) -> None:
    """--no-wait leaves with 3 after the first; --due does nothing before the time and the next stage after it."""
    send(ready, *STAGES, "--no-wait", code=3)
    for stage, many in ((1, 4), (2, 20), (3, 40)):
        assert sum(arrived(ready).values()) == many
        told = status(ready)
        assert told["stage"] == stage
        assert (told["next_stage_at"] is None) is (stage == 3)
        assert ready.newsletter("send", "--due").out == ""
        if stage < 3:
            over(ready)
            assert ready.run("send", "--due").code == (3 if stage == 1 else 0)
    assert arrived(ready) == Counter(range(1, 41))
    assert status(ready)["state"] == "done"


def test_status_shows_the_stages(ready: Workspace) -> None:
    """Those that are out, the next one with its time, and the others."""
    send(ready, *STAGES, "--wait", "2h", "--no-wait", code=3)
    shown = ready.newsletter("status").out
    assert "10%: 4 of 4 settled" in shown
    assert "50%: 16 people, in " in shown
    assert " left" not in shown  # nobody can say before all stages have begun
    assert "100%: 20 people\n" in shown
    assert [each["people"] for each in status(ready)["stages"]] == [4, 16, 20]


def test_stages_of_a_plan_are_cut_when_it_begins(ready: Workspace) -> None:
    """With --at as well; who is in them is known then."""
    send(ready, *STAGES, "--wait", "1s", "--no-wait", "--at", "2099-12-01 08:00")
    assert [each["share"] for each in status(ready)["stages"]] == ["10%", "50%", "100%"]
    assert "10%: not begun" in ready.newsletter("status").out
    assert "10% (4), then 50% (16), then 100% (20); 1 second between them" in send(ready, "--at", "now").out
    assert [each["settled"] for each in status(ready)["stages"]] == [4, 16, 20]
    assert arrived(ready) == Counter(range(1, 41))


def test_a_process_that_is_killed_between_two_stages_is_followed_by_another(ready: Workspace) -> None:
    """SIGKILL in the wait: the next one waits for the same time; once it is over, it goes on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "send", "--yes", *STAGES, "--wait", "1h"],
        cwd=ready.root,
        env=ready.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "is out" not in (line := process.stderr.readline()):
        assert line
    process.kill()
    process.communicate(timeout=60)
    before = status(ready)["next_stage_at"]
    send(ready, "--no-wait", code=3)
    assert status(ready)["next_stage_at"] == before
    assert sum(arrived(ready).values()) == 4
    over(ready)
    send(ready, "--no-wait", code=3)
    assert sum(arrived(ready).values()) == 20


def test_ctrl_c_in_the_wait_ends_at_once_and_safely(ready: Workspace) -> None:
    """130, with how it stands."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "send", "--yes", *STAGES, "--wait", "1h"],
        cwd=ready.root,
        env=ready.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "is out" not in (line := process.stderr.readline()):
        assert line
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"To go on: newsletter send {SLUG}" in out


@pytest.mark.parametrize("processes", [4])
def test_many_processes_go_through_the_stages_together(ready: Workspace, processes: int) -> None:
    """All begin at once; everybody is mailed once, stage by stage."""
    argv: Sequence[str] = (sys.executable, "-m", "newsletter", "send", "--yes", *STAGES, "--wait", "2s")
    running = [
        subprocess.Popen(argv, cwd=ready.root, env=ready.environment(), stdout=subprocess.DEVNULL)
        for _ in range(processes)
    ]
    assert [process.wait(timeout=120) for process in running] == [0] * processes
    assert arrived(ready) == Counter(range(1, 41))
    assert ask(ready, "SELECT count(*) FROM send") == [(1,)]


# -- what cannot be meant -------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--stages", "1%,10%"), "the last stage reaches 10%"),
        (("--stages", "10%,1%,100%"), "more people than the one before"),
        (("--stages", "1,100"), "“1” is not a percentage"),
        (("--stages", ""), "is not a percentage"),
        (("--stages", "1%,100%", "--wait", "30"), "--wait 30: this is not a length of time"),
        (("--stages", "1%,100%", "--wait", ""), "is not a length of time"),
        (("--wait", "30m"), "--wait is the time between two stages"),
    ],
)
def test_bad_stages_are_a_usage_error(ready: Workspace, argv: tuple[str, ...], words: str) -> None:
    """2 with what to write; nobody is mailed."""
    result = ready.run("send", "--yes", *argv)
    assert result.code == 2, result.err
    assert words in result.err
    assert ready.run("status").code == 1


def test_a_send_that_has_begun_keeps_its_stages(ready: Workspace) -> None:
    """Others are refused; the same are the same command again; none given is no other."""
    send(ready, *STAGES, "--no-wait", code=3)
    result = send(ready, "--stages", "20%,100%", code=2)
    assert "with these stages: 10%, 50%, 100%" in result.err
    send(ready, *STAGES, "--wait", "1h", code=2)
    send(ready, *STAGES, "--no-wait", code=3)
    send(ready, "--no-wait", code=3)
    assert sum(arrived(ready).values()) == 4


def test_a_small_list_has_fewer_stages(ready: Workspace) -> None:
    """1% and 2% of forty are the same one person."""
    assert "1% (1), then 100% (39)" in send(ready, "--stages", "1%,2%,100%", "--no-wait", code=3).out
    send(ready, "--stages", "1%,2%,100%", "--no-wait", code=3)
    over(ready)
    send(ready)
    assert arrived(ready) == Counter(range(1, 41))


# -- the brake ------------------------------------------------------------------------


def listed(workspace: Workspace, *people: tuple[str, str]) -> None:
    """Whom the provider does not mail from now on, and why."""
    at = f"{utcnow() + dt.timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    rows = [{"address": who, "status": why, "at": at, "reason": "said so"} for who, why in people]
    workspace.write(".newsletter/outbox/suppressions.json", json.dumps(rows))


def test_the_provider_is_asked_before_the_next_stage_and_the_brake_holds_the_send(ready: Workspace) -> None:
    """Who bounced is taken over, the send is held with why, plain `send` and cron leave it, and `resume` goes on."""
    with listening(ready) as url:
        settings = f"provider: mailgun\nmailgun:\n  base_url: {url}\n  domain: mg.example.org\n"
        ready.write("newsletter.yaml", f"{CONFIGURATION}public_url: https://letters.nowhere.invalid\n{settings}")
        send(ready, *STAGES, "--wait", "1s", "--no-wait", code=3, env=KEY)
        (_, first), (_, second), *_ = of_stage(ready, 0)
        listed(ready, (first, "bounced"), (second, "complained"))
        over(ready)
        result = send(ready, "--no-wait", code=3, env=KEY)
        why = "before stage 2 of 3 (50%): 1 of 4 bounced (25%), more than 3%; 1 of 4 complained (25%), more than 0.1%"
        assert f"paused: {why}" in result.out
        assert status(ready)["reason"] == why
        assert ask(ready, "SELECT status FROM person WHERE address = ?", first) == [("bounced",)]
        assert why in send(ready, code=1, env=KEY).err
        assert ready.run("send", "--due", env=KEY).out == ""
        assert status(ready)["people"]["accepted"] == 4
        listed(ready)
        result = ready.run("resume", "--yes", env=KEY)
        assert "before stage 3 of 3 (100%): 1 of 20 bounced" in result.out
        assert status(ready)["people"]["accepted"] == 20


def test_a_provider_that_cannot_be_asked_is_said_and_the_send_goes_on(ready: Workspace) -> None:
    """Bounces and complaints are as last pulled; a broken list is no reason to stop, nor to crash."""
    with listening(ready) as url:
        settings = f"provider: mailgun\nmailgun:\n  base_url: {url}\n  domain: mg.example.org\n"
        ready.write("newsletter.yaml", f"{CONFIGURATION}public_url: https://letters.nowhere.invalid\n{settings}")
        send(ready, "--stages", "10%,100%", "--no-wait", code=3, env=KEY)
        ready.write(".newsletter/outbox/suppressions.json", "not JSON")
        over(ready)
        result = send(ready, env=KEY)
        assert "as last pulled" in result.err
        assert status(ready)["state"] == "done"


def test_the_brake_is_configured_and_frozen_with_the_send(ready: Workspace) -> None:
    """A limit that is raised afterwards changes nothing of a send under way."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}brake:\n  bounced: 30%\n")
    assert "brake       5% refused, 30% bounced" in send(ready, *STAGES, "--no-wait", code=3).out
    ready.write("newsletter.yaml", f"{CONFIGURATION}brake:\n  bounced: 0%\n")
    who, _ = of_stage(ready, 0)[0]
    at = stamp(utcnow())
    ask(ready, "UPDATE person SET status = 'bounced', status_at = ? WHERE id = ?", at, who)
    over(ready)
    send(ready, "--no-wait", code=3)
    assert status(ready)["stage"] == 2
    assert status(ready)["state"] == "running"


def test_resume_goes_on_to_the_next_stage(ready: Workspace) -> None:
    """A person has looked at it; later stages wait, and are looked at, as before."""
    send(ready, *STAGES, "--wait", "1s", "--no-wait", code=3)
    who, _ = of_stage(ready, 0)[0]
    ask(ready, "UPDATE person SET status = 'complained', status_at = ? WHERE id = ?", stamp(utcnow()), who)
    over(ready)
    send(ready, "--no-wait", code=3)
    assert (status(ready)["state"], sum(arrived(ready).values())) == ("paused", 4)
    result = ready.run("resume", "--yes")
    assert result.code == 3
    assert "before stage 3 of 3 (100%): 1 of 20 complained (5%), more than 0.1%" in result.out
    assert sum(arrived(ready).values()) == 20
    assert ready.run("resume", "--yes").code == 0
    assert arrived(ready) == Counter(range(1, 41))
