"""Who is alive: every sending process holds a lock file, and the operating system frees it at any death.

So a run after a SIGKILL takes over at once what the dead process had in hand, instead of waiting
for its lease to end. The lease is what remains where a lock file is gone.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from newsletter.files import make_folder, writing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path


# A lock file that is there and free may also be that of a process about to take it. Only owners that
# the ledger names have certainly held theirs, so the ledger is read first and the locks after it.


def name(send_id: int, token: str) -> str:
    """A name for this process at work on a send: it tells people both, and ``token`` makes it one of its own."""
    return f"{send_id}-{os.getpid()}-{token}"


def pid(owner: str) -> int | None:
    """The process that ``name`` named; ``None`` where it was named otherwise."""
    parts = owner.split("-")
    return int(parts[1]) if len(parts) > 2 and parts[1].isdigit() else None


def _path(folder: Path, owner: str) -> Path:
    return folder / f"{owner}.lock"


@contextlib.contextmanager
def alive(folder: Path, owner: str) -> Iterator[None]:
    """Hold the lock of ``owner``, a name never used before, as long as the block runs."""
    make_folder(folder, mode=0o700)
    lock = FileLock(_path(folder, owner), thread_local=False)
    with writing(folder):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def dead(folder: Path, named: Iterable[str]) -> frozenset[str]:
    """Those of ``named``, owners of batches as the ledger has them, whose locks are free; none of them comes back."""
    return frozenset(owner for owner in named if _free(_path(folder, owner)))


def at_work(folder: Path, send_id: int | None = None) -> frozenset[str]:
    """The living owners named for a send, or for any: those among them too who have no batch in hand just now."""
    paths = folder.glob("*.lock" if send_id is None else f"{send_id}-*.lock")
    return frozenset(path.stem for path in paths if not _free(path) and path.exists())


def _free(path: Path, *, remove: bool = False) -> bool:
    """Whether a lock file is there and nobody holds it; what cannot be told counts as held."""
    if not path.exists():
        return False
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return False
    try:
        if remove:
            # Under the lock: a process that had just opened the file finds it gone and makes a new one.
            path.unlink(missing_ok=True)
    finally:
        lock.release()
    return True


def forget(folder: Path, named: Collection[str]) -> None:
    """Remove the lock files that nobody holds, but for those of owners that the ledger still names."""
    for path in folder.glob("*.lock"):
        if path.stem not in named:
            with contextlib.suppress(OSError):
                _free(path, remove=True)
