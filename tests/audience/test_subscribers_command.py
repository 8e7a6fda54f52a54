"""``newsletter subscribers`` as a real command: exit codes, output for people and for scripts."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support import Workspace

LIST = "E-Mail;First name;Status\nada@example.org;Ada;active\nbob@example.org;Bob;cleaned\nADA@example.org;A.;active\n"
MAPPED = ("--map", "Status=status")
APPLY = ("--apply", "--consent-source", "sign-up form")


@pytest.fixture
def listed(workspace: Workspace) -> Workspace:
    """A workspace with a list imported."""
    workspace.write("people.csv", LIST)
    workspace.newsletter("subscribers", "import", "people.csv", *MAPPED, *APPLY)
    return workspace


def test_an_import_shows_its_plan_and_the_next_command(workspace: Workspace) -> None:
    """What each column is, the counts with examples, and a command that can be copied; nothing is written."""
    workspace.write("my people.csv", LIST)
    result = workspace.newsletter("subscribers", "import", "my people.csv", *MAPPED)
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    for expected in (
        "my people.csv: 3 rows",
        "E-Mail → the address",
        "First name → first_name",
        "New 2",
        "line 2: ada@example.org again on line 4",
        "Repeated 1",
        "Refused 0",
        "Of the new and changed, 1 bounced will get no mail.",
        "Nothing was written. This is what an import would do.",
    ):
        assert expected in lines
    again = "newsletter subscribers import 'my people.csv' --map Status=status"
    assert f'Next: {again} --apply --consent-source "where these people agreed"' in lines
    given = workspace.newsletter("subscribers", "import", "my people.csv", *MAPPED, "--consent-source", "Ann's fair")
    assert f"Next: {again} --apply --consent-source 'Ann'\"'\"'s fair'\n" in given.out
    assert workspace.newsletter("subscribers", "stats", "--json").json()["people"] == 0


def test_an_import_is_applied_with_consent_only(workspace: Workspace) -> None:
    """--apply without --consent-source, or with an empty one, is wrong usage; nothing is read or written."""
    workspace.write("people.csv", LIST)
    for extra in ((), ("--consent-source", " "), ("--consent-source", "two\nlines")):
        result = workspace.run("subscribers", "import", "people.csv", *MAPPED, "--apply", *extra)
        assert (result.code, result.out) == (2, "")
        assert "--consent-source" in result.err
    assert not (workspace.root / ".newsletter").exists()


def test_an_import_tells_scripts_everything(listed: Workspace) -> None:
    """The same list again, in JSON."""
    result = listed.newsletter("subscribers", "import", "people.csv", *MAPPED, *APPLY, "--json").json()
    assert len(result.pop("sha256")) == 64
    examples = result.pop("examples")
    assert result == {
        "file": "people.csv",
        "applied": True,
        "consent_source": "sign-up form",
        "columns": {"E-Mail": "email", "First name": "first_name", "Status": "status"},
        "rows": 3,
        "accepted": 2,
        "new": 0,
        "changed": 0,
        "unchanged": 1,
        "suppressed": {"bounced": 1},
        "not_mailed": {},
        "repeated": 1,
        "refused": 0,
        "refusals": [],
        "skipped_to": None,
    }
    assert examples["bounced"][0]["note"].endswith("imported from people.csv")


def test_a_list_with_a_bad_row_is_refused_whole(workspace: Workspace) -> None:
    """Exit 65 with the row's place, planned or applied; with --skip-bad exit 1 and the rest is taken."""
    workspace.write("people.csv", "email,name\nada@example.org,Ada\nnobody,N\n")
    for extra in ((), APPLY):
        result = workspace.run("subscribers", "import", "people.csv", *extra)
        assert result.code == 65
        assert "people.csv:3:1: “nobody” is not an address" in result.err
        assert "Nothing was imported." in result.err
    assert workspace.newsletter("subscribers", "stats", "--json").json()["people"] == 0

    planned = workspace.run("subscribers", "import", "people.csv", "--skip-bad", "bad.csv")
    assert (planned.code, (workspace.root / "bad.csv").exists()) == (1, False)
    assert "--skip-bad bad.csv --apply" in planned.out

    done = workspace.run("subscribers", "import", "people.csv", "--skip-bad", "bad.csv", *APPLY)
    assert done.code == 1
    assert "1 refused rows were left out; they are in bad.csv" in done.err
    assert workspace.newsletter("subscribers", "stats", "--json").json()["people"] == 1
    assert workspace.run("subscribers", "import", "people.csv", "--skip-bad", "bad.csv", *APPLY).code == 65


