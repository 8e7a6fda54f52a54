"""The ledger's record of a send, and every arrow in the life of a batch.

Each arrow is one function, called inside a write transaction. It is guarded by the state it
expects and by the *fence*, a number that every claim raises: whoever lost a batch to somebody else
gets ``Lost`` and changes nothing. Every arrow leaves an ``event``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, insert, select, update

from newsletter.delivery import terms
from newsletter.providers.base import Fault
from newsletter.store import clock
from newsletter.store.prepared import Prepared, named
from newsletter.store.tables import batch, delivery, event, send

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from newsletter.delivery.terms import Terms
    from newsletter.providers.base import Answer, Verdict

OPEN = ("pending", "claimed", "sending")
"""States in which a batch still has its way before it."""


class Lost(Exception):
    """The batch is not as its owner left it: another process took it over, or it was cancelled."""


@dataclass(frozen=True, slots=True)
class Send:
    """One row of ``send``."""

    id: int
    issue_id: str
    realm: str
    kind: str
    slug: str
    content_sha: str
    audience_sha: str
    plan_id: str
    recipients: int
    provider: str
    account: str
    state: str
    paused_by: str | None
    pause_reason: str
    created_at: dt.datetime
    """When it began; until then, when it was planned."""
    finished_at: dt.datetime | None
    scheduled_at: dt.datetime | None
    terms: Terms
    stage: int
    """The last stage that has begun, counted from 0."""
    stage_at: dt.datetime | None
    """When the next one may begin; ``None`` until the one before has ended."""

    @property
    def approved_for(self) -> dt.datetime | None:
        """The time that its approval must name: the planned one, unless it was planned for the moment itself."""
        return self.scheduled_at if self.scheduled_at and self.scheduled_at > self.created_at else None

    @property
    def fault(self) -> Fault | None:
        """What stopped it, when a fault did."""
        name = self.pause_reason.partition(":")[0].upper()
        return Fault[name] if self.paused_by == "fault" and name in Fault.__members__ else None

    @property
    def why(self) -> str:
        """Why it is paused, for people."""
        return self.pause_reason.partition(":")[2].strip() if self.paused_by == "fault" else self.pause_reason


_TIMES = ("finished_at", "scheduled_at", "stage_at")


def _send(row: Row[Any]) -> Send:
    data = row._asdict()
    times: dict[str, Any] = {name: clock.parse(data[name]) if data[name] else None for name in _TIMES}
    plain = {name: data[name] for name in Send.__slots__ if name not in {"created_at", "terms", *_TIMES}}
    return Send(**plain, **times, created_at=clock.parse(data["created_at"]), terms=terms.read(data["terms"]))


def latest(connection: Connection, issue_id: str, realm: str) -> Send | None:
    """The newest send of an issue: the one that commands mean."""
    where = (send.c.issue_id == issue_id, send.c.realm == realm)
    row = connection.execute(select(send).where(*where).order_by(send.c.id.desc()).limit(1)).first()
    return _send(row) if row else None


def latest_of_slug(connection: Connection, slug: str, realm: str) -> Send | None:
    """The newest send of the folder ``slug``, for commands that must not depend on a readable issue."""
    where = (send.c.slug == slug, send.c.realm == realm)
    row = connection.execute(select(send).where(*where).order_by(send.c.id.desc()).limit(1)).first()
    return _send(row) if row else None


def get(connection: Connection, send_id: int) -> Send:
    """One send as it is now."""
    return _send(connection.execute(select(send).where(send.c.id == send_id)).one())


def exists(connection: Connection, send_id: int, created_at: str) -> bool:
    """Whether this ledger knows the send of this number and time."""
    where = (send.c.id == send_id, send.c.created_at == created_at)
    return connection.execute(select(send.c.id).where(*where)).first() is not None


# -- arrows ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """A batch in somebody's hands: what guards every further arrow."""

    batch: int
    fence: int
    doubt: bool


