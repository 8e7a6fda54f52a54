"""The example of the page on themes is one that can be used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from render.helpers_render import TEMPLATES
from support import ROOT

from newsletter.render.theme import load_theme

if TYPE_CHECKING:
    from pathlib import Path


def test_the_example_of_the_documentation_is_a_theme(tmp_path: Path) -> None:
    """Every key of it is read, and its colours can be seen."""
    page = (ROOT / "docs" / "themes.md").read_text("utf-8")
    example = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert example
    home = tmp_path / "mine"
    home.mkdir()
    (home / "theme.yaml").write_text(example[1], "utf-8")
    (home / "mail.css").write_text("@parent;\n.stamp { color: $stamp; }\n", "utf-8")
    (home / "dark.css").write_text("@parent;\n.page .stamp { color: $stamp_dark; }\n", "utf-8")
    theme = load_theme("mine", [tmp_path, TEMPLATES])
    assert (theme.title, theme.parent, theme.widths["card"]) == ("Mine", "digest", 160)
    assert theme.logo is not None
    assert {each.pair.text for each in theme.contrast} >= {"stamp", "on_hero"}
