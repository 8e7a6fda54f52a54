"""`newsletter send` through a real provider's dialect, as a real process: guards, bad answers, exit codes."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from providers.scripted import close, reply, scripted, silence
from support import CONFIGURATION, SECRET

if TYPE_CHECKING:
    from support import Result, Workspace

KEY = "canary-key-5d1f0c77"
PAGE = "<!DOCTYPE html><html><body>blocked</body></html>"
PUBLIC = "public_url: https://letters.nowhere.invalid\n"


def prepare(workspace: Workspace, provider: str, url: str, *, people: int = 3, more: str = PUBLIC) -> None:
    """An issue and some people behind a provider at ``url``."""
    settings = f"{provider}:\n  base_url: {url}\n  timeout: 2\n"
    workspace.write("newsletter.yaml", f"{CONFIGURATION}{more}provider: {provider}\n{settings}send:\n  workers: 1\n")
    workspace.issue("Hello {{ first_name | default('there') }}.\n")
    rows = "".join(f"p{n}@example.com,P{n}\n" for n in range(1, people + 1))
    workspace.write("people.csv", f"email,first name\n{rows}")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")


def send(workspace: Workspace, *more: str) -> Result:
    """Send with keys in the environment."""
    return workspace.run("send", "--yes", "--json", *more, env={"MAILGUN_API_KEY": KEY, "RESEND_API_KEY": KEY})


# -- guards ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"public_url": ""}, "over https"),
        ({"public_url": "http://letters.example.org"}, "over https"),
        ({"postal_address": ""}, "postal address"),
    ],
)
@pytest.mark.parametrize("provider", ["mailgun", "resend"])
def test_a_real_send_needs_what_the_law_and_readers_need(
    workspace: Workspace, provider: str, change: dict[str, str], words: str
) -> None:
    """78 with what is missing, and the provider hears nothing."""
    with scripted() as server:
        prepare(workspace, provider, server.url)
        text = (workspace.root / "newsletter.yaml").read_text()
        for key, value in change.items():
            text = re.sub(rf"^{key}:.*\n(?: .*\n)*", f"{key}: '{value}'\n", text, flags=re.MULTILINE)
        workspace.write("newsletter.yaml", text)
        result = send(workspace)
        assert (result.code, server.requests) == (78, [])
        assert words in result.err


def test_a_real_send_needs_the_secret_and_the_key(workspace: Workspace) -> None:
    """Links without a signature and calls without a key are refused at once."""
    with scripted() as server:
        prepare(workspace, "mailgun", server.url)
        result = workspace.run("send", "--yes")
        assert (result.code, server.requests) == (78, [])
        assert "MAILGUN_API_KEY is not set" in result.err
        workspace.write(".env", "")
        result = send(workspace)
        assert (result.code, server.requests) == (78, [])
        assert "NEWSLETTER_SECRET" in result.err


@pytest.mark.parametrize("key", ["two words", "newline\nin it", "ünicode"])
def test_a_key_that_is_none_is_refused_unseen(workspace: Workspace, key: str) -> None:
    """And not repeated in the error."""
    with scripted() as server:
        prepare(workspace, "resend", server.url)
        result = workspace.run("send", "--yes", env={"RESEND_API_KEY": key})
        assert (result.code, server.requests) == (78, [])
        assert key not in result.err + result.out


def test_a_key_does_not_travel_in_the_clear(workspace: Workspace) -> None:
    """Http is for this machine only."""
    prepare(workspace, "mailgun", "http://127.0.0.1:1")
    text = (workspace.root / "newsletter.yaml").read_text().replace("http://127.0.0.1:1", "http://api.example.org")
    workspace.write("newsletter.yaml", text)
    result = send(workspace)
    assert result.code == 78
    assert "newsletter.yaml:" in result.err
    assert "may not travel over http" in result.err


def test_a_trial_uses_nothing_up(workspace: Workspace) -> None:
    """Nothing is recorded beside the issue, it may be repeated, and what a real send would lack is said."""
    taken = reply(200, {"id": "<1@mg.example.org>", "message": "Queued. Thank you."})
    with scripted(last=taken) as server:
        prepare(workspace, "mailgun", server.url)
        result = send(workspace)
        assert (result.code, len(server.requests)) == (0, 1)
        assert "a real send would be refused now" in result.err
        assert not (workspace.root / "issues/2026-11-23-hello/sent.json").exists()
        assert send(workspace).code == 0
        assert len(server.requests) == 1
        assert send(workspace, "--again").code == 0
        assert len(server.requests) == 2


# -- bad answers ----------------------------------------------------------------------

CASES: list[tuple[str, str, list[Any], int, str, dict[str, int]]] = [
    ("mailgun", "401", [reply(401, "Forbidden")], 78, "paused", {"open": 3}),
    ("resend", "401", [reply(401, {"name": "missing_api_key", "message": "?"})], 78, "paused", {"open": 3}),
    ("mailgun", "402", [reply(402, {"message": "quota"}, retry_after="90000")], 75, "paused", {"open": 3}),
    ("resend", "quota", [reply(429, {"name": "daily_quota_exceeded", "message": "q"})], 75, "paused", {"open": 3}),
    ("mailgun", "403", [reply(403, {"message": "disabled"})], 78, "paused", {"open": 3}),
    ("resend", "firewall", [reply(403, PAGE)], 69, "paused", {"open": 3}),
    ("mailgun", "404", [reply(404, {"message": "Domain not found"})], 78, "paused", {"open": 3}),
    ("mailgun", "friendly", [reply(200, {"message": "Mailgun Magnificent API"})], 78, "paused", {"open": 3}),
    ("resend", "redirect", [reply(302, "", location="https://x.example.org")], 78, "paused", {"open": 3}),
    ("mailgun", "429 for hours", [reply(429, {"message": "try again after 7200 seconds"})], 75, "paused", {"open": 3}),
    ("mailgun", "500", [reply(500, {"message": "?"})], 3, "running", {"in_doubt": 3}),
    ("mailgun", "garbage", [reply(200, "\x01")], 3, "running", {"in_doubt": 3}),
    ("mailgun", "time-out", [silence], 3, "running", {"in_doubt": 3}),
    ("resend", "503 twice", [reply(503, PAGE), reply(503, PAGE)], 69, "paused", {"open": 3}),
    ("resend", "garbage twice", [reply(200, PAGE), close], 69, "paused", {"open": 3}),
    ("resend", "409", [reply(409, {"name": "invalid_idempotent_request"})], 3, "running", {"in_doubt": 3}),
    (
        "resend",
        "one refused",
        [reply(200, {"data": [{"id": "a"}, {"id": "b"}], "errors": [{"index": 1, "message": "?"}]})],
        1,
        "done",
        {"accepted": 2, "refused": 1},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{each[0]} {each[1]}" for each in CASES])
def test_a_bad_answer_ends_well(
    workspace: Workspace, case: tuple[str, str, list[Any], int, str, dict[str, int]]
) -> None:
    """The exit code of the contract, nobody refused for the operator's mistake, and the same command goes on."""
    provider, _, steps, code, state, people = case
    with scripted(*steps) as server:
        prepare(workspace, provider, server.url)
        result = send(workspace)
        assert result.code == code, result.err
        said = result.json()
        assert said["state"] == state
        assert {key: value for key, value in said["people"].items() if value} == people
        assert "Traceback" not in result.err
        if state == "paused":
            ids = [{"id": f"id-{n}"} for n in range(3)]
            server.last = reply(200, {"id": "<2@mg>", "message": "Queued. Thank you.", "data": ids})
            again = send(workspace)
            assert (again.code, again.json()["people"]["accepted"]) == (0, 3), again.err
        _no_secret(workspace, result)


