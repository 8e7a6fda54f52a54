"""Ways to make a disk refuse."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from newsletter.errors import NewsletterError

NOBODY = 65534


def columns_of(connection: Connection, table: str) -> list[Any]:
    """The columns of a table; none when there is no such table."""
    return list(connection.execute(text(f"PRAGMA table_info({table})")))


def with_little_room(connection: sqlite3.Connection, _record: object) -> None:
    """Let a connection's database grow by a few pages only, as on a disk that is nearly full."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 20}")


def as_nobody(attempt: Callable[[Path], NewsletterError]) -> str:
    """Run ``attempt`` in a folder of its own, in a child without root's rights; its error's code and text."""
    folder = Path(tempfile.mkdtemp())
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _attempt(attempt, folder, writer)
    os.close(writer)
    with os.fdopen(reader) as answer:
        told = answer.read()
    os.waitpid(child, 0)
    shutil.rmtree(folder)
    return told


def _attempt(attempt: Callable[[Path], NewsletterError], folder: Path, writer: int) -> None:
    try:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        error = attempt(folder)
        os.write(writer, f"{error.exit_code} {error}".encode())
    except BaseException:  # noqa: BLE001 - a child must end here, whatever happens
        os.write(writer, traceback.format_exc().encode())
    finally:
        sys.stdout.flush()
        os._exit(0)
