"""``/u/``: who reads changes nothing, who posts leaves, and a link that leads to nobody tells nothing."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest
from serving.helpers_site import (
    ADA,
    BOUNCED,
    COMPLAINED,
    ERASED,
    FORM,
    LEFT,
    LINKS,
    NOOR,
    come_back,
    digest,
    history,
    leave,
    status,
    token,
    view,
)
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from newsletter.audience import people
from newsletter.links import Links
from newsletter.store.tables import person

if TYPE_CHECKING:
    from serving.helpers_site import Site

MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
    "multipart/form-data; boundary=b",
)
BODIES = {
    "form": (FORM, "application/x-www-form-urlencoded"),
    "multipart": MULTIPART,
    "nothing": (b"", ""),
    "other": (b"{}", "application/json"),
    "garbage": (b"\xff\x00%%%" * 100, "multipart/form-data"),
    "long": (b"x" * 1_000_000, "application/x-www-form-urlencoded"),
    "broken off": (None, "multipart/form-data; boundary=b"),
}
GOOD = token(LINKS.unsubscribe(ADA))
WRONG = {
    "unknown": leave(4711),
    "largest": leave(36**12 - 1),
    "nobody": leave(0),
    "erased": leave(ERASED),
    "other purpose": f"/u/{token(LINKS.view(1, ADA))}",
    "other secret": f"/u/{token(Links('', b'another secret altogether').unsubscribe(ADA))}",
    "changed id": "/u/" + GOOD.replace("1u.1.", "1u.2."),
    "changed sign": f"/u/{GOOD[:-1]}{'A' if GOOD[-1] != 'A' else 'B'}",
    "longer": f"/u/{GOOD}A",
    "shorter": f"/u/{GOOD[:-1]}",
    "slash": f"/u/{GOOD}/",
    "newline": f"/u/{GOOD}%0a",
    "empty": "/u/",
    "garbage": "/u/%00%ff..%2f..%2fetc%2fpasswd",
    "huge": f"/u/{'a' * 60_000}",
    "script": "/u/<script>alert(1)</script>",
    "template": "/u/{{7*7}}{name}%s",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_one_post_takes_a_person_off(web: Site, body: tuple[bytes, str]) -> None:
    """Both content types of RFC 8058, any other, none, and one that breaks off: who posts wants to leave."""
    answer = web.client.post(leave(ADA), *body)
    assert (answer.status, "location" in answer.headers, "set-cookie" in answer.headers) == (200, False, False)
    assert "You have unsubscribed" in answer.text
    assert status(web.database, ADA) == "unsubscribed"
    assert status(web.database, NOOR) == "active"
    assert history(web.database, ADA) == [("unsubscribed", "one-click")]


def test_twice_is_the_same(web: Site) -> None:
    """Same bytes, and only one event."""
    first, second = web.client.post(leave(ADA)), web.client.post(leave(ADA))
    assert first == second
    assert len(history(web.database, ADA)) == 1


def test_the_button_is_told_from_one_click(web: Site) -> None:
    """Both say One-Click; the page's form adds where it stands."""
    web.client.post(leave(ADA), FORM + b"&via=page")
    assert history(web.database, ADA) == [("unsubscribed", "unsubscribe page")]


@pytest.mark.parametrize(("who", "is_now"), [(BOUNCED, "bounced"), (COMPLAINED, "complained"), (LEFT, "unsubscribed")])
def test_who_is_off_already_reads_the_same_and_stays_as_they_are(web: Site, who: int, is_now: str) -> None:
    """A graver status is never lowered."""
    before = digest(web.database.path)
    answer = web.client.post(leave(who))
    assert (answer.status, "You have unsubscribed" in answer.text) == (200, True)
    assert status(web.database, who) == is_now
    assert digest(web.database.path) == before


def test_who_came_back_can_leave_again(web: Site) -> None:
    """A link never wears out."""
    web.client.post(leave(ADA))
    come_back(web.database, ADA)
    assert web.client.post(leave(ADA)).status == 200
    assert status(web.database, ADA) == "unsubscribed"


def test_reading_changes_nothing(web: Site) -> None:
    """Ten times each method that only reads, on every kind of link."""
    before = digest(web.database.path)
    for path in (leave(ADA), leave(BOUNCED), view(1, ADA), *WRONG.values(), "/", "/.well-known/newsletter"):
        for method in ("GET", "HEAD", "OPTIONS"):
            for turn in range(10):
                assert web.client.ask(method, path, client=f"203.0.113.{turn}").status in {200, 204, 404, 429}
    assert digest(web.database.path) == before
    assert web.troubles == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_other_methods_are_refused_and_change_nothing(web: Site, method: str) -> None:
    """405 with what is allowed, whether or not the link is good."""
    before = digest(web.database.path)
    answer = web.client.ask(method, leave(ADA))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    assert web.client.ask(method, leave(4711)).body == answer.body
    assert digest(web.database.path) == before


def test_a_copy_cannot_be_posted_to(web: Site) -> None:
    """Only unsubscribing is done by a link."""
    answer = web.client.post(view(1, ADA))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_options_say_what_is_allowed(web: Site) -> None:
    """The same for a link of nobody's."""
    answer = web.client.ask("OPTIONS", leave(ADA))
    assert (answer.status, answer.headers["allow"], answer.body) == (204, "GET, HEAD, OPTIONS, POST", b"")
    assert web.client.ask("OPTIONS", leave(ERASED)) == answer


