"""The plan, the frozen content and the guards: what a send would do, and what may not leave."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from delivery.fakes_delivery import Fake, Truth
from delivery.helpers_delivery import LINKS, MASTHEAD, NOW, begin, edition, people, row, unsubscribe, wish, work_on
from sqlalchemy import event, insert, update

from newsletter.delivery import cutting, freeze, guard, ledger, plan
from newsletter.delivery.personalise import Writer
from newsletter.errors import BadConfig, BadInput, Blocked
from newsletter.mime import frame, message_bytes
from newsletter.model import Field, Mailbox, Picture, Place, Slot, Variant
from newsletter.personal import CannotRender
from newsletter.providers.outbox import Outbox
from newsletter.store.tables import person, send

if TYPE_CHECKING:
    from pathlib import Path

    from support import Workspace

    from newsletter.store.database import Database


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    """The embedded provider in a folder of its own."""
    return Outbox(tmp_path / "outbox")


def made_plan(database: Database, outbox: Outbox, **how: Any) -> plan.Plan:
    """The plan of the standard edition."""
    with database.read() as connection:
        return plan.make(connection, wish(outbox, **how), outbox, LINKS, NOW)


# -- the plan -------------------------------------------------------------------------


def test_a_plan_counts_everyone_and_says_why_others_are_left_out(ledger_db: Database, outbox: Outbox) -> None:
    """Recipients, reasons, batches and calls, with an example of those whose values do not fit."""
    people(ledger_db, 10)
    unsubscribe(ledger_db, 1, 2)
    with ledger_db.write() as connection:
        connection.execute(
            insert(person), [row("b@example.com", {}, "bounced"), row("c@example.com", {}, "complained")]
        )
        connection.execute(insert(person), [row("bad@example.com", {"born": "soon"})])
    found = made_plan(ledger_db, outbox, batch=4)
    assert (found.audience, found.recipients, found.batches, found.calls, found.variants) == (9, 8, 3, 2, 1)
    assert dict(found.left_out) == {"unsubscribed": 2, "bounced": 1, "complained": 1, "cannot be rendered": 1}
    assert [each.address for each in found.failing] == ["bad@example.com"]
    assert found.subject == "Hi {{ first_name }}"
    assert json.loads(json.dumps(found.data()))["left_out"]["bounced"] == 1


def test_a_plan_foresees_a_subject_that_cannot_go_out(ledger_db: Database, outbox: Outbox) -> None:
    """A line break hidden in an encoded word fails at the send, so the plan says so; a harmless one goes."""
    people(ledger_db, 3)
    with ledger_db.write() as connection:
        names = [{"first_name": "=?utf-8?q?a=0Ab?="}, {"first_name": "=?utf-8?q?x?="}, {"first_name": "two\nlines"}]
        connection.execute(insert(person), [row(f"n{n}@example.com", name) for n, name in enumerate(names)])
    found = made_plan(ledger_db, outbox)
    assert (found.recipients, [each.address for each in found.failing]) == (5, ["n0@example.com"])
    made = begin(ledger_db, outbox)
    assert work_on(ledger_db, made, outbox).people["accepted"] == found.recipients


def test_a_plan_writes_nothing(ledger_db: Database, outbox: Outbox) -> None:
    """No statement of a plan changes a row, and no file is made."""
    people(ledger_db, 4)
    seen: list[str] = []
    event.listen(ledger_db._engine, "before_cursor_execute", lambda _c, _u, sql, *_: seen.append(sql))
    made_plan(ledger_db, outbox)
    assert seen
    assert all(sql.startswith(("SELECT", "BEGIN", "COMMIT")) for sql in seen)
    assert not outbox.folder.exists()


def test_a_plan_without_a_database_has_no_people(outbox: Outbox) -> None:
    """Before the first import there is nobody, and nothing else is wrong."""
    found = plan.make(None, wish(outbox), outbox, LINKS, NOW)
    assert (found.recipients, found.batches, found.bytes, found.left_out) == (0, 0, 0, ())


def test_a_plan_names_exactly_one_send(ledger_db: Database, outbox: Outbox) -> None:
    """The same id for the same send, the id of the send that carries it out, and another for any other."""
    people(ledger_db, 4)
    found = made_plan(ledger_db, outbox)
    assert found.id == made_plan(ledger_db, outbox).id
    assert found.id != made_plan(ledger_db, outbox, batch=3).id
    assert found.id != made_plan(ledger_db, outbox, made=edition(html=("other",))).id
    assert begin(ledger_db, outbox).plan_id == found.id
    people_id = found.id
    unsubscribe(ledger_db, 1)
    assert made_plan(ledger_db, outbox).id != people_id


def test_a_plan_weighs_what_is_sent(ledger_db: Database, outbox: Outbox) -> None:
    """Within two per cent of the messages that are built."""
    people(ledger_db, 20)
    wanted = wish(outbox)
    writer = Writer(wanted.frozen, LINKS, 0, "plan")
    variant = wanted.frozen.variants[0]
    with ledger_db.read() as connection:
        members = [(who, to, json.loads(kept)) for part in cutting.audience(connection) for who, to, kept in part]
    messages, _ = writer.messages(variant, members)
    size = outbox.prepare(wanted.frozen.letter("", "x", NOW), messages).size
    assert abs(made_plan(ledger_db, outbox).bytes - size) < 0.02 * size


@pytest.mark.parametrize(("kind", "calls"), [("joined", 3), ("substituted", 3), ("single", 10)])
def test_calls_and_time_follow_the_provider(ledger_db: Database, kind: Any, calls: int) -> None:
    """One call a batch, or one a message; at its rate."""
    people(ledger_db, 10)
    fake = Fake(Truth(), now=lambda: NOW)
    fake.capabilities = dataclasses.replace(fake.capabilities, personalisation=kind, per_second=2.0)
    with ledger_db.read() as connection:
        found = plan.make(connection, wish(fake), fake, LINKS, NOW)
    assert (found.calls, found.seconds) == (calls, calls / 2)


def test_a_sender_that_no_header_can_carry_stops_the_plan(ledger_db: Database, outbox: Outbox) -> None:
    """What all messages share is looked at once, before anything is made."""
    with pytest.raises(CannotRender):
        made_plan(ledger_db, outbox, made=edition(sender=Mailbox("Tess", "ü@example.org")))


# -- messages -------------------------------------------------------------------------


def test_each_message_has_its_own_links(ledger_db: Database) -> None:
    """Address, unsubscribe link and Message-ID differ from person to person, and say nothing of them."""
    del ledger_db
    frozen = freeze.of_edition(edition(), MASTHEAD)
    writer = Writer(frozen, LINKS, 7, "here:7")
    one = writer.message(frozen.variants[0], 1, "a@example.com", '{"first_name": "Ana"}')
    two = writer.message(frozen.variants[0], 2, "b@example.com", "{}")
    assert one.values == ("Ana", one.unsubscribe, "")
    assert two.values[0] == "there"
    assert LINKS.read(one.unsubscribe.rpartition("/")[2], "u") == (1,)
    assert one.message_id != two.message_id
    assert one.message_id.endswith("@example.org>")
    assert "a@example.com" not in one.message_id


def test_a_person_cannot_take_a_reserved_name(ledger_db: Database) -> None:
    """A stored value named like a link does not replace the link."""
    del ledger_db
    frozen = freeze.of_edition(edition(), MASTHEAD)
    fields = '{"unsubscribe_url": "https://evil.example.com", "email": "x"}'
    message = Writer(frozen, LINKS, 7, "here:7").message(frozen.variants[0], 1, "a@example.com", fields)
    assert message.values[1] == message.unsubscribe


@pytest.mark.parametrize("to", ["", "not an address", "a@b.c\r\nBcc: d@e.f"])
def test_an_address_that_cannot_stand_is_no_message(to: str) -> None:
    """An erased or broken address cannot be rendered."""
    frozen = freeze.of_edition(edition(), MASTHEAD)
    messages, failed = Writer(frozen, LINKS, 7, "x").messages(frozen.variants[0], [(1, to, {})])
    assert (list(messages), [each.person for each in failed]) == ([], [1])


# -- the frozen content ---------------------------------------------------------------


PICTURE = Picture("abc.png", b"\x89PNG", "image/png", 10, 20, Place("issues/hello/a.png", 3, 4))


def test_frozen_content_thaws_to_the_same_mail() -> None:
    """Written and read back, a content is equal, and so are the messages made of it."""
    frozen = freeze.of_edition(edition(pictures=(PICTURE,), reply_to=Mailbox("", "re@example.org")), MASTHEAD)
    back = freeze.thaw(freeze.freeze(frozen))
    assert back == frozen
    letters = [each.letter("", "x", NOW) for each in (frozen, back)]
    frames = [frame(x) for x in letters]
    built = [message_bytes(f, ("a", "b", "c"), to="a@example.com", message_id="<x@y>", unsubscribe="") for f in frames]
    assert built[0] == built[1]


def test_the_hash_is_of_what_readers_get() -> None:
    """Places, slugs and build dates change nothing; a comma does."""
    base = freeze.sha(freeze.of_edition(edition(pictures=(PICTURE,)), MASTHEAD))
    moved = dataclasses.replace(PICTURE, place=Place("elsewhere.png"))
    same = edition(pictures=(moved,), slug="other", date=NOW.replace(year=2030), places=(("", Place("x.md", 9)),))
    assert freeze.sha(freeze.of_edition(same, MASTHEAD)) == base
    assert freeze.sha(freeze.of_edition(edition(pictures=(PICTURE,), subject=("Hi,",)), MASTHEAD)) != base


def test_a_field_used_twice_is_frozen_once() -> None:
    """Two marks of the same field are one value, evaluated and encoded once for each reader."""
    twice = edition(
        fields=(Field("code", (), "{{ code }}", Place("a.md", 1)), Field("code", (), "{{code}}", Place("a.md", 2))),
        html=("<p>", Slot(0, "html"), Slot(1, "html"), Slot(1, "url"), "</p>"),
        subject=("Hi",),
        text=("Hi",),
    )
    frozen = freeze.of_edition(twice, MASTHEAD)
    assert frozen.fields == (Field("code"),)
    assert frozen.variants[0].html == ("<p>", Slot(0, "html"), Slot(0, "html"), Slot(0, "url"), "</p>")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"subject": ("Other",)}, ("subject",)),
        ({"html": ("Other",)}, ("html",)),
        ({"variants": (Variant("", ("Hi ", Slot(0, "header")), edition().variants[0].html, ("Other",)),)}, ("text",)),
        ({"pictures": (PICTURE,)}, ("pictures",)),
        ({"sender": Mailbox("Else", "else@example.org")}, ("sender",)),
        ({"reply_to": Mailbox("", "else@example.org")}, ("reply-to",)),
        ({"lang": "de"}, ("language",)),
        ({"fields": (Field("nickname"), *edition().fields[1:])}, ("merge fields",)),
        ({}, ()),
    ],
)
def test_what_changed_is_named(change: dict[str, Any], parts: tuple[str, ...]) -> None:
    """In the words of the one who edits the issue."""
    before = freeze.of_edition(edition(), MASTHEAD)
    assert freeze.changes(before, freeze.of_edition(edition(**change), MASTHEAD)) == parts


def test_content_of_a_later_program_is_not_guessed_at() -> None:
    """An unknown version is an error, not half a mail."""
    data = json.loads(freeze.freeze(freeze.of_edition(edition(), MASTHEAD))) | {"version": 99}
    with pytest.raises(ValueError, match="version 99"):
        freeze.thaw(json.dumps(data).encode())


# -- before mail leaves this machine --------------------------------------------------


@pytest.mark.parametrize(
    ("change", "secret", "words"),
    [
        ({"public_url": "http://letters.example.org"}, "x" * 20, "over https"),
        ({"public_url": ""}, "x" * 20, "over https"),
        ({}, "", "NEWSLETTER_SECRET is not set"),
        ({"postal_address": ()}, "x" * 20, "postal address"),
    ],
)
def test_a_real_send_needs_links_a_secret_and_an_address(
    workspace: Workspace, change: dict[str, Any], secret: str, words: str
) -> None:
    """Each lack is named, with 78; none is left to the provider's mercy."""
    whole = dataclasses.replace(workspace.config(), public_url="https://letters.example.org")
    guard.fit_for_real(whole, "x" * 20)
    with pytest.raises(BadConfig, match=words):
        guard.fit_for_real(dataclasses.replace(whole, **change), secret)


