"""The mark beside the database: an older copy is always noticed, and a living ledger never is."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import insert, select

from newsletter.errors import Blocked, TryLater, Unwritable
from newsletter.store import backup, clock, epochs, mark
from newsletter.store.database import Database, open_database
from newsletter.store.mark import Standing
from newsletter.store.tables import batch, content, event, meta, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = clock.parse("2026-11-25T08:00:00.000000Z")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with one send of one batch, closed."""
    database = open_database(tmp_path_factory.mktemp("ledger") / "newsletter.db")
    with database.write() as connection:
        connection.execute(insert(content).values(sha="x", bytes=b"x"))
        sent = {"issue_id": "i", "realm": "outbox", "kind": "issue", "slug": "s", "content_sha": "x"}
        sent |= {"audience_sha": "x", "plan_id": "x", "provider": "outbox", "account": "x", "state": "running"}
        connection.execute(insert(send).values(**sent, recipients=0, created_at=clock.stamp(NOW), by="me"))
        connection.execute(insert(batch).values(send_id=1, seq=0, n=0))
    database.close()
    return database.path


@pytest.fixture
def database(empty: Path, tmp_path: Path) -> Iterator[Database]:
    """A ledger of one's own."""
    made = opened(empty, tmp_path / ".newsletter" / "newsletter.db")
    yield made
    made.close()


def opened(source: Path, path: Path) -> Database:
    """A copy of a closed database, opened; these deaths keep what the operating system has been given."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy(source, path)
    made = open_database(path)
    made.close()
    sqlalchemy_event.listen(made._engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
    return made


def happen(database: Database, times: int = 1) -> None:
    """Something is written into the ledger."""
    row = {"batch_id": 1, "at": clock.stamp(NOW), "from_state": "pending", "to_state": "claimed", "fence": 1}
    with database.write() as connection:
        connection.execute(insert(event), [row] * times)


def put_back(copy: Path, database: Database) -> None:
    """Replace the database by hand."""
    database.close()
    for path in database.path.parent.glob("newsletter.db*"):
        path.unlink()
    shutil.copy(copy, database.path)


def standing(database: Database) -> Standing:
    """What the mark says."""
    return mark.look(database).standing


def written(database: Database) -> tuple[int, int]:
    """Epoch and event of the mark."""
    read = json.loads(mark.path_of(database).read_bytes())
    return read["epoch"], read["event"]


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_is_older_exactly_when_mail_has_left_that_it_does_not_know(
    database: Database, tmp_path: Path, seed: int
) -> None:
    """A copy is made after every step of a random life, and put back at its end."""
    chance = random.Random(seed)
    mark.start(database)
    life: list[tuple[int, Path]] = []
    events = known = 0
    for step in range(40):
        if chance.random() < 0.6:
            happen(database)
            events += 1
        else:
            mark.advance(database, sync=False)  # a call is made
            known = events
        life.append((events, backup.copy(database.path, tmp_path / f"{step}.db").path))
    assert standing(database) is Standing.FINE
    for at, copy in life:
        put_back(copy, database)
        assert standing(database) is (Standing.OLDER if at < known else Standing.FINE), (at, known)
    assert any(at < known for at, _ in life)


def test_nothing_is_sent_from_an_older_copy(database: Database, tmp_path: Path) -> None:
    """Neither a send begins, nor a call is made in the midst of one; the mark stays."""
    mark.start(database)
    old = backup.copy(database.path, tmp_path / "old.db").path
    happen(database)
    mark.advance(database, sync=True)
    put_back(old, database)
    for attempt in (mark.check, mark.start, lambda each: mark.advance(each, sync=False)):
        with pytest.raises(Blocked, match="an older copy") as raised:
            attempt(database)
        assert "newsletter db adopt" in str(raised.value)
    assert written(database) == (0, 1)


@pytest.mark.parametrize("dies", ["before the file", "before the memory", "before the first call", "before any call"])
def test_a_death_between_the_two_writes_says_nothing_wrong(
    database: Database, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    """The database is never behind its mark, so no death is taken for a restore."""

    class Death(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Death

    with monkeypatch.context() as patch, contextlib.suppress(Death):
        if dies == "before the file":
            patch.setattr(os, "link", die)
        elif dies == "before the memory":
            patch.setattr(epochs, "set_marked", die)
        mark.start(database)
        happen(database)
        if dies == "before the first call":
            raise Death
        mark.advance(database, sync=False)
        happen(database)
    assert standing(database) is Standing.FINE
    assert not list(database.path.parent.glob(".*.tmp"))
    mark.start(database)
    with database.read() as connection:
        assert written(database) == epochs.here(connection).position.order


def test_the_mark_only_moves_forward(database: Database) -> None:
    """A thread that is late with what it read takes nothing back."""
    mark.start(database)
    happen(database, 5)
    late = mark._bytes(mark.look(database).here)
    happen(database, 5)
    mark.advance(database, sync=False)
    assert late != mark.path_of(database).read_bytes()
    for _ in range(3):
        mark.advance(database, sync=False)
        assert written(database) == (0, 10)


def test_threads_that_mail_at_once_never_take_themselves_for_older(database: Database) -> None:
    """Each writes an event, and moves the mark, as fast as it can; at the end the mark is at the last event."""
    mark.start(database)
    step = mark.advancer(database)
    broken: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(60):
                happen(database)
                step()
        except BaseException as error:  # noqa: BLE001 - told below
            broken.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    assert written(database) == (0, 240)


def test_eight_processes_that_start_at_once_never_take_themselves_for_older(database: Database) -> None:
    """Neither over the first mark, which each of them may make, nor over anybody's progress."""
    code = f"""
import sys
sys.path[:0] = {[str(path) for path in sys.path if path]!r}
from pathlib import Path
from newsletter.store import mark
from newsletter.store.database import open_database
from store.test_restored import happen
database = open_database(Path({str(database.path)!r}))
sys.stdin.readline()
mark.start(database)
for _ in range(25):
    happen(database)
    mark.advance(database, sync=False)
    mark.check(database)
"""
    command = [sys.executable, "-c", code]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _, told = process.communicate(timeout=120)
        assert process.returncode == 0, told
    assert written(database) == (0, 200)
    assert [path.name for path in database.path.parent.glob("*ledger*")] == ["ledger.json"]


