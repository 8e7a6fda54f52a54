"""What always holds in a sound ledger, and what it means where it doesn't."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, case, false, func, literal, not_, or_, select

from newsletter.delivery import ledger
from newsletter.links import fingerprint
from newsletter.store.examine import EXAMPLES, Flaw
from newsletter.store.tables import batch, content, delivery, event, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, Select

_BACKUP = "Put a backup back that `newsletter db check FILE` finds sound: newsletter db restore FILE"
_STOP = "Send nothing more of it, and look at `newsletter status` before anything else."


class _Rule(NamedTuple):
    """A rule as a question that lists the places where it is broken: a word for the place, and its number."""

    name: str
    message: str
    broken: Select[str, int]
    means: str
    todo: str


def flaws(connection: Connection) -> Iterator[Flaw]:
    """Every rule that does not hold, with examples; the ledger is read as it was at one moment."""
    for rule in _rules():
        places: list[str] = []
        count = 0
        for word, number in connection.execute(rule.broken, execution_options={"yield_per": 1_000}):
            count += 1
            if count <= EXAMPLES:
                places.append(f"{word} {number}")
        if count:
            yield Flaw(rule.name, rule.message, count, tuple(places), rule.means, rule.todo)
    yield from _content(connection)


def _of(word: str, number: ColumnElement[int], *broken: ColumnElement[bool]) -> Select[str, int]:
    return select(literal(word), number).where(*broken)


def _rules() -> Iterator[_Rule]:
    yield from _counts()
    yield from _ends()
    yield from _events()


def _counts() -> Iterator[_Rule]:
    rows = select(func.count()).where(delivery.c.send_id == send.c.id).scalar_subquery()
    members = (
        select(func.coalesce(func.sum(batch.c.n), 0))
        .where(batch.c.send_id == send.c.id, batch.c.state != "split")
        .scalar_subquery()
    )
    yield _Rule(
        "send counts",
        "the recipients of a send are not as many as its rows and its batches hold",
        _of("send", send.c.id, or_(send.c.recipients != rows, send.c.recipients != members)),
        "Somebody was lost from the send, or came into it, after its audience was frozen.",
        _BACKUP,
    )
    held = (
        select(delivery.c.batch_id.label("batch_id"), func.count().label("n")).group_by(delivery.c.batch_id).subquery()
    )
    yield _Rule(
        "batch counts",
        "a batch does not hold as many people as it says",
        select(literal("batch"), batch.c.id)
        .outerjoin(held, held.c.batch_id == batch.c.id)
        .where(func.coalesce(held.c.n, 0) != case((batch.c.state == "split", 0), else_=batch.c.n)),
        "Its people would be counted, or called, as others than they are.",
        _BACKUP,
    )
    yield _Rule(
        "batch of another send",
        "a recipient stands in a batch of another send",
        select(literal("batch"), delivery.c.batch_id)
        .join(batch, batch.c.id == delivery.c.batch_id)
        .where(batch.c.send_id != delivery.c.send_id)
        .distinct(),
        "They would get another issue than the one that was frozen for them.",
        f"{_STOP} {_BACKUP}",
    )
    yield _Rule(
        "twice in a send",
        "an address is among the recipients of one send more than once",
        select(literal("send"), delivery.c.send_id)
        .where(delivery.c.address != "")
        .group_by(delivery.c.send_id, func.lower(delivery.c.address))
        .having(func.count() > 1),
        "Whoever reads mail there gets the issue as often.",
        "Look for them with `newsletter subscribers list --search TEXT`, and take one of the two off.",
    )


def _ends() -> Iterator[_Rule]:
    unended = select(batch.c.id).where(
        batch.c.send_id == send.c.id, batch.c.state.in_((*ledger.OPEN, "in_doubt", "cancelled"))
    )
    doubtful = select(delivery.c.person_id).where(delivery.c.send_id == send.c.id, delivery.c.outcome == "in_doubt")
    yield _Rule(
        "done too early",
        "a send is called done, and has people whose way has not ended or is in doubt",
        _of("send", send.c.id, send.c.state == "done", or_(unended.exists(), doubtful.exists())),
        "They may have got nothing, and `newsletter send` would not mail them any more.",
        f"`newsletter status` shows how many they are. {_BACKUP}",
    )
    yield _Rule(
        "pause",
        "a send is held by nobody, or is held and runs",
        _of("send", send.c.id, (send.c.state == "paused") != send.c.paused_by.is_not(None)),
        "Nobody can tell whether `newsletter send` may take it up again.",
        "Take it up with `newsletter resume` when you know why it was held.",
    )
    in_hand = and_(batch.c.owner.is_not(None), batch.c.lease_until.is_not(None))
    free = and_(batch.c.owner.is_(None), batch.c.lease_until.is_(None))
    sound = case(
        (batch.c.state == "claimed", in_hand),
        (batch.c.state == "sending", or_(in_hand, free)),
        else_=free,
    )
    yield _Rule(
        "owner",
        "a batch is in somebody's hands that cannot be, or in nobody's that must be",
        _of("batch", batch.c.id, not_(sound)),
        "It would wait for ever, or two processes would take it at once.",
        _BACKUP,
    )
    yield _Rule(
        "forgotten doubt",
        "a batch is in doubt, and its doubt is not noted",
        _of("batch", batch.c.id, batch.c.state == "in_doubt", batch.c.doubt == false()),
        "A later answer could say that nothing arrived, where something may have.",
        f"{_STOP} {_BACKUP}",
    )


def _events() -> Iterator[_Rule]:
    latest = select(func.max(event.c.id).label("id")).group_by(event.c.batch_id).subquery()
    last = select(event.c.batch_id, event.c.to_state).join(latest, latest.c.id == event.c.id).subquery()
    yield _Rule(
        "last event",
        "a batch is in another state than its last event says",
        select(literal("batch"), batch.c.id)
        .outerjoin(last, last.c.batch_id == batch.c.id)
        .where(batch.c.state != func.coalesce(last.c.to_state, "pending")),
        "Its state was changed past the ledger's own ways: what became of its people is not certain.",
        f"{_STOP} {_BACKUP}",
    )
    before = func.lag(event.c.to_state, 1, "pending").over(partition_by=event.c.batch_id, order_by=event.c.id)
    steps = select(event.c.batch_id, event.c.from_state, before.label("before")).subquery()
    yield _Rule(
        "chain of events",
        "a batch has an event that does not begin where the one before it ended",
        select(literal("batch"), steps.c.batch_id).where(steps.c.from_state != steps.c.before).distinct(),
        "Events were lost or changed, so `newsletter receipt` may not tell the whole story.",
        _BACKUP,
    )


def _content(connection: Connection) -> Iterator[Flaw]:
    rows = connection.execute(select(content), execution_options={"yield_per": 1})
    changed = [row.sha for row in rows if fingerprint(row.bytes) != row.sha]
    if changed:
        yield Flaw(
            "frozen content",
            "the frozen content of a send is not what its hash says",
            len(changed),
            tuple(f"content {sha[:12]}" for sha in changed[:EXAMPLES]),
            "Readers would get, or got, other words than those that were looked over and confirmed.",
            f"{_STOP} {_BACKUP}",
        )
