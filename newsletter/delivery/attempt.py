"""One batch from claim to outcome: make the bytes, record the intent, make the call, record the answer."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from newsletter.delivery import claims, control, ledger, rate
from newsletter.delivery.desk import patiently
from newsletter.delivery.ledger import Intent
from newsletter.providers.base import Fault, NotSent, Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from newsletter.delivery.claims import Claim
    from newsletter.delivery.desk import Job, Streaks
    from newsletter.providers.base import Answer, Payload, Verdict

_UNKNOWNS = 2
"""Answers in a row that say nothing before the send is held: an outage must not turn the list into doubt."""

_TRIES = 5
"""Calls in a row that come to nothing before the send is held."""

_REFUSALS = 5
"""Calls in a row that are refused whole before the send is held."""

_LONGEST_WAIT = claims.LONGEST_WAIT.total_seconds()


def deliver(job: Job, streaks: Streaks, claim: Claim) -> None:
    """Take one batch through; raises ``Lost`` when somebody else has it meanwhile."""
    messages, unfit = job.writer.messages(job.frozen.variant(claim.variant), claim.members)
    payload = job.provider.prepare(job.letters[claim.variant], messages, job.batch_name(claim.held.batch))
    failed = (*unfit, *payload.failed)
    if payload.split and claim.key is None:
        why = "its messages need calls of their own"
        _record(
            job,
            claim,
            lambda c, at: ledger.split(c, claim.held, at, why, payload.split, expect="claimed", failed=failed),
        )
        return
    if claim.key is None and not payload.count:
        _record(job, claim, lambda c, at: ledger.skip(c, claim.held, at, "none of its messages can be made", failed))
        return
    if claim.key is not None and payload.sha != claim.payload_sha:
        why = "its messages would not be the same as at the first attempt"
        _record(job, claim, lambda c, at: ledger.doubt(c, claim.held, at, why))
        return
    _wait_for_slot(job)
    ready = _ready(job, claim, payload, failed)
    if ready is None:
        return
    key, claim = ready
    try:
        answer = job.provider.submit(payload, key)
    except NotSent as error:
        _not_sent(job, streaks, claim, error)
    except Unknown as error:
        _unknown(job, streaks, claim, error)
    except Refused as error:
        _refused(job, streaks, claim, error, [message.person for message in messages])
    else:
        _answered(job, streaks, claim, answer, payload.count)


def _record(job: Job, claim: Claim, change: Callable[[Connection, dt.datetime], object]) -> None:
    """Commit one change; a busy database is asked again until the lease ends."""

    def once() -> None:
        with job.database.write() as connection:
            change(connection, job.tools.now())

    patiently(job.tools, claim.lease_until, once)


def _answered(job: Job, streaks: Streaks, claim: Claim, answer: Answer, count: int) -> None:
    """An acceptance, apart from those whom it refuses; one that refuses everybody counts as a refusal."""
    many = False
    if len(answer.refused) < count:
        streaks.good()
    else:
        many = streaks.add_refused() >= _REFUSALS

    def settle(connection: Connection, at: dt.datetime) -> None:
        ledger.accept(connection, claim.held, at, answer)
        if answer.wait:
            rate.hold(connection, job.provider.account, at, min(answer.wait, _LONGEST_WAIT))
        if many:
            _hold_refused(connection, job, answer.refused[0].reason)

    _record(job, claim, settle)


def _hold_refused(connection: Connection, job: Job, why: str) -> None:
    control.pause_for_fault(connection, job.send_id, Fault.CONFIG, f"call after call is refused: {why}")


def _refused(job: Job, streaks: Streaks, claim: Claim, error: Refused, people: list[int]) -> None:
    """A verdict: on everybody in the call, or on one of them, for whom the call is cut in two.

    When call after call is refused whole, the reason lies elsewhere, and the send is held before the list is used up.
    """
    why = error.reason
    if error.divisible and len(people) > 1 and not claim.held.doubt:
        half = len(people) // 2
        groups = (people[:half], people[half:])
        _record(job, claim, lambda c, at: ledger.split(c, claim.held, at, why, groups))
        return
    many = streaks.add_refused() >= _REFUSALS

    def settle(connection: Connection, at: dt.datetime) -> None:
        ledger.refuse(connection, claim.held, at, why)
        if many:
            _hold_refused(connection, job, why)

    _record(job, claim, settle)


def _wait_for_slot(job: Job) -> None:
    per_second, account = job.provider.capabilities.per_second, job.provider.account
    if per_second is None:
        with job.database.read() as connection:
            if not rate.limited(connection, account):
                return

    def book() -> float:
        with job.database.write() as connection:
            return rate.slot(connection, account, per_second, job.tools.now())

    wait = patiently(job.tools, job.tools.now() + job.tools.lease, book)
    if wait > 0:
        job.tools.sleep(wait)


def _ready(job: Job, claim: Claim, payload: Payload, failed: Iterable[Verdict]) -> tuple[str, Claim] | None:
    """The key to call with, its intent committed, and the claim with its new lease; ``None`` when no call may be made.

    A batch that is made again had its second intent when it was claimed, and finishes whatever
    becomes of the send. Its key is looked at once more, because the wait for a slot, or a machine
    put to sleep, may have outlived it.
    """
    tools = job.tools
    key = claim.key or tools.new_name()
    lifetime = job.provider.capabilities.key_lifetime
    lease: list[dt.datetime] = []

    def intend(connection: Connection, at: dt.datetime) -> None:
        lease.clear()
        until = at + tools.lease
        if claim.key is not None:
            if tools.stopped():
                ledger.put_back(connection, claim.held, at, "stopped", None)
            elif claims.renew(connection, claim.held, at, until):
                lease.append(until)
        elif tools.stopped() or not claims.running(connection, job.send_id):
            ledger.release(connection, claim.held, at, "stopped")
        else:
            expires = at + lifetime if lifetime is not None else None
            ledger.intend(connection, claim.held, at, Intent(key, payload.sha, expires, until), failed)
            lease.append(until)

    _record(job, claim, intend)
    return (key, replace(claim, lease_until=lease[0])) if lease else None


def _not_sent(job: Job, streaks: Streaks, claim: Claim, error: NotSent) -> None:
    """Surely nothing was accepted: back to the others, or hold the send when trying again is of no use."""
    fault = error.fault
    tries = streaks.add_not_sent()
    wait = _backoff(job, tries) if error.retry_after is None else error.retry_after
    if fault is None and (tries >= _TRIES or wait > _LONGEST_WAIT):
        fault = Fault.UNAVAILABLE if error.retry_after is None else Fault.LATER

    def settle(connection: Connection, at: dt.datetime) -> None:
        ledger.put_back(connection, claim.held, at, error.reason, at + dt.timedelta(seconds=min(wait, _LONGEST_WAIT)))
        if fault is None and error.retry_after is not None:
            rate.slow_down(connection, job.provider.account, at, min(error.retry_after, _LONGEST_WAIT))
        if fault is not None:
            control.pause_for_fault(connection, job.send_id, fault, _with_time(error, at))

    _record(job, claim, settle)


def _with_time(error: NotSent, at: dt.datetime) -> str:
    """The reason, with the time at which it may go on when the provider names one."""
    if error.retry_after is None or error.retry_after <= _LONGEST_WAIT:
        return error.reason
    return f"{error.reason}; it may go on at {at + dt.timedelta(seconds=error.retry_after):%Y-%m-%d %H:%M} UTC"


def _unknown(job: Job, streaks: Streaks, claim: Claim, error: Unknown) -> None:
    """Nobody knows: the same bytes with the same key later, or in doubt without keys."""
    fault = error.fault
    unknowns = streaks.add_unknown()
    if fault is None and unknowns >= _UNKNOWNS:
        fault = Fault.UNAVAILABLE
    named = min(error.retry_after or 0.0, _LONGEST_WAIT)
    wait = dt.timedelta(seconds=max(_backoff(job, unknowns), named))

    def settle(connection: Connection, at: dt.datetime) -> None:
        if job.provider.capabilities.idempotent and not error.final:
            ledger.unknown(connection, claim.held, at, error.reason, at + wait)
        else:
            ledger.doubt(connection, claim.held, at, error.reason)
        if fault is not None:
            control.pause_for_fault(connection, job.send_id, fault, error.reason)

    _record(job, claim, settle)


def _backoff(job: Job, tries: int) -> float:
    """Seconds before the next try: doubled each time, with jitter, at most a minute."""
    return min(60.0, float(2**tries)) * (0.5 + job.tools.jitter() / 2)
