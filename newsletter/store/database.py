"""Opening the database, and the only two ways to talk to it: ``read`` and ``write``.

SQLite runs in WAL mode with ``synchronous=FULL`` and a busy time-out. The driver's own
transactions are off: every write begins with ``BEGIN IMMEDIATE``, because a deferred
read-then-write fails as "locked" at once, and DDL must roll back with the rest.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, select
from sqlalchemy.exc import DBAPIError

from newsletter.errors import BadInput, NewsletterError, TryLater, Unwritable
from newsletter.files import display, make_folder, writing
from newsletter.store import migrate
from newsletter.store.tables import meta

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUSY_SECONDS = 15.0
"""How long a statement waits for another process's write before it gives up."""

_PAUSE = 0.02

_FULL = 2
"""``synchronous=FULL`` as SQLite tells it."""


class Session:
    """One connection for several transactions in turn; its temporary tables end with it."""

    def __init__(self, connection: Connection, path: Path, turn: threading.Lock, schema: str) -> None:
        self._connection = connection
        self._path = path
        self._turn = turn
        self._schema = schema
        self._driver: Any = connection.connection.dbapi_connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view for the block; it blocks nobody, and may fill temporary tables."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A write transaction: committed at the end of the block, rolled back by an exception.

        Unless it is ``durable``, a power failure may take it back, whole, until the next one that is.
        Threads of one process take turns here: SQLite would let them sleep and ask again.
        """
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise _held(display(self._path))
        try:
            with self._synchronous(durable=durable), self._transaction("BEGIN IMMEDIATE") as connection:
                yield connection
        finally:
            self._turn.release()

    def detach(self) -> None:
        """Keep this connection from going back to the others."""
        self._connection.detach()

    def allow(self, cache: int) -> None:
        """Let this connection hold that many KiB of pages."""
        self._connection.exec_driver_sql(f"PRAGMA cache_size=-{cache}")

    @contextlib.contextmanager
    def _synchronous(self, *, durable: bool) -> Iterator[None]:
        """Whether commits in the block wait for the disk (https://www.sqlite.org/pragma.html#pragma_synchronous)."""
        if durable or self._run("PRAGMA synchronous").fetchone() != (_FULL,):
            yield
            return
        self._run("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            self._run("PRAGMA synchronous=FULL")

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with translated(self._path):
            self._run(begin)
            try:
                migrate.check_still(self._connection, self._schema)
                yield self._connection
                self._run("COMMIT")
            finally:
                if self._driver.in_transaction:
                    self._driver.rollback()
                if self._connection.in_transaction():
                    self._connection.rollback()

    def _run(self, statement: str) -> Any:
        """What every transaction needs, without SQLAlchemy, whose way there takes longer than what is done."""
        return self._driver.execute(statement)


class Database:
    """One open database; safe to share between threads, not between processes.

    Every transaction raises ``BadInput`` once another version of the program has migrated the database.
    """

    def __init__(self, engine: Engine, path: Path, schema: str) -> None:
        self._engine = engine
        self._schema = schema
        self.path = path
        self._turn = threading.Lock()
        self._kept = threading.local()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view for the block; it blocks nobody."""
        with self._pooled() as session, session.read() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A write transaction: committed at the end of the block, rolled back by an exception.

        Unless it is ``durable``, a power failure may take it back, whole, until the next one that is.
        """
        with self._pooled() as session, session.write(durable=durable) as connection:
            yield connection

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A connection of one's own, closed at the end of the block."""
        with self._pooled() as session:
            session.detach()
            yield session

    @contextlib.contextmanager
    def kept(self, *, cache: int) -> Iterator[Session]:
        """Give all transactions of this thread one connection for the block; what one leaves in temporary tables stays.

        It may hold ``cache`` KiB of pages, and is closed at the end.
        """
        with self.session() as session:
            session.allow(cache)
            self._kept.session = session
            try:
                yield session
            finally:
                self._kept.session = None

    @contextlib.contextmanager
    def _pooled(self) -> Iterator[Session]:
        kept = getattr(self._kept, "session", None)
        if kept is not None:
            yield kept
            return
        with translated(self.path), self._engine.connect() as connection:
            yield Session(connection, self.path, self._turn, self._schema)

    def instance(self) -> str:
        """This ledger's id, made with the database."""
        with self.read() as connection:
            return str(connection.execute(select(meta.c.value).where(meta.c.key == "instance")).scalar_one())

    def compact(self) -> None:
        """Rewrite the file without the room that deleted rows left, and empty the write-ahead log.

        Raises ``TryLater`` while another process is in the way; until then older pages lie in the files.
        """
        with translated(self.path), self._engine.connect() as connection:
            connection.exec_driver_sql("VACUUM")
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar()
        if busy:
            raise _held(display(self.path))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()


def open_database(
    path: Path, *, busy_seconds: float = BUSY_SECONDS, before: Callable[[], object] = lambda: None
) -> Database:
    """Open the SQLite file, making it (0600, in a folder of 0700) or migrating it first if needed.

    ``before`` is called before a migration, and may raise to prevent it. Raises ``Unwritable``, ``TryLater`` when
    another process holds it, or ``BadInput`` when it was made by a newer version or isn't a database.
    """
    make_folder(path.parent, mode=0o700)
    # Only a new file is opened here: closing a descriptor of one that SQLite has open in this
    # process would drop its locks (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    with writing(path), contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    engine = _engine(path, busy_seconds)
    try:
        with translated(path):
            migrate.bring_up_to_date(engine, before=before)
    except BaseException:
        engine.dispose()
        raise
    return Database(engine, path, migrate.HEAD)


def upgrade(
    path: Path, *, busy_seconds: float = BUSY_SECONDS, before: Callable[[], object] = lambda: None
) -> migrate.Upgrade | None:
    """Bring an existing file up to date, as opening it does; what was done, ``None`` for nothing."""
    engine = _engine(path, busy_seconds)
    try:
        with translated(path):
            return migrate.bring_up_to_date(engine, before=before)
    finally:
        engine.dispose()


def open_copy(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> Database:
    """Open a backup with the schema that it has; it is neither made nor migrated.

    Raises ``BadInput`` when it has a schema this version doesn't know or is no database of ours.
    """
    engine = _engine(path, busy_seconds)
    try:
        with translated(path):
            schema = migrate.check_known(engine)
    except BaseException:
        engine.dispose()
        raise
    return Database(engine, path, schema)


def _engine(path: Path, busy_seconds: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
        pool_size=32,
        pool_reset_on_return=None,  # every transaction is ended by whoever began it
        max_overflow=32,
        hide_parameters=True,  # people's addresses belong in no traceback
    )
    event.listen(engine, "connect", lambda connection, _record: _prepare(connection, busy_seconds))
    return engine


def _prepare(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Set a new connection up: WAL, every commit on the disk before it returns, foreign keys on, no remains."""
    connection.isolation_level = None
    deadline = time.monotonic() + busy_seconds
    while (mode := _journal(connection, deadline)) is None:
        time.sleep(_PAUSE)
    if mode != "wal":
        message = "the disk cannot hold the database: it does not allow a write-ahead log"
        raise Unwritable(message, hint="Keep the workspace on a local disk, not on a network share.")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA main.secure_delete=ON")


def _journal(connection: sqlite3.Connection, deadline: float) -> str | None:
    """The journal mode after asking for WAL, or ``None`` when another process is in the way.

    SQLite doesn't wait for the busy time-out here, so two processes that make one file at once
    would otherwise fail.
    """
    try:
        return str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
    except sqlite3.OperationalError as error:
        if _code(error) not in _BUSY or time.monotonic() > deadline:
            raise
        return None


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the driver's errors into ours, with what to do."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        ours = _ours(_code(getattr(error, "orig", None) or error), display(path))
        if ours is None:
            raise
        raise ours from error


def _code(error: BaseException) -> int:
    """SQLite's primary result code, https://www.sqlite.org/rescode.html; 0 without one."""
    return int(getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_UNWRITABLE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_PERM: "access is denied",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
}

_RESTORE = "newsletter db restore FILE"


def _held(path: str) -> TryLater:
    message = f"{path}: another process holds the database"
    return TryLater(message, hint="Wait for it to finish, then run the same command again.")


def _ours(code: int, path: str) -> NewsletterError | None:
    if code in _BUSY:
        return _held(path)
    if code in _UNWRITABLE:
        message = f"{path}: the database cannot be written: {_UNWRITABLE[code]}"
        hint = "Free some space or mend the permissions, then run the same command again. Nothing is half written."
        return Unwritable(message, hint=hint)
    if code == sqlite3.SQLITE_NOTADB:
        return BadInput(
            f"{path}: this file is not a database", hint=f"Move it away, or put a backup in its place: {_RESTORE}"
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return Unwritable(f"{path}: the database is damaged", hint=f"Put a backup in its place: {_RESTORE}")
    return None
