"""`newsletter resolve` as a real process: listing, asking, the operator's word, exit codes."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cli.helpers_live import KEY, NOTHING_FOUND, SLUG, TAKEN, prepare, send, status
from delivery.fakes_delivery import Fake, Truth
from delivery.fakes_delivery import scripted as scripted_faults
from delivery.helpers_delivery import Clock, begin, fresh, people, work_on
from providers.scripted import Scripted, reply, scripted
from support import CONFIGURATION

if TYPE_CHECKING:
    from support import Result, Workspace

LOST = reply(500, {"message": "?"})


def doubtful(workspace: Workspace, server: Scripted) -> int:
    """Six people in batches of three, of which nobody knows what became of one; its number."""
    server.steps[:] = [LOST, TAKEN]
    server.last = NOTHING_FOUND
    prepare(workspace, server.url, people=6, batch=3)
    result = send(workspace)
    assert (result.code, result.json()["people"]["in_doubt"]) == (3, 3), result.err
    assert "newsletter resolve" in workspace.newsletter("status").out
    server.requests.clear()
    ledger = sqlite3.connect(workspace.root / ".newsletter" / "newsletter.db")
    (number,) = ledger.execute("SELECT id FROM batch WHERE state = 'in_doubt'").fetchone()
    ledger.close()
    return int(number)


def three(number: int) -> list[str]:
    """Whoever is in a batch."""
    return [f"p{n}@example.com" for n in range(3 * number - 2, 3 * number + 1)]


def resolve(workspace: Workspace, *argv: str) -> Result:
    """Resolve with the key in the environment."""
    return workspace.run("resolve", *argv, env=KEY)


def lines(result: Result) -> list[str]:
    """Without space at either end, and with none twice."""
    return [" ".join(line.split()) for line in result.out.splitlines()]


# -- listing and asking ---------------------------------------------------------------


def test_what_is_in_doubt_is_listed_with_all_that_is_known(workspace: Workspace) -> None:
    """People, when, what was heard, the key, its name outside, what the provider says, the events; and it is explained."""
    with scripted() as server:
        number = doubtful(workspace, server)
        result = resolve(workspace)
        assert (result.code, "Traceback" in result.err) == (3, False)
        said = lines(result)
        assert f"{SLUG} 3 people in doubt, in 1 batch" in said
        assert f"batch {number} 3 people: {', '.join(three(number))}" in said
        for words in ("tried 20", "heard Mailgun answered 500", "its name ", "event 20"):
            assert any(line.startswith(words) for line in said), words
        assert any("which means nothing to Mailgun" in line for line in said)
        assert any(line.startswith("provider Mailgun knows nothing of it, which proves nothing") for line in said)
        assert any("sending to in doubt: Mailgun answered 500" in line for line in said)
        for words in ("What happened", "--assume sent Takes it", "Whoever got it already, gets it twice."):
            assert words in " ".join(said)
        assert all(raw.startswith(b"GET /v3/mg.example.org/events?recipient=p") for raw in server.requests)
        assert status(workspace)["people"]["in_doubt"] == 3


def test_scripts_get_all_of_it(workspace: Workspace) -> None:
    """One object, whatever is asked."""
    with scripted() as server:
        number = doubtful(workspace, server)
        result = resolve(workspace, "--json")
        assert result.code == 3
        said = result.json()
        assert (said["slug"], said["people_in_doubt"], said["can_be_asked"], said["not_asked"]) == (SLUG, 3, True, "")
        (batch,) = said["batches"]
        assert (batch["batch"], batch["people"], batch["whole"], batch["attempts"]) == (number, 3, True, 1)
        assert (batch["provider_says"], batch["key_expires_at"]) == ("not found", None)
        assert [each["to"] for each in batch["events"]] == ["claimed", "sending", "in_doubt"]
        assert batch["name"].endswith(f"-{number}")


def test_what_the_provider_has_is_settled(workspace: Workspace) -> None:
    """It is asked, it has the batch, the send is done, and the exit code is 0."""
    with scripted() as server:
        number = doubtful(workspace, server)
        name = resolve(workspace, "--json").json()["batches"][0]["name"]
        event = {"event": "accepted", "user-variables": {"batch": name}, "message": {"headers": {"message-id": "m@mg"}}}
        server.last = reply(200, {"items": [event], "paging": {}})
        result = resolve(workspace)
        assert result.code == 0, result.err
        assert f"{SLUG} Mailgun has batch {number}: settled as accepted" in lines(result)
        now = status(workspace)
        assert (now["state"], now["people"]["accepted"], now["people"]["in_doubt"]) == ("done", 6, 0)
        assert "nothing is in doubt" in resolve(workspace).out


@pytest.mark.parametrize("why", ["no key", "unreachable", "another account"])
def test_a_provider_that_cannot_be_asked_is_no_obstacle(workspace: Workspace, why: str) -> None:
    """The list is shown, with why; a word is taken all the same."""
    with scripted() as server:
        doubtful(workspace, server)
        if why == "unreachable":
            server.last = reply(503, {"message": "down"})
        if why == "another account":
            text = (workspace.root / "newsletter.yaml").read_text()
            workspace.write("newsletter.yaml", text.replace("mg.example.org", "other.example.org"))
        keys = {} if why == "no key" else KEY
        result = workspace.run("resolve", env=keys)
        assert result.code == 3
        words = {"no key": "MAILGUN_API_KEY is not set", "unreachable": "503", "another account": "cannot know"}
        assert words[why] in result.out
        done = workspace.run("resolve", "--assume", "sent", "--all", "--yes", env=keys)
        assert done.code == 0, done.err
        assert status(workspace)["state"] == "done"


# -- the word -------------------------------------------------------------------------


def test_sent_mails_nobody_again(workspace: Workspace) -> None:
    """Accepted by the operator's word, the send done, and no call made but to ask."""
    with scripted() as server:
        number = doubtful(workspace, server)
        result = resolve(workspace, "--assume", "sent", "--batch", str(number), "--yes")
        assert result.code == 0, result.err
        assert f"{SLUG} by your word batch {number}: settled as accepted" in lines(result)
        assert "sent already" in workspace.run("send", "--yes", env=KEY).out
        assert not any(raw.startswith(b"POST") for raw in server.requests)
        assert status(workspace)["people"]["accepted"] == 6


