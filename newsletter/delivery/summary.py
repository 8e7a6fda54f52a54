"""How a send stands: people and batches by state, time and rate, and the exit code it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, func, select

from newsletter.delivery import ledger
from newsletter.store import clock
from newsletter.store.mentions import ERASED
from newsletter.store.tables import batch, delivery, event

if TYPE_CHECKING:
    from newsletter.delivery.ledger import Send

OUTCOMES = ("accepted", "refused", "failed", "skipped", "cancelled", "in_doubt", "open")
"""What can have become of a recipient; every recipient has exactly one."""

_OF_BATCH = {"pending": "open", "claimed": "open", "sending": "open"}
_EXAMPLES = 5


class Part(NamedTuple):
    """One stage of a send: what part of all it reaches up to, how many people are in it, and how many are settled."""

    share: str
    people: int
    settled: int


@dataclass(frozen=True, slots=True)
class Status:
    """A send and its counts; ``examples`` are people who got nothing, with the reason."""

    send: Send
    people: dict[str, int]
    batches: dict[str, int]
    examples: tuple[tuple[str, str, str], ...]
    seconds: float
    """From the first attempt to the last answer."""
    parts: tuple[Part, ...] = ()
    """Its stages, if it has any."""

    @property
    def settled(self) -> int:
        """Recipients whose way has ended."""
        return self.send.recipients - self.people["open"]

    @property
    def per_second(self) -> float | None:
        """Accepted messages a second, over the whole of the time."""
        return self.people["accepted"] / self.seconds if self.seconds > 0 else None

    def data(self) -> dict[str, Any]:
        """For ``--json``."""
        made = self.send
        return {
            "send": made.id,
            "issue": made.issue_id,
            "slug": made.slug,
            "realm": made.realm,
            "kind": made.kind,
            "provider": made.provider,
            "state": made.state,
            "paused_by": made.paused_by,
            "reason": made.why,
            "created_at": clock.stamp(made.created_at),
            "finished_at": clock.stamp(made.finished_at) if made.finished_at else None,
            "scheduled_at": clock.stamp(made.scheduled_at) if made.scheduled_at else None,
            "stage": made.stage + 1 if made.terms.staged else None,
            "next_stage_at": clock.stamp(made.stage_at) if made.stage_at else None,
            "stages": [each._asdict() for each in self.parts],
            "recipients": made.recipients,
            "people": self.people,
            "batches": self.batches,
            "seconds": round(self.seconds, 3),
            "per_second": round(self.per_second, 1) if self.per_second else None,
            "examples": [{"address": a, "outcome": o, "reason": r} for a, o, r in self.examples],
        }


def settled(connection: Connection, send_id: int) -> int:
    """How many recipients' batches have ended; quick enough to be asked several times a second."""
    ended = select(func.coalesce(func.sum(batch.c.n), 0)).where(
        batch.c.send_id == send_id, batch.c.state.not_in((*ledger.OPEN, "split"))
    )
    return int(connection.execute(ended).scalar_one())


def status(connection: Connection, send_id: int) -> Status:
    """Everything about a send as it is now."""
    people = dict.fromkeys(OUTCOMES, 0)
    batches: dict[str, int] = {}
    grouped = select(batch.c.state, func.count(), func.sum(batch.c.n)).where(batch.c.send_id == send_id)
    for state, count, members in connection.execute(grouped.group_by(batch.c.state)):
        batches[state] = count
        if state != "split":
            people[_OF_BATCH.get(state, state)] += members
    own = (
        select(batch.c.state, delivery.c.outcome, func.count())
        .join(batch, batch.c.id == delivery.c.batch_id)
        .where(delivery.c.send_id == send_id, delivery.c.outcome.is_not(None))
        .group_by(batch.c.state, delivery.c.outcome)
    )
    for state, outcome, count in connection.execute(own):
        people[_OF_BATCH.get(state, state)] -= count
        people[outcome] += count
    first, last = connection.execute(
        select(func.min(event.c.at), func.max(event.c.at))
        .join(batch, batch.c.id == event.c.batch_id)
        .where(batch.c.send_id == send_id, event.c.to_state.in_(("sending", "accepted", "refused")))
    ).one()
    seconds = (clock.parse(last) - clock.parse(first)).total_seconds() if first else 0.0
    made = ledger.get(connection, send_id)
    return Status(made, people, batches, _examples(connection, send_id), seconds, _parts(connection, made))


def _parts(connection: Connection, made: Send) -> tuple[Part, ...]:
    """The stages; how many people each has is known once the audience is frozen."""
    if not made.terms.staged:
        return ()
    ended = (batch.c.send_id == made.id, batch.c.state.not_in((*ledger.OPEN, "split", "cancelled")))
    rows = connection.execute(select(batch.c.stage, func.sum(batch.c.n)).where(*ended).group_by(batch.c.stage))
    settled = {row[0]: row[1] for row in rows}
    sizes = made.terms.sizes() or (0,) * len(made.terms.shares)
    named = enumerate(zip(made.terms.shares, sizes, strict=True))
    return tuple(Part(share, size, settled.get(at, 0)) for at, (share, size) in named)


def _examples(connection: Connection, send_id: int) -> tuple[tuple[str, str, str], ...]:
    """A few who got nothing, or nobody knows; of each outcome the first, before the second of any."""
    found = [_of_outcome(connection, send_id, outcome) for outcome in ("refused", "failed", "in_doubt")]
    ranked = sorted((rank, row) for rows in found for rank, row in enumerate(rows))[:_EXAMPLES]
    return tuple((row[1], row[2], row[3]) for row in sorted(row for _, row in ranked))


def _of_outcome(connection: Connection, send_id: int, outcome: str) -> list[tuple[Any, ...]]:
    """The first few with this outcome, be it their own or their whole batch's."""
    shown = (
        delivery.c.person_id,
        func.coalesce(func.nullif(delivery.c.address, ""), ERASED),
        func.coalesce(delivery.c.outcome, batch.c.state),
        func.coalesce(delivery.c.error, batch.c.error, ""),
    )
    joined = select(*shown).join_from(batch, delivery, delivery.c.batch_id == batch.c.id).limit(_EXAMPLES)
    # In the index's own order: a sort would read all of them.
    own = joined.where(delivery.c.send_id == send_id, delivery.c.outcome == outcome)
    own = own.order_by(delivery.c.batch_id, delivery.c.person_id)
    bad = select(batch.c.id).where(batch.c.send_id == send_id, batch.c.state == outcome).order_by(batch.c.id)
    whole = joined.where(batch.c.id.in_(bad.limit(_EXAMPLES)), delivery.c.outcome.is_(None))
    return sorted(tuple(row) for query in (own, whole) for row in connection.execute(query))[:_EXAMPLES]


def exit_code(status: Status, *, interrupted: bool = False) -> int:
    """The first that applies, as the contract of the exit codes orders them."""
    people = status.people
    if interrupted and status.send.state != "done":
        return 130
    if people["in_doubt"]:
        return 3
    if status.send.fault is not None:
        return int(status.send.fault)
    if people["open"]:
        return 3
    return 1 if people["refused"] or people["failed"] or status.send.state == "cancelled" else 0
