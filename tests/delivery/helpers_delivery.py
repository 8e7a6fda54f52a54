"""What the delivery tests share: an edition, people, a job to work on."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import insert, update

from newsletter.delivery import attempt, control, desk, freeze, start, summary, work
from newsletter.delivery.desk import Streaks
from newsletter.delivery.ledger import Lost
from newsletter.delivery.start import Wish
from newsletter.delivery.terms import NO_TERMS, Terms
from newsletter.links import Links
from newsletter.model import Edition, Field, Filter, Mailbox, Place, Slot, Template, Variant
from newsletter.store.clock import stamp
from newsletter.store.database import Database, open_database
from newsletter.store.tables import person, person_event

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.delivery.ledger import Send
    from newsletter.providers.base import Provider

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
LINKS = Links("https://letters.example.org", b"a-secret-made-for-tests-only")

FIELDS = (
    Field("first_name", (Filter("default", ("there",)),)),
    Field("unsubscribe_url"),
    Field("born", (Filter("date", ("y",)),)),
)
SUBJECT: Template = ("Hi ", Slot(0, "header"))
TEXT: Template = ("Hello ", Slot(0, "text"), "\n", Slot(1, "text"), "\n")
HTML: Template = (
    "<p>Hello ",
    Slot(0, "html"),
    ", born ",
    Slot(2, "html"),
    "</p>",
    '<a href="',
    Slot(1, "link"),
    '">off</a>\n',
)


class Masthead(NamedTuple):
    """What the configuration says of the newsletter."""

    name: str = "The Test Letter"
    unsubscribe_email: str = "leave@example.org"
    feedback_id: str = ""


MASTHEAD = Masthead()


def edition(*, html: Template = HTML, subject: Template = SUBJECT, text: Template = TEXT, **changes: Any) -> Edition:
    """A small edition with three merge fields."""
    values: dict[str, Any] = {
        "issue_id": "hello-0001",
        "slug": "2026-11-23-hello",
        "title": "Hello",
        "lang": "en",
        "sender": Mailbox("Tess Editor", "tess@example.org"),
        "reply_to": None,
        "date": NOW,
        "fields": FIELDS,
        "variants": (Variant("", subject, html, text),),
        "web": "",
        "pictures": (),
        "preheader": (),
        "links": (),
        "images": (),
        "places": (("", Place("index.md")),),
    }
    return Edition(**(values | changes))


def people(database: Database, count: int, **fields: str) -> None:
    """Add ``count`` active people: p0@example.com and so on."""
    rows = [row(f"p{number}@example.com", {"first_name": f"P{number}", **fields}) for number in range(count)]
    with database.write() as connection:
        connection.execute(insert(person), rows)


def row(address: str, fields: dict[str, str], status: str = "active") -> dict[str, str]:
    """One person for the table."""
    stamp = "2026-01-01T00:00:00.000000Z"
    return {
        "address": address,
        "key": address.lower(),
        "fields": json.dumps(fields),
        "status": status,
        "status_at": stamp,
        "consent_at": stamp,
        "created_at": stamp,
    }


def unsubscribe(database: Database, *numbers: int) -> None:
    """Let people leave, by their number in the ledger."""
    with database.write() as connection:
        connection.execute(update(person).where(person.c.id.in_(numbers)).values(status="unsubscribed"))
        left = {"at": stamp(NOW), "what": "unsubscribed"}
        connection.execute(insert(person_event), [{"person_id": number, **left} for number in numbers])


@dataclass
class Clock:
    """A clock that moves when somebody waits, and when it is told to."""

    at: dt.datetime = NOW
    stop: threading.Event = field(default_factory=threading.Event)
    names: int = 0

    def now(self) -> dt.datetime:
        """The time, which always moves a little."""
        self.at += dt.timedelta(microseconds=1)
        return self.at

    def sleep(self, seconds: float) -> None:
        """Wait without waiting."""
        self.at += dt.timedelta(seconds=seconds)

    def name(self) -> str:
        """A name never used before."""
        self.names += 1
        return f"name-{self.names:06d}"

    def tools(self) -> desk.Tools:
        """As the code wants them."""
        return desk.Tools(self.now, self.sleep, self.stop.is_set, self.name, lambda: 0.5)


def wish(
    provider: Provider,
    made: Edition | None = None,
    *,
    batch: int = 4,
    kind: str = "issue",
    terms: Terms = NO_TERMS,
) -> Wish:
    """What is to be sent."""
    made = made or edition()
    frozen = freeze.of_edition(made, MASTHEAD)
    account, can = provider.account, provider.capabilities
    return Wish(made.issue_id, made.slug, kind, frozen, can, account, batch, "tester", terms)


def begin(database: Database, provider: Provider, **how: Any) -> Send:
    """Make a send."""
    return start.create(database, wish(provider, **how), NOW)


def work_on(database: Database, made: Send, provider: Provider, clock: Clock | None = None) -> summary.Status:
    """One thread's whole way through a send, as the command does it; the status afterwards."""
    clock = clock or Clock()
    job = desk.job(database, made.id, provider, LINKS, clock.tools())
    go_on(database, made, clock.now())
    work.run(job, 1, lambda: None)
    return status(database, made)


def go_on(database: Database, made: Send, at: dt.datetime) -> None:
    """Take a send up again that a fault held, as `send` does."""
    with database.write() as connection:
        control.resume(connection, made.id, at)


def status(database: Database, made: Send) -> summary.Status:
    """How the send stands."""
    with database.read() as connection:
        return summary.status(connection, made.id)


def fresh(folder: Path) -> Database:
    """A new database below ``folder``."""
    return open_database(folder / ".newsletter" / "newsletter.db")


def one_call(job: desk.Job, streaks: Streaks | None = None) -> None:
    """Take the next batch through, and no other."""
    claim = work.take(job)
    assert claim is not None
    with contextlib.suppress(Lost):
        attempt.deliver(job, streaks or Streaks(), claim)
