"""Copies of the database, whole and consistent while others write to it, and looked over before they count."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from newsletter.errors import BadInput, Blocked, TryLater
from newsletter.files import display, make_folder, sync, writing
from newsletter.store.database import BUSY_SECONDS, translated

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOLDER = "backups"
"""Where copies without a name of their own lie, beside the database."""

_PAGES = 2_000
"""Pages between two looks at the progress: about 8 MB."""

_AUTOMATIC = re.compile(r".+-\d{8}T\d{6}Z(?:-(\d+))?\.db")


class Progress(NamedTuple):
    """How far a copy has come, in pages."""

    done: int
    total: int


class Copied(NamedTuple):
    """A copy that counts, and the older ones that were removed for it."""

    path: Path
    bytes: int
    pruned: tuple[Path, ...] = ()


def copy(
    source: Path,
    target: Path,
    *,
    told: Callable[[Progress], object] = lambda _: None,
    replace: bool = False,
) -> Copied:
    """Copy the database to ``target`` (0600): on the disk for sure when this returns, or not there at all.

    Others may write meanwhile: the copy is what stood there when it began. Unless ``replace``, a file that is
    there is never overwritten. Raises ``Blocked`` then, ``BadInput`` when the copy is damaged, because the
    database is, and ``Unwritable`` when it cannot be written.
    """
    if not replace:
        _refuse_existing(target)
    half = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
    with writing(target):
        os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with _connected(source, "mode=rw") as read, _connected(half, "mode=rw") as written:
            with translated(source):
                # One view for the whole of it: without, every write of another process would start it anew.
                read.execute("BEGIN")
                read.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with translated(target):
                written.execute("PRAGMA journal_mode=OFF")
                read.backup(written, pages=_PAGES, progress=lambda _, left, total: told(Progress(total - left, total)))
                # A copy is one plain file; who opens it as the database turns the log on again.
                written.execute("PRAGMA journal_mode=DELETE")
        _look_over(half, source)
        size = half.stat().st_size
        with writing(target):
            sync(half)
            _name(half, target, replace=replace)
            sync(target.parent)
    finally:
        half.unlink(missing_ok=True)
    return Copied(target, size)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder of backups (0700) and be the only one to fill it; halves of copies that were killed go.

    Raises ``TryLater`` while another backup is made.
    """
    from filelock import FileLock, Timeout

    make_folder(folder, mode=0o700)
    lock = FileLock(folder / ".lock", thread_local=False)
    with writing(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:  # itself an OSError
            message = f"{display(folder)}: another backup is being made"
            raise TryLater(message, hint="Wait for it to finish, then run the same command again.") from None
    try:
        for half in folder.glob(".*.part"):
            with writing(half):
                half.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def free_name(folder: Path, database: Path, now: dt.datetime, why: str = "") -> Path:
    """A name for an automatic copy that nothing has yet: ``newsletter-20261125T080000Z.db``.

    One with a ``why`` is kept for another reason, and never pruned.
    """
    stem = f"{database.stem}-{now:%Y%m%dT%H%M%SZ}{f'-{why}' if why else ''}"
    names = (folder / f"{stem}{f'-{number}' if number > 1 else ''}.db" for number in range(1, 10_000))
    return next(path for path in names if not path.exists())


def automatic(folder: Path, database: Path) -> list[Path]:
    """The copies that were made without a name of their own, the newest first."""
    found = [path for path in folder.glob(f"{database.stem}-*.db") if _AUTOMATIC.fullmatch(path.name)]
    return sorted(found, key=_age, reverse=True)


def _age(path: Path) -> tuple[str, int]:
    """Two copies of one second are told apart by number, and ``-10`` is newer than ``-9``."""
    stem, _, number = path.stem.rpartition("Z")
    return stem, int(number.removeprefix("-") or 1)


def prune(folder: Path, database: Path, keep: int) -> tuple[Path, ...]:
    """Remove all automatic copies but the newest ``keep``; which went."""
    gone = automatic(folder, database)[keep:]
    for path in gone:
        with writing(path):
            path.unlink(missing_ok=True)
    return tuple(gone)


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        message = f"{display(target)}: there is a file already, and a backup never overwrites one"
        raise Blocked(message, hint="Choose another name, or move that file away.")


def _name(half: Path, target: Path, *, replace: bool) -> None:
    """Give the finished copy its name; a link fails where a rename would overwrite what came meanwhile."""
    if not replace:
        try:
            os.link(half, target)
        except FileExistsError:
            _refuse_existing(target)
        except OSError:  # a file system without links
            _refuse_existing(target)
        else:
            return
    half.replace(target)


def _look_over(half: Path, source: Path) -> None:
    """Raise ``BadInput`` unless SQLite finds the copy sound."""
    with translated(source), _connected(half, "mode=ro") as connection:
        try:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise
            found = str(error)
    if found != "ok":
        message = f"{display(source)}: the database is damaged, and a copy of it is no backup: {_first_line(found)}"
        raise BadInput(message, hint="Nothing was written. Put an earlier backup back: newsletter db restore FILE")


def _first_line(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("*")]
    return lines[0] if lines else text


@contextlib.contextmanager
def _connected(path: Path, how: str) -> Iterator[sqlite3.Connection]:
    """A connection of the driver's own, which sets nothing up and makes no file."""
    with translated(path):
        made = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
    try:
        yield made
    finally:
        made.close()