def test_the_mark_that_another_process_makes_just_now_is_not_missed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not there at the first look, and the database knows of it at the second."""
    judge = mark._judge
    looks = []

    def slow(each: Database, raw: bytes | None) -> mark.Seen:
        looks.append(raw)
        if len(looks) == 1:
            monkeypatch.setattr(mark, "_judge", judge)
            mark.start(each)
        return judge(each, raw)

    monkeypatch.setattr(mark, "_judge", slow)
    assert standing(database) is Standing.FINE
    assert looks == [None]


def test_the_mark_is_small_private_and_names_nobody(database: Database) -> None:
    """0600; it is written in place, so its size and its inode stay."""
    mark.start(database)
    path = mark.path_of(database)
    before = path.stat()
    happen(database, 1000)
    mark.advance(database, sync=True)
    after = path.stat()
    assert stat.S_IMODE(after.st_mode) == 0o600
    assert (before.st_size, before.st_ino) == (after.st_size, after.st_ino)
    assert set(json.loads(path.read_bytes())) == {"version", "instance", "epoch", "event", "at"}


def test_the_disk_is_waited_for_once_a_second(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with every call, and never longer than that ago."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    times = iter([0.0, 0.1, 0.9, 1.0, 1.5, 1.99, 2.0, 9.0])
    mark.start(database)
    step = mark.advancer(database, lambda: next(times))
    synced.clear()
    counts = []
    for _ in range(7):
        step()
        counts.append(len(synced))
    assert counts == [0, 0, 1, 1, 1, 2, 3]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_disk_that_does_not_take_the_mark_stops_the_call(
    database: Database, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """74: no mail leaves that would not be noticed."""
    mark.start(database)
    happen(database)

    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(Unwritable, match=r"ledger\.json"):
        mark.advance(database, sync=False)
    monkeypatch.undo()
    mark.advance(database, sync=False)
    assert written(database) == (0, 1)


def test_a_mark_that_is_removed_while_mail_is_sent_is_made_again(database: Database) -> None:
    """The process saw it when it began, so nothing is in question."""
    mark.start(database)
    mark.path_of(database).unlink()
    happen(database)
    mark.advance(database, sync=False)
    assert written(database) == (0, 1)


# -- epochs ---------------------------------------------------------------------------


def begin(database: Database, after: int = 0) -> int:
    """A person goes on with this copy."""
    with database.write() as connection:
        return epochs.begin(connection, after, NOW, "doubt")


def test_a_death_between_the_decision_and_the_mark_needs_no_second_decision(database: Database, tmp_path: Path) -> None:
    """The database is ahead then; the next send brings the mark after it."""
    mark.start(database)
    old = backup.copy(database.path, tmp_path / "old.db").path
    happen(database, 7)
    mark.advance(database, sync=True)
    put_back(old, database)
    assert begin(database) == 1
    assert standing(database) is Standing.FINE
    mark.start(database)
    assert written(database) == (1, 0)


def test_no_state_of_an_earlier_epoch_comes_back_unnoticed(database: Database, tmp_path: Path) -> None:
    """However many events it knows; and what was decided twice is known by the later decision."""
    mark.start(database)
    copies = [backup.copy(database.path, tmp_path / "0.db").path]
    for epoch in (1, 2, 3):
        happen(database, 10 * (4 - epoch))
        mark.advance(database, sync=True)
        copies.append(backup.copy(database.path, tmp_path / f"{epoch}.db").path)
        put_back(copies[0], database)
        seen = mark.look(database)
        assert seen.standing is Standing.OLDER
        assert seen.there is not None
        assert begin(database, seen.there.position.epoch) == epoch
        mark.set_to(database)
        assert standing(database) is Standing.FINE
    for copy in copies:
        put_back(copy, database)
        assert standing(database) is Standing.OLDER


def test_a_process_that_stands_still_with_the_mark_in_hand_is_named_and_keeps_nobody_from_looking(
    database: Database,
) -> None:
    """Ctrl-Z falls anywhere: whoever looks need not wait, and whoever mails is told instead of waiting for ever."""
    mark.start(database)
    with mark.path_of(database).open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        mark.check(database)
        with pytest.raises(TryLater, match="another process holds the mark"):
            mark.advance(database, sync=True, patience=0.05)
    mark.advance(database, sync=True, patience=0.0)


def test_an_id_that_is_given_twice_has_two_names(database: Database) -> None:
    """Only what was made after a decision bears its epoch; what the copy knew keeps its name."""
    with database.write() as connection:
        assert epochs.names(connection).of_send(1) == epochs.names(connection).of_batch(99) == ""
        epochs.begin(connection, 0, NOW, "doubt")
        connection.execute(insert(batch), [{"send_id": 1, "seq": seq, "n": 0} for seq in range(1, 5)])
        one = epochs.names(connection)
        assert [one.of_batch(number) for number in (1, 2, 5)] == ["", "~1", "~1"]
        assert [one.of_send(number) for number in (1, 2)] == ["", "~1"]
        epochs.begin(connection, 0, NOW, "unsent")
        two = epochs.names(connection)
        assert [two.of_batch(number) for number in (1, 2, 5, 6)] == ["", "~1", "~1", "~2"]
        records = connection.execute(select(meta.c.value).where(meta.c.key.startswith("epoch:"))).scalars().all()
    assert [json.loads(each)["word"] for each in records] == ["doubt", "unsent"]
