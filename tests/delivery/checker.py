"""The shipped checker, and the truth of the embedded outbox."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from newsletter.delivery.checker import violations

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["outbox", "violations"]


def outbox(folder: Path) -> Counter[int]:
    """The truth of the embedded outbox: messages by person, from the files' names."""
    return Counter(int(path.name.partition("-")[0]) for path in folder.glob("*.eml"))
