"""Opening the database, and what happens when it cannot be."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from store.helpers_store import as_nobody, columns_of, made_by_version, with_little_room

from newsletter.errors import BadInput, NewsletterError, TryLater, Unwritable
from newsletter.store.database import Database, open_copy, open_database
from newsletter.store.tables import meta

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of a test shall be."""
    return tmp_path / ".newsletter" / "newsletter.db"


def _add(database: Database, key: str) -> None:
    with database.write() as connection:
        connection.execute(insert(meta).values(key=key, value="x"))


def _keys(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(meta.c.key)).scalars())


def test_only_the_owner_may_read_the_database(path: Path) -> None:
    """The folder is 0700; the file and what SQLite puts beside it are 0600."""
    database = open_database(path)
    _add(database, "a")
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert modes == {"newsletter.db": 0o600, "newsletter.db-wal": 0o600, "newsletter.db-shm": 0o600}
    database.close()


def test_every_connection_is_durable(path: Path) -> None:
    """WAL, synchronous=FULL (2) and foreign keys hold on each connection, also in threads."""
    database = open_database(path)
    found = []

    def look() -> None:
        with database.read() as connection:
            names = ("journal_mode", "synchronous", "foreign_keys")
            found.append([connection.execute(text(f"PRAGMA {name}")).scalar() for name in names])

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    assert found == [["wal", 2, 1]] * 3


def test_a_write_that_need_not_last_does_not_wait_for_the_disk(path: Path) -> None:
    """synchronous=NORMAL (1) holds for that one alone, also when it fails; what the connection had stays below it."""
    database = open_database(path)

    def level(*, durable: bool) -> object:
        with session.write(durable=durable) as connection:
            return connection.execute(text("PRAGMA synchronous")).scalar()

    def fail() -> None:
        with session.write(durable=False):
            raise LookupError

    with database.session() as session:
        assert [level(durable=False), level(durable=True)] == [1, 2]
        with pytest.raises(LookupError):
            fail()
        assert level(durable=True) == 2
        session._connection.exec_driver_sql("PRAGMA synchronous=OFF")
        assert [level(durable=False), level(durable=True)] == [0, 0]
    database.close()


def test_an_exception_rolls_a_write_back(path: Path) -> None:
    """Nothing of a block that fails stays, DDL included."""
    database = open_database(path)

    def fail() -> None:
        with database.write() as connection:
            connection.execute(text("CREATE TABLE half (a)"))
            connection.execute(insert(meta).values(key="half", value="x"))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert _keys(database) == {"instance"}
    with database.read() as connection:
        assert columns_of(connection, "half") == []
    database.close()


def test_a_session_keeps_its_temporary_tables_to_itself(path: Path) -> None:
    """They live from transaction to transaction, and end with the session."""
    database = open_database(path)
    with database.session() as session:
        with session.read() as connection:
            connection.execute(text("CREATE TEMPORARY TABLE mine (a)"))
            connection.execute(text("INSERT INTO mine VALUES (1)"))
        with session.write() as connection:
            assert connection.execute(text("SELECT a FROM mine")).scalar() == 1
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_temp_master")).scalar() == 0
    database.close()


def test_a_write_that_cannot_begin_is_to_be_tried_later(path: Path) -> None:
    """While another process writes, reading works and writing ends with 75 after the time-out."""
    database = open_database(path, busy_seconds=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert _keys(database) == {"instance"}
    with pytest.raises(TryLater, match="another process holds the database") as raised:
        _add(database, "a")
    assert raised.value.exit_code == 75
    other.execute("ROLLBACK")
    other.close()
    _add(database, "a")
    assert _keys(database) == {"instance", "a"}
    database.close()


def test_a_fresh_file_that_another_process_holds_is_to_be_tried_later(path: Path) -> None:
    """The first migration waits its time and gives up with 75, leaving the file as it is."""
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode=WAL")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TryLater):
        open_database(path, busy_seconds=0.05)
    other.execute("ROLLBACK")
    assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    other.close()


def test_a_file_that_is_locked_whole_is_to_be_tried_later(path: Path) -> None:
    """Not even the journal's mode can be set while another process locks a file that has no WAL."""
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(TryLater):
        open_database(path, busy_seconds=0.05)
    other.close()


def test_a_lock_that_is_given_back_in_time_is_waited_for(path: Path) -> None:
    """SQLite itself would not wait when the journal's mode is set; two first commands at once must not fail."""
    path.parent.mkdir()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, other.execute, ["ROLLBACK"])
    release.start()
    database = open_database(path, busy_seconds=60)
    assert _keys(database) == {"instance"}
    release.join()
    other.close()
    database.close()


