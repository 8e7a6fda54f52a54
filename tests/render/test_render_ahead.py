"""The default theme's compiled templates are kept, and never in the way of what a template says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from render.helpers_render import default_theme

from newsletter.errors import BadInput
from newsletter.render import ahead
from newsletter.render.jinja import Templates

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = {"a.mjml.j2": "<p>{{ x }}</p>", "b.txt.j2": "{{ x }}\n{{ y.z }}"}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the code is kept, with leave to write it."""
    path = tmp_path / "ahead.templates"
    monkeypatch.setattr(ahead, "cache_from_source", lambda _: str(path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return path


def shown(compiled: ahead.Compiled) -> str:
    """What the two templates say of a value."""
    templates = Templates({name: (text, f"theme/{name}") for name, text in SOURCES.items()}, compiled)
    return templates.render("a.mjml.j2", {"x": "<&"}) + templates.render("b.txt.j2", {"x": "<&", "y": {"z": 1}})


def test_kept_code_says_the_same(kept: Path) -> None:
    """Escaping included, made now or read again; the second time nothing is written."""
    first = ahead.compiled(SOURCES)
    assert first.keys() == set(SOURCES.items())
    before = kept.stat()
    second = ahead.compiled(SOURCES)
    assert shown({}) == shown(first) == shown(second) == "<p>&lt;&amp;</p><&\n1"
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_text_is_compiled_anew(kept: Path) -> None:
    """A changed template is neither taken from the file nor, in a theme of one's own, from what was kept."""
    first = ahead.compiled(SOURCES)
    own = Templates({"a.mjml.j2": ("<b>{{ x }}</b>", "mine/a.mjml.j2")}, first)
    assert own.render("a.mjml.j2", {"x": 1}) == "<b>1</b>"
    changed = {**SOURCES, "a.mjml.j2": "<i>{{ x }}</i>"}
    assert ahead.compiled(changed).keys() == set(changed.items())
    assert kept.is_file()


@pytest.mark.parametrize("cut", [0, 10, 32, 40, -1])
def test_a_damaged_file_is_made_again(kept: Path, cut: int) -> None:
    """Cut off anywhere."""
    ahead.compiled(SOURCES)
    whole = kept.read_bytes()
    kept.write_bytes(whole[:cut])
    assert shown(ahead.compiled(SOURCES)) == shown({})
    assert kept.read_bytes()[:32] == whole[:32]


def test_nothing_is_kept_without_leave(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python keeps no compiled modules then."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert ahead.compiled(SOURCES) == {}
    assert not kept.exists()


def test_a_fault_in_kept_code_has_its_place(kept: Path) -> None:
    """The template's path as this workspace shows it, and the line."""
    templates = Templates({name: (text, f"theme/{name}") for name, text in SOURCES.items()}, ahead.compiled(SOURCES))
    assert kept.is_file()
    with pytest.raises(BadInput) as caught:
        templates.render("b.txt.j2", {"x": 1, "y": {}})
    assert [str(problem.place) for problem in caught.value.problems] == ["theme/b.txt.j2:2:1"]


def test_the_default_theme_is_compiled_whole(kept: Path) -> None:
    """Every template of it."""
    theme = default_theme()
    assert kept.is_file()
    assert {(name, text) for name, (text, _) in theme.sources.items()} == theme.compiled.keys()
