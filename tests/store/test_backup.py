"""Copies of the database: whole, consistent, looked over, and never half there; putting one back."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select
from store.helpers_store import as_nobody

from newsletter.errors import BadInput, Blocked, NewsletterError, TryLater, Unwritable
from newsletter.store import backup, putback
from newsletter.store.database import Database, open_database
from newsletter.store.tables import meta

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = dt.datetime(2026, 11, 25, 8, 0, tzinfo=dt.UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database of some hundred pages, open."""
    made = open_database(tmp_path / ".newsletter" / "newsletter.db")
    with made.write() as connection:
        connection.execute(insert(meta), [{"key": f"k{n}", "value": "x" * 2000} for n in range(200)])
    yield made
    made.close()


def keys(path: Path) -> set[str]:
    """What stands in a database."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT key FROM meta")}


def leftovers(folder: Path) -> list[str]:
    """Files that nobody should find."""
    return [path.name for path in folder.rglob("*") if path.name.endswith((".part", ".tmp"))]


def test_a_copy_is_what_stood_there_when_it_began(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write between any two steps neither comes into it nor makes it begin anew."""
    monkeypatch.setattr(backup, "_PAGES", 10)
    before = keys(database.path)
    steps = []

    def write(progress: backup.Progress) -> None:
        steps.append(progress)
        assert len(steps) < 100, "it begins again with every write"
        with database.write() as connection:
            connection.execute(insert(meta).values(key=f"new-{len(steps)}", value="y" * 2000))

    made = backup.copy(database.path, tmp_path / "copy.db", told=write)
    assert keys(made.path) == before
    assert len(steps) > 10
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == steps[-1].total
    assert len(keys(database.path)) == len(before) + len(steps)


