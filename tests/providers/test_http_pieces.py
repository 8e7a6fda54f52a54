"""A body leaves in pieces that together are the body."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from newsletter.providers import http
from newsletter.providers.http import PIECE, _pieces

SIZES = st.sampled_from([0, 1, 100, PIECE // 3, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 1, 5 * PIECE])


@given(st.lists(SIZES, max_size=8))
def test_pieces_are_the_body_and_none_is_large(sizes: list[int]) -> None:
    """Whatever parts it has: small ones are joined, large ones cut, and nothing is copied that need not be."""
    body = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    pieces = list(_pieces(body))
    assert b"".join(pieces) == b"".join(body)
    assert all(len(piece) <= 2 * http.PIECE for piece in pieces)
    assert len(pieces) <= 2 * sum(sizes) // PIECE + 1
