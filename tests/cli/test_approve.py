"""``newsletter approve``, and what a send makes of it: real commands in a real workspace."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image
from providers.fakes_http import FakeMailgun
from support import CONFIGURATION, ROOT, Workspace

from newsletter.cli import sending, wiring
from newsletter.cli.app import run
from newsletter.providers.mailgun import Mailgun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Result

SLUG = "2026-11-23-hello"
FILE = f"issues/{SLUG}/approval.json"
BODY = 'Hello {{ first_name | default("there") }},\n\n![The harbour](harbour.png)\n\nUntil next week.\n'
KEY = {"MAILGUN_API_KEY": "canary-key-5d1f0c77"}
REAL = f"{CONFIGURATION}public_url: https://letters.nowhere.invalid\nprovider: mailgun\n"
"""A send with this goes to the real Mailgun, so it must be refused before it makes any call."""


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """An issue with a picture, and three people of whom one has left."""
    workspace.issue(BODY)
    paint(workspace, 100)
    workspace.write("people.csv", "email,first name\nada@example.com,Ada\nbo@example.com,Bo\ncy@example.com,Cy\n")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "form")
    workspace.newsletter("subscribers", "unsubscribe", "cy@example.com")
    return workspace


def paint(workspace: Workspace, red: int) -> None:
    """The issue's picture, in a colour of its own."""
    Image.new("RGB", (40, 20), (red, 90, 120)).save(workspace.root / "issues" / SLUG / "harbour.png")


def approve(workspace: Workspace, *more: str) -> Any:
    """Approve without being asked; what was told."""
    return workspace.newsletter("approve", "--yes", "--json", *more).json()


def show(workspace: Workspace, code: int) -> Any:
    """How the issue stands to its approval."""
    result = workspace.run("approve", "--show", "--json")
    assert result.code == code, result.err
    return result.json()


def require(workspace: Workspace, text: str = REAL) -> None:
    """Ask for an approval."""
    workspace.write("newsletter.yaml", f"{text}approval: required\n")


def send(workspace: Workspace, *more: str) -> Result:
    """Send with a key in the environment."""
    return workspace.run("send", "--yes", *more, env=KEY)


# -- approving ------------------------------------------------------------------------


def test_an_approval_says_what_by_whom_and_when_and_names_no_reader(ready: Workspace) -> None:
    """Everything is shown, the file is for git, and nobody's address or name is in it."""
    result = ready.newsletter("approve", "--yes", "--by", "Ada Moreno", "--at", "2099-12-01 08:00 Europe/Berlin")
    for words in (
        "“Hello”",
        "“A first line to look at”",
        "Tess Editor <tess@example.org>",
        "everyone who is active: 2 now; left out: 1 unsubscribed",
        "2099-12-01 08:00:00+01:00",
        "“The harbour”",
        f"approved  {FILE}",
    ):
        assert words in result.out
    text = (ready.root / FILE).read_text("utf-8")
    read = json.loads(text)
    assert (read["approved_by"], read["at"], read["recipients"]) == ("Ada Moreno", "2099-12-01T08:00:00+01:00", 2)
    assert (read["issue"], read["audience"], len(read["images"])) == ("hello-0001", {"status": "active"}, 1)
    assert 'Hello {{ first_name | default("there") }},' in read["variants"][0]["text"]["lines"]
    assert "example.com" not in text
    assert show(ready, 0)["state"] == "approved"


def test_approving_again_changes_nothing_until_something_changed(ready: Workspace) -> None:
    """Not a byte, also after people came or went; another person's word or another time is written."""
    assert approve(ready, "--by", "Ada")["written"] is True
    before = (ready.root / FILE).read_bytes()
    ready.newsletter("subscribers", "unsubscribe", "bo@example.com")
    assert approve(ready)["written"] is False
    assert "was approved already, by Ada on " in ready.newsletter("approve", "--by", "Ada").out
    assert (ready.root / FILE).read_bytes() == before
    assert approve(ready, "--by", "Bo")["approval"]["approved_by"] == "Bo"
    assert approve(ready, "--at", "2099-12-01T07:00Z")["written"] is True
    assert approve(ready, "--at", "2099-12-01 08:00")["written"] is False
    assert approve(ready)["approval"]["at"] is None


def test_an_issue_with_errors_is_not_approved(ready: Workspace) -> None:
    """With the places that block it, and nothing is written."""
    ready.issue(BODY + "\nHello {{ nickname }}\n")
    result = ready.run("approve", "--yes")
    assert result.code == 1
    assert f"{SLUG}/index.md:" in result.err
    assert "nickname" in result.err
    assert not (ready.root / FILE).exists()


