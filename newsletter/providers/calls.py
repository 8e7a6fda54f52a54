"""What the providers behind HTTP share: who goes into a call, values by slot, and the request inside a payload."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Generic, TypeVar

from newsletter.mime import address, addresses, visible_link
from newsletter.model import Slot
from newsletter.personal import CannotRender, escaper, join
from newsletter.providers.base import Message, Payload, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from newsletter.model import Template
    from newsletter.providers.base import Letter
    from newsletter.providers.http import Request

_T = TypeVar("_T")
Addressed = list[tuple[str, Message]]
"""Messages of one call, each with its address in ASCII."""


@dataclass(frozen=True, slots=True)
class Call:
    """The body of a payload: the request, and its people in the order in which they stand in it."""

    request: Request
    people: tuple[int, ...]


@dataclass(slots=True)
class Kept(Generic[_T]):
    """What was worked out for the letter of a send, kept for its next batch.

    Two threads may both work it out, harmlessly.
    """

    make: Callable[[Letter], _T]
    _kept: tuple[Letter, _T] | None = field(default=None, repr=False)

    def __call__(self, letter: Letter) -> _T:
        """The value for ``letter``."""
        kept = self._kept
        if kept is not None and kept[0] is letter:
            return kept[1]
        made = self.make(letter)
        self._kept = (letter, made)
        return made


def addressed(messages: Sequence[Message]) -> tuple[Addressed, list[Verdict]]:
    """Each message with its address in ASCII, each mailbox once, and those that have none or stand twice.

    When anybody does not fit, one by one tells who.
    """
    try:
        wheres = addresses([message.to for message in messages])
    except CannotRender:
        return _addressed_each(messages)
    if len(set(map(str.lower, wheres))) < len(wheres):
        return _addressed_each(messages)
    return list(zip(wheres, messages, strict=True)), []


def _addressed_each(messages: Iterable[Message]) -> tuple[Addressed, list[Verdict]]:
    seen: set[str] = set()
    failed: list[Verdict] = []
    found: Addressed = []
    for message in messages:
        try:
            where = address(message.to)
        except CannotRender as error:
            failed.append(Verdict(message.person, str(error)))
            continue
        mailbox = where.lower()
        if mailbox in seen:
            failed.append(Verdict(message.person, "another recipient of this call has the same address"))
            continue
        seen.add(mailbox)
        found.append((where, message))
    return found, failed


def fit(subject: Template, found: Addressed, failed: list[Verdict]) -> Addressed:
    """Those whose subject and link may stand in a header; when not all of them do, one by one tells who."""
    try:
        for slot in subject:
            if isinstance(slot, Slot):
                escaper(slot.context)("".join([message.values[slot.field] for _, message in found]))
        visible_link("".join([message.unsubscribe for _, message in found]))
    except CannotRender:
        return [each for each in found if _fits(subject, each[1], failed)]
    return found


def _fits(subject: Template, message: Message, failed: list[Verdict]) -> bool:
    try:
        join(subject, message.values)
        visible_link(message.unsubscribe)
    except CannotRender as error:
        failed.append(Verdict(message.person, str(error)))
        return False
    return True


def written(slots: Sequence[Slot], messages: Sequence[Message]) -> list[list[str]]:
    """For each slot everybody's value as JSON, escaped for its place.

    Made column by column: a look at all values together tells whether any needs escaping, and a field that stands in
    several places is written once.
    """
    values = list(zip(*[message.values for message in messages], strict=True))
    together = {field: "".join(values[field]) for field in {slot.field for slot in slots}}
    plain: dict[int, list[str]] = {}
    columns: list[list[str]] = []
    for slot in slots:
        column, escape = values[slot.field], escaper(slot.context)
        if escape(together[slot.field]) != together[slot.field]:
            columns.append([encode_basestring(escape(value)) for value in column])
            continue
        if slot.field not in plain:
            plain[slot.field] = list(map(encode_basestring, column))
        columns.append(plain[slot.field])
    return columns


def empty(failed: Sequence[Verdict] = ()) -> Payload:
    """The payload of nobody."""
    return Payload(hashlib.sha256().hexdigest(), None, 0, 0, tuple(failed))


def apart(groups: Sequence[Sequence[int]], failed: Sequence[Verdict]) -> Payload:
    """The payload of a batch that has to be several calls."""
    return Payload("", None, 0, 0, tuple(failed), tuple(tuple(group) for group in groups))
