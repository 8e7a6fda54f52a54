"""plan, send, status, pause, cancel and resume, as real processes in a real workspace."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from delivery.checker import outbox
from delivery.helpers_delivery import fresh, people, row, unsubscribe
from sqlalchemy import insert
from support import CONFIGURATION, SECRET, Workspace

from newsletter.store.tables import person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLUG = "2026-11-23-hello"
BODY = 'Hello {{ first_name | default("there") }},\n\nread [this](https://example.org).\n'


@pytest.fixture
def ready(workspace: Workspace, empty_ledger: Path) -> Workspace:
    """A workspace with an issue and twenty people, batches of five."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}send:\n  batch: 5\n")
    workspace.issue(BODY)
    (workspace.root / ".newsletter").mkdir(mode=0o700)
    workspace.write(".newsletter/newsletter.db", empty_ledger.read_bytes())
    add(workspace, 20)
    return workspace


def add(workspace: Workspace, count: int) -> None:
    """Add people to the ledger."""
    database = fresh(workspace.root)
    people(database, count)
    database.close()


def arrived(workspace: Workspace, tag: str = SLUG) -> Counter[int]:
    """Messages by person."""
    return outbox(workspace.root / ".newsletter" / "outbox" / tag)


@contextlib.contextmanager
def sending(workspace: Workspace, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command under way, seen at work by its first messages."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "send", "--yes", *argv],
        cwd=workspace.root,
        env=workspace.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    before = sum(arrived(workspace).values())
    while sum(arrived(workspace).values()) == before and process.poll() is None:
        time.sleep(0.002)
    yield process
    process.communicate(timeout=120)


def test_from_plan_to_done(ready: Workspace) -> None:
    """The plan's own id is carried out; afterwards the same command mails nobody and ends with 0."""
    plan = ready.newsletter("plan", "--json").json()
    assert (plan["recipients"], plan["batches"], plan["calls"], plan["errors"], plan["already"]) == (20, 4, 4, 0, None)
    done = ready.newsletter("send", "--yes", "--json", "--plan", plan["id"]).json()
    assert (done["state"], done["people"]["accepted"], done["recipients"]) == ("done", 20, 20)
    assert arrived(ready) == Counter(range(1, 21))
    again = ready.newsletter("send")
    assert "sent already: to 20 recipients" in again.out
    assert arrived(ready) == Counter(range(1, 21))
    assert ready.newsletter("status", "--json").json() == done
    assert ready.newsletter("plan", "--json").json()["already"] == "done"


def test_a_trial_may_be_repeated(ready: Workspace) -> None:
    """--again makes a second copy of everything in a folder of its own."""
    ready.newsletter("send", "--yes")
    ready.newsletter("send", "--yes", "--again")
    assert arrived(ready) == arrived(ready, f"{SLUG}~2") == Counter(range(1, 21))


def test_a_send_asks_first(ready: Workspace) -> None:
    """Without a terminal and without --yes nothing happens, and the exit code is 2."""
    result = ready.run("send")
    assert result.code == 2
    assert "--yes" in result.err
    assert arrived(ready) == Counter()
    assert ready.run("status").code == 1


@pytest.mark.parametrize(("typed", "code", "sent"), [("20", 0, 20), ("19", 1, 0), ("", 1, 0)])
def test_the_number_of_recipients_confirms(ready: Workspace, typed: str, code: int, sent: int) -> None:
    """On a terminal the number is typed; anything else sends nothing."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "send"],
        cwd=ready.root,
        env=ready.environment(),
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == code, done.stderr
    assert "Type 20 to go ahead" in done.stderr
    assert sum(arrived(ready).values()) == sent


def test_another_plan_is_refused(ready: Workspace) -> None:
    """Somebody left since the plan was made; it is not carried out."""
    plan = ready.newsletter("plan", "--json").json()
    database = fresh(ready.root)
    unsubscribe(database, 1)
    database.close()
    result = ready.run("send", "--yes", "--plan", plan["id"])
    assert result.code == 1
    assert "does not hold any more" in result.err
    assert arrived(ready) == Counter()


def test_nobody_to_send_to(workspace: Workspace) -> None:
    """Without people a plan is empty, a send ends with 1, and no database is made for it."""
    workspace.issue(BODY)
    assert workspace.newsletter("plan", "--json").json()["recipients"] == 0
    result = workspace.run("send", "--yes")
    assert result.code == 1
    assert "nobody to send to" in result.err
    assert not (workspace.root / ".newsletter" / "newsletter.db").exists()


def test_a_finding_blocks(ready: Workspace) -> None:
    """A field that nobody has, without default, stops the send at its place in the file."""
    ready.issue("Hello {{ nickname }}\n")
    result = ready.run("send", "--yes")
    assert result.code == 1
    assert "index.md:" in result.err
    assert "nickname" in result.err
    assert arrived(ready) == Counter()


def test_values_that_do_not_fit_fail_and_the_rest_goes(ready: Workspace) -> None:
    """The plan foresees it, the send ends with 1 and names an example."""
    ready.issue('Born {{ born | default("2000-01-01") | date("y") }}\n')
    database = fresh(ready.root)
    with database.write() as connection:
        connection.execute(insert(person), [row("bad@example.com", {"born": "soon"})])
    database.close()
    plan = ready.newsletter("plan", "--json").json()
    assert (plan["audience"], plan["recipients"], plan["left_out"]) == (21, 20, {"cannot be rendered": 1})
    result = ready.run("send", "--yes")
    assert result.code == 1
    assert "bad@example.com: failed: born is not an ISO date" in result.out
    assert arrived(ready) == Counter(range(1, 21))


def test_killed_and_run_again(ready: Workspace) -> None:
    """The very command of the user, killed four times: everyone once, and the send is done."""
    add_many(ready)
    for _ in range(4):
        with sending(ready) as process:
            process.kill()
        assert process.returncode == -signal.SIGKILL
    ready.newsletter("send", "--yes")
    assert arrived(ready) == Counter(range(1, 1521))
    assert ready.newsletter("status", "--json").json()["state"] == "done"


def add_many(workspace: Workspace) -> None:
    """Enough people to be in the midst of it."""
    database = fresh(workspace.root)
    with database.write() as connection:
        connection.execute(insert(person), [row(f"q{n}@example.com", {}) for n in range(1500)])
    database.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_the_batch_in_flight(ready: Workspace, number: signal.Signals) -> None:
    """The exit code is 130, nothing is left in anybody's hands, and the same command goes on."""
    add_many(ready)
    with sending(ready) as process:
        process.send_signal(number)
    assert process.returncode == 130
    stopped = ready.newsletter("status", "--json").json()
    assert stopped["state"] == "running"
    assert set(stopped["batches"]) == {"accepted", "pending"}
    assert stopped["people"]["accepted"] == sum(arrived(ready).values())
    ready.newsletter("send", "--yes")
    assert arrived(ready) == Counter(range(1, 1521))


def test_a_changed_issue_is_refused_until_it_is_asked_for(ready: Workspace) -> None:
    """After a kill the issue is edited: refused with what changed; --frozen goes on with what the others got."""
    add_many(ready)
    with sending(ready) as process:
        process.kill()
    ready.issue(BODY.replace("Hello", "Goodbye"), subject="Another subject")
    result = ready.run("send", "--yes")
    assert result.code == 1
    assert "subject, html, text" in result.err
    assert "“Hello” became “Another subject”" in result.err
    assert "--frozen" in result.err
    assert ready.run("resume", "--yes").code == 1
    assert ready.run("resume", SLUG, "--yes", "--frozen").code == 0
    assert arrived(ready) == Counter(range(1, 1521))
    messages = (ready.root / ".newsletter" / "outbox" / SLUG).glob("*.eml")
    assert not any(b"Goodbye" in path.read_bytes() for path in messages)


def test_cancel_stops_and_resume_reopens(ready: Workspace) -> None:
    """Another process's cancel takes effect at once; send refuses, resume goes on."""
    add_many(ready)
    with sending(ready) as process:
        cancelled = ready.newsletter("cancel", "--json").json()
    assert process.returncode == 1
    assert cancelled["state"] == "cancelled"
    count = sum(arrived(ready).values())
    assert count < 1520
    refused = ready.run("send", "--yes")
    assert refused.code == 1
    assert "newsletter resume" in refused.err
    assert sum(arrived(ready).values()) == count
    assert ready.run("resume").code == 2
    assert ready.run("resume", "--yes").code == 0
    assert arrived(ready) == Counter(range(1, 1521))
    assert ready.run("cancel").code == 1
    assert ready.run("resume", "--yes").code == 1


def test_pause_holds_until_resume(ready: Workspace) -> None:
    """An operator's pause is not undone by send."""
    add_many(ready)
    with sending(ready) as process:
        paused = ready.newsletter("pause", "--json").json()
    assert (process.returncode, paused["state"], paused["paused_by"]) == (3, "paused", "operator")
    assert ready.run("send", "--yes").code == 1
    assert ready.run("pause").code == 1
    assert ready.run("resume", "--yes").code == 0
    assert arrived(ready) == Counter(range(1, 1521))


def test_a_broken_issue_can_still_be_stopped(ready: Workspace) -> None:
    """Cancel and status find the send by the folder's name when the issue cannot be read."""
    add_many(ready)
    with sending(ready) as process:
        process.kill()
    ready.write(f"issues/{SLUG}/index.md", "---\ntitle: [\n---\n")
    assert ready.newsletter("status", SLUG, "--json").json()["state"] == "running"
    assert ready.newsletter("status", "--json").json()["state"] == "running"
    assert ready.run("cancel", SLUG).code == 0


def test_two_commands_at_once(ready: Workspace) -> None:
    """Both end with 0 and the same figures; everyone is mailed once."""
    add_many(ready)
    with sending(ready) as process:
        other = ready.newsletter("send", "--yes", "--json").json()
    assert process.returncode == 0
    assert (other["state"], other["people"]["accepted"]) == ("done", 1520)
    assert arrived(ready) == Counter(range(1, 1521))


def test_a_disk_that_cannot_be_written_holds_the_send(ready: Workspace) -> None:
    """A file stands where the outbox should be: 74 and nobody refused; mended, the same command completes."""
    ready.write(".newsletter/outbox", "in the way")
    result = ready.run("send", "--yes")
    assert result.code == 74
    assert "cannot be written" in result.out
    assert ready.newsletter("status", "--json").json()["people"]["open"] == 20
    (ready.root / ".newsletter" / "outbox").unlink()
    ready.newsletter("send", "--yes")
    assert arrived(ready) == Counter(range(1, 21))


def test_a_busy_database_is_waited_for(ready: Workspace) -> None:
    """Another process holds the ledger for a moment when the send begins."""
    holder = sqlite3.connect(
        ready.root / ".newsletter" / "newsletter.db", isolation_level=None, check_same_thread=False
    )
    holder.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(2.0, lambda: holder.execute("ROLLBACK"))
    timer.start()
    ready.newsletter("send", "--yes")
    timer.join()
    holder.close()
    assert arrived(ready) == Counter(range(1, 21))


def test_a_provider_that_is_not_built_sends_nothing(ready: Workspace) -> None:
    """78, and the outbox stays empty."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}provider: mailgun\n")
    assert ready.run("send", "--yes").code == 78
    assert ready.run("plan").code == 78


def test_a_trial_needs_no_secret_and_says_so(ready: Workspace) -> None:
    """Without a secret the links of a trial are signed by the ledger's own id; no output shows either."""
    (ready.root / ".env").unlink()
    result = ready.newsletter("send", "--yes")
    assert "would still need public_url with https, NEWSLETTER_SECRET." in result.err
    assert arrived(ready) == Counter(range(1, 21))


def test_the_secret_is_in_no_output(ready: Workspace) -> None:
    """A canary: neither output, ledger nor messages hold it."""
    outputs = [ready.newsletter(*argv) for argv in (("plan",), ("send", "--yes", "-v"), ("status", "-v"))]
    assert not any(SECRET in result.out + result.err for result in outputs)
    files = [path for path in (ready.root / ".newsletter").rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in files)


def test_no_real_record_is_left_by_a_trial(ready: Workspace) -> None:
    """sent.json is for real sends; a trial uses nothing up."""
    ready.newsletter("send", "--yes")
    assert not (ready.root / "issues" / SLUG / "sent.json").exists()


def test_a_renamed_folder_is_the_same_issue(ready: Workspace) -> None:
    """The id decides: a renamed issue is not sent a second time."""
    ready.newsletter("send", "--yes")
    (ready.root / "issues" / SLUG).rename(ready.root / "issues" / "2026-11-24-renamed")
    assert "sent already" in ready.newsletter("send", "--yes").out
    assert arrived(ready, "2026-11-24-renamed") == Counter()
