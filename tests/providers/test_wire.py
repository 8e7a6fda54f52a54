"""What leaves the machine, beside what django-anymail sends for the same message.

Nobody here wrote anymail, and its users have sent with it for years: where both say the same, we read the providers'
documentation as they did. What differs on purpose is listed, with the reason.
"""

from __future__ import annotations

import dataclasses
import json
import re
from email.header import decode_header, make_header
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
from providers.contract import LETTER, message
from providers.fakes_http import FakeMailgun, FakeResend, form, mailgun, resend

from newsletter import mime
from newsletter.model import Mailbox
from newsletter.personal import escape_html, join

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from newsletter.providers.base import Letter

pytest.importorskip("anymail", reason="django-anymail comes with the development requirements")

import requests
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from requests.adapters import BaseAdapter

PEOPLE = [message(1, "Ana"), message(2, 'Zoë “Z” & "Q"'), message(3, "O'Neill <b>\\ 😀")]
FULL = dataclasses.replace(
    LETTER,
    sender=Mailbox("Tess Editör", "tess@example.org"),
    reply_to=Mailbox("Readers", "readers@example.org"),
    unsubscribe_email="leave@example.org",
    feedback_id="harbourletter",
)
BATCH = "abc-7"

MAILGUN_DIFFERENCES = {
    "o:tracking": "Tracking rewrites links and adds a picture: readers would not get what was approved.",
}
RESEND_DIFFERENCES = {
    "tags": "Resend's own tags come back in its events; the values are made of what tags may hold.",
    "X-Tags": "Anymail puts tags into a header, which every reader could see.",
    "X-Metadata": "The same of metadata.",
}


class Recorder(BaseAdapter):
    """The other end of anymail's session: keeps requests, and answers as the provider does."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []
        self._answer = answer

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Keep one request."""
        self.requests.append(request)
        answer = requests.Response()
        answer.status_code = 200
        answer.request = request
        answer._content = json.dumps(self._answer).encode()
        return answer

    def close(self) -> None:
        """Nothing is open."""


def anymail(backend: str, answer: Any, letter: Letter, texts: Sequence[str], **batch: Any) -> requests.PreparedRequest:
    """The request that anymail makes of the same letter to the same people."""
    if not settings.configured:
        settings.configure()
    options = {"sender_domain": "mg.example.org"} if backend == "mailgun" else {}
    url = "http://anymail.example/v3" if backend == "mailgun" else "http://anymail.example"
    connection: Any = get_connection(f"anymail.backends.{backend}.EmailBackend", api_key="k", api_url=url, **options)
    recorder = Recorder(answer)
    connection.open()
    connection.session.mount("http://", recorder)
    assert letter.reply_to
    headers = {
        "List-Id": mime.list_id(letter.list_name, letter.sender),
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Feedback-ID": f"{letter.tag}:issue:newsletter:harbourletter",
    }
    subject, text, html = texts
    mail: Any = EmailMultiAlternatives(
        subject,
        text,
        _mailbox(letter.sender),
        [each.to for each in PEOPLE],
        reply_to=[_mailbox(letter.reply_to)],
        headers=headers,
        connection=connection,
    )
    mail.attach_alternative(html, "text/html")
    mail.tags = [letter.tag]
    mail.metadata = {"batch": BATCH}
    mail.merge_metadata = {each.to: {"recipient": str(each.person)} for each in PEOPLE}
    mail.merge_headers = {
        each.to: {"List-Unsubscribe": f"<{each.unsubscribe}>, <mailto:leave@example.org?subject=unsubscribe>"}
        for each in PEOPLE
    }
    for name, value in batch.items():
        setattr(mail, name, value)
    mail.send()
    connection.close()
    (request,) = recorder.requests
    return request


def _mailbox(mailbox: Mailbox) -> str:
    return f"{mailbox.name} <{mailbox.address}>"


def decoded(mailbox: str) -> tuple[str, str]:
    """Name and address, however the name is written."""
    name, address = parseaddr(mailbox)
    return str(make_header(decode_header(name))), address


# -- Mailgun --------------------------------------------------------------------------


def mailgun_fields(sent: requests.PreparedRequest) -> list[tuple[str, str]]:
    """The fields of anymail's form, which is URL-encoded when nothing is attached."""
    assert isinstance(sent.body, str)
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    return parse_qsl(sent.body, keep_blank_values=True)


