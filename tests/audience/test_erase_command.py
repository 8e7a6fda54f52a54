"""``newsletter subscribers erase``: no byte of a person is left below .newsletter, whatever was done with them before."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from audience.helpers_audience import secret
from store.helpers_store import made_by_version
from support import CONFIGURATION, SECRET, listening

from newsletter.audience import erasing as audience_erasing
from newsletter.cli import app, erasing
from newsletter.errors import TryLater
from newsletter.preview.opening import head_fields
from newsletter.store.database import open_database

if TYPE_CHECKING:
    from pathlib import Path

    from support import Workspace

ADDRESS = "Ada.Lovelace@Example.org"
KEY = "ada.lovelace@example.org"
TELLTALE = "Zyxwvutsrq"
PEOPLE = f"email,first_name\n{ADDRESS},{TELLTALE}\nbob@example.org,Bob\nx{KEY},Other\n"
BODY = "Hello {{ first_name }}, you are {{ email }}.\n"


def _run(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return [row for statement in statements for row in connection.execute(statement).fetchall()]


def _traces(workspace: Workspace, *more: str) -> list[str]:
    """Every file below .newsletter that holds the address, in any case, or the person's value."""
    wanted = [text.lower().encode() for text in (KEY, KEY.replace("@", "%40"), TELLTALE, *more)]
    found = []
    for path in sorted((workspace.root / ".newsletter").rglob("*")):
        data = path.read_bytes().lower().replace(b"x" + wanted[0], b"") if path.is_file() else b""
        found += [path.name for text in wanted if text in data]
    return found


@pytest.fixture
def sent(workspace: Workspace) -> Workspace:
    """A workspace whose issue went to three people, in the outbox."""
    workspace.issue(BODY)
    workspace.write("people.csv", PEOPLE)
    consent = f"form; forwarded by {ADDRESS}"
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", consent)
    workspace.newsletter("send", "--yes")
    return workspace


def test_no_byte_of_a_person_is_left(sent: Workspace) -> None:
    """Database, log, outbox and its index: neither the address in any case nor a value; the others' stay."""
    state = sent.root / ".newsletter"
    _run(
        state / "newsletter.db",
        f"UPDATE event SET detail = 'refused: {KEY.upper()} is on a list' WHERE id = 1",
        f"UPDATE batch SET error = 'GET /bounces/{KEY.replace('@', '%40')} said no'",
        f"UPDATE send SET pause_reason = 'later: {KEY}'",
        f"""UPDATE person SET fields = '{{"friend":"{KEY}"}}' WHERE id = 2""",
    )
    assert len(set(_traces(sent))) == 3
    mails = sorted(path.name for path in state.rglob("*.eml"))
    result = sent.newsletter("subscribers", "erase", KEY, "--yes")
    assert _traces(sent) == []
    assert "One person, 1 copy in the ledger, 1 trial mail." in result.out
    assert KEY not in (result.out + result.err).lower()
    assert sorted(path.name for path in state.rglob("*.eml")) == mails[1:]
    (index,) = state.rglob("*.jsonl")
    assert [json.loads(line)["to"] for line in index.read_text().splitlines()] == ["bob@example.org", f"x{KEY}"]
    database = state / "newsletter.db"
    assert _run(database, "SELECT fields FROM person WHERE id = 2") == [('{"friend":"(erased)"}',)]
    assert _run(database, "SELECT detail FROM event WHERE id = 1") == [("refused: (erased) is on a list",)]
    assert _run(database, "SELECT address, fields, outcome FROM delivery WHERE person_id = 1") == [("", "{}", None)]
    assert _run(database, "PRAGMA integrity_check") == [("ok",)]


def test_every_command_goes_on_after_somebody_was_erased(sent: Workspace) -> None:
    """Lists show who is there, counts stay whole, and the send is still of three."""
    sent.newsletter("subscribers", "erase", KEY, "--yes")
    assert sent.newsletter("status", "--json").json()["people"]["accepted"] == 3
    assert [each["address"] for each in sent.newsletter("subscribers", "list", "--json").json()["people"]] == [
        "bob@example.org",
        f"x{KEY}",
    ]
    assert KEY not in sent.newsletter("subscribers", "export").out.replace(f"x{KEY}", "")
    assert sent.newsletter("subscribers", "stats", "--json").json()["erased"] == 1
    assert sent.newsletter("suppressions", "list", "--json").json()["counts"]["erased"] == 1
    again = sent.newsletter("send", "--again", "--yes", "--json")
    assert KEY not in again.out
    assert _traces(sent) == []
    sent.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "x")
    assert _traces(sent) == []