def test_all_that_a_real_send_lacks_is_named_at_once(workspace: Workspace) -> None:
    """Three lacks, three problems."""
    bare = dataclasses.replace(workspace.config(), public_url="", postal_address=())
    with pytest.raises(BadConfig) as caught:
        guard.fit_for_real(bare, "")
    assert len(caught.value.problems) == 3


def test_an_issue_that_another_ledger_sent_is_refused(ledger_db: Database, outbox: Outbox, tmp_path: Path) -> None:
    """sent.json keeps a second clone from sending again; our own record lets us go on."""
    people(ledger_db, 2)
    made = begin(ledger_db, outbox)
    guard.refuse_foreign(tmp_path, "here", lambda *_: False)
    guard.write_record(tmp_path, "here", made)
    with ledger_db.write() as connection:
        guard.refuse_foreign(tmp_path, "here", partial(ledger.exists, connection))
        with pytest.raises(Blocked, match="another ledger"):
            guard.refuse_foreign(tmp_path, "elsewhere", lambda *_: True)
        # A backup was put back, and another send has taken the number since.
        connection.execute(update(send).values(created_at="2026-12-01T00:00:00.000000Z"))
        with pytest.raises(Blocked, match="another ledger"):
            guard.refuse_foreign(tmp_path, "here", partial(ledger.exists, connection))
    assert "@" not in (tmp_path / guard.SENT).read_text()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"send": "x", "instance": "y"}', '{"send": 1}'])
def test_a_record_that_cannot_be_read_stops_the_send(tmp_path: Path, text: str) -> None:
    """Half a record is no licence to send."""
    (tmp_path / guard.SENT).write_text(text)
    with pytest.raises(BadInput, match="cannot be read"):
        guard.refuse_foreign(tmp_path, "here", lambda *_: True)
