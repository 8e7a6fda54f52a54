"""Erased people on a list that comes in: found by one hash for each address, and left out.

The hashes are made while the list is staged, before the database is locked; under the lock only
those are looked for who were erased since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    literal,
    null,
    select,
)

from newsletter.audience.erased import VERDICT, Secret, hasher
from newsletter.audience.staging import incoming, known
from newsletter.store.tables import erased

if TYPE_CHECKING:
    import sqlite3

_temporary = MetaData()
_PREFIXES = ["TEMPORARY"]

_matches = Table(
    "import_erased",
    _temporary,
    Column("incoming", Integer, primary_key=True),
    Column("hash", String, nullable=False),
    prefixes=_PREFIXES,
)
_seen = Table("import_hashes", _temporary, Column("hash", String, primary_key=True), prefixes=_PREFIXES)


def recognise(connection: Connection, secret: Secret) -> None:
    """Find the erased among the gathered rows; raises ``BadConfig`` when somebody was erased and there is no secret."""
    _temporary.create_all(connection, checkfirst=False)
    if connection.execute(select(erased.c.hash).limit(1)).first() is not None:
        _match(connection, secret)


def _match(connection: Connection, secret: Secret) -> None:
    raw = cast("sqlite3.Connection", connection.connection.dbapi_connection)
    raw.create_function("erased_hash", 1, hasher(secret), deterministic=True)
    connection.execute(delete(_seen))
    connection.execute(delete(_matches))
    connection.execute(insert(_seen).from_select(["hash"], select(erased.c.hash)))
    digest: Any = func.erased_hash(incoming.c.key)
    found = select(incoming.c.id, digest).where(digest.in_(select(erased.c.hash)))
    connection.execute(insert(_matches).from_select(["incoming", "hash"], found))


def leave_out(connection: Connection, secret: Secret) -> None:
    """Give ``known`` a verdict on each of them, after the judgement on the others; nobody is person 0."""
    unseen = select(erased.c.hash).where(erased.c.hash.not_in(select(_seen.c.hash)))
    if connection.execute(unseen.limit(1)).first() is not None:
        _match(connection, secret)
    there = select(known.c.incoming).where(known.c.incoming == _matches.c.incoming).exists()
    rows = (
        select(_matches.c.incoming, literal(0), literal(VERDICT), null(), null())
        .join(erased, erased.c.hash == _matches.c.hash)
        .where(~there)
    )
    connection.execute(insert(known).from_select(["incoming", "person", "verdict", "status", "fields"], rows))
