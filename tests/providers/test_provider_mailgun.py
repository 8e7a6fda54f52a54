"""Mailgun: what goes out, byte for byte, and what its answers mean."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
import pytest
from providers.contract import LETTER, Contract, message
from providers.fakes_http import KEY, FakeMailgun, form, mailgun

from newsletter.model import Mailbox, Slot
from newsletter.providers.base import NotSent, Refused, Sought, Unknown
from newsletter.providers.mailgun import OPTIONS_BYTES, Mailgun

if TYPE_CHECKING:
    from collections import Counter

    from newsletter.providers.base import Provider


@dataclass
class MailgunKit:
    """The provider in front of a small Mailgun."""

    fake: FakeMailgun = field(default_factory=FakeMailgun)

    @property
    def provider(self) -> Mailgun:
        """The provider under test."""
        return mailgun(self.fake)

    def accepted(self) -> Counter[int]:
        """Messages by person."""
        return self.fake.accepted

    def reopened(self) -> Provider:
        """Another process's provider."""
        return mailgun(self.fake)


@pytest.fixture
def kit() -> MailgunKit:
    """A fresh one."""
    return MailgunKit()


class TestMailgunContract(Contract):
    """The contract of all providers."""


def test_one_form_for_everybody(kit: MailgunKit) -> None:
    """The body stands once; places that say the same share a variable, and everybody's values stand by their address."""
    letter = dataclasses.replace(
        LETTER,
        sender=Mailbox("Tess Editör, Chief", "tess@example.org"),
        reply_to=Mailbox("", "re@example.org"),
        unsubscribe_email="leave@example.org",
        feedback_id="harbourletter",
    )
    provider = kit.provider
    provider.submit(provider.prepare(letter, [message(1, "Ana & Bo"), message(2, "“C”")], "abc-7"), "key")
    (request,) = kit.fake.requests
    assert request.url == "http://127.0.0.1:9/v3/mg.example.org/messages"
    assert request.headers["authorization"].startswith("Basic ")
    assert int(request.headers["content-length"]) == len(request.content)
    fields = form(request)
    assert len({name for name, _ in fields}) == len(fields)
    assert dict(fields) == {
        "from": "=?utf-8?q?Tess_Edit=C3=B6r=2C_Chief?= <tess@example.org>",
        "subject": "Hi %recipient.s0%",
        "text": "Hello %recipient.s0%\n",
        "html": "<p>Hello %recipient.s1%</p>",
        "o:tag": "2026-11-23-hello",
        "o:tracking": "no",
        "h:List-Unsubscribe": "<%recipient.u%>, <mailto:leave@example.org?subject=unsubscribe>",
        "h:List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "h:List-Id": "The Test Letter <the-test-letter.example.org>",
        "h:Reply-To": "re@example.org",
        "h:Feedback-ID": "2026-11-23-hello:issue:newsletter:harbourletter",
        "v:recipient": "%recipient.r%",
        "v:batch": "abc-7",
        "to": "p1@example.com,p2@example.com",
        "recipient-variables": json.dumps(
            {
                "p1@example.com": {
                    "r": "1",
                    "u": "https://letters.example.org/u/1",
                    "s0": "Ana & Bo",
                    "s1": "Ana &amp; Bo",
                },
                "p2@example.com": {
                    "r": "2",
                    "u": "https://letters.example.org/u/2",
                    "s0": "“C”",
                    "s1": "“C”",
                },
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ),
    }


def test_options_stay_within_sixteen_kilobytes(kit: MailgunKit) -> None:
    """However long everybody's links are, each header stands once."""
    provider = kit.provider
    people = [message(n)._replace(unsubscribe=f"https://example.org/u/{'x' * 500}{n}") for n in range(1000)]
    provider.submit(provider.prepare(LETTER, people), "key")
    fields = form(kit.fake.requests[0])
    options = [(name, value) for name, value in fields if name[:2] in {"o:", "h:", "v:", "t:"}]
    assert sum(len(name) + len(value) for name, value in options) < OPTIONS_BYTES
    assert provider.capabilities.options_bytes == OPTIONS_BYTES


@pytest.mark.parametrize("name", ["%recipient.s0%", "100 %RECIPIENT_email%", "a %unsubscribe_url% b", "%recipient"])
def test_a_value_that_is_a_macro_goes_alone_and_arrives_as_it_is(kit: MailgunKit, name: str) -> None:
    """Its owner gets a call without any substitution; the others share theirs."""
    provider = kit.provider
    people = [message(1), message(2, name), message(3)]
    made = provider.prepare(LETTER, people)
    assert [provider.shares(LETTER, each) for each in people] == [True, False, True]
    assert sorted(map(sorted, made.split)) == [[1, 3], [2]]
    alone = provider.prepare(LETTER, [people[1]])
    assert (alone.split, alone.count) == ((), 1)
    provider.submit(alone, "key")
    fields = dict(form(kit.fake.requests[0]))
    assert "recipient-variables" not in fields
    assert fields["subject"] == f"Hi {name}"
    assert fields["text"] == f"Hello {name}\n"
    assert fields["h:List-Unsubscribe"] == "<https://letters.example.org/u/2>"
    assert fields["v:recipient"] == "2"


def test_a_macro_made_by_a_seam_is_seen(kit: MailgunKit) -> None:
    """The text ends with a per cent sign, and a name goes on."""
    letter = dataclasses.replace(LETTER, text=("100%", Slot(0, "text"), "\n"))
    assert kit.provider.shares(letter, message(1, "Ana"))
    assert not kit.provider.shares(letter, message(1, "recipient.s1% off"))


def test_a_letter_with_a_macro_is_substituted_for_nobody(kit: MailgunKit) -> None:
    """Its own text must arrive as it is."""
    letter = dataclasses.replace(LETTER, html=("<p>Write %recipient.name% there</p>",))
    people = [message(1), message(2)]
    assert kit.provider.prepare(letter, people).split == ((1,), (2,))


def test_per_cent_signs_are_no_macros(kit: MailgunKit) -> None:
    """Links and prices full of them go with the others."""
    letter = dataclasses.replace(LETTER, html=('<a href="https://example.org/%C3%A4%recip">50% off</a>',))
    assert kit.provider.shares(letter, message(1, "10 % of %20 and %s%"))


def test_an_address_that_mailgun_misses_goes_alone(kit: MailgunKit) -> None:
    """With a plus in it Mailgun has been seen not to find the variables."""
    plus = message(2)._replace(to="ana+letters@example.com")
    made = kit.provider.prepare(LETTER, [message(1), plus])
    assert made.split == ((1,), (2,))


def test_one_mailbox_once_in_a_call(kit: MailgunKit) -> None:
    """The second recipient with the same address is named and gets nothing."""
    twice = message(2)._replace(to="P1@example.com")
    made = kit.provider.prepare(LETTER, [message(1), twice])
    assert ([each.person for each in made.failed], made.count) == ([2], 1)


def test_the_friendly_answer_of_a_wrong_address_is_no_acceptance(kit: MailgunKit) -> None:
    """200 with “Mailgun Magnificent API” comes from any other path of the host."""
    kit.fake.script.append(httpx.Response(200, text='{"message":"Mailgun Magnificent API"}'))
    provider = kit.provider
    with pytest.raises(NotSent, match="base_url") as caught:
        provider.submit(provider.prepare(LETTER, [message(1)]), "key")
    assert caught.value.fault == 78


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (
            "Domain example.com is not allowed to send: account-requests-per-sec limit exceeded, try again after 120 seconds",
            120,
        ),
        ("recipient limit exceeded, try again after Wed, 25 Nov 2099 10:00:00 GMT", None),
        ("too many requests", 1),
    ],
)
def test_the_time_of_a_429_stands_in_its_words(kit: MailgunKit, said: str, wait: float | None) -> None:
    """Seconds or a date; a second without either."""
    kit.fake.script.append(httpx.Response(429, json={"message": said}))
    provider = kit.provider
    with pytest.raises(NotSent) as caught:
        provider.submit(provider.prepare(LETTER, [message(1)]), "key")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after == wait if wait else caught.value.retry_after > 10**8
    assert said[:20] in caught.value.reason


