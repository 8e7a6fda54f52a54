"""Every arrow in the life of a batch: when it may be walked, what it writes, what it refuses."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from delivery.fakes_delivery import LIFETIME, Fake, Truth
from delivery.helpers_delivery import NOW, Clock, begin, people, unsubscribe
from sqlalchemy import select, update

from newsletter.delivery import claims, control, invariants, ledger, orphans, summary
from newsletter.delivery.ledger import Intent, Lost
from newsletter.providers.base import Answer, Fault, Verdict
from newsletter.store import clock as times
from newsletter.store.tables import batch, delivery, event, send

if TYPE_CHECKING:
    from newsletter.delivery.claims import Claim
    from newsletter.delivery.ledger import Send
    from newsletter.store.database import Database

LEASE = dt.timedelta(minutes=5)


@pytest.fixture
def made(ledger_db: Database, clock: Clock) -> Send:
    """A send to four people in two batches."""
    people(ledger_db, 4)
    return begin(ledger_db, Fake(Truth(), now=clock.now), batch=2)


def claim(database: Database, made: Send, *, at: dt.datetime = NOW, owner: str = "me") -> Claim:
    """Take the next batch in hand."""
    with database.write() as connection:
        taken = claims.take(connection, made.id, owner, at, LEASE)
    assert taken is not None
    return taken


def intend(database: Database, taken: Claim, *, at: dt.datetime = NOW, expires: dt.datetime | None = None) -> None:
    """Commit the intent."""
    with database.write() as connection:
        ledger.intend(connection, taken.held, at, Intent(f"key-{taken.held.batch}", "sha", expires, at + LEASE), ())


def walk(database: Database, arrow: Any, *arguments: Any) -> None:
    """Walk one arrow in a transaction of its own."""
    with database.write() as connection:
        arrow(connection, *arguments)


def found(database: Database, taken: Claim) -> Any:
    """The batch's row."""
    with database.read() as connection:
        return connection.execute(select(batch).where(batch.c.id == taken.held.batch)).one()


def outcomes(database: Database, taken: Claim) -> dict[int, str | None]:
    """What is written for each member."""
    with database.read() as connection:
        rows = connection.execute(select(delivery).where(delivery.c.batch_id == taken.held.batch))
        return {row.person_id: row.outcome for row in rows}


def last_event(database: Database) -> tuple[str, str, int]:
    """The latest transition on record."""
    with database.read() as connection:
        row = connection.execute(select(event).order_by(event.c.id.desc()).limit(1)).one()
        return row.from_state, row.to_state, row.fence


def test_a_claim_names_its_owner_and_raises_the_fence(ledger_db: Database, made: Send) -> None:
    """From pending to claimed, with owner, lease and the frozen members."""
    taken = claim(ledger_db, made)
    row = found(ledger_db, taken)
    assert (row.state, row.owner, row.fence, row.attempts) == ("claimed", "me", 1, 0)
    assert row.lease_until == times.stamp(NOW + LEASE)
    assert [member[1] for member in taken.members] == ["p0@example.com", "p1@example.com"]
    assert last_event(ledger_db) == ("pending", "claimed", 1)


def test_two_claims_never_take_the_same_batch(ledger_db: Database, made: Send) -> None:
    """The second claim takes the second batch, the third finds none."""
    assert claim(ledger_db, made).held.batch != claim(ledger_db, made, owner="you").held.batch
    with ledger_db.write() as connection:
        assert claims.take(connection, made.id, "they", NOW, LEASE) is None


@pytest.mark.parametrize("state", ["paused", "cancelled", "done"])
def test_nothing_is_claimed_from_a_send_that_does_not_run(ledger_db: Database, made: Send, state: str) -> None:
    """Only a running send hands out batches."""
    with ledger_db.write() as connection:
        connection.execute(update(send).values(state=state))
        assert claims.take(connection, made.id, "me", NOW, LEASE) is None