@pytest.mark.parametrize("path", WRONG.values(), ids=WRONG)
def test_links_of_nobody_get_one_and_the_same_page(web: Site, path: str) -> None:
    """Unknown, erased, forged, garbage: same status, headers and bytes, also for POST; and nothing happens."""
    before = digest(web.database.path)
    expected = web.client.get("/u/x")
    assert expected.status == 404
    for text in ("This link is not in use", "Nobody is mailed through it", "mailto:tess@example.org"):
        assert text in expected.text
    assert web.client.get(path) == expected
    assert web.client.post(path) == expected
    assert web.client.get(path.replace("/u/", "/v/")) == expected
    assert digest(web.database.path) == before


@pytest.mark.parametrize("path", [leave(ADA), *WRONG.values()])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_link_costs_the_same_look_into_the_database(
    web: Site, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    """So that the time tells nothing, also for a link that was seen to be wrong before."""
    looked = []
    real = people.by_id

    def by_id(*arguments: object) -> object:
        looked.append(arguments[1])
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(people, "by_id", by_id)
    web.client.ask(method, path)
    assert len(looked) == (2 if (method, path) == ("POST", leave(ADA)) else 1)


def test_the_page_has_one_button_and_hides_the_address(web: Site) -> None:
    """It posts to itself what RFC 8058 posts; the address is shown only to who knows it."""
    page = web.client.get(leave(ADA))
    assert page.status == 200
    assert page.text.count("<button>") == 1
    assert "<button>Unsubscribe</button>" in page.text
    assert '<form method="post">' in page.text
    assert 'name="List-Unsubscribe" value="One-Click"' in page.text
    assert "a•••@example.org" in page.text
    assert "ada@" not in page.text
    assert "<script" not in page.text
    assert 'lang="en"' in page.text


def test_somebody_erased_between_look_and_write_is_nobody(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look that counts is the one in the write."""
    monkeypatch.setattr(people, "unsubscribe_by_id", lambda *_, **__: False)
    assert web.client.post(leave(ADA)) == web.client.get("/u/x")


# -- when the database is in trouble --------------------------------------------------


def test_a_busy_database_is_never_a_false_farewell(web: Site) -> None:
    """503, a page that says that nothing was changed, and one line for the operator; later it works."""
    with sqlite3.connect(web.database.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = web.client.post(leave(ADA))
        assert web.client.get(leave(ADA)).status == 200
        other.execute("ROLLBACK")
    other.close()
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert "nothing was changed" in answer.text
    assert "You have unsubscribed" not in answer.text
    assert status(web.database, ADA) == "active"
    (line,) = web.troubles
    assert "another process holds the database" in line
    assert "ada" not in line
    assert web.client.post(leave(ADA)).status == 200


def test_only_a_change_waits_for_another_writer(web: Site) -> None:
    """Who is off already, and links of nobody, are answered while somebody else writes."""
    with sqlite3.connect(web.database.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answers = [web.client.post(leave(who)).status for who in (LEFT, COMPLAINED, ERASED, 4711)]
        other.execute("ROLLBACK")
    other.close()
    assert answers == [200, 200, 404, 404]


@pytest.mark.parametrize("error", [SQLAlchemyError("ada@example.org"), OSError(errno.EIO, "ada@example.org")])
def test_any_failure_of_the_database_is_told_without_the_person(
    web: Site, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Reading, too; the operator's line names the kind of failure only."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(people, "by_id", fail)
    for answer in (web.client.get(leave(ADA)), web.client.post(leave(ADA))):
        assert (answer.status, "nothing was changed" in answer.text) == (503, True)
    assert web.troubles == [type(error).__name__] * 2


def test_a_fault_of_ours_claims_nothing(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 with the same page; the line names the place, and nothing that was sent."""

    def fail(*_: object, **__: object) -> None:
        message = "ada@example.org"
        raise LookupError(message)

    monkeypatch.setattr(people, "unsubscribe_by_id", fail)
    answer = web.client.post(leave(ADA))
    assert (answer.status, "nothing was changed" in answer.text) == (500, True)
    (line,) = web.troubles
    assert "LookupError" in line
    assert "ada@" not in line


def test_a_database_that_was_replaced_takes_nobody_off(web: Site) -> None:
    """What is written into the old file would be lost, and with it somebody's wish."""
    path = web.database.path
    path.with_name("copy").write_bytes(path.read_bytes())
    os.replace(path.with_name("copy"), path)  # noqa: PTH105 - the rename itself is meant
    answer = web.client.post(leave(ADA))
    assert (answer.status, "nothing was changed" in answer.text) == (503, True)
    assert "was replaced" in web.troubles[0]
    path.unlink()
    assert web.client.post(leave(ADA)).status == 503
    assert web.client.get("/.well-known/newsletter").status == 503


def test_an_erased_person_is_nobody_at_once(web: Site) -> None:
    """No restart is needed."""
    assert web.client.get(leave(ADA)).status == 200
    with web.database.write() as connection:
        connection.execute(update(person).where(person.c.id == ADA).values(address="", status="unsubscribed"))
    assert web.client.get(leave(ADA)) == web.client.get("/u/x")
