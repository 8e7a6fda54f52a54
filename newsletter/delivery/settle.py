"""Doubt that the provider itself can end: a call whose answer was lost is looked for where that is possible."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sqlalchemy import select

from newsletter.delivery import claims, ledger
from newsletter.delivery.desk import patiently
from newsletter.delivery.ledger import Held, Lost
from newsletter.providers.base import ProviderError, Refused, Sought
from newsletter.store import clock
from newsletter.store.tables import batch, delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.delivery.desk import Job
    from newsletter.providers.base import Answer

FOUND, NOT_FOUND = "found", "not found"

_ASKED = 3
"""People of a batch whose events are looked at."""

_IN_VAIN = 3
"""Questions in a row that come to nothing before the rest is left to the next run."""


def _nobody(_batch: int, _word: str) -> None:
    pass


def ask(job: Job, told: Callable[[int, str], object] = _nobody) -> int:
    """Ask for every batch in doubt; how many were found accepted. ``told`` hears of each what came of it.

    What is not found stays in doubt: events come late, and are kept for some days only. A question that comes
    to nothing is asked once more after all others; a provider that cannot be asked now is asked by the next run.
    """
    if job.provider.capabilities.settling != "search":
        return 0
    found = in_vain = 0
    again: list[tuple[Held, Sought]] = []
    for each in itertools.chain(_doubtful(job), again):
        if job.tools.stopped():
            break
        held, sought = each
        try:
            answer = job.provider.find(sought)
        except Refused as error:  # this question has no answer; the others may have
            told(held.batch, error.reason)
            continue
        except ProviderError as error:
            told(held.batch, error.reason)
            in_vain += 1
            wait = getattr(error, "retry_after", None) or 0.0
            if in_vain == _IN_VAIN or getattr(error, "fault", None) or wait > claims.LONGEST_WAIT.total_seconds():
                break
            job.tools.sleep(wait)
            if each not in again:
                again.append(each)
            continue
        in_vain = 0
        told(held.batch, NOT_FOUND if answer is None else FOUND)
        if answer is not None:
            found += _settled(job, held, answer)
    return found


def _doubtful(job: Job) -> list[tuple[Held, Sought]]:
    columns = (batch.c.id, batch.c.fence, batch.c.doubt, batch.c.first_sent_at)
    listed: list[tuple[Held, Sought]] = []
    with job.database.read() as connection:
        rows = connection.execute(select(*columns).where(batch.c.send_id == job.send_id, batch.c.state == "in_doubt"))
        for row in rows.all():
            some = select(delivery.c.address).where(
                delivery.c.batch_id == row.id, delivery.c.outcome.is_(None), delivery.c.address != ""
            )
            to = tuple(connection.execute(some.order_by(delivery.c.person_id).limit(_ASKED)).scalars())
            if to and row.first_sent_at:
                sought = Sought(job.batch_name(row.id), clock.parse(row.first_sent_at), to)
                listed.append((Held(row.id, row.fence, row.doubt), sought))
    return listed


def _settled(job: Job, held: Held, answer: Answer) -> int:
    def once() -> None:
        with job.database.write() as connection:
            ledger.found(connection, held, job.tools.now(), answer)

    try:
        patiently(job.tools, job.tools.now() + job.tools.lease, once)
    except Lost:
        return 0
    return 1