def test_who_left_since_the_send_began_is_skipped_at_the_claim(ledger_db: Database, made: Send) -> None:
    """Suppression is read again in the claim; the rest of the batch goes."""
    unsubscribe(ledger_db, 1)
    taken = claim(ledger_db, made)
    assert [member[0] for member in taken.members] == [2]
    assert outcomes(ledger_db, taken) == {1: "skipped", 2: None}


def test_a_batch_that_everyone_left_is_skipped_whole(ledger_db: Database, made: Send) -> None:
    """Nobody is left in the first batch, so the claim takes the second."""
    unsubscribe(ledger_db, 1, 2)
    taken = claim(ledger_db, made)
    assert [member[0] for member in taken.members] == [3, 4]
    with ledger_db.read() as connection:
        states = connection.execute(select(batch.c.state).order_by(batch.c.id)).scalars().all()
    assert states == ["skipped", "claimed"]


def test_the_intent_freezes_key_hash_and_expiry(ledger_db: Database, made: Send) -> None:
    """From claimed to sending: everything that a second attempt must repeat is on record."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken, expires=NOW + LIFETIME)
    row = found(ledger_db, taken)
    assert (row.state, row.attempts, row.idem_key, row.payload_sha) == ("sending", 1, f"key-{row.id}", "sha")
    assert (row.first_sent_at, row.key_expires_at) == (times.stamp(NOW), times.stamp(NOW + LIFETIME))


def test_an_intent_by_somebody_who_lost_the_batch_changes_nothing(ledger_db: Database, made: Send) -> None:
    """The fence guards: a claim that was taken over cannot go on."""
    old = claim(ledger_db, made)
    walk(ledger_db, ledger.release, old.held, NOW, "given back")
    new = claim(ledger_db, made, owner="you")
    assert new.held.batch == old.held.batch
    with pytest.raises(Lost):
        intend(ledger_db, old)
    assert found(ledger_db, new).state == "claimed"


def test_an_intent_after_a_cancellation_changes_nothing(ledger_db: Database, made: Send) -> None:
    """Another process's cancel takes the batch out of the claimer's hands."""
    taken = claim(ledger_db, made)
    with ledger_db.write() as connection:
        assert control.cancel(connection, made.id, NOW)
    with pytest.raises(Lost):
        intend(ledger_db, taken)
    assert found(ledger_db, taken).state == "cancelled"


def test_an_acceptance_writes_exceptions_only(ledger_db: Database, made: Send) -> None:
    """The batch is accepted; only the refused member has a line of its own."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken)
    answer = Answer("ref-1", (Verdict(2, "no such mailbox"),), ((1, "id-1"),))
    walk(ledger_db, ledger.accept, taken.held, NOW, answer)
    row = found(ledger_db, taken)
    assert (row.state, row.provider_ref, row.owner) == ("accepted", "ref-1", None)
    assert outcomes(ledger_db, taken) == {1: None, 2: "refused"}
    with ledger_db.read() as connection:
        given = connection.execute(select(batch.c.provider_ids).where(batch.c.id == taken.held.batch)).scalar_one()
    assert json.loads(given) == {"1": "id-1"}


def test_a_refused_batch_is_refused(ledger_db: Database, made: Send) -> None:
    """A verdict on the content ends the batch."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken)
    walk(ledger_db, ledger.refuse, taken.held, NOW, "spam")
    assert (found(ledger_db, taken).state, found(ledger_db, taken).error) == ("refused", "spam")


def test_what_was_surely_not_accepted_starts_anew(ledger_db: Database, made: Send) -> None:
    """Key, hash and expiry are cleared, and the next claim reads suppression again."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken, expires=NOW + LIFETIME)
    later = NOW + dt.timedelta(seconds=30)
    walk(ledger_db, ledger.put_back, taken.held, NOW, "429", later)
    row = found(ledger_db, taken)
    assert (row.state, row.idem_key, row.payload_sha, row.key_expires_at, row.doubt) == (
        "pending",
        None,
        None,
        None,
        False,
    )
    assert claim(ledger_db, made).held.batch != taken.held.batch
    unsubscribe(ledger_db, 1)
    again = claim(ledger_db, made, at=later)
    assert again.held.batch == taken.held.batch
    assert again.key is None
    assert [member[0] for member in again.members] == [2]


