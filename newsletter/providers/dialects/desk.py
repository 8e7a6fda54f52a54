"""Where a call goes: which dialect it speaks, who may ask, how often, and what is done with the outcome.

``decide`` changes nothing but the rate's count; ``settle`` writes. A fault between the two, or after both, is what a
lost answer looks like from outside.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from typing import TYPE_CHECKING, Protocol

from newsletter.errors import Unwritable
from newsletter.providers.dialects import mailgun, mailgun_gate, mailgun_lists, resend, resend_lists
from newsletter.providers.dialects.base import Declined, answer
from newsletter.providers.dialects.keep import KEY_LIFE, BadFile, Known, body_hash
from newsletter.providers.dialects.rate import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.providers.dialects.base import Call, Outcome, Reply
    from newsletter.providers.dialects.keep import Keep
    from newsletter.providers.dialects.rate import Slot

RESEND_PER_SECOND = 5
"""The default of a team (https://resend.com/docs/api-reference/rate-limit, 2026-11-25); older copies say 2."""


def dialect(path: str, authorization: str) -> str:
    """The dialect of a request, or an empty string where it is for the pages.

    A key at an address that no API has is a call gone wrong, and hears what its provider says there.
    """
    if path == "/v3" or path.startswith("/v3/"):
        return mailgun_gate.DIALECT
    if path in {"/emails", "/suppressions"} or path.startswith(("/emails/", "/suppressions/")):
        return resend.DIALECT
    kind = authorization.partition(" ")[0].lower()
    return {"basic": mailgun_gate.DIALECT, "bearer": resend.DIALECT}.get(kind, "")


def most_bytes(name: str) -> int:
    """How large a request may be."""
    return mailgun_gate.REQUEST_BYTES if name == mailgun_gate.DIALECT else resend.REQUEST_BYTES


def too_large(name: str) -> Reply:
    """The answer to a larger one."""
    return mailgun_gate.too_large() if name == mailgun_gate.DIALECT else resend.too_large()


class Answers(Protocol):
    """What calls are brought to."""

    def answer(self, call: Call) -> Reply:
        """Decide, write, and answer."""


class Desk:
    """Both dialects over one outbox; ``limit`` is calls a second, 0 for none, ``None`` for what each provider has."""

    def __init__(
        self,
        keep: Keep,
        *,
        limit: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        token: Callable[[], str] = lambda: secrets.token_hex(32),
    ) -> None:
        self._keep = keep
        self._clock = clock
        self._token = token
        self._windows = {
            mailgun_gate.DIALECT: Window(limit) if limit else None,
            resend.DIALECT: Window(RESEND_PER_SECOND if limit is None else limit) if limit != 0 else None,
        }
        self._lock = threading.Lock()
        self._under_way: set[str] = set()

    def answer(self, call: Call) -> Reply:
        """Decide, write, and answer."""
        speaks = dialect(call.path, call.headers.get("authorization", ""))
        refusal, slot = self._admit(speaks, call)
        reply = refusal or (self._mailgun(call) if speaks == mailgun_gate.DIALECT else self._resend(call))
        return reply.adding(_rate_headers(self._windows[speaks], slot)) if speaks == resend.DIALECT else reply

    def _admit(self, speaks: str, call: Call) -> tuple[Reply | None, Slot | None]:
        refusal = mailgun_gate.credentials(call) if speaks == mailgun_gate.DIALECT else resend.credentials(call)
        window = self._windows[speaks]
        if refusal or window is None:
            return refusal, None
        with self._lock:
            slot = window.take(self._clock())
        if slot.fits:
            return None, slot
        return mailgun_gate.too_fast() if speaks == mailgun_gate.DIALECT else resend.too_fast(window.limit), slot

    def _settle(self, name: str, outcome: Outcome) -> Reply:
        try:
            self._keep.store(name, outcome)
        except Unwritable as error:
            return broken(error.message)
        return outcome.reply

    # -- Mailgun ----------------------------------------------------------------------

    def _mailgun(self, call: Call) -> Reply:
        try:
            domain, room, token = mailgun_gate.place(call)
        except Declined as declined:
            return declined.reply
        if room == "messages":
            return self._settle(mailgun_gate.DIALECT, mailgun.accept(call, domain, self._token()))
        if room == "events":
            return mailgun_lists.events(call, token, self._keep.events(mailgun_gate.DIALECT))
        try:
            return mailgun_lists.people(call, room, self._keep.suppressed())
        except BadFile as error:
            return broken(str(error))

    # -- Resend -----------------------------------------------------------------------

    def _resend(self, call: Call) -> Reply:
        try:
            key = resend.place(call)
            if call.path == "/suppressions":
                return resend_lists.suppressions(call, self._keep.suppressed())
        except Declined as declined:
            return declined.reply
        except BadFile as error:
            return broken(str(error))
        return (
            self._settle(resend.DIALECT, resend.accept(call, self._token())) if key is None else self._once(call, key)
        )

    def _once(self, call: Call, key: str) -> Reply:
        """One call at a time with one key."""
        with self._lock:
            if key in self._under_way:
                return resend.concurrent()
            self._under_way.add(key)
        try:
            return self._keyed(call, key)
        finally:
            with self._lock:
                self._under_way.discard(key)

    def _keyed(self, call: Call, key: str) -> Reply:
        """A call with a key: the old answer within its life, else a new one, remembered once it is accepted.

        Names of files derive from key and body, so that what a server wrote before it died is written over, not
        written twice; a key whose life is over starts afresh.
        """
        sha = body_hash(call.path, call.body)
        known = self._keep.known(key)
        if known is not None and call.at - known.at < KEY_LIFE:
            return known.reply if known.sha == sha else resend.changed()
        past = known.at.isoformat() if known else ""
        token = hashlib.sha256(f"{key}\0{sha}\0{past}".encode()).hexdigest()
        outcome = resend.accept(call, token)
        reply = self._settle(resend.DIALECT, outcome)
        if reply.status == 200:
            try:
                self._keep.remember(key, Known(sha, call.at, reply))
            except Unwritable as error:
                return broken(error.message)
        return reply


def broken(words: str) -> Reply:
    """The outbox itself cannot go on; in a shape that both providers' clients can read."""
    return answer(500, {"statusCode": 500, "name": "internal_server_error", "message": words})


def _rate_headers(window: Window | None, slot: Slot | None) -> list[tuple[str, str]]:
    if window is None or slot is None:
        return []
    said = [
        ("ratelimit-limit", str(window.limit)),
        ("ratelimit-remaining", str(slot.remaining)),
        ("ratelimit-reset", str(slot.reset)),
    ]
    return said if slot.fits else [*said, ("retry-after", str(slot.reset))]