def test_the_result_is_told_to_scripts_and_twice_is_once(sent: Workspace) -> None:
    """The second time finds nothing to do and ends with 0 as well."""
    done = sent.newsletter("subscribers", "erase", ADDRESS, "--yes", "--json").json()
    assert done == {"again": False, "copies": 1, "mails": 1, "backups": [], "left": []}
    again = sent.newsletter("subscribers", "erase", ADDRESS, "--yes", "--json").json()
    assert again == {"again": True, "copies": 0, "mails": 0, "backups": [], "left": []}
    assert "had been erased" in sent.newsletter("subscribers", "erase", ADDRESS, "--yes").out


def test_backups_are_erased_too(sent: Workspace) -> None:
    """Of this schema and of the one before; of a migration that was killed nothing stays."""
    state = sent.root / ".newsletter"
    database, copy = state / "newsletter.db", state / "newsletter.db.0002-20261124T080000Z.bak"
    shutil.copy(database, copy)
    old = state / "newsletter.db.0001-20261123T080000Z.bak"
    made_by_version(old, "0001")
    values = f"'{ADDRESS}', '{KEY}', '{{\"x\":\"{TELLTALE}\"}}', 'active', 'x', '', '', 'x', 'x'"
    _run(old, f"INSERT INTO person VALUES (9, {values})", f"INSERT INTO meta VALUES ('import:1', '{KEY}')")
    remains = f"INSERT INTO meta VALUES ('gone', '{(TELLTALE + ' ') * 999}')"
    _run(old, "PRAGMA secure_delete=OFF", remains, "DELETE FROM meta WHERE key = 'gone'")
    assert old.read_bytes().count(TELLTALE.encode()) > 500
    shutil.copy(old, state / "newsletter.db.0001-20261123T090000Z.bak.part")
    done = sent.newsletter("subscribers", "erase", ADDRESS, "--yes", "--json").json()
    assert done["backups"] == [f".newsletter/{old.name}", f".newsletter/{copy.name}"]
    assert _traces(sent) == []
    assert _run(old, "SELECT id, status, key FROM person") == [(9, "unsubscribed", "erased:9")]
    assert len(_run(copy, "SELECT hash FROM erased")) == 1
    assert sorted(path.name for path in state.glob("newsletter.db*")) == ["newsletter.db", old.name, copy.name]


def test_what_cannot_be_erased_is_named(sent: Workspace) -> None:
    """Backups that are none, files of others and a reader's built copy: 3 with what to do, and 0 once they are gone."""
    broken = sent.write(".newsletter/newsletter.db.0001-20261123T080000Z.bak", f"no database, but {KEY}\n" * 100)
    log = sent.write(".newsletter/cron.log", f"mailed {KEY}\n")
    own = sent.write(".newsletter/outbox/suppressions.json", f'[{{"address": "{KEY}", "status": "bounced"}}]')
    sent.newsletter("build", "--as", ADDRESS)
    result = sent.run("subscribers", "erase", ADDRESS, "--yes")
    assert result.code == 3
    for name in (broken.name, "cron.log", "suppressions.json", "build/2026-11-23-hello/"):
        assert name in result.err
    assert "this file is not a database" in result.err
    assert KEY not in (result.out + result.err).lower()
    broken.unlink()
    log.unlink()
    own.write_text("[]")
    shutil.rmtree(sent.root / "build")
    assert sent.newsletter("subscribers", "erase", ADDRESS, "--yes", "--json").json()["again"]
    assert _traces(sent) == []


def test_mails_in_any_layout_and_caches_go(sent: Workspace) -> None:
    """By their To alone: who is only written about, or has a longer address, keeps theirs."""
    box = ".newsletter/outbox"
    mine = [
        sent.write(f"{box}/mailgun/1/a.eml", f"From: t@example.org\r\nTo: {ADDRESS}\r\n\r\nHi\r\n"),
        sent.write(f"{box}/flat.eml", f'Subject: x\nTO: "Ada"\n <{KEY}>\n\nHi\n'),
        sent.write(f"{box}/x/.part/k.1/00000001-k.eml.part", f"To: {KEY}\r\n\r\nhalf"),
        sent.write(".newsletter/cache/readers/1.json", f'{{"email": "{KEY}"}}'),
    ]
    others = [
        sent.write(f"{box}/mailgun/1/b.eml", f"To: x{KEY}\r\n\r\nHi\r\n"),
        sent.write(f"{box}/mailgun/1/c.eml", f'To: "{KEY}" <bob@example.org>\r\n\r\nHi\r\n'),
    ]
    index = sent.write(
        f"{box}/.events/mailgun.jsonl", f'{{"to": "{KEY}"}}\nbroken {KEY}\n{{"to": "bob@example.org"}}\n'
    )
    done = sent.newsletter("subscribers", "erase", ADDRESS, "--yes", "--json").json()
    assert done["mails"] == 4
    assert [path.exists() for path in mine] == [False] * 4
    assert [path.exists() for path in others] == [True] * 2
    assert index.read_text() == '{"to": "bob@example.org"}\n'


