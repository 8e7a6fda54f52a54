"""Lists of people who must never be mailed, from a file and from a provider."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from audience.helpers_audience import (
    NOW,
    dump,
    erase,
    everyone,
    history,
    imported,
    records,
    secret,
    statuses,
    write_list,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.audience import suppressing
from newsletter.audience.columns import Wishes
from newsletter.audience.suppressing import Order, Told, run
from newsletter.errors import BadInput
from newsletter.store.clock import stamp
from newsletter.store.database import Database, open_database
from newsletter.store.tables import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from newsletter.audience.importing import Outcome
    from newsletter.audience.suppressing import Pulled

LATER = NOW + dt.timedelta(days=7)


def _suppressed(
    database: Database, path: Path, status: str = "unsubscribed", *, apply: bool = True, **order: Any
) -> Outcome:
    made = Order(path, status, apply=apply, secret=secret, **order)
    return run(database, made, now=lambda: LATER)


def _pulled(database: Database, told: Sequence[Told], *, apply: bool = True) -> Pulled:
    return suppressing.pull(database, iter(told), "mailgun", apply=apply, secret=secret, now=lambda: LATER)


# -- a file ---------------------------------------------------------------------------


def test_everybody_on_the_list_is_suppressed(database: Database, tmp_path: Path) -> None:
    """Who is there loses mail, who is not comes with the status and without consent; the file's record says why."""
    imported(database, write_list(tmp_path, "email,name\nada@example.org,Ada\n"))
    path = write_list(tmp_path, "Email,Reason,status\nADA@example.org,x,y\nBob@Example.org,,\n", "left.csv")
    plan = _suppressed(database, path).plan
    assert (plan.rows, plan.new, plan.changed, plan.refused) == (2, 1, 1, 0)
    found = everyone(database)
    ada, bob = found["ada@example.org"], found["Bob@example.org"]
    assert (ada["status"], ada["status_at"], ada["fields"]) == ("unsubscribed", stamp(LATER), {"name": "Ada"})
    assert (bob["status"], bob["status_reason"], bob["fields"]) == ("unsubscribed", "imported from left.csv", {})
    assert (bob["consent_source"], bob["consent_at"]) == ("", "")
    assert history(database, "ada@example.org") == [("consent", "import:1"), ("unsubscribed", "import:2")]
    assert history(database, "Bob@example.org") == [("unsubscribed", "import:2")]
    kept = records(database)["import:2"]
    assert (kept["file"], kept["suppress"], kept["rows"]) == ("left.csv", "unsubscribed", 2)


def test_a_list_is_only_planned_at_first(database: Database, tmp_path: Path) -> None:
    """Nothing is written, and the plan is that of the import that would follow."""
    path = write_list(tmp_path, "ada@example.org\nbob@example.org\n")
    before = dump(database)
    planned = _suppressed(database, path, apply=False)
    assert not planned.applied
    assert dump(database) == before
    assert _suppressed(database, path).plan == planned.plan


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("ada@example.org\nbob@example.org\n", 2),
        ("ada@example.org\r\n\r\nbob@example.org", 2),
        ("\ufeffada@example.org\n", 1),
        ("email\nada@example.org\n", 1),
        ("ada@example.org;2026-01-01;spam\nbob@example.org;2026-01-02;\n", 2),
        ("2026-01-01,ada@example.org\n2026-01-01,bob@example.org\n", 2),
        ("sep=;\nada@example.org;x\n", 1),
        ('"ada@example.org"\n"ADA@example.org"\n', 1),
        ("Date,E-Mail-Adresse\n1,ada@example.org\n", 1),
    ],
)
def test_a_list_may_do_without_a_heading_line(data: str, expected: int, database: Database, tmp_path: Path) -> None:
    """The first line is then a person too, whatever stands beside the addresses."""
    plan = _suppressed(database, write_list(tmp_path, data.encode())).plan
    assert plan.new == expected == len(everyone(database))
    assert set(statuses(database).values()) == {"unsubscribed"}
    assert "ada@example.org" in statuses(database)


def test_one_address_without_a_heading_or_a_line_end_is_a_list(database: Database, tmp_path: Path) -> None:
    """The smallest one."""
    assert _suppressed(database, write_list(tmp_path, "ada@example.org")).plan.rows == 1


