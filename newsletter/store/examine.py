"""Looking a database file over without changing it: damage, broken references, the schema's version."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from newsletter.errors import BadInput
from newsletter.files import display
from newsletter.store import migrate
from newsletter.store.database import BUSY_SECONDS, translated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

EXAMPLES = 5
"""How many places of one flaw are named."""


class Flaw(NamedTuple):
    """Something that does not hold: what and how often, where for example, what it means, what to do."""

    rule: str
    message: str
    number: int
    places: tuple[str, ...]
    means: str
    todo: str


@contextlib.contextmanager
def looking(path: Path) -> Iterator[Connection]:
    """One consistent view of a database that is neither made, migrated nor written to.

    Raises ``BadInput`` where there is no such file.
    """
    if not path.is_file():
        message = f"{display(path)}: there is no such file" if not path.exists() else f"{display(path)}: no plain file"
        raise BadInput(message, hint="Name a database or a backup of one.")
    uri = f"{path.absolute().as_uri()}?mode=rw"  # a file that cannot be written is opened for reading all the same

    def connect() -> sqlite3.Connection:
        made = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        made.execute("PRAGMA query_only=ON")
        return made

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with translated(path), engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()
    finally:
        engine.dispose()


def damage(connection: Connection) -> tuple[str, ...]:
    """What SQLite finds wrong with the file itself; nothing else can be relied on then."""
    try:
        rows = connection.exec_driver_sql(f"PRAGMA integrity_check({EXAMPLES})").scalars().all()
    except DatabaseError as error:
        if not _broken(error.orig):
            raise
        return (str(error.orig),)
    lines = [line for row in rows for line in str(row).splitlines() if not line.startswith("*")]
    return () if lines == ["ok"] else tuple(lines[:EXAMPLES])


def _broken(error: BaseException | None) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def version(connection: Connection, path: Path) -> str:
    """The schema's version; raises ``BadInput`` unless this program knows it."""
    found = migrate.version_of(connection)
    if found is None:
        raise BadInput(f"{display(path)}: this is no database of newsletter's", hint="Name another file.")
    if found not in migrate.REVISIONS:
        raise migrate.newer(path, found)
    return found


def instance(connection: Connection) -> str:
    """The id of the ledger in this file; empty where there is none."""
    if not inspect(connection).has_table("meta"):
        return ""
    return str(connection.execute(text("SELECT value FROM meta WHERE key = 'instance'")).scalar() or "")


def references(connection: Connection) -> Iterator[Flaw]:
    """Rows that refer to rows which are not there."""
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if rows:
        pairs = dict.fromkeys(f"{row[0]} → {row[2]}" for row in rows)
        yield Flaw(
            "references",
            "rows refer to others that are not there",
            len(rows),
            tuple(pairs)[:EXAMPLES],
            "Rows were lost, or another program wrote here.",
            "Put a backup back that `newsletter db check FILE` finds sound: newsletter db restore FILE",
        )