def test_without_a_terminal_nothing_is_approved_unseen(ready: Workspace) -> None:
    """Exit code 2 with what to do; --json has nothing to ask about."""
    for argv in (("approve",), ("approve", "--json")):
        result = ready.run(*argv)
        assert result.code == 2
        assert "--yes" in result.err
    assert not (ready.root / FILE).exists()


@pytest.mark.parametrize(("typed", "code"), [("y", 0), ("n", 1), ("", 1), ("certainly", 1)])
def test_a_terminal_is_asked(ready: Workspace, typed: str, code: int) -> None:
    """Only a yes approves."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{typed}\n\x04".encode())
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "approve"],
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
    assert "Approve this?" in done.stderr
    assert (ready.root / FILE).exists() is (code == 0)
    assert done.returncode in {code, 130} if typed == "certainly" else done.returncode == code


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--by", ""), "nobody is named"),
        (("--by", "two\nlines"), "not a name"),
        (("--by", "\x1b[31mred"), "not a name"),
        (("--by", "x" * 101), "longer than 100"),
        (("--at", "tomorrow"), "is not a time"),
        (("--at", "2099-02-30 08:00"), "is not a time"),
        (("--at", "2099-12-01 25:00"), "is not a time"),
        (("--at", "2099-12-01 08:00 Europe/Berln"), "no time zone “Europe/Berln”"),
        (("--at", "2099-12-01 08:00 Europe"), "no time zone “Europe”"),
        (("--at", "2020-12-01 08:00"), "is past"),
        (("--at", "0001-01-01 00:00"), "is not a time"),
        (("--at", "2027-03-28 02:30"), "there is no 2027-03-28 02:30 in Europe/Berlin"),
        (("--at", "2027-10-31 02:30"), "shows 2027-10-31 02:30 twice"),
        (("--show", "--by", "Ada"), "--show approves nothing"),
        (("--show", "--yes"), "--show approves nothing"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(ready: Workspace, argv: tuple[str, ...], words: str) -> None:
    """Exit code 2, and nothing is written."""
    result = ready.run("approve", *argv, *(() if "--show" in argv else ("--yes",)))
    assert result.code == 2, result.err
    assert words in result.err
    assert "Traceback" not in result.err
    assert not (ready.root / FILE).exists()


def test_an_hour_that_comes_twice_is_told_apart_by_its_offset(ready: Workspace) -> None:
    """Either may be meant."""
    for offset in ("+02:00", "+01:00"):
        made = approve(ready, "--at", f"2027-10-31 02:30{offset}")
        assert made["approval"]["at"] == f"2027-10-31T02:30:00{offset}"


def test_people_need_not_be_there_yet(workspace: Workspace) -> None:
    """The rule is approved; no database is made for the count."""
    workspace.issue("Hello.\n")
    assert approve(workspace)["approval"]["recipients"] == 0
    assert not (workspace.root / ".newsletter" / "newsletter.db").exists()


def test_whoever_approves_needs_no_key_of_the_provider(ready: Workspace) -> None:
    """It is not asked for."""
    ready.write("newsletter.yaml", REAL)
    assert approve(ready)["written"] is True
    assert show(ready, 0)["state"] == "approved"


# -- what changed ---------------------------------------------------------------------


def edit_theme(workspace: Workspace) -> None:
    """A theme of the workspace's own, ten pixels narrower."""
    theme = workspace.root / "templates" / "default"
    shutil.copytree(ROOT / "templates" / "default", theme)
    settings = theme / "theme.yaml"
    before = settings.read_text("utf-8")
    settings.write_text(before.replace("  page: 600", "  page: 590"), "utf-8")
    assert settings.read_text("utf-8") != before


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda w: w.issue(BODY, subject="Another"), ["subject"]),
        (lambda w: w.issue(BODY.replace("week", "month")), ["text", "html"]),
        (lambda w: w.issue(BODY.replace("there", "you")), ["text", "html"]),
        (lambda w: w.issue(BODY, preheader="Something else to look at"), ["preheader", "html"]),
        (lambda w: w.issue(BODY, **{"from": "Bo <bo@example.org>"}), ["sender"]),
        (lambda w: w.issue(BODY, reply_to="answers@example.org"), ["reply-to"]),
        (lambda w: paint(w, 101), ["html", "picture “The harbour”"]),
        (edit_theme, ["html"]),
        (lambda w: w.write("newsletter.yaml", CONFIGURATION.replace("Quay", "Bay")), ["text", "html"]),
        (
            lambda w: w.write("newsletter.yaml", CONFIGURATION.replace("tess@", "other@")),
            ["sender", "unsubscribe_email"],
        ),
        (lambda w: w.write("newsletter.yaml", f"{CONFIGURATION}feedback_id: harbour\n"), ["feedback_id"]),
        (lambda w: w.write("newsletter.yaml", f"{CONFIGURATION}assets_url: https://cdn.example.org\n"), ["html"]),
        (lambda w: w.issue(BODY, id="hello-0002"), ["issue"]),
    ],
    ids=[
        "subject",
        "text",
        "default",
        "preheader",
        "sender",
        "reply-to",
        "picture",
        "theme",
        "postal address",
        "configured sender",
        "feedback id",
        "picture address",
        "id",
    ],
)
def test_every_change_that_reaches_a_reader_is_noticed(
    ready: Workspace, change: Callable[[Workspace], object], parts: list[str]
) -> None:
    """And named; plan and check mention it, and a new approval settles it."""
    approve(ready)
    change(ready)
    found = show(ready, 1)
    assert (found["state"], found["changed"]) == ("changed", parts)
    told = ready.run("approve", "--show")
    assert told.code == 1
    assert all(f"    {part}: " in told.out for part in parts)
    assert ready.newsletter("plan", "--json").json()["approval"]["changed"] == parts
    (checked,) = ready.newsletter("check", "--json").json()
    assert checked["approval"]["state"] == "changed"
    assert f"changed since: {', '.join(parts)}" in ready.newsletter("plan").out
    assert f"changed since: {', '.join(parts)}" in ready.newsletter("check").out
    approve(ready)
    assert show(ready, 0)["changed"] == []


