"""Messages by column are the same messages as row by row, and who stands twice among them is told."""

from __future__ import annotations

from newsletter.providers import calls
from newsletter.providers.base import Message, Verdict
from newsletter.providers.messages import Messages

LINK = "https://letters.example.org/u/"
ROWS = [Message(n, f"p{n}@example.com", (f"P{n}", "x"), f"<{n}@example.org>", f"{LINK}{n}") for n in (1, 2, 3)]
WHERE = [message.to for message in ROWS]


def test_messages_are_the_rows_that_they_were_made_of() -> None:
    """Whether they are counted, walked through, or asked for one by one or a few at a time."""
    messages = Messages.of(ROWS, WHERE)
    assert len(messages) == 3
    assert list(messages) == ROWS
    assert [messages[0], messages[-1]] == [ROWS[0], ROWS[-1]]
    assert messages[:2] == ROWS[:2]
    assert list(messages.only([True, False, True])) == [ROWS[0], ROWS[2]]


def test_messages_without_values_are_as_many() -> None:
    """An issue may hold no merge field at all."""
    rows = [message._replace(values=()) for message in ROWS]
    assert list(Messages.of(rows, WHERE)) == rows


def test_no_address_and_no_value_is_shown() -> None:
    """Tracebacks and logs show numbers only."""
    shown = repr(Messages.of(ROWS, WHERE))
    assert "[1, 2, 3]" in shown
    assert not any(text in shown for text in ("example", "P1"))


def test_addresses_made_by_the_writer_are_looked_at_for_twins_all_the_same() -> None:
    """Capitals make no other mailbox; whoever stands twice fails, and the address is the one in ASCII."""
    rows = [ROWS[0], ROWS[1]._replace(to="P1@example.com"), ROWS[2]._replace(to="p3@bücher.example")]
    where = ["p1@example.com", "P1@example.com", "p3@xn--bcher-kva.example"]
    twice = [Verdict(2, "another recipient of this call has the same address")]
    for messages in (rows, Messages.of(rows, where)):
        found, failed = calls.addressed(messages)
        assert list(found) == [rows[0], rows[2]]
        assert found.where == [where[0], where[2]]
        assert failed == twice