def test_unsent_is_sent_by_the_next_send_without_leavers(workspace: Workspace) -> None:
    """Open again; who unsubscribed meanwhile is left out."""
    with scripted() as server:
        number = doubtful(workspace, server)
        leaver, *_ = three(number)
        result = resolve(workspace, "--assume", "unsent", "--all", "--yes", "--json")
        assert (result.code, result.json()["settled"], result.json()["assumed"]) == (0, [number], "unsent")
        assert status(workspace)["people"]["open"] == 3
        workspace.newsletter("subscribers", "unsubscribe", leaver)
        server.last = TAKEN
        done = send(workspace)
        assert done.code == 0, done.err
        assert (done.json()["people"]["accepted"], done.json()["people"]["skipped"]) == (5, 1)
        posted = [raw for raw in server.requests if raw.startswith(b"POST")]
        assert len(posted) == 1
        assert leaver.encode() not in posted[0]
        assert "the operator's word: unsent" in str(_events(workspace))


def _events(workspace: Workspace) -> list[Any]:
    connection = sqlite3.connect(workspace.root / ".newsletter" / "newsletter.db")
    try:
        return connection.execute("SELECT detail FROM event").fetchall()
    finally:
        connection.close()


def test_a_word_is_of_the_named_batches_only(workspace: Workspace) -> None:
    """3 while another is in doubt."""
    with scripted() as server:
        server.steps[:] = [LOST, LOST]
        server.last = NOTHING_FOUND
        prepare(workspace, server.url, people=6, batch=3)
        assert send(workspace).json()["people"]["in_doubt"] == 6
        result = resolve(workspace, "--assume", "sent", "--batch", "2", "--yes")
        assert result.code == 3
        assert f"{SLUG} 3 people in doubt, in 1 batch" in lines(result)
        assert status(workspace)["state"] == "paused"
        assert resolve(workspace, "--assume", "sent", "--batch", "1", "--yes").code == 0
        assert status(workspace)["state"] == "done"


