"""Processes that take turns: one goes on at a time, and at every point where another could come between one is drawn."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from newsletter.delivery.mortal import Crash

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

_STUCK = 120.0
"""Seconds after which a process that does not come back is an error, and no wait."""


@dataclass
class Life:
    """One process, which calls ``give`` wherever another may come between; ``error`` is what ended it, if anything."""

    what: Callable[[Life], None]
    error: BaseException | None = None
    ended: bool = False
    _abandoned: bool = False
    _go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def give(self) -> None:
        """Let others come; raises ``Crash`` when nobody will ever come back to this one."""
        self._came.release()
        self._go.acquire()
        if self._abandoned:
            raise Crash

    def turn(self) -> None:
        """Go on from one point to the next."""
        self._go.release()
        if not self._came.acquire(timeout=_STUCK):
            message = "a process neither goes on nor ends"
            raise RuntimeError(message)

    def start(self) -> threading.Thread:
        """Begin, and stand still at once."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def abandon(self) -> None:
        """Let it die wherever it stands."""
        self._abandoned = True
        while not self.ended:
            self.turn()

    def _run(self) -> None:
        self._go.acquire()
        try:
            if not self._abandoned:
                self.what(self)
        except BaseException as error:  # noqa: BLE001 - looked at by the one who waits for this process
            self.error = error
        finally:
            self.ended = True
            self._came.release()


def take_turns(lives: list[Life], dice: Random, between: Callable[[], None], most: int = 5_000) -> None:
    """Run processes to their ends, with ``between`` called before every turn; raises what is no ``Crash``."""
    threads = [life.start() for life in lives]
    try:
        for _ in range(most):
            open_lives = [life for life in lives if not life.ended]
            if not open_lives:
                break
            between()
            dice.choice(open_lives).turn()
        else:
            message = "processes that take turns come to no end"
            raise RuntimeError(message)
    finally:
        for life in lives:
            if not life.ended:
                life.abandon()
        for thread in threads:
            thread.join(_STUCK)
    for life in lives:
        if life.error is not None and not isinstance(life.error, Crash):
            raise life.error
