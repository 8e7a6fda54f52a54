"""Everything that goes wrong with a provider, as data: what arrives, what the sender hears, what it leads to.

The names are part of the interface: `newsletter rehearse --faults` and `newsletter outbox --hostile` take them, and
``docs/rehearsing.md`` is made from this table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from newsletter.providers.base import Fault, NotSent, Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from newsletter.providers.base import Capabilities, ProviderError

Arrives = Literal["nothing", "everything", "all but the refused"]

Says = Literal["not sent", "unknown", "refused", "accepted"]
"""The kind of answer that the sender hears, as ``newsletter.providers.base`` has them."""


class Mishap(NamedTuple):
    """One way in which a call goes wrong.

    ``leads`` is what the send makes of it, for people. ``retry_after``, ``fault`` and ``final`` go along with the
    error; ``seconds`` pass before it is heard. ``needs`` names what a provider must have for it to happen there: an
    answer that speaks of each recipient, one that speaks of the call as a whole, or idempotency keys.
    """

    name: str
    arrives: Arrives
    heard: str
    leads: str
    says: Says
    retry_after: float | None = None
    fault: Fault | None = None
    final: bool = False
    seconds: float = 0.0
    needs: Literal["", "recipients", "whole", "keys"] = ""
    of_person: bool = False
    """Whether it hangs on one member, and so comes with that member in every call, until they are alone."""

    def fits(self, can: Capabilities) -> bool:
        """Whether it can happen at a provider that can do this."""
        if self.needs == "keys":
            return can.idempotent
        return {"": True, "recipients": can.results == "recipient", "whole": can.results == "call"}[self.needs]

    def error(self) -> ProviderError | None:
        """What the sender hears, where that is no acceptance."""
        reason = f"{self.heard} (rehearsed)"
        if self.says == "not sent":
            return NotSent(reason, retry_after=self.retry_after, fault=self.fault)
        if self.says == "unknown":
            return Unknown(reason, retry_after=self.retry_after, fault=self.fault, final=self.final)
        return Refused(reason, divisible=True) if self.says == "refused" else None


_AGAIN = "made again later"
_PACED = "all wait, then slower"
_DOUBT = "made again with its key; without keys in doubt"

MISHAPS: tuple[Mishap, ...] = (
    Mishap("unreachable", "nothing", "connection refused", _AGAIN, "not sent"),
    Mishap("throttled", "nothing", "429 without a time", _PACED, "not sent", retry_after=1.0),
    Mishap("throttled-timed", "nothing", "429 with Retry-After: 30", _PACED, "not sent", retry_after=30.0),
    Mishap("quota", "nothing", "the quota is used up", "held, exit code 75", "not sent", fault=Fault.LATER),
    Mishap("unauthorized", "nothing", "401, the key is refused", "held, exit code 78", "not sent", fault=Fault.CONFIG),
    Mishap("wrong-url", "nothing", "404, no such address", "held, exit code 78", "not sent", fault=Fault.CONFIG),
    Mishap("error-before", "nothing", "500", _DOUBT, "unknown"),
    Mishap("error-after", "everything", "502", _DOUBT, "unknown"),
    Mishap("timeout-before", "nothing", "no answer in time", _DOUBT, "unknown", seconds=60.0),
    Mishap("timeout-after", "everything", "no answer in time", _DOUBT, "unknown", seconds=60.0),
    Mishap("reset-before", "nothing", "the connection is reset", _DOUBT, "unknown"),
    Mishap("reset-after", "everything", "the connection is reset", _DOUBT, "unknown"),
    Mishap("half-answer", "everything", "half of the answer", _DOUBT, "unknown"),
    Mishap("garbage", "everything", "200 with something else than an answer", _DOUBT, "unknown"),
    Mishap("short", "everything", "an answer for fewer messages", _DOUBT, "unknown", needs="recipients"),
    Mishap("reordered", "everything", "ids in another order", "accepted", "accepted", needs="recipients"),
    Mishap("slow", "everything", "the answer after 100 s", "accepted", "accepted", seconds=100.0),
    Mishap(
        "in-progress",
        "everything",
        "409, the key is under way",
        "made again with its key",
        "unknown",
        retry_after=2.0,
        needs="keys",
    ),
    Mishap(
        "conflict",
        "everything",
        "409, the key stands for another body",
        "in doubt",
        "unknown",
        final=True,
        needs="keys",
    ),
    Mishap(
        "all-but-one",
        "all but the refused",
        "an acceptance that refuses one of them",
        "that one refused, the others accepted",
        "accepted",
        needs="recipients",
    ),
    Mishap(
        "mixed",
        "all but the refused",
        "an acceptance that refuses a certain person",
        "that person refused, the others accepted",
        "accepted",
        needs="recipients",
        of_person=True,
    ),
    Mishap(
        "verdict",
        "nothing",
        "400 for the whole call because of one person",
        "cut in two until that person is alone and refused",
        "refused",
        needs="whole",
        of_person=True,
    ),
)

NAMED = {each.name: each for each in MISHAPS}


def fitting(can: Capabilities, among: Iterable[Mishap] = MISHAPS) -> tuple[Mishap, ...]:
    """Those that can happen at a provider that can do this."""
    return tuple(each for each in among if each.fits(can))
