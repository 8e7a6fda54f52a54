"""Mailgun and Resend as far as a provider's own tests need them: small, in the process, and the truth of what they took.

The dialects of ``newsletter outbox --listen`` are another, stricter witness; these two answer in microseconds and
fail as they are told.
"""

from __future__ import annotations

import email
import email.policy
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from newsletter.config import Account
from newsletter.providers.mailgun import Mailgun
from newsletter.providers.resend import Resend

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "re_canary_0123456789"
BASE = "http://127.0.0.1:9"


def form(request: httpx.Request) -> list[tuple[str, str]]:
    """The fields of a multipart form, as the standard library's mail parser reads it."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    read = email.message_from_bytes(head + request.read(), policy=email.policy.HTTP)
    found = []
    for part in read.iter_parts():
        raw = part.get_payload(decode=True)
        assert isinstance(raw, bytes)
        found.append((part["content-disposition"].params["name"], raw.decode()))
    return found


@dataclass
class FakeMailgun:
    """Takes every form; ``script`` answers come first, each once."""

    script: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    accepted: Counter[int] = field(default_factory=Counter)
    ids: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one call."""
        request.read()
        self.requests.append(request)
        if self.script and (answer := self.script.pop(0)):
            if isinstance(answer, Exception):
                raise answer
            return answer
        fields = dict(form(request))
        if "recipient-variables" in fields:
            people = [int(each["r"]) for each in json.loads(fields["recipient-variables"]).values()]
            assert len(people) == len(fields["to"].split(","))
        else:
            people = [int(fields["v:recipient"])]
        self.accepted.update(people)
        self.ids += 1
        return httpx.Response(200, json={"id": f"<{self.ids}@example.org>", "message": "Queued. Thank you."})


@dataclass
class FakeResend:
    """Takes every batch once for each key; ``script`` answers come first, each once."""

    script: list[httpx.Response | Exception] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    accepted: Counter[int] = field(default_factory=Counter)
    keys: dict[str, tuple[bytes, dict[str, Any]]] = field(default_factory=dict)
    ids: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one call."""
        body = request.read()
        self.requests.append(request)
        if self.script and (answer := self.script.pop(0)):
            if isinstance(answer, Exception):
                raise answer
            return answer
        key = request.headers["idempotency-key"]
        if key in self.keys:
            known, before = self.keys[key]
            if known != body:
                return httpx.Response(409, json={"name": "invalid_idempotent_request", "message": "another body"})
            return httpx.Response(200, json=before)
        given = []
        for each in json.loads(body):
            tags = {tag["name"]: tag["value"] for tag in each["tags"]}
            self.accepted[int(tags["recipient"])] += 1
            self.ids += 1
            given.append({"id": f"id-{self.ids}"})
        self.keys[key] = (body, {"data": given})
        return httpx.Response(200, json={"data": given})


def mailgun(handler: Callable[[httpx.Request], httpx.Response]) -> Mailgun:
    """The provider in front of a handler."""
    return Mailgun(Account(BASE, 5, None, "mg.example.org"), KEY, httpx.MockTransport(handler))


def resend(handler: Callable[[httpx.Request], httpx.Response]) -> Resend:
    """The provider in front of a handler."""
    return Resend(Account(BASE, 5, None), KEY, httpx.MockTransport(handler))
