"""The variants of a mail: which combinations of its conditional parts can occur, and the issue as each one shows it.

A combination is looked for by people who might be: for every value that a condition asks for, one of each sort that
the conditions tell apart. So ``plan == "pro"`` and ``plan == "free"`` make three variants and not four.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from newsletter import conditions
from newsletter.errors import BadInput, Problem
from newsletter.model import Choice, When
from newsletter.render.tree import groups, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from newsletter.conditions import Measured
    from newsletter.model import Blocks, Condition, Issue

MOST = 64
"""Variants of one mail, at most: every one is rendered, frozen, looked at by the pre-flight and sent by itself."""

_EFFORT = 50_000
"""People tried, at most, in the search for combinations."""

_LONGEST_NAME = 40
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_WORDS = {"==": "-", "!=": "-not-", "<": "-below-", "<=": "-up-to-", ">": "-above-", ">=": "-from-", "in": "-in-"}


# -- what decides ---------------------------------------------------------------------


def choices(issue: Issue) -> tuple[Choice, ...]:
    """What the conditions of an issue decide in the mail, each under the name of its condition."""
    names: dict[str, str] = {}

    def name(condition: Condition) -> str:
        text = conditions.written(condition)
        if text not in names:
            short, count, taken = _name(condition), 2, {conditions.OTHERS, *names.values()}
            while (numbered := short if count == 2 else f"{short}-{count - 1}") in taken:
                count += 1
            names[text] = numbered
        return names[text]

    def found(blocks: Blocks) -> Iterator[Choice]:
        for block in visible(blocks, "email"):
            if isinstance(block, When):
                own = name(block.condition)
                sides = tuple(found(block.children)), tuple(found(block.otherwise))
                yield Choice(own, block.condition, *sides, block.place)
            else:
                for group in groups(block):
                    yield from found(group)

    return tuple(found(issue.blocks))


def _name(condition: Condition) -> str:
    """A condition as a part of a file's name: ``plan-pro``, ``points-from-100``."""
    op, inner = condition.op, condition.inner
    if op in {"and", "or"}:
        text = f"-{op}-".join(map(_name, inner))
    elif op == "not":
        text = f"no-{_name(inner[0])}" if inner[0].op == "has" else f"not-{_name(inner[0])}"
    else:
        text = f"{condition.name}{_WORDS.get(op, '')}{'-'.join(each or 'empty' for each in condition.values)}"
    short = re.sub(r"[^a-z0-9_]+", "-", text.lower())[:_LONGEST_NAME].strip("-")
    return short or "part"


# -- which combinations occur ---------------------------------------------------------


def combinations(found: Sequence[Choice], issue: Issue) -> Mapping[str, Mapping[str, str]]:
    """The key of every variant, with the values of somebody who gets it; the first is that of nobody in particular.

    Raises ``BadInput`` when there are more than anybody could look through.
    """
    sorts = {name: _sorts(name, found) for name in conditions.asked(found)}
    made: dict[str, Mapping[str, str]] = {}
    tried = 0
    waiting: list[dict[str, str]] = [{}]
    while waiting:
        person = waiting.pop()
        try:
            made.setdefault(conditions.variant_key(found, _Asked(person)), person)
        except _Unknown as unknown:
            waiting += [{**person, unknown.name: value} for value in reversed(sorts[unknown.name])]
        tried += 1
        if len(made) > MOST:
            raise BadInput([_too_many(found, issue, f"make more than {MOST} different mails")])
        if tried > _EFFORT:
            raise BadInput([_too_many(found, issue, "ask for more values together than can be tried out")])
    return made


class _Unknown(Exception):
    """A condition asks for a value that is not chosen yet."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Asked(dict[str, str]):
    """Values that tell when one is asked for that they lack."""

    def get(self, name: str, _default: Any = "") -> str:
        if name not in self:
            raise _Unknown(name)
        return self[name]


def _sorts(name: str, found: Sequence[Choice]) -> list[str]:
    """One value of each sort that the conditions tell apart, a missing one first."""
    every = dict.fromkeys(
        atom for each in conditions.every(found) for atom in conditions.atoms(each.condition) if atom.name == name
    )
    texts = [conditions.measured(text) for atom in every for text in atom.values]
    sorts: dict[tuple[bool, ...], str] = {}
    for value in _values(texts):
        sorts.setdefault(tuple(conditions.holds(atom, {name: value}) for atom in every), value)
    return list(sorts.values())


def _values(texts: Sequence[Measured]) -> Iterator[str]:
    """Values on, between, below and above what a value is compared with; and none, and something else."""
    yield ""
    edges: dict[str, Any] = {
        kind: sorted({edge for text in texts if text.kind == kind for edge in (text.low, text.high)})
        for kind in ("text", "number", "date")
    }
    # The character before all others: what is behind it is nearest to what is before it.
    yield "\x00"
    for text in edges["text"]:
        yield from (text, f"{text}\x00")
    with decimal.localcontext(prec=200):
        for number in _around(edges["number"] or [decimal.Decimal(0)], decimal.Decimal(1)):
            yield f"{number:f}"
    for moment in _around(edges["date"] or [0], 86_400_000_000):
        try:
            yield (_EPOCH + dt.timedelta(microseconds=int(moment))).isoformat()
        except OverflowError:
            continue  # before or after all dates that there are


def _around(edges: Sequence[Any], step: Any) -> Iterator[Any]:
    yield edges[0] - step
    for low, high in pairwise(edges):
        yield from (low, (low + high) / 2 if isinstance(low, decimal.Decimal) else (low + high) // 2)
    yield from (edges[-1], edges[-1] + step)


def _too_many(found: Sequence[Choice], issue: Issue, why: str) -> Problem:
    named = dict.fromkeys(conditions.written(each.condition) for each in conditions.every(found))
    hint = f"Leave some of these conditions out, or let them ask for the same values: {'; '.join(named)}"
    return Problem(found[0].place or issue.place, f"the conditional parts of this issue {why}", hint)
