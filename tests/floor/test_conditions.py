"""Conditions: what holds for whom, and the key of the variant that follows from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.conditions import OTHERS, asked, every, holds, measured, variant_key, written
from newsletter.model import Choice, Condition, Op


def compared(op: Op, text: str, value: str) -> bool:
    """Whether a value compares so with a text."""
    return holds(Condition(op, "x", (text,)), {"x": value})


@pytest.mark.parametrize(
    ("value", "op", "text", "expected"),
    [
        ("10", ">", "9", True),
        ("9.50", "==", "9.5", True),
        ("-3", "<", "0", True),
        ("+3", "==", "3", True),
        ("007", "==", "7", False),
        ("1e3", "==", "1000", False),
        ("2026-01-31", "<=", "2026-01-31", True),
        ("2026-01-31T18:00", "==", "2026-01-31", True),
        ("2026-01-31T18:00", "<=", "2026-01-31", True),
        ("2026-01-31T18:00", "<", "2026-01-31", False),
        ("2026-02-01T00:30+02:00", "==", "2026-01-31", True),
        ("2026-02-01T00:00Z", ">", "2026-01-31", True),
        ("2026-02-30", "<", "2026-03-01", False),
        ("b", ">", "a", True),
        (" pro ", "==", "pro", True),
        ("Pro", "==", "pro", False),
        ("Zu\u0308rich", "==", "Zürich", True),
        ("", "==", "", True),
        ("  ", "==", "", True),
        ("", "!=", "pro", True),
        ("pro", "!=", "", True),
    ],
)
def test_a_value_is_compared_as_what_it_is(value: str, op: Op, text: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """Numbers as numbers, days as whole days, and texts letter by letter."""
    assert compared(op, text, value) is expected


@pytest.mark.parametrize("op", ["<", "<=", ">", ">="])
@pytest.mark.parametrize(("value", "text"), [("", "5"), ("", "a"), ("abc", "5"), ("5", "abc"), ("2026-01-01", "5")])
def test_different_kinds_are_neither_greater_nor_smaller(op: Op, value: str, text: str) -> None:
    """So nobody without a number is “below 18”; and they are not equal either."""
    assert not compared(op, text, value)
    assert not compared("==", text, value)
    assert compared("!=", text, value)


def test_names_lists_and_what_joins_them() -> None:
    """A bare name asks for any value; a list for one of its texts."""
    values = {"plan": "pro", "city": " "}
    plan, city = Condition("has", "plan"), Condition("has", "city")
    assert holds(plan, values)
    assert not holds(city, values)
    assert holds(Condition("in", "plan", ("free", "pro")), values)
    assert not holds(Condition("in", "other", ("free", "pro")), values)
    assert holds(Condition("or", inner=(city, plan)), values)
    assert not holds(Condition("and", inner=(city, plan)), values)
    assert holds(Condition("not", inner=(city,)), values)
    assert holds(Condition("and"), values)
    assert not holds(Condition("or"), values)


@given(st.text(max_size=20), st.text(max_size=20))
def test_every_two_texts_are_ordered_in_one_way_only(one: str, other: str) -> None:
    """Equal, below or above, or of different kinds; and nothing in a value is ever run."""
    found = [compared(op, other, one) for op in ("<", "==", ">")]
    same = measured(one).kind == measured(other).kind
    assert sum(found) == (1 if same else 0)
    assert compared("!=", other, one) is not compared("==", other, one)


def test_conditions_are_written_as_an_author_does() -> None:
    """With the brackets that they need."""
    plan, city = Condition("==", "plan", ('"pro"',)), Condition("in", "city", ("Köln", "5"))
    either = Condition("or", inner=(plan, Condition("not", inner=(city,))))
    assert written(Condition("and", inner=(either, Condition("has", "x")))) == (
        '(plan == "\\"pro\\"" or not (city in ("Köln", "5"))) and x'
    )


# -- variants -------------------------------------------------------------------------

PRO, RICH, OLD = Condition("==", "plan", ("pro",)), Condition(">", "points", ("9",)), Condition("has", "old")
CHOICES = (
    Choice("pro", PRO, then=(Choice("rich", RICH),), otherwise=(Choice("old", OLD),)),
    Choice("pro", PRO),
)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({}, OTHERS),
        ({"plan": "pro"}, "pro"),
        ({"plan": "pro", "points": "10", "old": "x"}, "pro+rich"),
        ({"plan": "free", "points": "10", "old": "x"}, "old"),
    ],
)
def test_a_key_names_the_conditions_that_hold(values: dict[str, str], key: str) -> None:
    """Each once; what stands in a part that is not shown does not count."""
    assert variant_key(CHOICES, values) == key


def test_without_choices_there_is_one_variant() -> None:
    """Its key is empty."""
    assert variant_key((), {"plan": "pro"}) == ""


def test_a_long_key_is_cut_and_stays_its_own() -> None:
    """It names a file: many conditions end in a hash of all of them."""
    many = [Choice(f"a-rather-long-name-{number}", Condition("has", f"x{number}")) for number in range(9)]
    one, other = ({f"x{number}": "1" for number in range(count)} for count in (8, 9))
    keys = {variant_key(many, one), variant_key(many, other)}
    assert len(keys) == 2
    assert all(len(key) <= 100 and key.startswith("a-rather-long-name-0+") for key in keys)


def test_what_the_choices_ask_for_is_listed_once() -> None:
    """In the order of the parts, also of those inside others."""
    assert asked(CHOICES) == ("plan", "points", "old")
    assert [each.name for each in every(CHOICES)] == ["pro", "rich", "old", "pro"]
