"""What readers will ask for is fetched first: the page of this very ledger, and every picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from newsletter.delivery import reach
from newsletter.errors import BadConfig, Problem
from newsletter.links import Links
from newsletter.model import Picture, Place
from newsletter.providers.fetch import Fetcher, Unreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

LINKS = Links("https://letters.example.org/sub", b"a secret for tests only")
PROOF = {"proof": LINKS.proof("instance-1")}
PICTURES = tuple(Picture(f"{n}.png", b"bytes %d" % n, "image/png", 1, 1, Place("x")) for n in (1, 2))
PAGE = "https://letters.example.org/sub/.well-known/newsletter"
BASE = "https://static.example.org/images/"
GOOD: Mapping[str, httpx.Response] = {
    PAGE: httpx.Response(200, json=PROOF),
    f"{BASE}1.png": httpx.Response(200, content=b"bytes 1"),
    f"{BASE}2.png": httpx.Response(200, content=b"bytes 2"),
}


def found(**changes: httpx.Response | Exception) -> list[tuple[Problem, bool]]:
    """What is missing; keys are ``page``, ``one``, ``two``, and ``proof`` for another place of the page."""
    names = {"page": PAGE, "one": f"{BASE}1.png", "two": f"{BASE}2.png", "proof": f"{BASE}proof"}
    answers: dict[str, httpx.Response | Exception] = {**GOOD, **{names[key]: value for key, value in changes.items()}}

    def handle(request: httpx.Request) -> httpx.Response:
        answer = answers.get(str(request.url), httpx.Response(404))
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    with Fetcher(httpx.MockTransport(handle)) as fetch:
        return missing(fetch)


def missing(fetch: Fetcher) -> list[tuple[Problem, bool]]:
    """What is missing for the pictures and the ledger of these tests."""
    return list(
        reach.missing(
            links=LINKS,
            instance="instance-1",
            picture_base=BASE,
            pictures=PICTURES,
            fetch=fetch,
            unreachable=Unreachable,
        )
    )


def test_nothing_is_missing_when_all_is_there() -> None:
    """The proof is of this ledger and this secret, and each picture has its bytes."""
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "words", "absent"),
    [
        ({"page": httpx.Response(404)}, "answers 404", True),
        ({"page": httpx.Response(301, headers={"location": f"{BASE}page"})}, "leads to another address", True),
        ({"page": httpx.Response(500)}, "answers 500", True),
        ({"page": httpx.ConnectError("no")}, "public_url does not answer", True),
        ({"page": httpx.ConnectTimeout("no")}, "did not answer in time", True),
        ({"page": httpx.Response(200, text="<html>")}, "another page", True),
        ({"page": httpx.Response(200, json=[])}, "another page", True),
        ({"page": httpx.Response(200, json={"proof": LINKS.proof("instance-2")})}, "another ledger", False),
        ({"page": httpx.Response(200, json={"proof": None})}, "another ledger", False),
        ({"one": httpx.Response(404)}, "1.png: it answers 404", True),
        ({"two": httpx.ReadTimeout("no")}, "2.png: no answer in time", True),
        ({"two": httpx.Response(200, content=b"other")}, "another picture", False),
        ({"two": httpx.Response(302, headers={"location": f"{BASE}2.png"})}, "more than 3 times", True),
    ],
)
def test_what_is_not_there_or_wrong_is_named(
    changes: dict[str, httpx.Response | Exception], words: str, absent: object
) -> None:
    """With its address, and whether it is merely not there."""
    ((problem, gone),) = found(**changes)
    assert words in str(problem)
    assert gone is absent
    assert problem.hint


def test_pictures_behind_a_redirect_are_there() -> None:
    """Mail programs follow it as well."""
    elsewhere = httpx.Response(301, headers={"location": f"{BASE}1.png"})
    assert len(found(two=elsewhere)) == 1  # the first picture's bytes are not the second's
    assert "another picture" in str(found(two=elsewhere)[0][0])


def test_a_page_behind_a_redirect_is_of_no_use() -> None:
    """Even the right one: nobody follows a redirect for a reader who leaves (RFC 8058 §3.1)."""
    ((problem, absent),) = found(page=httpx.Response(308, headers={"location": f"{BASE}proof"}), proof=GOOD[PAGE])
    assert "it answers 308, which leads to another address" in str(problem)
    assert absent


def test_a_server_that_cannot_be_reached_is_asked_once() -> None:
    """Not once a picture, ten seconds each; its pictures are one problem, and other servers are asked all the same."""
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.url.host == "static.example.org":
            message = "no"
            raise httpx.ConnectTimeout(message)
        return httpx.Response(200, json=PROOF)

    with Fetcher(httpx.MockTransport(handle)) as fetch:
        (only,) = missing(fetch)
    assert asked == [PAGE, f"{BASE}1.png"]
    assert only[1]
    assert f"2 pictures of this issue are not where readers will look: {BASE}1.png, the first of them" in str(only[0])


def test_a_server_with_another_secret_would_lose_those_who_leave() -> None:
    """The same ledger is not enough."""
    other = Links(LINKS.base, b"another secret entirely").proof("instance-1")
    ((problem, absent),) = found(page=httpx.Response(200, json={"proof": other}))
    assert "another secret" in str(problem)
    assert not absent


def test_everything_missing_is_told_at_once() -> None:
    """A real send is refused with all of it; a trial only with what is wrong."""
    both = found(page=httpx.Response(404), one=httpx.Response(200, content=b"other"), two=httpx.Response(404))
    with pytest.raises(BadConfig) as caught:
        reach.must_be_there(both, trial=False)
    assert len(caught.value.problems) == 3
    with pytest.raises(BadConfig) as caught:
        reach.must_be_there(both, trial=True)
    assert len(caught.value.problems) == 1
    absent = found(page=httpx.Response(404), two=httpx.Response(404))
    assert len(reach.must_be_there(absent, trial=True)) == 2
    assert reach.must_be_there([], trial=False) == ()
