"""The list as a whole: looked through, counted, and written out."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from audience.helpers_audience import everyone, imported, write_list
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.cells import guard, unguard
from newsletter.audience.export import write_csv
from newsletter.audience.gaps import field_gaps
from newsletter.audience.listing import Query, count, field_names, people, stats
from newsletter.model import FieldGap
from newsletter.store.database import Database, open_database

if TYPE_CHECKING:
    from pathlib import Path

LIST = """\
email,First name,City,status
ada@example.org,Ada,Hamburg,active
Bob@sub.example.org,,Bremen,active
cy@example.net,Çiğdem,,unsubscribed
dee_x@example.net,100%,Hamburg,bounced
"""


@pytest.fixture
def filled(database: Database, tmp_path: Path) -> Database:
    """Four people."""
    imported(database, write_list(tmp_path, LIST), targets={"status": "status"})
    return database


def _found(database: Database, query: Query, limit: int | None = None) -> list[str]:
    with database.read() as connection:
        found = [each.address for each in people(connection, query, limit=limit)]
        if limit is None:
            assert count(connection, query) == len(found)
        return found


def _export(database: Database, query: Query | None = None, *, raw: bool = False) -> str:
    target = io.StringIO(newline="")
    with database.read() as connection:
        write_csv(connection, query or Query(), target, raw=raw)
    return target.getvalue()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), ["ada@example.org", "Bob@sub.example.org", "cy@example.net", "dee_x@example.net"]),
        (Query(("active",)), ["ada@example.org", "Bob@sub.example.org"]),
        (Query(("bounced", "unsubscribed")), ["cy@example.net", "dee_x@example.net"]),
        (Query(search="EXAMPLE.ORG"), ["ada@example.org", "Bob@sub.example.org"]),
        (Query(search="bremen"), ["Bob@sub.example.org"]),
        (Query(search="_"), ["dee_x@example.net"]),
        (Query(search="%"), ["dee_x@example.net"]),
        (Query(search="city"), []),
        (Query(("active",), "hamburg"), ["ada@example.org"]),
    ],
)
def test_people_are_found_by_status_and_text(query: Query, found: list[str], filled: Database) -> None:
    """The text is looked for in address and values, not in the names of fields; no character is a wildcard."""
    assert _found(filled, query) == found


def test_a_limit_cuts_the_list(filled: Database) -> None:
    """The first so many, in the order they were added."""
    assert _found(filled, Query(), limit=2) == ["ada@example.org", "Bob@sub.example.org"]


def test_stats_count_people_and_the_fields_of_the_active(filled: Database) -> None:
    """Every status is named, be it with nobody."""
    with filled.read() as connection:
        found = stats(connection)
    assert (found.people, dict(found.statuses)) == (4, {"active": 2, "unsubscribed": 1, "bounced": 1, "complained": 0})
    assert dict(found.fields) == {"city": 2, "first_name": 1}


def test_gaps_count_who_lacks_a_value(filled: Database) -> None:
    """Active people only; blank is missing; names come in the order asked for, however odd."""
    with filled.read() as connection:
        found = field_gaps(connection, ["first_name", "city", "nowhere", "email", 'o"dd', "first_name"])
    first = FieldGap("first_name", 1, 2)
    assert found == (
        first,
        FieldGap("city", 0, 2),
        FieldGap("nowhere", 2, 2),
        FieldGap("email", 0, 2),
        FieldGap('o"dd', 2, 2),
        first,
    )


def test_without_people_there_are_no_gaps(database: Database) -> None:
    """Of nobody, nobody lacks anything."""
    with database.read() as connection:
        assert field_gaps(connection, ["city"]) == (FieldGap("city", 0, 0),)
        assert field_gaps(connection, []) == ()
        assert stats(connection).people == 0


def test_an_export_has_every_field(filled: Database) -> None:
    """Address, status, then the fields by name; only those that the chosen people have."""
    assert _export(filled).splitlines()[:3] == [
        "email,status,city,first_name",
        "ada@example.org,active,Hamburg,Ada",
        "Bob@sub.example.org,active,Bremen,",
    ]
    assert _export(filled, Query(("unsubscribed",))).splitlines() == [
        "email,status,first_name",
        "cy@example.net,unsubscribed,Çiğdem",
    ]


FORMULAS = [
    "=1+1",
    "+49 40 1234",
    "-5",
    "@SUM(A1)",
    "'=1+1",
    "''=x",
    "'plain",
    "a=b",
    '=HYPERLINK("http://x","y")',
    "'",
    "''",
]


def test_a_spreadsheet_runs_nothing_of_an_export(database: Database, tmp_path: Path) -> None:
    """Cells that would be formulas begin with an apostrophe; with --raw they are as they were."""
    text = io.StringIO()
    csv.writer(text).writerows(
        [["email", "v"], ["+x@example.org", "x"], *([f"r{n}@example.org", v] for n, v in enumerate(FORMULAS))]
    )
    imported(database, write_list(tmp_path, text.getvalue().replace("'=1+1", "''=1+1").replace("''=x", "'''=x")))
    cells = [cell for row in csv.reader(io.StringIO(_export(database))) for cell in row]
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}]
    assert "'=1+1" in cells
    assert "'+x@example.org" in cells
    raw = [cell for row in csv.reader(io.StringIO(_export(database, raw=True))) for cell in row]
    assert "=1+1" in raw
    assert "+x@example.org" in raw


@given(st.text())
def test_guarding_a_value_loses_nothing(value: str) -> None:
    """Every value without space around it comes back from its cell; no cell is a formula."""
    value = value.strip()
    assert unguard(guard(value)) == value
    assert guard(value)[:1] not in {"=", "+", "-", "@", "\t", "\r"}


def test_an_export_comes_back_as_it_was(filled: Database, tmp_path: Path) -> None:
    """Imported into an empty database it gives the same people; into the same one, it changes nobody."""
    text = io.StringIO()
    odd = ["Zoë", "two\nlines", 'a "quote"', "semi;colon", "{{7*7}}", "👩‍🚀", "a\tb", *FORMULAS]
    csv.writer(text).writerows([["email", "odd"], *([f"o{n}@example.org", v] for n, v in enumerate(odd))])
    imported(filled, write_list(tmp_path, text.getvalue()))
    exported = write_list(tmp_path, _export(filled), "exported.csv")
    other = open_database(tmp_path / "other" / "newsletter.db")
    imported(other, exported, targets={"status": "status"})

    def told(database: Database) -> dict[str, tuple[str, dict[str, str]]]:
        return {address: (row["status"], row["fields"]) for address, row in everyone(database).items()}

    assert told(other) == told(filled)
    plan = imported(filled, exported, targets={"status": "status"}).plan
    assert (plan.new, plan.changed, plan.refused, plan.repeated) == (0, 0, 0, 0)
    other.close()


def test_the_names_of_fields_are_sorted(filled: Database) -> None:
    """Each once."""
    with filled.read() as connection:
        assert field_names(connection) == ("city", "first_name")
