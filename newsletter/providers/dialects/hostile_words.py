"""How each provider says what goes wrong: the answers of ``newsletter outbox --listen --hostile``.

A function is given the true answer, of a call that was carried out. What no source is named for is an example of
ours: nobody can try these against a live account.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from newsletter.providers.dialects import mailgun_gate, resend
from newsletter.providers.dialects.base import Reply, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECONDS = 2
"""What a wait is named as: short, because real processes wait for it."""


@dataclass(frozen=True, slots=True)
class Broken(Reply):
    """An answer that does not come as an answer should."""

    act: Literal["late", "hang", "reset", "half"] = "late"


def _plain(status: int, text: str) -> Reply:
    return Reply(status, text.encode(), (("content-type", "text/html"),))


_BAD_GATEWAY = _plain(502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")
_PAGE = _plain(200, "<!doctype html><title>Welcome to the hotel's network</title><p>Please sign in.</p>")


def _broken(act: Literal["late", "hang", "reset", "half"]) -> Callable[[Reply], Reply]:
    return lambda true: Broken(true.status, true.body, true.headers, act)


_LINE: Mapping[str, Callable[[Reply], Reply]] = {
    "timeout-before": _broken("hang"),
    "timeout-after": _broken("hang"),
    "reset-before": _broken("reset"),
    "reset-after": _broken("reset"),
    "half-answer": _broken("half"),
    "slow": _broken("late"),
}
"""What happens to the connection is the same for all."""


def _short(true: Reply) -> Reply:
    found = json.loads(true.body)
    return answer(200, found | {"data": found.get("data", [])[:-1]})


def _reordered(true: Reply) -> Reply:
    found = json.loads(true.body)
    return answer(200, found | {"data": found.get("data", [])[::-1]})


def _mailgun(status: int, message: str) -> Callable[[Reply], Reply]:
    return lambda _true: answer(status, {"message": message})


def _resend(status: int, name: str, message: str, *headers: tuple[str, str]) -> Callable[[Reply], Reply]:
    return lambda _true: resend.failure(status, name, message, *headers)


_MAILGUN: Mapping[str, Callable[[Reply], Reply]] = {
    **_LINE,
    "throttled": _mailgun(429, "Too Many Requests"),
    # The time stands in the words only (API description, 2026-11-22).
    "throttled-timed": _mailgun(
        429,
        f"Domain is not allowed to send: account-requests-per-sec limit exceeded, try again after {SECONDS} seconds",
    ),
    "quota": _mailgun(429, "Domain is not allowed to send: monthly message quota exceeded"),
    "unauthorized": lambda _true: Reply(401, b"Forbidden", (("content-type", "text/plain; charset=utf-8"),)),
    "wrong-url": lambda _true: mailgun_gate.magnificent(),
    "error-before": _mailgun(500, "Internal Server Error"),
    # 5xx answers whose mail went out are reported by users (feedback.mailgun.com).
    "error-after": lambda _true: _BAD_GATEWAY,
    "garbage": lambda _true: _PAGE,
    "verdict": _mailgun(400, "'to' parameter is not a valid address. please check documentation"),
}

_RESEND: Mapping[str, Callable[[Reply], Reply]] = {
    **_LINE,
    "throttled": lambda _true: resend.too_fast(5),
    "throttled-timed": lambda _true: resend.too_fast(5).adding(
        [("retry-after", str(SECONDS)), ("ratelimit-remaining", "0"), ("ratelimit-reset", str(SECONDS))]
    ),
    "quota": _resend(429, "daily_quota_exceeded", "You have reached your daily email sending quota."),
    "unauthorized": _resend(401, "validation_error", "API key is invalid"),
    "wrong-url": lambda _true: resend.not_found(),
    "error-before": _resend(500, "application_error", "An unexpected error occurred."),
    "error-after": lambda _true: _BAD_GATEWAY,
    "garbage": lambda _true: _PAGE,
    "short": _short,
    "reordered": _reordered,
    "in-progress": lambda _true: resend.concurrent(),
    "conflict": lambda _true: resend.changed(),
    "mixed": lambda true: true,
}

SAID: Mapping[str, Mapping[str, Callable[[Reply], Reply]]] = {
    mailgun_gate.DIALECT: _MAILGUN,
    resend.DIALECT: _RESEND,
}
"""By dialect and by the name of the mishap; one that is not named cannot happen there."""
