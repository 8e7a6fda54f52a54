"""The pulse of a send: kinds of faults, pace, time left, owners, and that none of it reads a million rows."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
from delivery.fakes_delivery import Fake, Truth
from delivery.helpers_delivery import NOW, Clock, begin, edition, people, work_on
from sqlalchemy import event as happening
from sqlalchemy import insert

from newsletter.delivery import claims, control, ledger, owners, pulse, summary, turns
from newsletter.delivery.desk import LEASE
from newsletter.delivery.ledger import Intent
from newsletter.delivery.pulse import Waits
from newsletter.delivery.terms import Terms
from newsletter.providers.base import Answer, Verdict
from newsletter.store.tables import rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from newsletter.delivery.claims import Claim
    from newsletter.delivery.ledger import Send
    from newsletter.delivery.pulse import Pulse
    from newsletter.store.database import Database


@pytest.fixture
def made(ledger_db: Database) -> Send:
    """Twelve people in batches of two, nothing sent yet."""
    people(ledger_db, 12)
    return begin(ledger_db, Fake(Truth(), "no keys", now=lambda: NOW), batch=2)


def feel(database: Database, made: Send, now: dt.datetime = NOW) -> Pulse:
    """The pulse at a time."""
    with database.read() as connection:
        send = ledger.get(connection, made.id)
        return pulse.take(connection, database.path.parent / "locks", send, now)


def call(database: Database, made: Send, at: dt.datetime, owner: str = "somebody") -> Claim:
    """Take the next batch up to its intent."""
    with database.write() as connection:
        claim = claims.take(connection, made.id, owner, at, LEASE)
        assert claim is not None
        intent = Intent(f"key-{claim.held.batch}", "sha", None, at + LEASE)
        ledger.intend(connection, claim.held, at, intent, ())
    return claim


def answer(database: Database, claim: Claim, at: dt.datetime, arrow: Any, *how: Any) -> None:
    """Record what became of a call."""
    with database.write() as connection:
        arrow(connection, claim.held, at, *how)


def seconds(number: float) -> dt.datetime:
    """So long after the beginning."""
    return NOW + dt.timedelta(seconds=number)


# -- faults ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        ("Mailgun answered 429: slow down, try again after 12 seconds", "429"),
        ("Resend answered 503", "503"),
        ("something before Mailgun answered 403 with a web page: a firewall or a proxy", "403"),
        ("Mailgun answered 200, and that answer cannot be read", "answer not readable"),
        ("the answer of api.mailgun.net cannot be read", "answer not readable"),
        ("api.mailgun.net cannot be reached: Connection refused", "not reached"),
        ("the connection to api.mailgun.net broke before its answer: timed out", "answer lost"),
        ("api.resend.com did not end the call within 60 s", "answer lost"),
        ("its process is gone", "process died"),
        ("its lease has ended", "process fell silent"),
        ("127.0.0.1:8025 cannot be reached: Connection refused", "not reached"),
        ("Resend answered for 2 of 3 messages", "answer not readable"),
        ("this is Mailgun's address, but not its API for sending: is base_url right?", "not the API"),
        ("the provider may have forgotten its key", "key too old"),
        ("outbox/x: cannot be written: No space left on device", "disk"),
        ("something that nobody thought of", "other"),
    ],
)
def test_a_reason_has_a_kind(why: str, kind: str) -> None:
    """A number that the provider names otherwise makes no new one."""
    assert pulse.kind(why) == kind


def test_faults_are_counted_from_the_events(ledger_db: Database, made: Send) -> None:
    """By kind, the most frequent first, with how many are recent and when the last was; what is no fault is not."""
    slow = "Mailgun answered 429: try again after {} seconds"
    for at, wait in ((0, 3), (50, 7)):
        claim = call(ledger_db, made, seconds(at))
        answer(ledger_db, claim, seconds(at), ledger.put_back, slow.format(wait), None)
    stopped = call(ledger_db, made, seconds(60))
    answer(ledger_db, stopped, seconds(60), ledger.put_back, "stopped", None)
    lost = call(ledger_db, made, seconds(70))
    answer(ledger_db, lost, seconds(71), ledger.doubt, "its process is gone")
    now = feel(ledger_db, made, seconds(80))
    assert [(each.kind, each.calls, each.recent, each.last_at) for each in now.troubles] == [
        ("429", 2, 1, seconds(50)),
        ("process died", 1, 1, seconds(71)),
    ]
    assert now.last_answer == seconds(50)


def test_an_event_of_another_send_is_not_counted(ledger_db: Database, made: Send) -> None:
    """Each send has its own."""
    elsewhere = edition(issue_id="other-0001", slug="2026-11-24-other")
    other = begin(ledger_db, Fake(Truth(), now=lambda: NOW), made=elsewhere)
    answer(ledger_db, call(ledger_db, other, NOW), NOW, ledger.put_back, "Mailgun answered 429", None)
    assert [each.kind for each in feel(ledger_db, other).troubles] == ["429"]
    assert feel(ledger_db, made).troubles == ()


def test_a_connection_that_is_refused_is_no_answer(ledger_db: Database, made: Send) -> None:
    """Whatever the address of whoever did not answer begins with."""
    why = "127.0.0.1:8025 cannot be reached: Connection refused"
    answer(ledger_db, call(ledger_db, made, NOW), NOW, ledger.put_back, why, None)
    assert feel(ledger_db, made).last_answer is None


def test_a_few_of_each_outcome_are_named(ledger_db: Database, made: Send) -> None:
    """Two batches in doubt do not hide the one person who was refused, who comes last."""
    for at in range(2):
        answer(ledger_db, call(ledger_db, made, seconds(at)), seconds(at), ledger.doubt, "no answer")
    refused = Answer(refused=(Verdict(6, "no such mailbox"),))
    answer(ledger_db, call(ledger_db, made, seconds(2)), seconds(2), ledger.accept, refused)
    with ledger_db.read() as connection:
        examples = summary.status(connection, made.id).examples
    assert [outcome for _, outcome, _ in examples] == [*["in_doubt"] * 4, "refused"]


# -- pace and time left ---------------------------------------------------------------


@pytest.fixture
def at_work(ledger_db: Database, made: Send) -> Iterator[str]:
    """A process at work on the send: its name as an owner."""
    name = owners.name(made.id, "busy")
    with owners.alive(ledger_db.path.parent / "locks", name):
        yield name


@pytest.mark.usefixtures("at_work")
def test_the_present_pace_forgets_what_is_past(ledger_db: Database, made: Send) -> None:
    """Two people a second at first, then one batch in the last minute: from its intent on."""
    for at in range(3):
        answer(ledger_db, call(ledger_db, made, seconds(at)), seconds(at + 1), ledger.accept, Answer())
    assert feel(ledger_db, made, seconds(3)).recent == pytest.approx(2.0)
    answer(ledger_db, call(ledger_db, made, seconds(190)), seconds(199), ledger.accept, Answer())
    now = feel(ledger_db, made, seconds(200))
    assert now.recent == pytest.approx(0.2)
    assert now.left == pytest.approx(4 / 0.2)
    silent = feel(ledger_db, made, seconds(2000))
    assert (silent.recent, silent.left) == (0.0, None)


def test_nobody_at_work_has_no_pace(ledger_db: Database, made: Send) -> None:
    """What is left takes for ever, however fast it went when the last process ended."""
    answer(ledger_db, call(ledger_db, made, NOW), seconds(1), ledger.accept, Answer())
    now = feel(ledger_db, made, seconds(2))
    assert (now.recent, now.left) == (None, None)


def test_between_two_stages_there_is_no_pace(ledger_db: Database) -> None:
    """A process waits, and nothing shall move: that is no slowness."""
    people(ledger_db, 12)
    fake = Fake(Truth(), now=lambda: NOW)
    made = begin(ledger_db, fake, batch=1, terms=Terms("", ("10%", "100%"), 1800))
    with owners.alive(ledger_db.path.parent / "locks", owners.name(made.id, "busy")):
        for at in range(2):
            assert feel(ledger_db, made, seconds(2 * at)).recent is not None
            answer(ledger_db, call(ledger_db, made, seconds(2 * at)), seconds(2 * at + 1), ledger.accept, Answer())
        assert feel(ledger_db, made, seconds(4)).recent is None


@pytest.mark.parametrize(("ahead", "free"), [(1.0, None), (1.4, None), (10.0, 9.0)])
def test_slots_that_are_booked_are_no_pause(ledger_db: Database, made: Send, ahead: float, free: float | None) -> None:
    """Two calls a second, and two batches that wait for their slot: only what lies beyond is one."""
    with ledger_db.write() as connection:
        for _ in range(2):
            claims.take(connection, made.id, "somebody", NOW, LEASE)
        tat = NOW.timestamp() + ahead
        connection.execute(insert(rate).values(account=made.account, tat=tat, per_second=2.0))
    assert feel(ledger_db, made).account_free_at == (free and seconds(free))


@pytest.mark.parametrize(
    ("recent", "per_second", "held", "left"),
    [
        (10.0, None, 0.0, 100.0),
        (10.0, 2.0, 0.0, 100.0),
        (1000.0, 2.0, 0.0, 50.0),
        (1000.0, 2.0, 30.0, 80.0),
        (0.0, 2.0, 30.0, 80.0),
        (0.0, 2.0, 0.0, None),
        (0.0, None, 0.0, None),
        (None, 2.0, 0.0, None),
    ],
)
def test_the_longer_of_pace_and_limit_is_what_is_left(
    recent: float | None, per_second: float | None, held: float, left: float | None
) -> None:
    """After the pause that the account makes; nothing is promised where nothing moves."""
    assert pulse.time_left(Waits(1000, 100, 0, 0, None), recent, per_second, held) == left


def test_nothing_is_left_where_nothing_is_open() -> None:
    """However fast it is."""
    assert pulse.time_left(Waits(0, 0, 0, 0, None), 10.0, 2.0, 0.0) is None


# -- owners ---------------------------------------------------------------------------


def test_owners_are_told_by_their_locks(ledger_db: Database, made: Send) -> None:
    """Living with and without a batch, dead with one; those of other sends are not its own."""
    locks = ledger_db.path.parent / "locks"
    busy, idle = owners.name(made.id, "busy"), owners.name(made.id, "idle")
    dead, other = owners.name(made.id, "dead"), owners.name(made.id + 10, "other")
    with owners.alive(locks, dead):
        call(ledger_db, made, NOW, dead)
    with owners.alive(locks, busy), owners.alive(locks, idle), owners.alive(locks, other):
        call(ledger_db, made, NOW, busy)
        found = {each.owner: (each.alive, each.batches) for each in feel(ledger_db, made).workers}
        assert {each.pid for each in feel(ledger_db, made).workers} == {owners.pid(busy)}
    assert found == {busy: (True, 1), idle: (True, 0), dead: (False, 1)}
    assert owners.pid("named-otherwise") is None


# -- turns ----------------------------------------------------------------------------


def test_every_turn_of_a_send_is_written_down_in_order(ledger_db: Database, made: Send) -> None:
    """With who and why; what changes nothing leaves none."""
    with ledger_db.write() as connection:
        control.pause(connection, made.id, "a wrong date", at=seconds(1), by="ada")
        assert not control.pause(connection, made.id, "again", at=seconds(2))
        control.resume(connection, made.id, seconds(3), by="bob")
        for at in range(4, 14):
            control.cancel(connection, made.id, seconds(at))
            control.resume(connection, made.id, seconds(at))
        found = turns.of(connection, made.id)
    assert len(found) == 22
    assert found[0] == (seconds(1), "running", "paused", "ada", "a wrong date")
    assert found[1] == (seconds(3), "paused", "running", "bob", "")
    assert [turn.at for turn in found] == sorted(turn.at for turn in found)


def test_the_turns_of_send_1_are_not_those_of_send_10(ledger_db: Database, made: Send) -> None:
    """The number is taken whole."""
    turn = turns.Turn(NOW, "running", "paused", "", "")
    with ledger_db.write() as connection:
        for number in (made.id, made.id * 10, made.id * 10 + 9):
            turns.add(connection, number, turn)
        assert turns.of(connection, made.id) == (turn,)


# -- what it costs --------------------------------------------------------------------


def test_no_question_of_the_status_reads_every_recipient(ledger_db: Database, clock: Clock) -> None:
    """Exceptions are found by their index: of a million recipients, nobody else is looked at."""
    people(ledger_db, 8)
    fake = Fake(Truth(), now=clock.now)
    made = begin(ledger_db, fake, batch=4)
    work_on(ledger_db, made, fake, clock)
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    happening.listen(ledger_db._engine, "before_cursor_execute", note)
    with ledger_db.read() as connection:
        summary.status(connection, made.id)
        counted = len(asked)
        pulse.take(connection, ledger_db.path.parent / "locks", made, clock.now())
    happening.remove(ledger_db._engine, "before_cursor_execute", note)
    assert len(asked) > counted > 0
    seen: list[str] = []
    with ledger_db.read() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            seen += [row[3] for row in plan if _reads_recipients(row[3])]
    assert seen
    assert all("ix_delivery_outcome" in step or "ix_delivery_batch_id (batch_id=?" in step for step in seen), seen


def _reads_recipients(step: str) -> bool:
    return re.match(r"(?:SEARCH|SCAN) delivery\b", step) is not None
