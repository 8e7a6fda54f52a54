"""Mentions of an address in free text: found in any spelling, and told from longer addresses."""

from __future__ import annotations

import pytest

from newsletter.audience.address import spellings
from newsletter.store.mentions import mentions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada@example.org", "(erased)"),
        ("to ADA@Example.ORG, she said", "to (erased), she said"),
        ("'to' is not an address: 'ada@example.org'.", "'to' is not an address: '(erased)'."),
        ("Ada <ada@example.org>; mailto:ada@example.org", "Ada <(erased)>; mailto:(erased)"),
        ("GET /events?recipient=ada%40example.org&limit=3", "GET /events?recipient=(erased)&limit=3"),
        ("/to/bob%2Cada%40example.org", "/to/bob%2C(erased)"),
        ('{"friend":"ada@example.org"}', '{"friend":"(erased)"}'),
        ("granada@example.org", "granada@example.org"),
        ("x.ada@example.org, ada+1@example.org", "x.ada@example.org, ada+1@example.org"),
        ("ada@example.organic, ada@example.org.uk", "ada@example.organic, ada@example.org.uk"),
        ("ada at example.org", "ada at example.org"),
    ],
)
def test_a_mention_goes_and_nothing_else(text: str, expected: str) -> None:
    """Whole addresses only, in any case and in a URL."""
    found = mentions(spellings("Ada@example.org"))
    assert found.without(text) == expected
    assert found.within(text) == (text != expected)


@pytest.mark.parametrize(
    "text",
    [
        "zoë@müller.example",
        "zoë@xn--mller-kva.example",
        "zo%C3%AB%40m%C3%BCller.example",
        r"zo\u00eb@m\u00FCller.example",
    ],
)
def test_a_domain_in_another_script_is_known_in_each_form(text: str) -> None:
    """As typed, as the network has it, and in a URL."""
    assert mentions(spellings("zoë@müller.example")).without(f"<{text}>") == "<(erased)>"
