"""What Resend's answers mean: ids in the order of the request, refusals by index, quotas, keys, suppressions."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from newsletter.providers import answers
from newsletter.providers.base import Answer, Fault, NotSent, ProviderError, Suppressed, Unknown, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.providers.http import Response

_NAME = "Resend"
_OPERATOR = frozenset(
    {
        "invalid_from_address",
        "missing_api_key",
        "restricted_api_key",
        "invalid_api_key",
        "invalid_access",
        "invalid_idempotency_key",
        "invalid_region",
        "not_found",
        "method_not_allowed",
        "security_error",
        "suspended_api_key",
    }
)
"""Names of errors that no smaller call can mend (https://resend.com/docs/api-reference/errors, 2026-11-25)."""

_SENDER = re.compile(
    r"[`'\"]from[`'\"]|\bfrom address|invalid characters|domain is not verified|testing emails|own email address"
    r"|verify a domain",
    re.IGNORECASE,
)
"""Words about the sender, or about what the account may do; no recipient is at fault."""


def accepted(response: Response, people: Sequence[int]) -> Answer:
    """The acceptance of a batch; ``people`` stand in the order of the request. Anything else is raised."""
    if response.status != 200:
        raise _failure(response)
    found = answers.data(response)
    listed = found.get("data") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(listed, list):
        raise Unknown(answers.unreadable(_NAME))
    refused = _refused(found.get("errors"), len(people))
    taken = [person for index, person in enumerate(people) if index not in refused]
    if len(listed) != len(taken):
        said = f"{_NAME} answered for {len(listed) + len(refused)} of {len(people)} messages"
        raise Unknown(said)
    given = (
        (person, item.get("id") if isinstance(item, dict) else None) for person, item in zip(taken, listed, strict=True)
    )
    ids = tuple((person, answers.line(each)) for person, each in given if isinstance(each, str) and each)
    if len({each for _, each in ids}) != len(ids):
        raise Unknown(f"{_NAME} gave one id to several messages")
    # In permissive validation a sender that may not send is told of every message; one that may write to its own
    # address only, of all the others. No recipient is at fault.
    told = {index: f"{_NAME} refuses the sender: {why}" for index, why in refused.items() if _SENDER.search(why)}
    if told and len(told) == len(people):
        raise NotSent(next(iter(told.values())), fault=Fault.CONFIG)
    verdicts = tuple(Verdict(people[index], why) for index, why in sorted(refused.items()) if index not in told)
    held_back = tuple(Verdict(people[index], why) for index, why in sorted(told.items()))
    return Answer(refused=verdicts, ids=ids, wait=_wait(response), held_back=held_back)


def _refused(errors: Any, count: int) -> dict[int, str]:
    """Why messages were not taken, by their index; the order of the list means nothing."""
    if errors is None:
        return {}
    refused: dict[int, str] = {}
    for each in errors if isinstance(errors, list) else [errors]:
        index = each.get("index") if isinstance(each, dict) else None
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < count or index in refused:
            raise Unknown(answers.unreadable(_NAME))
        said = each.get("message")
        refused[index] = (answers.line(said) if isinstance(said, str) else "") or "refused by Resend"
    return refused


def _wait(response: Response) -> float:
    """Seconds until the next call may be made, by the headers of an acceptance."""
    headers = response.headers
    remaining, reset = headers.get("ratelimit-remaining", ""), headers.get("ratelimit-reset", "")
    if remaining.strip() == "0" and re.fullmatch(r"\d{1,6}(\.\d+)?", reset.strip()):
        return float(reset)
    return 0.0


def _failure(response: Response) -> ProviderError:
    found = answers.data(response)
    name = str(found.get("name") or found.get("type") or "") if isinstance(found, dict) else ""
    said = answers.words(response)
    about = f"{_NAME} answered {response.status}" + (f": {said}" if said else "")
    if response.status == 409:
        return _conflict(name, about)
    if response.status == 429:
        if "quota" in name:
            return NotSent(about, retry_after=answers.retry_after(response), fault=Fault.LATER)
        wait = answers.retry_after(response)
        return NotSent(about, retry_after=max(wait if wait is not None else 1.0, _wait(response)))
    if response.status in {400, 401, 403, 422, 451} and (name in _OPERATOR or _SENDER.search(said)):
        return NotSent(about, fault=Fault.CONFIG)
    return answers.failure(response, _NAME)


def _conflict(name: str, about: str) -> ProviderError:
    """409: the key is still under way, or was used with another body, which may have been accepted."""
    if name.startswith("concurrent"):
        return Unknown(about, retry_after=2.0)
    return Unknown(about, final=True)


def suppressed(response: Response) -> tuple[list[Suppressed], str]:
    """One page of the list, and the id to go on after; empty at the end."""
    if response.status != 200:
        raise _failure(response)
    found = answers.data(response)
    listed = found.get("data") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(listed, list):
        raise Unknown(f"{_NAME}'s list cannot be read")
    people = [made for item in listed if isinstance(item, dict) and (made := _person(item))]
    last = listed[-1].get("id") if listed and isinstance(listed[-1], dict) else None
    return people, last if found.get("has_more") is True and isinstance(last, str) else ""


def _person(item: dict[str, Any]) -> Suppressed | None:
    address, origin = item.get("email"), item.get("origin")
    if not isinstance(address, str):
        return None
    moment = _moment(item.get("created_at"))
    if origin == "complaint":
        return Suppressed(address, "complained", moment, "complaint")
    if origin == "bounce":
        return Suppressed(address, "bounced", moment, "bounce")
    return Suppressed(address, "unsubscribed", moment, "put on the list by hand")


def _moment(raw: Any) -> dt.datetime | None:
    """``2023-10-06 23:47:56.678+00``, as Resend writes it."""
    try:
        return answers.utc(dt.datetime.fromisoformat(raw))
    except (TypeError, ValueError):
        return None
