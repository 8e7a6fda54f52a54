"""Migrations in bad company: killed in the midst, failing, raced; never half, and with a copy of what was there."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from store.helpers_store import made_by_version

from newsletter.errors import BadInput, Unwritable
from newsletter.store import backup, migrate
from newsletter.store.database import open_database, upgrade

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of the first schema with one person in it."""
    made = tmp_path / ".newsletter" / "newsletter.db"
    made_by_version(made, "0001")
    run(
        made,
        "INSERT INTO person VALUES (1, 'ada@example.org', 'ada@example.org', '{}', 'active', 'x', '', '', 'x', 'x')",
    )
    return made


def run(path: Path, statement: str) -> list[tuple[object, ...]]:
    """One statement by another program."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        return list(connection.execute(statement))


def schema(path: Path) -> tuple[object, list[tuple[object, ...]]]:
    """The version, and every table and index."""
    return run(path, "SELECT version_num FROM alembic_version"), run(path, "SELECT name, sql FROM sqlite_master")


def copies(path: Path) -> list[Path]:
    """What migrations left beside the database."""
    return sorted(path.parent.glob("*.bak"))


def started(path: Path, before: str = "", after: str = "") -> subprocess.Popen[bytes]:
    """A process that opens the database, with something done to it around the migration."""
    code = f"""
import os, pathlib, signal, sys, threading
from newsletter.store import backup, migrate
from newsletter.store.database import open_database
path = pathlib.Path({str(path)!r})
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
{before}
sys.stdin.readline()
open_database(path).close()
{after}
"""
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE)


KILLED = {
    "in the copy": "backup._PAGES = 1; real = backup.copy; backup.copy = lambda a, b, **k: real(a, b, told=die, **k)",
    "before the first table": "migrate._upgrade = die",
    "after the last table": "real = migrate._upgrade; migrate._upgrade = lambda c: (real(c), die())",
}


@pytest.mark.parametrize("moment", KILLED)
def test_a_migration_that_is_killed_has_not_happened(path: Path, moment: str) -> None:
    """SIGKILL: the schema is the old one to the letter; the next opening migrates whole."""
    before = schema(path)
    process = started(path, KILLED[moment])
    process.communicate(b"\n", timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert schema(path) == before
    database = open_database(path)
    database.close()
    assert schema(path)[0] == [(migrate.HEAD,)]
    assert run(path, "SELECT address FROM person") == [("ada@example.org",)]
    for copy in copies(path):
        assert run(copy, "SELECT version_num FROM alembic_version") == [("0001",)]
        assert run(copy, "PRAGMA integrity_check") == [("ok",)]
    assert copies(path)


def test_a_migration_that_fails_again_and_again_does_not_fill_the_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has changed, so no copy is needed; when it works at last there is one."""
    before = schema(path)

    def fail(_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_upgrade", fail)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                open_database(path)
    assert schema(path) == before
    assert copies(path) == []
    made = upgrade(path)
    assert made is not None
    assert (made.version, made.copy) == ("0001", copies(path)[0])
    assert upgrade(path) is None


def test_without_its_copy_no_migration_is_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk too full for the copy ends with 74, and everything as it was."""
    before = schema(path)

    def full(*_: object, **__: object) -> None:
        raise Unwritable("the disk is full")

    monkeypatch.setattr(backup, "copy", full)
    with pytest.raises(Unwritable):
        open_database(path)
    assert schema(path) == before


def test_a_damaged_database_is_not_migrated(path: Path) -> None:
    """Its copy would be no backup: 65."""
    run(path, "CREATE TABLE filler (a)")
    for _ in range(5):
        run(path, "INSERT INTO filler VALUES (zeroblob(40000))")
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 30 * 4096)
        file.write(b"\xff" * 8 * 4096)
    with pytest.raises(BadInput, match="no backup"):
        open_database(path)
    assert run(path, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert copies(path) == []


def test_several_processes_migrate_once(path: Path) -> None:
    """Six at the same moment: one migrates, one copy is made, all of them work."""
    processes = [started(path) for _ in range(6)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told.decode()
    assert schema(path)[0] == [(migrate.HEAD,)]
    assert len(copies(path)) == 1


def test_the_one_that_waits_takes_over_from_the_one_that_is_killed(path: Path) -> None:
    """The lock of the dead is free at once."""
    first = started(
        path, "migrate._upgrade = lambda c: (print('in it', flush=True, file=sys.stderr), sys.stdin.readline(), die())"
    )
    assert first.stdin is not None
    assert first.stderr is not None
    first.stdin.write(b"\n")
    first.stdin.flush()
    assert first.stderr.readline() == b"in it\n"
    second = started(path)
    assert second.stdin is not None
    second.stdin.write(b"\n")
    second.stdin.flush()
    first.kill()
    first.communicate()
    _, told = second.communicate(timeout=60)
    assert second.returncode == 0, told.decode()
    assert schema(path)[0] == [(migrate.HEAD,)]
