"""``newsletter test``: who gets a copy, what stands in it, and how a bad answer ends."""

from __future__ import annotations

import json
import re
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from providers.fakes_http import FakeMailgun, FakeResend, form, mailgun, resend
from providers.helpers_dialects import Mail
from support import CONFIGURATION, Workspace

from newsletter.cli import wiring
from newsletter.cli.app import run
from newsletter.delivery.testers import FIRST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SLUG = "2026-11-23-hello"
TAG = f"test-{SLUG}"
BODY = (
    'Hello {{ first_name | default("there") }} of {{ town }},\n\nread [this](https://example.org/?t={{ town }}) — and '
    "[in the browser]({{ view_url }}).\n"
)
REAL = "public_url: https://letters.example.org\n"


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """An issue with a field in its subject, and two people; one has an address that is a call of its own."""
    workspace.issue(BODY, subject="For {{ first_name }}")
    people = 'email,first_name,town\nada@example.com,"Ada <& ""Co""",Lüttsand\nbo+x@example.com,Bo,\n'
    workspace.write("people.csv", people)
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "form")
    return workspace


def mails(workspace: Workspace, tag: str = TAG) -> list[Mail]:
    """The messages of one folder of the outbox."""
    return [Mail(path) for path in sorted((workspace.root / ".newsletter" / "outbox" / tag).glob("*.eml"))]


def ledger(workspace: Workspace) -> list[int]:
    """How many rows there are that a send would leave."""
    with closing(sqlite3.connect(workspace.root / ".newsletter" / "newsletter.db")) as connection:
        tables = ("send", "batch", "delivery", "event", "content")
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


# -- who ------------------------------------------------------------------------------


def test_everybody_named_gets_a_copy_of_their_own(ready: Workspace) -> None:
    """One message each, the subject marked, each mailbox once, and no row in the ledger."""
    told = ready.newsletter("test", "--to", "t1@example.org", "--to", "t2@example.org", "--to", "T1@Example.org")
    assert told.out.count("accepted") == 2
    found = mails(ready)
    assert [mail.header("To") for mail in found] == ["t1@example.org", "t2@example.org"]
    assert {mail.header("Subject") for mail in found} == {"[Test] For [first_name]"}
    assert len({mail.header("Message-ID") for mail in found}) == 2
    assert "Hello there of [town]" in str(found[0].body("plain"))
    assert "http://localhost:8025/u/example" in str(found[0].body("plain"))
    assert ledger(ready) == [0] * 5


def test_the_configured_testers_are_the_default(ready: Workspace) -> None:
    """Named ones go instead of them, not beside them."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}testers: [a@example.org, b@example.org]\n")
    ready.newsletter("test")
    assert [mail.header("To") for mail in mails(ready)] == ["a@example.org", "b@example.org"]
    ready.newsletter("test", "--to", "c@example.org")
    assert [mail.header("To") for mail in mails(ready)].count("a@example.org") == 1


def test_nobody_named_is_a_usage_error(ready: Workspace) -> None:
    """With what to do."""
    result = ready.run("test")
    assert result.code == 2
    assert "--to ADDRESS" in result.err
    assert "testers" in result.err


def test_every_bad_address_is_named_and_nothing_is_sent(ready: Workspace) -> None:
    """Also one that is an address, but that no provider takes."""
    result = ready.run("test", "--to", "ok@example.org", "--to", "nobody", "--to", "jürgen@example.org", "--to", "")
    assert result.code == 65
    assert "nobody" in result.err
    assert "jürgen@example.org" in result.err
    assert "there is no address" in result.err
    assert not mails(ready)


def test_a_test_needs_no_list_of_people(workspace: Workspace) -> None:
    """And makes no database; only a reader's copy needs one."""
    workspace.issue("Hello.\n")
    workspace.newsletter("test", "--to", "t@example.org")
    assert len(mails(workspace)) == 1
    assert not (workspace.root / ".newsletter" / "newsletter.db").exists()
    result = workspace.run("test", "--to", "t@example.org", "--as", "ada@example.com")
    assert result.code == 65
    assert "no subscribers yet" in result.err


def test_a_reader_whom_nobody_knows_is_bad_input(ready: Workspace) -> None:
    """Nothing is sent in their place."""
    assert ready.run("test", "--to", "t@example.org", "--as", "zoe@example.com").code == 65
    assert not mails(ready)


# -- what -----------------------------------------------------------------------------


@pytest.mark.parametrize("reader", ["ada@example.com", "bo+x@example.com"])
def test_a_reader_s_copy_is_what_a_send_gives_them(ready: Workspace, reader: str) -> None:
    """Equal to the byte in HTML and text, and in every header that is not the test's own."""
    ready.newsletter("test", "--to", "t@example.org", "--as", reader)
    ready.newsletter("send", "--yes")
    (copy,) = mails(ready)
    (sent,) = [mail for mail in mails(ready, SLUG) if mail.header("To") == reader]
    view = re.compile(r"/v/1v\.[0-9a-z]+-[\w.-]+")
    for kind in ("html", "plain"):
        ours, theirs = str(copy.body(kind)), str(sent.body(kind))
        assert "/v/1v.0-" in ours  # there is no send 0: in a test this link leads nowhere
        assert len(view.findall(ours)) == len(view.findall(theirs))
        assert view.sub("/v/…", ours) == view.sub("/v/…", theirs)
    assert copy.header("Subject") == f"[Test] {sent.header('Subject')}"
    own = {"To", "Subject", "Message-ID", "Date", "Content-Type"}
    headers = [{name: mail.header(name) for name in mail.message if name not in own} for mail in (copy, sent)]
    assert headers[0] == headers[1]
    assert "List-Unsubscribe" in headers[0]