def received(fields: Sequence[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """What each recipient gets of a form: Mailgun's substitution done, header names in lower case."""
    to = [address.strip() for name, value in fields if name == "to" for address in value.split(",")]
    variables: dict[str, dict[str, str]] = json.loads(dict(fields)["recipient-variables"])
    assert sorted(to) == sorted(variables)
    shared = [(name, value) for name, value in fields if name not in {"to", "recipient-variables"}]
    return {address: _substituted(shared, variables[address]) for address in to}


def _substituted(fields: Sequence[tuple[str, str]], variables: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields:
        key = name.lower() if name.startswith("h:") else name
        assert key not in found
        text = re.sub(r"%recipient\.([^%]+)%", lambda macro: variables[macro[1]], value)
        found[key] = decoded(text) if key in {"from", "h:reply-to", "h:list-id"} else text
    return found


def test_mailgun_gives_everybody_the_same_as_anymail_does() -> None:
    """Sender, subject, both bodies, headers, tag and metadata, once every reader's values are put in."""
    fake = FakeMailgun()
    provider = mailgun(fake)
    provider.submit(provider.prepare(FULL, PEOPLE, BATCH), "key")
    ours = received(form(fake.requests[0]))
    texts = [join(template, ["%recipient.name%"]) for template in (FULL.subject, FULL.text)]
    html = join(FULL.html, ["%recipient.name_html%"])
    values = {each.to: {"name": each.values[0], "name_html": escape_html(each.values[0])} for each in PEOPLE}
    queued = {"id": "<1@mg.example.org>", "message": "Queued. Thank you."}
    sent = anymail("mailgun", queued, FULL, [*texts, html], merge_data=values)
    theirs = received(mailgun_fields(sent))
    for address, mail in ours.items():
        assert mail.keys() - theirs[address].keys() == MAILGUN_DIFFERENCES.keys()
        assert {name: value for name, value in mail.items() if name not in MAILGUN_DIFFERENCES} == theirs[address]
    assert ours.keys() == theirs.keys() == {each.to for each in PEOPLE}


def test_mailgun_is_called_where_anymail_calls_it() -> None:
    """The same path below the base URL, and the same credentials by name."""
    fake = FakeMailgun()
    provider = mailgun(fake)
    provider.submit(provider.prepare(FULL, PEOPLE, BATCH), "key")
    queued = {"id": "<1@mg.example.org>", "message": "Queued. Thank you."}
    sent = anymail("mailgun", queued, FULL, ["s", "t", "<p>h</p>"], merge_data={each.to: {} for each in PEOPLE})
    assert (fake.requests[0].method, fake.requests[0].url.path) == (sent.method, "/v3/mg.example.org/messages")
    assert sent.url == "http://anymail.example/v3/mg.example.org/messages"
    assert fake.requests[0].headers["authorization"].split()[0] == sent.headers["authorization"].split()[0] == "Basic"


# -- Resend ---------------------------------------------------------------------------


def resend_messages(sent: requests.PreparedRequest) -> list[Any]:
    """The messages of anymail's batch."""
    assert isinstance(sent.body, str)
    messages: list[Any] = json.loads(sent.body)
    return messages


def resend_sent() -> tuple[list[Any], requests.PreparedRequest, FakeResend]:
    """Both batches; anymail's knows no values, so the letter has none."""
    plain = dataclasses.replace(FULL, subject=("Hello “all”",), html=("<p>Grüße &amp; more\n</p>",), text=("Grüße\n",))
    fake = FakeResend()
    provider = resend(fake)
    provider.submit(provider.prepare(plain, PEOPLE, BATCH), "key")
    texts = [join(template, []) for template in (plain.subject, plain.text, plain.html)]
    ids = {"data": [{"id": str(each.person)} for each in PEOPLE]}
    sent = anymail("resend", ids, plain, texts, merge_data={each.to: {} for each in PEOPLE})
    return json.loads(fake.requests[0].content), sent, fake


def test_resend_gives_everybody_the_same_as_anymail_does() -> None:
    """One message for each with one recipient: sender, subject, both bodies and headers."""
    ours, sent, _ = resend_sent()
    theirs = resend_messages(sent)
    assert len(ours) == len(theirs) == len(PEOPLE)
    for mail, other in zip(ours, theirs, strict=True):
        assert mail.keys() - other.keys() == RESEND_DIFFERENCES.keys() & mail.keys() == {"tags"}
        assert other["headers"].keys() - mail["headers"].keys() == RESEND_DIFFERENCES.keys() - {"tags"}
        assert decoded(mail["from"]) == decoded(other["from"])
        assert [decoded(mail["reply_to"])] == [decoded(each) for each in other["reply_to"]]
        assert {name: mail[name] for name in ("to", "subject", "html", "text")} == {
            name: other[name] for name in ("to", "subject", "html", "text")
        }
        assert mail["headers"] == {name: other["headers"][name] for name in mail["headers"]}


def test_resend_s_tags_say_what_anymail_s_headers_say() -> None:
    """The issue, the batch and the person, by names that come back in events."""
    ours, sent, _ = resend_sent()
    for mail, other in zip(ours, resend_messages(sent), strict=True):
        tags = {tag["name"]: tag["value"] for tag in mail["tags"]}
        assert [tags.pop("issue")] == json.loads(other["headers"]["X-Tags"])
        assert tags == json.loads(other["headers"]["X-Metadata"])


def test_resend_is_called_where_anymail_calls_it() -> None:
    """The same path and the same way to show the key; only ours is named, so that it may be made again."""
    _, sent, fake = resend_sent()
    (request,) = fake.requests
    assert sent.url == "http://anymail.example/emails/batch"
    assert (request.method, request.url.path) == (sent.method, "/emails/batch")
    assert request.headers["authorization"].split()[0] == sent.headers["authorization"].split()[0] == "Bearer"
    assert request.headers["content-type"] == sent.headers["content-type"] == "application/json"
    assert "idempotency-key" in request.headers
    assert "idempotency-key" not in sent.headers