def test_an_unknown_answer_is_asked_again_with_the_same_key_and_members(ledger_db: Database, made: Send) -> None:
    """Who leaves after the first attempt stays a member: the bytes must be the same."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken)
    walk(ledger_db, ledger.unknown, taken.held, NOW, "time-out", None)
    unsubscribe(ledger_db, 1)
    again = claim(ledger_db, made)
    assert (again.held.batch, again.key, again.payload_sha) == (taken.held.batch, f"key-{taken.held.batch}", "sha")
    assert again.members == taken.members
    assert again.held.doubt
    assert found(ledger_db, again).attempts == 2


def test_doubt_is_sticky(ledger_db: Database, made: Send) -> None:
    """After an unknown answer neither a refusal nor “not sent” undoes the doubt."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken)
    walk(ledger_db, ledger.unknown, taken.held, NOW, "time-out", None)
    again = claim(ledger_db, made)
    walk(ledger_db, ledger.put_back, again.held, NOW, "429", None)
    assert (found(ledger_db, taken).state, found(ledger_db, taken).idem_key) == ("sending", f"key-{taken.held.batch}")
    third = claim(ledger_db, made)
    walk(ledger_db, ledger.refuse, third.held, NOW, "no")
    assert found(ledger_db, taken).state == "in_doubt"


def test_a_refusal_within_a_doubtful_batch_is_doubt(ledger_db: Database, made: Send) -> None:
    """The first attempt may have reached the one whom the second refuses."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken)
    walk(ledger_db, ledger.unknown, taken.held, NOW, "time-out", None)
    again = claim(ledger_db, made)
    walk(ledger_db, ledger.accept, again.held, NOW, Answer(refused=(Verdict(1, "no"),)))
    assert outcomes(ledger_db, again) == {1: "in_doubt", 2: None}


def test_a_late_answer_with_the_same_fence_settles_the_doubt(ledger_db: Database, made: Send) -> None:
    """The one who was thought dead comes back with an acceptance."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken)
    walk(ledger_db, ledger.doubt, taken.held, NOW, "its process is gone")
    walk(ledger_db, ledger.accept, taken.held, NOW, Answer())
    assert found(ledger_db, taken).state == "accepted"


def test_a_late_not_sent_cannot_undo_a_doubt(ledger_db: Database, made: Send) -> None:
    """Who does not know of the doubt may not send the batch back."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken)
    with ledger_db.write() as connection:
        orphans.recover(connection, made.id, {"me"}, NOW, idempotent=True)
    with pytest.raises(Lost):
        walk(ledger_db, ledger.put_back, taken.held, NOW, "429", None)
    assert found(ledger_db, taken).state == "sending"


def test_an_answer_with_an_old_fence_changes_nothing(ledger_db: Database, made: Send) -> None:
    """Once another process has taken the batch over, only its word counts."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken)
    walk(ledger_db, ledger.unknown, taken.held, NOW, "time-out", None)
    claim(ledger_db, made, owner="you")
    with pytest.raises(Lost):
        walk(ledger_db, ledger.accept, taken.held, NOW, Answer())


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (NOW + dt.timedelta(minutes=10), "sending"),
        (NOW + LIFETIME, "in_doubt"),
        (NOW + LIFETIME - LEASE, "in_doubt"),
        (NOW - dt.timedelta(hours=1), "in_doubt"),
    ],
)
def test_a_key_is_used_only_while_it_is_surely_remembered(
    ledger_db: Database, made: Send, at: dt.datetime, state: str
) -> None:
    """Past its time, or when the clock went back, the batch is in doubt."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken, expires=NOW + LIFETIME)
    walk(ledger_db, ledger.unknown, taken.held, NOW, "time-out", None)
    claim(ledger_db, made, at=at)
    assert found(ledger_db, taken).state == state


def test_a_clock_that_went_back_does_not_make_a_key_young(ledger_db: Database, made: Send) -> None:
    """An intent by a clock that was a day ahead cannot be trusted once an earlier event follows."""
    ahead = NOW + dt.timedelta(hours=25)
    taken = claim(ledger_db, made, at=ahead)
    intend(ledger_db, taken, at=ahead, expires=ahead + LIFETIME)
    walk(ledger_db, ledger.unknown, taken.held, NOW, "time-out", None)
    claim(ledger_db, made, at=ahead + dt.timedelta(minutes=1))
    assert found(ledger_db, taken).state == "in_doubt"


@pytest.mark.parametrize(("idempotent", "state"), [(True, "sending"), (False, "in_doubt")])
def test_what_the_dead_were_sending_is_doubtful(
    ledger_db: Database, made: Send, state: str, *, idempotent: bool
) -> None:
    """With keys it waits to be made again, without keys it is in doubt; a claim goes back at no cost."""
    sent = claim(ledger_db, made)
    intend(ledger_db, sent)
    held = claim(ledger_db, made)
    with ledger_db.write() as connection:
        assert orphans.recover(connection, made.id, {"me"}, NOW, idempotent=idempotent) == 2
    assert (found(ledger_db, sent).state, found(ledger_db, sent).doubt) == (state, True)
    assert (found(ledger_db, held).state, found(ledger_db, held).doubt) == ("pending", False)


def test_the_living_keep_what_they_have_until_the_lease_ends(ledger_db: Database, made: Send) -> None:
    """Neither another's death nor time within the lease takes a batch away."""
    taken = claim(ledger_db, made)
    with ledger_db.write() as connection:
        assert orphans.recover(connection, made.id, {"you"}, NOW + LEASE, idempotent=True) == 0
        assert orphans.recover(connection, made.id, set(), NOW + LEASE + dt.timedelta(seconds=1), idempotent=True) == 1
    assert found(ledger_db, taken).state == "pending"


