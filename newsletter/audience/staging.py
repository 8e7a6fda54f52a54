"""Rows on their way in: staged in temporary tables on disk, judged and applied by SQL.

Nothing here holds more than a block of rows in memory, so a list may have any size, and the
database's write lock is held only while the judgement and the result are written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    and_,
    case,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    update,
)

from newsletter.audience.status import ACTIVE, CONSENT, IMPORTED, RANK
from newsletter.store.tables import person, person_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement

    from newsletter.audience.cells import Entry

_temporary = MetaData()
_PREFIXES = ["TEMPORARY"]

stage = Table(
    "import_stage",
    _temporary,
    Column("line", Integer, primary_key=True),
    Column("key", String, nullable=False),
    Column("address", String),
    Column("patch", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    prefixes=_PREFIXES,
)
"""Every sound row; ``address`` is empty where it equals ``key``."""

refused = Table(
    "import_refused",
    _temporary,
    Column("line", Integer, primary_key=True),
    Column("reason", String, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    prefixes=_PREFIXES,
)
"""Every row that cannot be taken, as it stands in the file."""

incoming = Table(
    "import_incoming",
    _temporary,
    Column("id", Integer, primary_key=True),
    Column("line", Integer, nullable=False),
    Column("key", String, nullable=False),
    Column("address", String),
    Column("patch", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("times", Integer, nullable=False),
    prefixes=_PREFIXES,
)
"""Each address once, in the order of the keys: its first row, with the gravest status of all its rows."""

known = Table(
    "import_known",
    _temporary,
    Column("incoming", Integer, primary_key=True),
    Column("person", Integer, nullable=False),
    Column("verdict", String, nullable=False),
    Column("status", String),
    Column("fields", Text),
    prefixes=_PREFIXES,
)
"""What the import means for those who are there already; ``status`` and ``fields`` only where they change."""

CHANGED, UNCHANGED = "changed", "unchanged"
"""Verdicts on people who are there; the others are left as they are, with their status as the verdict."""

Refusal = tuple[int, str, bytes]
"""A refused row: its line, the reason, its bytes."""

_STAGE = "INSERT INTO import_stage (line, key, address, patch, rank) VALUES (?, ?, ?, ?, ?)"
_REFUSED = "INSERT INTO import_refused (line, reason, raw) VALUES (?, ?, ?)"


def create(connection: Connection) -> None:
    """Make the temporary tables; they end with the connection."""
    _temporary.create_all(connection, checkfirst=False)


def add(connection: Connection, rows: Iterable[Entry]) -> int:
    """Stage sound rows as they come; the number of them.

    The driver draws them one by one: building lists of them made an import a twentieth slower.
    """
    cursor = connection.connection.cursor()
    cursor.executemany(_STAGE, rows)  # type: ignore[arg-type]  # sqlite3 takes any iterable
    return int(cursor.rowcount)


def refuse(connection: Connection, rows: Sequence[Refusal]) -> None:
    """Stage refused rows."""
    if rows:
        connection.exec_driver_sql(_REFUSED, list(rows))


def gather(connection: Connection, *, ranked: bool) -> None:
    """Reduce the staged rows to one for each address; ``ranked`` when the file tells a status.

    With a lone ``min()``, SQLite takes the other columns from the row that has the minimum
    (https://www.sqlite.org/lang_select.html#bareagg); one sort serves a list of any size.
    """
    graver = [(func.sum(stage.c.rank == rank) > 0, rank) for rank in sorted(RANK.values(), reverse=True)]
    gravest = case(*graver, else_=0) if ranked else literal(0)
    columns = (stage.c.key, func.min(stage.c.line), stage.c.address, stage.c.patch, gravest, func.count())
    each = select(*columns).group_by(stage.c.key).order_by(stage.c.key)
    connection.execute(insert(incoming).from_select(["key", "line", "address", "patch", "rank", "times"], each))


def judge(connection: Connection) -> None:
    """Compare with those who are there: ``known`` gets a row for each of them."""
    graver = is_graver()
    active = person.c.status == ACTIVE
    merged = func.json_patch(person.c.fields, incoming.c.patch)
    differs = and_(active, merged != person.c.fields)
    verdict = case(
        (or_(graver, differs), CHANGED),
        (~active, person.c.status),
        else_=UNCHANGED,
    )
    status = case((graver, status_of(incoming.c.rank)), else_=null())
    fields = case((differs, _sorted(merged)), else_=null())
    found = select(incoming.c.id, person.c.id, verdict, status, fields).join(person, person.c.key == incoming.c.key)
    names = ["incoming", "person", "verdict", "status", "fields"]
    connection.execute(insert(known).from_select(names, found.order_by(incoming.c.id)))


def is_graver() -> ColumnElement[bool]:
    """Whether the incoming status goes over the one that the person has."""
    return incoming.c.rank > case(*((person.c.status == status, rank) for status, rank in RANK.items()))


def status_of(rank: ColumnElement[int]) -> ColumnElement[str]:
    """The status of a rank."""
    return case(*((rank == number, status) for status, number in RANK.items()))


def _sorted(merged: ColumnElement[Any]) -> ColumnElement[Any]:
    """A JSON object with its keys in order."""
    member = func.json_each(merged).table_valued("key", "value")
    ordered = select(member.c.key, member.c.value).order_by(member.c.key).subquery()
    return select(func.json_group_object(ordered.c.key, ordered.c.value)).scalar_subquery()


def is_new() -> ColumnElement[bool]:
    """Whether nobody has the incoming address yet."""
    return ~select(known.c.incoming).where(known.c.incoming == incoming.c.id).exists()


def apply(connection: Connection, *, now: str, consent: str, reason: str, detail: str) -> None:
    """Write what ``judge`` found: new people with their consent, and changes to others."""
    last = connection.execute(select(func.coalesce(func.max(person.c.id), 0))).scalar_one()
    _insert_new(connection, now=now, consent=consent, reason=reason)
    new = person.c.id > last
    _events(connection, select(person.c.id, *_said(now, CONSENT, detail)).where(new))
    left = and_(new, person.c.status != ACTIVE)
    _events(connection, select(person.c.id, literal(now), person.c.status, literal(detail)).where(left))
    _update_known(connection, now=now, reason=reason)
    lowered, edited = known.c.status.is_not(None), known.c.fields.is_not(None)
    _events(connection, select(known.c.person, literal(now), known.c.status, literal(detail)).where(lowered))
    _events(connection, select(known.c.person, *_said(now, IMPORTED, detail)).where(edited))


def _insert_new(connection: Connection, *, now: str, consent: str, reason: str) -> None:
    blank = func.instr(incoming.c.patch, ":null") > 0
    values = {
        "address": func.coalesce(incoming.c.address, incoming.c.key),
        "key": incoming.c.key,
        "fields": case((blank, func.json_patch("{}", incoming.c.patch)), else_=incoming.c.patch),
        "status": status_of(incoming.c.rank),
        "status_at": literal(now),
        "status_reason": case((incoming.c.rank > 0, reason), else_=""),
        "consent_source": literal(consent),
        "consent_at": literal(now),
        "created_at": literal(now),
    }
    rows = select(*values.values()).where(is_new()).order_by(incoming.c.id)
    connection.execute(insert(person).from_select(list(values), rows))


def _update_known(connection: Connection, *, now: str, reason: str) -> None:
    same = person.c.id == known.c.person
    fields = update(person).values(fields=known.c.fields).where(same, known.c.fields.is_not(None))
    connection.execute(fields)
    status = update(person).values(status=known.c.status, status_at=now, status_reason=reason)
    connection.execute(status.where(same, known.c.status.is_not(None)))


def _said(now: str, what: str, detail: str) -> tuple[ColumnElement[str], ...]:
    return (literal(now), literal(what), literal(detail))


def _events(connection: Connection, rows: Any) -> None:
    connection.execute(insert(person_event).from_select(["person_id", "at", "what", "detail"], rows))
