"""An import that is killed, blocked, or short of room: everything of it stands, or nothing."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from audience.helpers_audience import NOW, dump, everyone, imported, statuses, write_list
from support import before_statements

from newsletter.audience import people
from newsletter.errors import TryLater, Unwritable
from newsletter.store.database import Database, open_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BEFORE = "email,name,status\nada@example.org,Ada,active\nbob@example.org,Bob,active\ncy@example.org,Cy,bounced\n"
AFTER = (
    "email,name,city,status\nada@example.org,Ada L.,Hamburg,active\nbob@example.org,Bob,,complained\nnobody,,,active\n"
    "cy@example.org,Cyrus,,active\ndee@example.org,Dee,,active\neve@example.org,Eve,,unsubscribed\n"
)


def _import(database: Database, path: Path, skip: Path | None = None) -> None:
    imported(database, path, targets={"status": "status"}, skip=skip)


def _before_statement(database: Database, act: Callable[[int, str], None]) -> None:
    """Call ``act`` with the number and the text of every statement that is about to run."""
    numbers = count(1)
    before_statements(database, lambda statement: act(next(numbers), statement))


def _in_a_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a process of its own; its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except Unwritable as error:
            os._exit(error.exit_code)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def filled(database: Database, tmp_path: Path) -> Path:
    """The file of a database with three people, closed."""
    _import(database, write_list(tmp_path, BEFORE))
    database.close()
    return database.path


def _state(path: Path) -> list[Any]:
    database = open_database(path)
    found = dump(database)
    database.close()
    return found


def test_a_kill_at_any_statement_leaves_nothing_or_everything(filled: Path, tmp_path: Path) -> None:
    """SIGKILL before each statement in turn, up to the commit; running again then completes the import."""
    path = write_list(tmp_path, AFTER, "after.csv")
    before = _state(filled)

    def attempt(copy: Path, skip: Path, deadly: int) -> int:
        def kill(number: int, _statement: str) -> None:
            if number == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

        def work() -> None:
            database = open_database(copy)
            _before_statement(database, kill)
            _import(database, path, skip)

        return _in_a_child(work)

    ends: list[int] = []
    while not ends or ends[-1] != 0:
        folder = tmp_path / str(len(ends))
        copy = folder / "newsletter.db"
        folder.mkdir()
        shutil.copy(filled, copy)
        ends.append(attempt(copy, folder / "bad.csv", len(ends) + 1))
        if ends[-1] != 0:
            assert ends[-1] == -signal.SIGKILL
            assert _state(copy) == before
            attempt(copy, folder / "again.csv", 0)
        assert _state(copy) == _state(tmp_path / "0" / "newsletter.db")
        assert [each for each in folder.glob("*.csv") if "nobody" in each.read_text()]
    assert len(ends) > 20
    assert _state(tmp_path / "0" / "newsletter.db") != before


@pytest.mark.parametrize("written", [200_000, 4_000_000, 8_000_000])
def test_a_kill_in_the_middle_of_writing_leaves_no_half(written: int, filled: Path, tmp_path: Path) -> None:
    """SIGKILL when so many bytes are in the log: it is as if nothing had been, or the commit was quicker."""
    rows = "".join(f"reader{n:05}@example.org,{'x' * 200}\n" for n in range(30_000))
    path = write_list(tmp_path, f"email,name\n{rows}", "long.csv")
    before = _state(filled)
    log = filled.with_name("newsletter.db-wal")
    child = os.fork()
    if child == 0:
        imported(open_database(filled), path)
        os._exit(0)
    while not (log.exists() and log.stat().st_size > written):
        assert os.waitpid(child, os.WNOHANG) == (0, 0)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert log.stat().st_size > written
    after = _state(filled)
    assert after == before or len(after[0]) == 30_003


def test_a_kill_after_the_commit_leaves_everything(filled: Path, tmp_path: Path) -> None:
    """What was reported as imported is on the disk, refused rows included."""
    path = write_list(tmp_path, AFTER, "after.csv")
    skip = tmp_path / "bad.csv"

    def work() -> None:
        _import(open_database(filled), path, skip)
        os.kill(os.getpid(), signal.SIGKILL)

    assert _in_a_child(work) == -signal.SIGKILL
    database = open_database(filled)
    assert statuses(database) == {
        "ada@example.org": "active",
        "bob@example.org": "complained",
        "cy@example.org": "bounced",
        "dee@example.org": "active",
        "eve@example.org": "unsubscribed",
    }
    database.close()
    assert "nobody" in skip.read_text()


def test_who_leaves_while_a_list_is_read_stays_away(database: Database, tmp_path: Path) -> None:
    """The judgement is made in the transaction that writes: it sees what happened since the file was opened."""
    _import(database, write_list(tmp_path, BEFORE))
    done = False

    def leave(_number: int, statement: str) -> None:
        nonlocal done
        if statement == "BEGIN IMMEDIATE" and not done:
            done = True
            other = open_database(database.path)
            with other.write() as connection:
                people.unsubscribe(connection, "ada@example.org", reason="just now", now=NOW)
            other.close()

    _before_statement(database, leave)
    _import(database, write_list(tmp_path, AFTER, "after.csv"), tmp_path / "bad.csv")
    ada = everyone(database)["ada@example.org"]
    assert done
    assert (ada["status"], ada["fields"]) == ("unsubscribed", {"name": "Ada"})


def test_a_database_that_is_held_leaves_no_file_behind(filled: Path, tmp_path: Path) -> None:
    """Another process's write ends the import with 75; the refused rows are not written either."""
    path = write_list(tmp_path, AFTER, "after.csv")
    before = _state(filled)
    database = open_database(filled, busy_seconds=0.05)
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TryLater):
        _import(database, path, tmp_path / "bad.csv")
    other.execute("ROLLBACK")
    other.close()
    database.close()
    assert _state(filled) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["after.csv", "people.csv", "state"]


