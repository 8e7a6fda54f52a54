"""A send as a process of its own, for the tests that kill it: ``driver.py FOLDER [DIE_AFTER]``.

It begins the send of the standard edition through the outbox, or goes on with it, and says
``working`` when it starts. Each call lingers around its acceptance, so that deaths fall there too;
with DIE_AFTER it kills itself between the acceptance and the answer of that call.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from delivery.helpers_delivery import LINKS, fresh, go_on, wish

from newsletter.delivery import desk, start, summary, work
from newsletter.providers.outbox import Outbox
from newsletter.store.clock import utcnow

if TYPE_CHECKING:
    from newsletter.providers.base import Answer, Payload

LINGER = 0.003


class Lingering(Outbox):
    """The outbox, slow enough to be killed around every acceptance."""

    def __init__(self, folder: Path, die_after: int) -> None:
        super().__init__(folder)
        self._left = die_after
        self._lock = threading.Lock()

    def submit(self, payload: Payload, key: str) -> Answer:
        """Wait, accept, wait, or die before the answer."""
        time.sleep(LINGER)
        answer = super().submit(payload, key)
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(LINGER)
        return answer


def main(folder: Path, die_after: int) -> int:
    """Begin or go on, until nothing is left."""
    database = fresh(folder)
    outbox = Lingering(folder / ".newsletter" / "outbox", die_after)
    made = start.create(database, wish(outbox, batch=10), utcnow())
    if made.state == "paused":
        go_on(database, made, utcnow())
    job = desk.job(database, made.id, outbox, LINKS, desk.tools(threading.Event()))
    sys.stdout.write("working\n")
    sys.stdout.flush()
    work.run(job, 2, lambda: None)
    with database.read() as connection:
        return summary.exit_code(summary.status(connection, made.id))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
