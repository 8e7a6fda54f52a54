"""Mailgun's lists: events with their filters, and the people it does not mail, page by page.

Shapes and limits are those of the API description of 2026-11-22. The last page is followed by an empty one, which is
how a client knows that it has seen everything. Here an event can be found at once; at Mailgun it may take a while.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from newsletter.providers.dialects.base import Call, Reply, answer, parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from newsletter.providers.dialects.base import Event

EVENTS_PAGE, EVENTS_MOST = 100, 300
PEOPLE_PAGE, PEOPLE_MOST = 100, 1000
KINDS: Mapping[str, str] = {"bounces": "bounced", "unsubscribes": "unsubscribed", "complaints": "complained"}
"""Each list's path, and the status of its people in the outbox's own file."""

_FILTERS = ("event", "recipient", "message-id", "tags", "from", "to", "subject", "severity")
_PASSED = (*_FILTERS, "begin", "end", "ascending", "limit")


# -- events ---------------------------------------------------------------------------


def events(call: Call, token: str, lines: Iterable[bytes]) -> Reply:
    """One page of events; ``lines`` are the record, oldest first, and ``token`` is the rest of a page's address."""
    asked = _page_token(token) if token else {name: call.asked(name) for name in _PASSED if call.asked(name)}
    if asked is None:
        return _bad("page token is invalid")
    try:
        begin, end = _moment(asked.get("begin", "")), _moment(asked.get("end", ""))
        limit, skip = _limit(asked.get("limit", ""), EVENTS_PAGE, EVENTS_MOST), int(asked.get("skip", "0"))
    except ValueError as error:
        return _bad(str(error))
    rising = _rising(asked.get("ascending", ""), begin, end)
    if rising is None:
        return _bad("'ascending' must be 'yes' or 'no' where a range has no end")
    window = (min(begin, end), max(begin, end)) if begin is not None and end is not None else (begin, end)
    found = [event for event in _matching(asked, lines) if _within(event["timestamp"], *window)]
    if not rising:
        found.reverse()
    items = found[skip : skip + limit]
    base = f"{call.base}{_list_path(call.path, token)}"
    before = asked | {"skip": str(max(0, skip - limit))}
    after = asked | {"skip": str(skip + len(items))}
    paging = {"next": f"{base}/{_tokened(after)}", "previous": f"{base}/{_tokened(before)}"}
    return answer(200, {"items": items, "paging": paging})


def _matching(asked: Mapping[str, str], lines: Iterable[bytes]) -> Iterator[Event]:
    wanted = {name: _choices(asked[name]) for name in _FILTERS if asked.get(name)}
    # A line is read only when it can match: the record of a large send has a million of them.
    needles = [tuple(each.encode() for each in wanted[name]) for name in ("recipient", "message-id") if name in wanted]
    for line in lines:
        folded = line.lower()
        if not all(any(word in folded for word in words) for words in needles):
            continue
        event = parsed(line)
        if event and all(_fits(event, name, choices) for name, choices in wanted.items()):
            yield event


def _choices(expression: str) -> tuple[str, ...]:
    """What a filter accepts: one value, quoted or not, or several joined by ``OR``; compared without case."""
    return tuple(each.strip(' "()<>').lower() for each in expression.split(" OR "))


def _fits(event: Event, name: str, choices: Sequence[str]) -> bool:
    if name == "tags":
        return any(tag.lower() in choices for tag in event["tags"])
    where = event["message"]["headers"] if name in {"message-id", "from", "to", "subject"} else event
    value = str(where.get(name, "")).lower()
    return value in choices or (name in {"from", "to", "subject"} and any(each in value for each in choices))


def _rising(asked: str, begin: float | None, end: float | None) -> bool | None:
    """The order: as asked, or by which end of the range comes first; ``None`` where it must be asked and was not."""
    if asked in {"yes", "no"}:
        return asked == "yes"
    if asked or (begin is not None and end is None):
        return None
    return begin is not None and end is not None and begin < end


def _within(at: float, begin: float | None, end: float | None) -> bool:
    return (begin is None or at >= begin) and (end is None or at <= end)


def _moment(raw: str) -> float | None:
    """Seconds since 1970, or a date as mail writes it."""
    if not raw:
        return None
    try:
        return float(raw)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(raw).timestamp()
    except (TypeError, ValueError):
        message = f"'{raw}' is no time"
        raise ValueError(message) from None


# -- people who are not mailed --------------------------------------------------------


def people(call: Call, kind: str, suppressed: Sequence[Mapping[str, str]]) -> Reply:
    """One page of bounces, unsubscribes or complaints, in the order of the outbox's file."""
    try:
        limit = _limit(call.asked("limit"), PEOPLE_PAGE, PEOPLE_MOST)
        skip = int(call.asked("skip") or "0")
    except ValueError as error:
        return _bad(str(error))
    term = call.asked("term").lower()
    mine = [each for each in suppressed if each["status"] == KINDS[kind] and each["address"].lower().startswith(term)]
    items = [_person(kind, each) for each in mine[skip : skip + limit]]
    base = f"{call.base}{quote(call.path)}"
    last = max(0, (len(mine) - 1) // limit * limit)
    places = {"first": 0, "previous": max(0, skip - limit), "next": skip + len(items), "last": last}
    paging = {name: f"{base}?{urlencode({'limit': limit, 'skip': at, 'term': term})}" for name, at in places.items()}
    return answer(200, {"items": items, "paging": paging})


def _person(kind: str, given: Mapping[str, str]) -> dict[str, Any]:
    at = dt.datetime.fromisoformat(given["at"]).astimezone(dt.UTC)
    # "Thu, 11 Dec 2025 01:49:40 UTC": the zone's name, not +0000.
    shown = {"address": given["address"], "created_at": format_datetime(at).replace("+0000", "UTC")}
    if kind == "bounces":
        return {**shown, "code": "550", "error": given["reason"] or "No such mailbox"}
    return {**shown, "tags": ["*"]} if kind == "unsubscribes" else shown


# -- pages ----------------------------------------------------------------------------


def _limit(raw: str, usual: int, most: int) -> int:
    if not raw:
        return usual
    if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw[:9]) <= most:
        message = f"'limit' must be a number from 1 to {most}"
        raise ValueError(message)
    return int(raw)


def _tokened(asked: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(asked).encode()).decode().rstrip("=")


def _page_token(token: str) -> dict[str, str] | None:
    try:
        found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, binascii.Error):
        return None
    known = {*_PASSED, "skip"}
    if not isinstance(found, dict) or not all(isinstance(v, str) and k in known for k, v in found.items()):
        return None
    return found


def _list_path(path: str, token: str) -> str:
    return quote(path.removesuffix(f"/{token}") if token else path)


def _bad(message: str) -> Reply:
    return answer(400, {"message": message})
