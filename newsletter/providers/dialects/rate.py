"""Calls a second: a window opens with its first call and holds so many."""

from __future__ import annotations

import math
from typing import NamedTuple


class Slot(NamedTuple):
    """Whether a call fits, how many more do, and in how many seconds a new window opens."""

    fits: bool
    remaining: int
    reset: int


class Window:
    """``limit`` calls in each second; for one thread."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._opened = -math.inf
        self._calls = 0

    def take(self, now: float) -> Slot:
        """Count a call at ``now``, in seconds of any steady clock."""
        if now - self._opened >= 1:
            self._opened, self._calls = now, 0
        self._calls += 1
        return Slot(self._calls <= self.limit, max(0, self.limit - self._calls), math.ceil(self._opened + 1 - now))
