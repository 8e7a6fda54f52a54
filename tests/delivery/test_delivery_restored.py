"""An older copy of the ledger is put back: it is noticed wherever mail is at stake, and nobody is mailed twice."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import pytest
from delivery.checker import violations
from delivery.fakes_delivery import FAULTS, MODELS, Fake, Model, Truth
from delivery.helpers_delivery import LINKS, NOW, Clock, begin, go_on, people, status, unsubscribe, work_on
from sqlalchemy import select

from newsletter.delivery import control, desk, invariants, restored, settle, work
from newsletter.errors import Unwritable
from newsletter.providers.base import Answer, Capabilities, Fault, Sought
from newsletter.providers.wrappers import Announced
from newsletter.store import backup, epochs, mark
from newsletter.store.mark import Standing
from newsletter.store.tables import batch, event

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.delivery.ledger import Send
    from newsletter.providers.base import Payload
    from newsletter.store.database import Database


class Copying(Fake):
    """A provider during whose calls the ledger is backed up: before each acceptance, and after it."""

    def __init__(self, *argv: object, database: Database, **options: object) -> None:
        super().__init__(*argv, **options)  # type: ignore[arg-type]
        self._database = database
        self.copies: list[Path] = []

    def submit(self, payload: Payload, key: str) -> Answer:
        """Back up, make the call, back up."""
        self.copy()
        try:
            return super().submit(payload, key)
        finally:
            self.copy()

    def copy(self) -> None:
        """Back up now."""
        path = self._database.path.with_name(f"copy-{len(self.copies)}.db")
        self.copies.append(backup.copy(self._database.path, path).path)


def announced_work(database: Database, made: Send, provider: Fake, clock: Clock) -> None:
    """One process's way through a send, as `send` goes it until its last call; there it is killed."""
    mark.start(database)
    job = desk.job(database, made.id, Announced(provider, mark.advancer(database)), LINKS, clock.tools())
    go_on(database, made, clock.now())
    work.run(job, 1, lambda: None)


def put_back(copy: Path, database: Database) -> None:
    """Replace the database by hand."""
    database.close()
    for path in database.path.parent.glob("newsletter.db*"):
        path.unlink()
    shutil.copy(copy, database.path)


def adopt(database: Database, *, doubt: bool) -> int:
    """A person's word, as `newsletter db adopt` takes it."""
    there = mark.look(database).there
    assert there is not None
    with database.write() as connection:
        doubtful = restored.settle(connection, NOW, doubt=doubt)
        epochs.begin(connection, there.position.epoch, NOW, "")
    mark.set_to(database)
    return doubtful


def flaws(database: Database) -> list[str]:
    """What `newsletter db check` would find."""
    with database.read() as connection:
        return [flaw.rule for flaw in invariants.flaws(connection)]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", range(2))
def test_whatever_copy_is_put_back_nobody_is_mailed_twice(
    model: Model, seed: int, ledger_db: Database, clock: Clock
) -> None:
    """Backed up before and after every call of a send with faults; each copy in turn is put back and gone on with."""
    chance = random.Random(seed)
    people(ledger_db, 8)
    truth = Truth()
    fake = Copying(truth, model, now=clock.now, fault=lambda: chance.choice(("", "", *FAULTS)), database=ledger_db)
    made = begin(ledger_db, fake, batch=2)
    fake.copy()
    for _ in range(3):
        announced_work(ledger_db, made, fake, clock)
    fake.copy()
    seen = []
    for copy in fake.copies:
        kept, keys = truth.accepted.copy(), dict(truth.keys)
        sent = mark.path_of(ledger_db).read_bytes()
        put_back(copy, ledger_db)
        seen.append(mark.look(ledger_db).standing)
        if seen[-1] is Standing.OLDER:
            adopt(ledger_db, doubt=True)
        for _ in range(3):
            announced_work(ledger_db, made, Fake(truth, model, now=clock.now), clock)
        assert violations(ledger_db, made.id, truth.accepted, ended=False) == []
        assert flaws(ledger_db) == []
        assert status(ledger_db, made).people["open"] == 0
        truth.accepted, truth.keys = kept, keys
        mark.path_of(ledger_db).write_bytes(sent)
    assert seen[0] is Standing.OLDER
    assert seen[-1] is Standing.FINE, "a copy that knows of everything is gone on with as it is"