_STANDING = update(batch).where(
    batch.c.id == named("its_id"), batch.c.fence == named("its_fence"), batch.c.state == named("its_state")
)
_KNOWING = _STANDING.where(batch.c.doubt == named("its_doubt"))
_STANDS = Prepared(_STANDING)
_STANDS_AND_KNOWS = Prepared(_KNOWING)
_TRIES = Prepared(_KNOWING.values(attempts=batch.c.attempts + 1))
_EVENT = Prepared(insert(event))
_DOUBT = Prepared(select(batch.c.doubt).where(batch.c.id == named("its_id")))


def move(
    connection: Connection,
    held: Held,
    expect: str,
    to: str,
    at: dt.datetime,
    detail: str = "",
    *,
    tries: bool = False,
    **values: Any,
) -> None:
    """One guarded arrow with its event; raises ``Lost`` when the guard does not hold. ``tries`` counts an attempt.

    An acceptance counts whatever is doubted meanwhile; every other word must come from somebody who
    knows of the doubt.
    """
    guard: dict[str, Any] = {"its_id": held.batch, "its_fence": held.fence, "its_state": expect}
    arrow = _STANDS
    if to != "accepted":
        arrow = _TRIES if tries else _STANDS_AND_KNOWS
        guard["its_doubt"] = held.doubt
    if arrow.run(connection, {**guard, "state": to, **values}) != 1:
        raise Lost(held.batch)
    record = {"from_state": expect, "to_state": to, "fence": values.get("fence", held.fence), "detail": detail}
    _EVENT.run(connection, {"batch_id": held.batch, "at": clock.stamp(at), **record})


FREE: Mapping[str, Any] = {"owner": None, "lease_until": None}
UNTRIED: Mapping[str, Any] = {"idem_key": None, "payload_sha": None, "first_sent_at": None, "key_expires_at": None}


def release(connection: Connection, held: Held, at: dt.datetime, why: str) -> None:
    """From claimed to pending: nothing was tried."""
    move(connection, held, "claimed", "pending", at, why, **FREE)


@dataclass(frozen=True, slots=True)
class Intent:
    """What is frozen before the first attempt of a batch."""

    key: str
    payload_sha: str
    key_expires_at: dt.datetime | None
    lease_until: dt.datetime


def intend(connection: Connection, held: Held, at: dt.datetime, intent: Intent, failed: Iterable[Verdict]) -> None:
    """From claimed to sending: the intent, committed before anything leaves.

    With it the members are frozen: those who ``failed`` are out of the batch for good.
    """
    expires = intent.key_expires_at
    values: dict[str, Any] = {
        "idem_key": intent.key,
        "payload_sha": intent.payload_sha,
        "first_sent_at": clock.stamp(at),
        "key_expires_at": clock.stamp(expires) if expires else None,
        "lease_until": clock.stamp(intent.lease_until),
    }
    move(connection, held, "claimed", "sending", at, tries=True, **values)
    _outcomes(connection, held, "failed", failed)


def skip(connection: Connection, held: Held, at: dt.datetime, why: str, failed: Iterable[Verdict] = ()) -> None:
    """From claimed to skipped: nobody is left in the batch."""
    move(connection, held, "claimed", "skipped", at, why, **FREE)
    _outcomes(connection, held, "failed", failed)


def accept(connection: Connection, held: Held, at: dt.datetime, answer: Answer) -> None:
    """From sending to accepted, or from in doubt when the answer comes late with the same fence.

    A refusal within a batch that may have been accepted before is doubt: doubt is sticky. Those who are held back
    go on in a batch of their own, pending as if nothing had been tried.
    """
    ids = json.dumps(dict(answer.ids)) if answer.ids else None
    values = {"provider_ref": answer.ref or None, "provider_ids": ids, "error": None, **FREE}
    try:
        move(connection, held, "sending", "accepted", at, **values)
    except Lost:
        move(connection, held, "in_doubt", "accepted", at, "a late answer", **values)
    if answer.refused or answer.held_back:
        doubted = _DOUBT.one(connection, {"its_id": held.batch}) != (False,)
        _outcomes(connection, held, "in_doubt" if doubted else "refused", answer.refused)
        if doubted:
            _outcomes(connection, held, "in_doubt", answer.held_back)
        elif answer.held_back:
            why = answer.held_back[0].reason
            _part(connection, held, [[each.person for each in answer.held_back]], error=why)
            connection.execute(
                update(batch).where(batch.c.id == held.batch).values(n=batch.c.n - len(answer.held_back))
            )


