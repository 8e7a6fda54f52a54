"""What is made of many people at once is what would be made of each alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from delivery.helpers_delivery import LINKS, MASTHEAD, NOW, edition
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import Account
from newsletter.delivery import freeze
from newsletter.delivery.personalise import Writer
from newsletter.model import Context, Field, Filter, Slot
from newsletter.personal import escaper
from newsletter.providers import calls
from newsletter.providers.mailgun import Mailgun
from newsletter.providers.resend import Resend

if TYPE_CHECKING:
    from newsletter.providers.base import Provider

FIELDS = (
    Field("name", (Filter("default", ("there",)),)),
    Field("born", (Filter("date", ("y",)),)),
    Field("city", (Filter("title"),)),
    Field("unsubscribe_url"),
    Field("view_url"),
    Field("email", (Filter("upper"),)),
)
SUBJECT = ("Hi ", Slot(0, "header"), " =", Slot(2, "header"))
FROZEN = freeze.of_edition(edition(fields=FIELDS, subject=SUBJECT), MASTHEAD)
WRITER = Writer(FROZEN, LINKS, 7, "send:7")

PROVIDERS: dict[str, Provider] = {
    "mailgun": Mailgun(Account("http://127.0.0.1:9", 5, None, "example.org"), "key-made-for-tests"),
    "resend": Resend(Account("http://127.0.0.1:9", 5, None), "re_made_for_tests"),
}

TEXTS = st.sampled_from(["Ana", "Zoë", "", " ", "a\tb", "\x85", "\x00", "<&>", "=?utf-8?q?a=0Db?=", "?utf-8?q?a=0Db?="])
DATES = st.sampled_from(["2001-02-03", "2001-02-03T04:05:06", "", "soon"])
SOUND = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")) | st.sampled_from("\t\r\n"))
CONTEXTS: tuple[Context, ...] = ("html", "url", "link", "text", "header")


@given(st.lists(st.tuples(TEXTS, TEXTS, DATES), min_size=1, max_size=6))
def test_messages_made_together_are_those_made_one_by_one(rows: list[tuple[str, str, str]]) -> None:
    """Whoever does not fit fails alone, for the same reason; everybody else's message is the same."""
    members = [
        (number, f"p{number}@example.com", {"name": name, "city": city, "born": born})
        for number, (name, city, born) in enumerate(rows, 1)
    ]
    alone = [WRITER.messages(FROZEN.variants[0], [member]) for member in members]
    made, failed = WRITER.messages(FROZEN.variants[0], members)
    assert list(made) == [message for messages, _ in alone for message in messages]
    assert failed == [verdict for _, verdicts in alone for verdict in verdicts]


@given(st.lists(st.tuples(SOUND, SOUND), min_size=1, max_size=5), st.sampled_from(CONTEXTS))
def test_values_written_together_are_those_written_one_by_one(rows: list[tuple[str, str]], context: Context) -> None:
    """Whether a look at all of them finds something to escape or not."""
    values = [list(column) for column in zip(*rows, strict=True)]
    slots = [Slot(0, context), Slot(1, "text"), Slot(0, "text")]
    each = [[escaper(slot.context)(row[slot.field]) for row in rows] for slot in slots]
    written = [[f'"{text}"' for text in column] for column in calls.written(slots, values)]
    assert written == [[json.dumps(text, ensure_ascii=False) for text in column] for column in each]


@given(st.lists(st.tuples(TEXTS, TEXTS, DATES), max_size=6), st.sampled_from(["mailgun", "resend"]))
def test_a_call_made_of_columns_is_the_call_made_of_rows(rows: list[tuple[str, str, str]], name: str) -> None:
    """Delivery hands over columns, a test copy hands over rows: the same bytes, the same hash, the same who fail."""
    members = [
        (number, f"p{number}@example.com", {"name": first, "city": city, "born": born})
        for number, (first, city, born) in enumerate(rows, 1)
    ]
    letter = FROZEN.letter("", "hello", NOW)
    messages, _ = WRITER.messages(FROZEN.variants[0], members)
    of_columns, of_rows = (PROVIDERS[name].prepare(letter, each, "b-1") for each in (messages, list(messages)))
    assert of_columns == of_rows