def test_one_bad_address_refuses_a_call_that_can_be_cut(kit: MailgunKit) -> None:
    """Nobody in it was taken, and the others may go in smaller calls."""
    said = "'to' parameter is not a valid address. please check documentation"
    kit.fake.script.append(httpx.Response(400, json={"message": said}))
    provider = kit.provider
    with pytest.raises(Refused) as caught:
        provider.submit(provider.prepare(LETTER, [message(1), message(2)]), "key")
    assert caught.value.divisible


EVENT = {
    "event": "accepted",
    "recipient": "p1@example.com",
    "user-variables": {"batch": "abc-7", "recipient": "1"},
    "message": {"headers": {"message-id": "20261125.1@mg.example.org"}},
}


def test_a_batch_is_found_by_its_events(kit: MailgunKit) -> None:
    """Only what carries our own id counts, on whichever page it stands; the key goes to no other host."""
    other = EVENT | {"user-variables": {"batch": "abc-70"}}
    following = "https://elsewhere.example.com/v3/mg.example.org/events/NEXT?x=1"
    kit.fake.script += [
        httpx.Response(200, json={"items": [other], "paging": {"next": following}}),
        httpx.Response(200, json={"items": [EVENT], "paging": {"next": following}}),
    ]
    found = kit.provider.find(Sought("abc-7", LETTER.date, ("p1@example.com",)))
    assert found is not None
    assert found.ref == "<20261125.1@mg.example.org>"
    urls = [str(request.url) for request in kit.fake.requests]
    assert urls[0].startswith("http://127.0.0.1:9/v3/mg.example.org/events?recipient=p1%40example.com&begin=1795")
    assert urls[1] == "http://127.0.0.1:9/v3/mg.example.org/events/NEXT?x=1"