def test_what_reaches_no_reader_is_no_change(ready: Workspace) -> None:
    """The folder's name, the date in it, the people, and how a send is cut."""
    approve(ready)
    ready.write("newsletter.yaml", f"{CONFIGURATION}send:\n  batch: 1\ntesters: [t@example.org]\n")
    ready.newsletter("subscribers", "unsubscribe", "bo@example.com")
    (ready.root / "issues" / SLUG).rename(ready.root / "issues" / "2026-11-24-renamed")
    assert show(ready, 0)["state"] == "approved"


def test_the_changed_lines_are_shown(ready: Workspace) -> None:
    """Forty of them; the JSON has all."""
    approve(ready)
    ready.issue(BODY + "".join(f"\nLine number {n}.\n" for n in range(40)))
    told = ready.run("approve", "--show").out
    assert "        +Line number 0." in told
    assert "lines more" in told
    (text,) = [each for each in show(ready, 1)["differences"] if each["part"] == "text"]
    assert "+Line number 39." in text["diff"]


def test_a_planned_time_can_be_asked_about(ready: Workspace) -> None:
    """Without --at the time is left out, for nobody knows yet when the send will be."""
    approve(ready, "--at", "2099-12-01 08:00")
    assert show(ready, 0)["state"] == "approved"
    assert ready.run("approve", "--show", "--at", "2099-12-01 08:00").code == 0
    result = ready.run("approve", "--show", "--at", "2099-12-01 09:00")
    assert result.code == 1
    assert "time: approved 2099-12-01 08:00:00+01:00, now 2099-12-01 09:00:00+01:00" in result.out


def test_nobody_who_asks_for_no_approval_hears_of_it(ready: Workspace) -> None:
    """Without one, and without the key, plan and check are silent; JSON says so; --show ends with 1."""
    assert "approv" not in ready.newsletter("plan").out + ready.newsletter("check").out
    assert ready.newsletter("plan", "--json").json()["approval"]["state"] == "missing"
    assert show(ready, 1)["approval"] is None
    assert "not approved" in ready.run("approve", "--show").out


# -- sending --------------------------------------------------------------------------


def test_a_real_send_that_needs_an_approval_does_not_begin_without(ready: Workspace) -> None:
    """1 with what to do; neither the ledger nor the folder knows of a send. With it, the next guard is asked."""
    require(ready)
    result = send(ready)
    assert result.code == 1
    assert f"newsletter approve {SLUG}" in result.err
    assert "approval: required" in result.err
    assert ready.run("status").code == 1
    assert not (ready.root / "issues" / SLUG / "sent.json").exists()
    assert "needs an approval" in ready.run("plan", env=KEY).err
    assert "none yet, and a real send needs one" in ready.newsletter("check").out
    approve(ready)
    result = send(ready)
    assert result.code == 78
    assert "approv" not in result.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.issue(BODY, subject="Another"), ["subject: approved “Hello”, now “Another”"]),
        (lambda w: w.issue(BODY.replace("week", "month")), ["-Until next week.", "+Until next month."]),
        (
            lambda w: w.issue(BODY, **{"from": "Bo <bo@example.org>"}),
            ["sender: approved Tess Editor <tess@example.org>, now Bo <bo@example.org>"],
        ),
        (lambda w: paint(w, 101), ["picture “The harbour”: approved "]),
        (
            lambda w: approve(w, "--at", "2099-12-01 08:00"),
            ["time: approved 2099-12-01 08:00:00+01:00, now no planned"],
        ),
    ],
    ids=["subject", "text", "sender", "picture", "time"],
)
def test_a_real_send_of_something_else_is_refused_with_the_difference(
    ready: Workspace, change: Callable[[Workspace], object], words: list[str]
) -> None:
    """In plain words: what was approved, and what is now."""
    require(ready)
    approve(ready, "--by", "Ada Moreno")
    change(ready)
    result = send(ready)
    assert result.code == 1
    assert "is not what was approved by " in result.err
    assert all(each in result.err for each in words)
    assert ready.run("status").code == 1


