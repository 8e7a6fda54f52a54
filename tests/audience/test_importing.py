"""Importing a list: what is new, what changes, and who is never brought back."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import shutil
import tempfile
from pathlib import Path

import pytest
from audience.helpers_audience import NOW, dump, everyone, history, imported, records, statuses, write_list
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from newsletter.audience import importing, people
from newsletter.store.clock import stamp
from newsletter.store.database import Database, open_database
from newsletter.store.tables import STATUSES, person

LATER = NOW + dt.timedelta(days=7)


def _suppress(database: Database, address: str, status: str) -> None:
    with database.write() as connection:
        changed = update(person).where(person.c.address == address)
        connection.execute(changed.values(status=status, status_at=stamp(NOW), status_reason="before"))


def test_new_people_come_with_their_consent(database: Database, tmp_path: Path) -> None:
    """Source and time stand with the person, the file's name and hash in the record that the event names."""
    data = "E-mail,First name,City\nAda@Example.org, Ada ,Hamburg\nbob@example.org,Bob,\n"
    outcome = imported(database, write_list(tmp_path, data), consent="sign-up form on example.org")
    assert outcome.applied
    found = everyone(database)
    assert {address: row["fields"] for address, row in found.items()} == {
        "Ada@example.org": {"city": "Hamburg", "first_name": "Ada"},
        "bob@example.org": {"first_name": "Bob"},
    }
    ada = found["Ada@example.org"]
    assert (ada["key"], ada["status"]) == ("ada@example.org", "active")
    assert (ada["consent_source"], ada["consent_at"]) == ("sign-up form on example.org", stamp(NOW))
    assert history(database, "Ada@example.org") == [("consent", "import:1")]
    assert records(database)["import:1"] == {
        "at": stamp(NOW),
        "file": "people.csv",
        "sha256": hashlib.sha256(data.encode()).hexdigest(),
        "consent_source": "sign-up form on example.org",
        "rows": 2,
    }


def test_without_consent_an_import_is_only_a_plan(database: Database, tmp_path: Path) -> None:
    """The counts are those of the import that would follow."""
    before = dump(database)
    path = write_list(tmp_path, "email\nada@example.org\nADA@example.org\n")
    planned = imported(database, path, consent=None)
    assert not planned.applied
    assert dump(database) == before
    assert planned.plan == imported(database, path).plan


def test_a_second_import_of_the_same_list_changes_nothing(database: Database, tmp_path: Path) -> None:
    """Everybody is unchanged, and no event or record is added."""
    path = write_list(tmp_path, "email,Name,City\nada@example.org,Ada,Łódź\nbob@example.org,,\n")
    imported(database, path)
    before = dump(database)
    plan = imported(database, path, now=LATER).plan
    assert (plan.new, plan.changed, plan.unchanged) == (0, 0, 2)
    assert dump(database) == before


def test_a_changed_row_updates_its_columns_and_keeps_the_others(database: Database, tmp_path: Path) -> None:
    """A blank cell takes a value away; a column that is not in the file stays; keys stay in order."""
    imported(database, write_list(tmp_path, "email,city,plan,zip\nada@example.org,Hamburg,pro,20457\n"))
    path = write_list(tmp_path, "email,city,zip,age\nada@example.org,Bremen,,36\n", "second.csv")
    plan = imported(database, path, consent="another form", now=LATER).plan
    assert (plan.changed, plan.examples["changed"][0].note) == (
        1,
        "age: nothing → 36; city: Hamburg → Bremen; zip: 20457 → nothing",
    )
    ada = everyone(database)["ada@example.org"]
    assert list(ada["fields"].items()) == [("age", "36"), ("city", "Bremen"), ("plan", "pro")]
    assert (ada["consent_source"], ada["consent_at"]) == ("sign-up form", stamp(NOW))
    assert history(database, "ada@example.org") == [("consent", "import:1"), ("imported", "import:2")]


def test_each_address_counts_once(database: Database, tmp_path: Path) -> None:
    """The first row counts; later ones are repeated, whatever their case and values."""
    data = "email,name\nada@example.org,First\nbob@example.org,Bob\nADA@example.org,Second\nada@EXAMPLE.org,First\n"
    plan = imported(database, write_list(tmp_path, data)).plan
    assert (plan.rows, plan.accepted, plan.repeated) == (4, 2, 2)
    (repeated,) = plan.examples["repeated"]
    assert (repeated.line, repeated.note) == (2, "again on line 4, 5")
    assert everyone(database)["ada@example.org"]["fields"] == {"name": "First"}


