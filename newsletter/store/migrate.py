"""Bringing a database's schema up to date, in one transaction, with a copy kept of what was there.

Alembic is imported only when there is something to do: it costs more than most commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from newsletter.errors import BadInput
from newsletter.files import display
from newsletter.store import clock

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every version of the schema, oldest first; a test compares it with ``migrations/versions``."""

HEAD = REVISIONS[-1]
"""The version this program works with."""

MIGRATIONS = Path(__file__).parent / "migrations"


class Upgrade(NamedTuple):
    """A migration that was made: the version it began with (``None`` for an empty file), and the copy of that."""

    version: str | None
    copy: Path | None


def bring_up_to_date(
    engine: Engine, *, now: Callable[[], dt.datetime] = clock.utcnow, before: Callable[[], object] = lambda: None
) -> Upgrade | None:
    """Migrate the database to ``HEAD``, or return ``None`` at once when it is there already.

    Several processes may do this at once: one migrates, the others wait for it. What ``before`` raises prevents
    it. Raises ``BadInput``, with nothing touched, when a newer version or another program made the file.
    """
    with engine.connect() as connection:
        path = Path(engine.url.database or "")
        if known(connection, path) == HEAD:
            return None
        connection.rollback()
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            version = known(connection, path)
            if version not in {HEAD, None}:
                before()
            made = None if version == HEAD else _migrate(connection, path, version, now())
            connection.exec_driver_sql("COMMIT")
        except BaseException:
            connection.rollback()
            raise
    return made


def _migrate(connection: Connection, path: Path, version: str | None, moment: dt.datetime) -> Upgrade:
    """Copy what is there, then migrate inside the open transaction."""
    kept = None if version is None else _back_up(path, version, moment)
    try:
        _upgrade(connection)
    except BaseException:
        if kept is not None:
            # Nothing will have changed, so nothing needs the copy; every further try would leave one more.
            kept.unlink(missing_ok=True)
        raise
    return Upgrade(version, kept)


def check_still(connection: Connection, version: str) -> None:
    """Raise ``BadInput`` unless the schema still is what it was when the database was opened; one quick look-up.

    Another version of the program may have been installed and called while this one was at work: what this one
    would read and write from there on, nobody has ever tried.
    """
    # Every transaction begins with this: the driver itself takes a tenth of SQLAlchemy's time.
    cursor = connection.connection.cursor()
    (found,) = cursor.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
    if found != version:
        path = display(Path(connection.engine.url.database or ""))
        message = f"{path}: another version of newsletter has changed this database's schema ({version} → {found})"
        raise BadInput(message, hint="Run the same command again, with that version. Nothing is half written.")


def check_known(engine: Engine) -> str:
    """The schema's version; raises ``BadInput`` unless this program knows it."""
    path = Path(engine.url.database or "")
    with engine.connect() as connection:
        version = known(connection, path)
    if version is None:
        raise BadInput(f"{display(path)}: this database is empty", hint="Remove it.")
    return version


def known(connection: Connection, path: Path) -> str | None:
    """The schema's version, ``None`` for an empty file; raises ``BadInput`` unless this program knows it."""
    version = version_of(connection)
    if version is not None and version not in REVISIONS:
        raise newer(path, version)
    if version is None and inspect(connection).get_table_names():
        message = f"{display(path)}: this database belongs to another program"
        raise BadInput(message, hint="Move it away; newsletter makes its own. Nothing was changed.")
    return version


def newer(path: Path, version: str) -> BadInput:
    """What there is to say of a schema that this program does not know."""
    message = f"{display(path)}: this database was made by a newer version of newsletter (schema {version})"
    return BadInput(message, hint=f"Update the program: this one knows schemas up to {HEAD}. Nothing was changed.")


def version_of(connection: Connection) -> str | None:
    """The schema's version, ``None`` where there is none; this program need not know it."""
    try:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError:
        if inspect(connection).has_table("alembic_version"):
            raise
        return None
    return None if found is None else str(found)


def _back_up(path: Path, version: str, moment: dt.datetime) -> Path:
    """Copy the file as it was before the migration to ``<name>.<version>-<time>.bak`` beside it.

    The caller's write lock keeps others out; a second connection reads what is committed.
    """
    from newsletter.store import backup

    kept = path.with_name(f"{path.name}.{version}-{moment:%Y%m%dT%H%M%SZ}.bak")
    return backup.copy(path, kept, replace=True).path


def _upgrade(connection: Connection) -> None:
    """Run Alembic inside the open transaction; it neither commits nor prints."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
