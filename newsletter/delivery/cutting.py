"""The audience of a send: who they are, in which order they come, and the batches they are cut into.

In a send with stages the order is drawn: by a hash with a key of its own, so that the same people come first in
this send whenever it is made, and others in the next one. See docs/staged-sends.md.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Subquery,
    Table,
    func,
    insert,
    literal,
    select,
    update,
)

from newsletter.store.tables import batch, delivery, meta, person, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.delivery.terms import Terms

_AT_A_TIME = 1_000

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
    Column("position", Integer, primary_key=True),
    Column("person", Integer, nullable=False),
    prefixes=["TEMPORARY"],
)
"""Everybody in the order of the draw."""


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


def cut(connection: Connection, send_id: int, terms: Terms, *, count: int, size: int, variant: str) -> None:
    """Cut the audience into batches, stage by stage, and freeze it with them; the counts are compared at the end."""
    cut_terms = terms.cut(count)
    everyone = _in_order(connection, send_id, drawn=terms.staged)
    begin = seq = 0
    for stage, end in enumerate(cut_terms.ends):
        members = end - begin
        batches = -(-members // size)
        connection.execute(
            insert(batch),
            [
                {
                    "send_id": send_id,
                    "seq": seq + at,
                    "stage": stage,
                    "variant": variant,
                    "n": min(size, members - at * size),
                }
                for at in range(batches)
            ],
        )
        here = (everyone.c.position >= begin) & (everyone.c.position < end)
        mine = (batch.c.send_id == send_id) & (batch.c.seq == seq + (everyone.c.position - begin) // size)
        columns = (literal(send_id), everyone.c.id, batch.c.id, everyone.c.address, everyone.c.fields)
        rows = select(*columns).join_from(everyone, batch, mine).where(here)
        if terms.staged:  # drawn, they would go in all over the table, which takes twice as long
            rows = rows.order_by(everyone.c.id)
        names = ["send_id", "person_id", "batch_id", "address", "fields"]
        connection.execute(insert(delivery).from_select(names, rows))
        begin, seq = end, seq + batches
    if terms.staged:
        _placed.drop(connection)
    _compare(connection, send_id, count)
    stored = cut_terms.text() if terms.staged else terms.text()
    connection.execute(update(send).where(send.c.id == send_id).values(recipients=count, terms=stored))


def _in_order(connection: Connection, send_id: int, *, drawn: bool) -> Subquery:
    """Everybody with their position: by number, or as it was drawn."""
    columns = (person.c.id, person.c.address, person.c.fields)
    if not drawn:
        position = (func.row_number().over(order_by=person.c.id) - 1).label("position")
        return select(*columns, position).where(person.c.status == "active").subquery()
    _draw(connection, send_id)
    return select(*columns, _placed.c.position).join_from(_placed, person, person.c.id == _placed.c.person).subquery()


def _draw(connection: Connection, send_id: int) -> None:
    instance = select(meta.c.value).where(meta.c.key == "instance").scalar_subquery()
    about = connection.execute(select(instance, send.c.issue_id, send.c.kind).where(send.c.id == send_id)).one()
    key = hashlib.sha256("\x1f".join(about).encode()).digest()
    for table in (_drawn, _placed):
        table.drop(connection, checkfirst=True)
        table.create(connection)
    everyone = select(person.c.id).where(person.c.status == "active")
    rows = connection.execute(everyone, execution_options={"yield_per": _AT_A_TIME}).scalars()
    for part in rows.partitions():
        connection.execute(insert(_drawn), [{"person": who, "draw": _number(key, who)} for who in part])
    position = func.row_number().over(order_by=(_drawn.c.draw, _drawn.c.person)) - 1
    connection.execute(insert(_placed).from_select(["position", "person"], select(position, _drawn.c.person)))
    _drawn.drop(connection)


def _number(key: bytes, who: int) -> int:
    """A person's draw: a number below 2**63 that says nothing of theirs."""
    return int.from_bytes(hashlib.blake2b(str(who).encode(), key=key, digest_size=8).digest()) >> 1


def _compare(connection: Connection, send_id: int, count: int) -> None:
    frozen = connection.execute(select(func.count()).where(delivery.c.send_id == send_id)).scalar_one()
    held = connection.execute(select(func.sum(batch.c.n)).where(batch.c.send_id == send_id)).scalar_one()
    if not frozen == held == count:
        message = f"the frozen audience does not add up: {count} counted, {frozen} frozen, {held} in batches"
        raise RuntimeError(message)
