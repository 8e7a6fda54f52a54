"""What goes wrong over HTTP: each provider's own words and broken lines, heard by the real code, and the truth beside."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from providers.contract import LETTER, message
from providers.helpers_dialects import BASIC, BEARER, NOW, call
from providers.test_hostile import KINDS, Everybody
from starlette.responses import PlainTextResponse

from newsletter.config import Account
from newsletter.delivery import checker
from newsletter.providers.base import ProviderError, Refused
from newsletter.providers.dialects import hostile
from newsletter.providers.dialects.app import Dialects
from newsletter.providers.dialects.desk import Desk
from newsletter.providers.dialects.hostile_words import SAID
from newsletter.providers.hostile import fates
from newsletter.providers.hostile.fates import Script
from newsletter.providers.hostile.mishaps import NAMED
from newsletter.providers.hostile.truth import FILE, Truth
from newsletter.providers.mailgun import Mailgun
from newsletter.providers.resend import Resend
from newsletter.store.database import open_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import Workspace

    from newsletter.providers.base import Provider
    from newsletter.providers.hostile.fates import Fates

KEY = "any"


def made(name: str, base: str) -> Provider:
    """The real code of a provider, calling ``base``."""
    account = Account(base, 1, None, "mg.example.org")
    return Mailgun(account, KEY) if name == "mailgun" else Resend(account, KEY)


def desk(root: Path, fates: Fates) -> tuple[hostile.HostileDesk, Truth]:
    """A desk on which the same befalls both dialects."""
    truth = Truth(root / FILE)
    within = Desk(hostile.Witness(root, truth, lambda: NOW), limit=0)
    return hostile.HostileDesk(within, dict.fromkeys(SAID, fates), truth), truth


@contextlib.contextmanager
def listening(answers: hostile.HostileDesk) -> Iterator[str]:
    """A real server on loopback; an answer that never comes is held for longer than the client waits."""
    site = Dialects(answers, PlainTextResponse("a page"), give=hostile.Giver(3.0))
    config = uvicorn.Config(site, port=0, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


CASES = [(speaks, name) for speaks, said in SAID.items() for name in said if not NAMED[name].of_person]


@pytest.mark.parametrize(("speaks", "name"), CASES)
def test_over_http_each_mishap_is_what_it_is_in_a_rehearsal(tmp_path: Path, speaks: str, name: str) -> None:
    """The real code hears the same kind of answer, and the same has arrived; the mails lie there to show it."""
    mishap = NAMED[name]
    answers, truth = desk(tmp_path, Script([name]))
    with listening(answers) as base:
        provider = made(speaks, base)
        payload = provider.prepare(LETTER, [message(n) for n in (1, 2, 3)], "b-1")
        heard: Any = None
        try:
            heard = provider.submit(payload, "key-1")
        except ProviderError as error:
            heard = error
        provider.close()
    arrived = Counter((1, 2, 3) if mishap.arrives == "everything" else ())
    assert truth.accepted() == truth.accepted({"b-1"}) == arrived
    assert Counter(int(path.name.partition("-")[0]) for path in tmp_path.glob("*/*.eml")) == arrived
    if mishap.says == "accepted":
        assert heard.refused == ()
    else:
        assert type(heard) is KINDS[mishap.says], heard
        assert getattr(heard, "fault", None) == mishap.fault
        assert getattr(heard, "final", False) == mishap.final
    if name == "throttled-timed":
        assert getattr(heard, "retry_after", None) == 2.0


def test_a_lost_answer_of_resend_is_replayed_under_its_key(tmp_path: Path) -> None:
    """After each way to lose it, the same call brings nothing twice."""
    lost = [name for name, mishap in NAMED.items() if mishap.arrives == "everything" and mishap.says == "unknown"]
    quick = [name for name in lost if "timeout" not in name]
    answers, truth = desk(tmp_path, Script([*quick, ""]))
    with listening(answers) as base:
        provider = made("resend", base)
        payload = provider.prepare(LETTER, [message(1)], "b-1")
        for _ in quick:
            with pytest.raises(ProviderError):
                provider.submit(payload, "key-1")
        assert provider.submit(payload, "key-1").ids
        provider.close()
    assert truth.accepted() == Counter({1: 1})


def test_one_person_at_mailgun_refuses_a_call_until_they_are_alone(tmp_path: Path) -> None:
    """With the provider's own words, so that the call is cut."""
    answers, truth = desk(tmp_path, _Address("verdict", "p2@example.com"))
    with listening(answers) as base:
        provider = made("mailgun", base)
        for people in ((1, 2, 3), (2,)):
            with pytest.raises(Refused) as caught:
                provider.submit(provider.prepare(LETTER, [message(n) for n in people], "b-1"), "key")
            assert caught.value.divisible
        provider.submit(provider.prepare(LETTER, [message(1), message(3)], "b-2"), "key")
        provider.close()
    assert truth.accepted() == Counter({1: 1, 3: 1})


class _Address(Everybody):
    """The same for an address."""

    def __init__(self, name: str, address: str) -> None:
        super().__init__(name, 0)
        self._person = address


