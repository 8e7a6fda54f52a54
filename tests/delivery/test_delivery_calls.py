"""Calls that are cut, refused, slowed down or looked for: what becomes of everybody in them."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from delivery.checker import violations
from delivery.fakes_delivery import Fake, Truth
from delivery.helpers_delivery import LINKS, MASTHEAD, NOW, begin, edition, one_call, people, unsubscribe, work_on
from sqlalchemy import insert, select

from newsletter.delivery import desk, freeze, invariants, ledger, rate, summary, work
from newsletter.providers.base import Answer, Capabilities, Fault, NotSent, Payload, Refused, Sought, Unknown, Verdict
from newsletter.store import clock as stored
from newsletter.store.tables import batch, delivery, event
from newsletter.store.tables import rate as rates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from delivery.helpers_delivery import Clock

    from newsletter.providers.base import Letter, Message
    from newsletter.store.database import Database


class Picky(Fake):
    """Refuses a whole call for any of ``bad``, or for more than ``most`` people, and takes ``odd`` ones alone only."""

    def __init__(
        self,
        truth: Truth,
        clock: Clock,
        *,
        bad: Sequence[int] = (),
        odd: Sequence[int] = (),
        most: int = 1000,
        script: Sequence[Exception | Answer | None] = (),
        **can: Any,
    ) -> None:
        super().__init__(truth, "no keys", now=clock.now)
        base: dict[str, Any] = {
            "name": "fake",
            "real": False,
            "batch_max": 100,
            "batch_bytes": None,
            "personalisation": "joined",
        }
        self.capabilities = Capabilities(**({**base, "idempotent": False} | can))
        self._bad, self._odd, self._most = set(bad), set(odd), most
        self.script = list(script)
        self.asked: list[Sought] = []
        self.known: dict[str, Answer] = {}
        self.sizes: list[int] = []

    def shares(self, letter: Letter, message: Message) -> bool:
        """Whether the message may stand beside others."""
        del letter
        return message.person not in self._odd

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """Ask for calls of their own for odd people."""
        alone = [m.person for m in messages if m.person in self._odd]
        if alone and len(messages) > 1:
            rest = tuple(m.person for m in messages if m.person not in self._odd)
            return Payload("", None, 0, 0, (), (*((rest,) if rest else ()), *((person,) for person in alone)))
        made = super().prepare(letter, messages, batch)
        return Payload(made.sha, made.body, made.count, made.size)

    def submit(self, payload: Payload, key: str) -> Answer:
        """Do what the script says, refuse what cannot go together, and take the rest."""
        self.sizes.append(payload.count)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        if self._bad & set(payload.body) or payload.count > self._most:
            self.truth.calls += 1
            message = "400: one of the addresses is not valid"
            raise Refused(message, divisible=True)
        return step or super().submit(payload, key)

    def find(self, sought: Sought) -> Answer | None:
        """What it was told to know."""
        self.asked.append(sought)
        return self.known.get(sought.batch)


class Unwilling(Picky):
    """Accepts every call, and names all of its members as refused."""

    def submit(self, payload: Payload, key: str) -> Answer:
        """Refuse one by one."""
        del key
        return Answer(refused=tuple(Verdict(person, "no") for person in payload.body))


@pytest.fixture
def truth() -> Truth:
    """What was accepted."""
    return Truth()


def outcomes(database: Database, send_id: int) -> dict[int, str]:
    """What became of everybody."""
    with database.read() as connection:
        rows = connection.execute(
            select(delivery.c.person_id, delivery.c.outcome, batch.c.state)
            .join(batch, batch.c.id == delivery.c.batch_id)
            .where(delivery.c.send_id == send_id)
        ).all()
    return {row[0]: row[1] or row[2] for row in rows}


@pytest.mark.parametrize("bad", [(1,), (8,), (3, 4), (1, 5, 8), (1, 2, 3, 4)])
def test_one_bad_address_costs_nobody_else(ledger_db: Database, truth: Truth, clock: Clock, bad: Sequence[int]) -> None:
    """A call that is refused whole is cut until the culprit is alone."""
    people(ledger_db, 8)
    picky = Picky(truth, clock, bad=bad)
    made = begin(ledger_db, picky, batch=8)
    end = work_on(ledger_db, made, picky, clock)
    assert truth.accepted == Counter(set(range(1, 9)) - set(bad))
    assert {who for who, outcome in outcomes(ledger_db, made.id).items() if outcome == "refused"} == set(bad)
    assert (end.send.state, end.people["refused"]) == ("done", len(bad))
    assert violations(ledger_db, made.id, truth.accepted) == []
    with ledger_db.read() as connection:
        parents = connection.execute(select(batch.c.parent).where(batch.c.parent.is_not(None))).scalars().all()
        split = connection.execute(select(batch.c.id).where(batch.c.state == "split")).scalars().all()
        events = connection.execute(select(event.c.batch_id).where(event.c.to_state == "split")).scalars().all()
    assert set(parents) == set(split) == set(events)


def test_a_call_that_is_too_large_is_cut(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """413: halves, until they fit."""
    people(ledger_db, 20)
    picky = Picky(truth, clock, most=5)
    made = begin(ledger_db, picky, batch=20)
    work_on(ledger_db, made, picky, clock)
    assert truth.accepted == Counter(range(1, 21))
    assert sorted(picky.sizes) == [5, 5, 5, 5, 10, 10, 20]
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_people_who_cannot_share_get_calls_of_their_own(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Cut before anything was tried: no intent, no attempt, and the plan had counted the calls."""
    people(ledger_db, 9)
    picky = Picky(truth, clock, odd=(2, 7))
    made = begin(ledger_db, picky, batch=5)
    end = work_on(ledger_db, made, picky, clock)
    assert truth.accepted == Counter(range(1, 10))
    assert sorted(picky.sizes) == [1, 1, 3, 4]
    assert end.send.state == "done"
    assert violations(ledger_db, made.id, truth.accepted) == []
    with ledger_db.read() as connection:
        split = connection.execute(select(batch).where(batch.c.state == "split")).all()
    assert [(row.attempts, row.idem_key) for row in split] == [(0, None), (0, None)]


