"""Migrations: the schema they make, and what becomes of files that are older, newer, or somebody else's."""

from __future__ import annotations

import re
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, select
from store.helpers_store import made_by_version

from newsletter.errors import BadInput
from newsletter.store import migrate
from newsletter.store.database import open_database
from newsletter.store.tables import erased, meta, metadata, person

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = migrate.HEAD


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database of a test shall be."""
    return tmp_path / ".newsletter" / "newsletter.db"


def _run(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return [row for statement in statements for row in connection.execute(statement).fetchall()]


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    """Every table and index as SQL, without regard to space and to the order of constraints."""
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL").fetchall()
    return {name: " ".join(sorted(re.split(r"\s*,?\s*\n\s*|, (?=[a-z_]+ [A-Z])", sql.strip()))) for name, sql in rows}


def test_the_migrations_make_the_tables(path: Path) -> None:
    """Alembic finds no difference between a migrated database and ``tables.py``."""
    database = open_database(path)
    with database.read() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    database.close()


def test_the_migrations_make_the_same_constraints(path: Path) -> None:
    """What Alembic does not compare, checks above all, is the same to the letter."""
    open_database(path).close()
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as fresh, closing(sqlite3.connect(path)) as migrated:
        raw = fresh.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        made = _schema(migrated)
        assert made.pop("alembic_version")
        assert made == _schema(raw)
    engine.dispose()


def test_the_list_of_revisions_is_that_of_the_files() -> None:
    """``REVISIONS`` says without Alembic what Alembic would say."""
    script = ScriptDirectory(str(migrate.MIGRATIONS))
    found = [revision.revision for revision in script.walk_revisions()]
    assert tuple(reversed(found)) == migrate.REVISIONS
    assert script.get_current_head() == migrate.HEAD


def test_each_database_has_an_id_of_its_own_that_stays(tmp_path: Path) -> None:
    """The instance is random, and the same at every opening."""
    ids = []
    for name in ("a", "b", "a"):
        database = open_database(tmp_path / name / "newsletter.db")
        ids.append(database.instance())
        database.close()
    assert ids[0] == ids[2] != ids[1]
    assert re.fullmatch(r"[0-9a-f]{32}", ids[0])


def test_migrating_prints_nothing(path: Path) -> None:
    """A first command's output is the command's own, even with logging on."""
    code = f"""
import logging, pathlib
logging.basicConfig(level=logging.WARNING)
from newsletter.store.database import open_database
open_database(pathlib.Path({str(path)!r})).close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_database_that_is_up_to_date_costs_no_alembic(path: Path) -> None:
    """Opening it again imports nothing of Alembic."""
    open_database(path).close()
    code = f"""
import pathlib, sys
from newsletter.store.database import open_database
open_database(pathlib.Path({str(path)!r})).close()
print(any(name.partition(".")[0] in ("alembic", "mako") for name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "False\n"


def test_several_processes_may_open_a_fresh_file_at_once(path: Path) -> None:
    """All end well, and they agree on the one that migrated."""
    code = f"""
import pathlib, sys
from newsletter.store.database import open_database
sys.stdin.readline()
database = open_database(pathlib.Path({str(path)!r}))
print(database.instance())
"""
    command = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, **pipes) for _ in range(4)]  # type: ignore[call-overload]
    answers = []
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        answers.append(out)
    assert len(set(answers)) == 1
    assert not list(path.parent.glob("*.bak"))


def test_a_database_of_a_newer_version_is_left_alone(path: Path) -> None:
    """The error is 65 and says what to do; no byte of the file changes."""
    open_database(path).close()
    _run(path, "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(BadInput, match="made by a newer version of newsletter") as raised:
        open_database(path)
    assert raised.value.exit_code == 65
    assert "Update the program" in str(raised.value)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["newsletter.db"]


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    """A file with tables that are not ours is refused, not filled up."""
    path.parent.mkdir()
    _run(path, "CREATE TABLE theirs (a)")
    with pytest.raises(BadInput, match="belongs to another program"):
        open_database(path)
    assert _run(path, "SELECT name FROM sqlite_master") == [("theirs",)]


@pytest.fixture
def older(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database one version behind a program with one migration more."""
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text((migrate.MIGRATIONS / "env.py").read_text())
    before: str | None = None
    for revision in migrate.REVISIONS:
        (folder / "versions" / f"m{revision}.py").write_text(
            f"from alembic import op\nrevision = {revision!r}\ndown_revision = {before!r}\ndef upgrade() -> None: pass\n"
        )
        before = revision
    (folder / "versions" / "mlater.py").write_text(
        f'from alembic import op\nrevision = "later"\ndown_revision = {before!r}\n'
        'def upgrade() -> None:\n    op.execute("CREATE TABLE later (a)")\n    op.execute(op.get_context().opts["then"])\n'
    )
    open_database(path).close()
    env = folder / "env.py"
    env.write_text(env.read_text().replace("connection=", 'then="SELECT 1", connection='))
    monkeypatch.setattr(migrate, "MIGRATIONS", folder)
    monkeypatch.setattr(migrate, "REVISIONS", (*migrate.REVISIONS, "later"))
    monkeypatch.setattr(migrate, "HEAD", "later")
    return path