@pytest.mark.parametrize(
    ("data", "wishes", "reason"),
    [
        ("", Wishes({}, frozenset()), "the file is empty"),
        ("email\n", Wishes({}, frozenset()), "no rows below the heading line"),
        ("name,city\nAda,Hamburg\n", Wishes({}, frozenset()), "no column holds the e-mail addresses"),
        ("ada@example.org,bob@example.org\n", Wishes({}, frozenset()), "more than one value may be the address"),
        ("ada@example.org\n", Wishes({"mail": "email"}, frozenset()), "there is no column “mail”"),
        ("email,e-mail\na@example.org,b@example.org\n", Wishes({}, frozenset()), "more than one column"),
        ("x,y\na@example.org,b\n", Wishes({"z": "email"}, frozenset()), "not in the file"),
        ("email\nada@example.org\n\xff", Wishes({}, frozenset()), "nobody"),
    ],
)
def test_what_is_no_list_is_bad_input(
    data: str, wishes: Wishes, reason: str, database: Database, tmp_path: Path
) -> None:
    """The error says what to do, and nobody is suppressed."""
    raw = data.encode("latin-1") if "\xff" in data else data.encode()
    with pytest.raises(BadInput) as raised:
        _suppressed(database, write_list(tmp_path, raw), wishes=wishes)
    assert reason in str(raised.value) or "this is not UTF-8" in str(raised.value)
    assert everyone(database) == {}


def test_a_heading_may_be_named(database: Database, tmp_path: Path) -> None:
    """As in every import, and columns that would need a word there need none here."""
    path = write_list(tmp_path, "who,opt-out\nada@example.org,yes\n")
    assert _suppressed(database, path, wishes=Wishes({"who": "email"}, frozenset())).plan.new == 1


def test_a_bad_row_refuses_the_list_unless_it_may_be_skipped(database: Database, tmp_path: Path) -> None:
    """The rows that were left out can be mended and imported as they are, also without a heading."""
    path = write_list(tmp_path, "nobody@\nada@example.org;x\nbob@example.org\n\x01@example.org\n")
    outcome = _suppressed(database, path)
    assert (outcome.applied, outcome.plan.refused, everyone(database)) == (False, 3, {})
    assert [each.line for each in outcome.plan.refusals] == [1, 2, 4]
    skip = tmp_path / "bad.csv"
    assert _suppressed(database, path, skip=skip).applied
    assert statuses(database) == {"bob@example.org": "unsubscribed"}
    assert skip.read_bytes().startswith(b"refused_because,email\n")
    skip.write_bytes(
        skip.read_bytes().replace(b"nobody@", b"nobody@example.org").replace(b";x", b"").replace(b"\x01", b"y")
    )
    assert _suppressed(database, skip).plan.new == 3


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("told", STATUSES[1:])
def test_a_status_is_only_ever_raised(before: str, told: str, database: Database, tmp_path: Path) -> None:
    """Complaint over bounce over unsubscribed over active; the same list again changes nothing at all."""
    people = write_list(tmp_path, f"email,status\nada@example.org,{before}\n")
    imported(database, people, targets={"status": "status"})
    path = write_list(tmp_path, "ada@example.org\n", "left.txt")
    plan = _suppressed(database, path, told).plan
    gravest = max(before, told, key=STATUSES.index)
    assert statuses(database) == {"ada@example.org": gravest}
    assert (plan.changed, dict(plan.suppressed)) == ((1, {}) if gravest != before else (0, {before: 1}))
    state = dump(database)
    assert dict(_suppressed(database, path, told).plan.suppressed) == {gravest: 1}
    assert dump(database) == state


def test_the_erased_stay_erased(database: Database, tmp_path: Path) -> None:
    """A list of leavers does not bring their address back into the database, nor does a provider."""
    imported(database, write_list(tmp_path, "email\nada@example.org\n"))
    erase(database, "ada@example.org")
    before = dump(database)
    plan = _suppressed(database, write_list(tmp_path, "ada@example.org\n", "left.txt")).plan
    assert (plan.new, dict(plan.suppressed)) == (0, {"erased": 1})
    done = _pulled(database, [("Ada@example.org", "bounced", None, "x")])
    assert (done.plan.new, dict(done.plan.suppressed)) == (0, {"erased": 1})
    assert dump(database) == before


