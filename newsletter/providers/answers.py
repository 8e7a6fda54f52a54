"""What an HTTP status means for a call, as far as all mail APIs agree; each provider's own words come first."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

from newsletter.providers.base import Fault, NotSent, ProviderError, Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.providers.http import Response

_T = TypeVar("_T")

_LONGEST = 300
"""Characters of the provider's own words that are passed on."""

_FARTHEST = 10.0**10
"""Seconds, some centuries; a time farther away than this could not always be written as a date."""

_HTML = re.compile(rb"\s*<(?:!doctype|html|head|body)", re.IGNORECASE)


def understood(response: Response, name: str, read: Callable[[Response], _T]) -> _T:
    """What ``read`` makes of an answer; whatever breaks there, the call was made, and may have been accepted."""
    try:
        return read(response)
    except ProviderError:
        raise
    except Exception as error:
        raise Unknown(f"{name} answered {response.status}, and that answer cannot be read") from error


def data(response: Response) -> Any:
    """The answer's JSON, or ``None`` when it is none, or nested too deeply to be one."""
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        return None


def words(response: Response) -> str:
    """The provider's own explanation, on one line."""
    found = data(response)
    text = found.get("message") or found.get("error") if isinstance(found, dict) else found
    if not isinstance(text, str):
        page = found is not None or _HTML.match(response.body)
        text = "" if page else response.body[: 2 * _LONGEST].decode("utf-8", "replace")
    return line(text)


def line(text: str) -> str:
    """A foreign text on one line, not too long, of characters that a terminal and a database can take."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())[:_LONGEST]


def retry_after(response: Response) -> float | None:
    """Seconds named by ``Retry-After``, a number or a date (RFC 9110 §10.2.3)."""
    raw = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", raw):
        return float(raw)
    moment = http_date(raw)
    return seconds_until(moment, response) if moment else None


def seconds_until(moment: dt.datetime, response: Response) -> float:
    """From the answer's own time to ``moment``."""
    return min(max(0.0, (moment - response.at).total_seconds()), _FARTHEST)


def http_date(raw: str) -> dt.datetime | None:
    """A date as HTTP and mail write it, in UTC."""
    from email.utils import parsedate_to_datetime

    try:
        return utc(parsedate_to_datetime(raw))
    except (ValueError, TypeError, OverflowError):
        return None


def utc(moment: dt.datetime) -> dt.datetime | None:
    """The same moment in UTC, which one without a zone is in; ``None`` when no year of ours holds it there."""
    try:
        return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except OverflowError:
        return None


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
