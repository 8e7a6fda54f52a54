"""What an HTTP status means for a call, as far as all mail APIs agree; each provider's own words come first."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

from newsletter.providers.base import Fault, NotSent, ProviderError, Refused, Unknown

if TYPE_CHECKING:
    from newsletter.providers.http import Response

_LONGEST = 300
"""Characters of the provider's own words that are passed on."""

_HTML = re.compile(rb"\s*<(?:!doctype|html|head|body)", re.IGNORECASE)


def data(response: Response) -> Any:
    """The answer's JSON, or ``None`` when it is none."""
    try:
        return json.loads(response.body)
    except ValueError:
        return None


def words(response: Response) -> str:
    """The provider's own explanation, on one line."""
    found = data(response)
    text = found.get("message") or found.get("error") if isinstance(found, dict) else found
    if not isinstance(text, str):
        page = found is not None or _HTML.match(response.body)
        text = "" if page else response.body[: 2 * _LONGEST].decode("utf-8", "replace")
    clean = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return clean[:_LONGEST]


def retry_after(response: Response) -> float | None:
    """Seconds named by ``Retry-After``, a number or a date (RFC 9110 §10.2.3)."""
    raw = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", raw):
        return float(raw)
    moment = http_date(raw)
    return max(0.0, (moment - response.at).total_seconds()) if moment else None


def http_date(raw: str) -> dt.datetime | None:
    """A date as HTTP and mail write it."""
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(raw)
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def failure(response: Response, name: str) -> ProviderError:
    """What any answer but an acceptance means, when the provider's own words say nothing more."""
    status, said = response.status, words(response)
    about = f"{name} answered {status}" + (f": {said}" if said else "")
    if status < 300:
        return Unknown(unreadable(name))
    if status < 400:
        return _redirect(response, name)
    if status >= 500 or status == 408:
        return Unknown(about, retry_after=retry_after(response))
    return _not_taken(response, name, about)


def _not_taken(response: Response, name: str, about: str) -> ProviderError:
    status = response.status
    page = _HTML.match(response.body) is not None
    if status in {401, 404}:
        return NotSent(about, fault=Fault.CONFIG)
    if status in {402, 429}:
        wait = retry_after(response)
        return (
            NotSent(about, retry_after=wait, fault=Fault.LATER)
            if status == 402
            else NotSent(about, retry_after=wait or 1.0)
        )
    if status == 413 or (status in {400, 422} and not page):
        return Refused(about, divisible=True)
    if page:
        about = f"something before {name} answered {status} with a web page: a firewall or a proxy"
        return NotSent(about, fault=Fault.UNAVAILABLE)
    return NotSent(about, fault=Fault.CONFIG)


def unreadable(name: str) -> str:
    """Why an answer of success counts as unknown."""
    return f"{name} seems to have accepted, but its answer cannot be read"


def _redirect(response: Response, name: str) -> ProviderError:
    from urllib.parse import urlsplit

    try:
        where = urlsplit(response.headers.get("location", "")).hostname or "another path"
    except ValueError:
        where = "another path"
    about = f"{name} answered {response.status}, a redirect to {where}; it is not followed: is base_url right?"
    if response.status == 303:  # See Other may follow a request that was carried out, RFC 9110 §15.4.4
        return Unknown(about, fault=Fault.CONFIG)
    return NotSent(about, fault=Fault.CONFIG)
