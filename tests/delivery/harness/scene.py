"""The real thing: `newsletter send` as a process, over sockets to `newsletter outbox --listen --hostile`, or to files."""

from __future__ import annotations

import contextlib
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from delivery.checker import outbox
from sqlalchemy import func, select
from support import CONFIGURATION, SECRET, Workspace

from newsletter.delivery import checker, invariants, ledger, start, summary
from newsletter.delivery.checker import Violation
from newsletter.providers.hostile.truth import FILE, Truth
from newsletter.store import epochs
from newsletter.store.database import open_database
from newsletter.store.tables import batch, send

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from newsletter.delivery.ledger import Send
    from newsletter.store.database import Database

DIALECTS = ("mailgun", "resend")
ENV = {"MAILGUN_API_KEY": "any", "RESEND_API_KEY": "any"}
SLUG = "2026-11-23-hello"

ENDS = {0, 1, 3, 69, 74, 75, 78}
"""Every exit code that a send may have which was not killed; 3 says that some are open or in doubt."""

_PATIENCE = 120.0

_WORKING = 12
"""Events after which a send has begun to work; a batch that goes well leaves three."""

_TRIES = 5


def workspace_in(folder: Path) -> Workspace:
    """A workspace with the secret of the tests, and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Workspace(folder)
    made.write(".env", f"NEWSLETTER_SECRET={SECRET}\n")
    return made


def prepare(workspace: Workspace, provider: str, *, count: int, batch: int, **account: int) -> None:
    """A workspace with an issue and ``count`` people, that sends through ``provider``.

    Of a server's ``account``: its ``port``, how many calls ``per_second``, and after how many seconds a call is given
    up, its ``timeout``: less than a lost answer takes, or so much that no busy machine is taken for a lost answer.
    """
    text = f"{CONFIGURATION}public_url: https://localhost:9\nsend:\n  workers: 2\n  batch: {batch}\n"
    if provider != "outbox":
        port, pace, timeout = account["port"], account.get("per_second", 100), account.get("timeout", 60)
        text += f"provider: {provider}\n{provider}:\n  base_url: http://127.0.0.1:{port}\n"
        text += f"  timeout: {timeout}\n  per_second: {pace}\n"
    workspace.write("newsletter.yaml", text)
    workspace.issue("Hello {{ first_name | default('there') }}.\n")
    rows = "".join(f"p{n}@example.com,P{n}\n" for n in range(1, count + 1))
    workspace.write("people.csv", f"email,first name\n{rows}")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Scene:
    """A workspace, and the server that its provider is; ``folder`` of the outbox holds the truth."""

    workspace: Workspace
    provider: str
    port: int = 0
    server: subprocess.Popen[str] | None = None
    _truth: Truth | None = field(default=None, repr=False)

    @property
    def database(self) -> Path:
        """Where the ledger lies."""
        return self.workspace.root / ".newsletter" / "newsletter.db"

    # -- processes --------------------------------------------------------------------

    def listen(self, *how: str) -> None:
        """Start the server, and wait until it answers."""
        assert self.server is None
        self.server = self._start("outbox", "--listen", "--port", str(self.port), "--limit", "0", *how)
        until = time.monotonic() + _PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            assert self.server.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server, if it runs."""
        if self.server is not None:
            self.server.send_signal(how)
            self.server.communicate(timeout=_PATIENCE)
            self.server = None

    def send(self, *more: str, around: Sequence[str] = ()) -> subprocess.Popen[str]:
        """`newsletter send`, started; ``around`` are words before it: a program that starts it."""
        return self._start("send", "--yes", "--json", *more, around=around)

    def _start(self, *argv: str, around: Sequence[str] = ()) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*around, sys.executable, "-m", "newsletter", *argv],
            cwd=self.workspace.root,
            env=self.workspace.environment(ENV),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def to_its_end(self, most: int = 8) -> Send:
        """Run the command until nothing is left for it to do; the send as it is then."""
        for _ in range(most):
            code, err = finished(self.send())
            assert code in ENDS, f"exit code {code}\n{err}"
            if code in {0, 1, 3} and not self.rows_left():
                break
        found = self._status()
        assert found is not None
        return found.send

    # -- looking ----------------------------------------------------------------------

    def events(self) -> int:
        """How many events the ledger has; quick, and without a word where there is none yet."""
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self.database)) as connection:
            return int(connection.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0])
        return 0

    def rows_left(self) -> bool:
        """Whether somebody waits for their message, as far as there is a send."""
        found = self._status()
        return found is None or found.people["open"] > 0

    def people(self) -> dict[str, int]:
        """How many people ended how."""
        found = self._status()
        return found.people if found else {}

    def sends(self) -> int:
        """How many sends there are."""
        with self.opened() as database, database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(send)).scalar_one())

    def _status(self) -> summary.Status | None:
        with self.opened() as database, database.read() as connection:
            found = ledger.latest_of_slug(connection, SLUG, "outbox")
            return summary.status(connection, found.id) if found else None

    @contextlib.contextmanager
    def opened(self) -> Iterator[Database]:
        """The ledger, for the block."""
        database = open_database(self.database)
        try:
            yield database
        finally:
            database.close()

    def truth(self) -> Counter[int]:
        """Messages of the newest send by person, as whoever took them has it."""
        folder = self.database.parent / "outbox"
        with self.opened() as database, database.read() as connection:
            found = ledger.latest_of_slug(connection, SLUG, "outbox")
            if self.provider == "outbox":
                return outbox(folder / (start.tag(connection, found) if found else SLUG))
            numbers = select(batch.c.id).where(batch.c.send_id == (found.id if found else 0))
            label = epochs.here(connection).instance[:8]
            names = {f"{label}-{number}" for number in connection.execute(numbers).scalars()}
        self._truth = self._truth or Truth(folder / FILE)
        return self._truth.accepted(names if found else None)

    def check(self, *, ended: bool = False, left: Collection[int] = ()) -> list[Violation]:
        """Everything that must not be."""
        got = self.truth()
        with self.opened() as database:
            with database.read() as connection:
                found = ledger.latest_of_slug(connection, SLUG, "outbox")
                flaws = [Violation(each.rule, each.message) for each in invariants.flaws(connection)]
            if found is None:
                return [Violation("nobody else", f"person {who} got a message of no send") for who in got]
            return flaws + checker.violations(database, found.id, got, left, ended=ended)


def cut_short(folder: Path, number: signal.Signals, *, count: int, batch: int) -> Scene:
    """A send to the outbox that was ended by a signal in the midst of its work; begun anew where it was faster."""
    for at in range(_TRIES):
        scene = Scene(workspace_in(folder / f"try-{at}"), "outbox")
        prepare(scene.workspace, "outbox", count=count, batch=batch)
        process = scene.send()
        working(scene, process)
        process.send_signal(number)
        code, err = finished(process)
        if scene.rows_left():
            assert code in {-number, 130}, err
            return scene
    message = f"the send was too fast {_TRIES} times: give it more people"
    raise AssertionError(message)


def working(scene: Scene, process: subprocess.Popen[str]) -> None:
    """Wait until a send is in the midst of its work."""
    while scene.events() < _WORKING and process.poll() is None:
        time.sleep(0.005)


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for its end: the exit code, and what it complained about; a traceback is nobody's business."""
    try:
        _, err = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    assert "Traceback" not in err, err
    return process.returncode, err
