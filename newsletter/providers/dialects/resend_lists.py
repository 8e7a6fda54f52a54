"""Resend's ``GET /suppressions``, as its API description of 2026-11-22 shapes it; at Resend a private beta."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from newsletter.providers.dialects.base import answer
from newsletter.providers.dialects.resend import failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from newsletter.providers.dialects.base import Call, Reply

_ORIGINS: Mapping[str, str] = {"bounced": "bounce", "complained": "complaint", "unsubscribed": "manual"}
"""The statuses of the outbox's own file; Resend keeps unsubscribes elsewhere, ``manual`` comes nearest."""

_USUAL, _MOST = 20, 100


def suppressions(call: Call, suppressed: Sequence[Mapping[str, str]]) -> Reply:
    """One page; the cursor is the id of a row, and ids derive from the address."""
    raw = call.asked("limit") or str(_USUAL)
    if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw[:9]) <= _MOST:
        return failure(422, "validation_error", f"The `limit` must be a number from 1 to {_MOST}.")
    origin = call.asked("origin")
    if origin and origin not in _ORIGINS.values():
        return failure(422, "validation_error", "The `origin` must be `bounce`, `complaint` or `manual`.")
    rows = [row for row in map(_row, suppressed) if not origin or row["origin"] == origin]
    ids = [row["id"] for row in rows]
    start, end = 0, len(rows)
    after, before = call.asked("after"), call.asked("before")
    if after and before:
        return failure(422, "validation_error", "Only one of `after` and `before` can be given.")
    if (cursor := after or before) and cursor not in ids:
        return failure(422, "validation_error", "The pagination cursor is invalid.")
    if after:
        start = ids.index(after) + 1
    if before:
        end = ids.index(before)
        start = max(0, end - int(raw))
    chosen = rows[start : min(end, start + int(raw))]
    more = start > 0 if before else start + len(chosen) < len(rows)
    return answer(200, {"object": "list", "has_more": more, "data": chosen})


def _row(given: Mapping[str, str]) -> dict[str, str | None]:
    at = dt.datetime.fromisoformat(given["at"]).astimezone(dt.UTC)
    origin = _ORIGINS[given["status"]]
    return {
        "id": str(uuid5(NAMESPACE_URL, f"{origin}:{given['address'].lower()}")),
        "email": given["address"],
        "origin": origin,
        "source_id": None,
        "created_at": f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}+00",
    }
