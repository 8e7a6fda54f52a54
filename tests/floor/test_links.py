"""Tokens: what is not ours is told from what is, whatever it looks like."""

from __future__ import annotations

import hmac
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.links import Links, _macs, _signatures

LINKS = Links("https://x.org", b"a secret of some length")
GOOD = LINKS.unsubscribe(7).rpartition("/")[2]


@given(st.text(st.characters(codec=None, exclude_categories=())) | st.from_regex(r"1[a-z]\.[0-9a-z-]*\.[\w-]{22}"))
@example("")
@example("..")
@example("1u..")
@example("\udcff.\udcff")
@example("ü.ü.ü")
@example("1u.²." + "A" * 22)
@example("1u.7." + "A" * 10_000)
@example(f"{GOOD}\n")
@example(f" {GOOD}")
@example(GOOD.upper())
def test_nothing_but_our_own_tokens_is_read(text: str) -> None:
    """No text raises, and none is taken for one of ours."""
    for purpose in ("u", "v", "", "x"):
        assert LINKS.read(text, purpose) is None


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="utf-8"))
def test_one_other_character_makes_it_nobody_s(at: int, char: str) -> None:
    """Also the last, whose spare bits base64 would ignore."""
    changed = GOOD[:at] + char + GOOD[at + 1 :]
    assert (LINKS.read(changed, "u") is None) == (changed != GOOD)


@pytest.mark.parametrize("ids", ["", "-", "7-", "-7", "7--8", "+7", " 7", "7_0", "٧", "Z", "-1", "z" * 13, "1-2-3-4-5"])
def test_even_a_signature_does_not_make_an_odd_id_one_of_ours(ids: str) -> None:
    """Python would read some of them as numbers, and fail on others; a database could not look up the largest."""
    body = f"1u.{ids}"
    assert LINKS.read(f"{body}.{_signatures(LINKS.secret, [body])[0]}", "u") is None


def test_a_token_of_another_version_is_not_ours() -> None:
    """It could mean something else one day."""
    body = "2u.7"
    assert LINKS.read(f"{body}.{_signatures(LINKS.secret, [body])[0]}", "u") is None


def test_the_largest_id_of_a_token_fits_a_database() -> None:
    """SQLite's integers have 64 bits."""
    largest = 36**12 - 1
    assert LINKS.read(LINKS.unsubscribe(largest).rpartition("/")[2], "u") == (largest,)
    assert largest < 2**63


def test_a_proof_depends_on_secret_and_ledger_and_shows_neither() -> None:
    """And is no token for anything."""
    proof = LINKS.proof("3f2a")
    assert re.fullmatch("[0-9a-f]{64}", proof)
    assert proof == Links("https://y.org", LINKS.secret).proof("3f2a")
    assert proof not in {LINKS.proof("3f2b"), Links("https://x.org", b"another secret of length").proof("3f2a")}
    assert "3f2a" not in proof.removeprefix("3f2a")
    assert LINKS.read(proof, "u") is None


@given(st.binary(min_size=1, max_size=200), st.lists(st.text(st.characters(codec="utf-8")), max_size=3))
def test_our_signatures_are_hmac_sha256(secret: bytes, texts: list[str]) -> None:
    """Whatever the secret's length; RFC 2104 hashes one longer than a block first."""
    assert _macs(secret, texts) == [hmac.digest(secret, text.encode(), "sha256") for text in texts]


@given(st.lists(st.integers(0, 36**12 - 1), max_size=5), st.integers(0, 36**12 - 1))
def test_many_links_are_those_of_each(people: list[int], send: int) -> None:
    """A send makes them all together; they read back to the ids that they were made of."""
    assert LINKS.unsubscribe_each(people) == [LINKS.unsubscribe(person) for person in people]
    assert LINKS.view_each(send, people) == [LINKS.view(send, person) for person in people]
    tokens = [link.rpartition("/")[2] for link in LINKS.view_each(send, people)]
    assert [LINKS.read(token, "v") for token in tokens] == [(send, person) for person in people]
