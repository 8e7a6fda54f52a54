"""The plan: what a send would do, from everybody's own values, written nowhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from newsletter.delivery import freeze
from newsletter.delivery.cutting import Digest, audience
from newsletter.delivery.personalise import Writer
from newsletter.model import Slot
from newsletter.personal import CannotRender
from newsletter.store.tables import STATUSES, person

if TYPE_CHECKING:
    import datetime as dt

    from newsletter.delivery.start import Wish
    from newsletter.links import Links
    from newsletter.model import Variant
    from newsletter.providers.base import Message, Provider

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Failing:
    """One recipient whose values do not fit, as an example."""

    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be sent; ``id`` names exactly this content, audience and provider."""

    id: str
    issue_id: str
    slug: str
    subject: str
    provider: str
    real: bool
    audience: int
    """Everyone who is active: the rows that would be frozen."""
    recipients: int
    """Those of them who would get a message."""
    left_out: tuple[tuple[str, int], ...]
    """Why others get nothing, and how many."""
    failing: tuple[Failing, ...]
    variants: int
    by_variant: tuple[tuple[str, int], ...]
    """How many get each variant, where there are several."""
    batches: int
    calls: int
    bytes: int
    """Of all messages together, headers included; exact but for the encoding of long values."""
    seconds: float | None
    """At the provider's rate; ``None`` when it names none."""

    def data(self) -> dict[str, Any]:
        """For ``--json``."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        failing = [{"address": each.address, "reason": each.reason} for each in self.failing]
        return plain | {"left_out": dict(self.left_out), "failing": failing, "by_variant": dict(self.by_variant)}


def make(connection: Connection | None, wish: Wish, provider: Provider, links: Links, date: dt.datetime) -> Plan:
    """Evaluate every recipient, some at a time; without a database there are no people.

    Raises ``CannotRender`` when the part that all share cannot go out.
    """
    writer = Writer(wish.frozen, links, 0, "plan", ids=wish.capabilities.message_id)
    parts = {each.key: _Part(each, wish, date) for each in wish.frozen.variants}
    for part in parts.values():
        provider.prepare(part.letter, ())
    digest = Digest()
    failing: list[Failing] = []
    for some in audience(connection) if connection else ():
        digest.add(some)
        for who, to, fields in some:
            part = parts[wish.frozen.key_of(to, json.loads(fields)) if wish.frozen.choices else ""]
            part.counted.next()
            try:
                part.add(writer.message(part.variant, who, to, fields), provider)
            except CannotRender as error:
                if len(failing) < _EXAMPLES:
                    failing.append(Failing(to, str(error)))
    recipients = sum(part.recipients for part in parts.values())
    calls = sum(part.counted.calls for part in parts.values())
    rate = wish.capabilities.per_second
    return Plan(
        id=wish.plan_id(freeze.sha(wish.frozen), digest.sha),
        issue_id=wish.issue_id,
        slug=wish.slug,
        subject=freeze.subject_text(wish.frozen, wish.frozen.variants[0]),
        provider=wish.capabilities.name,
        real=wish.capabilities.real,
        audience=digest.count,
        recipients=recipients,
        left_out=_left_out(connection, digest.count - recipients),
        failing=tuple(failing),
        variants=len(parts),
        by_variant=tuple((key, part.recipients) for key, part in parts.items()) if len(parts) > 1 else (),
        batches=sum(part.counted.batches for part in parts.values()),
        calls=calls,
        bytes=sum(part.meter.bytes for part in parts.values()),
        seconds=calls / rate if rate else None,
    )


class _Part:
    """One variant: its letter, and what is counted of those who get it."""

    def __init__(self, variant: Variant, wish: Wish, date: dt.datetime) -> None:
        self.variant = variant
        self.letter = wish.frozen.letter(variant.key, wish.slug, date)
        self.meter = _Meter(variant)
        self.counted = _Calls(wish.size)
        self.recipients = 0

    def add(self, message: Message, provider: Provider) -> None:
        """Count one message."""
        if not self.recipients:
            self.meter.base = provider.prepare(self.letter, [message]).size - self.meter.personal(message)
        self.recipients += 1
        self.meter.add(message)
        self.counted.add(shared=provider.shares(self.letter, message))


class _Meter:
    """Counts bytes: what all share, measured once, and each reader's own values."""

    def __init__(self, variant: Variant) -> None:
        slots = [p for t in (variant.subject, variant.html, variant.text) for p in t if isinstance(p, Slot)]
        self._fields = [slot.field for slot in slots]
        self.base = 0
        self.bytes = 0

    def personal(self, message: Message) -> int:
        """Bytes of one reader's own values."""
        return len(message.to) + sum(len(message.values[index]) for index in self._fields)

    def add(self, message: Message) -> None:
        """Count one message."""
        self.bytes += self.base + self.personal(message)


class _Calls:
    """Counts calls: one for each batch that has somebody to share it, and one for everybody who cannot share."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0
        self._shared = -1
        self.calls = 0

    @property
    def batches(self) -> int:
        """Batches that all of them make."""
        return -(-self._at // self._size)

    def next(self) -> None:
        """Go on to the next recipient."""
        self._at += 1

    def add(self, *, shared: bool) -> None:
        """Count this recipient's message."""
        mine = (self._at - 1) // self._size
        if not shared or mine != self._shared:
            self.calls += 1
        if shared:
            self._shared = mine


def _left_out(connection: Connection | None, failed: int) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    if connection:
        rows = connection.execute(select(person.c.status, func.count()).group_by(person.c.status))
        counts = {row[0]: row[1] for row in rows}
    reasons = [(status, counts.get(status, 0)) for status in STATUSES if status != "active"]
    return (
        *((status, count) for status, count in reasons if count),
        *((("cannot be rendered", failed),) if failed else ()),
    )
