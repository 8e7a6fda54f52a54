"""``newsletter db`` as real commands: backups in the midst of a send, put back, noticed, and decided upon."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import CONFIGURATION, Workspace

from newsletter.store import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

SLUG = "2026-11-23-hello"
COUNT = 300


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """A workspace with an issue and some people, five in a batch."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}send:\n  batch: 5\n  workers: 1\n")
    workspace.issue("Hello.\n")
    add(workspace, COUNT)
    return workspace


def add(workspace: Workspace, count: int) -> None:
    """Import people: p1@example.com and so on."""
    workspace.write("people.csv", "email\n" + "".join(f"p{number}@example.com\n" for number in range(1, count + 1)))
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "form")


def state(workspace: Workspace) -> Path:
    """The folder of the ledger."""
    return workspace.root / ".newsletter"


def arrived(workspace: Workspace, tag: str = SLUG) -> Counter[int]:
    """Messages by person, as the outbox alone knows."""
    return Counter(int(path.name.partition("-")[0]) for path in (state(workspace) / "outbox" / tag).glob("*.eml"))


@contextlib.contextmanager
def halfway(workspace: Workspace) -> Iterator[subprocess.Popen[bytes]]:
    """A send that has begun to mail, and stands still as long as the block runs; afterwards it ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "send", "--yes"],
        cwd=workspace.root,
        env=workspace.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not arrived(workspace) and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGSTOP)
    try:
        assert 0 < len(arrived(workspace)) < COUNT, "the send was too fast for this test: give it more people"
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=120)


def backed_up(workspace: Workspace) -> Path:
    """A backup made now."""
    return Path(workspace.newsletter("db", "backup", "--json").json()["file"])


def mark(workspace: Workspace) -> dict[str, object]:
    """What the mark says."""
    read: dict[str, object] = json.loads((state(workspace) / "ledger.json").read_bytes())
    return read


def run_sql(path: Path, *statements: str) -> None:
    """Change a database past the program."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


# -- an older copy is noticed ---------------------------------------------------------


@pytest.fixture
def restored(ready: Workspace) -> Workspace:
    """A ledger backed up in the midst of a send that then came to its end, and put back."""
    with halfway(ready) as process:
        copy = backed_up(ready)
        before = len(arrived(ready))
    assert process.returncode == 0
    assert arrived(ready) == Counter(range(1, COUNT + 1))
    assert before < COUNT
    told = ready.newsletter("db", "restore", str(copy), "--yes", "--json").json()
    assert told["decision_due"]
    return ready


def refused(workspace: Workspace) -> str:
    """What `send` says when it refuses; nobody is mailed by it."""
    before = arrived(workspace)
    told = ""
    for command in ("send", "resume"):
        result = workspace.run(command, "--yes")
        assert result.code == 1, result.err
        assert "newsletter db adopt" in result.err
        told = result.err
    assert arrived(workspace) == before
    return told


def test_nobody_is_mailed_twice_from_a_copy_put_back(restored: Workspace) -> None:
    """`send` refuses; with --doubt it goes on, mails nobody, and says that rows are in doubt."""
    assert "an older copy" in refused(restored)
    explained = restored.run("db", "adopt")
    assert explained.code == 1
    for words in ("a second time if you err", SLUG, "unsubscribed, bounced", "--suppress unsubscribed"):
        assert words in explained.out
    assert max(map(len, explained.out.splitlines()[2:])) <= 80, "a terminal would cut words in two"
    assert restored.run("send", "--yes").code == 1
    told = restored.newsletter("db", "adopt", "--doubt", "--json").json()
    assert told["standing"] == "older"
    assert told["adopted"] == "doubt"
    assert told["batches_in_doubt"] > 0
    assert told["missing_events"] > 0
    result = restored.run("send", "--yes", "--json")
    assert result.code == 3, result.err
    people = result.json()["people"]
    assert people["open"] == 0
    assert people["in_doubt"] > 0
    assert people["in_doubt"] + people["accepted"] == COUNT
    assert arrived(restored) == Counter(range(1, COUNT + 1))
    assert restored.newsletter("db", "check").out.startswith(f".newsletter/newsletter.db: sound (schema {migrate.HEAD}")


