"""What Mailgun's answers mean: acceptances, refusals, events and suppressions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from newsletter.providers import answers
from newsletter.providers.base import Answer, Fault, NotSent, ProviderError, Refused, Suppressed, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from newsletter.providers.http import Response

_NAME = "Mailgun"
_SECONDS = re.compile(r"try again after (\d{1,9}) ?s", re.IGNORECASE)
_MOMENT = re.compile(r"try again after ([A-Z][a-z]{2},? .{10,40})")
_QUOTA = re.compile(r"quota|daily|monthly|plan|limit of messages|day limit", re.IGNORECASE)
_RECIPIENT = re.compile(r"'?\bto'? parameter|recipient", re.IGNORECASE)
_OPERATOR = re.compile(
    r"not allowed to send|from'? parameter|need at least one|limited to 16|sandbox|only one parameter"
    r"|recipient-variables|unverified|activate|disabled|template",
    re.IGNORECASE,
)
"""Refusals for which the operator has to mend something; no recipient is at fault."""

KINDS: Mapping[str, str] = {"bounces": "bounced", "complaints": "complained", "unsubscribes": "unsubscribed"}
"""Mailgun's lists of people it does not mail, and the status each stands for."""


def accepted(response: Response) -> Answer:
    """The acceptance in an answer; anything else is raised.

    A wrong path of the right host answers 200 with a friendly word, so the words are looked at (seen 2025 in
    django-anymail).
    """
    found = answers.data(response)
    said = found.get("message") if isinstance(found, dict) else None
    if response.status != 200:
        raise _failure(response)
    if b"Magnificent API" in response.body:
        message = "this is Mailgun's address, but not its API for sending: is base_url right?"
        raise NotSent(message, fault=Fault.CONFIG)
    given = found.get("id") if isinstance(found, dict) else None
    if isinstance(given, str) and given:
        return Answer(ref=answers.line(given))
    if isinstance(said, str) and said.startswith("Queued"):
        return Answer()
    raise Unknown(answers.unreadable(_NAME))


def _failure(response: Response) -> ProviderError:
    said = answers.words(response)
    about = f"{_NAME} answered {response.status}" + (f": {said}" if said else "")
    if response.status == 400 and said:
        # "Domain … is not allowed to send: recipient limit exceeded, try again after …" is about the rate.
        if _SECONDS.search(said) or _MOMENT.search(said):
            return _too_fast(response, said, about)
        if _OPERATOR.search(said):
            return NotSent(about, fault=Fault.CONFIG)
        if _RECIPIENT.search(said):
            return Refused(about, divisible=True)
    if response.status == 404:
        return NotSent(f"{about}; is mailgun.domain right, and mailgun.region?", fault=Fault.CONFIG)
    if response.status == 429:
        return _too_fast(response, said, about)
    return answers.failure(response, _NAME)


def _too_fast(response: Response, said: str, about: str) -> NotSent:
    """429: how long to wait stands in the words only (API description, 2026-11-22)."""
    wait = answers.retry_after(response)
    if seconds := _SECONDS.search(said):
        wait = float(seconds[1])
    elif (named := _MOMENT.search(said)) and (moment := answers.http_date(named[1].rstrip("."))):
        wait = answers.seconds_until(moment, response)
    if wait is None and _QUOTA.search(said):
        return NotSent(about, fault=Fault.LATER)
    return NotSent(about, retry_after=1.0 if wait is None else wait)


# -- lists, page by page --------------------------------------------------------------


def page(response: Response) -> tuple[list[object], str]:
    """A page's items, and the path of the next one: without its host, where our key must not go."""
    if response.status != 200:
        raise _failure(response)
    found = answers.data(response)
    items = found.get("items") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise Unknown(f"{_NAME}'s list cannot be read")
    paging = found.get("paging")
    following = paging.get("next") if isinstance(paging, dict) else None
    parts = urlsplit(following if isinstance(following, str) else "")
    return items, f"{parts.path}?{parts.query}" if parts.query else parts.path


def found(items: list[object], batch: str) -> Answer | None:
    """The acceptance of a batch among events; only what carries our own id counts."""
    for item in items:
        if not isinstance(item, dict):
            continue
        variables = item.get("user-variables")
        if isinstance(variables, dict) and variables.get("batch") == batch:
            return Answer(ref=f"<{_message_id(item)}>" if _message_id(item) else "")
    return None


def _message_id(item: dict[str, Any]) -> str:
    message = item.get("message")
    headers = message.get("headers") if isinstance(message, dict) else None
    given = headers.get("message-id") if isinstance(headers, dict) else None
    return answers.line(given).strip("<>") if isinstance(given, str) else ""


def suppressed(items: list[object], kind: str) -> Iterator[Suppressed]:
    """The people of one page of one of the lists."""
    for item in items:
        address = item.get("address") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(address, str):
            continue
        at = item.get("created_at")
        moment = answers.http_date(at) if isinstance(at, str) else None
        why = " ".join(str(item.get(key) or "") for key in ("code", "error")).strip() if kind == "bounces" else ""
        status = KINDS[kind]
        if status == "bounced":
            yield Suppressed(address, "bounced", moment, why or "bounce")
        elif status == "complained":
            yield Suppressed(address, "complained", moment, "complaint")
        else:
            # One from a single tag counts as well: who left in part is not mailed either.
            yield Suppressed(address, "unsubscribed", moment, "unsubscribe")
