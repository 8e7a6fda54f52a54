"""A send in stages: who comes first, what lies between, and what stops it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from delivery.checker import violations
from delivery.fakes_delivery import FAULTS, MODELS, Crash, Fake, Mortal, Points, Truth, scripted
from delivery.helpers_delivery import (
    LINKS,
    MASTHEAD,
    NOW,
    Clock,
    begin,
    edition,
    go_on,
    people,
    row,
    status,
    unsubscribe,
    work_on,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from support import before_statements

from newsletter.delivery import claims, control, cutting, desk, freeze, invariants, ledger, work
from newsletter.delivery.desk import Between
from newsletter.delivery.terms import Brake, Terms, read, shares
from newsletter.store import clock as stored
from newsletter.store.database import Database
from newsletter.store.tables import batch, delivery, event, meta, person, person_event, send

if TYPE_CHECKING:
    from delivery.fakes_delivery import Model

    from newsletter.delivery.ledger import Send
    from newsletter.store.prepared import Prepared

WAIT = 1_800
SHORT = 20
"""Where a test waits often: each second of it is a look into the ledger."""
THREE = Terms("", ("10%", "50%", "100%"), WAIT)
OFF = Brake("100", "100", "100")


@pytest.fixture
def truth() -> Truth:
    """What the provider accepted."""
    return Truth()


@pytest.fixture
def fake(truth: Truth, clock: Clock) -> Fake:
    """A provider without faults."""
    return Fake(truth, now=clock.now)


def staged(database: Database, fake: Fake, count: int = 40, terms: Terms = THREE, **how: Any) -> Send:
    """Make a send in stages."""
    people(database, count)
    return begin(database, fake, terms=terms, **how)


def worked(database: Database, made: Send, fake: Fake, clock: Clock, between: Between = desk.NOTHING) -> Send:
    """One process's way through it."""
    job = desk.job(database, made.id, fake, LINKS, clock.tools(), between)
    work.run(job, 1, lambda: None)
    return now(database, made)


def now(database: Database, made: Send) -> Send:
    """The send as it is."""
    with database.read() as connection:
        return ledger.get(connection, made.id)


def of_stage(database: Database, made: Send) -> list[set[int]]:
    """Who is in each stage."""
    found: dict[int, set[int]] = {}
    with database.read() as connection:
        rows = connection.execute(
            select(batch.c.stage, delivery.c.person_id)
            .join_from(batch, delivery, delivery.c.batch_id == batch.c.id)
            .where(batch.c.send_id == made.id)
        )
        for stage, who in rows:
            found.setdefault(stage, set()).add(who)
    return [found[stage] for stage in sorted(found)]


def became(database: Database, word: str, *numbers: int, at: dt.datetime = NOW + dt.timedelta(minutes=1)) -> None:
    """What the provider told of people."""
    with database.write() as connection:
        values = {"status": word, "status_at": stored.stamp(at)}
        connection.execute(update(person).where(person.c.id.in_(numbers)).values(**values))
        connection.execute(
            person_event.insert(), [{"person_id": each, "at": stored.stamp(at), "what": word} for each in numbers]
        )


# -- who comes when -------------------------------------------------------------------


def test_everybody_is_in_one_stage_and_a_batch_in_one_too(ledger_db: Database, fake: Fake) -> None:
    """Four of forty, then sixteen more, then the rest; seq runs on."""
    made = staged(ledger_db, fake)
    assert [len(each) for each in of_stage(ledger_db, made)] == [4, 16, 20]
    assert set().union(*of_stage(ledger_db, made)) == set(range(1, 41))
    assert made.terms.ends == (4, 20, 40)
    with ledger_db.read() as connection:
        rows = connection.execute(select(batch.c.seq, batch.c.stage, batch.c.n).order_by(batch.c.id)).all()
        assert list(invariants.flaws(connection)) == []
    assert [row[0] for row in rows] == list(range(10))
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)


def test_the_same_people_come_first_whenever_the_send_is_made(ledger_db: Database, fake: Fake, clock: Clock) -> None:
    """Drawn anew for another issue; never simply the oldest subscribers."""
    people(ledger_db, 200)
    terms = Terms("", ("10%", "100%"), WAIT)
    first = begin(ledger_db, fake, terms=terms, kind="again")
    worked(ledger_db, first, fake, clock)
    drawn = of_stage(ledger_db, first)[0]
    other = of_stage(ledger_db, begin(ledger_db, fake, terms=terms, made=edition(issue_id="other")))[0]
    with ledger_db.write() as connection:
        second = cutting_again(connection, first)
    assert of_stage(ledger_db, second)[0] == drawn
    assert other != drawn
    assert drawn != set(range(1, 21))
    assert min(drawn) < 100 < max(drawn)