def test_a_copy_is_one_plain_file_of_the_owner_s(database: Database, tmp_path: Path) -> None:
    """0600, no log beside it, and it can be read where nothing may be written."""
    made = backup.copy(database.path, tmp_path / "copy.db")
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert made.bytes == made.path.stat().st_size
    assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"]
    with contextlib.closing(sqlite3.connect(f"file:{made.path}?immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.parametrize("kind", ["file", "link to nowhere", "folder"])
def test_what_is_there_is_never_overwritten(database: Database, tmp_path: Path, kind: str) -> None:
    """Whatever it is."""
    target = tmp_path / "copy.db"
    if kind == "file":
        target.write_text("mine")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(Blocked, match="never overwrites"):
        backup.copy(database.path, target)
    assert leftovers(tmp_path) == []


def test_what_comes_in_the_meantime_is_not_overwritten_either(database: Database, tmp_path: Path) -> None:
    """Another process makes a file of that name while the copy is under way."""
    target = tmp_path / "copy.db"
    with pytest.raises(Blocked, match="never overwrites"):
        backup.copy(database.path, target, told=lambda _: target.write_text("mine"))
    assert target.read_text() == "mine"
    assert leftovers(tmp_path) == []


def test_a_file_system_without_links_will_do(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is renamed there, and still overwrites nothing."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "copy.db"
    backup.copy(database.path, target)
    assert keys(target) == keys(database.path)
    assert leftovers(tmp_path) == []


def test_a_disk_that_fills_up_leaves_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """74, the copy is named, and no half of it stays."""
    monkeypatch.setattr(backup, "_PAGES", 10)
    connect = sqlite3.connect

    class Full(sqlite3.Connection):
        def backup(self, target: sqlite3.Connection, **how: object) -> None:
            target.execute("PRAGMA max_page_count=20")
            super().backup(target, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Full))
    with pytest.raises(Unwritable, match=r"copy\.db.*the disk is full"):
        backup.copy(database.path, tmp_path / "copy.db")
    monkeypatch.undo()
    assert not (tmp_path / "copy.db").exists()
    assert leftovers(tmp_path) == []


def test_a_disk_that_fails_at_the_very_end_leaves_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes were written, but the disk does not take them: that is no backup."""

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unwritable, match="Input/output error"):
        backup.copy(database.path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    assert leftovers(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_named() -> None:
    """74."""

    def attempt(folder: Path) -> NewsletterError:
        made = open_database(folder / "newsletter.db")
        (folder / "shut").mkdir(mode=0o555)
        with pytest.raises(Unwritable) as raised:
            backup.copy(made.path, folder / "shut" / "copy.db")
        made.close()
        return raised.value

    told = as_nobody(attempt)
    assert told.startswith("74 ")
    assert "shut/copy.db" in told


def test_a_copy_of_a_damaged_database_is_none(database: Database, tmp_path: Path) -> None:
    """SQLite copies damage without a word; looking the copy over finds it."""
    database.close()
    with database.path.open("r+b") as file:
        file.seek(40 * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(BadInput, match="a copy of it is no backup"):
        backup.copy(database.path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    assert leftovers(tmp_path) == []


def test_a_backup_that_is_killed_leaves_a_half_that_the_next_one_removes(database: Database) -> None:
    """SIGKILL in the midst of it; nothing has the name of a backup."""
    folder = database.path.parent / backup.FOLDER
    code = f"""
import os, pathlib, signal
from newsletter.store import backup
backup._PAGES = 10
folder = pathlib.Path({str(folder)!r})
with backup.alone(folder):
    backup.copy(pathlib.Path({str(database.path)!r}), folder / "a.db", told=lambda _: os.kill(os.getpid(), signal.SIGKILL))
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(leftovers(folder)) == 1
    assert not list(folder.glob("*.db"))
    with backup.alone(folder):
        assert leftovers(folder) == []


def test_two_backups_at_once_do_not_meet(tmp_path: Path) -> None:
    """The second is told to wait, and works afterwards."""
    one, two = backup.alone(tmp_path / "backups"), backup.alone(tmp_path / "backups")
    with one, pytest.raises(TryLater, match="another backup"), two:
        pass
    with backup.alone(tmp_path / "backups"):
        pass


def test_only_automatic_copies_are_pruned_and_the_oldest_first(tmp_path: Path) -> None:
    """Twelve of one second are told apart; what a person named, or a restore kept, stays."""
    database = tmp_path / "newsletter.db"
    names = []
    for second in (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1):
        path = backup.free_name(tmp_path, database, NOW + dt.timedelta(seconds=second))
        path.touch()
        names.append(path.name)
    assert names[0] == "newsletter-20261125T080000Z.db"
    assert names[9:] == [
        "newsletter-20261125T080000Z-10.db",
        "newsletter-20261125T080000Z-11.db",
        "newsletter-20261125T080001Z.db",
    ]
    others = {"newsletter-20261125T070000Z-replaced.db", "newsletter-before-the-move.db", "other-20261125T070000Z.db"}
    for name in others:
        (tmp_path / name).touch()
    gone = backup.prune(tmp_path, database, 3)
    assert sorted(path.name for path in gone) == sorted(names[:9])
    assert {path.name for path in tmp_path.iterdir()} == {*names[9:], *others}


# -- putting back ---------------------------------------------------------------------


@pytest.fixture
def old(database: Database, tmp_path: Path) -> Path:
    """A backup that does not know the key "later"."""
    made = backup.copy(database.path, tmp_path / "old.db").path
    with database.write() as connection:
        connection.execute(insert(meta).values(key="later", value="y"))
    return made


def test_what_stood_there_is_kept(database: Database, old: Path) -> None:
    """Its log is brought into it first; the backup itself stays what it was."""
    assert database.path.with_name("newsletter.db-wal").stat().st_size
    before = old.read_bytes()
    database.close()
    kept = putback.put_back(old, database.path, NOW)
    assert kept is not None
    assert kept.name == "newsletter-20261125T080000Z-replaced.db"
    assert "later" in keys(kept)
    assert "later" not in keys(database.path)
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
    assert old.read_bytes() == before
    assert leftovers(database.path.parent) == []


def test_no_old_log_comes_over_the_backup(database: Database, old: Path) -> None:
    """A log that a killed process left would bring back the very state that was replaced, or damage."""
    wal = database.path.with_name("newsletter.db-wal")
    log = wal.read_bytes()
    database.close()
    wal.write_bytes(log)
    putback.put_back(old, database.path, NOW)
    assert "later" not in keys(database.path)


def test_a_database_in_use_is_not_replaced(database: Database, old: Path) -> None:
    """75, and everything is as it was."""
    with database.read() as connection:
        connection.execute(select(meta.c.key)).first()
        with database.write() as other:
            other.execute(insert(meta).values(key="latest", value="y"))
        with pytest.raises(TryLater, match="another process"):
            putback.put_back(old, database.path, NOW)
    assert {"later", "latest"} <= keys(database.path)
    assert leftovers(database.path.parent) == []


def test_a_database_that_waits_for_readers_is_not_replaced(database: Database, old: Path) -> None:
    """`newsletter serve` would write the next unsubscribe into the file that was taken away."""
    with database.write() as connection:
        connection.execute(insert(meta).values(key="before", value="y"))
    with pytest.raises(TryLater, match="has the database open"):
        putback.put_back(old, database.path, NOW)
    with database.write() as connection:
        connection.execute(insert(meta).values(key="after", value="y"))
    assert {"before", "after"} <= keys(database.path)
    database.close()
    putback.put_back(old, database.path, NOW)
    assert "after" not in keys(database.path)


def test_a_damaged_copy_is_not_put_back(database: Database, old: Path) -> None:
    """The database stays."""
    with old.open("r+b") as file:
        file.seek(40 * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(BadInput, match="damaged"):
        putback.put_back(old, database.path, NOW)
    assert "later" in keys(database.path)
    assert leftovers(database.path.parent) == []


@pytest.mark.parametrize("damage", [b"This is a letter. " * 5000, b""])
def test_a_database_that_cannot_be_read_is_replaced_all_the_same(database: Database, old: Path, damage: bytes) -> None:
    """That is what backups are for; what is left of it is kept."""
    database.close()
    database.path.write_bytes(damage)
    kept = putback.put_back(old, database.path, NOW)
    assert kept is not None
    assert kept.read_bytes() == damage
    assert "k1" in keys(database.path)


def test_there_need_not_be_a_database(database: Database, old: Path, tmp_path: Path) -> None:
    """A new machine."""
    del database
    target = tmp_path / "new" / ".newsletter" / "newsletter.db"
    assert putback.put_back(old, target, NOW) is None
    assert keys(target) == keys(old)
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o700


def test_a_death_at_any_moment_leaves_the_one_or_the_other(
    database: Database, old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step in turn is the last one; the database is whole, and no third thing."""

    class Death(BaseException):
        pass

    database.close()
    whole = tmp_path / "whole.db"
    shutil.copy(database.path, whole)
    seen = set()
    for last in range(1, 40):
        shutil.copy(whole, database.path)
        steps = 0

        def die(step: object, last: int = last) -> object:
            def wrapped(*argv: object, **options: object) -> object:
                nonlocal steps
                steps += 1
                if steps == last:
                    raise Death
                return step(*argv, **options)  # type: ignore[operator]

            return wrapped

        with monkeypatch.context() as patch:
            for module, name in ((os, "link"), (os, "fsync"), (os, "open")):
                patch.setattr(module, name, die(getattr(module, name)))
            with contextlib.suppress(Death):
                putback.put_back(old, database.path, NOW)
        seen.add("later" in keys(database.path))
        if steps < last:
            break
    assert seen == {True, False}