def test_a_file_that_is_no_database_is_bad_input(path: Path) -> None:
    """It is named and left as it is."""
    path.parent.mkdir()
    path.write_bytes(b"This is a letter, and not a database at all. " * 100)
    before = path.read_bytes()
    with pytest.raises(BadInput, match="not a database"):
        open_database(path)
    assert path.read_bytes() == before


def test_a_damaged_database_is_named(path: Path) -> None:
    """Overwritten pages end in a clear error about the file."""
    open_database(path).close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40_000)
    with pytest.raises(Unwritable, match="damaged"):
        open_database(path)


def test_a_full_disk_leaves_what_was_there(path: Path) -> None:
    """SQLITE_FULL is 74, and the transaction is gone."""
    database = open_database(path)
    database.close()
    event.listen(database._engine, "connect", with_little_room)
    with pytest.raises(Unwritable, match="the disk is full") as raised:
        _add(database, "x" * 1_000_000)
    assert raised.value.exit_code == 74
    assert _keys(database) == {"instance"}
    database.close()


def test_a_folder_that_cannot_be_written_is_named() -> None:
    """A read-only folder is 74 and says which file."""

    def attempt(folder: Path) -> NewsletterError:
        folder.chmod(0o555)
        with pytest.raises(Unwritable) as raised:
            open_database(folder / ".newsletter" / "newsletter.db")
        return raised.value

    error = as_nobody(attempt)
    assert error.startswith("74 ")
    assert "newsletter" in error
    assert "Permission denied" in error


def test_a_read_only_database_can_be_read_but_not_written() -> None:
    """A file without the write bit opens; writing to it is 74."""

    def attempt(folder: Path) -> NewsletterError:
        path = folder / "newsletter.db"
        open_database(path).close()
        path.chmod(0o400)
        database = open_database(path)
        assert _keys(database) == {"instance"}
        with pytest.raises(Unwritable) as raised:
            _add(database, "a")
        return raised.value

    error = as_nobody(attempt)
    assert error.startswith("74 ")
    assert "read-only" in error


def test_an_error_that_is_ours_is_not_dressed_up(path: Path) -> None:
    """A broken constraint stays what it is, and tells no value."""
    database = open_database(path)
    _add(database, "ada@example.org is full")
    with pytest.raises(IntegrityError) as raised:
        _add(database, "ada@example.org is full")
    assert "ada@example.org" not in str(raised.value)
    database.close()


def test_opening_twice_in_one_process_drops_no_lock(path: Path) -> None:
    """A second opening must close no descriptor of the file: POSIX would drop the first one's lock with it.

    Without that lock another process takes itself for the last user and removes the log.
    """
    first = open_database(path)
    _add(first, "a")
    open_database(path).close()
    code = (
        f"import sqlite3; c = sqlite3.connect({str(path)!r}); print(c.execute('SELECT count(*) FROM meta')); c.close()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert path.with_name("newsletter.db-wal").exists()
    _add(first, "b")
    first.close()
    second = open_database(path)
    assert _keys(second) == {"instance", "a", "b"}
    second.close()


def test_compacting_leaves_nothing_of_what_was_deleted(path: Path) -> None:
    """No byte of an old value is in the file, its log, or anywhere beside them."""
    database = open_database(path)
    with database.write() as connection:
        connection.execute(insert(meta), [{"key": f"k{n}", "value": f"telltale-{n}-" + "x" * 3000} for n in range(50)])
    with database.write() as connection:
        connection.execute(update(meta).where(meta.c.key.startswith("k")).values(value="gone"))
    assert any(b"telltale-" in each.read_bytes() for each in path.parent.iterdir())
    database.compact()
    assert not any(b"telltale-" in each.read_bytes() for each in path.parent.iterdir())
    assert len(_keys(database)) == 51
    database.close()


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN IMMEDIATE"])
def test_compacting_waits_for_others(begin: str, path: Path) -> None:
    """A process that reads or writes holds older pages: 75, and afterwards it works."""
    database = open_database(path, busy_seconds=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(begin)
    other.execute("SELECT * FROM meta").fetchall()
    if begin == "BEGIN":
        _add(database, "a")
    with pytest.raises(TryLater, match="another process holds the database"):
        database.compact()
    other.execute("ROLLBACK")
    other.close()
    database.compact()
    assert path.with_name("newsletter.db-wal").stat().st_size == 0
    database.close()


def test_a_backup_is_opened_as_it_is(path: Path) -> None:
    """Its schema stays, and it can be written; what is no database of ours is bad input."""
    made_by_version(path, "0001")
    copy = open_copy(path)
    _add(copy, "a")
    with copy.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001"
    copy.close()
    assert [each.name for each in path.parent.iterdir()] == ["newsletter.db"]
    for data in (b"", b"no database at all, by far" * 100):
        path.write_bytes(data)
        with pytest.raises(BadInput, match=r"newsletter\.db: this"):
            open_copy(path)