def test_cancel_stops_what_was_not_tried_and_resume_reopens_it(ledger_db: Database, made: Send) -> None:
    """Sending finishes first; cancelled batches come back with the send."""
    sent = claim(ledger_db, made)
    intend(ledger_db, sent)
    with ledger_db.write() as connection:
        assert control.cancel(connection, made.id, NOW)
        assert not control.cancel(connection, made.id, NOW)
    assert found(ledger_db, sent).state == "sending"
    walk(ledger_db, ledger.accept, sent.held, NOW, Answer())
    with ledger_db.write() as connection:
        assert not control.finish(connection, made.id, NOW)
        assert control.resume(connection, made.id, NOW)
    assert len(claim(ledger_db, made).members) == 2


def test_a_cancelled_send_with_a_batch_that_its_dead_left_is_unfinished(ledger_db: Database, made: Send) -> None:
    """Its people may have got it: open rows end with 3, before the 1 of a cancellation."""
    intend(ledger_db, claim(ledger_db, made))
    with ledger_db.write() as connection:
        control.cancel(connection, made.id, NOW)
        status = summary.status(connection, made.id)
    assert (status.people["open"], status.people["cancelled"], summary.exit_code(status)) == (2, 2, 3)


def test_cancel_leaves_no_call_that_nobody_would_finish(ledger_db: Database, made: Send) -> None:
    """What waits to be made again, and what the dead had in hand, is in doubt; `resume` leaves it there."""
    waiting, orphan = claim(ledger_db, made), claim(ledger_db, made, owner="you")
    for each in (waiting, orphan):
        intend(ledger_db, each)
    walk(ledger_db, ledger.unknown, waiting.held, NOW, "time-out", None)
    with ledger_db.write() as connection:
        assert control.cancel(connection, made.id, NOW, {"you"})
        assert summary.status(connection, made.id).batches == {"in_doubt": 2}
        assert control.resume(connection, made.id, NOW)
        assert claims.take(connection, made.id, "they", NOW, LEASE) is None
        assert not control.finish(connection, made.id, NOW)
        assert summary.status(connection, made.id).batches == {"in_doubt": 2}
        assert list(invariants.flaws(connection)) == []
    arrows = {(each.held.batch, "sending", "in_doubt") for each in (waiting, orphan)}
    with ledger_db.read() as connection:
        rows = connection.execute(select(event.c.batch_id, event.c.from_state, event.c.to_state)).all()
    assert arrows <= {tuple(row) for row in rows}


