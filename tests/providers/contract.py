"""What every provider and every wrapper must keep, as tests that ask a ``kit`` for one."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

from newsletter.model import Mailbox, Slot
from newsletter.providers.base import Letter, Message

if TYPE_CHECKING:
    from newsletter.providers.base import Provider

LETTER = Letter(
    tag="2026-11-23-hello",
    sender=Mailbox("Tess Editor", "tess@example.org"),
    reply_to=None,
    list_name="The Test Letter",
    date=dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC),
    subject=("Hi ", Slot(0, "header")),
    html=("<p>Hello ", Slot(0, "html"), "</p>"),
    text=("Hello ", Slot(0, "text"), "\n"),
)


def message(person: int, name: str = "Ana") -> Message:
    """One message."""
    link = f"https://letters.example.org/u/{person}"
    return Message(person, f"p{person}@example.com", (name,), f"<{person}@example.org>", link)


class Kit(Protocol):
    """A provider under test, and the truth about what it accepted."""

    provider: Provider

    def accepted(self) -> Counter[int]:
        """Messages by person."""

    def reopened(self) -> Provider:
        """The same provider as another process would open it."""


class Contract:
    """Inherit from this and give a ``kit`` fixture."""

    def test_capabilities_are_possible(self, kit: Any) -> None:
        """A batch holds somebody, and a key lives only where keys are kept."""
        can = kit.provider.capabilities
        assert can.name
        assert can.batch_max >= 1
        assert can.key_lifetime is None or can.idempotent
        assert can.per_second is None or can.per_second > 0
        assert kit.provider.account

    def test_preparing_is_pure(self, kit: Any) -> None:
        """The same batch has the same hash, in another process as well, and nothing is accepted."""
        batch = [message(1), message(2)]
        one, two = kit.provider.prepare(LETTER, batch), kit.reopened().prepare(LETTER, batch)
        assert one.sha == two.sha
        assert (one.count, one.failed) == (2, ())
        assert one.size > 0
        assert kit.accepted() == Counter()

    def test_the_hash_covers_all_that_readers_get(self, kit: Any) -> None:
        """Another value, another recipient, another sender or another date is another hash."""
        base = kit.provider.prepare(LETTER, [message(1)]).sha
        letters = [
            dataclasses.replace(LETTER, subject=("Other",)),
            dataclasses.replace(LETTER, sender=Mailbox("Else", "else@example.org")),
            dataclasses.replace(LETTER, html=("<p>Other</p>",)),
            dataclasses.replace(LETTER, text=("Other",)),
        ]
        others = [kit.provider.prepare(letter, [message(1)]).sha for letter in letters]
        others += [kit.provider.prepare(LETTER, [message(1, "Bo")]).sha, kit.provider.prepare(LETTER, [message(2)]).sha]
        assert base not in others
        assert len(set(others)) == len(others)

    def test_what_cannot_be_made_is_named_and_stops_nobody(self, kit: Any) -> None:
        """A control character in a subject fails its person; the others go."""
        payload = kit.provider.prepare(LETTER, [message(1), message(2, "a\x85Bcc: x@example.com"), message(3)])
        assert [each.person for each in payload.failed] == [2]
        assert payload.count == 2
        kit.provider.submit(payload, "key-1")
        assert kit.accepted() == Counter({1: 1, 3: 1})

    def test_everyone_in_a_batch_is_accepted_once(self, kit: Any) -> None:
        """One call, each recipient once."""
        kit.provider.submit(kit.provider.prepare(LETTER, [message(n) for n in range(1, 6)]), "key-1")
        assert kit.accepted() == Counter(range(1, 6))

    def test_two_keys_are_two_batches(self, kit: Any) -> None:
        """Different batches do not get in each other's way."""
        for number in (1, 2):
            kit.provider.submit(kit.provider.prepare(LETTER, [message(number)]), f"key-{number}")
        assert kit.accepted() == Counter({1: 1, 2: 1})

    def test_the_same_key_is_accepted_once(self, kit: Any) -> None:
        """Submitted again, also by another process, the same batch changes nothing."""
        if not kit.provider.capabilities.idempotent:
            return
        payload = kit.provider.prepare(LETTER, [message(1), message(2)])
        kit.provider.submit(payload, "key-1")
        kit.provider.submit(payload, "key-1")
        again = kit.reopened()
        again.submit(again.prepare(LETTER, [message(1), message(2)]), "key-1")
        assert kit.accepted() == Counter({1: 1, 2: 1})

    def test_nobody_is_no_message(self, kit: Any) -> None:
        """An empty batch can be prepared; its count says that no call is needed."""
        assert kit.provider.prepare(LETTER, []).count == 0