def test_a_batch_is_looked_for_from_before_its_call(kit: MailgunKit) -> None:
    """Mailgun's clock may be minutes behind ours, and a fraction of a second is never rounded up."""
    kit.fake.script.append(httpx.Response(200, json={"items": [], "paging": {}}))
    since = LETTER.date.replace(microsecond=999_999)
    kit.provider.find(Sought("abc-7", since, ("p1@example.com",)))
    begin = int(kit.fake.requests[0].url.params["begin"])
    assert 5 * 60 <= LETTER.date.timestamp() - begin <= 3600


def test_what_is_not_found_proves_nothing(kit: MailgunKit) -> None:
    """Every asked person's events are looked at; an endless list ends."""
    page = {"items": [EVENT], "paging": {"next": "http://127.0.0.1:9/v3/mg.example.org/events/SAME"}}
    kit.fake.script += [httpx.Response(200, json=page) for _ in range(6)]
    assert kit.provider.find(Sought("abc-8", LETTER.date, ("p1@example.com", "p2@example.com"))) is None


def test_suppressions_come_from_three_lists(kit: MailgunKit) -> None:
    """Bounces with their code, complaints, unsubscribes; with their times, page by page."""
    at = "Fri, 21 Oct 2011 11:02:55 UTC"
    bounce = {"address": "a@example.com", "code": "550", "error": "No such mailbox", "created_at": at}
    path = "http://127.0.0.1:9/v3/mg.example.org/bounces?page=next"
    empty = {"items": [], "paging": {"next": path}}
    kit.fake.script += [
        httpx.Response(200, json={"items": [bounce], "paging": {"next": path}}),
        httpx.Response(200, json=empty),
        httpx.Response(200, json={"items": [{"address": "b@example.com", "created_at": at}], "paging": {}}),
        httpx.Response(200, json={"items": [{"address": "c@example.com", "tags": ["x"]}, {"odd": 1}], "paging": {}}),
    ]
    found = list(kit.provider.suppressions())
    assert [(each.address, each.status, each.reason) for each in found] == [
        ("a@example.com", "bounced", "550 No such mailbox"),
        ("b@example.com", "complained", "complaint"),
        ("c@example.com", "unsubscribed", "unsubscribe"),
    ]
    assert found[0].at is not None
    assert found[0].at.year == 2011
    assert found[2].at is None


def test_a_list_that_cannot_be_read_says_so(kit: MailgunKit) -> None:
    """Half a list must not pass for the whole."""
    kit.fake.script.append(httpx.Response(200, text="<html>"))
    with pytest.raises(Unknown):
        list(kit.provider.suppressions())


def test_the_key_shows_nowhere(kit: MailgunKit) -> None:
    """Neither in the representation of anything, nor in what an error says."""
    kit.fake.script.append(httpx.Response(401, text=f"Forbidden: key={KEY} bearer {KEY}"))
    provider = kit.provider
    made = provider.prepare(LETTER, [message(1)])
    with pytest.raises(NotSent) as caught:
        provider.submit(made, "key")
    assert KEY not in repr((provider, made, caught.value, caught.value.reason, provider.account, vars(provider)))
