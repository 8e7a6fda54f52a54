"""Variants in a send: everybody gets that of their own values, once, and a batch holds one of them."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from delivery.fakes_delivery import Fake, Truth
from delivery.helpers_delivery import LINKS, MASTHEAD, NOW, Clock, begin, edition, row, wish, work_on
from delivery.ledgers import Ledgers
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update

from newsletter.delivery import approval, approvalfile, cutting, freeze, invariants, plan, schedule, start
from newsletter.delivery.personalise import Writer
from newsletter.delivery.terms import Terms
from newsletter.model import Choice, Condition, Edition, Field, Filter, Place, Slot, Template, Variant
from newsletter.personal import join
from newsletter.providers.outbox import Outbox
from newsletter.store.tables import batch, content, delivery, person, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.delivery.ledger import Send
    from newsletter.store.database import Database

PRO = Condition("==", "plan", ("pro",))
KIEL = Condition("in", "city", ("Kiel", "Köln"))
OURS = Condition("==", "email", ("p3@example.com",))
CHOICES = (Choice("pro", PRO, (Choice("kiel", KIEL),), (Choice("ours", OURS),), Place("index.md", 7)),)
KEYS = ("others", "ours", "pro", "pro+kiel")


def mail(key: str) -> Variant:
    """A variant that says which it is; the ones for pros hold a date that others may have wrong."""
    html: Template = (f"<p>This is {key} for ", Slot(0, "html"), '</p><a href="', Slot(1, "link"), '">off</a>\n')
    if key.startswith("pro"):
        html = (*html[:-1], '">off</a> ', Slot(2, "html"), "\n")
    return Variant(key, ("Hi ", Slot(0, "header")), html, (f"This is {key}\n", Slot(1, "text"), "\n"))


def several(**changes: Any) -> Edition:
    """An edition of four variants."""
    return edition(**{"variants": tuple(map(mail, KEYS)), "choices": CHOICES, **changes})


def crowd(database: Database, count: int = 40) -> dict[int, str]:
    """People of all sorts, and the variant that each should get."""
    rows, wanted = [], {}
    for number in range(count):
        values = {"first_name": f"P{number}"}
        if number % 2:
            values["plan"] = "pro" if number % 3 else "free"
        if number % 5 == 0:
            values["city"] = "Köln" if number % 4 else "Kiel"
        values["born"] = "2001-02-03" if values.get("plan") == "pro" else "soon"
        rows.append(row(f"p{number}@example.com", values))
        key = "others"
        if values.get("plan") == "pro":
            key = "pro+kiel" if "city" in values else "pro"
        elif number == 3:
            key = "ours"
        wanted[number + 1] = key
    with database.write() as connection:
        connection.execute(insert(person), rows)
    return wanted


def frozen_for(database: Database, made: Send) -> dict[int, str]:
    """The variant of everybody in a send, by the batch that holds them."""
    rows = select(delivery.c.person_id, batch.c.variant).join_from(delivery, batch, batch.c.id == delivery.c.batch_id)
    with database.read() as connection:
        assert list(invariants.flaws(connection)) == []
        found = connection.execute(rows.where(batch.c.send_id == made.id))
        return {row[0]: row[1] for row in found}


def batches(database: Database, made: Send) -> list[tuple[int, int, str, int]]:
    """Seq, stage, variant and people of every batch."""
    columns = (batch.c.seq, batch.c.stage, batch.c.variant, batch.c.n)
    with database.read() as connection:
        rows = connection.execute(select(*columns).where(batch.c.send_id == made.id).order_by(batch.c.seq))
        return [(row[0], row[1], row[2], row[3]) for row in rows]


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """The embedded provider in a folder of its own."""
    return Outbox(tmp_path / "outbox")


# -- who gets which -------------------------------------------------------------------


def test_the_audience_is_cut_by_variant(ledger_db: Database, outbox: Outbox) -> None:
    """Each batch is full but the last of its variant; nobody is lost, and nobody is in two."""
    wanted = crowd(ledger_db)
    made = begin(ledger_db, outbox, made=several(), batch=7)
    assert frozen_for(ledger_db, made) == wanted
    found = batches(ledger_db, made)
    assert [seq for seq, *_ in found] == list(range(len(found)))
    counts = {key: list(wanted.values()).count(key) for key in KEYS}
    for key, count in counts.items():
        sizes = [n for _, _, variant, n in found if variant == key]
        assert sizes == [7] * (count // 7) + ([count % 7] if count % 7 else [])
    assert made.recipients == 40


def test_stages_keep_their_draw(new_ledger: Callable[[str], Database], outbox: Outbox) -> None:
    """Who comes first is drawn as without variants, and each stage is cut by variant by itself."""
    terms = Terms("", ("25%", "100%"), 60)

    def first(made: Send, database: Database) -> set[int]:
        joined = select(delivery.c.person_id).join_from(delivery, batch, batch.c.id == delivery.c.batch_id)
        with database.read() as connection:
            return set(connection.execute(joined.where(batch.c.send_id == made.id, batch.c.stage == 0)).scalars())

    database = new_ledger("with")
    wanted = crowd(database)
    plain = begin(database, outbox, terms=terms, kind="again")
    wished = wish(outbox, several(), terms=terms, kind="again", batch=3)
    made = start.create(database, wished, NOW, after=plain.id)
    assert made.id != plain.id
    assert first(made, database) == first(plain, database)
    assert len(first(made, database)) == 10
    assert frozen_for(database, made) == wanted
    assert [stage for _, stage, _, _ in batches(database, made)] == sorted(s for _, s, _, _ in batches(database, made))


def test_everybody_gets_their_own_variant_once(ledger_db: Database, outbox: Outbox, clock: Clock) -> None:
    """In the bytes that the outbox keeps; a value that is wrong in another's part harms nobody."""
    wanted = crowd(ledger_db)
    made = begin(ledger_db, outbox, made=several(), batch=7)
    end = work_on(ledger_db, made, outbox, clock)
    assert (end.people["accepted"], made.recipients) == (40, 40)
    found: dict[int, str] = {}
    for path in outbox.folder.glob("*/*.eml"):
        (line,) = [line for line in path.read_text().splitlines() if line.startswith("This is ")]
        number = int(path.name.partition("-")[0])
        assert number not in found
        found[number] = line.removeprefix("This is ")
    assert found == wanted


