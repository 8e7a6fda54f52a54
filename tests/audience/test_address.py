"""Addresses as they are kept and as they are compared."""

from __future__ import annotations

import pytest

from newsletter.audience.address import BadAddress, parse


@pytest.mark.parametrize(
    ("typed", "kept", "key"),
    [
        ("ada@example.org", "ada@example.org", "ada@example.org"),
        ("Ada.L+news@Example.ORG", "Ada.L+news@example.org", "ada.l+news@example.org"),
        ("o'neill@example.org", "o'neill@example.org", "o'neill@example.org"),
        ("joe@exämple.org", "joe@xn--exmple-cua.org", "joe@xn--exmple-cua.org"),
        ("joe@XN--EXMPLE-CUA.org", "joe@xn--exmple-cua.org", "joe@xn--exmple-cua.org"),
        ("Zoe\u0308@example.org", "Zo\u00eb@example.org", "zo\u00eb@example.org"),
        ("用户@例え.jp", "用户@xn--r8jz45g.jp", "用户@xn--r8jz45g.jp"),
    ],
)
def test_an_address_is_kept_as_typed_and_compared_folded(typed: str, kept: str, key: str) -> None:
    """The local part keeps its case, the domain becomes ASCII; dots and tags tell people apart."""
    assert parse(typed) == (kept, key)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "there is no address"),
        ("ada", "“ada” is not an address: an email address must have an @-sign"),
        ("ada@localhost", "should have a period"),
        ("ada@mail.test", "special-use"),
        ("ada @example.org", "SPACE"),
        ("Ada <ada@example.org>", "display name"),
        ("ada@example.org, b@example.org", "is not an address"),
        ("ada@exam\x00ple.org", "“ada@exam\N{REPLACEMENT CHARACTER}ple.org” is not an address"),
        ("ada@example.org\r\nBcc: x@example.org", "is not an address"),
        (f"ada@{'long.' * 60}org", "is not an address"),
        ("ada@[127.0.0.1]", "is not an address"),
        ('"a b"@example.org', "is not an address"),
    ],
)
def test_what_is_no_address_says_why(typed: str, reason: str) -> None:
    """The reason is one line without control characters."""
    with pytest.raises(BadAddress) as raised:
        parse(typed)
    assert reason in str(raised.value)
    assert str(raised.value).isprintable()
