"""Conditions of ``::: when``: whether one holds for a person, and which variant of the mail that person gets.

A value is compared as what it is: numbers with numbers, ISO dates with dates, other texts with texts. Different
kinds are never equal and neither is the greater one; so is a missing value, which equals nothing but ``""``.
Nothing here runs what stands in a value.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
import unicodedata
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from newsletter.model import Choice, Condition

OTHERS = "others"
"""The key of the variant for whom none of its conditions holds."""

_LONGEST_KEY = 100
_NUMBER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,29})(?:\.[0-9]{1,30})?")
_CLOCK = r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
_DATE = re.compile(f"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?P<time>{_CLOCK})?")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_DAY = dt.timedelta(days=1) // _MICROSECOND


class Measured(NamedTuple):
    """A text as what it is compared as; ``low`` and ``high`` differ for a day, which is all of its moments.

    ``low`` and ``high`` are of the type that ``kind`` says: Decimal, microseconds (int), or str.
    """

    kind: str
    """``none``, ``number``, ``date`` or ``text``."""
    low: Decimal | int | str
    high: Decimal | int | str


@functools.lru_cache(4096)
def measured(text: str) -> Measured:
    """What a value, or a text in a condition, is compared as."""
    text = unicodedata.normalize("NFC", text.strip())
    if not text:
        return Measured("none", "", "")
    if _NUMBER.fullmatch(text):
        return Measured("number", Decimal(text), Decimal(text))
    if (found := _DATE.fullmatch(text)) and (moment := _moment(text)) is not None:
        return Measured("date", moment, moment if found["time"] else moment + _DAY - 1)
    return Measured("text", text, text)


def _moment(text: str) -> int | None:
    """Microseconds since 1970; a time without a zone is UTC, so that a build asks no clock or place."""
    try:
        read = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return ((read if read.tzinfo else read.replace(tzinfo=dt.UTC)) - _EPOCH) // _MICROSECOND


def holds(condition: Condition, values: Mapping[str, str]) -> bool:
    """Whether a condition holds for a person with these values; no value is the same as a blank one."""
    op, inner = condition.op, condition.inner
    if op == "and":
        return all(holds(each, values) for each in inner)
    if op == "or":
        return any(holds(each, values) for each in inner)
    if op == "not":
        return not holds(inner[0], values)
    value = measured(values.get(condition.name, ""))
    if op == "has":
        return value.kind != "none"
    if op == "in":
        return any(_compare("==", value, measured(each)) for each in condition.values)
    return _compare(op, value, measured(condition.values[0]))


def _compare(op: str, value: Measured, text: Measured) -> bool:
    at, low, high = value.low, text.low, text.high
    if value.kind != text.kind:
        return op == "!="
    equal = low <= at <= high  # type: ignore[operator]  # of one kind they are of one type
    if op in {"==", "!="}:
        return equal is (op == "==")
    if value.kind == "none":
        return False
    below = at < low  # type: ignore[operator]  # as above
    return {"<": below, "<=": below or equal, ">": not (below or equal), ">=": not below}[op]


# -- variants -------------------------------------------------------------------------


def variant_key(choices: Sequence[Choice], values: Mapping[str, str]) -> str:
    """The key of the variant for a person with these values: the conditions of its parts that hold, by name."""
    if not choices:
        return ""
    names = list(dict.fromkeys(_met(choices, values)))
    key = "+".join(names) or OTHERS
    if len(key) <= _LONGEST_KEY:
        return key
    import hashlib

    return f"{key[: _LONGEST_KEY - 20].rpartition('+')[0]}+{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _met(choices: Sequence[Choice], values: Mapping[str, str]) -> Iterator[str]:
    """The names of the conditions that hold; what stands in a part that is not shown is not asked."""
    for each in choices:
        if holds(each.condition, values):
            yield each.name
            yield from _met(each.then, values)
        else:
            yield from _met(each.otherwise, values)


def asked(choices: Sequence[Choice]) -> tuple[str, ...]:
    """The names of the values that the conditions look at, in their order."""

    def of(each: Choice) -> Iterator[str]:
        yield from (atom.name for atom in atoms(each.condition))
        for part in (*each.then, *each.otherwise):
            yield from of(part)

    return tuple(dict.fromkeys(name for each in choices for name in of(each)))


def every(choices: Sequence[Choice]) -> Iterator[Choice]:
    """All choices, also those inside others."""
    for each in choices:
        yield each
        yield from every(each.then)
        yield from every(each.otherwise)


def atoms(condition: Condition) -> Iterator[Condition]:
    """The single comparisons in a condition."""
    if condition.op in {"and", "or", "not"}:
        for each in condition.inner:
            yield from atoms(each)
    else:
        yield condition


# -- words ----------------------------------------------------------------------------


def written(condition: Condition) -> str:
    """The condition as an author writes it."""
    op, inner = condition.op, condition.inner
    if op in {"and", "or"}:
        if not inner:
            return "true" if op == "and" else "false"
        return f" {op} ".join(_in_brackets(each, outer=op) for each in inner)
    if op == "not":
        return f"not {_in_brackets(inner[0], outer=op)}"
    if op == "has":
        return condition.name
    texts = [json.dumps(each, ensure_ascii=False) for each in condition.values]
    listed = f"({', '.join(texts)})" if op == "in" else texts[0]
    return f"{condition.name} {op} {listed}"


def _in_brackets(condition: Condition, *, outer: str) -> str:
    text = written(condition)
    loose = condition.op in {"and", "or"} and condition.op != outer
    return f"({text})" if loose or (outer == "not" and condition.op not in {"has", "not"}) else text