def test_a_json_plan_names_the_refused_rows_too(workspace: Workspace) -> None:
    """Standard output stays JSON; the exit code is the same as for people."""
    workspace.write("people.csv", "email\nnobody\n")
    result = workspace.run("subscribers", "import", "people.csv", "--json")
    assert result.code == 65
    (refusal,) = result.json()["refusals"]
    assert refusal["place"] == "people.csv:2"
    assert refusal["reason"].startswith("“nobody” is not an address")


@pytest.mark.parametrize("given", ["Status", "=status", "Status="])
def test_a_mapping_must_have_its_form(given: str, workspace: Workspace) -> None:
    """COLUMN=TARGET, and nothing is guessed."""
    workspace.write("people.csv", LIST)
    result = workspace.run("subscribers", "import", "people.csv", "--map", given)
    assert result.code == 2
    assert "--map" in result.err


def test_a_missing_list_is_bad_input(workspace: Workspace) -> None:
    """The path is named."""
    result = workspace.run("subscribers", "import", "nowhere.csv")
    assert result.code == 65
    assert "nowhere.csv: there is no such file" in result.err


def test_one_person_through_their_life_on_the_list(workspace: Workspace) -> None:
    """add, unsubscribe, resubscribe: each says what it did, in words and in JSON."""
    added = workspace.newsletter(
        "subscribers", "add", "Ada@Example.org", "--field", "note=a=b", "--consent-source", "asked by e-mail", "--json"
    ).json()
    assert (added["changed"], added["address"], added["fields"]) == (True, "Ada@example.org", {"note": "a=b"})
    assert added["consent_source"] == "asked by e-mail"
    again = workspace.newsletter("subscribers", "add", "ada@example.org", "--consent-source", "x")
    assert "ada@example.org was there already" in again.out.lower()

    left = workspace.newsletter("subscribers", "unsubscribe", "ada@example.org", "--reason", "asked by phone")
    assert "is unsubscribed" in left.out
    blocked = workspace.run("subscribers", "add", "ada@example.org", "--consent-source", "x")
    assert (blocked.code, "resubscribe" in blocked.err) == (1, True)
    assert workspace.run("subscribers", "resubscribe", "ada@example.org").code == 2

    back = workspace.newsletter(
        "subscribers", "resubscribe", "ada@example.org", "--reason", "wrote to us", "--json"
    ).json()
    assert (back["changed"], back["status"], back["status_reason"]) == (True, "active", "wrote to us")
    unknown = workspace.run("subscribers", "unsubscribe", "eve@example.org")
    assert (unknown.code, "nobody on the list" in unknown.err) == (65, True)


def test_adding_needs_consent(workspace: Workspace) -> None:
    """Without a source it is wrong usage."""
    assert workspace.run("subscribers", "add", "ada@example.org").code == 2
    assert workspace.run("subscribers", "add", "ada@example.org", "--field", "x", "--consent-source", "y").code == 2


def test_the_list_is_shown_in_columns(listed: Workspace) -> None:
    """Address, status, day and fields; more than the limit is said."""
    result = listed.newsletter("subscribers", "list", "--limit", "1")
    heading, row = result.out.splitlines()
    assert heading.split() == ["Address", "Status", "Since", "Fields"]
    assert row.split()[:2] == ["ada@example.org", "active"]
    assert row.endswith("first_name=Ada")
    assert "1 of 2 shown; --limit 0 shows all." in result.err


def test_the_list_is_complete_json(listed: Workspace) -> None:
    """Everything known of each person, and how many there are."""
    found = listed.newsletter("subscribers", "list", "--json", "--limit", "1", "--status", "bounced").json()
    assert found["total"] == 1
    (bob,) = found["people"]
    assert set(bob) == {
        "address",
        "status",
        "status_at",
        "status_reason",
        "consent_source",
        "consent_at",
        "created_at",
        "fields",
    }
    assert (bob["address"], bob["status"], bob["fields"]) == ("bob@example.org", "bounced", {"first_name": "Bob"})
    nobody = listed.newsletter("subscribers", "list", "--json", "--search", "nobody at all").json()
    assert nobody == {"total": 0, "people": []}


