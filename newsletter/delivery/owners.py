"""Who is alive: every sending process holds a lock file, and the operating system frees it at any death.

So a run after a SIGKILL takes over at once what the dead process had in hand, instead of waiting
for its lease to end. The lease is what remains where a lock file is gone.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from newsletter.files import make_folder, writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


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


def dead(folder: Path) -> frozenset[str]:
    """The owners whose locks are free; none of them comes back."""
    gone: set[str] = set()
    for path in folder.glob("*.lock"):
        lock = FileLock(path, thread_local=False)
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            gone.add(path.stem)
            lock.release()
    return frozenset(gone)


def forget(folder: Path, owners: Iterable[str]) -> None:
    """Remove the lock files of the dead, once nothing in the ledger names them."""
    for owner in owners:
        with contextlib.suppress(OSError):
            _path(folder, owner).unlink(missing_ok=True)