TESTER = "tess@example.org"
PUBLIC = "public_url: https://letters.nowhere.invalid\n"


@pytest.fixture
def tested(workspace: Workspace) -> Workspace:
    """A workspace whose issue names the reader in subject and body, and nowhere by address."""
    workspace.issue("Hello {{ first_name }}.\n", subject="For {{ first_name }}")
    workspace.write("people.csv", PEOPLE)
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "form")
    return workspace


def _outbox(workspace: Workspace) -> list[str]:
    """Every trial mail's recipient and subject."""
    mails = sorted((workspace.root / ".newsletter" / "outbox").rglob("*.eml"))
    return sorted(" ".join(head_fields(path.read_bytes())) for path in mails)


def test_a_testers_copy_of_the_reader_goes_too(tested: Workspace) -> None:
    """No address of theirs stands in it, but their values and their link; others' copies and mails to testers stay."""
    tested.newsletter("test", "--to", TESTER, "--to", "two@example.org", "--as", ADDRESS)
    tested.newsletter("test", "--to", ADDRESS, "--to", TESTER)
    tested.newsletter("test", "--to", TESTER, "--as", "bob@example.org")
    assert len(_traces(tested)) == 7  # the database by both, three mails and two indexes
    done = tested.newsletter("subscribers", "erase", KEY, "--yes", "--json").json()
    assert (done["mails"], done["left"]) == (3, [])
    assert _traces(tested) == []
    assert _outbox(tested) == [f"{TESTER} [Test] For Bob", f"{TESTER} [Test] For [first_name]"]
    lines = [line for path in tested.root.rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert sorted(json.loads(line)["subject"] for line in lines) == ["[Test] For Bob", "[Test] For [first_name]"]


@pytest.mark.parametrize("provider", ["mailgun", "resend"])
def test_a_testers_copy_goes_from_the_dialects_too(tested: Workspace, provider: str) -> None:
    """With its line in the events, which holds the subject; the events of others stay."""
    with listening(tested) as url:
        settings = f"{provider}:\n  base_url: {url}\n" + ("  domain: mg.example.org\n" if provider == "mailgun" else "")
        tested.write("newsletter.yaml", f"{CONFIGURATION}{PUBLIC}provider: {provider}\n{settings}")
        keys = {"MAILGUN_API_KEY": "key-1", "RESEND_API_KEY": "re_1"}
        tested.newsletter("test", "--to", TESTER, "--to", "two@example.org", "--as", ADDRESS, env=keys)
        tested.newsletter("test", "--to", TESTER, "--as", "bob@example.org", env=keys)
        tested.newsletter("send", "--yes", env=keys)
    events = tested.root / ".newsletter" / "outbox" / ".events" / f"{provider}.jsonl"
    assert len(events.read_text().splitlines()) == 6
    done = tested.newsletter("subscribers", "erase", ADDRESS, "--yes", "--json").json()
    assert (done["mails"], done["left"]) == (3, [])
    assert _traces(tested) == []
    assert len(events.read_text().splitlines()) == len(_outbox(tested)) == 3
    assert f"{TESTER} [Test] For Bob" in _outbox(tested)


def test_an_interrupted_erasing_still_finds_testers_copies(tested: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person has lost the address by then; their number is enough."""
    tested.newsletter("test", "--to", TESTER, "--as", ADDRESS)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("newsletter.cli.traces.remove", killed)
        patch.chdir(tested.root)
        assert app.run(["subscribers", "erase", ADDRESS, "--yes"]) == 130
    assert len(_outbox(tested)) == 1
    done = tested.newsletter("subscribers", "erase", ADDRESS, "--yes", "--json").json()
    assert (done["again"], done["mails"]) == (True, 1)
    assert _traces(tested) == []


def test_half_a_testers_copy_goes_with_the_index_beside_it(tested: Workspace) -> None:
    """What a killed call left aside."""
    tested.newsletter("test", "--to", TESTER, "--as", ADDRESS)
    folder = next((tested.root / ".newsletter" / "outbox").glob("test-*"))
    (mail,), (index,) = folder.glob("*.eml"), folder.glob(".index/*.jsonl")
    aside = folder / ".part" / "k.1"
    aside.mkdir(parents=True)
    mail.rename(aside / f"{mail.name}.part")
    index.rename(aside / index.name)
    assert tested.newsletter("subscribers", "erase", ADDRESS, "--yes", "--json").json()["mails"] == 1
    assert _traces(tested) == []


def test_a_readers_build_is_named_without_their_address_in_it(tested: Workspace) -> None:
    """Their own link gives it away."""
    tested.newsletter("build", "--as", ADDRESS)
    result = tested.run("subscribers", "erase", ADDRESS, "--yes")
    assert (result.code, "build the issue again without --as" in result.err) == (3, True)
    tested.newsletter("build")
    tested.newsletter("subscribers", "erase", ADDRESS, "--yes")


def test_another_process_delays_the_end_of_it(sent: Workspace) -> None:
    """75 says that the address is erased and its traces are not gone; the same command again finishes, with 0."""
    path = sent.root / ".newsletter" / "newsletter.db"
    database = open_database(path, busy_seconds=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM person").fetchall()
        with pytest.raises(TryLater, match="The address is erased, but another process") as raised:
            erasing.erase(sent.config(), database, audience_erasing.leaver(ADDRESS, lambda: SECRET))
        other.execute("ROLLBACK")
    database.close()
    assert raised.value.exit_code == 75
    assert _run(path, "SELECT key FROM person WHERE id = 1") == [("erased:1",)]
    assert sent.newsletter("subscribers", "erase", ADDRESS, "--yes", "--json").json()["again"]
    assert _traces(sent) == []


def test_a_call_under_way_keeps_its_people(sent: Workspace) -> None:
    """While a batch may have to be made again with the same bytes, nothing is erased, and the send is named."""
    path = sent.root / ".newsletter" / "newsletter.db"
    _run(path, "UPDATE batch SET state = 'sending'")
    before = _traces(sent)
    result = sent.run("subscribers", "erase", ADDRESS, "--yes")
    assert result.code == 1
    assert "2026-11-23-hello: a call with this person in it is under way" in result.err
    assert "newsletter send 2026-11-23-hello" in result.err
    assert _traces(sent) == before


@pytest.mark.parametrize(
    ("argv", "code", "reason"),
    [
        (("nobody@example.org", "--yes"), 65, "nobody on the list has this address"),
        (("nobody", "--yes"), 65, "“nobody” is not an address"),
        ((ADDRESS,), 2, "--yes"),
        ((), 2, "ADDRESS"),
    ],
)
def test_nothing_is_erased_by_mistake(argv: tuple[str, ...], code: int, reason: str, sent: Workspace) -> None:
    """Unknown addresses, and a question that nobody can answer."""
    before = _traces(sent)
    result = sent.run("subscribers", "erase", *argv)
    assert (result.code, reason in result.err) == (code, True)
    assert _traces(sent) == before


@pytest.mark.parametrize(
    ("typed", "code"), [(KEY, 0), (f" {ADDRESS} ", 0), ("bob@example.org", 1), ("", 1), ("yes", 65)]
)
def test_the_address_is_asked_for_once_more(
    typed: str, code: int, sent: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal; anything but the same address erases nothing."""
    monkeypatch.chdir(sent.root)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_, **__: typed)
    before = _traces(sent)
    assert app.run(["subscribers", "erase", ADDRESS]) == code
    assert _traces(sent) == (before if code else [])


def test_erasing_needs_the_secret(sent: Workspace) -> None:
    """78 before anything is touched."""
    (sent.root / ".env").unlink()
    before = _traces(sent)
    result = sent.run("subscribers", "erase", ADDRESS, "--yes")
    assert (result.code, "NEWSLETTER_SECRET is not set" in result.err) == (78, True)
    assert _traces(sent) == before


def test_another_secret_knows_nobody_again(sent: Workspace) -> None:
    """The hash is keyed: without the secret the table tells nothing, and whoever changes it must know."""
    sent.newsletter("subscribers", "erase", ADDRESS, "--yes")
    assert secret() == SECRET
    other = {"NEWSLETTER_SECRET": "another-secret-made-for-tests"}
    plan = sent.newsletter("subscribers", "import", "people.csv", "--json", env=other).json()
    assert (plan["new"], plan["suppressed"]) == (1, {})
    plan = sent.newsletter("subscribers", "import", "people.csv", "--json").json()
    assert (plan["new"], plan["suppressed"]) == (0, {"erased": 1})
