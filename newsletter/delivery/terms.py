"""What a send was made with, beyond its content: its clock, its stages, and when they stop.

Stored as JSON with the send, so that a later edit of the configuration changes nothing of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?)%")
_MOST = 20
"""Stages in one send."""


@dataclass(frozen=True, slots=True)
class Brake:
    """Percentages, as decimal numbers, above which a send stops before its next stage."""

    refused: str = "5"
    bounced: str = "3"
    complained: str = "0.1"


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one send; those of most are empty."""

    zone: str = ""
    """The zone whose clock a planned time was read from."""
    shares: tuple[str, ...] = ()
    """What part of the people is reached with each stage, as it was typed: ``1%``, ``10%``, ``100%``."""
    wait: int = 0
    """Seconds between two stages."""
    brake: Brake = Brake()
    ends: tuple[int, ...] = ()
    """How many people are reached with each stage; known when the audience is frozen."""

    @property
    def staged(self) -> bool:
        """Whether the people come in stages."""
        return bool(self.shares)

    def cut(self, count: int) -> Terms:
        """The same for an audience of ``count``; a stage that would reach nobody new is left out."""
        if not self.shares:
            return replace(self, ends=(count,))
        ends: dict[int, str] = {}
        for share in self.shares:
            whole = -(-Fraction(share.rstrip("%")) * count // 100)
            ends.setdefault(int(whole), share)
        if count in ends:
            ends[count] = self.shares[-1]
        return replace(self, shares=tuple(ends.values()), ends=tuple(ends))

    def sizes(self) -> tuple[int, ...]:
        """How many people each stage has."""
        return tuple(after - before for before, after in pairwise((0, *self.ends)))

    def text(self) -> str | None:
        """For the ledger; nothing for terms that say nothing."""
        return None if self == NO_TERMS else json.dumps(asdict(self))

    def data(self) -> dict[str, Any]:
        """For ``--json``."""
        sizes = self.sizes()
        stages = [{"share": each, "people": sizes[at] if sizes else None} for at, each in enumerate(self.shares)]
        return {"stages": stages, "wait_seconds": self.wait, "brake": asdict(self.brake)}


NO_TERMS = Terms()


def read(text: str | None) -> Terms:
    """The terms that ``text`` wrote."""
    if text is None:
        return NO_TERMS
    data = json.loads(text)
    return Terms(data["zone"], tuple(data["shares"]), data["wait"], Brake(**data["brake"]), tuple(data["ends"]))


def shares(text: str) -> tuple[str, ...]:
    """Stages as they were typed, ``1%,10%,100%``; raises ``ValueError`` that says what is wrong with them."""
    found = tuple(each.strip() for each in text.split(","))
    for each in found:
        match = _SHARE.fullmatch(each)
        if match is None:
            raise ValueError(f"“{each}” is not a percentage")
        if not 0 < Fraction(match[1]) <= 100:
            raise ValueError(f"{each} is not above 0% and up to 100%")
    if Fraction(found[-1].rstrip("%")) != 100:
        raise ValueError(f"the last stage reaches {found[-1]}, so some would never get the issue")
    if any(Fraction(a.rstrip("%")) >= Fraction(b.rstrip("%")) for a, b in pairwise(found)):
        raise ValueError("each stage must reach more people than the one before")
    if len(found) > _MOST:
        raise ValueError(f"{len(found)} stages are more than {_MOST}")
    return found