def test_a_test_before_and_after_leaves_the_send_alone(ready: Workspace) -> None:
    """The issue is sent once, and the record of it does not change."""
    plan = ready.newsletter("plan", "--json").json()
    ready.newsletter("test", "--to", "t@example.org", "--as", "ada@example.com")
    assert ready.newsletter("plan", "--json").json() == plan
    ready.newsletter("send", "--yes")
    before, status = ledger(ready), ready.newsletter("status", "--json").json()
    ready.newsletter("test", "--to", "t@example.org")
    assert (ledger(ready), ready.newsletter("status", "--json").json()) == (before, status)
    assert len(mails(ready, SLUG)) == 2


def test_what_to_know_of_a_copy_is_noted(ready: Workspace) -> None:
    """Findings and missing requirements do not block; whose links they are is said."""
    ready.issue("Hello {{ nickname }}.\n")
    ready.newsletter("subscribers", "unsubscribe", "ada@example.com")
    result = ready.newsletter("test", "--to", "t@example.org", "--as", "ada@example.com", "--json")
    told = result.json()
    notes = "\n".join(told["notes"])
    assert "nickname" in notes
    assert "error" in notes
    assert "would still need public_url with https" in notes
    assert "unsubscribing from this copy unsubscribes them" in notes
    assert "is unsubscribed: a send would leave them out" in notes
    assert (told["as"], told["trial"], told["provider"]) == ("ada@example.com", True, "outbox")
    assert told["copies"] == [{"address": "t@example.org", "outcome": "accepted", "reason": "", "id": TAG}]


def test_a_reader_whose_copy_cannot_be_made_is_bad_input(ready: Workspace) -> None:
    """A send would leave them out as well."""
    ready.issue('Born {{ town | date("y") }}.\n')
    result = ready.run("test", "--to", "t@example.org", "--as", "ada@example.com")
    assert result.code == 65
    assert "not an ISO date" in result.err
    assert not mails(ready)


def test_a_record_is_appended_for_its_owner_only(ready: Workspace) -> None:
    """One line for each call, and no address in any."""
    for _ in range(2):
        ready.newsletter("test", "--to", "tess@example.org", "--record", "calls.jsonl")
    path = ready.root / "calls.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["call"], line["outcome"], line["count"]) for line in lines] == [("submit", "accepted", 1)] * 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "tess" not in path.read_text()


def test_a_record_that_cannot_be_written_stops_the_test_before_it_begins(ready: Workspace) -> None:
    """With 74."""
    assert ready.run("test", "--to", "t@example.org", "--record", "none/calls.jsonl").code == 74
    assert not mails(ready)


# -- through a provider ---------------------------------------------------------------


