"""Our side of ``send.py``: the whole delivery, the same without a ledger, and a bare loop of the same client."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import asdict
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import httpx
from sqlalchemy import func, select

from newsletter.delivery import claims, desk, ledger, start, summary, work
from newsletter.delivery.start import Wish
from newsletter.links import Links
from newsletter.store.clock import utcnow
from newsletter.store.database import open_database
from newsletter.store.tables import batch, event

if TYPE_CHECKING:
    from collections.abc import Callable

    from scene import Scene

    from newsletter.delivery.desk import Job
    from newsletter.store.database import Database

LINKS = Links("https://letters.example.org", b"a-secret-made-for-benchmarks-only")


def delivered(scene: Scene) -> dict[str, float]:
    """The send as the command carries it out: the audience frozen, then every batch by way of the ledger."""
    began = perf_counter()
    job = _begun(scene)
    frozen = perf_counter()
    others = [_helper(scene) for _ in range(1, scene.processes)]
    ready = perf_counter()
    for other in others:
        _say(other)
    work.run(job, scene.workers, lambda: _look(job))
    for other in others:
        if other.wait():
            message = "another process failed"
            raise RuntimeError(message)
    ended = perf_counter()
    with job.database.read() as connection:
        taken = select(func.sum(batch.c.n)).where(batch.c.state == "accepted")
        if (accepted := connection.execute(taken).scalar_one()) != scene.people:
            message = f"{accepted} of {scene.people} were accepted: {ledger.get(connection, job.send_id)}"
            raise RuntimeError(message)
        put_back = select(func.count()).where(event.c.from_state == "sending", event.c.to_state == "pending")
        refusals = connection.execute(put_back).scalar_one()
    return {"freezing": frozen - began, "working": ended - ready, "refusals": refusals}


def helping(scene: Scene) -> dict[str, float]:
    """Another process's part of the same send, from when it is told to begin."""
    job = _job(scene, open_database(scene.ledger), 1)
    print(flush=True)
    sys.stdin.readline()
    work.run(job, scene.workers, lambda: _look(job))
    return {}


def _helper(scene: Scene) -> subprocess.Popen[bytes]:
    """Another process that is ready to begin."""
    command = [sys.executable, str(Path(__file__).with_name("scene.py")), "helping", json.dumps(asdict(scene))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 - for the type checker
    process.stdout.readline()
    return process


def _say(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 - for the type checker
    process.stdin.write(b"\n")
    process.stdin.close()


def _begun(scene: Scene) -> Job:
    """A send with its audience frozen."""
    database, provider = open_database(scene.fresh()), scene.made()
    wish = Wish("issue", "issue", "issue", scene.frozen(), provider.capabilities, provider.account, scene.size, "")
    return _job(scene, database, start.create(database, wish, utcnow()).id)


def _job(scene: Scene, database: Database, send_id: int) -> Job:
    return desk.job(database, send_id, scene.made(), LINKS, desk.tools(threading.Event()))


def _look(job: Job) -> None:
    """What the command's bar asks a few times a second."""
    with job.database.read() as connection:
        summary.settled(connection, job.send_id)


def unledgered(scene: Scene) -> dict[str, float]:
    """The same people, values, links, bytes and calls in the same order of work, with nothing written down."""
    job = _begun(scene)
    variant = job.frozen.variants[0]
    numbers, lanes = count(1), threading.Semaphore(scene.workers)

    def walk() -> None:
        while (number := next(numbers)) <= scene.calls:
            with job.database.read() as connection:
                members = claims.members(connection, number)
            messages, _ = job.writer.messages(variant, members)
            payload = job.provider.prepare(job.letters[variant.key], messages, job.batch_name(number))
            with lanes:
                job.provider.submit(payload, f"key-{number}")

    return {"working": _threads(scene.workers + 1, walk)}


def bare(scene: Scene) -> dict[str, float]:
    """One prepared body posted again and again by httpx alone, a client for each thread."""
    job = _begun(scene)
    with job.database.read() as connection:
        members = claims.members(connection, 1)
    messages, _ = job.writer.messages(job.frozen.variants[0], members)
    request = job.provider.prepare(job.letters[""], messages, job.batch_name(1)).body.request
    body = b"".join(request.body)
    numbers = count(1)

    def walk() -> None:
        with httpx.Client(timeout=60) as client:
            while next(numbers) <= scene.calls:
                client.post(f"{scene.url}{request.path}", content=body, headers=request.headers).raise_for_status()

    return {"working": _threads(scene.workers, walk)}


def _threads(number: int, walk: Callable[[], None]) -> float:
    """Seconds until so many threads have ended; what breaks one of them is raised."""
    broken: list[BaseException] = []

    def guarded() -> None:
        try:
            walk()
        except BaseException as error:  # noqa: BLE001 - raised again below
            broken.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(number)]
    began = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = perf_counter()
    if broken:
        raise broken[0]
    return ended - began