def test_an_older_database_is_copied_before_it_is_migrated(older: Path) -> None:
    """The copy beside it is whole, has the old schema, and is the owner's alone."""
    _run(older, "INSERT INTO meta VALUES ('kept', 'yes')")
    database = open_database(older)
    with database.read() as connection:
        assert connection.execute(select(meta.c.value).where(meta.c.key == "kept")).scalar() == "yes"
    database.close()
    assert _run(older, "SELECT version_num FROM alembic_version") == [("later",)]
    (copy,) = older.parent.glob("*.bak")
    assert re.fullmatch(rf"newsletter\.db\.{BEFORE}-\d{{8}}T\d{{6}}Z\.bak", copy.name)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert _run(copy, "SELECT version_num FROM alembic_version", "SELECT value FROM meta WHERE key = 'kept'") == [
        (BEFORE,),
        ("yes",),
    ]
    assert _run(copy, "PRAGMA integrity_check") == [("ok",)]


def test_a_migration_that_fails_changes_nothing(older: Path) -> None:
    """Its tables go with it, the version stays, and the next opening may try again."""
    env = migrate.MIGRATIONS / "env.py"
    sound = env.read_text()
    env.write_text(sound.replace("SELECT 1", "SELECT nonsense"))
    with pytest.raises(Exception, match="nonsense"):
        open_database(older)
    assert _run(older, "SELECT name FROM sqlite_master WHERE name = 'later'") == []
    assert _run(older, "SELECT version_num FROM alembic_version") == [(BEFORE,)]
    env.write_text(sound)
    open_database(older).close()
    assert _run(older, "SELECT name FROM sqlite_master WHERE name = 'later'") == [("later",)]


def test_the_first_schema_is_brought_up_to_date_with_its_people(path: Path) -> None:
    """What stood in a database of schema 0001 stands there afterwards, beside the new table, and in the copy."""
    made_by_version(path, "0001")
    row = "1, 'ada@example.org', 'ada@example.org', '{}', 'bounced', 'x', 'y', 'form', 'x', 'x'"
    _run(path, f"INSERT INTO person VALUES ({row})", "INSERT INTO meta VALUES ('import:1', 'kept')")
    database = open_database(path)
    with database.read() as connection:
        assert connection.execute(select(person.c.address, person.c.status)).all() == [("ada@example.org", "bounced")]
        assert connection.execute(select(meta.c.value).where(meta.c.key == "import:1")).scalar() == "kept"
        assert connection.execute(select(erased)).all() == []
    database.close()
    assert _run(path, "SELECT version_num FROM alembic_version") == [(migrate.HEAD,)]
    (copy,) = path.parent.glob("newsletter.db.0001-*.bak")
    assert _run(copy, "SELECT key FROM person") == [("ada@example.org",)]
    assert _run(copy, "SELECT name FROM sqlite_master WHERE name = 'erased'") == []


def test_ids_of_messages_move_to_their_batch(path: Path) -> None:
    """A receipt from before still finds them."""
    made_by_version(path, "0002")
    _run(
        path,
        "INSERT INTO person VALUES (1, 'a@example.org', 'a@example.org', '{}', 'active', 'x', '', '', 'x', 'x')",
        "INSERT INTO content VALUES ('c', x'00')",
        "INSERT INTO send (id, issue_id, realm, kind, slug, content_sha, audience_sha, plan_id, recipients, provider,"
        " account, state, created_at, by) VALUES (1, 'i', 'real', 'issue', 's', 'c', 'a', 'p', 1, 'resend', 'a', 'done',"
        " 'x', 'me')",
        "INSERT INTO batch (id, send_id, seq, n) VALUES (5, 1, 0, 1), (6, 1, 1, 0)",
        "INSERT INTO delivery (send_id, person_id, batch_id, address, fields, provider_msg_id)"
        " VALUES (1, 1, 5, 'a@example.org', '{}', 'id-1')",
    )
    open_database(path).close()
    assert _run(path, "SELECT id, provider_ids FROM batch ORDER BY id") == [(5, '{"1":"id-1"}'), (6, None)]