@pytest.mark.parametrize("status", STATUSES[1:])
def test_people_who_must_not_be_mailed_are_left_as_they_are(status: str, database: Database, tmp_path: Path) -> None:
    """No import brings them back or touches them; the plan says how many there are, and why."""
    path = write_list(tmp_path, "email,name,is\nada@example.org,Ada,active\n")
    imported(database, path, targets={"is": "status"})
    _suppress(database, "ada@example.org", status)
    before = dump(database)
    again = write_list(tmp_path, "email,name,is\nADA@example.org,Another,active\n", "again.csv")
    plan = imported(database, again, targets={"is": "status"}, now=LATER).plan
    assert (plan.new, plan.changed, plan.unchanged, dict(plan.suppressed)) == (0, 0, 0, {status: 1})
    assert plan.examples[status][0].note == f"{status} since 2026-11-23: before"
    assert dump(database) == before


@pytest.mark.parametrize("was", STATUSES)
@pytest.mark.parametrize("told", STATUSES)
def test_a_mapped_status_lowers_and_never_raises(was: str, told: str, database: Database, tmp_path: Path) -> None:
    """The graver of the two holds: complaint over bounce over unsubscribed over active."""
    imported(database, write_list(tmp_path, "email\nada@example.org\n"))
    _suppress(database, "ada@example.org", was)
    path = write_list(tmp_path, f"email,status\nada@example.org,{told}\n", "told.csv")
    plan = imported(database, path, targets={"status": "status"}, now=LATER).plan
    graver = max(was, told, key=STATUSES.index)
    assert statuses(database) == {"ada@example.org": graver}
    assert dict(plan.not_mailed) == ({graver: 1} if graver != was else {})
    expected = [("consent", "import:1")] + ([(told, "import:2")] if graver != was else [])
    assert history(database, "ada@example.org") == expected
    row = everyone(database)["ada@example.org"]
    reason = ("imported from told.csv", stamp(LATER)) if graver != was else ("before", stamp(NOW))
    assert (row["status_reason"], row["status_at"]) == reason


def test_an_active_person_who_is_told_to_have_left_keeps_the_new_values(database: Database, tmp_path: Path) -> None:
    """Status and fields change together, with an event for each."""
    imported(database, write_list(tmp_path, "email,name\nada@example.org,Ada\n"))
    path = write_list(tmp_path, "email,name,status\nada@example.org,Ada L.,unsubscribed\n", "told.csv")
    plan = imported(database, path, targets={"status": "status"}).plan
    assert (plan.changed, plan.examples["changed"][0].note) == (1, "active → unsubscribed; name: Ada → Ada L.")
    row = everyone(database)["ada@example.org"]
    assert (row["status"], row["fields"]) == ("unsubscribed", {"name": "Ada L."})
    assert history(database, "ada@example.org")[1:] == [("unsubscribed", "import:2"), ("imported", "import:2")]


def test_new_people_may_come_as_not_to_be_mailed(database: Database, tmp_path: Path) -> None:
    """Another tool's list brings its leavers, bounces and complaints with it, in its own words."""
    rows = {
        "a": "Subscribed",
        "b": "Unsubscribed",
        "c": "cleaned",
        "d": "Spam complaint",
        "e": "OPTED-OUT",
        "f": "bounced",
    }
    data = "email,Status\n" + "".join(f"{who}@example.org,{said}\n" for who, said in rows.items())
    plan = imported(database, write_list(tmp_path, data), targets={"Status": "status"}).plan
    assert list(statuses(database).values()) == [
        "active",
        "unsubscribed",
        "bounced",
        "complained",
        "unsubscribed",
        "bounced",
    ]
    assert dict(plan.not_mailed) == {"unsubscribed": 2, "bounced": 2, "complained": 1}
    assert history(database, "d@example.org") == [("consent", "import:1"), ("complained", "import:1")]


