"""The people of a batch by column are the same people as row by row."""

from __future__ import annotations

import pytest

from newsletter.delivery.members import Member, Members

ROWS: list[Member] = [(2, "b@example.com", {"name": "Bo"}), (3, "c@example.com", {}), (10, "j@example.com", {"a": "b"})]


def test_members_are_the_rows_that_they_were_made_of() -> None:
    """Whether they are counted, walked through, or asked for one by one or a few at a time."""
    members = Members.of(ROWS)
    assert len(members) == 3
    assert list(members) == ROWS
    assert [members[0], members[-1]] == [ROWS[0], ROWS[-1]]
    assert members[1:] == ROWS[1:]
    assert list(Members.of([])) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_columns_in_any_order_are_put_in_that_of_the_numbers(order: tuple[int, ...]) -> None:
    """A database promises no order within a group: everybody keeps their own address and values."""
    people, to, fields = zip(*[ROWS[at] for at in order], strict=True)
    assert list(Members.sorted(list(people), list(to), list(fields))) == ROWS


def test_a_column_that_is_too_short_is_told() -> None:
    """Nobody gets another one's values."""
    with pytest.raises(ValueError, match="different lengths"):
        Members.sorted([1, 2], ["a@example.com", "b@example.com"], [{}])


def test_no_address_is_shown() -> None:
    """Tracebacks and logs show numbers only."""
    assert "example.com" not in repr(Members.of(ROWS))
