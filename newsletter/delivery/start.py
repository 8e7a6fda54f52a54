"""Making a send: content, audience and batches are frozen in one transaction, or nothing is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, literal, select, update

from newsletter.delivery import freeze, ledger
from newsletter.errors import Blocked
from newsletter.links import fingerprint
from newsletter.store import clock
from newsletter.store.tables import batch, content, delivery, person, send

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from newsletter.delivery.freeze import Frozen
    from newsletter.providers.base import Capabilities
    from newsletter.store.database import Database

_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be sent, by whom, and through whom."""

    issue_id: str
    slug: str
    kind: str
    frozen: Frozen
    capabilities: Capabilities
    account: str
    batch: int | None
    by: str

    @property
    def realm(self) -> str:
        """Real sends and trials in the outbox do not know of each other."""
        return "real" if self.capabilities.real else "outbox"

    @property
    def size(self) -> int:
        """Recipients in a batch."""
        return min(self.batch or self.capabilities.batch_max, self.capabilities.batch_max)

    def plan_id(self, content_sha: str, audience_sha: str) -> str:
        """The name of exactly this send: content, audience, provider and how it is cut."""
        parts = (content_sha, audience_sha, self.capabilities.name, self.account, str(self.size))
        return fingerprint("\n".join(parts).encode())[:12]


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


def create(
    database: Database, wish: Wish, now: dt.datetime, *, after: int | None = None, plan_id: str | None = None
) -> ledger.Send:
    """Make the send, or return the one that another process made meanwhile.

    ``after`` is the newest send of the issue that the caller has seen. With ``plan_id`` only that
    plan is carried out; raises ``Blocked`` when content or audience have changed since, or when the
    other process carries out another plan.
    """
    frozen_bytes = freeze.freeze(wish.frozen)
    content_sha = fingerprint(frozen_bytes)
    with database.write() as connection:
        newest = ledger.latest(connection, wish.issue_id, wish.realm)
        if newest and newest.id != after:
            _same_plan(newest, plan_id)
            return newest
        digest = Digest()
        for part in audience(connection):
            digest.add(part)
        found = wish.plan_id(content_sha, digest.sha)
        if plan_id and found != plan_id:
            message = f"the plan {plan_id} does not hold any more; now it would be {found}"
            raise Blocked(message, hint="Content or audience have changed: look at `newsletter plan` again.")
        if not digest.count:
            message = "there is nobody to send to"
            raise Blocked(message, hint="Import people with `newsletter subscribers import`.")
        if not connection.execute(select(content.c.sha).where(content.c.sha == content_sha)).first():
            connection.execute(insert(content).values(sha=content_sha, bytes=frozen_bytes))
        made = _send(connection, wish, now, content_sha=content_sha, audience_sha=digest.sha, plan_id=found)
        _cut(connection, wish, made, digest.count)
        return ledger.get(connection, made)


def _same_plan(made: ledger.Send, plan_id: str | None) -> None:
    if plan_id and plan_id != made.plan_id:
        message = f"{made.slug} is being sent by the plan {made.plan_id}, not {plan_id}"
        raise Blocked(message, hint=f"See how it stands: newsletter status {made.slug}")


def _send(connection: Connection, wish: Wish, now: dt.datetime, **hashes: str) -> int:
    values: dict[str, Any] = {
        "issue_id": wish.issue_id,
        "realm": wish.realm,
        "kind": wish.kind,
        "slug": wish.slug,
        "recipients": 0,
        "provider": wish.capabilities.name,
        "account": wish.account,
        "state": "running",
        "created_at": clock.stamp(now),
        "by": wish.by,
    }
    made = connection.execute(insert(send).values(**values, **hashes).returning(send.c.id)).scalar_one()
    return int(made)


def _cut(connection: Connection, wish: Wish, send_id: int, count: int) -> None:
    """Cut the audience into batches and freeze it with them; the counts are compared at the end."""
    size = wish.size
    key = wish.frozen.variants[0].key
    connection.execute(
        insert(batch),
        [
            {"send_id": send_id, "seq": seq, "variant": key, "n": min(size, count - seq * size)}
            for seq in range((count + size - 1) // size)
        ],
    )
    position = (func.row_number().over(order_by=person.c.id) - 1).label("position")
    everyone = (
        select(person.c.id, person.c.address, person.c.fields, position).where(person.c.status == "active").subquery()
    )
    members = select(literal(send_id), everyone.c.id, batch.c.id, everyone.c.address, everyone.c.fields).join_from(
        everyone, batch, (batch.c.send_id == send_id) & (batch.c.seq == everyone.c.position // size)
    )
    connection.execute(insert(delivery).from_select(["send_id", "person_id", "batch_id", "address", "fields"], members))
    frozen = connection.execute(select(func.count()).where(delivery.c.send_id == send_id)).scalar_one()
    cut = connection.execute(select(func.sum(batch.c.n)).where(batch.c.send_id == send_id)).scalar_one()
    if not frozen == cut == count:
        message = f"the frozen audience does not add up: {count} counted, {frozen} frozen, {cut} in batches"
        raise RuntimeError(message)
    connection.execute(update(send).where(send.c.id == send_id).values(recipients=count))


def content_of(connection: Connection, sha: str) -> Frozen:
    """The frozen content of a send."""
    return freeze.thaw(connection.execute(select(content.c.bytes).where(content.c.sha == sha)).scalar_one())


def tag(connection: Connection, made: ledger.Send) -> str:
    """The send's name for people: the slug, or ``slug~2`` for the second of that slug in its realm."""
    where = (send.c.slug == made.slug, send.c.realm == made.realm, send.c.id <= made.id)
    ordinal = connection.execute(select(func.count()).select_from(send).where(*where)).scalar_one()
    return made.slug if ordinal == 1 else f"{made.slug}~{ordinal}"