def test_an_approval_that_nobody_requires_only_warns(ready: Workspace) -> None:
    """The send goes, and says what differs."""
    approve(ready)
    assert "Warning" not in send(ready).err
    ready.issue(BODY, subject="Another")
    result = send(ready, "--again")
    assert result.code == 0
    assert "Warning" in result.err
    assert "subject: approved “Hello”, now “Another”" in result.err


def test_a_trial_needs_no_approval(ready: Workspace) -> None:
    """It mails nobody, and says what a real send would; test copies are as they were."""
    require(ready, CONFIGURATION)
    assert ready.run("test", "--to", "t@example.org").code == 0
    result = send(ready)
    assert result.code == 0
    assert "a real send would be refused now" in result.err
    assert "is not approved" in result.err


@pytest.mark.parametrize("command", ["send --yes", "plan", "approve --show", "check"])
def test_a_broken_approval_is_one_clear_error(ready: Workspace, command: str) -> None:
    """65 at its place, whether one is required or not; approving again mends it."""
    approve(ready)
    path = ready.root / FILE
    path.write_bytes(path.read_bytes()[:-40])
    result = ready.run(*command.split())
    assert result.code == 65
    assert f"{FILE}:" in result.err
    assert "approval cannot be read" in result.err
    assert "Traceback" not in result.err
    assert ready.run("status").code == 1
    result = ready.newsletter("approve", "--yes")
    assert "would be replaced" in result.err
    assert show(ready, 0)["state"] == "approved"


def test_a_key_of_the_wrong_value_is_bad_configuration(ready: Workspace) -> None:
    """With its place and what would fit."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}approval: yes\n")
    result = ready.run("plan")
    assert result.code == 78
    assert "optional, required" in result.err


def test_a_folder_that_cannot_be_written_ends_with_74(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And leaves what was there."""
    before = approve(ready)
    ready.issue(BODY, subject="Another")
    monkeypatch.chdir(ready.root)
    real = os.open

    def read_only(path: str | Path, flags: int, *more: Any, **how: Any) -> int:
        if flags & os.O_CREAT and "approval.json" in str(path):
            raise OSError(30, "Read-only file system", str(path))
        return real(path, flags, *more, **how)

    monkeypatch.setattr(os, "open", read_only)
    assert run(["approve", "--yes"]) == 74
    assert "Read-only file system" in capsys.readouterr().err
    assert json.loads((ready.root / FILE).read_text("utf-8")) == before["approval"]


@pytest.fixture
def real(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Sends in this process as to the real Mailgun, whose answers are given; what readers need is taken as there."""
    monkeypatch.chdir(ready.root)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setattr(sending, "_reach", lambda *_: None)
    require(ready)

    def command(fake: FakeMailgun, *argv: str) -> int:
        provider = Mailgun(ready.config().mailgun, KEY["MAILGUN_API_KEY"], httpx.MockTransport(fake))
        monkeypatch.setattr(wiring, "provider", lambda _config: provider)
        return run([*argv])

    return command


def test_an_approved_send_goes(ready: Workspace, real: Callable[..., int]) -> None:
    """For real, once."""
    fake = FakeMailgun()
    assert real(fake, "send", "--yes") == 1
    assert not fake.requests
    approve(ready)
    assert real(fake, "send", "--yes") == 0
    assert len(fake.requests) == 1
    assert (ready.root / "issues" / SLUG / "sent.json").exists()


def test_a_send_that_began_is_not_held_by_its_approval(
    ready: Workspace, real: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes on with what was frozen then: taken away or broken, the approval holds nobody up any more."""
    approve(ready)
    fake = FakeMailgun(script=[httpx.Response(402, json={"message": "pay"})])
    assert real(fake, "send", "--yes") == 75
    (ready.root / FILE).write_text("{", "utf-8")
    ready.issue(BODY, subject="Another")
    capsys.readouterr()
    assert real(fake, "send", "--yes") == 1
    assert "has changed since this send began: subject" in capsys.readouterr().err
    ready.issue(BODY)
    assert real(fake, "send", "--yes") == 0
    assert len(fake.requests) == 2
    assert real(fake, "send", "--yes") == 0
    assert len(fake.requests) == 2
    (ready.root / FILE).unlink()
    assert real(fake, "approve", "--yes") == 0
    assert "has a send already (done)" in capsys.readouterr().err