def test_a_commit_that_fails_takes_the_refused_rows_away_again(database: Database, tmp_path: Path) -> None:
    """Their file stands for an import that was made; without one it must not stay."""
    path = write_list(tmp_path, AFTER, "after.csv")
    skip = tmp_path / "bad.csv"
    seen = []

    def fail(_number: int, statement: str) -> None:
        if statement == "COMMIT" and skip.exists():
            seen.append(skip.read_text())
            raise Unwritable("the disk is full")

    before = dump(database)
    _before_statement(database, fail)
    with pytest.raises(Unwritable, match="the disk is full"):
        _import(database, path, skip)
    assert len(seen) == 1
    assert "nobody" in seen[0]
    assert dump(database) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["after.csv", "state"]


def test_a_plan_needs_no_lock(filled: Path, tmp_path: Path) -> None:
    """While another process writes, an import can be planned."""
    database = open_database(filled, busy_seconds=0.05)
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    path = write_list(tmp_path, AFTER, "after.csv")
    plan = imported(database, path, targets={"status": "status"}, consent=None).plan
    assert (plan.new, plan.changed, plan.refused) == (2, 2, 1)
    other.close()
    database.close()


@pytest.mark.parametrize("room", [40_000, 150_000, 400_000])
def test_a_full_disk_leaves_what_was_there(room: int, filled: Path, tmp_path: Path) -> None:
    """Wherever the room ends, in the staging or in the database, the import ends with 74 and changes nothing."""
    rows = "".join(f"reader{n}@example.org,{'x' * 50},{n}\n" for n in range(10_000))
    path = write_list(tmp_path, f"email,name,n\n{rows}nobody,,\n", "long.csv")
    before = _state(filled)

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        database = open_database(filled)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        imported(database, path, skip=tmp_path / "bad.csv")

    assert _in_a_child(work) == 74
    assert _state(filled) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["long.csv", "people.csv", "state"]


def test_a_file_for_refused_rows_that_cannot_be_put_in_place_stops_the_import(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused rows are never lost: without their file nobody is imported."""
    path = write_list(tmp_path, AFTER, "after.csv")
    before = dump(database)
    skip = tmp_path / "bad.csv"
    monkeypatch.setattr("newsletter.audience.importing.check_free", lambda _path: skip.write_text("made meanwhile"))
    with pytest.raises(Unwritable, match=r"bad\.csv"):
        _import(database, path, skip)
    assert dump(database) == before
    assert skip.read_text() == "made meanwhile"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["after.csv", "bad.csv", "state"]
