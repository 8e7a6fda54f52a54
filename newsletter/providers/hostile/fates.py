"""What befalls which call: drawn from a seed, or written down beforehand.

Nothing is drawn in turn. What befalls a call hangs on the seed, on who is in it and on how often they were tried, so
a run replays however its threads and processes race.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from newsletter.providers.hostile.mishaps import MISHAPS, NAMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from newsletter.providers.hostile.mishaps import Mishap


class Fates(Protocol):
    """Says what goes wrong; safe to ask from several threads."""

    def of_call(self, who: str, attempt: int) -> Mishap | None:
        """What befalls the call with the members that ``members`` named ``who``, at their first, second … attempt."""

    def of_person(self, person: str) -> Mishap | None:
        """What is wrong with this member, in every call they are in."""


class Level(NamedTuple):
    """How much goes wrong: the share of calls, and that of people who are refused."""

    calls: float
    people: float


LEVELS = {"none": Level(0.0, 0.0), "some": Level(0.1, 0.002), "many": Level(0.3, 0.005)}
CHOSEN = Level(0.25, 0.005)
"""Where mishaps are named one by one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Chance with a seed."""

    seed: int
    mishaps: tuple[Mishap, ...] = MISHAPS
    level: Level = LEVELS["some"]

    @property
    def named(self) -> bool:
        """Whether its mishaps were named one by one."""
        return self.level is CHOSEN

    def of_call(self, who: str, attempt: int) -> Mishap | None:
        """The mishap of this attempt, for a share of all."""
        return self._one("call", self.level.calls, f"{who}:{attempt}", of_person=False)

    def of_person(self, person: str) -> Mishap | None:
        """The mishap of a person, for a share of all; the same for ever."""
        return self._one("person", self.level.people, person, of_person=True)

    def chance(self, *about: object) -> float:
        """A number from 0 up to 1 that hangs on the seed and on what it is about."""
        return chance(self.seed, *about)

    def only(self, among: Iterable[Mishap]) -> Plan:
        """The same without mishaps that are not ``among`` these."""
        names = {each.name for each in among}
        return replace(self, mishaps=tuple(each for each in self.mishaps if each.name in names))

    def _one(self, kind: str, share: float, about: str, *, of_person: bool) -> Mishap | None:
        if self.chance(kind, about) >= share:
            return None
        found = [each for each in self.mishaps if each.of_person == of_person]
        return found[int(self.chance(kind, about, "which") * len(found))] if found else None


@dataclass(slots=True)
class Script:
    """These mishaps for the next calls in turn, then none; for one thread."""

    left: list[str]

    def of_call(self, who: str, attempt: int) -> Mishap | None:
        """The next; an empty name lets a call go well."""
        del who, attempt
        return NAMED.get(self.left.pop(0)) if self.left else None

    def of_person(self, person: str) -> Mishap | None:
        """Nothing is wrong with anybody."""
        del person
        return None


class Unknown(ValueError):
    """A mishap that there is not; the message is its name."""


def plan(words: str, seed: int) -> Plan:
    """The plan that an operator names: a level, or mishaps between commas; raises ``Unknown``."""
    if words.strip() in LEVELS:
        return Plan(seed, level=LEVELS[words.strip()])
    names = [name.strip() for name in words.split(",") if name.strip()]
    for name in names or [words]:
        if name not in NAMED:
            raise Unknown(name)
    return Plan(seed, tuple(NAMED[name] for name in dict.fromkeys(names)), CHOSEN)


def members(people: Sequence[object]) -> str:
    """A name for exactly these members."""
    return hashlib.blake2b(",".join(map(str, people)).encode(), digest_size=8).hexdigest()


def chance(seed: int, *about: object) -> float:
    """A number from 0 up to 1, the same everywhere and for ever."""
    raw = hashlib.blake2b("\x1f".join(map(str, (seed, *about))).encode(), digest_size=8).digest()
    return int.from_bytes(raw) / 2**64