def test_a_planned_send_is_cut_by_the_variants_that_were_frozen(
    ledger_db: Database, outbox: Outbox, clock: Clock
) -> None:
    """By the values that people have when it begins."""
    wanted = crowd(ledger_db)
    wished = wish(outbox, several())
    planned = schedule.plan(ledger_db, wished, NOW, NOW).send
    with ledger_db.write() as connection:
        connection.execute(update(person).where(person.c.id == 1).values(fields='{"plan": "pro"}'))
    made = schedule.begin(ledger_db, planned, wished, clock.now()).send
    assert frozen_for(ledger_db, made) == wanted | {1: "pro"}


def test_a_variant_that_is_not_there_stops_the_send_before_it_begins(ledger_db: Database, outbox: Outbox) -> None:
    """Nothing is written, and nobody is sent another's mail."""
    crowd(ledger_db)
    broken = several(variants=tuple(map(mail, KEYS[:-1])))
    with pytest.raises(RuntimeError, match=r"no variant “pro\+kiel”"):
        begin(ledger_db, outbox, made=broken)
    with ledger_db.read() as connection:
        assert connection.execute(select(send.c.id)).first() is None


def test_a_mail_that_only_others_get_makes_no_batch(ledger_db: Database, outbox: Outbox) -> None:
    """A variant without people is planned, counted with nobody, and not sent."""
    with ledger_db.write() as connection:
        connection.execute(insert(person), [row("a@example.com", {"plan": "pro", "born": "2000-01-01"})])
    made = begin(ledger_db, outbox, made=several())
    assert [key for _, _, key, _ in batches(ledger_db, made)] == ["pro"]