def test_one_bad_address_in_a_call_of_mailguns_costs_nobody_else(workspace: Workspace) -> None:
    """The call is cut until the culprit is alone."""
    bad = reply(400, {"message": "'to' parameter is not a valid address. please check documentation"})
    good = reply(200, {"id": "<1@mg>", "message": "Queued. Thank you."})
    with scripted(bad, good, bad, bad, good) as server:
        prepare(workspace, "mailgun", server.url, people=4)
        result = send(workspace)
        assert result.code == 1, result.err
        people = result.json()["people"]
        assert (people["accepted"], people["refused"]) == (3, 1)
        assert result.json()["examples"][0]["reason"].startswith("Mailgun answered 400: 'to' parameter")


@pytest.mark.parametrize("word", ["send", "resume"])
def test_a_mistyped_domain_strands_nothing(workspace: Workspace, word: str) -> None:
    """Nobody got anything through it; with the configuration mended the same send goes on, and says through whom."""
    with scripted(reply(404, {"message": "Domain not found"})) as server:
        prepare(workspace, "mailgun", server.url)
        text = (workspace.root / "newsletter.yaml").read_text()
        mistyped = text.replace("mailgun:\n", "mailgun:\n  domain: exmaple.org\n")
        workspace.write("newsletter.yaml", mistyped)
        assert send(workspace).code == 78
        workspace.write("newsletter.yaml", text)
        server.last = reply(200, {"id": "<1@mg>", "message": "Queued. Thank you."})
        again = workspace.run(word, "--yes", "--json", env={"MAILGUN_API_KEY": KEY})
        assert (again.code, again.json()["people"]["accepted"]) == (0, 3), again.err
        assert "Nothing went out through mailgun (exmaple.org at" in again.err
        assert b"/v3/example.org/messages" in server.requests[-1]