def found(connection: Connection, held: Held, at: dt.datetime, answer: Answer) -> None:
    """From in doubt to accepted: the provider was asked, and has it."""
    values = {"provider_ref": answer.ref or None, "error": None, **FREE}
    move(connection, held, "in_doubt", "accepted", at, "the provider has it", **values)


def refuse(connection: Connection, held: Held, at: dt.datetime, why: str) -> None:
    """From sending to refused; in doubt when an earlier attempt may have been accepted."""
    move(connection, held, "sending", "in_doubt" if held.doubt else "refused", at, why, error=why, **FREE)


def put_back(connection: Connection, held: Held, at: dt.datetime, why: str, not_before: dt.datetime | None) -> None:
    """From sending to pending: surely not accepted, so it starts anew.

    Where an earlier attempt may have been accepted it stays in ``sending`` without an owner, to be
    made again with the same key.
    """
    later = clock.stamp(not_before) if not_before else None
    if held.doubt:
        move(connection, held, "sending", "sending", at, why, error=why, not_before=later, **FREE)
    else:
        move(connection, held, "sending", "pending", at, why, error=why, not_before=later, **FREE, **UNTRIED)


def unknown(connection: Connection, held: Held, at: dt.datetime, why: str, not_before: dt.datetime | None) -> None:
    """Nobody knows: to be made again with the same key, from now on with doubt."""
    later = clock.stamp(not_before) if not_before else None
    move(connection, held, "sending", "sending", at, why, error=why, doubt=True, not_before=later, **FREE)


def doubt(connection: Connection, held: Held, at: dt.datetime, why: str) -> None:
    """From sending to in doubt: it may have been accepted and cannot be made again safely."""
    move(connection, held, "sending", "in_doubt", at, why, error=why, doubt=True, **FREE)


def split(
    connection: Connection,
    held: Held,
    at: dt.datetime,
    why: str,
    groups: Sequence[Sequence[int]],
    *,
    expect: str = "sending",
    failed: Iterable[Verdict] = (),
) -> None:
    """Cut a batch into several with keys of their own, in one step: surely nothing of it was accepted.

    ``groups`` are people who have no outcome yet. Whoever has one goes along with the first group.
    """
    move(connection, held, expect, "split", at, why, error=why, **FREE, **UNTRIED)
    _outcomes(connection, held, "failed", failed)
    children = _part(connection, held, groups)
    rest = connection.execute(update(delivery).where(delivery.c.batch_id == held.batch).values(batch_id=children[0]))
    connection.execute(update(batch).where(batch.c.id == children[0]).values(n=batch.c.n + rest.rowcount))


def _part(
    connection: Connection, held: Held, groups: Sequence[Sequence[int]], *, error: str | None = None
) -> list[int]:
    """Move people of a batch into new ones, a batch for each group; the numbers of these."""
    columns = (batch.c.send_id, batch.c.variant, batch.c.stage)
    parent = connection.execute(select(*columns).where(batch.c.id == held.batch)).one()
    last = connection.execute(select(func.max(batch.c.seq)).where(batch.c.send_id == parent.send_id)).scalar_one()
    common = {**parent._asdict(), "parent": held.batch, "error": error}
    children: list[int] = []
    for seq, group in enumerate(groups, last + 1):
        made = insert(batch).values(**common, seq=seq, n=len(group)).returning(batch.c.id)
        children.append(connection.execute(made).scalar_one())
    mine = (delivery.c.send_id == parent.send_id, delivery.c.person_id == named("who"))
    connection.execute(
        update(delivery).where(*mine).values(batch_id=named("child")),
        [{"who": who, "child": child} for child, group in zip(children, groups, strict=True) for who in group],
    )
    return children


def _outcomes(connection: Connection, held: Held, outcome: str, verdicts: Iterable[Verdict]) -> None:
    """Write exceptions only: everyone else inherits the batch's state."""
    for each in verdicts:
        connection.execute(
            update(delivery)
            .where(delivery.c.batch_id == held.batch, delivery.c.person_id == each.person)
            .values(outcome=outcome, error=each.reason)
        )
