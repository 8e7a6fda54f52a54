"""What a provider accepted, as it alone knows: outside everything that may crash.

In memory for one process. Given a path, also in a file of JSON lines that several processes share: an acceptance is
on the disk before its answer leaves. No address stands in it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from newsletter.files import make_folder, writing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from filelock import FileLock

FILE = "truth.jsonl"


class Taken(NamedTuple):
    """One acceptance: who got a message, who was refused beside them, and under what key, hash and name."""

    people: tuple[int, ...]
    refused: tuple[int, ...]
    key: str
    sha: str
    batch: str
    at: dt.datetime


class Tried(NamedTuple):
    """One call: who was in it (``fates.members``), for which time, and what befell it, if anything."""

    who: str
    attempt: int
    mishap: str


class Truth:
    """Calls and acceptances, in the order in which they came.

    Whoever decides by what is there does it within ``alone``, which no other thread or process enters meanwhile.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._turn = threading.RLock()
        self._lock: FileLock | None = None
        self._read = 0
        self._tried: list[Tried] = []
        self._attempts: Counter[str] = Counter()
        self._taken: list[Taken] = []
        self._by_key: dict[str, Taken] = {}
        self._by_batch: dict[str, Taken] = {}

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Know all that is known, and be the only one to add to it; raises ``Unwritable``."""
        with self._turn:
            if self._path is None:
                yield
                return
            if self._lock is None:
                from filelock import FileLock

                make_folder(self._path.parent)
                self._lock = FileLock(self._path.with_name(f".{self._path.name}.lock"), thread_local=False)
            with writing(self._path):
                self._lock.acquire()
            try:
                with writing(self._path):
                    self._catch_up()
                yield
            finally:
                self._lock.release()

    # -- what is known ----------------------------------------------------------------

    def accepted(self, batches: Collection[str] | None = None) -> Counter[int]:
        """Messages by person, of all batches or of these."""
        counted: Counter[int] = Counter()
        with self.alone():
            for each in self._taken:
                if batches is None or each.batch in batches:
                    counted.update(each.people)
        return counted

    def calls(self) -> tuple[Tried, ...]:
        """Every call."""
        with self.alone():
            return tuple(self._tried)

    def with_key(self, key: str) -> Taken | None:
        """The last acceptance under a key."""
        with self.alone():
            return self._by_key.get(key)

    def of_batch(self, batch: str) -> Taken | None:
        """The last acceptance of a batch."""
        with self.alone():
            return self._by_batch.get(batch)

    def attempts(self, who: str) -> int:
        """How often these members were tried."""
        with self.alone():
            return self._attempts[who]

    # -- what is added ----------------------------------------------------------------

    def note(self, tried: Tried) -> None:
        """Remember a call."""
        with self.alone():
            self._append({"call": tried.who, "attempt": tried.attempt, "mishap": tried.mishap}, durable=False)
            self._add_call(tried)

    def take(self, taken: Taken) -> None:
        """Accept; raises ``Unwritable`` when it cannot be written down for sure."""
        with self.alone():
            self._append({"accepted": taken._asdict() | {"at": taken.at.isoformat()}}, durable=True)
            self._add(taken)

    def _add_call(self, tried: Tried) -> None:
        self._tried.append(tried)
        self._attempts[tried.who] += 1

    def _add(self, taken: Taken) -> None:
        self._taken.append(taken)
        self._by_key[taken.key] = taken
        self._by_batch[taken.batch] = taken

    # -- the file ---------------------------------------------------------------------

    def _append(self, line: dict[str, Any], *, durable: bool) -> None:
        """One line in one write, after the half of one that a killed process left."""
        if self._path is None:
            return
        with writing(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                end = os.fstat(descriptor).st_size
                cut = end and os.pread(descriptor, 1, end - 1) != b"\n"
                raw = (b"\n" if cut else b"") + json.dumps(line).encode() + b"\n"
                left = memoryview(raw)
                while left:
                    left = left[os.write(descriptor, left) :]
                if durable:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._read = end + len(raw)

    def _catch_up(self) -> None:
        """Read what other processes, or an earlier one, have added."""
        assert self._path is not None  # noqa: S101 - for the type checker
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except FileNotFoundError:
            return
        for line in new.splitlines():
            with contextlib.suppress(ValueError):  # half a line
                self._know(json.loads(line))
        self._read += len(new)

    def _know(self, line: dict[str, Any]) -> None:
        if "call" in line:
            self._add_call(Tried(line["call"], line["attempt"], line["mishap"]))
            return
        said = line["accepted"]
        people, refused = tuple(said["people"]), tuple(said["refused"])
        at = dt.datetime.fromisoformat(said["at"])
        self._add(Taken(people, refused, said["key"], said["sha"], said["batch"], at))