NAMES = st.sampled_from(["plan", "city", "odd_1"])
WORDS = st.sampled_from(["pro", "Kiel", "", "5", '"', "\\", "é", "5.0", "2026-01-01"]) | st.text(
    "ab\"'\\é ☃", max_size=4
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(NAMES, WORDS, max_size=3), min_size=1, max_size=25), st.integers(1, 9))
def test_the_database_and_the_program_agree_on_everybodys_variant(
    empty_ledger: Path, crowd_: list[dict[str, str]], size: int
) -> None:
    """Whatever stands in the values, and however the batches fall."""
    choices = (
        Choice("a", Condition("==", "plan", ("pro",)), (Choice("b", Condition("<", "odd_1", ("9",))),)),
        Choice("c", Condition("or", inner=(Condition("has", "city"), Condition("==", "plan", ('"',))))),
    )
    keys = ("others", "a", "a+b", "c", "a+c", "a+b+c")
    made = several(variants=tuple(map(mail, keys)), choices=choices)
    rows = [row(f"x{number}@example.com", values) for number, values in enumerate(crowd_)]
    provider = Fake(Truth(), now=lambda: NOW)
    with tempfile.TemporaryDirectory() as folder:
        ledgers = Ledgers(Path(folder), empty_ledger)
        database = ledgers("any")
        with database.write() as connection:
            connection.execute(insert(person), rows)
        found = frozen_for(database, begin(database, provider, made=made, batch=size))
        ledgers.close()
    frozen = wish(provider, made).frozen
    assert found == {
        number: frozen.key_of(f"x{number - 1}@example.com", values) for number, values in enumerate(crowd_, 1)
    }


# -- the plan -------------------------------------------------------------------------


def test_a_plan_counts_every_variant(ledger_db: Database, outbox: Outbox) -> None:
    """Batches are those that the send makes; whose values do not fit is left out of their own variant."""
    wanted = crowd(ledger_db)
    with ledger_db.write() as connection:
        connection.execute(update(person).where(person.c.id == 2).values(fields='{"plan": "pro", "born": "soon"}'))
    with ledger_db.read() as connection:
        found = plan.make(connection, wish(outbox, several(), batch=7), outbox, LINKS, NOW)
    counts = {key: list(wanted.values()).count(key) for key in KEYS}
    assert dict(found.by_variant) == counts | {"pro": counts["pro"] - 1}
    assert (found.variants, found.audience, found.recipients) == (4, 40, 39)
    assert [each.address for each in found.failing] == ["p1@example.com"]
    made = begin(ledger_db, outbox, made=several(), batch=7)
    assert found.batches == len(batches(ledger_db, made))
    assert json.loads(json.dumps(found.data()))["by_variant"]["ours"] == 1
    assert found.id == made.plan_id


def test_the_bytes_of_a_plan_are_those_of_each_variant(ledger_db: Database, outbox: Outbox, clock: Clock) -> None:
    """Near what the outbox then holds."""
    crowd(ledger_db)
    with ledger_db.read() as connection:
        found = plan.make(connection, wish(outbox, several()), outbox, LINKS, NOW)
    made = begin(ledger_db, outbox, made=several())
    work_on(ledger_db, made, outbox, clock)
    held = sum(path.stat().st_size for path in outbox.folder.glob("*/*.eml"))
    assert abs(found.bytes - held) < held / 50


# -- one reader's mail ----------------------------------------------------------------