def test_the_draw_is_made_before_the_ledger_is_held(ledger_db: Database, fake: Fake) -> None:
    """A million people take longer to draw than others would wait for their turn to write."""
    people(ledger_db, 40)
    said: list[str] = []
    before_statements(ledger_db, said.append)
    begin(ledger_db, fake, terms=THREE)
    # Whether there is a send already is the first question of the transaction that makes one.
    held = said[next(at for at, sql in enumerate(said) if sql.startswith("SELECT send.id")) :]
    assert [sql for sql in said if sql.startswith("INSERT INTO drawn")]
    assert not [sql for sql in held if sql.startswith(("INSERT INTO drawn", "INSERT INTO placed"))]


def come(database: Database) -> None:
    """Five more people."""
    with database.write() as connection:
        connection.execute(person.insert(), [row(f"new{number}@example.com", {}) for number in range(5)])


def test_whoever_comes_or_leaves_after_the_draw_is_counted(
    ledger_db: Database, new_ledger: Any, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if all had drawn at once: the same people in the same stages."""
    people(ledger_db, 40)
    write = Database.write

    def changed(database: Database) -> Any:
        monkeypatch.setattr(Database, "write", write)
        unsubscribe(ledger_db, 3, 4)
        come(ledger_db)
        return write(database)

    monkeypatch.setattr(Database, "write", changed)
    made = begin(ledger_db, fake, terms=THREE)
    other = new_ledger("at-once")
    people(other, 40)
    unsubscribe(other, 3, 4)
    come(other)
    with ledger_db.read() as ours, other.write() as theirs:
        instance = ours.execute(select(meta.c.value).where(meta.c.key == "instance")).scalar_one()
        theirs.execute(update(meta).where(meta.c.key == "instance").values(value=instance))
    assert made.recipients == 43
    assert of_stage(ledger_db, made) == of_stage(other, begin(other, fake, terms=THREE))


def cutting_again(connection: Any, made: Send) -> Send:
    """The same send, cut once more: its people without those of the first time."""
    mine = select(batch.c.id).where(batch.c.send_id == made.id)
    connection.execute(event.delete().where(event.c.batch_id.in_(mine)))
    connection.execute(delivery.delete().where(delivery.c.send_id == made.id))
    connection.execute(batch.delete().where(batch.c.send_id == made.id))
    terms, frozen = replace(THREE, shares=("10%", "100%")), freeze.of_edition(edition(), MASTHEAD)
    cutting.cut(connection, made.id, terms, count=200, size=7, frozen=frozen)
    return ledger.get(connection, made.id)


@given(
    st.integers(1, 5_000),
    st.lists(st.integers(1, 9_999), unique=True, max_size=6).map(sorted),
)
@settings(deadline=None)
def test_stages_add_up_for_every_audience(count: int, parts: list[int]) -> None:
    """Nobody is left over, no stage is empty, and none reaches less than its share."""
    typed = [f"{part / 100:.2f}%" for part in parts] + ["100%"]
    cut = Terms("", shares(",".join(typed)), WAIT).cut(count)
    assert sum(cut.sizes()) == count
    assert all(size > 0 for size in cut.sizes())
    assert len(cut.shares) == len(cut.ends)
    assert cut.shares[-1] == "100%"
    for share, end in zip(cut.shares, cut.ends, strict=True):
        assert 100 * end >= float(share[:-1]) * count - 1e-6


def test_terms_are_read_as_they_were_written() -> None:
    """Terms that say nothing take no room."""
    for terms in (THREE, THREE.cut(40), Terms("Europe/Berlin"), Terms("", ("100%",), 0, OFF)):
        assert read(terms.text()) == terms
    assert Terms().text() is None
    assert read(None) == Terms()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "“” is not a percentage"),
        ("1,10,100", "“1” is not a percentage"),
        ("1%;100%", "is not a percentage"),
        ("-1%,100%", "is not a percentage"),
        ("0%,100%", "not above 0%"),
        ("50%,101%", "up to 100%"),
        ("1%,10%", "the last stage reaches 10%"),
        ("10%,1%,100%", "more people than the one before"),
        ("10%,10.0%,100%", "more people than the one before"),
        ("1%,,100%", "“” is not a percentage"),
        (",".join(f"{n}%" for n in range(1, 22)) + ",100%", "more than 20"),
    ],
)
def test_stages_that_cannot_be_meant_are_refused(typed: str, words: str) -> None:
    """With what is wrong with them."""
    with pytest.raises(ValueError, match=r"percentage|above|stage") as caught:
        shares(typed)
    assert words in str(caught.value)


# -- between two stages ---------------------------------------------------------------


def test_stages_go_out_one_after_the_other_with_a_wait_between(
    ledger_db: Database, fake: Fake, clock: Clock, truth: Truth
) -> None:
    """Whoever is in a later stage has got nothing when an earlier one ends."""
    made = staged(ledger_db, fake)
    first, second, _ = of_stage(ledger_db, made)
    told: list[tuple[int, int, set[int]]] = []

    def tell(stage: int, at: dt.datetime) -> None:
        told.append((stage, round((at - clock.at).total_seconds()), set(truth.accepted)))

    assert worked(ledger_db, made, fake, clock, Between(tell=tell)).state == "done"
    assert told == [(1, WAIT, first), (2, WAIT, first | second)]
    assert dict(truth.accepted) == dict.fromkeys(range(1, 41), 1)
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_process_that_comes_later_keeps_to_the_wait(
    ledger_db: Database, fake: Fake, clock: Clock, truth: Truth
) -> None:
    """The time stands in the ledger: a second process, and a third after it, wait for the same moment."""
    made = staged(ledger_db, fake)
    leave = Between(wait=False)
    for _ in range(3):
        here = worked(ledger_db, made, fake, clock, leave)
        assert (here.state, here.stage, len(truth.accepted)) == ("running", 0, 4)
        clock.sleep(WAIT / 4)
    due = here.stage_at
    assert due is not None
    clock.sleep(WAIT / 2)
    here = worked(ledger_db, made, fake, clock, leave)
    assert (here.stage, len(truth.accepted)) == (1, 20)
    assert here.stage_at is not None
    assert (here.stage_at - due).total_seconds() >= WAIT


def test_a_clock_that_went_back_makes_nobody_wait_for_ever(ledger_db: Database, fake: Fake, clock: Clock) -> None:
    """A wait longer than the send's own is named anew."""
    made = staged(ledger_db, fake)
    worked(ledger_db, made, fake, clock, Between(wait=False))
    clock.sleep(-86_400)
    began = clock.at
    assert worked(ledger_db, made, fake, clock).state == "done"
    assert (clock.at - began).total_seconds() < 3 * WAIT


def test_whoever_leaves_between_two_stages_gets_nothing(
    ledger_db: Database, fake: Fake, clock: Clock, truth: Truth
) -> None:
    """As between any two batches; and the sums hold."""
    made = staged(ledger_db, fake)
    last = sorted(of_stage(ledger_db, made)[2])[:3]
    worked(ledger_db, made, fake, clock, Between(refresh=lambda: unsubscribe(ledger_db, *last)))
    assert not set(last) & set(truth.accepted)
    assert status(ledger_db, made).people["skipped"] == 3
    assert violations(ledger_db, made.id, truth.accepted, last) == []


def test_the_operator_can_pause_and_cancel_in_between(
    ledger_db: Database, fake: Fake, clock: Clock, truth: Truth
) -> None:
    """The waiting process ends; resumed, the wait is what it was."""
    made = staged(ledger_db, fake)

    def step_in(word: str, *_told: object) -> None:
        with ledger_db.write() as connection:
            stop = control.pause if word == "pause" else None
            assert stop(connection, made.id) if stop else control.cancel(connection, made.id, clock.now())

    for word in ("pause", "cancel"):
        here = worked(ledger_db, made, fake, clock, Between(tell=partial(step_in, word)))
        assert (here.state, here.stage, len(truth.accepted)) == ({"pause": "paused"}.get(word, "cancelled"), 0, 4)
        at = here.stage_at
        go_on(ledger_db, made, clock.now())
        assert now(ledger_db, made).stage_at == at
    assert worked(ledger_db, made, fake, clock).state == "done"
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_two_processes_go_through_the_stages_together(
    ledger_db: Database, fake: Fake, clock: Clock, truth: Truth
) -> None:
    """One ends the stage while the other waits: the next begins once, and no brake is asked twice for it."""
    made = staged(ledger_db, fake)
    seen: list[int] = []

    def other() -> None:
        if len(seen) < 2:
            seen.append(now(ledger_db, made).stage)
            worked(ledger_db, made, fake, Clock(clock.at, names=1_000 * len(seen)), Between(wait=False))

    assert worked(ledger_db, made, fake, clock, Between(refresh=other)).state == "done"
    assert seen == [0, 1]
    assert dict(truth.accepted) == dict.fromkeys(range(1, 41), 1)


# -- the brake ------------------------------------------------------------------------


def test_too_many_refusals_hold_it_at_the_end_of_the_stage(ledger_db: Database, clock: Clock, truth: Truth) -> None:
    """At once, without the wait; it says which stage, how many, and of how many; only `resume` goes on."""
    fake = Fake(truth, now=clock.now, fault=scripted("mixed"))
    made = staged(ledger_db, fake)
    began = clock.at
    here = worked(ledger_db, made, fake, clock)
    assert (here.state, here.paused_by, here.fault) == ("paused", "operator", None)
    assert here.why == "before stage 2 of 3 (50%): 1 of 4 refused by the provider (25%), more than 5%"
    assert (clock.at - began).total_seconds() < WAIT
    with ledger_db.write() as connection:
        assert not control.take_up(connection, made.id, clock.now())
        assert list(invariants.flaws(connection)) == []


@pytest.mark.parametrize(("word", "limit"), [("bounced", "3"), ("complained", "0.1")], ids=["bounced", "complained"])
def test_bounces_and_complaints_hold_it_when_the_wait_is_over(
    ledger_db: Database, fake: Fake, clock: Clock, word: str, limit: str
) -> None:
    """As the provider tells them just then."""
    made = staged(ledger_db, fake)
    (one, *_) = of_stage(ledger_db, made)[0]
    here = worked(ledger_db, made, fake, clock, Between(refresh=lambda: became(ledger_db, word, one)))
    assert (here.state, here.why) == ("paused", f"before stage 2 of 3 (50%): 1 of 4 {word} (25%), more than {limit}%")


def test_what_does_not_come_from_this_send_does_not_hold_it(ledger_db: Database, fake: Fake, clock: Clock) -> None:
    """A bounce of long ago that is known only now, one of somebody in a later stage, and people who simply leave."""
    made = staged(ledger_db, fake)
    first, _, last = of_stage(ledger_db, made)
    one, other, *_ = first

    def refresh() -> None:
        became(ledger_db, "bounced", one, at=NOW - dt.timedelta(days=30))
        became(ledger_db, "complained", min(last))
        unsubscribe(ledger_db, other)

    assert worked(ledger_db, made, fake, clock, Between(refresh=refresh)).state == "done"


def test_a_rate_that_is_met_exactly_does_not_hold_it(ledger_db: Database, fake: Fake, clock: Clock) -> None:
    """Above means above, to the last decimal: 1 of 1,000 is 0.1%."""
    brake = Brake("5", "3", "0.1")
    made = staged(ledger_db, fake, 2_000, Terms("", ("50%", "100%"), WAIT, brake), batch=500)
    (one, two, *_) = of_stage(ledger_db, made)[0]
    here = worked(
        ledger_db, made, fake, clock, Between(refresh=lambda: became(ledger_db, "complained", one), wait=False)
    )
    clock.sleep(WAIT)
    assert here.state == "running"
    assert worked(
        ledger_db, made, fake, clock, Between(refresh=lambda: became(ledger_db, "complained", one))
    ).state == ("done")
    assert two in of_stage(ledger_db, made)[0]


def test_resume_goes_on_to_the_next_stage_and_the_brake_looks_again_after_it(
    ledger_db: Database, clock: Clock, truth: Truth
) -> None:
    """A person has decided about this stage, and not about what comes after it."""
    fake = Fake(truth, now=clock.now, fault=scripted("mixed", "mixed"))
    made = staged(ledger_db, fake)
    assert worked(ledger_db, made, fake, clock).state == "paused"
    go_on(ledger_db, made, clock.now())
    here = worked(ledger_db, made, fake, clock)
    assert (here.state, here.stage) == ("paused", 2)
    assert here.why == "before stage 3 of 3 (100%): 2 of 20 refused by the provider (10%), more than 5%"
    assert sum(truth.accepted.values()) == 18
    go_on(ledger_db, made, clock.now())
    assert worked(ledger_db, made, fake, clock).state == "done"
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_brake_can_be_let_off(ledger_db: Database, clock: Clock, truth: Truth) -> None:
    """100% is never exceeded."""
    fake = Fake(truth, now=clock.now, fault=scripted("mixed"))
    made = staged(ledger_db, fake, terms=replace(THREE, brake=OFF))
    assert worked(ledger_db, made, fake, clock).state == "done"


# -- deaths ---------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_a_process_may_die_at_any_point_of_a_staged_send(new_ledger: Any, model: Model) -> None:
    """Every checkpoint in turn, each followed by runs that go on: all sent once, stage after stage, with every wait."""
    at = 0
    ended = False
    while not ended:
        at += 1
        ledger_db, clock, truth = new_ledger(f"{model}-{at}"), Clock(), Truth()
        points = Points(at)
        fake = Fake(truth, model, now=clock.now, points=points)
        made = staged(ledger_db, fake, 8, replace(THREE, wait=SHORT, brake=OFF), batch=3)
        began = clock.at
        job = desk.job(Mortal(ledger_db, points), made.id, fake, LINKS, clock.tools())
        try:
            work.run(job, 1, lambda: None)
            ended = True
        except Crash:
            work_on(ledger_db, made, fake, clock)
        assert violations(ledger_db, made.id, truth.accepted) == [], f"died at {at}"
        assert now(ledger_db, made).stage == 2
        assert (clock.at - began).total_seconds() >= 2 * SHORT, f"died at {at}"
    assert at > 20


@pytest.mark.parametrize("fault", FAULTS)
def test_parts_and_second_tries_stay_in_their_stage(
    ledger_db: Database, clock: Clock, truth: Truth, fault: str
) -> None:
    """Whatever happens to a call of the first stage, nobody of the second is mailed before the first has ended."""
    fake = Fake(truth, now=clock.now, fault=scripted(fault))
    made = staged(ledger_db, fake, terms=replace(THREE, brake=OFF), batch=2)
    first = of_stage(ledger_db, made)[0]
    between = Between(wait=False)
    for _ in range(3):
        go_on(ledger_db, made, clock.now())
        worked(ledger_db, made, fake, clock, between)
    assert set(truth.accepted) <= first
    go_on(ledger_db, made, clock.now())
    worked(ledger_db, made, fake, clock)
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_a_part_belongs_to_the_stage_of_its_batch(ledger_db: Database, fake: Fake, clock: Clock) -> None:
    """A cut makes batches with higher numbers than those of later stages, which come after it all the same."""
    made = staged(ledger_db, fake)
    with ledger_db.write() as connection:
        claim = claims.take(connection, made.id, "me", clock.now(), desk.LEASE)
        assert claim is not None
        members = [who for who, *_ in claim.members]
        groups = (members[:2], members[2:])
        ledger.split(connection, claim.held, clock.now(), "too large", groups, expect="claimed")
        stages = connection.execute(select(batch.c.stage).where(batch.c.parent.is_not(None))).scalars().all()
        assert stages == [0, 0]
        for _ in range(2):
            taken = claims.take(connection, made.id, "me", clock.now(), desk.LEASE)
            assert taken is not None
            assert {who for who, *_ in taken.members} <= set(members)
        assert claims.take(connection, made.id, "me", clock.now(), desk.LEASE) is None


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (claims._DUE_FRESH, "ix_batch_send_state (send_id=? AND state=? AND stage<?)"),
        (claims._DUE_PART, "ix_batch_part_state (send_id=? AND state=? AND stage<?)"),
    ],
)
def test_looking_for_the_next_batch_reads_no_batch_in_vain(
    ledger_db: Database, fake: Fake, statement: Prepared, index: str
) -> None:
    """The index gives it in its own order: nothing is sorted, and where a stage has none left no row is read."""
    made = staged(ledger_db, fake, 40, batch=1)
    when = {"of_send": made.id, "stage": 0, "now": stored.stamp(NOW), "never": stored.stamp(NOW)}
    with ledger_db.read() as connection:
        sql, parts = statement._text(connection, tuple(when))
        values = tuple(when[part] if is_name else part for is_name, part in parts)
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]
        assert connection.execute(select(func.count()).select_from(send)).scalar_one() == 1
    assert plan == [f"SEARCH batch USING INDEX {index}"]
