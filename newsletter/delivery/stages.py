"""A send in stages: who comes next, when, and what stops it before.

When the last batch of a stage has ended, the ledger notes when the next one may begin, so that a process that dies
keeps to it. Then the brake is looked at, with what is known of refusals, bounces and complaints. Where it holds the
send, the next stage is let through at the same time: a person who resumes the send has decided.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, func, select, update

from newsletter.delivery import claims, control, ledger, turns
from newsletter.delivery.desk import patiently
from newsletter.delivery.turns import Turn
from newsletter.store import clock
from newsletter.store.tables import batch, delivery, person, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.delivery.desk import Job
    from newsletter.delivery.ledger import Send

_NAP = 1.0


class Seen(NamedTuple):
    """What became of the people of a send so far, as far as it is known here."""

    tried: int
    accepted: int
    refused: int
    bounced: int
    complained: int


class Next(NamedTuple):
    """What a process is to do: ``work``, ``wait`` until ``at``, ``look`` at the brake, or nothing: ``end``."""

    word: str
    at: dt.datetime | None = None
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of a send when its brake is looked at."""

    made: Send
    seen: Seen

    @property
    def why(self) -> str:
        """Why the send must stop; empty when it may go on."""
        brake, seen = self.made.terms.brake, self.seen
        limits = (
            (seen.refused, seen.tried, brake.refused, "refused by the provider"),
            (seen.bounced, seen.accepted, brake.bounced, "bounced"),
            (seen.complained, seen.accepted, brake.complained, "complained"),
        )
        return "; ".join(
            f"{count:,} of {of:,} {word} ({_percent(count, of)}), more than {limit}%"
            for count, of, limit, word in limits
            if of and Fraction(100 * count, of) > Fraction(limit)
        )


def _percent(count: int, of: int) -> str:
    return f"{100 * count / of:.3g}%"


def look(connection: Connection, made: Send) -> Look:
    """Count what became of everybody who was tried."""
    end = func.coalesce(delivery.c.outcome, batch.c.state)
    mine = (delivery.c.send_id == made.id, batch.c.stage <= made.stage)
    joined = select(end, func.count()).join_from(batch, delivery, delivery.c.batch_id == batch.c.id)
    ends = {row[0]: row[1] for row in connection.execute(joined.where(*mine).group_by(end))}
    since = (person.c.status.in_(("bounced", "complained")), person.c.status_at >= clock.stamp(made.created_at))
    after = (
        select(person.c.status, func.count())
        .join_from(delivery, person, person.c.id == delivery.c.person_id)
        .join(batch, batch.c.id == delivery.c.batch_id)
        .where(*mine, *since, end == "accepted")
        .group_by(person.c.status)
    )
    status = {row[0]: row[1] for row in connection.execute(after)}
    accepted, refused = ends.get("accepted", 0), ends.get("refused", 0)
    return Look(
        made, Seen(accepted + refused, accepted, refused, status.get("bounced", 0), status.get("complained", 0))
    )


# -- the way of one process -----------------------------------------------------------


def go_on(job: Job, watch: Callable[[], None]) -> bool:
    """Wait for the next stage and see it through; whether there is more to work on.

    False at the end of the last stage, when the send is held, when this process shall stop, and when it shall
    not wait.
    """
    told: dt.datetime | None = None
    while not job.tools.stopped():
        step = _stepped(job)
        if step.word == "look":
            job.between.refresh()
            step = _through(job, step)
        if step.word in {"work", "end"}:
            return step.word == "work"
        left = (step.at - job.tools.now()).total_seconds() if step.at else 0.0
        if left <= 0:
            continue
        if step.at != told:
            told = step.at
            job.between.tell(step.stage, job.tools.now() + dt.timedelta(seconds=left))
        if not job.between.wait:
            return False
        watch()
        job.tools.sleep(min(left, _NAP))
    return False


def _stepped(job: Job) -> Next:
    def once() -> Next:
        with job.database.read() as connection:
            step = _step(connection, job, job.tools.now())
        if step.word != "note":
            return step
        with job.database.write() as connection:
            return _note(connection, job, job.tools.now())

    return patiently(job.tools, job.tools.now() + job.tools.lease, once)


def _step(connection: Connection, job: Job, now: dt.datetime) -> Next:
    """What the ledger says is next."""
    if not claims.running(connection, job.send_id, job.through):
        return Next("end")
    made = ledger.get(connection, job.send_id)
    waiting = (batch.c.send_id == made.id, batch.c.state.in_(ledger.OPEN))
    least = connection.execute(select(func.min(batch.c.stage)).where(*waiting)).scalar_one()
    if least is None:
        return Next("end")
    if least <= made.stage:
        return Next("work")
    longest = now + dt.timedelta(seconds=made.terms.wait)
    if made.stage_at is None or made.stage_at > longest:  # not noted yet, or by a clock that went back since
        return Next("note", stage=least)
    return Next("wait" if now < made.stage_at else "look", made.stage_at, least)


def _note(connection: Connection, job: Job, now: dt.datetime) -> Next:
    """Note when the next stage may begin; hold the send at once where what is known already says so."""
    step = _step(connection, job, now)
    if step.word != "note":
        return step
    made = ledger.get(connection, job.send_id)
    if why := look(connection, made).why:
        return _held(connection, made, step.stage, why, now)
    at = now + dt.timedelta(seconds=made.terms.wait)
    connection.execute(update(send).where(send.c.id == made.id).values(stage_at=clock.stamp(at)))
    turns.add(connection, made.id, Turn(now, "running", "running", "", f"{_stage(made, made.stage)} has ended"))
    return Next("wait", at, step.stage)


def _through(job: Job, seen: Next) -> Next:
    """Let the next stage begin, unless the brake holds it; another process may have done so meanwhile."""

    def once() -> Next:
        with job.database.write() as connection:
            now = job.tools.now()
            step = _step(connection, job, now)
            if step != seen:
                return step if step.word != "note" else Next("wait", None, step.stage)
            made = ledger.get(connection, job.send_id)
            if why := look(connection, made).why:
                return _held(connection, made, step.stage, why, now)
            _open(connection, made, step.stage)
            turns.add(connection, made.id, Turn(now, "running", "running", "", f"{_stage(made, step.stage)} begins"))
            return Next("work")

    return patiently(job.tools, job.tools.now() + job.tools.lease, once)


def _held(connection: Connection, made: Send, stage: int, why: str, now: dt.datetime) -> Next:
    control.pause(connection, made.id, f"before {_stage(made, stage)}: {why}", at=now)
    _open(connection, made, stage)
    return Next("end")


def _open(connection: Connection, made: Send, stage: int) -> None:
    connection.execute(update(send).where(send.c.id == made.id).values(stage=stage, stage_at=None))


def _stage(made: Send, stage: int) -> str:
    """A stage in words."""
    shares = made.terms.shares
    return f"stage {stage + 1} of {len(shares)}" + (f" ({shares[stage]})" if stage < len(shares) else "")