@pytest.mark.parametrize("word", ["send", "resume"])
def test_another_account_is_refused_once_somebody_may_have_got_it(workspace: Workspace, word: str) -> None:
    """And what held the send is still to be read afterwards."""
    taken = reply(200, {"data": [{"id": "a"}]})
    with scripted(taken, reply(401, {"name": "missing_api_key", "message": "why it is held"})) as server:
        prepare(workspace, "resend", server.url)
        text = (workspace.root / "newsletter.yaml").read_text().replace("workers: 1", "workers: 1\n  batch: 1")
        workspace.write("newsletter.yaml", text)
        assert send(workspace).code == 78
        workspace.write("newsletter.yaml", text.replace("127.0.0.1", "localhost"))
        refused = workspace.run(word, "--yes", env={"RESEND_API_KEY": KEY})
        assert refused.code == 1
        assert "cannot know what that one accepted" in refused.err
        assert "paused: Resend answered 401: why it is held" in workspace.run("status").out
        workspace.write("newsletter.yaml", text)
        server.last = taken
        assert send(workspace).json()["people"]["accepted"] == 3


def test_the_time_of_a_quota_is_told(workspace: Workspace) -> None:
    """When it may go on stands in the status."""
    with scripted(reply(402, {"message": "quota"}, retry_after="90000")) as server:
        prepare(workspace, "mailgun", server.url)
        send(workspace)
        said = workspace.run("status").out
        assert re.search(r"paused: Mailgun answered 402: quota; it may go on at 20\d\d-\d\d-\d\d \d\d:\d\d UTC", said)


# -- what to do next --------------------------------------------------------------------


def test_a_plan_says_what_a_send_would_be_refused_for(workspace: Workspace) -> None:
    """And what to set first; the plan itself is made, without the link secret as well."""
    prepare(workspace, "mailgun", "http://127.0.0.1:9", more="public_url: http://letters.example.org\n")
    text = (workspace.root / "newsletter.yaml").read_text()
    workspace.write("newsletter.yaml", re.sub(r"postal_address:.*\n(?: .*\n)*", "", text))
    workspace.write(".env", "")
    key = {"MAILGUN_API_KEY": KEY}
    shown = workspace.newsletter("plan", env=key)
    assert "lacks       public_url with https, postal_address, NEWSLETTER_SECRET" in shown.out
    assert "Next:\n    Set public_url to the https address" in shown.err
    assert "newsletter send" not in shown.out + shown.err
    lacks = workspace.newsletter("plan", "--json", env=key).json()["lacks"]
    assert list(lacks) == ["public_url with https", "postal_address", "NEWSLETTER_SECRET"]
    checked = workspace.run("check", env=key)
    assert "A send would be refused for now:\n" in checked.err
    assert "over https" in checked.err
    assert workspace.run("check", "--format", "json", env=key).json()[0]["lacks"] == lacks