def test_a_repeated_row_cannot_hide_that_somebody_left(database: Database, tmp_path: Path) -> None:
    """The first row gives the values, the gravest row the status."""
    data = (
        "email,name,status\nada@example.org,Ada,active\nADA@example.org,X,complained\nada@example.org,Y,unsubscribed\n"
    )
    imported(database, write_list(tmp_path, data), targets={"status": "status"})
    row = everyone(database)["ada@example.org"]
    assert (row["status"], row["fields"]) == ("complained", {"name": "Ada"})


@pytest.mark.parametrize(
    ("target", "cell", "status"),
    [
        ("unsubscribed", "yes", "unsubscribed"),
        ("unsubscribed", "2025-01-31 10:00:00", "unsubscribed"),
        ("unsubscribed", "", "active"),
        ("unsubscribed", "0", "active"),
        ("bounced", "TRUE", "bounced"),
        ("complained", "1738317600", "complained"),
        ("active", "yes", "active"),
        ("active", "no", "unsubscribed"),
        ("active", "", "unsubscribed"),
    ],
)
def test_a_column_may_say_yes_no_or_since_when(
    target: str, cell: str, status: str, database: Database, tmp_path: Path
) -> None:
    """Consent that is not given keeps mail away; a date of leaving, too."""
    imported(database, write_list(tmp_path, f"email,said\nada@example.org,{cell}\n"), targets={"said": target})
    assert statuses(database) == {"ada@example.org": status}


@pytest.mark.parametrize(("target", "cell"), [("status", "pending"), ("status", ""), ("unsubscribed", "perhaps")])
def test_a_status_that_is_not_understood_refuses_its_row(
    target: str, cell: str, database: Database, tmp_path: Path
) -> None:
    """Nobody is mailed by guess."""
    path = write_list(tmp_path, f"email,said\nada@example.org,{cell}\n")
    (refusal,) = imported(database, path, targets={"said": target}).plan.refusals
    assert refusal.reason.startswith(f"“{cell}” in the column “said” is none of: ")