# -- a provider -----------------------------------------------------------------------


def test_a_provider_tells_status_time_and_reason(database: Database, tmp_path: Path) -> None:
    """Each as it says; without a time it is now, without a reason that is said."""
    imported(database, write_list(tmp_path, "email,name\nada@example.org,Ada\n"))
    at = dt.datetime(2026, 10, 1, 9, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    told: list[Told] = [
        ("ADA@example.org", "bounced", at, "550 no\r\nsuch \x1b[31muser"),
        ("bob@example.org", "unsubscribed", None, ""),
    ]
    done = _pulled(database, told)
    assert (done.told, done.plan.new, done.plan.changed, done.unreadable) == (2, 1, 1, 0)
    found = everyone(database)
    ada, bob = found["ada@example.org"], found["bob@example.org"]
    assert (ada["status"], ada["status_at"], ada["fields"]) == (
        "bounced",
        "2026-10-01T07:00:00.000000Z",
        {"name": "Ada"},
    )
    assert ada["status_reason"] == "mailgun: 550 no such [31muser"
    assert (bob["status_at"], bob["status_reason"]) == (stamp(LATER), "mailgun: no reason given")
    assert history(database, "ada@example.org")[1:] == [("bounced", "mailgun: 550 no such [31muser")]
    assert history(database, "bob@example.org") == [("unsubscribed", "mailgun: no reason given")]
    before = dump(database)
    assert sum(_pulled(database, told).plan.suppressed.values()) == 2
    assert dump(database) == before


def test_of_several_words_on_one_address_the_gravest_counts(database: Database) -> None:
    """With its own time and reason, in whatever order they are told."""
    told: list[Told] = [
        ("ada@example.org", "unsubscribed", NOW, "left"),
        ("ADA@example.org", "complained", LATER, "spam"),
        ("ada@example.org", "bounced", NOW, "full"),
    ]
    for order in (told, told[::-1]):
        done = _pulled(database, order, apply=order is not told)
        assert (done.plan.new, done.plan.repeated) == (1, 2)
    ada = everyone(database)["ADA@example.org"]
    assert (ada["status"], ada["status_reason"]) == ("complained", "mailgun: spam")


def test_addresses_that_cannot_be_read_stop_nothing(database: Database) -> None:
    """They are counted, and the first are named."""
    done = _pulled(database, [("post master", "unsubscribed", None, "x"), ("b@example.org", "bounced", None, "x")] * 30)
    assert (done.told, done.unreadable, len(done.examples), done.plan.new) == (60, 30, 20, 1)
    assert done.examples[0].startswith("“post master” is not an address")


def test_a_dry_run_writes_nothing(database: Database) -> None:
    """The numbers are those of the run that would follow."""
    before = dump(database)
    told: list[Told] = [("ada@example.org", "bounced", None, "x")]
    done = _pulled(database, told, apply=False)
    assert (done.applied, dump(database)) == (False, before)
    assert _pulled(database, told).plan == done.plan


def test_a_provider_that_breaks_off_changes_nothing(database: Database) -> None:
    """What it told before is not applied by halves."""

    def told() -> Iterator[Told]:
        for number in range(2_500):
            yield f"p{number}@example.org", "bounced", None, "x"
        raise LookupError

    with pytest.raises(LookupError):
        suppressing.pull(database, told(), "mailgun", apply=True, secret=secret)
    assert everyone(database) == {}


_WORDS = st.lists(st.tuples(st.sampled_from(["a", "B", "c"]), st.sampled_from(STATUSES[1:])), max_size=6)


@settings(deadline=None, max_examples=25)
@given(words=_WORDS)
def test_any_order_ends_the_same(words: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Told in one go, one by one, or backwards: everybody has the gravest status that was told of them."""
    told: list[Told] = [(f"{who}@example.org", status, None, "x") for who, status in words]
    expected: dict[str, str] = {}
    for who, status, _, _ in told:
        expected[who.lower()] = max(expected.get(who.lower(), "active"), status, key=STATUSES.index)
    for way in ([told], [told[::-1]], [[each] for each in told]):
        database = open_database(tmp_path_factory.mktemp("any") / "newsletter.db")
        for part in way:
            _pulled(database, part)
        assert {who.lower(): status for who, status in statuses(database).items()} == expected
        database.close()
