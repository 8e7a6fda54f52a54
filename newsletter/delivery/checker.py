"""Compares a send's ledger with the truth: what was accepted, as the provider alone knows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, func, select

from newsletter.delivery import summary
from newsletter.store.tables import batch, delivery

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from newsletter.delivery.summary import Status
    from newsletter.store.database import Database

INVARIANTS: Mapping[str, str] = {
    "once": "nobody got more than one message",
    "accepted is true": "whoever is called accepted got a message",
    "nothing hidden": "whoever got a message is called accepted, or in doubt",
    "leavers": "whoever left before their batch was taken in hand got nothing",
    "nobody else": "nobody got a message whom the ledger does not know",
    "sums": "everybody has exactly one outcome, and the counts agree",
    "done": "a send that is done has no open row and none in doubt",
    "comes to rest": "once nothing goes wrong any more, nothing stays open",
}
"""What must hold, whatever goes wrong; each name and what it says."""

_ARRIVED = frozenset({"accepted", "in_doubt"})
_OPEN = frozenset({"pending", "claimed", "sending"})


class Violation(NamedTuple):
    """One thing that must not be: the name of the invariant, and where it is broken."""

    invariant: str
    words: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.words}"


def violations(
    database: Database,
    send_id: int,
    accepted: Mapping[int, int],
    left: Iterable[int] = (),
    *,
    ended: bool = True,
    audience: Collection[int] | None = None,
) -> list[Violation]:
    """Everything in which the ledger and the truth differ; ``accepted`` counts messages of this send by person.

    ``left`` are those who left before their batch was taken in hand. ``ended`` says that the send has come to rest
    without faults, so that nothing may be open. ``audience`` is everybody who was active when the send was made,
    where the caller knows.
    """
    with database.read() as connection:
        status = summary.status(connection, send_id)
        ends = _ends(connection, send_id)
    return [
        *_each(ends, accepted, frozenset(left), ended=ended),
        *_all(ends, accepted, status, ended=ended),
        *_frozen(ends, ends if audience is None else audience),
    ]


def _ends(connection: Connection, send_id: int) -> dict[int, str]:
    """What became of everybody, as the ledger's rows say."""
    rows = connection.execute(
        select(delivery.c.person_id, func.coalesce(delivery.c.outcome, batch.c.state))
        .join(batch, batch.c.id == delivery.c.batch_id)
        .where(delivery.c.send_id == send_id),
        execution_options={"yield_per": 10_000},
    )
    return {person: "open" if end in _OPEN else end for person, end in rows}


def _each(
    ends: Mapping[int, str], accepted: Mapping[int, int], left: Collection[int], *, ended: bool
) -> Iterator[Violation]:
    may_have = _ARRIVED if ended else _ARRIVED | {"open"}
    for person, end in ends.items():
        got = accepted.get(person, 0)
        if got > 1:
            yield Violation("once", f"person {person} got {got} messages")
        if not got and end == "accepted":
            yield Violation("accepted is true", f"person {person} is accepted and got nothing")
        if got and end not in may_have:
            yield Violation("nothing hidden", f"person {person} is {end} and got a message")
        if got and person in left:
            yield Violation("leavers", f"person {person} had left and got a message")


def _all(ends: Mapping[int, str], accepted: Mapping[int, int], status: Status, *, ended: bool) -> Iterator[Violation]:
    for person in accepted:
        if person not in ends:
            yield Violation("nobody else", f"person {person} is not in the ledger and got a message")
    counted = Counter(ends.values())
    people = {outcome: count for outcome, count in status.people.items() if count}
    if people != dict(counted):
        yield Violation("sums", f"the summary says {people}, the rows say {dict(counted)}")
    if len(ends) != status.send.recipients:
        yield Violation("sums", f"{status.send.recipients} were frozen, and there are {len(ends)} rows")
    if status.send.state == "done" and (counted["open"] or counted["in_doubt"]):
        yield Violation("done", f"done with {counted['open']} open and {counted['in_doubt']} in doubt")
    if ended and counted["open"]:
        yield Violation("comes to rest", f"{counted['open']} rows are open at the end")


def _frozen(ends: Collection[int], audience: Collection[int]) -> Iterator[Violation]:
    people, rows = frozenset(audience), frozenset(ends)
    if people != rows:
        lost, added = len(people - rows), len(rows - people)
        yield Violation("sums", f"of those who were active {lost} are not in the send, and {added} others are")
