"""One batch from claim to outcome: make the bytes, record the intent, make the call, record the answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from newsletter.delivery import claims, control, ledger, rate, resolve
from newsletter.delivery.desk import patiently
from newsletter.delivery.ledger import Intent, Lost
from newsletter.providers.base import Fault, NotSent, Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from newsletter.delivery.claims import Claim
    from newsletter.delivery.desk import Job, Streaks
    from newsletter.providers.base import Answer, Payload, Verdict

_UNKNOWNS = 2
"""Answers in a row that say nothing before the send is held: an outage must not turn the list into doubt."""

_TRIES = 5
"""Calls in a row that come to nothing before the send is held."""

_LONGEST_WAIT = claims.LONGEST_WAIT.total_seconds()

_T = TypeVar("_T")

Further = Callable[["Connection"], "Claim | None"]


def _no_further(_connection: Connection) -> Claim | None:
    return None


class _Call(NamedTuple):
    """A call that is about to be made."""

    payload: Payload
    key: str
    people: Sequence[int]
    further: Further


def deliver(job: Job, streaks: Streaks, claim: Claim, further: Further = _no_further) -> Claim | None:
    """Take one batch through; raises ``Lost`` when somebody else has it meanwhile.

    ``further`` may take the next one in hand together with the record of an acceptance, which saves a
    transaction for each batch; that claim is given back.
    """
    if claim.key is None and len(claim.members) > (most := job.provider.capabilities.batch_max):
        why = "the provider takes fewer in a call"
        people = claim.members.people
        groups = [people[at : at + most] for at in range(0, len(people), most)]
        _record(job, claim, lambda c, at: ledger.split(c, claim.held, at, why, groups, expect="claimed"))
        return None
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
        return None
    if claim.key is None and not payload.count:
        _record(job, claim, lambda c, at: ledger.skip(c, claim.held, at, "none of its messages can be made", failed))
        return None
    if claim.key is not None and (other := _other_than_before(job, claim.key, payload.sha == claim.payload_sha)):
        _record(job, claim, lambda c, at: ledger.doubt(c, claim.held, at, other))
        return None
    with streaks.lanes:
        ready = _ready(job, streaks, claim, payload, failed)
        if ready is not None:
            key, claim = ready
            return _call(job, streaks, claim, _Call(payload, key, messages.people, further))
    return None


def _other_than_before(job: Job, key: str, same: bool) -> str:  # noqa: FBT001 - the one fact about its bytes
    """Why a call must not be made again with its key, if it must not."""
    ring = job.provider.capabilities.keyring
    if ring and not key.startswith(f"{ring}-"):
        return "it was tried with another API key first, and whether this one's account is the same nobody can tell"
    return "" if same else "its messages would not be the same as at the first attempt"


def _call(job: Job, streaks: Streaks, claim: Claim, call: _Call) -> Claim | None:
    """Make the call, and record what became of it."""
    try:
        answer = job.provider.submit(call.payload, call.key)
    except NotSent as error:
        _not_sent(job, streaks, claim, error)
    except Unknown as error:
        _unknown(job, streaks, claim, error)
    except Refused as error:
        _refused(job, streaks, claim, error, call.people)
    else:
        return _answered(job, streaks, claim, answer, call)
    return None


def _record(job: Job, claim: Claim, change: Callable[[Connection, dt.datetime], _T], *, durable: bool = True) -> _T:
    """Commit one change; a busy database is asked again until the lease ends."""

    def once() -> _T:
        with job.database.write(durable=durable) as connection:
            return change(connection, job.tools.now())

    return patiently(job.tools, claim.lease_until, once, finishing=True)


def _answered(job: Job, streaks: Streaks, claim: Claim, answer: Answer, call: _Call) -> Claim | None:
    """An acceptance, apart from those whom it refuses; one that refuses everybody counts as a refusal.

    Whoever is held back waits for the operator, and so does the send. Else it is recorded without waiting for the
    disk (docs/adr/0012): a power failure that takes it leaves what a crash before it would have left.
    """
    many = False
    if len(answer.refused) < call.payload.count:
        streaks.good()
    else:
        many = streaks.add_refused()

    def settle(connection: Connection, at: dt.datetime) -> Claim | None:
        try:
            ledger.accept(connection, claim.held, at, answer)
        except Lost:
            if not resolve.late(connection, claim.held, at, answer):
                raise
        if answer.wait:
            rate.hold(connection, job.provider.account, at, min(answer.wait, _LONGEST_WAIT))
        if answer.held_back:
            control.pause_for_fault(connection, job.send_id, Fault.CONFIG, answer.held_back[0].reason)
        elif many:
            _hold_refused(connection, job, answer.refused[0].reason)
        return call.further(connection)

    return _record(job, claim, settle, durable=many or bool(answer.held_back))


def _hold_refused(connection: Connection, job: Job, why: str) -> None:
    control.pause_for_fault(connection, job.send_id, Fault.CONFIG, f"call after call is refused: {why}")


def _refused(job: Job, streaks: Streaks, claim: Claim, error: Refused, people: Sequence[int]) -> None:
    """A verdict: on everybody in the call, or on one of them, for whom the call is cut in two.

    When call after call is refused whole, the reason lies elsewhere, and the send is held before the list is used up.
    """
    why = error.reason
    cut = error.divisible and len(people) > 1 and not claim.held.doubt
    half = len(people) // 2
    many = streaks.add_cut() if cut else streaks.add_refused()

    def settle(connection: Connection, at: dt.datetime) -> None:
        if cut:
            ledger.split(connection, claim.held, at, why, (people[:half], people[half:]))
        else:
            ledger.refuse(connection, claim.held, at, why)
        if many:
            _hold_refused(connection, job, why)

    _record(job, claim, settle)


def _ready(
    job: Job, streaks: Streaks, claim: Claim, payload: Payload, failed: Iterable[Verdict]
) -> tuple[str, Claim] | None:
    """The key to call with, its intent committed, and the claim with its new lease; ``None`` when no call may be made.

    The next slot of the account's rate is booked first, and waited for while nothing is intended yet. Whoever
    left during a wait gets nothing: the batch is taken in hand anew, without them. One that is made again had its
    second intent when it was claimed, and finishes whatever becomes of the send. Its key is looked at once more,
    because the wait, or a machine put to sleep, may have outlived it.
    """
    tools, capabilities = job.tools, job.provider.capabilities
    key = claim.key or "-".join(filter(None, (capabilities.keyring, tools.new_name())))
    lifetime = capabilities.key_lifetime
    booked = False
    wait = 0.0
    lease: dt.datetime | None = None

    def intend(connection: Connection, at: dt.datetime) -> None:
        nonlocal booked, wait, lease
        lease, wait = None, 0.0
        stopped = tools.stopped() or streaks.broken is not None
        if stopped and claim.key is not None:
            ledger.put_back(connection, claim.held, at, "stopped", None)
        elif stopped or (claim.key is None and not claims.running(connection, job.send_id)):
            ledger.release(connection, claim.held, at, "stopped")
        elif claim.key is None and claims.left(connection, claim):
            ledger.release(connection, claim.held, at, "somebody has left")
        elif not booked and (wait := rate.slot(connection, job.provider.account, capabilities.per_second, at)) > 0:
            pass
        elif claim.key is None:
            expires = at + lifetime if lifetime is not None else None
            lease = at + tools.lease
            ledger.intend(connection, claim.held, at, Intent(key, payload.sha, expires, lease), failed)
        elif claims.renew(connection, claim.held, at, at + tools.lease):
            lease = at + tools.lease

    _record(job, claim, intend)
    if wait > 0:
        tools.sleep(wait)
        booked = True
        _record(job, claim, intend)
    return (key, replace(claim, lease_until=lease)) if lease else None


def _not_sent(job: Job, streaks: Streaks, claim: Claim, error: NotSent) -> None:
    """Surely nothing was accepted: back to the others, or hold the send when trying again is of no use."""
    fault = error.fault
    tries = streaks.add_not_sent()
    wait = _backoff(job, tries) if error.retry_after is None else error.retry_after
    if fault is None and (tries >= _TRIES or wait > _LONGEST_WAIT):
        fault = Fault.UNAVAILABLE if error.retry_after is None else Fault.LATER
    if fault is None:
        job.tools.tell(error.reason, wait)

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
    again = job.provider.capabilities.idempotent and not error.final
    if again and fault is None:
        job.tools.tell(error.reason, wait.total_seconds())

    def settle(connection: Connection, at: dt.datetime) -> None:
        if again:
            ledger.unknown(connection, claim.held, at, error.reason, at + wait)
        else:
            ledger.doubt(connection, claim.held, at, error.reason)
        if fault is not None:
            control.pause_for_fault(connection, job.send_id, fault, error.reason)

    _record(job, claim, settle)


def _backoff(job: Job, tries: int) -> float:
    """Seconds before the next try: doubled each time, with jitter, at most a minute."""
    return min(60.0, float(2**tries)) * (0.5 + job.tools.jitter() / 2)