@pytest.mark.parametrize(("outcome", "expected"), [("unknown", "in_doubt"), ("put_back", "cancelled")])
def test_what_comes_back_after_a_cancel_is_closed_with_the_run(
    ledger_db: Database, made: Send, outcome: str, expected: str
) -> None:
    """The call was under way when another process cancelled; its own process ends with the usual look."""
    sent = claim(ledger_db, made)
    intend(ledger_db, sent)
    with ledger_db.write() as connection:
        control.cancel(connection, made.id, NOW)
        getattr(ledger, outcome)(connection, sent.held, NOW, "why", None)
        control.finish(connection, made.id, NOW)
    assert found(ledger_db, sent).state == expected
    with ledger_db.read() as connection:
        assert list(invariants.flaws(connection)) == []


@pytest.mark.parametrize("word", ["pause", "cancel"])
def test_a_fault_is_taken_up_but_never_an_operator_s_word(ledger_db: Database, made: Send, word: str) -> None:
    """Whoever paused or cancelled between another's look and its restart is heeded."""
    with ledger_db.write() as connection:
        control.pause_for_fault(connection, made.id, Fault.DISK, "no space left")
        assert control.take_up(connection, made.id, NOW)
        if word == "pause":
            control.pause(connection, made.id)
        else:
            control.cancel(connection, made.id, NOW)
        assert not control.take_up(connection, made.id, NOW)
        assert ledger.get(connection, made.id).state == {"pause": "paused", "cancel": "cancelled"}[word]


def test_a_fault_and_an_operator_pause_differently(ledger_db: Database, made: Send) -> None:
    """The send remembers who held it, and a fault's exit code."""
    with ledger_db.write() as connection:
        assert control.pause_for_fault(connection, made.id, Fault.DISK, "no space left")
        held = ledger.get(connection, made.id)
        assert (held.state, held.paused_by, held.fault, held.why) == ("paused", "fault", Fault.DISK, "no space left")
        assert control.resume(connection, made.id, NOW)
        assert control.pause(connection, made.id)
        held = ledger.get(connection, made.id)
        assert (held.paused_by, held.fault) == ("operator", None)
        assert not control.pause(connection, made.id)


@pytest.mark.parametrize("last", ["accepted", "in_doubt", "open"])
def test_a_send_is_done_only_when_nothing_is_open_or_doubtful(ledger_db: Database, made: Send, last: str) -> None:
    """Done needs an end for every row."""
    for end in ("accepted", last):
        taken = claim(ledger_db, made)
        intend(ledger_db, taken)
        if end == "accepted":
            walk(ledger_db, ledger.accept, taken.held, NOW, Answer())
        elif end == "in_doubt":
            walk(ledger_db, ledger.doubt, taken.held, NOW, "time-out")
    with ledger_db.write() as connection:
        assert control.finish(connection, made.id, NOW) is (last == "accepted")
        assert ledger.get(connection, made.id).state == ("done" if last == "accepted" else "running")


def test_a_wait_from_before_the_clock_went_back_is_not_kept(ledger_db: Database, made: Send) -> None:
    """No wait is longer than two minutes, so one of a day comes from a wrong clock."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken)
    walk(ledger_db, ledger.put_back, taken.held, NOW, "429", NOW + dt.timedelta(hours=25))
    assert claim(ledger_db, made).held.batch == taken.held.batch


def test_every_arrow_leaves_an_event(ledger_db: Database, made: Send) -> None:
    """The whole way of a batch can be read afterwards."""
    taken = claim(ledger_db, made)
    intend(ledger_db, taken)
    walk(ledger_db, ledger.accept, taken.held, NOW, Answer())
    with ledger_db.read() as connection:
        rows = connection.execute(
            select(event.c.from_state, event.c.to_state).where(event.c.batch_id == taken.held.batch)
        )
        assert [tuple(row) for row in rows] == [("pending", "claimed"), ("claimed", "sending"), ("sending", "accepted")]