@pytest.mark.parametrize(("typed", "code"), [("3", 0), ("2", 1), ("", 1)])
def test_the_number_of_people_confirms_a_word(workspace: Workspace, typed: str, code: int) -> None:
    """On a terminal it is typed, after what the word does was said; anything else changes nothing."""
    with scripted() as server:
        doubtful(workspace, server)
        ours, theirs = pty.openpty()
        os.write(ours, f"{typed}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", "resolve", "--assume", "unsent", "--all"],
            cwd=workspace.root,
            env=workspace.environment(KEY),
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        os.close(ours)
        os.close(theirs)
        assert done.returncode == code, done.stderr
        assert "who got it already gets two" in done.stderr
        assert "Type 3 to go ahead" in done.stderr
        assert code == 0 or "nothing was changed" in done.stderr
        assert status(workspace)["people"]["in_doubt"] == (0 if code == 0 else 3)


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("--all",), 2, "go with --assume"),
        (("--batch", "1"), 2, "go with --assume"),
        (("--assume", "sent"), 2, "needs to know of which"),
        (("--assume", "sent", "--all", "--batch", "1"), 2, "needs to know of which"),
        (("--assume", "perhaps", "--all"), 2, "perhaps"),
        (("--assume", "sent", "--batch", "one"), 2, "one"),
        (("--assume", "sent", "--batch", "7", "--yes"), 1, "batch 7: not in doubt"),
        (("--assume", "sent", "--batch", "1", "--batch", "99", "--yes"), 1, "99: not in doubt"),
        (("--assume", "sent", "--all"), 2, "no terminal"),
        (("no-such-issue",), 65, "no-such-issue"),
    ],
)
def test_a_word_that_cannot_be_taken_changes_nothing(
    workspace: Workspace, argv: tuple[str, ...], code: int, words: str
) -> None:
    """It says what is wrong, and all stay in doubt."""
    with scripted() as server:
        doubtful(workspace, server)
        result = resolve(workspace, *argv)
        assert (result.code, "Traceback" in result.err) == (code, False), result.err
        assert words in result.err
        assert status(workspace)["people"]["in_doubt"] == 3


def test_without_a_send_there_is_nothing_to_settle(workspace: Workspace) -> None:
    """1 before anything was sent; 0 after a send that went well."""
    workspace.issue("Hello.\n", slug=SLUG)
    assert workspace.run("resolve").code == 1
    workspace.write("newsletter.yaml", CONFIGURATION)
    workspace.write("people.csv", "email\np1@example.com\n")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")
    workspace.newsletter("send", "--yes")
    assert "nothing is in doubt" in workspace.newsletter("resolve").out
    assert workspace.newsletter("resolve", "--assume", "sent", "--all", "--json").json()["batches"] == []


def test_the_record_beside_a_real_issue_has_its_end(workspace: Workspace) -> None:
    """The last doubt of a real send is settled: sent.json says when it was finished. No key is set, so nobody is asked."""
    workspace.issue("Hello.\n", slug=SLUG)
    database = fresh(workspace.root)
    people(database, 3)
    clock = Clock()
    fake = Fake(Truth(), "no keys", now=clock.now, fault=scripted_faults("time-out after"))
    fake.capabilities = dataclasses.replace(fake.capabilities, name="mailgun", real=True)
    work_on(database, begin(database, fake), fake, clock)
    database.close()
    workspace.write("newsletter.yaml", f"{CONFIGURATION}provider: mailgun\nmailgun:\n  domain: mg.example.org\n")
    result = workspace.run("resolve", "--assume", "sent", "--all", "--yes", "--json")
    assert (result.code, result.json()["state"]) == (0, "done"), result.err
    assert "MAILGUN_API_KEY is not set" in result.json()["not_asked"]
    assert json.loads((workspace.root / "issues" / SLUG / "sent.json").read_text("utf-8"))["finished_at"]
