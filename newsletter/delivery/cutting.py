"""The audience of a send: who they are, in which order they come, and the batches they are cut into.

In a send with stages the order is drawn: by a hash with a key of its own, so that the same people come first in
this send whenever it is made, and others in the next one. See docs/staged-sends.md.
"""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Subquery,
    Table,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from newsletter.delivery import parting
from newsletter.store.tables import batch, delivery, meta, person, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.delivery.freeze import Frozen
    from newsletter.delivery.terms import Terms
    from newsletter.store.database import Database

_AT_A_TIME = 1_000

_LITTLE, _ROOM = 2_000, 16_000
"""KiB of pages: people are frozen in the order of their numbers, and their batches are all over an index meanwhile."""

_temporary = MetaData()

_drawn = Table(
    "drawn",
    _temporary,
    Column("person", Integer, primary_key=True),
    Column("draw", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)
"""What everybody has drawn; a table, so that a million people take no memory."""

_placed = Table(
    "placed",
    _temporary,
    Column("person", Integer, primary_key=True),
    Column("position", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)
"""Everybody's place in the order of the draw."""


def audience(connection: Connection) -> Iterator[list[tuple[int, str, str]]]:
    """Everyone who is active: person, address and values, in order, some at a time."""
    everyone = select(person.c.id, person.c.address, person.c.fields).where(person.c.status == "active")
    rows = connection.execute(everyone.order_by(person.c.id), execution_options={"yield_per": _AT_A_TIME})
    for part in rows.partitions():
        yield [(row[0], row[1], row[2]) for row in part]


class Digest:
    """The audience's hash, fed in order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, part: list[tuple[int, str, str]]) -> None:
        """Take in the next recipients."""
        self.count += len(part)
        self._hash.update("".join(f"{who}\x1f{address}\x1f{fields}\x1e" for who, address, fields in part).encode())

    @property
    def sha(self) -> str:
        """The hash of all that was added."""
        return self._hash.hexdigest()


def digest(connection: Connection) -> Digest:
    """The whole audience's."""
    made = Digest()
    for part in audience(connection):
        made.add(part)
    return made


@contextlib.contextmanager
def ready(database: Database, terms: Terms, issue_id: str, kind: str) -> Iterator[None]:
    """Draw the order of a send in stages before the block, whose transaction then holds the others up for less.

    Drawing a million people takes longer than they would wait. The tables are those of one connection, which this
    thread keeps for the block; who comes or leaves before ``cut`` is seen there.
    """
    if not terms.staged:
        yield
        return
    with database.kept(cache=_LITTLE) as session:
        with session.read() as connection:
            _draw(connection, issue_id, kind)
        session.allow(_ROOM)
        yield


def cut(connection: Connection, send_id: int, terms: Terms, *, count: int, size: int, frozen: Frozen) -> None:
    """Cut the audience into batches, stage by stage and in them by variant, and freeze it with them.

    The counts are compared at the end.
    """
    cut_terms = terms.cut(count)
    everyone = _in_order(connection, send_id, drawn=terms.staged)
    several = parting.part(connection, everyone, frozen) if frozen.choices else None
    begin = seq = 0
    for stage, end in enumerate(cut_terms.ends):
        here = (everyone.c.position >= begin) & (everyone.c.position < end)
        place = everyone.c.position - begin
        only = select(everyone.c.id, everyone.c.address, everyone.c.fields, place.label("place")).where(here).subquery()
        groups = [(frozen.variants[0].key, end - begin, only)] if several is None else several(begin, end)
        for variant, members, rows in groups:
            batches = [min(size, members - at) for at in range(0, members, size)]
            shared = {"send_id": send_id, "stage": stage, "variant": variant}
            connection.execute(insert(batch), [{**shared, "seq": seq + at, "n": n} for at, n in enumerate(batches)])
            mine = (batch.c.send_id == send_id) & (batch.c.seq == seq + rows.c.place // size)
            columns = (literal(send_id), rows.c.id, batch.c.id, rows.c.address, rows.c.fields)
            found = select(*columns).join_from(rows, batch, mine)
            if terms.staged:  # in the order of the table: drawn, they would go in all over it, twice as slowly
                found = found.order_by(rows.c.id)
            names = ["send_id", "person_id", "batch_id", "address", "fields"]
            connection.execute(insert(delivery).from_select(names, found))
            seq += len(batches)
        begin = end
    for table in (*_temporary.tables.values(), *parting.TEMPORARY):
        table.drop(connection, checkfirst=True)
    _compare(connection, send_id, count)
    stored = cut_terms.text() if terms.staged else terms.text()
    connection.execute(update(send).where(send.c.id == send_id).values(recipients=count, terms=stored))


def _in_order(connection: Connection, send_id: int, *, drawn: bool) -> Subquery:
    """Everybody with their position: by number, or as it was drawn."""
    columns = (person.c.address, person.c.fields)
    if not drawn:
        position = (func.row_number().over(order_by=person.c.id) - 1).label("position")
        return select(person.c.id, *columns, position).where(person.c.status == "active").subquery()
    about = connection.execute(select(send.c.issue_id, send.c.kind).where(send.c.id == send_id)).one()
    _draw(connection, *about)
    placed = (_placed.c.person.label("id"), *columns, _placed.c.position)
    return select(*placed).join_from(_placed, person, person.c.id == _placed.c.person).subquery()


def _draw(connection: Connection, issue_id: str, kind: str) -> None:
    """Let everybody draw who has not yet, and give all their places if anybody came or left."""
    instance = connection.execute(select(meta.c.value).where(meta.c.key == "instance")).scalar_one()
    key = hashlib.sha256(f"{instance}\x1f{issue_id}\x1f{kind}".encode()).digest()
    for table in _temporary.tables.values():
        table.create(connection, checkfirst=True)
    active = select(person.c.id).where(person.c.status == "active")
    left = connection.execute(delete(_drawn).where(_drawn.c.person.not_in(active))).rowcount
    came = 0
    new = active.where(person.c.id.not_in(select(_drawn.c.person)))
    for part in connection.execute(new, execution_options={"yield_per": _AT_A_TIME}).scalars().partitions():
        connection.execute(insert(_drawn), [{"person": who, "draw": _number(key, who)} for who in part])
        came += len(part)
    if not (left or came):
        return
    connection.execute(delete(_placed))
    position = func.row_number().over(order_by=(_drawn.c.draw, _drawn.c.person)) - 1
    rows = select(_drawn.c.person, position).order_by(_drawn.c.person)
    connection.execute(insert(_placed).from_select(["person", "position"], rows))


def _number(key: bytes, who: int) -> int:
    """A person's draw: a number below 2**63 that says nothing of theirs."""
    return int.from_bytes(hashlib.blake2b(str(who).encode(), key=key, digest_size=8).digest()) >> 1


def _compare(connection: Connection, send_id: int, count: int) -> None:
    frozen = connection.execute(select(func.count()).where(delivery.c.send_id == send_id)).scalar_one()
    held = connection.execute(select(func.sum(batch.c.n)).where(batch.c.send_id == send_id)).scalar_one()
    if not frozen == held == count:
        message = f"the frozen audience does not add up: {count} counted, {frozen} frozen, {held} in batches"
        raise RuntimeError(message)
