"""Documentation that comes from the code."""

from __future__ import annotations

from support import ROOT

from newsletter.config import KEYS, reference


def test_the_configuration_page_is_what_the_code_says() -> None:
    """`make docs` brings it up to date."""
    assert (ROOT / "docs" / "configuration.md").read_text("utf-8") == reference()


def test_every_key_is_explained_with_an_example_that_can_be_read() -> None:
    """An example that its own key refuses would be worse than none."""
    for key in KEYS:
        assert key.help.endswith("."), key.name
        key.read(key.example)
