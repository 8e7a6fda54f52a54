"""Lists that cannot be taken: each ends in a clear error with its line, and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from audience.helpers_audience import dump, imported, statuses, write_list

from newsletter.audience.csvfile import LONGEST_LINE
from newsletter.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.store.database import Database

ROWS = "".join(f"reader{n}@example.org,Reader {n}\n" for n in range(3))

# What makes a whole file unreadable: its bytes, the line and column, what is said of it.
UNREADABLE = {
    "empty": (b"", None, "the file is empty"),
    "only a byte-order mark": (b"\xef\xbb\xbf", None, "no column holds the e-mail addresses"),
    "no rows": (b"email,name\n", None, "there are no rows below the heading line"),
    "blank rows only": (b"email,name\n\n,\n  ,\n", None, "there are no rows below the heading line"),
    "no e-mail column": (b"name,city\nAda,Hamburg\n", (1, 1), "no column holds the e-mail addresses"),
    "two e-mail columns": (b"email,E-Mail\na@b.de,c@d.de\n", (1, 1), "more than one column may hold the addresses"),
    "a status column": (b"email,Status\na@b.de,cleaned\n", (1, 1), "“Status” seems to say who must not be mailed"),
    "colliding columns": (b"email,City,city\na@b.de,x,y\n", (1, 1), "would both become the field “city”"),
    "an unclosed quote": (
        b'email,name\n"ada@example.org",Ada\nbob@example.org,"Bob\ncy@example.org,Cy\n',
        (3, 1),
        "a quote is opened in this row and never closed",
    ),
    "an unclosed quote in a long file": (
        b'email,name\nbob@example.org,"Bob\n' + b"cy@example.org,Cy\n" * 10_000,
        (2, 1),
        "a value in this row is longer than 131,072 characters; is a quote left open?",
    ),
    "an unclosed quote in the heading": (b'email,"name\na@b.de,x\n', (1, 1), "a quote is opened in this row"),
    "a NUL in the heading": (b"email,na\x00me\na@b.de,x\n", (1, 1), "control character (U+0000)"),
    "the line ends of old Macs": (b"email,name\ra@b.de,x\r", (1, 1), "a carriage return stands outside quotes"),
    "Latin-1": (
        b"email,name\nada@example.org,Ada\njos@example.org,Jos\xe9 Silva\n",
        (3, 20),
        "this is not UTF-8 (byte 0xE9); it may be Latin-1",
    ),
    "Latin-1 below a quoted line break": (
        b'email,name\nada@example.org,"Ada\nL."\njos@example.org,Jos\xe9\n',
        (4, 20),
        "this is not UTF-8 (byte 0xE9)",
    ),
    "UTF-16": ("email,name\nada@example.org,Ada\n".encode("utf-16"), (1, 1), "the file is UTF-16, not UTF-8"),
    "one endless line": (
        b"email,name\n" + b"x" * (LONGEST_LINE + 10),
        (2, 1),
        "the line is longer than 1,048,576 bytes",
    ),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", (1, 1), "this is not UTF-8 (byte 0x89)"),
}

# What makes one row unusable: the row below a heading of two columns, and the reason.
BAD_ROWS = {
    "no address": (b",Ada", "there is no address"),
    "no at sign": (b"ada,Ada", "“ada” is not an address"),
    "a name in it": (b"Ada <ada@example.org>,Ada", "display name"),
    "NUL in the address": (b"a\x00da@example.org,Ada", "it holds a control character (U+0000)"),
    "NUL in a value": (b"ada@example.org,A\x00da", "it holds a control character (U+0000)"),
    "escape in a value": (b"ada@example.org,A\x1b[31mda", "it holds a control character (U+001B)"),
    "C1 in a value": ("ada@example.org,A\x85da".encode(), "it holds a control character (U+0085)"),
    "too long": (b"ada@example.org,Ada,Hamburg", "it has 3 values where the heading line has 2"),
    "too short": (b"ada@example.org", "it has 1 value where the heading line has 2"),
    "text after a quote": (b'ada@example.org,"A"da', "text follows a closing quote"),
    "bare carriage return": (b"ada@example.org,A\rda", "a carriage return stands outside quotes"),
    "line break in the address": (b'"ada@example.org\nbcc@example.org",Ada', "is not an address"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_list_is_refused_with_its_line(name: str, database: Database, tmp_path: Path) -> None:
    """Exit 65, the physical line, and nothing written, even where bad rows may be skipped."""
    data, position, message = UNREADABLE[name]
    before = dump(database)
    path = write_list(tmp_path, data)
    with pytest.raises(BadInput) as raised:
        imported(database, path, skip=tmp_path / "bad.csv")
    (problem,) = raised.value.problems
    assert raised.value.exit_code == 65
    assert message in problem.message
    if position:
        assert problem.place
        assert (problem.place.line, problem.place.col) == position
    assert problem.hint
    assert dump(database) == before
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["people.csv"]


@pytest.mark.parametrize("crlf", [False, True])
@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_refuses_the_whole_list(name: str, database: Database, tmp_path: Path, *, crlf: bool) -> None:
    """It is named with its physical line, below a row of three lines; nothing is written."""
    bad, reason = BAD_ROWS[name]
    above = b'email,name\n\nbob@example.org,"Bob\nB.\nB."\n'
    data = above + bad + b"\ncy@example.org,Cy\n"
    before = dump(database)
    outcome = imported(database, write_list(tmp_path, data.replace(b"\n", b"\r\n") if crlf else data))
    assert not outcome.applied
    (refusal,) = outcome.plan.refusals
    assert refusal.line == 6
    assert reason in refusal.reason
    assert refusal.reason.isprintable()
    assert str(outcome.plan.refusal_error()).startswith(f"{outcome.plan.file}:6:1: {refusal.reason}")
    assert (outcome.plan.rows, outcome.plan.accepted, outcome.plan.refused) == (3, 2, 1)
    assert dump(database) == before


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_can_be_skipped(name: str, database: Database, tmp_path: Path) -> None:
    """The others are taken; the file of refused rows has it as it was, after the reason."""
    bad, reason = BAD_ROWS[name]
    data = b"\xef\xbb\xbfemail,name\nbob@example.org,Bob\n" + bad + b"\ncy@example.org,Cy\n"
    skip = tmp_path / "bad.csv"
    outcome = imported(database, write_list(tmp_path, data), skip=skip)
    assert outcome.applied
    assert statuses(database) == {"bob@example.org": "active", "cy@example.org": "active"}
    heading, rest = skip.read_bytes().split(b"\n", 1)
    assert heading == b"refused_because,email,name"
    assert rest.endswith(b"," + bad + b"\n")
    assert f"{outcome.plan.file}:3: " in rest.decode()
    assert reason.replace('"', '""') in rest.decode()
    assert skip.stat().st_mode & 0o777 == 0o600


def test_skipped_rows_can_be_mended_and_imported(database: Database, tmp_path: Path) -> None:
    """The file of refused rows is a list itself; its first column is passed over."""
    skip = tmp_path / "bad.csv"
    imported(database, write_list(tmp_path, "Name;E-Mail\nAda;ada@example\nBob;bob@example.org"), skip=skip)
    mended = skip.read_text().replace("ada@example;", "").replace("Ada;ada@example\n", "Ada;ada@example.org\n")
    outcome = imported(database, write_list(tmp_path, mended, "mended.csv"))
    assert outcome.applied
    assert statuses(database) == {"bob@example.org": "active", "ada@example.org": "active"}


def test_a_row_without_a_line_break_at_the_end_is_skipped_whole(database: Database, tmp_path: Path) -> None:
    """The last row of the file of refused rows ends its line."""
    skip = tmp_path / "bad.csv"
    imported(database, write_list(tmp_path, "email\nada@example.org\nnobody"), skip=skip)
    assert skip.read_text().endswith(",nobody\n")


def test_the_file_for_refused_rows_is_never_overwritten(database: Database, tmp_path: Path) -> None:
    """One that is there stops the import before it begins, be it the list itself."""
    path = write_list(tmp_path, "email\nada@example.org\nnobody\n")
    skip = write_list(tmp_path, "precious", "bad.csv")
    for taken in (path, skip):
        with pytest.raises(BadInput, match="exists already"):
            imported(database, path, skip=taken)
    with pytest.raises(BadInput, match="no such folder"):
        imported(database, path, skip=tmp_path / "missing" / "bad.csv")
    assert (skip.read_text(), statuses(database)) == ("precious", {})


def test_without_refused_rows_there_is_no_file_for_them(database: Database, tmp_path: Path) -> None:
    """--skip-bad leaves nothing behind when there was nothing to skip."""
    outcome = imported(database, write_list(tmp_path, f"email,name\n{ROWS}"), skip=tmp_path / "bad.csv")
    assert outcome.applied
    assert sorted(each.name for each in tmp_path.iterdir()) == ["people.csv", "state"]


def test_a_plan_writes_no_file_for_refused_rows(database: Database, tmp_path: Path) -> None:
    """Without --apply nothing is written anywhere."""
    before = dump(database)
    path = write_list(tmp_path, "email\nada@example.org\nnobody\n")
    outcome = imported(database, path, skip=tmp_path / "bad.csv", consent=None)
    assert (outcome.applied, outcome.plan.refused) == (False, 1)
    assert dump(database) == before
    assert not (tmp_path / "bad.csv").exists()


def test_many_bad_rows_are_counted_and_the_first_are_named(database: Database, tmp_path: Path) -> None:
    """The error stays readable; the counts are exact."""
    outcome = imported(database, write_list(tmp_path, "email\n" + "nobody\n" * 2_500))
    error = outcome.plan.refusal_error()
    assert outcome.plan.refused == 2_500
    assert len(error.problems) == 20
    assert "… and 2,480 more." in str(error)
    assert "--skip-bad" in str(error)


def test_large_bad_rows_are_counted_and_kept_whole(database: Database, tmp_path: Path) -> None:
    """More of them than are held in memory at once; sound rows between them are taken."""
    bad = b"nobody," * 30_000 + b"x\n"
    data = b"email,name\n" + b"".join(b"r%d@example.org,R\n" % n + bad for n in range(20))
    plan = imported(database, write_list(tmp_path, data), skip=tmp_path / "bad.csv").plan
    assert (plan.rows, plan.new, plan.refused) == (40, 20, 20)
    assert [each.line for each in plan.refusals] == list(range(3, 43, 2))
    assert (tmp_path / "bad.csv").read_bytes().count(bad) == 20


@pytest.mark.parametrize("path", ["missing.csv", "."])
def test_a_list_that_is_not_there_is_named(path: str, database: Database, tmp_path: Path) -> None:
    """A missing file and a folder are bad input, not a crash."""
    with pytest.raises(BadInput, match=r"there is no such file|cannot be read"):
        imported(database, tmp_path / path)
