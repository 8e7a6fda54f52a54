"""What the providers behind HTTP share: who goes into a call, values by slot, and the request inside a payload."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Generic, TypeVar

from newsletter.mime import address, visible_link
from newsletter.model import Slot
from newsletter.personal import CannotRender, escaper, join
from newsletter.providers.base import Payload, Verdict
from newsletter.providers.messages import Messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from newsletter.model import Template
    from newsletter.providers.base import Letter, Message
    from newsletter.providers.http import Request

_T = TypeVar("_T")

_ESCAPED = bytes(range(0x20)) + b'"\\'
"""What JSON does not allow in a string as it is, RFC 8259 §7."""


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


def addressed(messages: Sequence[Message]) -> tuple[Messages, list[Verdict]]:
    """The messages with their addresses in ASCII, each mailbox once; and those that have none or stand twice."""
    found, failed = (messages, []) if isinstance(messages, Messages) else _with_addresses(messages)
    mailboxes = "\n".join(found.where).lower().split("\n")
    if len(set(mailboxes)) < len(found):
        found = _once(found, mailboxes, failed)
    return found, failed


def _with_addresses(messages: Iterable[Message]) -> tuple[Messages, list[Verdict]]:
    where: list[str] = []
    found: list[Message] = []
    failed: list[Verdict] = []
    for message in messages:
        try:
            where.append(address(message.to))
            found.append(message)
        except CannotRender as error:
            failed.append(Verdict(message.person, str(error)))
    return Messages.of(found, where), failed


def _once(found: Messages, mailboxes: Sequence[str], failed: list[Verdict]) -> Messages:
    seen: set[str] = set()
    first: list[bool] = []
    for person, mailbox in zip(found.people, mailboxes, strict=True):
        first.append(mailbox not in seen)
        seen.add(mailbox)
        if not first[-1]:
            failed.append(Verdict(person, "another recipient of this call has the same address"))
    return found.only(first)


def fit(subject: Template, found: Messages, failed: list[Verdict]) -> Messages:
    """Those whose subject and link may stand in a header; when not all of them do, one by one tells who."""
    try:
        for slot in subject:
            if isinstance(slot, Slot) and found:
                escaper(slot.context)("".join(found.values[slot.field]))
        visible_link("".join(found.unsubscribe))
    except CannotRender:
        return found.only([_fits(subject, message, failed) for message in found])
    return found


def _fits(subject: Template, message: Message, failed: list[Verdict]) -> bool:
    try:
        join(subject, message.values)
        visible_link(message.unsubscribe)
    except CannotRender as error:
        failed.append(Verdict(message.person, str(error)))
        return False
    return True


def written(slots: Iterable[Slot], values: Sequence[list[str]]) -> list[list[str]]:
    """For each slot everybody's value, escaped for its place, as it stands between the quotes of a JSON string.

    A look at all values of a field together tells whether any needs escaping; when none does, the column itself is
    given back, so that what stands in several places is known to be the same.
    """
    known: dict[int, tuple[str, list[str]]] = {}
    columns: list[list[str]] = []
    for slot in slots:
        column, escape = values[slot.field], escaper(slot.context)
        if id(column) not in known:
            together = "".join(column)
            known[id(column)] = together, _between_quotes(column, together)
        together, plain = known[id(column)]
        if (escaped := escape(together)) == together:
            columns.append(plain)
        else:
            columns.append(_between_quotes([escape(value) for value in column], escaped))
    return columns


def _between_quotes(column: list[str], together: str) -> list[str]:
    """Each as it stands in a JSON string: the very column when none of ``together`` needs escaping."""
    raw = together.encode("utf-8", "surrogatepass")
    if len(raw.translate(None, _ESCAPED)) == len(raw):
        return column
    return [encode_basestring(text)[1:-1] for text in column]


def empty(failed: Sequence[Verdict] = ()) -> Payload:
    """The payload of nobody."""
    return Payload(hashlib.sha256().hexdigest(), None, 0, 0, tuple(failed))


def apart(groups: Sequence[Sequence[int]], failed: Sequence[Verdict]) -> Payload:
    """The payload of a batch that has to be several calls."""
    return Payload("", None, 0, 0, tuple(failed), tuple(tuple(group) for group in groups))
