"""``newsletter suppressions`` and ``subscribers import --suppress`` as real commands."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from delivery.helpers_delivery import NOW, Clock

from newsletter.cli import app, wiring
from newsletter.delivery import desk, rate
from newsletter.providers.base import (
    Fault,
    NotSent,
    ProviderError,
    Refused,
    Suppressed,
    Turn,
    Unknown,
    at_once,
)
from newsletter.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import Workspace

AT = dt.datetime(2026, 10, 1, 9, tzinfo=dt.UTC)


class _Capabilities(NamedTuple):
    name: str = "mailgun"
    suppressions: bool = True
    per_second: float | None = None


class _Fake:
    """A provider that only tells whom it does not mail, one a page; at the last page, ``errors`` come first."""

    capabilities = _Capabilities()
    account = "mg.example.org"

    def __init__(self, told: list[Suppressed], *errors: ProviderError) -> None:
        self._told = told
        self._errors = list(errors)
        self.asked = 0
        self.closed = False

    def suppressions(self, turn: Turn = at_once) -> Iterator[Suppressed]:
        for each in self._told:
            yield turn(partial(self._page, each))

    def _page(self, each: Suppressed) -> Suppressed:
        self.asked += 1
        if self._errors and each is self._told[-1]:
            raise self._errors.pop(0)
        return each

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def listed(workspace: Workspace) -> Workspace:
    """A workspace with two people, of whom one complained."""
    workspace.write("people.csv", "email,name,status\nada@example.org,Ada,active\nbob@example.org,Bob,spam\n")
    consent = ("--apply", "--consent-source", "form")
    workspace.newsletter("subscribers", "import", "people.csv", "--map", "status=status", *consent)
    return workspace


def _pull(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, fake: _Fake, *argv: str, clock: Clock | None = None
) -> int:
    clock = clock or Clock()
    monkeypatch.chdir(workspace.root)
    monkeypatch.setattr(wiring, "provider", lambda _config: fake)
    monkeypatch.setattr(desk, "tools", lambda _stop, tell, _busy: dataclasses.replace(clock.tools(), tell=tell))
    code = app.run(["suppressions", "pull", *argv])
    assert fake.closed
    return code


def test_the_suppressed_are_listed_with_time_and_reason(listed: Workspace) -> None:
    """Nobody active is among them; the numbers by status stand below, of the erased only the number."""
    listed.write("left.txt", "cy@example.org\ndee@example.org\n")
    listed.newsletter("subscribers", "import", "left.txt", "--suppress", "bounced", "--apply")
    listed.newsletter("subscribers", "erase", "dee@example.org", "--yes")
    lines = listed.newsletter("suppressions", "list").out.splitlines()
    assert lines[0].split() == ["Address", "Status", "Since", "Why"]
    assert [line.split()[:2] for line in lines[1:3]] == [
        ["bob@example.org", "complained"],
        ["cy@example.org", "bounced"],
    ]
    assert lines[1].endswith("imported from people.csv")
    assert lines[-1] == "In all: 0 unsubscribed, 1 bounced, 1 complained, 1 erased"
    told = listed.newsletter("suppressions", "list", "--json", "--status", "bounced").json()
    assert (told["total"], [each["address"] for each in told["people"]]) == (1, ["cy@example.org"])
    assert told["counts"] == {"unsubscribed": 0, "bounced": 1, "complained": 1, "erased": 1}


def test_the_list_can_be_searched_and_cut(listed: Workspace) -> None:
    """By address, value or reason; what is not shown is said."""
    listed.write("left.txt", "cy@example.org\n")
    listed.newsletter("subscribers", "import", "left.txt", "--suppress", "bounced", "--apply")
    for text, expected in (("LEFT.txt", "cy@"), ("Bob", "bob@")):
        found = listed.newsletter("suppressions", "list", "--json", "--search", text).json()
        assert [each["address"][: len(expected)] for each in found["people"]] == [expected]
    assert "1 of 2 shown; --limit 0 shows all." in listed.newsletter("suppressions", "list", "--limit", "1").err
    assert "Nobody." in listed.newsletter("suppressions", "list", "--search", "nothing like it").out
    assert listed.run("suppressions", "list", "--status", "active").code == 2


def test_a_fresh_list_suppresses_nobody(workspace: Workspace) -> None:
    """Also without a database."""
    assert "Nobody must be left out." in workspace.newsletter("suppressions", "list").out


def test_a_list_of_leavers_shows_its_plan_and_the_next_command(listed: Workspace) -> None:
    """The command can be copied, asks for no consent, and does what the plan said."""
    listed.write("my left.txt", "ADA@example.org\nbob@example.org\ncy@example.org\ncy@example.org\n")
    planned = listed.newsletter("subscribers", "import", "my left.txt", "--suppress", "unsubscribed")
    lines = [" ".join(line.split()) for line in planned.out.splitlines()]
    for expected in (
        "my left.txt: 4 rows, unsubscribed",
        "New 1",
        "Changed 1",
        "line 1: ADA@example.org active → unsubscribed",
        "Known, complained 1",
        "Repeated 1",
        "Next: newsletter subscribers import 'my left.txt' --suppress unsubscribed --apply",
    ):
        assert expected in lines
    argv = ("subscribers", "import", "my left.txt", "--suppress", "unsubscribed", "--apply")
    told = listed.newsletter(*argv, "--json").json()
    assert len(told.pop("sha256")) == 64
    assert told == {
        "file": "my left.txt",
        "suppress": "unsubscribed",
        "applied": True,
        "rows": 4,
        "new": 1,
        "changed": 1,
        "known": 1,
        "erased": 0,
        "repeated": 1,
        "refused": 0,
        "refusals": [],
        "skipped_to": None,
    }
    assert listed.newsletter("subscribers", "stats", "--json").json()["status"]["unsubscribed"] == 2
    assert "All of this was known" in listed.newsletter(*argv).out


def test_a_bad_list_of_leavers_ends_as_other_imports_do(listed: Workspace) -> None:
    """65 with the place, or 1 with the refused rows put aside; options that have no meaning there are wrong usage."""
    listed.write("left.txt", "cy@example.org\nnobody\n")
    argv = ("subscribers", "import", "left.txt", "--suppress", "bounced", "--apply")
    refused = listed.run(*argv)
    assert (refused.code, "left.txt:2:1: “nobody” is not an address" in refused.err) == (65, True)
    assert listed.run(*argv, "--skip-bad", "bad.csv").code == 1
    assert "nobody" in (listed.root / "bad.csv").read_text()
    for wrong in (("--consent-source", "x"), ("--map", "x=status")):
        assert listed.run(*argv, *wrong).code == 2
    assert listed.run("subscribers", "import", "left.txt", "--suppress", "active").code == 2


def test_a_pull_is_applied_and_told(
    listed: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """New, changed and known are counted; a second pull knows all."""
    told = [
        Suppressed("ada@example.org", "bounced", AT, "550 no such user"),
        Suppressed("bob@example.org", "unsubscribed", AT, ""),
        Suppressed("cy@example.org", "complained", None, "spam"),
        Suppressed("nobody", "bounced", None, "x"),
    ]
    assert _pull(listed, monkeypatch, _Fake(told), "--dry-run") == 0
    assert "Nothing was written." in capsys.readouterr().out
    expected: dict[str, Any] = {"provider": "mailgun", "applied": True, "told": 4, "erased": 0, "repeated": 0}
    for numbers in ({"new": 1, "changed": 1, "known": 1}, {"new": 0, "changed": 0, "known": 3}):
        assert _pull(listed, monkeypatch, _Fake(told), "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found.pop("unreadable_examples")[0].startswith("“nobody” is not an address")
        assert found == expected | numbers | {"unreadable": 1}
    assert _pull(listed, monkeypatch, _Fake(told)) == 0
    assert "Known already." in capsys.readouterr().out
    people = listed.newsletter("suppressions", "list", "--json").json()["people"]
    assert {each["address"]: each["status_reason"] for each in people} == {
        "ada@example.org": "mailgun: 550 no such user",
        "bob@example.org": "imported from people.csv",
        "cy@example.org": "mailgun: spam",
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotSent("the key is wrong", fault=Fault.CONFIG), 78),
        (NotSent("quota used up", fault=Fault.LATER), 75),
        (NotSent("too fast", retry_after=30.0), 75),
        (NotSent("connection refused"), 69),
        (NotSent("disk", fault=Fault.DISK), 74),
        (Unknown("time-out"), 69),
        (Refused("not for this account"), 1),
    ],
)
def test_a_provider_that_cannot_be_asked_changes_nothing(
    error: ProviderError,
    code: int,
    listed: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The exit code says what stopped it, also in the middle of its list and after a few tries."""
    told = [Suppressed(f"{name}@example.org", "bounced", AT, "x") for name in ("ada", "eve")]
    assert _pull(listed, monkeypatch, _Fake(told, *[error] * 4)) == code
    assert f"mailgun: {error.reason}" in capsys.readouterr().err
    assert listed.newsletter("subscribers", "stats", "--json").json()["status"]["bounced"] == 0


