"""What every answer says, who may ask how often, the copies, the proof, and what is logged."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from serving.helpers_site import ADA, BASE, ERASED, LINKS, NOOR, leave, ledger, site, status, token, view

from newsletter.site.app import masked as masked_path
from newsletter.site.limit import Limiter, client
from newsletter.site.pages import masked
from newsletter.site.words import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.helpers_site import Answer, Site
    from support import Workspace

    from newsletter.store.database import Database

ASKED: dict[str, Callable[[Site], Answer]] = {
    "ask": lambda web: web.client.get(leave(ADA)),
    "left": lambda web: web.client.post(leave(ADA)),
    "unused": lambda web: web.client.get("/u/x"),
    "missing": lambda web: web.client.get("/nothing"),
    "home": lambda web: web.client.get("/"),
    "refused": lambda web: web.client.ask("PUT", "/"),
    "options": lambda web: web.client.ask("OPTIONS", "/"),
    "proof": lambda web: web.client.get("/.well-known/newsletter"),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_every_answer_forbids_what_it_does_not_need(web: Site, ask: Callable[[Site], Answer]) -> None:
    """No script, no frame, no cache, no word to other sites; nothing unsafe."""
    headers = ask(web).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert not re.search("unsafe|http|script", policy)
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert "set-cookie" not in headers
    assert "strict-transport-security" not in headers


def test_only_an_answer_over_https_asks_for_more_of_it(web: Site) -> None:
    """Over http the header means nothing, and on a trial's port it would be in the way."""
    assert "strict-transport-security" in web.client.get(leave(ADA), scheme="https").headers


@pytest.mark.parametrize("path", [leave(ADA), "/u/x", view(1, ADA)])
def test_personal_pages_are_for_no_search_engine(web: Site, path: str) -> None:
    """Whoever shares a link should not find it there."""
    web.copy = lambda _send, _person: "<p>Hello</p>"
    assert "noindex" in web.client.get(path).headers["x-robots-tag"]
    assert "x-robots-tag" not in web.client.get("/").headers


@pytest.mark.parametrize("path", [leave(ADA), "/u/x", "/", "/nothing", "/.well-known/newsletter"])
def test_head_says_what_get_says(web: Site, path: str) -> None:
    """Same status and headers; leaving out the body is the server's part."""
    got, asked = web.client.get(path), web.client.ask("HEAD", path)
    assert (asked.status, asked.headers) == (got.status, got.headers)


def test_the_host_header_is_of_no_account(web: Site) -> None:
    """Any, or a hostile one: the same bytes."""
    for path in (leave(ADA), "/u/x", "/"):
        assert web.client.get(path, headers={"host": 'evil.example"><script>'}) == web.client.get(path)


def test_the_address_of_public_url_may_hold_a_path(workspace: Workspace, database: Database) -> None:
    """A reverse proxy may take it away or leave it; nothing else is taken for it."""
    web = site(workspace, database, public_url=f"{BASE}/l%C3%A9tters")
    for prefix in ("", "/l%C3%A9tters"):
        assert web.client.get(f"{prefix}{leave(ADA)}").status == 200
        assert web.client.get(f"{prefix}/.well-known/newsletter").status == 200
        assert web.client.get(f"{prefix}/").status == 200
    assert web.client.get(f"/l%C3%A9ttersx{leave(ADA)}").status == 404
    assert web.client.get("/l%C3%A9tters").headers["location"] == "./l%C3%A9tters/"
    assert web.client.post(f"/l%C3%A9tters{leave(ADA)}").status == 200
    assert status(database, ADA) == "unsubscribed"
    web.client.close()


def test_the_proof_is_of_this_ledger_and_this_secret(web: Site, database: Database) -> None:
    """And it says neither."""
    answer = web.client.get("/.well-known/newsletter")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert json.loads(answer.body) == {"proof": LINKS.proof(database.instance())}
    assert database.instance() not in answer.text


# -- the copy -------------------------------------------------------------------------


def test_a_copy_is_shown_without_script_and_without_an_origin(web: Site) -> None:
    """It is the mail's own HTML, so it may style and load pictures, and nothing more."""
    asked = []

    def copy(send: int, who: int) -> str:
        asked.append((send, who))
        return "<p>Grüße</p>"

    web.copy = copy
    answer = web.client.get(view(3, ADA))
    assert (answer.status, answer.text, asked) == (200, "<p>Grüße</p>", [(3, ADA)])
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; ")
    assert "img-src https: http: data:;" in policy
    for word in ("script", "allow-same-origin", "allow-top-navigation", "allow-forms"):
        assert word not in policy
    assert answer.headers["cache-control"] == "no-store"


def test_a_copy_that_is_not_there_is_a_link_of_nobody(web: Site) -> None:
    """As is one with a wrong token; each costs one look."""
    asked = []
    web.copy = lambda send, who: asked.append((send, who))
    expected = web.client.get("/u/x")
    for path in (view(3, ERASED), "/v/x", f"/v/{token(LINKS.unsubscribe(ADA))}"):
        assert web.client.get(path) == expected
    assert asked == [(3, ERASED), (0, 0), (0, 0)]


def test_a_copy_that_cannot_be_read_now_is_no_link_of_nobody(web: Site) -> None:
    """503: it is there, and the reader may try again."""

    def fail(_send: int, _who: int) -> str:
        raise OSError

    web.copy = fail
    assert web.client.get(view(3, ADA)).status == 503


