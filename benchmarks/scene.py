"""What every measurement of ``send.py`` starts from: an issue as readers get it, people in a ledger, and a provider.

Each measurement is a process of its own, so that its memory is its own, and what one leaves behind slows no other:

    python benchmarks/scene.py PART '{"folder": ..., "url": ..., ...}'     (prints what it took, as JSON)
"""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from people import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.delivery.freeze import Frozen
    from newsletter.model import Template
    from newsletter.providers.base import Provider

ROOT = Path(__file__).resolve().parent.parent
DOMAIN = "letters.example.org"
PARTS = {
    "prepare": "scene",
    "delivered": "delivered",
    "helping": "delivered",
    "unledgered": "delivered",
    "bare": "delivered",
    "anymail_mailgun": "yardstick",
    "anymail_resend": "yardstick",
}
"""Each part and the module that holds it."""


@dataclass(frozen=True)
class Scene:
    """One measurement: so many people by a provider, ``size`` a call, from ``workers`` threads of each process.

    ``per_second`` is the rate that the provider names.
    """

    folder: str
    url: str
    provider: str
    people: int
    size: int
    workers: int
    processes: int = 1
    per_second: float | None = None

    @property
    def root(self) -> Path:
        """The folder that all measurements share."""
        return Path(self.folder)

    @property
    def calls(self) -> int:
        """How many calls that makes."""
        return -(-self.people // self.size)

    def frozen(self) -> Frozen:
        """The issue: as it is where the provider puts values in, 48 kB of HTML where we do."""
        from newsletter.delivery import freeze

        name = "sample" if self.provider == "mailgun" else "large"
        return freeze.thaw((self.root / name).read_bytes())

    @property
    def ledger(self) -> Path:
        """Where the ledger of this measurement lies."""
        return self.root / "run" / "newsletter.db"

    def fresh(self) -> Path:
        """A fresh ledger with these people."""
        shutil.rmtree(self.ledger.parent, ignore_errors=True)
        self.ledger.parent.mkdir()
        shutil.copyfile(self.root / f"{self.people}.db", self.ledger)
        return self.ledger

    def made(self) -> Provider:
        """The real provider, pointed at the sink, at a rate that it never meets."""
        from newsletter.config import Account
        from newsletter.providers.mailgun import Mailgun
        from newsletter.providers.resend import Resend

        if self.provider == "mailgun":
            return Mailgun(Account(self.url, 60, self.per_second, DOMAIN), "key-of-nobody")
        return Resend(Account(self.url, 60, 1_000_000), "re_nobody")


def prepare(scene: Scene) -> dict[str, float]:
    """Render the sample issue, once as it is and once with 48 kB of HTML, and make a ledger of people."""
    from newsletter.cli import wiring
    from newsletter.config import load
    from newsletter.delivery import freeze

    target = scene.root / f"{scene.people}.db"
    if not (scene.root / "sample").exists():
        config = load(ROOT)
        edition = wiring.edition(config, wiring.issue_folder(config, None), keep=False)
        sample = freeze.of_edition(edition, config)
        (scene.root / "sample").write_bytes(freeze.freeze(sample))
        (scene.root / "large").write_bytes(freeze.freeze(_grown(sample, 48_000)))
    _people(target, scene.people)
    return {}


def _grown(sample: Frozen, size: int) -> Frozen:
    """The issue with paragraphs added until its HTML has ``size`` bytes."""
    from dataclasses import replace

    variant = sample.variants[0]
    lacking = size - sum(len(part.encode()) for part in variant.html if isinstance(part, str))
    paragraph = f"<p>{'The water at the end of our pier will stop rising, and begin to go down. ' * 9}</p>\n"
    html: Template = (*variant.html[:-1], paragraph * (lacking // len(paragraph)), variant.html[-1])
    return replace(sample, variants=(variant._replace(html=html),))


def _people(path: Path, number: int) -> None:
    from newsletter.store.database import open_database

    open_database(path).close()
    at = "2026-01-01T00:00:00.000000Z"
    statement = (
        "INSERT INTO person (address, key, fields, status_at, consent_at, created_at)"
        f" VALUES (?1, ?1, ?2, '{at}', '{at}', '{at}')"
    )
    with sqlite3.connect(path) as connection:
        connection.executemany(statement, _values(number))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _values(number: int) -> Iterator[tuple[str, str]]:
    for address, first, last, city in rows(number):
        yield address, json.dumps({"city": city, "first_name": first, "last_name": last}, ensure_ascii=False)


def main() -> None:
    """Take one part through, and print what it took."""
    part, given = sys.argv[1:]
    done: dict[str, float] = getattr(import_module(PARTS[part]), part)(Scene(**json.loads(given)))
    print(json.dumps({**done, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