def test_an_empty_list_says_what_to_do(workspace: Workspace) -> None:
    """The next command is an import."""
    assert "newsletter subscribers import people.csv" in workspace.newsletter("subscribers", "list").out


def test_the_stats_are_shown_and_told(listed: Workspace) -> None:
    """People by status, and the fields that active people have."""
    assert listed.newsletter("subscribers", "stats", "--json").json() == {
        "people": 2,
        "status": {"active": 1, "unsubscribed": 0, "bounced": 1, "complained": 0},
        "erased": 0,
        "fields": {"first_name": 1},
    }
    lines = [line.split() for line in listed.newsletter("subscribers", "stats").out.splitlines()]
    assert ["active", "1"] in lines
    assert ["first_name", "1", "100%"] in lines


def test_an_export_goes_to_a_file_or_to_standard_output(listed: Workspace) -> None:
    """Both are the same UTF-8 in any locale; the file is the owner's and replaces none unasked."""
    env = {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    listed.newsletter("subscribers", "add", "zoe@example.org", "--field", "first_name=Zoë", "--consent-source", "x")
    printed = listed.newsletter("subscribers", "export", "--status", "active", env=env).out
    assert list(csv.reader(io.StringIO(printed))) == [
        ["email", "status", "first_name"],
        ["ada@example.org", "active", "Ada"],
        ["zoe@example.org", "active", "Zoë"],
    ]
    made = listed.newsletter("subscribers", "export", "out.csv", "--status", "active", "--json").json()
    path = listed.root / "out.csv"
    assert made == {"file": "out.csv", "people": 2}
    assert path.read_text("utf-8") == printed
    assert path.stat().st_mode & 0o777 == 0o600

    refused = listed.run("subscribers", "export", "people.csv")
    assert (refused.code, "--overwrite" in refused.err) == (1, True)
    assert (listed.root / "people.csv").read_text() == LIST
    assert "3 people" in listed.newsletter("subscribers", "export", "out.csv", "--overwrite").out
    missing = listed.run("subscribers", "export", "nowhere/out.csv")
    assert (missing.code, "nowhere/out.csv: cannot be written" in missing.err) == (74, True)


def test_an_export_is_json_on_request(listed: Workspace) -> None:
    """The same as the whole list."""
    exported = listed.newsletter("subscribers", "export", "--json").json()
    assert exported == listed.newsletter("subscribers", "list", "--limit", "0", "--json").json()
    assert exported["total"] == 2


def test_a_database_of_a_newer_version_ends_with_65(listed: Workspace) -> None:
    """Also through the command, with what to do."""
    connection = sqlite3.connect(listed.root / ".newsletter" / "newsletter.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    result = listed.run("subscribers", "stats")
    assert result.code == 65
    assert ".newsletter/newsletter.db: this database was made by a newer version of newsletter" in result.err


@pytest.mark.parametrize("name", ["import", "list", "add", "unsubscribe", "resubscribe", "erase", "export", "stats"])
def test_every_command_has_examples(name: str, workspace: Workspace) -> None:
    """Its help shows how it is used."""
    result = workspace.newsletter("subscribers", name, "--help")
    assert f"newsletter subscribers {name}" in result.out.partition("Example")[2]


def test_a_pipe_that_ends_early_is_no_error_to_look_at(listed: Workspace) -> None:
    """``| head`` gets its lines, and no traceback follows."""
    rows = "".join(f"reader{n}@example.org\n" for n in range(5_000))
    listed.write("many.csv", f"email\n{rows}")
    listed.newsletter("subscribers", "import", "many.csv", *APPLY)
    for command in ("export", "list --limit 0", "list --limit 0 --json"):
        line = f"{sys.executable} -m newsletter subscribers {command} | head -n 2"
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=listed.root,
            env=listed.environment(),
            capture_output=True,
            check=True,
            text=True,
        )
        assert len(done.stdout.splitlines()) == 2
        assert done.stderr == ""


def test_json_output_is_read_line_by_line_too(listed: Workspace) -> None:
    """Each person stands on a line of their own, so that a long list can be cut with simple tools."""
    out = listed.newsletter("subscribers", "list", "--json").out
    people = [json.loads(line.strip().rstrip(",")) for line in out.splitlines() if line.startswith("    {")]
    assert [each["address"] for each in people] == ["ada@example.org", "bob@example.org"]