def test_a_copy_put_back_by_hand_is_noticed_as_well(ready: Workspace) -> None:
    """The database alone is replaced, as somebody in a hurry would do it."""
    with halfway(ready):
        copy = backed_up(ready)
    for path in state(ready).glob("newsletter.db*"):
        path.unlink()
    shutil.copy(copy, state(ready) / "newsletter.db")
    assert "an older copy" in refused(ready)
    assert ready.run("db", "check").code == 1
    assert arrived(ready) == Counter(range(1, COUNT + 1))


def test_a_send_that_was_killed_after_the_backup_is_noticed(ready: Workspace) -> None:
    """The mark moves with every call, not only when a send ends; the copy knows of no send at all."""
    copy = backed_up(ready)
    with halfway(ready) as process:
        process.kill()
    before = arrived(ready)
    ready.newsletter("db", "restore", str(copy), "--yes")
    result = ready.run("send", "--yes")
    assert result.code == 1
    assert "an older copy" in result.err
    assert arrived(ready) == before


def test_the_untried_are_mailed_again_at_the_person_s_word(restored: Workspace) -> None:
    """--assume unsent does what it says: whoever the copy holds open gets a second mail, nobody a third."""
    known = restored.newsletter("status", "--json").json()["people"]
    told = restored.newsletter("db", "adopt", "--assume", "unsent", "--json").json()
    assert told["batches_in_doubt"] <= 1, "only what was under way when the copy was made"
    result = restored.run("send", "--yes", "--json")
    assert result.code in {0, 3}, result.err
    twice = sum(count == 2 for count in arrived(restored).values())
    assert twice == known["open"] - result.json()["people"]["in_doubt"]
    assert max(arrived(restored).values()) == 2


def test_a_copy_of_the_newest_state_needs_no_decision(ready: Workspace) -> None:
    """Nothing left since, so nothing is lost: `send` goes on as if nothing had happened."""
    ready.newsletter("send", "--yes")
    told = ready.newsletter("db", "restore", str(backed_up(ready)), "--yes", "--json").json()
    assert not told["decision_due"]
    assert "sent already" in ready.newsletter("send").out
    ready.newsletter("send", "--again", "--yes")
    assert "nothing to decide" in ready.newsletter("db", "adopt", "--doubt").out
    assert not any(key.startswith("epoch:") for key in meta(ready))


def meta(workspace: Workspace) -> list[str]:
    """The keys of what the ledger remembers of itself."""
    with contextlib.closing(sqlite3.connect(state(workspace) / "newsletter.db")) as connection:
        return [row[0] for row in connection.execute("SELECT key FROM meta")]


def test_a_mark_that_was_removed_is_missed(ready: Workspace) -> None:
    """Nobody can tell then whether the database is the newest; a person can."""
    ready.newsletter("send", "--yes")
    (state(ready) / "ledger.json").unlink()
    assert "is gone" in ready.run("send", "--again", "--yes").err
    ready.newsletter("db", "adopt", "--doubt")
    ready.newsletter("send", "--again", "--yes")
    assert arrived(ready, f"{SLUG}~2") == Counter(range(1, COUNT + 1))


@pytest.mark.parametrize("content", ["", "{", '{"version": 2}', "[]", "\x00" * 256])
def test_a_mark_that_cannot_be_read_is_named(ready: Workspace, content: str) -> None:
    """Without a traceback, and with the way on."""
    ready.newsletter("send", "--yes")
    (state(ready) / "ledger.json").write_text(content)
    result = ready.run("send", "--again", "--yes")
    assert result.code == 1
    assert ".newsletter/ledger.json: this mark cannot be read" in result.err
    assert "newsletter db adopt" in result.err


def test_a_fresh_database_in_the_place_of_a_lost_one_is_noticed(ready: Workspace) -> None:
    """It knows nobody who got anything; the mark knows that somebody did."""
    ready.newsletter("send", "--yes")
    for path in state(ready).glob("newsletter.db*"):
        path.unlink()
    add(ready, 3)
    result = ready.run("send", "--yes")
    assert result.code == 1
    assert "not the ledger that mail was sent from" in result.err
    ready.newsletter("db", "adopt", "--doubt")
    ready.newsletter("send", "--yes")