@pytest.fixture
def through(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a test in this process through a provider that is given, without waiting."""
    monkeypatch.chdir(ready.root)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)

    def command(name: str, provider: object, *argv: str) -> int:
        ready.write("newsletter.yaml", f"{CONFIGURATION}{REAL}provider: {name}\n")
        monkeypatch.setattr(wiring, "provider", lambda _config: provider)
        return run(["test", "--json", *argv])

    return command


def copies(capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    """Whose copy, and what became of it."""
    told = json.loads(capsys.readouterr().out)
    return [(each["address"].partition("@")[0], each["outcome"]) for each in told["copies"]]


def to(*names: str) -> list[str]:
    """Testers."""
    return [part for name in names for part in ("--to", f"{name}@example.org")]


def test_no_key_is_bad_configuration(ready: Workspace) -> None:
    """With 78, as for a send."""
    ready.write("newsletter.yaml", f"{CONFIGURATION}provider: resend\n")
    result = ready.run("test", "--to", "t@example.org", env={"RESEND_API_KEY": ""})
    assert result.code == 78
    assert "RESEND_API_KEY" in result.err


def test_testers_are_nobody_in_the_ledger(through: Callable[..., int]) -> None:
    """Their numbers and the call's id belong to no person and no batch, so no event of theirs is anybody's."""
    fake = FakeResend()
    assert through("resend", resend(fake), *to("t1", "t2"), "--as", "ada@example.com") == 0
    assert sorted(fake.accepted) == [FIRST, FIRST + 1]
    for each in json.loads(fake.requests[0].content):
        tags = {tag["name"]: tag["value"] for tag in each["tags"]}
        assert tags["issue"] == TAG
        assert tags["batch"].startswith("test-")
        assert each["subject"] == '[Test] For Ada <& "Co"'


def test_a_tester_with_an_address_of_its_own_kind_gets_a_call_of_its_own(
    through: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """As a send would split it; the values are the reader's in both."""
    fake = FakeMailgun()
    assert through("mailgun", mailgun(fake), *to("t1", "t+2", "t3"), "--as", "ada@example.com") == 0
    assert copies(capsys) == [("t1", "accepted"), ("t+2", "accepted"), ("t3", "accepted")]
    sent = [dict(form(request)) for request in fake.requests]
    assert [fields["to"] for fields in sent] == ["t1@example.org,t3@example.org", "t+2@example.org"]
    assert sent[0]["subject"] == "[Test] For %recipient.s0%"
    assert sent[1]["subject"] == '[Test] For Ada <& "Co"'


def test_one_bad_tester_does_not_keep_the_others_from_theirs(
    through: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """A call that is refused for one of its members is made for each alone; the verdict ends with 1."""
    bad = httpx.Response(400, json={"message": "'to' parameter is not a valid address. please check documentation"})
    fake = FakeMailgun(script=[bad, bad])
    assert through("mailgun", mailgun(fake), *to("t1", "t2")) == 1
    assert copies(capsys) == [("t1", "refused"), ("t2", "accepted")]


@pytest.mark.parametrize(
    ("answers", "code", "outcome", "calls"),
    [
        ([httpx.Response(401, json={"message": "wrong"})], 78, "not_sent", 1),
        ([httpx.Response(404, json={"message": "Domain not found"})], 78, "not_sent", 1),
        ([httpx.Response(402, json={"message": "pay"})], 75, "not_sent", 1),
        ([httpx.Response(429, json={"message": "slow"}, headers={"retry-after": "3600"})], 75, "not_sent", 1),
        ([httpx.Response(429, json={"message": "slow"}, headers={"retry-after": "1"})] * 3, 75, "not_sent", 3),
        ([httpx.ConnectError("refused")] * 3, 69, "not_sent", 3),
        ([httpx.ReadTimeout("late")], 3, "in_doubt", 1),
        ([httpx.Response(500, text="oops")], 3, "in_doubt", 1),
        ([httpx.Response(200, text="garbage")], 3, "in_doubt", 1),
    ],
    ids=["401", "404", "402", "429 for long", "429 again and again", "no connection", "time-out", "500", "garbage"],
)
def test_a_bad_answer_ends_with_its_code(
    through: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    answers: Sequence[httpx.Response | Exception],
    code: int,
    outcome: str,
    calls: int,
) -> None:
    """Without keys nothing is made again that may have been accepted, and nothing is called refused that was not."""
    fake = FakeMailgun(script=list(answers))
    assert through("mailgun", mailgun(fake), *to("t1", "t2")) == code
    captured = capsys.readouterr()
    assert {each["outcome"] for each in json.loads(captured.out)["copies"]} == {outcome}
    assert captured.err.count("Error: ") == 1
    assert "Traceback" not in captured.err
    assert ("may have arrived" in captured.err) is (code == 3)
    assert len(fake.requests) == calls


def test_a_sender_that_may_write_to_its_own_address_only_ends_with_78(
    through: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own copy came; the other tester's was not sent, and nobody was refused."""
    said = "You can only send testing emails to your own email address."
    answer = {"data": [{"id": "a"}], "errors": [{"index": 1, "message": said}]}
    fake = FakeResend(script=[httpx.Response(200, json=answer)])
    assert through("resend", resend(fake), *to("t1", "t2")) == 78
    assert copies(capsys) == [("t1", "accepted"), ("t2", "not_sent")]


def test_a_slow_provider_is_asked_again_with_the_same_key(through: Callable[..., int]) -> None:
    """Where it keeps keys; the copy comes once."""
    fake = FakeResend(script=[httpx.ReadTimeout("late"), httpx.Response(503, text="busy")])
    assert through("resend", resend(fake), *to("t1")) == 0
    assert len({request.headers["idempotency-key"] for request in fake.requests}) == 1
    assert fake.accepted == {FIRST: 1}


def test_what_follows_a_lost_call_is_not_sent(through: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever is told "not sent" surely got nothing."""
    fake = FakeMailgun(script=[httpx.ReadTimeout("late")])
    assert through("mailgun", mailgun(fake), *to("t1", "t+2")) == 3
    assert copies(capsys) == [("t1", "in_doubt"), ("t+2", "not_sent")]
    assert not fake.accepted


def test_a_test_shares_the_rate_of_its_account(
    through: Callable[..., int], ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It books slots where a running send books them, and what it is told counts for both."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)

    def rate() -> Any:
        with closing(sqlite3.connect(ready.root / ".newsletter" / "newsletter.db")) as connection:
            return connection.execute("SELECT account, per_second FROM rate").fetchall()

    fake = FakeResend(script=[httpx.Response(429, json={"name": "rate_limit_exceeded"}, headers={"retry-after": "9"})])
    assert through("resend", resend(fake), *to("t1")) == 0
    assert len(fake.requests) == 2
    assert slept[0] == 9
    ((account, per_second),) = rate()
    assert account == "the key's team at 127.0.0.1:9"
    assert 0 < per_second < 5
