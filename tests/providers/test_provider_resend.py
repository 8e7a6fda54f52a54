"""Resend: what goes out, byte for byte, and what its answers mean."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from providers.contract import LETTER, Contract, message
from providers.fakes_http import KEY, FakeResend, resend

from newsletter.config import Account
from newsletter.model import Mailbox
from newsletter.providers import resend as module
from newsletter.providers.base import NotSent, Refused, Unknown

if TYPE_CHECKING:
    from collections import Counter

    from newsletter.providers.base import Answer, Provider
    from newsletter.providers.resend import Resend


@dataclass
class ResendKit:
    """The provider in front of a small Resend."""

    fake: FakeResend = field(default_factory=FakeResend)

    @property
    def provider(self) -> Resend:
        """The provider under test."""
        return resend(self.fake)

    def accepted(self) -> Counter[int]:
        """Messages by person."""
        return self.fake.accepted

    def reopened(self) -> Provider:
        """Another process's provider."""
        return resend(self.fake)


@pytest.fixture
def kit() -> ResendKit:
    """A fresh one."""
    return ResendKit()


class TestResendContract(Contract):
    """The contract of all providers."""


def submit(kit: ResendKit, *people: int) -> Answer:
    """One batch."""
    provider = kit.provider
    return provider.submit(provider.prepare(LETTER, [message(n) for n in people]), "key-1")