def test_a_workspace_of_an_older_version_gets_its_mark(ready: Workspace) -> None:
    """Nobody is asked: there was no mark that could have been taken away."""
    ready.newsletter("send", "--yes")
    (state(ready) / "ledger.json").unlink()
    run_sql(state(ready) / "newsletter.db", "DELETE FROM meta WHERE key = 'epoch'")
    ready.newsletter("send", "--again", "--yes")
    assert mark(ready)["epoch"] == 0
    assert stat.S_IMODE((state(ready) / "ledger.json").stat().st_mode) == 0o600


def test_an_issue_sent_since_is_named_and_not_sent_again(ready: Workspace) -> None:
    """A backup from before the send knows nothing of it; the record beside the issue does."""
    copy = backed_up(ready)
    ready.newsletter("send", "--yes")
    instance = mark(ready)["instance"]
    record = {"version": 1, "send": 1, "instance": instance, "created_at": "2026-11-25T08:00:00.000000Z"}
    ready.write(f"issues/{SLUG}/sent.json", json.dumps(record))
    ready.newsletter("db", "restore", str(copy), "--yes")
    result = ready.run("db", "adopt")
    assert result.code == 1
    assert f"will not send them again:\n  {SLUG}\n" in result.out
    assert "nobody will be in doubt" in result.out
    assert ready.run("db", "adopt", "--json").json()["unknown_issues"] == [SLUG]
    assert ready.newsletter("db", "adopt", "--doubt", "--json").json()["batches_in_doubt"] == 0


def test_the_state_before_a_decision_cannot_come_back_unnoticed(restored: Workspace) -> None:
    """What was replaced knows more events, but belongs to the epoch before."""
    (replaced,) = (state(restored) / "backups").glob("*-replaced.db")
    restored.newsletter("db", "adopt", "--doubt")
    assert mark(restored)["epoch"] == 1
    restored.newsletter("db", "restore", str(replaced), "--yes")
    assert "an older copy" in restored.run("send", "--again", "--yes").err


# -- backup ---------------------------------------------------------------------------


def test_a_backup_lies_beside_the_database_and_is_the_owner_s_alone(ready: Workspace) -> None:
    """Named by the time, one plain file, sound; --keep removes the oldest and nothing else."""
    first = backed_up(ready)
    assert first.parent == state(ready) / "backups"
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    mine = first.with_name("before-the-move.db")
    shutil.copy(first, mine)
    second = backed_up(ready)
    told = ready.newsletter("db", "backup", "--keep", "2", "--json").json()
    assert told["pruned"] == [str(first)]
    third = Path(told["file"])
    assert {path.name for path in first.parent.glob("*.db")} == {second.name, third.name, mine.name}
    assert not list(first.parent.glob("*.db-*"))
    assert ready.newsletter("db", "check", str(third)).code == 0


def test_a_backup_goes_where_it_is_told_and_overwrites_nothing(ready: Workspace) -> None:
    """A file that is there stays, byte for byte; a folder that is not there is named."""
    ready.newsletter("db", "backup", "--to", "copy.db")
    before = (ready.root / "copy.db").read_bytes()
    again = ready.run("db", "backup", "--to", "copy.db")
    assert again.code == 1
    assert "never overwrites" in again.err
    assert (ready.root / "copy.db").read_bytes() == before
    nowhere = ready.run("db", "backup", "--to", "nowhere/copy.db")
    assert nowhere.code == 74
    assert "nowhere/copy.db" in nowhere.err
    assert ready.run("db", "backup", "--to", "x.db", "--keep", "3").code == 2
    assert ready.run("db", "backup", "--keep", "0").code == 2
    assert ready.run("db", "adopt", "--doubt", "--assume", "unsent").code == 2
    assert ready.run("db", "restore", ".newsletter/newsletter.db", "--yes").code == 2


def test_without_a_database_there_is_nothing_to_do(workspace: Workspace) -> None:
    """Each command says so, and none makes one."""
    for command in (("backup",), ("check",), ("upgrade",), ("adopt",)):
        result = workspace.run("db", *command)
        assert result.code == 1
        assert "there is no database yet" in result.err
    assert not state(workspace).exists()