def test_several_status_columns_count_together(database: Database, tmp_path: Path) -> None:
    """The gravest of them holds."""
    data = "email,unsubscribed,bounced\na@example.org,,\nb@example.org,yes,\nc@example.org,yes,yes\n"
    imported(database, write_list(tmp_path, data), targets={"unsubscribed": "unsubscribed", "bounced": "bounced"})
    assert list(statuses(database).values()) == ["active", "unsubscribed", "bounced"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_usual_kinds_of_csv_are_read_alike(
    mark: str, delimiter: str, end: str, database: Database, tmp_path: Path
) -> None:
    """With and without byte-order mark, cut by comma, semicolon or tab, with either end of line."""
    rows = [
        ["E-Mail", "Name, in full"],
        ["ada@example.org", 'Ada "Countess"\nof; Lovelace,\tb. 1815'],
        ["bob@example.org", ""],
    ]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    path = write_list(tmp_path, mark + text.getvalue())
    imported(database, path, targets={"Name, in full": "name"})
    assert [row["fields"] for row in everyone(database).values()] == [{"name": rows[1][1]}, {}]


def test_the_delimiter_that_excel_tells_is_believed(database: Database, tmp_path: Path) -> None:
    """A first line of “sep=|” is no heading; lines are counted from the file's first."""
    imported(database, write_list(tmp_path, "sep=|\r\nemail|name\r\nada@example.org|Ada\r\n"))
    assert everyone(database)["ada@example.org"]["fields"] == {"name": "Ada"}
    outcome = imported(database, write_list(tmp_path, "sep=|\nemail|name\n\nada|Ada\n"))
    assert outcome.plan.refusals[0].line == 4


def test_a_heading_with_commas_in_its_names_is_cut_where_the_address_is(database: Database, tmp_path: Path) -> None:
    """The delimiter is the one that lays the column of addresses bare."""
    imported(database, write_list(tmp_path, "email;Name, first, last;Address\nada@example.org;Ada, L;x\n"))
    assert everyone(database)["ada@example.org"]["fields"] == {"name_first_last": "Ada, L", "address": "x"}


def test_columns_without_a_name_must_be_empty(database: Database, tmp_path: Path) -> None:
    """What a spreadsheet leaves behind is passed over; a value there is refused, not lost."""
    plan = imported(
        database, write_list(tmp_path, "email,,name,\nada@example.org,,Ada,\nbob@example.org,x,Bob,\n")
    ).plan
    assert [(each.line, each.reason) for each in plan.refusals] == [
        (3, "column 2 has a value but no name in the heading line")
    ]


def test_no_value_is_ever_run_or_compiled(database: Database, tmp_path: Path) -> None:
    """Hostile values are stored as they stand."""
    values = [
        '"><script>',
        "{{7*7}}",
        "%recipient.email%",
        "*|X|*",
        "👩‍🚀 عائشة",
        "'; DROP TABLE person; --",
        "null",
        ":null",
        '\\"',
        "%s %d",
    ]
    text = io.StringIO()
    csv.writer(text).writerows(
        [["email", "name", "note"], *([f"r{n}@example.org", v, ""] for n, v in enumerate(values))]
    )
    imported(database, write_list(tmp_path, text.getvalue()))
    assert [row["fields"] for row in everyone(database).values()] == [{"name": value} for value in values]


@pytest.mark.parametrize("block", [100, 3_000])
def test_a_list_longer_than_a_block_keeps_its_counts(
    block: int, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are staged in blocks; none is lost or doubled where one ends."""
    monkeypatch.setattr(importing, "_BLOCK", block)
    rows = [f"reader{n % 2_400}@example.org,{n}\n" for n in range(3_000)] + ["nobody,0\n"] * 1_001
    plan = imported(database, write_list(tmp_path, "email,n\n" + "".join(rows)), skip=tmp_path / "bad.csv").plan
    assert (plan.rows, plan.new, plan.repeated, plan.refused) == (4_001, 2_400, 600, 1_001)
    assert len(everyone(database)) == 2_400
    assert len((tmp_path / "bad.csv").read_text().splitlines()) == 1_002


def test_an_import_takes_back_what_resubscribing_raised(database: Database, tmp_path: Path) -> None:
    """Who came back by their own wish is active again, and an import leaves it so."""
    path = write_list(tmp_path, "email\nada@example.org\n")
    imported(database, path)
    with database.write() as connection:
        people.unsubscribe(connection, "ada@example.org", reason="asked", now=NOW)
    imported(database, path)
    assert statuses(database) == {"ada@example.org": "unsubscribed"}
    with database.write() as connection:
        people.resubscribe(connection, "ada@example.org", reason="asked again", now=LATER)
    plan = imported(database, path).plan
    assert (plan.unchanged, statuses(database)) == (1, {"ada@example.org": "active"})


_ADDRESSES = st.sampled_from(
    [
        "ada@example.org",
        "ADA@example.org",
        "bob@example.org",
        "joe@exämple.org",
        "joe@xn--exmple-cua.org",
        "no",
        "",
        "x@y",
    ]
)
_VALUES = st.text(st.characters(codec="utf-8"), max_size=8)
_ROWS = st.lists(st.tuples(_ADDRESSES, _VALUES, st.sampled_from([*STATUSES, "Cleaned", "?"])), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database to copy, because migrating takes longer than a small import."""
    path = tmp_path_factory.mktemp("empty") / "newsletter.db"
    open_database(path).close()
    return path


@settings(max_examples=100, deadline=None)
@given(rows=_ROWS, other=_ROWS)
def test_every_row_is_accounted_for_and_nobody_rises(
    rows: list[tuple[str, str, str]], other: list[tuple[str, str, str]], empty: Path
) -> None:
    """Accepted + refused + repeated = rows read; a second time all is unchanged; no status ever gets better."""
    folder = Path(tempfile.mkdtemp(dir=empty.parent))
    shutil.copy(empty, folder)
    database = open_database(folder / "newsletter.db")
    before: dict[str, str] = {}
    for number, listed in enumerate((rows, other, other)):
        text = io.StringIO()
        csv.writer(text).writerows([["email", "value", "status"], *listed])
        path = write_list(folder, text.getvalue())
        plan = imported(database, path, targets={"status": "status"}, skip=folder / f"bad{number}.csv").plan
        assert plan.rows == len(listed)
        assert plan.accepted + plan.refused + plan.repeated == plan.rows
        after = statuses(database)
        assert len(after) == len(before) + plan.new
        assert all(STATUSES.index(after[who]) >= STATUSES.index(status) for who, status in before.items())
        before = after
    assert (plan.new, plan.changed) == (0, 0)
    database.close()
