"""What the providers behind HTTP share: who goes into a call, values by slot, and the request inside a payload."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from newsletter.mime import address
from newsletter.personal import CannotRender
from newsletter.providers.base import Payload, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from newsletter.providers.base import Letter, Message
    from newsletter.providers.http import Request, Response

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Call:
    """The body of a payload: the request, and its people in the order in which they stand in it."""

    request: Request
    people: tuple[int, ...]


class Caller(Protocol):
    """The part of the HTTP edge that a provider needs."""

    @property
    def host(self) -> str:
        """Where calls go."""

    def call(self, request: Request) -> Response:
        """Make one call; raises ``NotSent`` or ``Unknown``."""

    def close(self) -> None:
        """Give connections back."""


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


def addressed(messages: Iterable[Message]) -> tuple[list[tuple[str, Message]], list[Verdict]]:
    """Each message with its address in ASCII, each mailbox once, and those that have none or stand twice."""
    seen: dict[str, str] = {}
    failed: list[Verdict] = []
    found: list[tuple[str, Message]] = []
    for message in messages:
        try:
            where = address(message.to)
        except CannotRender as error:
            failed.append(Verdict(message.person, str(error)))
            continue
        if seen.setdefault(where.lower(), where) is not where:
            failed.append(Verdict(message.person, "another recipient of this call has the same address"))
            continue
        found.append((where, message))
    return found, failed


def empty(failed: Sequence[Verdict] = ()) -> Payload:
    """The payload of nobody."""
    return Payload(hashlib.sha256().hexdigest(), None, 0, 0, tuple(failed))


def apart(groups: Sequence[Sequence[int]], failed: Sequence[Verdict]) -> Payload:
    """The payload of a batch that has to be several calls."""
    return Payload("", None, 0, 0, tuple(failed), tuple(tuple(group) for group in groups))
