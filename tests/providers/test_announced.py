"""A provider that says before each call that mail is about to leave."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from providers.contract import LETTER, Contract, message

from newsletter.errors import Blocked, NewsletterError, TryLater, Unwritable
from newsletter.providers.base import Fault, NotSent
from newsletter.providers.outbox import Outbox
from newsletter.providers.wrappers import Announced

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.providers.base import Provider


@dataclass
class Kit:
    """The outbox inside of the wrapper, and what was announced."""

    folder: Path
    announced: list[int] = field(default_factory=list)

    @property
    def provider(self) -> Provider:
        """The provider under test."""
        return Announced(Outbox(self.folder), lambda: self.announced.append(sum(self.accepted().values())))

    def accepted(self) -> Counter[int]:
        """Messages by person."""
        return Counter(int(path.name.partition("-")[0]) for path in self.folder.rglob("*.eml"))

    def reopened(self) -> Provider:
        """As another process would open it."""
        return self.provider


@pytest.fixture
def kit(tmp_path: Path) -> Kit:
    """A fresh one."""
    return Kit(tmp_path)


class TestAnnounced(Contract):
    """It keeps the contract of providers."""


def test_a_call_is_announced_before_it_is_made(kit: Kit) -> None:
    """Once for each try, and nothing has been accepted by then."""
    provider = kit.provider
    for person in (1, 2):
        provider.submit(provider.prepare(LETTER, [message(person)]), f"key-{person}")
    assert kit.announced == [0, 1]


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Unwritable("the disk is full"), Fault.DISK),
        (TryLater("the database is busy"), Fault.LATER),
        (Blocked("this ledger is an older copy"), Fault.CONFIG),
    ],
)
def test_a_call_that_cannot_be_announced_is_not_made(kit: Kit, error: NewsletterError, fault: Fault) -> None:
    """Surely nothing left; the send is held for the reason that the error names."""

    def refuse() -> None:
        raise error

    provider = Announced(Outbox(kit.folder), refuse)
    with pytest.raises(NotSent, match=str(error)) as raised:
        provider.submit(provider.prepare(LETTER, [message(1)]), "key")
    assert raised.value.fault is fault
    assert kit.accepted() == Counter()
