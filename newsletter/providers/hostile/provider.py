"""The hostile provider: it takes messages in, or not, and says so, or not; nothing ever leaves.

What becomes of a call is said by ``fates``, and what it accepted is kept in ``truth``, which outlives it.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from newsletter.errors import Unwritable
from newsletter.providers.base import Answer, Fault, NotSent, Refused, Unknown, Verdict, at_once
from newsletter.providers.hostile.fates import members
from newsletter.providers.hostile.plain import Plain
from newsletter.providers.hostile.truth import Taken, Tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from newsletter.providers.base import Capabilities, Letter, Message, Payload, Sought, Suppressed, Turn
    from newsletter.providers.hostile.fates import Fates
    from newsletter.providers.hostile.mishaps import Mishap
    from newsletter.providers.hostile.truth import Truth

TOO_FAST = "too fast"
"""How a call is noted that went against the provider's own limit: no mishap, a mistake of the sender's."""

_WINDOW = dt.timedelta(seconds=0.99)

Moment = Literal["called", "decided"]


class Prepares(Protocol):
    """The pure part of a provider."""

    def shares(self, letter: Letter, message: Message) -> bool:
        """As ``Provider.shares``."""

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """As ``Provider.prepare``."""


class _Body(NamedTuple):
    people: tuple[int, ...]
    batch: str


@dataclass(frozen=True, slots=True)
class World:
    """Time as the provider sees it, and who looks on.

    ``wait`` is given the seconds that an answer takes. ``passing`` is called in every call with its members' name,
    when it comes in and when all is decided and nothing said yet; whatever it raises goes to the sender, so a test
    can let its process die there.
    """

    now: Callable[[], dt.datetime]
    wait: Callable[[float], object] = lambda _seconds: None
    passing: Callable[[Moment, str], object] = lambda _moment, _who: None


@dataclass(slots=True)
class Hostile:
    """A provider that can do what ``capabilities`` say, and prepares its calls as ``like`` does."""

    truth: Truth
    fates: Fates
    capabilities: Capabilities
    world: World
    like: Prepares = field(default_factory=Plain)
    account: str = "rehearsal"
    _recent: deque[dt.datetime] = field(default_factory=deque, repr=False)
    _calm: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def calm(self) -> None:
        """Let no call go wrong from now on; what is wrong with people stays."""
        self._calm = True

    def shares(self, letter: Letter, message: Message) -> bool:
        """As the provider says that this one is like."""
        return self.like.shares(letter, message)

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """The call of the provider that this one is like, of which only its hash and its people are kept."""
        made = self.like.prepare(letter, messages, batch)
        failed = {each.person for each in made.failed}
        people = tuple(message.person for message in messages if message.person not in failed)
        return replace(made, body=_Body(people, batch))

    def submit(self, payload: Payload, key: str) -> Answer:
        """Take the call in, or not, and say so, or not."""
        body: _Body = payload.body
        who = members(body.people)
        self.world.passing("called", who)
        try:
            mishap = self._begin(who, body.people)
        except Unwritable as error:
            raise NotSent(error.message, fault=Fault.DISK) from error
        self.world.wait(mishap.seconds if mishap else 0.0)
        lost = mishap is not None and mishap.arrives == "nothing"
        answer = None if lost else self._decide(payload, key, mishap)
        self.world.passing("decided", who)
        heard = (mishap.error() if mishap else None) or answer
        if isinstance(heard, Answer):
            return heard
        try:
            raise heard or NotSent(mishap.heard if mishap else "")
        finally:
            # An error that its own frame knows keeps all that the frames above hold, a thousand people, until the
            # garbage collector comes by.
            del heard, answer

    def find(self, sought: Sought) -> Answer | None:
        """The acceptance of a batch, where the provider that this one is like can be asked."""
        if self.capabilities.settling != "search":
            return None
        taken = self.truth.of_batch(sought.batch)
        return self._answer(taken) if taken else None

    def suppressions(self, turn: Turn = at_once) -> Iterator[Suppressed]:
        """Nobody: who leaves during a rehearsal leaves the list itself."""
        del turn
        return iter(())

    def close(self) -> None:
        """Nothing is held open."""

    # -- deciding ---------------------------------------------------------------------

    def _begin(self, who: str, people: Sequence[int]) -> Mishap | None:
        """Count the call, and say what befalls it; raises ``NotSent`` when it comes faster than the provider allows."""
        with self.truth.alone():
            attempt = self.truth.attempts(who) + 1
            fast = self._too_fast()
            mishap = None if fast or self._calm else self.fates.of_call(who, attempt)
            name = mishap.name if mishap else self._of_people(people)
            self.truth.note(Tried(who, attempt, TOO_FAST if fast else name))
        if fast:
            message = "429, faster than its published limit"
            raise NotSent(message, retry_after=1.0)
        return mishap

    def _too_fast(self) -> bool:
        limit = self.capabilities.per_second
        if limit is None:
            return False
        with self._lock:
            now = self.world.now()
            while self._recent and not dt.timedelta(0) <= now - self._recent[0] < _WINDOW:
                self._recent.popleft()
            self._recent.append(now)
            return len(self._recent) > max(limit, 1)

    def _decide(self, payload: Payload, key: str, mishap: Mishap | None) -> Answer | Refused:
        """The old answer under a key that is remembered, else a refusal, or an acceptance written down."""
        can, body = self.capabilities, payload.body
        with self.truth.alone():
            if can.idempotent and (known := self._known(key)):
                if known.sha != payload.sha:
                    message = "409, the key stands for another body"
                    raise Unknown(message, final=True)
                return self._answer(known)
            if refusal := self._refusal(payload):
                return refusal
            refused = {person for person in body.people if self._wrong(person) == "mixed"}
            if mishap and mishap.name == "all-but-one":
                refused.add(body.people[-1])
            people = tuple(person for person in body.people if person not in refused)
            taken = Taken(people, tuple(sorted(refused)), key, payload.sha, body.batch, self.world.now())
            try:
                self.truth.take(taken)
            except Unwritable as error:
                raise Unknown(error.message, fault=Fault.DISK) from error
        answer = self._answer(taken)
        return replace(answer, ids=answer.ids[::-1]) if mishap and mishap.name == "reordered" else answer

    def _known(self, key: str) -> Taken | None:
        taken, lifetime = self.truth.with_key(key), self.capabilities.key_lifetime
        return taken if taken and (lifetime is None or self.world.now() - taken.at < lifetime) else None

    def _refusal(self, payload: Payload) -> Refused | None:
        can, people = self.capabilities, payload.body.people
        if len(people) > can.batch_max:
            return Refused(f"400, more than {can.batch_max:,} messages in a call", divisible=True)
        if can.batch_bytes is not None and payload.size > can.batch_bytes:
            return Refused("413, more bytes in a call than it takes", divisible=True)
        if any(self._wrong(person) == "verdict" for person in people):
            return Refused("400, one address is not valid (rehearsed)", divisible=True)
        return None

    def _of_people(self, people: Sequence[int]) -> str:
        found = {self._wrong(person) for person in people}
        return next((name for name in ("verdict", "mixed") if name in found), "")

    def _wrong(self, person: int) -> str:
        found = self.fates.of_person(str(person))
        return found.name if found and found.fits(self.capabilities) else ""

    def _answer(self, taken: Taken) -> Answer:
        refused = tuple(Verdict(person, "no such mailbox (rehearsed)") for person in taken.refused)
        each = taken.people if self.capabilities.results == "recipient" else ()
        ids = tuple((person, f"{taken.key[:12]}-{person}") for person in each)
        return Answer(f"taken-{taken.key[:12]}", refused, ids)