def test_an_erased_person_is_gone_from_backups_as_well(ready: Workspace) -> None:
    """Also from a half that a killed backup left; and who comes back with a copy from elsewhere is found."""
    ready.newsletter("db", "backup", "--to", "elsewhere.db")
    copy = backed_up(ready)
    half = copy.with_name(f".{copy.name}.0a1b2c3d.part")
    shutil.copy(copy, half)
    erased = ready.newsletter("subscribers", "erase", "p7@example.com", "--yes")
    assert "still holds" not in erased.err
    assert b"p7@example.com" not in copy.read_bytes()
    assert not half.exists()
    ready.newsletter("db", "restore", str(copy), "--yes")
    assert ready.newsletter("db", "check").code == 0
    run_sql(
        state(ready) / "newsletter.db",
        f"ATTACH '{ready.root / 'elsewhere.db'}' AS old",
        "INSERT INTO person SELECT 9999, address, key, fields, status, status_at, status_reason, consent_source,"
        " consent_at, created_at FROM old.person WHERE key = 'p7@example.com'",
    )
    result = ready.run("db", "check")
    assert result.code == 1
    assert "people who were erased are on the list again" in result.out
    assert "p7@example.com" in result.out


# -- check and upgrade ----------------------------------------------------------------


def test_a_sound_ledger_is_called_sound_while_it_works(ready: Workspace) -> None:
    """In the midst of a send, and after it."""
    with halfway(ready):
        assert ready.newsletter("db", "check", "--json").json()["sound"]
    assert ready.newsletter("db", "check", "--json").json()["flaws"] == []


def test_a_flaw_is_named_with_what_it_means_and_what_to_do(ready: Workspace) -> None:
    """Exit code 1; the same for scripts."""
    ready.newsletter("send", "--yes")
    run_sql(state(ready) / "newsletter.db", "UPDATE batch SET state = 'pending' WHERE id = 3")
    result = ready.run("db", "check")
    assert result.code == 1
    for words in ("called done", "send 1", "in another state than its last event", "batch 3", "means", "what to do"):
        assert words in result.out
    told = ready.run("db", "check", "--json")
    assert told.code == 1
    assert {flaw["rule"] for flaw in told.json()["flaws"]} == {"done too early", "last event"}


def test_a_damaged_file_is_65_and_no_backup_is_made_of_it(ready: Workspace) -> None:
    """The next step is named, and works."""
    copy = backed_up(ready)
    path = state(ready) / "newsletter.db"
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 3 * 4096)
    result = ready.run("db", "check")
    assert result.code == 65
    assert "damaged" in result.out
    assert "newsletter db restore FILE" in result.out
    backup = ready.run("db", "backup")
    assert backup.code == 65
    assert "no backup" in backup.err
    assert [each.name for each in copy.parent.iterdir() if each.name != ".lock"] == [copy.name]
    ready.newsletter("db", "restore", str(copy), "--yes")
    assert ready.newsletter("db", "check").code == 0


@pytest.mark.parametrize("command", ["check", "restore"])
def test_a_file_that_is_no_backup_is_65(ready: Workspace, command: str) -> None:
    """A letter, an empty file, a folder, nothing, another program's database: nothing is changed."""
    ready.write("letter.db", b"This is a letter, and not a database at all. " * 100)
    ready.write("empty.db", b"")
    run_sql(ready.root / "theirs.db", "CREATE TABLE theirs (a)")
    before = (state(ready) / "newsletter.db").read_bytes()
    for name in ("letter.db", "empty.db", "theirs.db", "nothing.db"):
        result = ready.run("db", command, name, *(["--yes"] if command == "restore" else []))
        assert result.code == 65, (name, result.err)
        assert "Traceback" not in result.err
    assert not (ready.root / "nothing.db").exists()
    assert (state(ready) / "newsletter.db").read_bytes() == before
    assert ready.run("db", command, "issues").code == 2


def test_the_database_is_no_backup_of_itself(ready: Workspace) -> None:
    """Whatever it is called."""
    (ready.root / "link.db").symlink_to(state(ready) / "newsletter.db")
    for name in ("link.db", ".newsletter/newsletter.db"):
        result = ready.run("db", "restore", name, "--yes")
        assert result.code == 2
        assert "is the database itself" in result.err


