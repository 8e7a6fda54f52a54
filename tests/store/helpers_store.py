"""Ways to make a disk refuse, and databases as they once were."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from newsletter.store import migrate

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from newsletter.errors import NewsletterError

NOBODY = 65534


def made_by_version(path: Path, version: str) -> None:
    """A database as the program made it when this was its newest schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(migrate.MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    engine.dispose()


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