# -- how often ------------------------------------------------------------------------


def test_too_many_requests_have_to_wait(web: Site) -> None:
    """Sixty at once, then one a second; another client is not concerned, nor is what is public."""
    answers = [web.client.get(leave(ADA)).status for _ in range(62)]
    assert answers == [200] * 60 + [429] * 2
    refused = web.client.get("/v/x")
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert "nothing was changed" in refused.text
    assert web.client.get(leave(ADA), client="203.0.113.8").status == 200
    assert web.client.get(leave(ADA), client=None).status == 200
    assert web.client.get("/").status == 200
    web.time += 1
    assert [web.client.get(leave(ADA)).status for _ in range(2)] == [200, 429]


def test_a_true_wish_to_leave_never_waits(web: Site) -> None:
    """Mail services post for all their readers from few addresses; a forged one waits like everybody."""
    for _ in range(61):
        web.client.get("/u/x")
    assert web.client.post("/u/x").status == 429
    assert web.client.post(leave(ADA)).status == 200
    assert web.client.post(leave(ADA)).status == 200
    assert web.client.post(view(1, NOOR)).status == 429


def test_the_limiter_forgets_who_asked_longest_ago() -> None:
    """Its memory has an end, and the latest keep theirs."""
    limiter = Limiter(lambda: 0.0, burst=1, clients=3)
    for name in ("a", "b", "c", "d"):
        assert limiter.wait(name) == 0
    assert len(limiter) == 3
    assert limiter.wait("d") == 1
    assert limiter.wait("a") == 0


def test_a_refused_request_does_not_lengthen_the_wait() -> None:
    """Who knocks on is let in no later than who waits."""
    now = 0.0
    limiter = Limiter(lambda: now, burst=2, per_second=0.5)
    assert [limiter.wait("a") for _ in range(4)] == [0, 0, 2, 2]
    now = 2.0
    assert limiter.wait("a") == 0


@pytest.mark.parametrize(
    ("host", "same"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("x" * 1000, "x" * 64),
    ],
)
def test_one_customer_is_one_client(host: str, same: str) -> None:
    """An IPv6 customer has as many addresses as they like; garbage takes little memory."""
    assert client(host) == same


# -- words and traces -----------------------------------------------------------------


def test_the_pages_speak_the_newsletter_s_language(workspace: Workspace, database: Database) -> None:
    """German where it is German; English, and marked so, where there are no words for it."""
    german, welsh = (site(workspace, database, lang=lang) for lang in ("de-AT", "cy"))
    page = german.client.get(leave(ADA)).text
    assert 'lang="de-AT"' in page
    assert "<button>Abbestellen</button>" in page
    assert 'lang="en"' in welsh.client.get(leave(ADA)).text
    for each in (german, welsh):
        each.client.close()


@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_page_has_words_that_can_be_filled(lang: str) -> None:
    """No language lacks a page, a place for the address to write to, or the word that nothing was changed."""
    tongue, all_words = words(lang)
    assert tongue == lang
    values = dict.fromkeys(("name", "address", "leave", "contact"), "X")
    for text in all_words:
        assert text.heading.format(**values)
        assert [line.format(**values) for line in text.lines]
    for text in (all_words.unused, all_words.later, all_words.busy):
        assert "{leave}" in "".join(text.lines)


def test_what_the_configuration_says_is_text(workspace: Workspace, database: Database) -> None:
    """A name with marks of HTML or of a template is shown as it is."""
    web = site(workspace, database, name="<b>{name} & {{7*7}}", unsubscribe_email='"<x>"@example.org')
    page = web.client.get("/u/x").text
    assert "&lt;b&gt;{name} &amp; {{7*7}}" in page
    assert "<x>" not in page
    assert 'href="mailto:%22%3Cx%3E%22@example.org"' in page
    web.client.close()


@pytest.mark.parametrize(
    ("address", "shown"),
    [("ada@example.org", "a•••@example.org"), ("a@example.org", "a•••@example.org"), ('"a@b"@x.org', '"•••@x.org')],
)
def test_an_address_is_masked(address: str, shown: str) -> None:
    """Its owner knows it, and nobody learns how long it is."""
    assert masked(address) == shown


def test_the_log_names_no_token(web: Site) -> None:
    """Who asked, what for and what came of it; the rest of the path opens somebody's page."""
    web.client.post(leave(ADA))
    web.client.get(view(1, ADA))
    web.client.get("/nothing%1b[2J")
    web.client.get(f"/wrong/prefix{leave(ADA)}")
    assert web.seen == [
        "203.0.113.7 POST /u/*** 200",
        "203.0.113.7 GET /v/*** 404",
        r"203.0.113.7 GET /nothing\x1b[2J 404",
        "203.0.113.7 GET /wrong/prefix/u/*** 404",
    ]
    assert masked_path(f"/U/{token(LINKS.unsubscribe(ADA))}/x") == "/U/***/x"


def test_a_waiting_writer_keeps_no_reader_waiting(workspace: Workspace) -> None:
    """The page is shown while another process writes."""
    database = ledger(workspace)
    web = site(workspace, database)
    with database.write():
        assert web.client.get(leave(ADA)).status == 200
    web.client.close()
    database.close()
