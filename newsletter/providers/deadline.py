"""Calls that take too long are broken off, whatever they wait for.

httpx's time-outs count from one byte to the next: a server that sends or takes one now and then would hold a call for
ever, and its batch's lease would end before it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_AGAIN = 1.0
"""Seconds until a call that is still there after its end is broken off once more: it may have connected since."""

_IDLE = 10.0
"""Seconds without a call after which nobody watches any more."""


class Line:
    """The one connection of a client, as httpcore's trace extension tells of it."""

    def __init__(self) -> None:
        self._stream: Any = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take notice of a connection, and of its secured form."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._stream = info["return_value"]

    def cut(self) -> None:
        """End the connection under whoever waits for it."""
        held = self._stream.get_extra_info("socket") if self._stream is not None else None
        if held is not None:
            with contextlib.suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)


class Watch:
    """Cuts the line of every call that takes more than ``seconds``; one thread for all, while there are any."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._calls: dict[Line, float] = {}
        self._changed = threading.Condition()
        self._watched = False
        self._next_look = 0.0

    @contextlib.contextmanager
    def over(self, line: Line) -> Iterator[float]:
        """Watch over a call for the block; when its time ends, by ``time.monotonic``."""
        until = time.monotonic() + self.seconds
        with self._changed:
            self._calls[line] = until
            if not self._watched:
                self._watched = True
                threading.Thread(target=self._watch, daemon=True).start()
            elif until < self._next_look:
                self._changed.notify()
        try:
            yield until
        finally:
            with self._changed:
                del self._calls[line]

    def _watch(self) -> None:
        idle = False
        with self._changed:
            while self._calls or not idle:
                idle = not self._calls
                now = time.monotonic()
                waits = [self._left(line, until - now) for line, until in self._calls.items()]
                wait = min(waits, default=_IDLE)
                self._next_look = now + wait
                self._changed.wait(wait)
            self._watched = False

    def _left(self, line: Line, seconds: float) -> float:
        """Seconds until a call is looked at again; cut when none were left."""
        if seconds > 0:
            return seconds
        line.cut()
        return _AGAIN
