"""Providers around another provider: one makes calls again, one waits for its turn, one announces, one writes down.

Each keeps the contract of ``newsletter.providers.base``. Around one another they stand in the order
``Retried(Paced(Recorded(provider)))``: every try waits for a slot of its own, and is recorded.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from typing import TYPE_CHECKING, Any

from newsletter.errors import NewsletterError
from newsletter.providers.base import Fault, NotSent, ProviderError, Refused, Unknown, at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from newsletter.providers.base import (
        Answer,
        Capabilities,
        Letter,
        Message,
        Payload,
        Provider,
        Sought,
        Suppressed,
        Turn,
    )

LONGEST_WAIT = 60.0
"""Seconds; a provider that asks for more is not asked again: that is for the operator to know."""

_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:]+(?:@|%40)[^\s<>()\[\]\"',;:]+", re.IGNORECASE)


class _Around:
    """Everything but the calls goes to the provider inside."""

    def __init__(self, provider: Provider) -> None:
        self._inner = provider

    @property
    def capabilities(self) -> Capabilities:
        """Those of the provider inside."""
        return self._inner.capabilities

    @property
    def account(self) -> str:
        """That of the provider inside."""
        return self._inner.account

    def shares(self, letter: Letter, message: Message) -> bool:
        """As the provider inside says."""
        return self._inner.shares(letter, message)

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """As the provider inside prepares it."""
        return self._inner.prepare(letter, messages, batch)

    def submit(self, payload: Payload, key: str) -> Answer:
        """Make the call."""
        return self._inner.submit(payload, key)

    def find(self, sought: Sought) -> Answer | None:
        """Ask the provider inside."""
        return self._inner.find(sought)

    def suppressions(self, turn: Turn = at_once) -> Iterator[Suppressed]:
        """Those of the provider inside."""
        return self._inner.suppressions(turn)

    def close(self) -> None:
        """Close the provider inside."""
        self._inner.close()


class Retried(_Around):
    """Makes a call up to ``tries`` times, where that can neither double a message nor go against the provider's word.

    What was surely not sent is sent again, unless the operator has to act first. What nobody knows is sent
    again with its key, where keys are kept. Delivery needs no such wrapper: it writes down every try.
    """

    def __init__(
        self,
        provider: Provider,
        sleep: Callable[[float], object],
        jitter: Callable[[], float],
        tries: int = 3,
    ) -> None:
        super().__init__(provider)
        self._sleep = sleep
        self._jitter = jitter
        self._tries = tries

    def submit(self, payload: Payload, key: str) -> Answer:
        """Make the call, again where it may be; the last answer counts.

        Doubt is sticky: once nobody knows of a try, no later refusal says that nothing arrived.
        """
        doubt = False
        for left in reversed(range(self._tries)):
            try:
                return self._inner.submit(payload, key)
            except ProviderError as error:
                if not left or not self._again(error):
                    raise (_doubtful(error) if doubt else error) from error.__cause__
                doubt = doubt or isinstance(error, Unknown)
                self._sleep(self._wait(error, self._tries - left))
        message = "a call is made once at least"
        raise ValueError(message)

    def _again(self, error: ProviderError) -> bool:
        if not isinstance(error, NotSent | Unknown) or error.fault is not None:
            return False
        if isinstance(error, Unknown) and (error.final or not self.capabilities.idempotent):
            return False
        return error.retry_after is None or error.retry_after <= LONGEST_WAIT

    def _wait(self, error: ProviderError, tried: int) -> float:
        """Seconds: what the provider named, else one, doubled with each try, with jitter."""
        named = getattr(error, "retry_after", None)
        return float(2 ** (tried - 1) * (0.5 + self._jitter() / 2) if named is None else named)


def _doubtful(error: ProviderError) -> Unknown:
    if isinstance(error, Unknown):
        return error
    fault = error.fault if isinstance(error, NotSent) else None
    return Unknown(f"an earlier try may have been accepted; now {error.reason}", fault=fault)


class Paced(_Around):
    """Waits for its turn before each call, and passes on what the provider says about its rate.

    ``slot`` books the next call and says in how many seconds it may be made; ``slow`` is told when it came too
    fast, ``hold`` when nothing is wrong and only the next call has to wait.
    """

    def __init__(
        self,
        provider: Provider,
        slot: Callable[[], float],
        sleep: Callable[[float], object],
        slow: Callable[[float], object],
        hold: Callable[[float], object],
    ) -> None:
        super().__init__(provider)
        self._slot = slot
        self._sleep = sleep
        self._slow = slow
        self._hold = hold

    def submit(self, payload: Payload, key: str) -> Answer:
        """Make the call when its turn has come."""
        wait = self._slot()
        if wait > 0:
            self._sleep(wait)
        try:
            answer = self._inner.submit(payload, key)
        except NotSent as error:
            if error.retry_after is not None:
                self._slow(error.retry_after)
            raise
        if answer.wait > 0:
            self._hold(answer.wait)
        return answer


class Announced(_Around):
    """Says before each call that mail is about to leave; where that fails, no call is made.

    ``announce`` raises our own errors, and the send is held for what they mean.
    """

    def __init__(self, provider: Provider, announce: Callable[[], object]) -> None:
        super().__init__(provider)
        self._announce = announce

    def submit(self, payload: Payload, key: str) -> Answer:
        """Announce the call, and make it."""
        try:
            self._announce()
        except NewsletterError as error:
            known = {fault.value: fault for fault in Fault}
            raise NotSent(error.message, fault=known.get(error.exit_code, Fault.CONFIG)) from error
        return self._inner.submit(payload, key)


class Recorded(_Around):
    """Writes one line of JSON for every call: what was tried, when, how big, and what became of it.

    No address, no body and no secret stands in it. ``write`` must not raise: a message that was accepted stays
    accepted, whatever becomes of its record.
    """

    def __init__(
        self,
        provider: Provider,
        write: Callable[[str], None],
        *,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(provider)
        self._write = write
        self._now = now
        self._timer = timer

    def submit(self, payload: Payload, key: str) -> Answer:
        """Make the call and write down its outcome."""
        about = {"key": key, "payload": payload.sha, "count": payload.count, "size": payload.size}
        answer: Answer = self._told("submit", about, lambda: self._inner.submit(payload, key))
        return answer

    def find(self, sought: Sought) -> Answer | None:
        """Ask, and write down what was found."""
        about = {"batch": sought.batch, "count": len(sought.to)}
        answer: Answer | None = self._told("find", about, lambda: self._inner.find(sought))
        return answer

    def _told(self, call: str, about: dict[str, Any], make: Callable[[], Any]) -> Any:
        line = {
            "time": self._now().astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "call": call,
            "provider": self.capabilities.name,
            "account": self.account,
            **about,
        }
        began = self._timer()
        outcome, refused, reason = "broken off", 0, ""
        try:
            answer = make()
            outcome, refused = ("accepted", len(answer.refused)) if answer else ("not found", 0)
        except ProviderError as error:
            outcome, reason = _name(error), _ADDRESS.sub("(address)", error.reason)
            raise
        finally:
            seconds = round(self._timer() - began, 3)
            line |= {"outcome": outcome, "refused": refused, "reason": reason, "seconds": seconds}
            self._write(json.dumps(line))
        return answer


def _name(error: ProviderError) -> str:
    if isinstance(error, NotSent):
        return "not sent"
    return "refused" if isinstance(error, Refused) else "unknown"
