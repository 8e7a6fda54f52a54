"""What the heading line of a list makes of each column."""

from __future__ import annotations

import re

import pytest

from newsletter.audience import names
from newsletter.audience.columns import Column, Wishes, read_columns
from newsletter.errors import BadInput
from newsletter.model import Place


def _read(*headers: str, targets: dict[str, str] | None = None, ignored: tuple[str, ...] = ()) -> tuple[Column, ...]:
    return read_columns(headers, Wishes(targets or {}, frozenset(ignored)), Place("people.csv"))


def _roles(*headers: str, targets: dict[str, str] | None = None, ignored: tuple[str, ...] = ()) -> list[str]:
    columns = _read(*headers, targets=targets, ignored=ignored)
    return [f"{column.role} {column.name}".strip() for column in columns]


def _problems(*headers: str, targets: dict[str, str] | None = None, ignored: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(BadInput) as raised:
        _read(*headers, targets=targets, ignored=ignored)
    return [problem.message for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("First name", "first_name"),
        ("firstName", "first_name"),
        ("FIRST_NAME", "first_name"),
        ("  Größe (cm) ", "grosse_cm"),
        ("Prénom", "prenom"),
        ("Łódź", "lodz"),
        ("HTMLTitle", "html_title"),
        ("ÆON", "aeon"),
        ("2nd name", "field_2nd_name"),
        ("имя", ""),
        ("…", ""),
    ],
)
def test_a_heading_becomes_the_name_of_a_field(header: str, name: str) -> None:
    """Snake case in ASCII; what has no letters for it has no name."""
    assert names.field_name(header) == name
    assert not name or names.NAME.fullmatch(name)


EMAIL = """
email/E-Mail/e mail/Mail/EMAIL_ADDRESS/Email address/E-Mail-Adresse/Courriel/E-post/Correo electrónico
Adresse e-mail/sähköposti/メールアドレス/البريد الإلكتروني/이메일 주소
"""

STATUS = """
status/State/unsubscribed/Unsubscribed at/UNSUB_TIME/cleaned/opt-out/optout/opted_out/Opt Out?/bounced/Hard bounces
complained/suppressed/Deleted/GDPR consent/Subscribed/Email Status/Accepts Email Marketing/abgemeldet/blocklisted/Active
"""


def _each(listed: str) -> list[str]:
    return [name for line in listed.split("\n") for name in line.split("/") if name]


@pytest.mark.parametrize("header", _each(EMAIL))
def test_the_column_of_addresses_is_found_by_its_name(header: str) -> None:
    """In any case, and in several languages."""
    assert _roles("Name", header) == ["field name", "email"]


def test_a_postal_address_does_not_hide_the_email() -> None:
    """“Address” is the column of addresses only when no other is."""
    assert _roles("Address", "Name") == ["email", "field name"]
    assert _roles("Address", "Email") == ["field address", "email"]


def test_without_a_column_of_addresses_the_columns_are_named() -> None:
    """The error lists what there is."""
    assert _problems("Name", "City") == ["no column holds the e-mail addresses; the columns are “Name”, “City”"]


def test_two_columns_of_addresses_are_named() -> None:
    """Neither is taken by guess; one is chosen with --map, and the other needs a word, too."""
    assert _problems("Email", "City", "E-Mail") == ["more than one column may hold the addresses: “Email”, “E-Mail”"]
    assert _roles("Email", "Mail", targets={"Mail": "email"}, ignored=("Email",)) == ["ignored", "email"]
    assert _roles("Email", "Mail", targets={"Mail": "email", "Email": "old"}) == ["field old", "email"]
    assert _problems("Email", "Mail", targets={"Mail": "email"}) == [
        "the column “Email” cannot become a field: the name “email” is reserved"
    ]


@pytest.mark.parametrize("header", _each(STATUS))
def test_a_column_that_may_keep_mail_from_people_needs_a_word(header: str) -> None:
    """It is an error until it is mapped or ignored; the hint gives the options to copy."""
    with pytest.raises(BadInput, match="seems to say who must not be mailed") as raised:
        _read("email", header)
    hint = raised.value.problems[0].hint
    target = re.search(r'--map "(.*?)=(\w+)"', hint)
    assert target
    assert _roles("email", header, targets={target[1]: target[2]})[1].split()[0] in {"status", "flag"}
    assert _roles("email", header, ignored=(header,)) == ["email", "ignored"]
    assert _roles("email", header, targets={header: "kept_as_field"}) == ["email", "field kept_as_field"]


def test_columns_are_mapped_and_ignored_in_any_case() -> None:
    """Targets are roles or the names of fields."""
    wished = {"STATUS": "status", "Left": "unsubscribed", "Vorname": "first_name"}
    found = _roles("Email", "Status", "left", "vorname", "Notes", targets=wished, ignored=("notes",))
    assert found == ["email", "status", "flag unsubscribed", "field first_name", "ignored"]


def test_the_reasons_of_refused_rows_are_passed_over() -> None:
    """A file that --skip-bad wrote can be mended and imported as it is."""
    assert _roles("refused_because", "email", "Name") == ["ignored", "email", "field name"]


@pytest.mark.parametrize("name", ["unsubscribe_url", "view_url", "data", "true", "and"])
def test_reserved_names_are_errors(name: str) -> None:
    """A column may not take the name of something else; the hint tells how to rename it."""
    (problem,) = _problems("email", name)
    assert problem.startswith(f"the column “{name}” cannot become a field")
    assert _roles("email", name, targets={name: "other"}) == ["email", "field other"]


def test_two_columns_of_one_name_are_an_error() -> None:
    """Neither wins by its place."""
    assert _problems("email", "First name", "firstName", "city", "City") == [
        "the columns “First name” and “firstName” would both become the field “first_name”",
        "the columns “city” and “City” would both become the field “city”",
    ]


def test_everything_wrong_with_the_heading_is_told_at_once() -> None:
    """One run is enough to see what there is to do."""
    problems = _problems("Name", "status", "имя", targets={"Nmae": "x", "Name": "First Name"}, ignored=("zzz",))
    assert problems == [
        "--map names the column “Nmae”, which is not in the file",
        "--ignore names the column “zzz”, which is not in the file",
        "no column holds the e-mail addresses; the columns are “Name”, “status”, “имя”",
        "the column “Name” cannot become a field: a field's name is made of small letters, digits and _",
        "the column “status” seems to say who must not be mailed",
        "the column “имя” cannot become a field: a field's name is made of small letters, digits and _",
    ]


def test_a_column_cannot_be_mapped_and_ignored() -> None:
    """One of the two must be meant."""
    assert "the column “X” is both mapped and ignored" in _problems("email", "X", targets={"X": "y"}, ignored=("x",))


def test_columns_without_a_name_are_kept_apart() -> None:
    """Spreadsheets leave empty columns behind; they are no fields."""
    assert _roles("email", "", "city", " ") == ["email", "unnamed", "field city", "unnamed"]