def test_a_damaged_backup_is_not_recommended(ready: Workspace) -> None:
    """Where the database itself is sound there is nothing to put in its place."""
    ready.write("letter.db", b"This is a letter, and not a database at all. " * 100)
    result = ready.run("db", "check", "letter.db")
    assert "of no use as a backup" in result.out
    assert "restore" not in result.out


def test_a_database_of_another_program_is_not_upgraded(ready: Workspace) -> None:
    """Nor is it promised."""
    path = state(ready) / "newsletter.db"
    for each in path.parent.glob("newsletter.db*"):
        each.unlink()
    run_sql(path, "CREATE TABLE theirs (a)")
    for more in ((), ("--check",)):
        result = ready.run("db", "upgrade", *more)
        assert result.code == 65
        assert "belongs to another program" in result.err


def test_a_backup_of_a_newer_version_is_left_alone(ready: Workspace) -> None:
    """65, and what to do; the database stays."""
    copy = backed_up(ready)
    run_sql(copy, "UPDATE alembic_version SET version_num = '9999'")
    for command in (("check", str(copy)), ("restore", str(copy), "--yes")):
        result = ready.run("db", *command)
        assert result.code == 65
        assert "Update the program" in result.err
    assert ready.newsletter("db", "check").code == 0


def test_a_backup_of_another_newsletter_is_refused(ready: Workspace, tmp_path: Path) -> None:
    """Unless there is no database to lose."""
    other = Workspace(tmp_path / "other")
    other.write("newsletter.yaml", CONFIGURATION)
    add(other, 2)
    other.newsletter("db", "backup", "--to", str(tmp_path / "other.db"))
    result = ready.run("db", "restore", str(tmp_path / "other.db"), "--yes")
    assert result.code == 1
    assert "another newsletter" in result.err
    for path in state(ready).glob("newsletter.db*"):
        path.unlink()
    ready.newsletter("db", "restore", str(tmp_path / "other.db"), "--yes")


def test_nothing_is_put_back_under_a_running_send(ready: Workspace) -> None:
    """Nor without a yes."""
    copy = backed_up(ready)
    with halfway(ready):
        result = ready.run("db", "restore", str(copy), "--yes")
        assert result.code == 1
        assert "mail is being sent" in result.err
    assert ready.run("db", "restore", str(copy)).code == 2
    assert arrived(ready) == Counter(range(1, COUNT + 1))


def test_an_older_schema_is_told_and_brought_up_to_date(ready: Workspace) -> None:
    """--check only tells; the backup is named; a second time there is nothing to do."""
    path = state(ready) / "newsletter.db"
    make_older(path)
    told = ready.run("db", "upgrade", "--check", "--json")
    assert told.code == 1
    assert told.json() == {"from": "0001", "to": migrate.HEAD, "upgraded": False, "backup": None}
    look = ready.newsletter("db", "check")
    assert "Not looked at" in look.err
    done = ready.newsletter("db", "upgrade", "--json").json()
    assert (done["from"], done["to"], done["upgraded"]) == ("0001", migrate.HEAD, True)
    assert Path(done["backup"]).exists()
    assert "up to date" in ready.newsletter("db", "upgrade").out
    assert ready.newsletter("db", "upgrade", "--check").code == 0
    run_sql(path, "UPDATE alembic_version SET version_num = '9999'")
    assert ready.run("db", "upgrade").code == 65


def make_older(path: Path) -> None:
    """Replace the database by one as the first version made it."""
    from store.helpers_store import made_by_version

    for each in path.parent.glob("newsletter.db*"):
        each.unlink()
    made_by_version(path, "0001")


def test_a_backup_that_does_not_fit_on_the_disk_leaves_nothing(ready: Workspace) -> None:
    """A limit on the size of files stands for the full disk: 74, and no half of a copy."""
    path = state(ready) / "newsletter.db"
    limit = path.stat().st_size // 2
    code = (
        "import resource, sys; from newsletter.__main__ import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "sys.argv = ['newsletter', 'db', 'backup', '--to', 'copy.db']\nsys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ready.root,
        env=ready.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 74, done.stderr
    assert "copy.db" in done.stderr
    assert not list(ready.root.glob("*copy.db*"))
