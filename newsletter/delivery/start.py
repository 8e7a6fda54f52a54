"""Making a send: content, audience and batches are frozen in one transaction, or nothing is.

One that is planned for later is made in two: ``newsletter.delivery.schedule``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, select

from newsletter.delivery import cutting, freeze, ledger
from newsletter.delivery.terms import NO_TERMS, Terms
from newsletter.errors import Blocked
from newsletter.links import fingerprint
from newsletter.store import clock
from newsletter.store.tables import content, send

if TYPE_CHECKING:
    import datetime as dt

    from newsletter.delivery.freeze import Frozen
    from newsletter.providers.base import Capabilities
    from newsletter.store.database import Database


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be sent, by whom, through whom, and on which terms."""

    issue_id: str
    slug: str
    kind: str
    frozen: Frozen
    capabilities: Capabilities
    account: str
    batch: int | None
    by: str
    terms: Terms = NO_TERMS

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
    with cutting.ready(database, wish.terms, wish.issue_id, wish.kind), database.write() as connection:
        newest = ledger.latest(connection, wish.issue_id, wish.realm)
        if newest and newest.id != after:
            _same_plan(newest, plan_id)
            return newest
        digest = cutting.digest(connection)
        found = wish.plan_id(content_sha, digest.sha)
        if plan_id and found != plan_id:
            message = f"the plan {plan_id} does not hold any more; now it would be {found}"
            raise Blocked(message, hint="Content or audience have changed: look at `newsletter plan` again.")
        if not digest.count:
            raise nobody()
        keep(connection, content_sha, frozen_bytes)
        made = insert_send(
            connection, wish, now, state="running", content_sha=content_sha, audience_sha=digest.sha, plan_id=found
        )
        cutting.cut(connection, made, wish.terms, count=digest.count, size=wish.size, frozen=wish.frozen)
        return ledger.get(connection, made)


def nobody() -> Blocked:
    """Why a send without people is not made."""
    return Blocked("there is nobody to send to", hint="Import people with `newsletter subscribers import`.")


def _same_plan(made: ledger.Send, plan_id: str | None) -> None:
    if plan_id and plan_id != made.plan_id:
        message = f"{made.slug} is being sent by the plan {made.plan_id}, not {plan_id}"
        raise Blocked(message, hint=f"See how it stands: newsletter status {made.slug}")


def keep(connection: Connection, sha: str, frozen: bytes) -> None:
    """Store frozen content under its name, once."""
    if not connection.execute(select(content.c.sha).where(content.c.sha == sha)).first():
        connection.execute(insert(content).values(sha=sha, bytes=frozen))


def insert_send(connection: Connection, wish: Wish, now: dt.datetime, **further: str) -> int:
    """The row of a send without people yet; its number."""
    values: dict[str, Any] = {
        "issue_id": wish.issue_id,
        "realm": wish.realm,
        "kind": wish.kind,
        "slug": wish.slug,
        "recipients": 0,
        "provider": wish.capabilities.name,
        "account": wish.account,
        "created_at": clock.stamp(now),
        "by": wish.by,
        "terms": wish.terms.text(),
    }
    made = connection.execute(insert(send).values(**values, **further).returning(send.c.id)).scalar_one()
    return int(made)


def content_of(connection: Connection, sha: str) -> Frozen:
    """The frozen content of a send."""
    return freeze.thaw(connection.execute(select(content.c.bytes).where(content.c.sha == sha)).scalar_one())


def tag(connection: Connection, made: ledger.Send) -> str:
    """The send's name for people: the slug, or ``slug~2`` for the second of that slug in its realm."""
    where = (send.c.slug == made.slug, send.c.realm == made.realm, send.c.id <= made.id)
    ordinal = connection.execute(select(func.count()).select_from(send).where(*where)).scalar_one()
    return made.slug if ordinal == 1 else f"{made.slug}~{ordinal}"