def test_what_passes_is_waited_out_and_the_list_goes_on(
    listed: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the page that did not come, not from the start; the time that is named is kept, and the wait is told."""
    told = [Suppressed(f"{name}@example.org", "bounced", AT, "x") for name in ("ada", "eve")]
    fake, clock = _Fake(told, NotSent("429: slow", retry_after=60.0), Unknown("time-out")), Clock()
    assert _pull(listed, monkeypatch, fake, clock=clock) == 0
    assert fake.asked == 4
    assert clock.at - NOW >= dt.timedelta(seconds=60)
    assert "mailgun: 429: slow; trying again in 60 s" in capsys.readouterr().err
    assert listed.newsletter("subscribers", "stats", "--json").json()["status"]["bounced"] == 2


def test_a_time_that_is_too_long_is_not_sat_through(listed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends with 75 at once."""
    fake = _Fake([Suppressed("ada@example.org", "bounced", AT, "x")], NotSent("429", retry_after=7200.0))
    assert _pull(listed, monkeypatch, fake) == 75
    assert fake.asked == 1


def test_pages_come_at_the_account_s_rate(listed: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a slot that another process has booked."""
    told = [Suppressed(f"p{number}@example.org", "bounced", AT, "x") for number in range(4)]
    fake, clock = _Fake(told), Clock()
    fake.capabilities = _Capabilities(per_second=0.5)
    database = open_database(listed.root / ".newsletter" / "newsletter.db")
    with database.write() as connection:
        rate.slot(connection, fake.account, 0.5, clock.at)
    database.close()
    assert _pull(listed, monkeypatch, fake, clock=clock) == 0
    assert clock.at - NOW >= dt.timedelta(seconds=8)


def test_a_provider_without_such_a_list_is_said(listed: Workspace) -> None:
    """The outbox mails whomever it is told to; the error names another way."""
    result = listed.run("suppressions", "pull")
    assert result.code == 1
    assert "the provider “outbox” keeps no list" in result.err
    assert "--suppress" in result.err


@pytest.mark.parametrize("name", ["list", "pull"])
def test_every_command_has_examples(name: str, workspace: Workspace) -> None:
    """Its help shows how it is used."""
    result = workspace.newsletter("suppressions", name, "--help")
    assert f"newsletter suppressions {name}" in result.out.partition("Example")[2]