def test_a_word_too_many_is_what_it_says(ledger_db: Database, clock: Clock) -> None:
    """Without doubt the untried are mailed, a second time where mail had left; what was under way is in doubt."""
    people(ledger_db, 8)
    truth = Truth()
    fake = Copying(truth, "no keys", now=clock.now, database=ledger_db)
    made = begin(ledger_db, fake, batch=2)
    announced_work(ledger_db, made, fake, clock)
    put_back(fake.copies[2], ledger_db)  # before the second call is accepted
    assert adopt(ledger_db, doubt=False) == 1
    announced_work(ledger_db, made, Fake(truth, "no keys", now=clock.now), clock)
    assert sorted(truth.accepted.values()) == [1, 1, 1, 1, 2, 2, 2, 2]
    assert status(ledger_db, made).people["in_doubt"] == 2
    assert flaws(ledger_db) == []


def test_the_open_batches_of_every_send_fall_into_doubt(ledger_db: Database, clock: Clock) -> None:
    """Of a cancelled one as well: it may have been taken up since. What has ended stays."""
    people(ledger_db, 8)
    fake = Fake(Truth(), "no keys", now=clock.now)
    first = begin(ledger_db, fake, batch=4)
    work_on(ledger_db, first, fake, clock)
    second = begin_again(ledger_db, fake, first)
    unsubscribe(ledger_db, 1)
    with ledger_db.write() as connection:
        control.cancel(connection, second.id, NOW)
        told = restored.unfinished(connection)
        assert [(each.send.id, each.people) for each in told] == [(second.id, 8)]
        assert restored.settle(connection, NOW, doubt=True) == 2
        assert restored.unfinished(connection) == ()
        assert restored.settle(connection, NOW, doubt=True) == 0
    assert status(ledger_db, first).people["accepted"] == 8
    assert status(ledger_db, second).people["in_doubt"] == 8
    assert flaws(ledger_db) == []


def begin_again(database: Database, fake: Fake, before: Send) -> Send:
    """A second trial of the same issue."""
    from delivery.helpers_delivery import wish

    from newsletter.delivery import start

    return start.create(database, wish(fake, batch=4, kind="again"), NOW, after=before.id)


def test_a_provider_that_can_be_asked_ends_the_doubt(ledger_db: Database, clock: Clock) -> None:
    """What it has was sent by the ledger that is lost; it is asked for calls since the send began."""

    class Searching(Fake):
        def find(self, sought: Sought) -> Answer | None:
            asked.append(sought)
            return Answer("found") if len(asked) == 1 else None

    asked: list[Sought] = []
    people(ledger_db, 8)
    fake = Searching(Truth(), "no keys", now=clock.now)
    fake.capabilities = replaced(fake.capabilities)
    made = begin(ledger_db, fake, batch=4)
    with ledger_db.write() as connection:
        restored.settle(connection, NOW, doubt=True)
    job = desk.job(ledger_db, made.id, fake, LINKS, clock.tools())
    assert settle.ask(job) == 1
    assert [sought.since for sought in asked] == [made.created_at] * 2
    now = status(ledger_db, made)
    assert (now.people["accepted"], now.people["in_doubt"]) == (4, 4)
    assert flaws(ledger_db) == []


def replaced(capabilities: Capabilities) -> Capabilities:
    """The same, and it can be searched."""
    import dataclasses

    return dataclasses.replace(capabilities, settling="search")