def test_whoever_left_meanwhile_stays_out_of_the_parts(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """The parts are claimed anew, and suppression is read again; who was skipped before is counted once."""
    people(ledger_db, 6)
    picky = Picky(truth, clock, odd=(2,))
    made = begin(ledger_db, picky, batch=6)
    unsubscribe(ledger_db, 5)
    job = desk.job(ledger_db, made.id, picky, LINKS, clock.tools())
    one_call(job)
    unsubscribe(ledger_db, 6)
    end = work_on(ledger_db, made, picky, clock)
    assert truth.accepted == Counter((1, 2, 3, 4))
    assert (end.people["skipped"], end.people["accepted"]) == (2, 4)
    assert violations(ledger_db, made.id, truth.accepted, (5, 6)) == []


def test_a_provider_that_refuses_everything_does_not_use_up_the_list(
    ledger_db: Database, truth: Truth, clock: Clock
) -> None:
    """After five refusals in a row the send is held with 78, and the others stay open."""
    people(ledger_db, 40)
    picky = Picky(truth, clock, most=0)
    made = begin(ledger_db, picky, batch=1)
    end = work_on(ledger_db, made, picky, clock)
    assert (end.people["refused"], end.people["open"]) == (5, 35)
    assert end.send.fault is Fault.CONFIG
    assert "call after call" in end.send.why
    assert summary.exit_code(end) == 78


def test_what_refuses_every_call_is_found_out_after_a_few(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """A thousand people in calls that are cut and cut: held after few of them, hardly anybody refused."""
    people(ledger_db, 3000)
    picky = Picky(truth, clock, most=0, batch_max=1000)
    made = begin(ledger_db, picky, batch=1000)
    end = work_on(ledger_db, made, picky, clock)
    assert (end.send.fault, "call after call" in end.send.why) == (Fault.CONFIG, True)
    assert len(picky.sizes) <= 30
    assert end.people["refused"] <= 5
    assert end.people["open"] >= 2995
    assert violations(ledger_db, made.id, truth.accepted, ended=False) == []


def test_calls_that_are_cut_are_not_cut_for_ever(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Also where the calls never come down to one person."""
    people(ledger_db, 300)
    picky = Picky(truth, clock, script=[Refused("400", divisible=True)] * 100, batch_max=1000)
    made = begin(ledger_db, picky, batch=10)
    streaks = desk.Streaks()
    job = desk.job(ledger_db, made.id, picky, LINKS, clock.tools())
    for _ in range(29):
        streaks.add_cut()
    one_call(job, streaks)
    with ledger_db.read() as connection:
        held = ledger.get(connection, made.id)
        cut = connection.execute(select(batch.c.id).where(batch.c.state == "split")).scalars().all()
    assert (held.state, held.fault, len(cut)) == ("paused", Fault.CONFIG, 1)


@pytest.mark.parametrize("bad", [1, 500, 501, 1000])
def test_one_bad_address_among_a_thousand_holds_nothing(
    ledger_db: Database, truth: Truth, clock: Clock, bad: int
) -> None:
    """It is alone after ten cuts, wherever it stands, and the others go."""
    people(ledger_db, 1000)
    picky = Picky(truth, clock, bad=(bad,), batch_max=1000)
    made = begin(ledger_db, picky, batch=1000)
    end = work_on(ledger_db, made, picky, clock)
    assert (end.send.state, end.people["refused"], end.people["accepted"]) == ("done", 1, 999)
    assert 19 <= len(picky.sizes) <= 21


def test_batches_go_in_their_order_until_one_is_cut(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Then its parts come first, and the others after them, in their order again."""
    people(ledger_db, 16)
    picky = Picky(truth, clock, bad=(6,))
    seen: list[tuple[int, ...]] = []
    whole = picky.submit

    def submit(payload: Payload, key: str) -> Answer:
        seen.append(payload.body)
        return whole(payload, key)

    picky.submit = submit  # type: ignore[method-assign]
    made = begin(ledger_db, picky, batch=4)
    work.walk(desk.job(ledger_db, made.id, picky, LINKS, clock.tools()), desk.Streaks())
    assert seen == [(1, 2, 3, 4), (5, 6, 7, 8), (7, 8), (5, 6), (6,), (5,), (9, 10, 11, 12), (13, 14, 15, 16)]


def test_answers_that_refuse_everybody_count_as_refusals(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Also where each member is named in an acceptance."""
    people(ledger_db, 20)
    unwilling = Unwilling(truth, clock)
    made = begin(ledger_db, unwilling, batch=2)
    end = work_on(ledger_db, made, unwilling, clock)
    assert (end.people["refused"], end.people["open"], end.send.fault) == (10, 10, Fault.CONFIG)


def test_those_held_back_wait_for_the_operator(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Whoever was accepted stays so, nobody is refused, the send is held; mended, the others get it."""
    people(ledger_db, 8)
    partly = Answer("ref", (Verdict(2, "no such mailbox"),), held_back=(Verdict(3, "not your sender"),))
    picky = Picky(truth, clock, script=[partly])
    made = begin(ledger_db, picky, batch=4)
    end = work_on(ledger_db, made, picky, clock)
    people_now = {name: count for name, count in end.people.items() if count}
    assert people_now == {"accepted": 2, "refused": 1, "open": 5}
    assert (end.send.fault, end.send.why, summary.exit_code(end)) == (Fault.CONFIG, "not your sender", 78)
    with ledger_db.read() as connection:
        assert list(invariants.flaws(connection)) == []
    truth.accepted.update((1, 4))
    end = work_on(ledger_db, made, picky, clock)
    assert (end.send.state, end.people["accepted"], end.people["refused"]) == ("done", 7, 1)
    assert violations(ledger_db, made.id, truth.accepted) == []


def test_whoever_is_held_back_in_doubt_stays_in_doubt(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """An earlier try may have been accepted."""
    people(ledger_db, 4)
    partly = Answer("ref", held_back=(Verdict(3, "not your sender"),))
    picky = Picky(truth, clock, script=[Unknown("time-out"), partly], idempotent=True)
    made = begin(ledger_db, picky, batch=4)
    end = work_on(ledger_db, made, picky, clock)
    assert (end.people["in_doubt"], end.people["accepted"], end.batches) == (1, 3, {"accepted": 1})


def test_doubt_is_never_cut(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """After an unknown answer a refusal of the replay leaves everybody in doubt."""
    people(ledger_db, 4)
    lost, said = Unknown("time-out"), Refused("400", divisible=True)
    picky = Picky(truth, clock, script=[lost, said], idempotent=True)
    made = begin(ledger_db, picky, batch=4)
    end = work_on(ledger_db, made, picky, clock)
    assert (end.people["in_doubt"], picky.sizes) == (4, [4, 4])


def test_a_final_unknown_is_doubt_at_once(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """The same key with the same bytes would only be refused again."""
    people(ledger_db, 8)
    picky = Picky(truth, clock, script=[Unknown("409", final=True)], idempotent=True)
    made = begin(ledger_db, picky, batch=4)
    end = work_on(ledger_db, made, picky, clock)
    assert (end.people["in_doubt"], end.people["accepted"], picky.sizes) == (4, 4, [4, 4])


def test_a_quota_says_when_it_may_go_on(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Paused with 75, nobody refused, and the time in the reason."""
    people(ledger_db, 4)
    picky = Picky(truth, clock, script=[NotSent("402: quota used up", retry_after=7200, fault=Fault.LATER)])
    made = begin(ledger_db, picky, batch=4)
    end = work_on(ledger_db, made, picky, clock)
    assert (end.people["open"], summary.exit_code(end)) == (4, 75)
    assert "402: quota used up; it may go on at 2026-11-23 10:00 UTC" in end.send.why
    again = work_on(ledger_db, made, picky, clock)
    assert again.send.state == "done"


def test_a_long_retry_after_pauses(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Nobody waits an hour before a terminal; the operator is told."""
    people(ledger_db, 4)
    picky = Picky(truth, clock, script=[NotSent("429", retry_after=3600)])
    made = begin(ledger_db, picky, batch=4)
    end = work_on(ledger_db, made, picky, clock)
    assert summary.exit_code(end) == 75
    assert "it may go on at 2026-11-23 09:00 UTC" in end.send.why


# -- rate -------------------------------------------------------------------------------


def slots(database: Database, at: dt.datetime, count: int, per_second: float | None) -> list[float]:
    """Book slots at one moment."""
    with database.write() as connection:
        return [
            round(rate.slot(connection, "acc", per_second and per_second / rate.WITHIN, at), 6) for _ in range(count)
        ]


def test_an_account_without_a_limit_is_not_slowed(ledger_db: Database) -> None:
    """And no row is written for it."""
    assert slots(ledger_db, NOW, 3, None) == [0.0, 0.0, 0.0]
    with ledger_db.read() as connection:
        assert connection.execute(select(rates.c.account)).first() is None


def test_a_limit_that_nobody_named_is_learned(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """After a 429 all wait as long as named, then go at four fifths of the rate that was too fast."""
    people(ledger_db, 1)
    made = begin(ledger_db, Picky(truth, clock), batch=1)
    with ledger_db.write() as connection:
        which = connection.execute(select(batch.c.id).where(batch.c.send_id == made.id)).scalar_one()
        for tenth in range(20):  # ten calls a second for two seconds
            at = stored.stamp(NOW - dt.timedelta(seconds=2) + dt.timedelta(seconds=tenth / 10))
            row = {"batch_id": which, "at": at, "from_state": "claimed", "to_state": "sending", "fence": 1}
            connection.execute(insert(event).values(**row))
        rate.slow_down(connection, "acc", NOW, 5)
    assert slots(ledger_db, NOW, 2, None) == [5.0, 5.125]


def test_one_burst_of_429_lowers_the_rate_once(ledger_db: Database) -> None:
    """Four workers hit the limit at the same moment."""
    slots(ledger_db, NOW, 1, 10.0)
    with ledger_db.write() as connection:
        for _ in range(4):
            rate.slow_down(connection, "acc", NOW, 4)
        assert connection.execute(select(rates.c.per_second)).scalar_one() == pytest.approx(8.0)


def test_a_lowered_rate_recovers_slowly_and_never_beyond_the_limit(ledger_db: Database) -> None:
    """Each call gains a little of it back."""
    slots(ledger_db, NOW, 1, 10.0)
    with ledger_db.write() as connection:
        rate.slow_down(connection, "acc", NOW, 1)
    at = NOW
    for _ in range(200):
        at += dt.timedelta(seconds=1)
        slots(ledger_db, at, 1, 10.0)
    with ledger_db.read() as connection:
        assert connection.execute(select(rates.c.per_second)).scalar_one() == pytest.approx(10.0)


def test_an_idle_account_starts_afresh(ledger_db: Database) -> None:
    """What was too fast for the last issue need not be for the next."""
    slots(ledger_db, NOW, 1, 10.0)
    with ledger_db.write() as connection:
        rate.slow_down(connection, "acc", NOW, 1)
    later = NOW + dt.timedelta(hours=1)
    assert slots(ledger_db, later, 3, 10.0) == [0.0, 0.1, 0.2]
    assert slots(ledger_db, later + dt.timedelta(hours=1), 2, None) == [0.0, 0.0]


def test_a_provider_that_wants_a_pause_gets_it(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """``ratelimit-remaining: 0`` holds the next call, for every process, without going slower."""
    people(ledger_db, 8)
    waiting = Answer(wait=30.0)
    picky = Picky(truth, clock, script=[waiting], per_second=10.0)
    made = begin(ledger_db, picky, batch=4)
    before = clock.at
    end = work_on(ledger_db, made, picky, clock)
    assert end.send.state == "done"
    assert (clock.at - before).total_seconds() >= 30
    with ledger_db.read() as connection:
        assert connection.execute(select(rates.c.per_second)).scalar_one() == pytest.approx(10.0 * rate.WITHIN)


# -- ids, search, old content -------------------------------------------------------------


def test_the_providers_ids_are_kept_for_each_person(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """For the receipt, and for events that name them."""
    people(ledger_db, 3)
    given = Answer("ref-1", ids=((1, "a"), (2, "b")))
    picky = Picky(truth, clock, script=[given])
    made = begin(ledger_db, picky, batch=3)
    work_on(ledger_db, made, picky, clock)
    with ledger_db.read() as connection:
        ids, ref = connection.execute(select(batch.c.provider_ids, batch.c.provider_ref)).one()
    assert (json.loads(ids), ref) == ({"1": "a", "2": "b"}, "ref-1")


def searchable(truth: Truth, clock: Clock, *script: Exception) -> Picky:
    """A provider without keys that can be searched."""
    return Picky(truth, clock, script=script, settling="search")


def test_doubt_that_the_provider_can_end_is_ended_by_the_next_run(
    ledger_db: Database, truth: Truth, clock: Clock
) -> None:
    """It is asked for its own id of the batch, by some of the people, from the first attempt on."""
    people(ledger_db, 8)
    picky = searchable(truth, clock, Unknown("time-out"))
    made = begin(ledger_db, picky, batch=4)
    end = work_on(ledger_db, made, picky, clock)
    assert (end.people["in_doubt"], end.people["accepted"]) == (4, 4)
    again = work_on(ledger_db, made, picky, clock)
    assert again.people["in_doubt"] == 4
    (sought,) = picky.asked
    assert sought.to == ("p0@example.com", "p1@example.com", "p2@example.com")
    assert NOW <= sought.since <= clock.at
    picky.known[sought.batch] = Answer("<found@example.org>")
    last = work_on(ledger_db, made, picky, clock)
    assert (last.send.state, last.people["accepted"]) == ("done", 8)
    with ledger_db.read() as connection:
        arrows = connection.execute(select(event.c.from_state, event.c.detail).order_by(event.c.id.desc())).first()
    assert arrows == ("in_doubt", "the provider has it")


def test_a_search_that_fails_changes_nothing(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """The provider cannot be asked now; the send goes on, the doubt stays."""
    people(ledger_db, 4)
    picky = searchable(truth, clock, Unknown("time-out"))
    made = begin(ledger_db, picky, batch=4)
    work_on(ledger_db, made, picky, clock)

    def fail(sought: Sought) -> Answer | None:
        del sought
        message = "down"
        raise NotSent(message)

    picky.find = fail  # type: ignore[method-assign]
    end = work_on(ledger_db, made, picky, clock)
    assert end.people["in_doubt"] == 4
    assert summary.exit_code(end) == 3


@pytest.mark.parametrize("error", [Unknown("time-out"), NotSent("429", retry_after=5.0), Refused("400")])
def test_a_search_that_fails_once_leaves_no_other_batch_unasked(
    ledger_db: Database, truth: Truth, clock: Clock, error: Exception
) -> None:
    """What passes is asked once more after the others; a named time is waited for."""
    people(ledger_db, 8)
    picky = searchable(truth, clock, Unknown("time-out"), Unknown("time-out"))
    made = begin(ledger_db, picky, batch=4)
    work_on(ledger_db, made, picky, clock)
    first, asked, whole = [error], [], picky.find

    def find(sought: Sought) -> Answer | None:
        asked.append(sought.batch)
        if first:
            raise first.pop()
        picky.known[sought.batch] = Answer("<found@example.org>")
        return whole(sought)

    picky.find = find  # type: ignore[method-assign]
    before = clock.at
    end = work_on(ledger_db, made, picky, clock)
    passes = not isinstance(error, Refused)
    assert end.people["accepted"] == (8 if passes else 4)
    assert (len(asked), len(set(asked))) == (3 if passes else 2, 2)
    assert (clock.at - before >= dt.timedelta(seconds=5)) == isinstance(error, NotSent)


def test_content_frozen_by_an_older_version_is_read() -> None:
    """It lacks the newer headers, and that is all that differs."""
    frozen = freeze.of_edition(edition(), MASTHEAD)
    newer = {"unsubscribe_email", "feedback_id"}
    old = {key: value for key, value in json.loads(freeze.freeze(frozen)).items() if key not in newer}
    back = freeze.thaw(json.dumps(old | {"version": 1}).encode())
    assert freeze.changes(back, frozen) == ("unsubscribe_email",)
