"""The walk through the batches: a few threads, each taking one batch at a time."""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import TYPE_CHECKING

from newsletter.delivery import attempt, claims, control, orphans, owners, settle, stages
from newsletter.delivery.desk import POLL, Job, Streaks, patiently
from newsletter.delivery.ledger import Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from newsletter.delivery.claims import Claim

_LONGEST_NAP = 1.0

_CACHE = 2_000
"""KiB of pages that a thread keeps: what SQLite gives a connection by itself."""

_AHEAD = 1
"""Threads more than calls at the same time, so that the next batch is ready when a call has ended."""


def run(job: Job, workers: int, watch: Callable[[], None]) -> None:
    """Work on a send, stage by stage, until nothing is left, it is held, or this process shall stop.

    ``workers`` is how many calls are made at the same time. ``watch`` is called a few times a second in
    the calling thread. What breaks a thread stops the others after their batch and is raised here.
    """
    streaks = Streaks(threading.Semaphore(workers))
    with owners.alive(job.locks, job.owner), _untracked():
        patiently(job.tools, job.tools.now() + job.tools.lease, lambda: recover(job))
        settle.ask(job)
        _stage(job, workers, streaks, watch)
        while stages.go_on(job, watch):
            _stage(job, workers, streaks, watch)
        patiently(job.tools, job.tools.now() + job.tools.lease, lambda: finish(job))


def _stage(job: Job, workers: int, streaks: Streaks, watch: Callable[[], None]) -> None:
    """The threads' way through all that may be taken now."""
    threads = [threading.Thread(target=_worker, args=(job, streaks), daemon=True) for _ in range(workers + _AHEAD)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for thread in threads:
            thread.join(POLL / len(threads))
        _look(watch, streaks)
    if streaks.broken is not None:
        raise streaks.broken


@contextlib.contextmanager
def _untracked() -> Iterator[None]:
    """Keep the garbage collector from what stands now: walking all of it every few thousand messages costs a tenth."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _look(watch: Callable[[], None], streaks: Streaks) -> None:
    """Let the caller look. Whatever breaks there must not end this process's lock before its threads."""
    if streaks.broken is None:
        try:
            watch()
        except BaseException as error:  # noqa: BLE001 - raised again once the threads have ended
            streaks.broken = error


def _worker(job: Job, streaks: Streaks) -> None:
    try:
        with job.database.kept(cache=_CACHE):
            walk(job, streaks)
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for this one
        streaks.broken = streaks.broken or error


def walk(job: Job, streaks: Streaks) -> None:
    """One thread's whole way."""
    claim: Claim | None = None
    while claim is not None or not _over(job, streaks):
        claim = claim or take(job)
        if claim is not None:
            claim = _through(job, streaks, claim)
        elif (wait := patiently(job.tools, job.tools.now() + job.tools.lease, lambda: _idle(job))) is None:
            return
        elif wait:
            job.tools.sleep(wait)


def _over(job: Job, streaks: Streaks) -> bool:
    return job.tools.stopped() or streaks.broken is not None


def take(job: Job) -> Claim | None:
    """Take the next batch in hand; ``None`` when there is none that may be taken."""

    def once() -> Claim | None:
        with job.database.write() as connection:
            return _next(job, connection)

    return patiently(job.tools, job.tools.now() + job.tools.lease, once)


def _next(job: Job, connection: Connection) -> Claim | None:
    tools = job.tools
    return claims.take(connection, job.send_id, job.owner, tools.now(), tools.lease, job.through)


def _through(job: Job, streaks: Streaks, claim: Claim) -> Claim | None:
    """Take one batch through; the next one, where it was taken in hand at the same time."""

    def further(connection: Connection) -> Claim | None:
        return None if _over(job, streaks) else _next(job, connection)

    try:
        return attempt.deliver(job, streaks, claim, further)
    except Lost:
        return None


def _idle(job: Job) -> float | None:
    """Nothing can be taken: free what the dead had, or wait for others and for times that were named.

    What this process's other threads have in hand is theirs to finish, whatever becomes of it.
    """
    if recover(job):
        return 0.0
    with job.database.read() as connection:
        left = claims.remaining(connection, job.send_id, job.owner, job.through)
    if left.open == left.mine:
        return None
    if left.in_hand or left.next_at is None:
        return POLL
    return min(max((left.next_at - job.tools.now()).total_seconds(), 0.001), _LONGEST_NAP)


def recover(job: Job) -> int:
    """Free what dead processes had in hand; how many batches that was."""
    with job.database.read() as connection:
        named = orphans.owners(connection, job.send_id)
    dead = owners.dead(job.locks, named)
    with job.database.read() as connection:
        found = orphans.found(connection, job.send_id, dead, job.tools.now())
    freed = 0
    if found:
        with job.database.write() as connection:
            idempotent = job.provider.capabilities.idempotent
            freed = orphans.recover(connection, job.send_id, dead, job.tools.now(), idempotent=idempotent)
    return freed


def finish(job: Job) -> None:
    """Mark the send done if it is, and clear away the locks of dead processes that hold nothing any more."""
    with job.database.write() as connection:
        control.finish(connection, job.send_id, job.tools.now())
        named = orphans.owners(connection)
    owners.forget(job.locks, named)
