"""How a send is asked to stop: the signals of a keyboard, of a service manager, and of a terminal that closes."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STOPPING = b"\nFinishing the batch in flight. Press Ctrl-C again to stop now; both are safe.\n"
_SHOW_CURSOR = b"\x1b[?25h\n"


@contextlib.contextmanager
def orderly() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: a bar or a view is taken away, and the cursor shown again."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C, SIGTERM or SIGHUP lets the batch in flight finish; a second Ctrl-C or SIGTERM ends the process.

    A terminal that closes may send SIGHUP more than once, and a service manager sends it right after SIGTERM: nobody
    has lost patience then. Under ``nohup`` it is not heeded at all.
    """
    seen: list[int] = []

    def handle(number: int, _frame: object) -> None:
        # Not asked of the event: a second signal in the midst of setting it would wait for its lock for ever.
        seen.append(number)
        if number != signal.SIGHUP and len(seen) > seen.count(signal.SIGHUP) + 1:
            with contextlib.suppress(OSError):
                if os.isatty(2):
                    os.write(2, _SHOW_CURSOR)
            os._exit(130)
        if len(seen) > 1:
            return
        stop.set()
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.write(2, _STOPPING)

    heeded = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heeded.append(signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
