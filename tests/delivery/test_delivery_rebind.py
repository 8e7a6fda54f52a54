"""Going on through another account: while nobody can have got anything, and never afterwards."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from delivery.checker import violations
from delivery.fakes_delivery import Fake, Truth, scripted
from delivery.helpers_delivery import LINKS, begin, one_call, people, status, work_on
from sqlalchemy import select

from newsletter.delivery import claims, control, desk, invariants, owners, rebind, work
from newsletter.errors import Blocked
from newsletter.store.tables import batch, event

if TYPE_CHECKING:
    from collections.abc import Callable

    from delivery.helpers_delivery import Clock

    from newsletter.delivery.ledger import Send
    from newsletter.store.database import Database


@pytest.fixture
def truth() -> Truth:
    """What either account accepted."""
    return Truth()


def account(
    truth: Truth, clock: Clock, name: str, fault: Callable[[], str] = lambda: "", *, most: int = 1000, keys: bool = True
) -> Fake:
    """A provider's account, which takes so many messages a call."""
    made = Fake(truth, "keys" if keys else "no keys", now=clock.now, fault=fault)
    made.capabilities = dataclasses.replace(made.capabilities, name=name.partition(" ")[0], batch_max=most)
    made.account = name
    return made


def stranded(database: Database, truth: Truth, clock: Clock, *faults: str) -> Send:
    """A send of eight that began through a mistyped account."""
    people(database, 8)
    wrong = account(truth, clock, "wrong one", scripted(*faults))
    made = begin(database, wrong, batch=4)
    return work_on(database, made, wrong, clock).send


def test_a_send_of_which_nothing_went_out_goes_on_through_another_account(
    ledger_db: Database, truth: Truth, clock: Clock
) -> None:
    """Bound anew, its batches cut for what the other takes, and an event says so for each of them."""
    made = stranded(ledger_db, truth, clock, "quota")
    right = account(truth, clock, "right two", most=3)
    now = rebind.rebind(ledger_db, made, right, clock.now())
    assert (now.provider, now.account, now.state, now.why) == ("right", "right two", "paused", made.why)
    end = work_on(ledger_db, now, right, clock)
    assert truth.accepted == Counter(range(1, 9))
    assert (end.send.state, end.batches) == ("done", {"accepted": 4, "split": 2})
    assert violations(ledger_db, made.id, truth.accepted) == []
    with ledger_db.read() as connection:
        said = connection.execute(select(event.c.detail).where(event.c.from_state == event.c.to_state)).scalars().all()
        assert said == ["goes on through right (right two) instead of wrong (wrong one)"] * 2
        assert list(invariants.flaws(connection)) == []


@pytest.mark.parametrize("faults", [("", "quota"), ("time-out before",), ("time-out after", "quota"), ("mixed",)])
def test_what_may_have_been_accepted_keeps_its_account(
    ledger_db: Database, truth: Truth, clock: Clock, faults: tuple[str, ...]
) -> None:
    """Accepted, in doubt, or waiting to be made again with a key that means nothing elsewhere; nothing is changed."""
    people(ledger_db, 8)
    wrong = account(truth, clock, "wrong one", scripted(*faults))
    made = begin(ledger_db, wrong, batch=4)
    job = desk.job(ledger_db, made.id, wrong, LINKS, clock.tools())
    for _ in faults:
        one_call(job)
    before = status(ledger_db, made)
    with pytest.raises(Blocked, match="cannot know what that one accepted"):
        rebind.rebind(ledger_db, made, account(truth, clock, "right two"), clock.now())
    assert status(ledger_db, made) == before


