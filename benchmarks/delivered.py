"""Our side of ``send.py``: the whole delivery, the same without a ledger, and a bare loop of the same client."""

from __future__ import annotations

import threading
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING

import httpx
from sqlalchemy import func, select

from newsletter.delivery import desk, ledger, start, summary, work
from newsletter.delivery.start import Wish
from newsletter.links import Links
from newsletter.store.clock import utcnow
from newsletter.store.database import open_database
from newsletter.store.tables import batch, delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from scene import Scene

    from newsletter.delivery.desk import Job

LINKS = Links("https://letters.example.org", b"a-secret-made-for-benchmarks-only")


def delivered(scene: Scene) -> dict[str, float]:
    """The send as the command carries it out: the audience frozen, then every batch by way of the ledger."""
    began = perf_counter()
    job = _begun(scene)
    frozen = perf_counter()
    work.run(job, scene.workers, lambda: _look(job))
    ended = perf_counter()
    with job.database.read() as connection:
        taken = select(func.sum(batch.c.n)).where(batch.c.state == "accepted")
        if (accepted := connection.execute(taken).scalar_one()) != scene.people:
            message = f"{accepted} of {scene.people} were accepted: {ledger.get(connection, job.send_id)}"
            raise RuntimeError(message)
    return {"freezing": frozen - began, "working": ended - frozen}


def _begun(scene: Scene) -> Job:
    """A send with its audience frozen."""
    database, provider = open_database(scene.ledger()), scene.made()
    wish = Wish("issue", "issue", "issue", scene.frozen(), provider.capabilities, provider.account, scene.size, "")
    made = start.create(database, wish, utcnow())
    return desk.job(database, made.id, provider, LINKS, desk.tools(threading.Event()))


def _look(job: Job) -> None:
    """What the command's bar asks a few times a second."""
    with job.database.read() as connection:
        summary.settled(connection, job.send_id)


def unledgered(scene: Scene) -> dict[str, float]:
    """The same people, values, links, bytes and calls from as many threads, with nothing written down."""
    job = _begun(scene)
    variant = job.frozen.variants[0]
    numbers = count(1)

    def walk() -> None:
        while (number := next(numbers)) <= scene.calls:
            members = select(delivery.c.person_id, delivery.c.address, delivery.c.fields)
            with job.database.read() as connection:
                rows = connection.execute(members.where(delivery.c.batch_id == number)).all()
            messages, _ = job.writer.messages(variant, [(row[0], row[1], row[2]) for row in rows])
            payload = job.provider.prepare(job.letters[variant.key], messages, job.batch_name(number))
            job.provider.submit(payload, f"key-{number}")

    return {"working": _threads(scene, walk)}


def bare(scene: Scene) -> dict[str, float]:
    """One prepared body posted again and again by httpx alone, a client for each thread."""
    job = _begun(scene)
    with job.database.read() as connection:
        members = select(delivery.c.person_id, delivery.c.address, delivery.c.fields).where(delivery.c.batch_id == 1)
        rows = connection.execute(members).all()
    messages, _ = job.writer.messages(job.frozen.variants[0], [(row[0], row[1], row[2]) for row in rows])
    request = job.provider.prepare(job.letters[""], messages, job.batch_name(1)).body.request
    body = b"".join(request.body)
    numbers = count(1)

    def walk() -> None:
        with httpx.Client(timeout=60) as client:
            while next(numbers) <= scene.calls:
                client.post(f"{scene.url}{request.path}", content=body, headers=request.headers).raise_for_status()

    return {"working": _threads(scene, walk)}


def _threads(scene: Scene, walk: Callable[[], None]) -> float:
    """Seconds until as many threads as there are workers have ended; what breaks one of them is raised."""
    broken: list[BaseException] = []

    def guarded() -> None:
        try:
            walk()
        except BaseException as error:  # noqa: BLE001 - raised again below
            broken.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(scene.workers)]
    began = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended = perf_counter()
    if broken:
        raise broken[0]
    return ended - began