def test_what_a_variant_does_not_show_is_not_worked_out() -> None:
    """A date that is none fails those whose mail has it, and nobody else."""
    frozen = freeze.of_edition(several(), MASTHEAD)
    writer = Writer(frozen, LINKS, 1, "x")
    members = [(1, "a@example.com", {"born": "soon"}), (2, "b@example.com", {"born": "2000-01-01"})]
    others, none = writer.messages(frozen.variant("others"), members)
    assert ([each.person for each in others], none) == ([1, 2], [])
    pros, failed = writer.messages(frozen.variant("pro"), members)
    assert ([each.person for each in pros], [each.person for each in failed]) == ([2], [1])
    assert "2000" in join(frozen.variant("pro").html, pros[0].values)


# -- frozen ---------------------------------------------------------------------------


def test_conditions_are_frozen_and_read_back(ledger_db: Database, outbox: Outbox) -> None:
    """Without their places: the same mail built elsewhere has the same hash, and another condition another."""
    frozen = freeze.of_edition(several(), MASTHEAD)
    assert json.loads(freeze.freeze(frozen))["version"] == 3
    assert freeze.thaw(freeze.freeze(frozen)) == frozen
    moved = several(choices=(CHOICES[0]._replace(place=Place("other.md", 9)),))
    assert freeze.sha(freeze.of_edition(moved, MASTHEAD)) == freeze.sha(frozen)
    other = several(choices=(CHOICES[0]._replace(condition=Condition("==", "plan", ("team",))),))
    assert freeze.changes(frozen, freeze.of_edition(other, MASTHEAD)) == ("conditions",)
    crowd(ledger_db)
    made = begin(ledger_db, outbox, made=several())
    with ledger_db.read() as connection:
        stored = connection.execute(select(content.c.bytes).where(content.c.sha == made.content_sha)).scalar_one()
    assert freeze.thaw(stored).choices == frozen.choices


def test_what_needs_nothing_new_is_frozen_as_before() -> None:
    """So that its hash holds, and an approval of it; a filter that older programs lack makes it new."""
    frozen = freeze.of_edition(edition(), MASTHEAD)
    data = json.loads(freeze.freeze(frozen))
    assert data["version"] == 2
    assert "choices" not in data
    newer = replace(frozen, fields=(Field("n", (Filter("number"),)), *frozen.fields[1:]))
    assert json.loads(freeze.freeze(newer))["version"] == 3
    assert freeze.thaw(freeze.freeze(newer)) == newer


def test_an_approval_knows_the_conditions(tmp_path: Path) -> None:
    """They are written for people, read back, and another one is a change; without any the file is as before."""
    matter = approval.matter(several(), MASTHEAD)
    assert matter.conditions == (
        'pro: plan == "pro"',
        'kiel: city in ("Kiel", "Köln")',
        'ours: email == "p3@example.com"',
    )
    made = approval.Approval(matter, "ada", NOW, "1", 40)
    assert json.loads(approvalfile.keep(tmp_path, made).read_text())["version"] == 2
    assert approvalfile.found(tmp_path) == made
    other = several(choices=(CHOICES[0]._replace(condition=Condition("==", "plan", ("team",))),))
    (found,) = approval.compare(matter, approval.matter(other, MASTHEAD))
    assert found.part == "conditions"
    assert 'pro: plan == "team"' in found.now
    plain = dataclasses.replace(made, matter=approval.matter(edition(), MASTHEAD))
    assert json.loads(approvalfile.keep(tmp_path, plain).read_text())["version"] == 1


def test_cutting_again_leaves_no_table_behind(ledger_db: Database, outbox: Outbox) -> None:
    """Two sends by the same connection do not know of each other."""
    wanted = crowd(ledger_db)
    first = begin(ledger_db, outbox, made=several(), kind="again")
    with ledger_db.write() as connection:
        connection.execute(update(send).values(state="cancelled"))
        frozen = freeze.of_edition(several(), MASTHEAD)
        connection.execute(delivery.delete())
        connection.execute(batch.delete())
        cutting.cut(connection, first.id, first.terms, count=40, size=3, frozen=frozen)
    assert frozen_for(ledger_db, first) == wanted