def test_doubt_without_keys_keeps_its_account(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """What is in doubt may have arrived."""
    people(ledger_db, 4)
    wrong = account(truth, clock, "wrong one", scripted("time-out before"), keys=False)
    made = begin(ledger_db, wrong, batch=4)
    end = work_on(ledger_db, made, wrong, clock)
    assert end.people["in_doubt"] == 4
    with pytest.raises(Blocked):
        rebind.rebind(ledger_db, made, account(truth, clock, "right two"), clock.now())


def test_a_cancelled_send_may_be_bound_anew_and_resumed(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """What `resume` does after a mistyped region."""
    made = stranded(ledger_db, truth, clock, "quota")
    with ledger_db.write() as connection:
        control.cancel(connection, made.id, clock.now())
    right = account(truth, clock, "right two")
    rebind.rebind(ledger_db, made, right, clock.now())
    assert work_on(ledger_db, made, right, clock).send.state == "done"
    with ledger_db.read() as connection:
        assert list(invariants.flaws(connection)) == []


def test_who_is_at_work_is_not_left_behind(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """A living process has a batch in hand, and will call through the other account; once it is dead, it will not."""
    people(ledger_db, 4)
    wrong = account(truth, clock, "wrong one")
    made = begin(ledger_db, wrong, batch=4)
    job = desk.job(ledger_db, made.id, wrong, LINKS, clock.tools())
    with owners.alive(job.locks, job.owner):
        with ledger_db.write() as connection:
            assert claims.take(connection, made.id, job.owner, clock.now(), desk.LEASE)
        with pytest.raises(Blocked, match="another process is at work"):
            rebind.rebind(ledger_db, made, account(truth, clock, "right two"), clock.now())
    assert rebind.rebind(ledger_db, made, account(truth, clock, "right two"), clock.now()).account == "right two"


def test_a_process_of_the_account_before_takes_nothing_more(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """It looks for its next batch after the send was bound anew, and ends."""
    people(ledger_db, 8)
    wrong = account(truth, clock, "wrong one")
    made = begin(ledger_db, wrong, batch=4)
    job = desk.job(ledger_db, made.id, wrong, LINKS, clock.tools())
    rebind.rebind(ledger_db, made, account(truth, clock, "right two"), clock.now())
    work.run(job, 1, lambda: None)
    assert truth.calls == 0
    assert status(ledger_db, made).people["open"] == 8


def test_a_trial_is_never_bound_to_an_account_that_mails(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """What was begun on this machine was never confirmed as a real send."""
    made = stranded(ledger_db, truth, clock, "quota")
    real = account(truth, clock, "right two")
    real.capabilities = dataclasses.replace(real.capabilities, real=True)
    with pytest.raises(Blocked):
        rebind.rebind(ledger_db, made, real, clock.now())


def test_the_same_account_changes_nothing(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """Also when another process bound it meanwhile."""
    made = stranded(ledger_db, truth, clock, "quota")
    right = account(truth, clock, "right two")
    rebind.rebind(ledger_db, made, right, clock.now())
    again = rebind.rebind(ledger_db, made, right, clock.now())
    rebind.rebind(ledger_db, again, right, clock.now())
    with ledger_db.read() as connection:
        rows = connection.execute(select(event.c.id).where(event.c.from_state == event.c.to_state)).scalars().all()
    assert len(rows) == 2


def test_who_was_refused_before_stays_refused(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """A verdict is an end, whoever spoke it; the others go."""
    made = stranded(ledger_db, truth, clock, "verdict", "quota")
    right = account(truth, clock, "right two")
    end = work_on(ledger_db, rebind.rebind(ledger_db, made, right, clock.now()), right, clock)
    assert (end.people["refused"], end.people["accepted"], end.send.state) == (4, 4, "done")


# -- keys that another account's provider does not know -----------------------------------


def keyed(truth: Truth, clock: Clock, ring: str, fault: Callable[[], str] = lambda: "") -> Fake:
    """An account whose keys are told by ``ring``."""
    made = Fake(truth, now=clock.now, fault=fault)
    made.capabilities = dataclasses.replace(made.capabilities, keyring=ring)
    return made


@pytest.mark.parametrize("then", ["ab12", "cd34"])
def test_a_call_is_made_again_only_where_its_key_is_known(
    ledger_db: Database, truth: Truth, clock: Clock, then: str
) -> None:
    """The API key was changed between two attempts: another team would accept the batch a second time."""
    people(ledger_db, 4)
    first = keyed(truth, clock, "ab12", scripted("time-out after"))
    made = begin(ledger_db, first)
    one_call(desk.job(ledger_db, made.id, first, LINKS, clock.tools()))
    clock.sleep(60)
    end = work_on(ledger_db, made, keyed(truth, clock, then), clock)
    assert set(truth.accepted.values()) == {1}
    assert end.people["accepted" if then == "ab12" else "in_doubt"] == 4
    with ledger_db.read() as connection:
        row = connection.execute(select(batch)).one()
    assert row.idem_key.startswith("ab12-")
    assert then == "ab12" or "another API key" in row.error


def test_where_keys_are_everybodys_they_bear_no_prefix(ledger_db: Database, truth: Truth, clock: Clock) -> None:
    """The outbox names its files by them."""
    people(ledger_db, 4)
    fake = keyed(truth, clock, "")
    work_on(ledger_db, begin(ledger_db, fake), fake, clock)
    assert list(truth.keys) == ["name-000002"]