def test_a_plan_lacks_nothing_where_nothing_is_needed(workspace: Workspace) -> None:
    """The embedded outbox, and a provider with all that a real send needs."""
    prepare(workspace, "mailgun", "http://127.0.0.1:9")
    shown = workspace.newsletter("plan", env={"MAILGUN_API_KEY": KEY})
    assert "lacks" not in shown.out
    assert "Next: newsletter send" in shown.out
    workspace.write("newsletter.yaml", CONFIGURATION)
    assert workspace.newsletter("plan", "--json").json()["lacks"] == {}


def test_one_finding_is_one(workspace: Workspace) -> None:
    """Not “1 findings”."""
    workspace.write("newsletter.yaml", CONFIGURATION)
    workspace.issue("[This](relative.html) leads nowhere.\n")
    assert "\n1 finding would block this send" in workspace.newsletter("plan").err


@pytest.mark.parametrize(
    ("provider", "step", "words"),
    [
        ("mailgun", reply(401, "Forbidden"), "Look at MAILGUN_API_KEY.\nTo go on: newsletter send"),
        (
            "mailgun",
            reply(404, {"message": "Domain not found"}),
            "Look at MAILGUN_API_KEY, mailgun.domain, mailgun.reg",
        ),
        ("mailgun", reply(200, "Mailgun Magnificent API"), "Look at mailgun.base_url.\nTo go on: newsletter send"),
        ("resend", reply(403, {"name": "invalid_from_address"}), "Look at RESEND_API_KEY, the domain of `from`"),
        ("mailgun", reply(500, ""), "To ask Mailgun about them once more: newsletter send"),
    ],
)
def test_the_next_step_is_named(workspace: Workspace, provider: str, step: bytes, words: str) -> None:
    """What to mend before the same command goes on, and who may be asked about doubt."""
    with scripted(step) as server:
        prepare(workspace, provider, server.url)
        send(workspace)
        assert words in workspace.run("status").out


def test_a_trial_without_its_outbox_says_how_to_start_it(workspace: Workspace) -> None:
    """Nobody listens on the port; what of the trial goes to the network is said as well."""
    with scripted() as server:
        url = server.url
    prepare(workspace, "mailgun", url)
    result = send(workspace)
    assert result.code == 69
    assert "Connection refused (is `newsletter outbox --listen` running?)" in result.json()["reason"]
    assert "https://letters.nowhere.invalid is looked up on the network" in result.err


# -- secrets --------------------------------------------------------------------------


def _no_secret(workspace: Workspace, result: Result) -> None:
    """Neither the key nor the link secret in output, state or build."""
    for text in (result.out, result.err):
        assert KEY not in text
        assert SECRET not in text
    for path in workspace.root.rglob("*"):
        if path.is_file() and path.name != ".env":
            raw = path.read_bytes()
            assert KEY.encode() not in raw, path
            assert SECRET.encode() not in raw, path


@pytest.mark.parametrize("provider", ["mailgun", "resend"])
def test_secrets_appear_nowhere(workspace: Workspace, provider: str) -> None:
    """A provider that repeats the key it was given, with -v and --json, and a database left with its WAL."""
    echo = reply(500, {"message": f"key {KEY} and Bearer {KEY} and Authorization: Basic {KEY}"})
    with scripted(last=echo) as server:
        prepare(workspace, provider, server.url)
        held = sqlite3.connect(workspace.root / ".newsletter/newsletter.db")
        held.execute("BEGIN")
        held.execute("SELECT count(*) FROM person").fetchone()
        try:
            results = [
                send(workspace),
                send(workspace, "-v"),
                workspace.run("status", "--json"),
                workspace.run("plan", env={f"{provider.upper()}_API_KEY": KEY}),
            ]
            assert list(workspace.root.glob(".newsletter/*-wal"))
            for result in results:
                _no_secret(workspace, result)
        finally:
            held.close()
        assert all(KEY.encode() not in raw.split(b"\r\n", 1)[0] for raw in server.requests)
        assert json.loads(results[2].out)["people"]


def test_no_command_takes_a_key_as_an_argument(workspace: Workspace) -> None:
    """What stands in the process list is for everybody to see."""
    for command in ("send", "test", "plan", "serve", "suppressions pull"):
        shown = workspace.newsletter(*command.split(), "--help").out
        assert not re.search(r"--[a-z-]*(?:key|token|secret|password)", shown)
