"""What the site's tests share: a ledger with people, a client, and ``newsletter serve`` as a real process."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from asgi import Asker
from sqlalchemy import insert, select, update
from support import SECRET, Workspace

from newsletter.links import Links
from newsletter.site.app import Outside, application
from newsletter.store.database import Database, open_database
from newsletter.store.tables import person, person_event

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from pathlib import Path


NOW = dt.datetime(2026, 11, 25, 8, 0, tzinfo=dt.UTC)
BEFORE = "2026-01-01T00:00:00.000000Z"
BASE = "https://letters.example.org"
LINKS = Links(BASE, SECRET.encode())
ADA, NOOR, BOUNCED, COMPLAINED, LEFT, ERASED = range(1, 7)
PEOPLE = {
    ADA: ("ada@example.org", "active"),
    NOOR: ("noor@example.org", "active"),
    BOUNCED: ("bo@example.org", "bounced"),
    COMPLAINED: ("cy@example.org", "complained"),
    LEFT: ("lea@example.org", "unsubscribed"),
    ERASED: ("", "unsubscribed"),
}
FORM = b"List-Unsubscribe=One-Click"
FORM_TYPE = "application/x-www-form-urlencoded"


def token(url: str) -> str:
    """The last part of a link."""
    return url.rpartition("/")[2]


def leave(who: int) -> str:
    """The path of a person's unsubscribe link."""
    return f"/u/{token(LINKS.unsubscribe(who))}"


def view(send: int, who: int) -> str:
    """The path of a person's copy."""
    return f"/v/{token(LINKS.view(send, who))}"


def fill(database: Database) -> None:
    """Put everybody in."""
    rows = [
        {"id": who, "address": address, "key": address or "erased", "status": status, "status_at": BEFORE}
        | {"consent_at": BEFORE, "created_at": BEFORE}
        for who, (address, status) in PEOPLE.items()
    ]
    with database.write() as connection:
        connection.execute(insert(person), rows)


def status(database: Database, who: int) -> str:
    """A person's status."""
    with database.read() as connection:
        return str(connection.execute(select(person.c.status).where(person.c.id == who)).scalar_one())


def history(database: Database, who: int) -> list[tuple[str, str]]:
    """What became of a person: what, and why."""
    events = select(person_event.c.what, person_event.c.detail).where(person_event.c.person_id == who)
    with database.read() as connection:
        return [(row.what, row.detail) for row in connection.execute(events.order_by(person_event.c.id))]


def come_back(database: Database, who: int) -> None:
    """Make a person active again."""
    with database.write() as connection:
        connection.execute(update(person).where(person.c.id == who).values(status="active"))


def digest(path: Path) -> str:
    """A hash of everything in a database."""
    with closing(sqlite3.connect(path)) as connection:
        return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What the site answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Client(Asker):
    """Asks the site."""

    def get(self, target: str, **more: Any) -> Answer:
        """A GET request; a redirect is an answer like any other."""
        return self.ask("GET", target, **more)

    def post(self, target: str, body: bytes = FORM, kind: str = FORM_TYPE, **more: Any) -> Answer:
        """A POST request with a form, as a mail program sends it."""
        return self.ask("POST", target, body=body, headers={"content-type": kind} if kind else {}, **more)

    def ask(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = b"",
        headers: dict[str, str] | None = None,
        client: str | None = "203.0.113.7",
        scheme: str = "http",
    ) -> Answer:
        """One request; a body of ``None`` is one that breaks off."""
        given = [(k.encode(), v.encode()) for k, v in ({"host": "anything.example"} | (headers or {})).items()]
        caller = (client, 50000) if client else None
        server = ("127.0.0.1", 8000)
        return Answer(*self.exchange(method, target, given, body=body, scheme=scheme, client=caller, server=server))


@dataclass
class Site:
    """The site of a workspace, and what it told the world."""

    workspace: Workspace
    database: Database
    client: Client
    troubles: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    time: float = 0.0
    copy: Callable[[int, int], str | None] = field(default=lambda _send, _person: None)

    def publish(self, name: str, data: str | bytes = "published") -> Path:
        """A file in the published folder."""
        return self.workspace.write(f"public/{name}", data)


def site(workspace: Workspace, database: Database, **config: Any) -> Site:
    """The site on ``database``; ``config`` changes the configuration."""

    def app(scope: Any, receive: Any, send: Any) -> Any:
        return inner(scope, receive, send)

    made = Site(workspace, database, Client(app))

    def copy(send: int, who: int) -> str | None:
        return made.copy(send, who)  # a test may change it

    outside = Outside(
        copy=copy,
        now=lambda: NOW,
        elapsed=lambda: made.time,
        trouble=made.troubles.append,
        seen=made.seen.append,
    )
    inner = application(replace(workspace.config(), **config), LINKS, database, outside)
    return made


def ledger(workspace: Workspace, **how: Any) -> Database:
    """The workspace's database, with everybody in it."""
    made = open_database(workspace.config().database, **how)
    fill(made)
    return made


@dataclass(frozen=True)
class Running:
    """``newsletter serve`` at work."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        """The port it took."""
        return int(self.url.rstrip("/").rpartition(":")[2])

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Stop it: its exit code, and what stood on standard error."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


def start(workspace: Workspace, *options: str, json: bool = True) -> Running:
    """Start it, on a free port unless told, and wait for its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "serve", *(["--json"] if json else []), *(options or ("--port", "0"))],
        cwd=workspace.root,
        env=workspace.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    said = process.stdout.readline()
    found = re.search(r"http://\S+?:\d+/", said)
    assert found, said
    return Running(process, found[0])