def test_one_person_at_resend_is_refused_beside_the_others(tmp_path: Path) -> None:
    """By the permissive validation, and the same under the same key."""
    answers, truth = desk(tmp_path, _Address("mixed", "p2@example.com"))
    with listening(answers) as base:
        provider = made("resend", base)
        payload = provider.prepare(LETTER, [message(n) for n in (1, 2, 3)], "b-1")
        for _ in range(2):
            answer = provider.submit(payload, "key-1")
            assert [each.person for each in answer.refused] == [2]
        provider.close()
    assert truth.accepted() == Counter({1: 1, 3: 1})


@pytest.mark.parametrize(
    "request_",
    [
        httpx.Request("GET", "http://127.0.0.1:8025/v3/mg.example.org/events", headers=BASIC),
        httpx.Request("POST", "http://127.0.0.1:8025/v3/mg.example.org/messages", headers=BASIC, content=b"no form"),
        httpx.Request("POST", "http://127.0.0.1:8025/emails", headers=BEARER, content=b"no json"),
        httpx.Request("GET", "http://127.0.0.1:8025/suppressions", headers=BEARER),
    ],
)
def test_what_brings_no_mail_goes_as_ever(tmp_path: Path, request_: httpx.Request) -> None:
    """Searches are answered, and nonsense is refused by the desk itself."""
    answers, truth = desk(tmp_path, Script(["error-before"]))
    request_.read()
    assert answers.answer(call(request_, NOW)).status != 500
    assert truth.calls() == ()


def test_a_truth_that_cannot_be_written_is_said_in_an_answer(tmp_path: Path) -> None:
    """The server goes on."""
    answers, _ = desk(tmp_path, Script([]))
    (tmp_path / FILE).mkdir()
    email = {"from": "t@example.org", "to": "a@example.com", "subject": "Hi", "text": "Hello"}
    request = httpx.Request("POST", "http://127.0.0.1:8025/emails", headers=BEARER, json=email)
    reply = answers.answer(call(request, NOW))
    assert reply.status == 500
    assert "truth.jsonl" in json.loads(reply.body)["message"]


def test_each_dialect_s_plan_holds_only_its_own() -> None:
    """A plan for all is cut for each."""
    cut = hostile.plans(fates.plan("many", 1))
    for speaks, plan in cut.items():
        assert {each.name for each in plan.mishaps} == set(SAID[speaks])


# -- real processes -------------------------------------------------------------------


@contextlib.contextmanager
def outbox(workspace: Workspace, *options: str) -> Iterator[dict[str, Any]]:
    """``newsletter outbox --listen --hostile …`` in a workspace: what it says of itself."""
    argv = ["outbox", "--listen", "--port", "0", "--limit", "0", "--json", "--hang", "2", *options]
    running = subprocess.Popen(
        [sys.executable, "-m", "newsletter", *argv],
        cwd=workspace.root,
        env=workspace.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    try:
        yield json.loads(running.stdout.readline())
    finally:
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=20)
        assert (running.returncode, err) == (0, "")


@pytest.mark.parametrize("speaks", SAID)
def test_a_real_send_through_a_hostile_server_tells_the_truth(workspace: Workspace, speaks: str) -> None:
    """Run again until nothing is open: what the ledger says is what the server had accepted."""
    workspace.issue("Hello {{ first_name }}.\n")
    people = "".join(f"p{number}@example.com,P{number}\n" for number in range(60))
    workspace.write("people.csv", f"email,first_name\n{people}")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "a form")
    before = workspace.root.joinpath("newsletter.yaml").read_text("utf-8")
    with outbox(workspace, "--hostile", "many", "--seed", "11") as said:
        assert said["hostile"]["seed"] == 11
        workspace.write(
            "newsletter.yaml",
            f"{before}provider: {speaks}\nsend: {{batch: 4}}\npublic_url: https://127.0.0.1:9\n"
            f"{speaks}: {{base_url: '{said['url'].rstrip('/')}', timeout: 1}}\n",
        )
        env = {"MAILGUN_API_KEY": KEY, "RESEND_API_KEY": KEY}
        for _ in range(40):
            result = workspace.run("send", "--yes", "--json", env=env)
            assert result.code in {0, 1, 3, 69, 75, 78}, result.err
            if not result.json()["people"]["open"]:
                break
    truth = Truth(workspace.root / ".newsletter" / "outbox" / FILE)
    assert str(workspace.root / ".newsletter" / "outbox" / FILE) == said["hostile"]["truth"]
    assert sum(bool(each.mishap) for each in truth.calls()) > 3
    database = open_database(workspace.root / ".newsletter" / "newsletter.db")
    try:
        assert checker.violations(database, 1, truth.accepted()) == []
    finally:
        database.close()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--hostile", "some"), "--listen"),
        (("--listen", "--seed", "1"), "--hostile"),
        (("--listen", "--hang", "1"), "--hostile"),
        (("--listen", "--hostile", "slwo"), "Did you mean “slow”?"),
        (("--listen", "--hostile", "unreachable,all-but-one"), "cannot happen over HTTP"),
    ],
)
def test_options_that_mean_nothing_are_refused(workspace: Workspace, argv: tuple[str, ...], words: str) -> None:
    """With what to write instead."""
    result = workspace.run("outbox", *argv)
    assert result.code == 2
    assert words in result.err
