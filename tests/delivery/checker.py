"""Compares the ledger with the truth: who was accepted, as the provider alone knows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from newsletter.delivery import summary
from newsletter.store.tables import batch, delivery

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from newsletter.store.database import Database

_NOTHING_ARRIVED = {"refused", "failed", "skipped", "cancelled", "in_doubt", "open"}
_OF_BATCH = {"pending": "open", "claimed": "open", "sending": "open"}


def violations(
    database: Database, send_id: int, accepted: Mapping[int, int], suppressed: Iterable[int] = (), *, ended: bool = True
) -> list[str]:
    """Everything in which the ledger and the truth differ; ``accepted`` counts messages by person.

    ``suppressed`` left before their batch was claimed. ``ended`` says that the send has come to rest
    without faults, so that nothing may be open.
    """
    found: list[str] = []
    with database.read() as connection:
        status = summary.status(connection, send_id)
        outcome = func.coalesce(delivery.c.outcome, batch.c.state)
        rows = connection.execute(
            select(delivery.c.person_id, outcome)
            .join(batch, batch.c.id == delivery.c.batch_id)
            .where(delivery.c.send_id == send_id)
        ).all()
    outcomes = {row[0]: _OF_BATCH.get(row[1], row[1]) for row in rows}
    left = set(suppressed)
    for person, end in outcomes.items():
        n = accepted.get(person, 0)
        if n > 1:
            found.append(f"person {person} got {n} messages")
        if n == 0 and end not in _NOTHING_ARRIVED:
            found.append(f"person {person} is {end} and got nothing")
        if n and end not in ({"accepted", "in_doubt"} if ended else {"accepted", "in_doubt", "open"}):
            found.append(f"person {person} is {end} and got a message")
        if n and person in left:
            found.append(f"person {person} left before the claim and got a message")
    found += [f"person {who} is not in the ledger and got a message" for who in accepted if who not in outcomes]
    counted = Counter(outcomes.values())
    if {k: v for k, v in status.people.items() if v} != dict(counted):
        found.append(f"the summary says {status.people}, the rows say {dict(counted)}")
    if sum(status.people.values()) != status.send.recipients or len(rows) != status.send.recipients:
        found.append(f"{status.send.recipients} candidates, {len(rows)} rows, {status.people}")
    if status.send.state == "done" and (counted["open"] or counted["in_doubt"]):
        found.append("done with open or doubtful rows")
    if ended and counted["open"]:
        found.append(f"{counted['open']} rows are open at the end")
    return found


def outbox(folder: Path) -> Counter[int]:
    """The truth of the embedded outbox: messages by person, from the files' names."""
    return Counter(int(path.name.partition("-")[0]) for path in folder.glob("*.eml"))
