"""Two versions of the program at once: an older one works while a newer one is installed and called."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from store.helpers_store import made_by_version
from support import CONFIGURATION, Workspace

from newsletter.delivery import owners
from newsletter.store import migrate

if TYPE_CHECKING:
    from pathlib import Path

SLUG = "2026-11-23-hello"
COUNT = 400


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """A workspace with an issue and some people, two in a batch."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}send:\n  batch: 2\n  workers: 1\n")
    workspace.issue("Hello.\n")
    workspace.write("people.csv", "email\n" + "".join(f"p{number}@example.com\n" for number in range(1, COUNT + 1)))
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "form")
    return workspace


def database(workspace: Workspace) -> Path:
    """The file."""
    return workspace.root / ".newsletter" / "newsletter.db"


def schema(path: Path) -> str:
    """The version that stands in it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def set_schema(path: Path, version: str) -> None:
    """What a migration does last."""
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


def arrived(workspace: Workspace) -> Counter[str]:
    """Messages by person, as the outbox alone knows."""
    folder = workspace.root / ".newsletter" / "outbox" / SLUG
    return Counter(path.name.partition("-")[0] for path in folder.glob("*.eml"))


@pytest.mark.parametrize("command", [("db", "upgrade"), ("subscribers", "stats"), ("status",)])
def test_no_migration_is_made_under_an_older_version_s_send(ready: Workspace, command: tuple[str, ...]) -> None:
    """75, and the database is as it was; when the send has ended, the same command migrates."""
    path = database(ready)
    for each in path.parent.glob("newsletter.db*"):
        each.unlink()
    made_by_version(path, "0001")
    with owners.alive(path.parent / "locks", owners.name(1, "older")):
        refused = ready.run(*command)
        assert refused.code == 75
        assert "an older version of newsletter is sending mail" in refused.err
        assert schema(path) == "0001"
        assert not list(path.parent.glob("*.bak"))
    assert ready.run(*command).code == (1 if command == ("status",) else 0)
    assert schema(path) == migrate.HEAD


def test_a_send_stops_when_the_schema_changes_under_it(ready: Workspace) -> None:
    """65 and one clear sentence; with the right version again it goes on, and everybody gets one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "send", "--yes"],
        cwd=ready.root,
        env=ready.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not arrived(ready) and process.poll() is None:
        time.sleep(0.002)
    set_schema(database(ready), "9999")
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 65, told
    assert f"has changed this database's schema ({migrate.HEAD} → 9999)" in told
    assert "Traceback" not in told
    assert len(arrived(ready)) < COUNT
    set_schema(database(ready), migrate.HEAD)
    assert ready.newsletter("send", "--yes").code == 0
    assert set(arrived(ready).values()) == {1}
    assert len(arrived(ready)) == COUNT