def test_a_message_for_each_with_one_recipient(kit: ResendKit) -> None:
    """Each is complete: sender, address, subject, both bodies, headers and tags."""
    letter = dataclasses.replace(
        LETTER,
        sender=Mailbox('Tess "Editör", Chief', "tess@example.org"),
        reply_to=Mailbox("Re, all", "re@example.org"),
        unsubscribe_email="leave@example.org",
        feedback_id="harbourletter",
    )
    provider = kit.provider
    provider.submit(provider.prepare(letter, [message(1, 'Ana "A" \\ & Bo'), message(2)], "abc-7"), "key-1")
    (request,) = kit.fake.requests
    assert request.url == "http://127.0.0.1:9/emails/batch"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["idempotency-key"] == "key-1"
    assert request.headers["x-batch-validation"] == "permissive"
    assert int(request.headers["content-length"]) == len(request.content)
    first, second = json.loads(request.content)
    assert first == {
        "from": "Tess Editör Chief <tess@example.org>",
        "to": ["p1@example.com"],
        "subject": 'Hi Ana "A" \\ & Bo',
        "html": "<p>Hello Ana &quot;A&quot; \\ &amp; Bo</p>",
        "text": 'Hello Ana "A" \\ & Bo\n',
        "reply_to": "=?utf-8?q?Re=2C_all?= <re@example.org>",
        "headers": {
            "List-Id": "The Test Letter <the-test-letter.example.org>",
            "Feedback-ID": "2026-11-23-hello:issue:newsletter:harbourletter",
            "List-Unsubscribe": "<https://letters.example.org/u/1>, <mailto:leave@example.org?subject=unsubscribe>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
        "tags": [
            {"name": "issue", "value": "2026-11-23-hello"},
            {"name": "recipient", "value": "1"},
            {"name": "batch", "value": "abc-7"},
        ],
    }
    assert second["to"] == ["p2@example.com"]


def test_nothing_is_announced_as_one_click_but_https(kit: ResendKit) -> None:
    """RFC 8058 §3.1."""
    provider = kit.provider
    link = message(1)._replace(unsubscribe="http://localhost:8025/u/1")
    provider.submit(provider.prepare(LETTER, [link]), "key-1")
    headers = json.loads(kit.fake.requests[0].content)[0]["headers"]
    assert "List-Unsubscribe-Post" not in headers
    assert headers["List-Unsubscribe"] == "<http://localhost:8025/u/1>"


def test_a_batch_is_cut_by_its_bytes(kit: ResendKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call is longer than the limit, and everybody is in exactly one."""
    provider = kit.provider
    one = provider.prepare(LETTER, [message(1)]).size
    monkeypatch.setattr(module, "BATCH_BYTES", 3 * one + 8)
    made = provider.prepare(LETTER, [message(n) for n in range(1, 8)])
    assert made.split == ((1, 2, 3), (4, 5, 6), (7,))
    assert sum(map(len, provider.prepare(LETTER, [message(n) for n in (1, 2, 3)]).body.request.body)) <= 3 * one + 8


def test_ids_belong_to_their_people(kit: ResendKit) -> None:
    """In the order of the request."""
    assert submit(kit, 4, 9).ids == ((4, "id-1"), (9, "id-2"))


def test_refusals_come_by_index_in_any_order(kit: ResendKit) -> None:
    """The ids are those of the others."""
    answer = {
        "data": [{"id": "x"}],
        "errors": [{"index": 2, "message": "Invalid\n`to`"}, {"index": 0, "message": ""}],
    }
    kit.fake.script.append(httpx.Response(200, json=answer))
    taken = submit(kit, 1, 2, 3)
    assert taken.ids == ((2, "x"),)
    assert [(each.person, each.reason) for each in taken.refused] == [(1, "refused by Resend"), (3, "Invalid `to`")]


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [{"id": "a"}]},
        {"data": [{"id": "a"}, {"id": "b"}, {"id": "c"}]},
        {"data": [{"id": "a"}, {"id": "a"}]},
        {"data": [{"id": "a"}], "errors": [{"index": 7, "message": "?"}]},
        {"data": [{"id": "a"}], "errors": [{"index": True, "message": "?"}]},
        {"data": [], "errors": [{"index": 1, "message": "?"}, {"index": 1, "message": "?"}]},
        {"data": None},
        {"id": "one"},
        [],
        "ok",
        None,
    ],
)
def test_an_answer_that_does_not_add_up_is_unknown(kit: ResendKit, answer: Any) -> None:
    """Too few, too many, the same twice, no list at all: nobody is called accepted or refused."""
    kit.fake.script.append(httpx.Response(200, json=answer))
    with pytest.raises(Unknown):
        submit(kit, 1, 2)


def test_an_acceptance_without_an_id_is_one(kit: ResendKit) -> None:
    """The number fits, only an id is missing."""
    kit.fake.script.append(httpx.Response(200, json={"data": [{"id": "a"}, {}]}))
    assert submit(kit, 1, 2).ids == ((1, "a"),)


def test_the_signal_of_the_rate_is_heeded(kit: ResendKit) -> None:
    """No call is left until the window begins anew."""
    headers = {"ratelimit-limit": "5", "ratelimit-remaining": "0", "ratelimit-reset": "3"}
    kit.fake.script.append(httpx.Response(200, json={"data": [{"id": "a"}]}, headers=headers))
    assert submit(kit, 1).wait == 3.0
    assert submit(kit, 2).wait == 0.0


@pytest.mark.parametrize(
    ("status", "name", "fault", "wait"),
    [
        (429, "rate_limit_exceeded", None, 7.0),
        (429, "daily_quota_exceeded", 75, 7.0),
        (429, "monthly_quota_exceeded", 75, 7.0),
        (403, "invalid_from_address", 78, None),
        (422, "invalid_from_address", 78, None),
        (401, "missing_api_key", 78, None),
    ],
)
def test_faults_of_the_account_refuse_nobody(
    kit: ResendKit, status: int, name: str, fault: int | None, wait: float | None
) -> None:
    """The operator mends them, or time does."""
    headers = {"retry-after": "7"} if wait else {}
    kit.fake.script.append(httpx.Response(status, json={"name": name, "message": "Why"}, headers=headers))
    with pytest.raises(NotSent) as caught:
        submit(kit, 1)
    assert (caught.value.fault, caught.value.retry_after) == (fault, wait)


def test_a_sender_that_may_not_send_refuses_nobody(kit: ResendKit) -> None:
    """Permissive validation tells it of every message; the operator mends it."""
    said = "Invalid `from` field. The email address needs to follow the `email@example.com` format."
    answer = {"data": [], "errors": [{"index": index, "message": said} for index in range(2)]}
    kit.fake.script.append(httpx.Response(200, json=answer))
    with pytest.raises(NotSent) as caught:
        submit(kit, 1, 2)
    assert caught.value.fault == 78


def test_a_sender_that_may_write_to_its_own_address_only_refuses_nobody(kit: ResendKit) -> None:
    """One message was accepted, one address is wrong, and the others are held back for the operator."""
    said = "You can only send testing emails to your own email address (tess@example.org)."
    errors = [{"index": 3, "message": said}, {"index": 1, "message": "Invalid `to`"}, {"index": 2, "message": said}]
    kit.fake.script.append(httpx.Response(200, json={"data": [{"id": "a"}], "errors": errors}))
    answer = submit(kit, 1, 2, 3, 4)
    assert answer.ids == ((1, "a"),)
    assert [each.person for each in answer.refused] == [2]
    assert [each.person for each in answer.held_back] == [3, 4]
    assert "refuses the sender: You can only" in answer.held_back[0].reason


def test_a_key_used_with_another_body_is_doubt_for_good(kit: ResendKit) -> None:
    """What was accepted then nobody knows; the same call would only be refused again."""
    submit(kit, 1)
    provider = kit.provider
    with pytest.raises(Unknown) as caught:
        provider.submit(provider.prepare(LETTER, [message(2)]), "key-1")
    assert caught.value.final


def test_a_key_that_is_under_way_is_asked_again(kit: ResendKit) -> None:
    """The first call has not ended yet."""
    kit.fake.script.append(httpx.Response(409, json={"name": "concurrent_idempotent_requests", "message": "wait"}))
    with pytest.raises(Unknown) as caught:
        submit(kit, 1)
    assert not caught.value.final
    assert caught.value.retry_after


def test_a_key_is_trusted_for_less_than_it_lives(kit: ResendKit) -> None:
    """24 hours by Resend's clock, not by ours."""
    lifetime = kit.provider.capabilities.key_lifetime
    assert lifetime is not None
    assert dt.timedelta(hours=23) < lifetime < dt.timedelta(hours=24)


def test_a_whole_call_that_is_not_valid_can_be_cut(kit: ResendKit) -> None:
    """In smaller calls the culprit shows."""
    kit.fake.script.append(httpx.Response(422, json={"name": "validation_error", "message": "Invalid `to` field"}))
    with pytest.raises(Refused) as caught:
        submit(kit, 1, 2)
    assert caught.value.divisible


def test_a_key_s_team_is_told_by_a_fingerprint(kit: ResendKit) -> None:
    """The same for the same API key, in any process; another for another; and it tells nothing of either."""
    ring = kit.provider.capabilities.keyring
    other = module.Resend(Account("http://127.0.0.1:9", 5, None), f"{KEY}x").capabilities.keyring
    assert ring == kit.provider.capabilities.keyring != other
    assert re.fullmatch("[0-9a-f]{8}", ring)
    assert module.capabilities().keyring == ""


def test_suppressions_page_by_page(kit: ResendKit) -> None:
    """By the id of the last one; what was put there by hand counts as a wish to leave."""
    rows = [
        {"id": "1", "email": "a@example.com", "origin": "bounce", "created_at": "2023-10-06 23:47:56.678+00"},
        {"id": "2", "email": "b@example.com", "origin": "complaint", "created_at": "2023-10-06T23:47:56Z"},
        {"id": "3", "email": "c@example.com", "origin": "manual", "created_at": None},
    ]
    kit.fake.script += [
        httpx.Response(200, json={"object": "list", "has_more": True, "data": rows[:2]}),
        httpx.Response(200, json={"object": "list", "has_more": False, "data": rows[2:]}),
    ]
    found = list(kit.provider.suppressions())
    assert [(each.address, each.status) for each in found] == [
        ("a@example.com", "bounced"),
        ("b@example.com", "complained"),
        ("c@example.com", "unsubscribed"),
    ]
    assert [request.url.params.get("after") for request in kit.fake.requests] == [None, "2"]
    assert found[0].at == dt.datetime(2023, 10, 6, 23, 47, 56, 678000, dt.UTC)


def test_the_key_shows_nowhere(kit: ResendKit) -> None:
    """Neither in the representation of anything, nor in what an error says."""
    kit.fake.script.append(httpx.Response(401, json={"name": "x", "message": f"API key {KEY} is wrong"}))
    provider = kit.provider
    made = provider.prepare(LETTER, [message(1)])
    with pytest.raises(NotSent) as caught:
        provider.submit(made, "key")
    assert KEY not in repr((provider, made, caught.value, caught.value.reason, provider.account, vars(provider)))