def test_a_full_disk_holds_the_send_before_a_call_that_could_not_be_noticed(
    ledger_db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch goes back, the send is paused for the disk, and goes on when there is room."""
    people(ledger_db, 8)
    truth = Truth()
    fake = Fake(truth, "no keys", now=clock.now)
    made = begin(ledger_db, fake, batch=4)
    mark.start(ledger_db)

    def full(*_: object, **__: object) -> None:
        raise Unwritable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(mark, "advance", full)
        job = desk.job(ledger_db, made.id, Announced(fake, mark.advancer(ledger_db)), LINKS, clock.tools())
        work.run(job, 1, lambda: None)
    held = status(ledger_db, made)
    assert (held.send.state, held.send.fault) == ("paused", Fault.DISK)
    assert (truth.calls, held.people["open"], held.people["in_doubt"]) == (0, 8, 0)
    announced_work(ledger_db, made, fake, clock)
    assert set(truth.accepted.values()) == {1}
    assert status(ledger_db, made).send.state == "done"


# -- what `newsletter db check` knows -------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", range(2))
def test_a_ledger_is_sound_at_every_moment_of_a_send(
    model: Model, seed: int, ledger_db: Database, clock: Clock
) -> None:
    """Whatever the provider does: every copy, and the end of it, keeps every rule."""
    chance = random.Random(seed)
    people(ledger_db, 9)
    fake = Copying(Truth(), model, now=clock.now, fault=lambda: chance.choice(("", *FAULTS)), database=ledger_db)
    made = begin(ledger_db, fake, batch=3)
    unsubscribe(ledger_db, 4)
    for _ in range(4):
        work_on(ledger_db, made, fake, clock)
    assert flaws(ledger_db) == []
    for copy in fake.copies:
        put_back(copy, ledger_db)
        assert flaws(ledger_db) == []


OTHER_SEND = (
    "INSERT INTO send (id, issue_id, realm, kind, slug, content_sha, audience_sha, plan_id, recipients, provider, account,"
    " state, created_at, by) SELECT 2, 'other', realm, kind, slug, content_sha, audience_sha, plan_id, 0, provider, account,"
    " 'running', created_at, by FROM send"
)

BROKEN: dict[str, tuple[str, ...]] = {
    "send counts": ("UPDATE send SET recipients = 9",),
    "batch counts": ("UPDATE batch SET n = 3 WHERE id = 1", "UPDATE batch SET n = 5 WHERE id = 2"),
    "batch of another send": (
        OTHER_SEND,
        "INSERT INTO batch (id, send_id, seq, n, state, doubt) VALUES (9, 2, 0, 0, 'pending', 0)",
        "UPDATE delivery SET batch_id = 9 WHERE person_id = 1",
    ),
    "twice in a send": ("UPDATE delivery SET address = 'P1@example.com' WHERE person_id = 1",),
    "done too early": ("UPDATE delivery SET outcome = 'in_doubt' WHERE person_id = 1",),
    "pause": ("UPDATE send SET paused_by = 'operator'",),
    "owner": ("UPDATE batch SET owner = 'somebody' WHERE id = 1",),
    "forgotten doubt": (
        "UPDATE send SET state = 'running'",
        "UPDATE batch SET state = 'in_doubt' WHERE id = 1",
        "UPDATE event SET to_state = 'in_doubt' WHERE to_state = 'accepted' AND batch_id = 1",
    ),
    "last event": ("UPDATE batch SET state = 'refused' WHERE id = 1",),
    "chain of events": ("DELETE FROM event WHERE to_state = 'sending' AND batch_id = 1",),
    "frozen content": ("UPDATE content SET bytes = x'00'",),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_finds_what_breaks_it_and_says_what_to_do(rule: str, ledger_db: Database, clock: Clock) -> None:
    """In a ledger that was sound a moment ago."""
    people(ledger_db, 8)
    fake = Fake(Truth(), "no keys", now=clock.now)
    made = begin(ledger_db, fake, batch=4)
    assert work_on(ledger_db, made, fake, clock).send.state == "done"
    assert flaws(ledger_db) == []
    with ledger_db.write() as connection:
        for statement in BROKEN[rule]:
            connection.exec_driver_sql(statement)
    with ledger_db.read() as connection:
        found = {flaw.rule: flaw for flaw in invariants.flaws(connection)}
    assert rule in found
    flaw = found[rule]
    assert flaw.number >= 1
    assert flaw.places
    for text in (flaw.means, flaw.todo):
        assert text.endswith((".", "FILE"))


def test_every_rule_is_broken_once_above(ledger_db: Database) -> None:
    """A rule without a test might find nothing, ever."""
    del ledger_db
    assert {rule.name for rule in invariants._rules()} | {"frozen content"} == set(BROKEN)


def test_places_are_named_up_to_a_few_and_counted_in_full(ledger_db: Database, clock: Clock) -> None:
    """A ledger with a thousand flaws of one kind does not fill the screen."""
    people(ledger_db, 40)
    fake = Fake(Truth(), "no keys", now=clock.now)
    begin(ledger_db, fake, batch=1)
    with ledger_db.write() as connection:
        connection.exec_driver_sql("UPDATE batch SET state = 'refused'")
        assert connection.execute(select(event.c.id)).first() is None
        assert len(connection.execute(select(batch.c.id)).all()) == 40
    with ledger_db.read() as connection:
        (flaw,) = invariants.flaws(connection)
    assert (flaw.rule, flaw.number, len(flaw.places)) == ("last event", 40, 5)
