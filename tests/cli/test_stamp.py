"""A build that is up to date is left as it is; anything else is built."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from newsletter.cli import stamp as stamps
from newsletter.cli import wiring
from newsletter.links import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from support import Workspace

    from newsletter.cli.stamp import Stamp

SLUG = "2026-11-23-hello"
BUILT = {"email.html": b"<p>Hello</p>", "images/a.jpg": b"\xff\xd8"}


def made(workspace: Workspace) -> Stamp:
    """The stamp of the workspace as it is now."""
    found = wiring.stamp(workspace.config(), workspace.root / "issues" / SLUG)
    assert found
    return found


@pytest.fixture
def target(workspace: Workspace) -> Path:
    """A workspace with one issue, a theme of its own, a data file, and a build that is up to date."""
    workspace.issue("Hello", data="numbers.yaml")
    workspace.write(f"issues/{SLUG}/numbers.yaml", "a: 1\n")
    workspace.write("templates/mine/theme.yaml", "title: Mine\n")
    for name, data in BUILT.items():
        workspace.write(f"build/{SLUG}/{name}", data)
    made(workspace).keep(BUILT)
    return workspace.root / "build" / SLUG


def test_an_unchanged_build_is_known(workspace: Workspace, target: Path) -> None:
    """With the sizes of its files, in the order in which they were built."""
    assert list((made(workspace).unchanged(target) or {}).items()) == [("email.html", 12), ("images/a.jpg", 2)]


@pytest.mark.parametrize(
    "name",
    ["newsletter.yaml", f"issues/{SLUG}/index.md", f"issues/{SLUG}/numbers.yaml", "templates/mine/theme.yaml"],
)
def test_a_changed_byte_is_seen(workspace: Workspace, target: Path, name: str) -> None:
    """In the configuration, the issue, its data and the theme; taking it back brings the build back."""
    path = workspace.root / name
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    assert made(workspace).unchanged(target) is None
    path.write_bytes(before)
    assert made(workspace).unchanged(target)


@pytest.mark.parametrize("name", [f"issues/{SLUG}/new.jpg", "templates/other/theme.yaml"])
def test_a_new_file_is_seen(workspace: Workspace, target: Path, name: str) -> None:
    """Beside the issue, or in a theme; so is one that is gone or renamed."""
    path = workspace.write(name, "x")
    first = made(workspace)
    assert first.unchanged(target) is None
    path.rename(path.with_name("renamed.jpg"))
    assert made(workspace).inputs != first.inputs
    path.with_name("renamed.jpg").unlink()
    assert made(workspace).unchanged(target)


def test_two_files_that_swap_their_bytes_are_seen(workspace: Workspace, target: Path) -> None:
    """And bytes that move from one to the next: names and lengths count, too."""
    for one, two in (("a", "bc"), ("ab", "c"), ("c", "ab")):
        workspace.write(f"issues/{SLUG}/one.yaml", one)
        workspace.write(f"issues/{SLUG}/two.yaml", two)
        current = made(workspace)
        assert current.unchanged(target) is None
        current.keep(BUILT)


def test_another_program_builds_again(workspace: Workspace, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other sources, another Python or another release of a library."""
    facts = [*stamps._program()]
    assert any("stamp.py" in fact for fact in facts)
    assert any(fact.lower().startswith("jinja2-") for fact in facts)
    assert made(workspace).unchanged(target)
    monkeypatch.setattr(stamps, "_program", lambda: [*facts[:-1], "jinja2-99.0.dist-info"])
    assert made(workspace).unchanged(target) is None


def _damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("how", ["changed", "gone", "left over", "all gone"])
def test_a_damaged_output_is_seen(workspace: Workspace, target: Path, how: str) -> None:
    """A file that was changed, removed or added by hand."""
    if how == "changed":
        _damage(target / "images" / "a.jpg")
    elif how == "gone":
        (target / "email.html").unlink()
    elif how == "left over":
        workspace.write(f"build/{SLUG}/images/old.jpg", "x")
    else:
        target.rename(target.with_name("elsewhere"))
    assert made(workspace).unchanged(target) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", '"x"', "\0", '{"inputs": 1, "files": {}}', '{"inputs": "INPUTS"}',
        '{"inputs": "INPUTS", "files": []}', '{"inputs": "INPUTS", "files": {}}',
        '{"inputs": "INPUTS", "files": {"email.html": 1, "images/a.jpg": null}}',
    ],
)  # fmt: skip
def test_a_corrupt_stamp_is_no_stamp(workspace: Workspace, target: Path, text: str) -> None:
    """Whatever stands in the file."""
    current = made(workspace)
    current.path.write_text(text.replace("INPUTS", current.inputs))
    assert current.unchanged(target) is None


def test_what_cannot_be_told_has_no_stamp(workspace: Workspace, target: Path) -> None:
    """A link to a folder, and an id that another issue has; a link to a file counts as its bytes."""
    (workspace.root / "issues" / SLUG / "link.yaml").symlink_to(workspace.write("linked.yaml", "b: 1\n"))
    linked = made(workspace)
    workspace.write("linked.yaml", "b: 2\n")
    assert made(workspace).inputs != linked.inputs
    copy = workspace.write("issues/copy/index.md", (workspace.root / "issues" / SLUG / "index.md").read_bytes())
    assert wiring.stamp(workspace.config(), workspace.root / "issues" / SLUG) is None
    copy.unlink()
    assert made(workspace)
    (workspace.root / "issues" / SLUG / "more").symlink_to(target)
    assert wiring.stamp(workspace.config(), workspace.root / "issues" / SLUG) is None


def test_a_state_that_cannot_be_written_is_done_without(workspace: Workspace, target: Path) -> None:
    """The build itself has succeeded by then."""
    current = made(workspace)
    current.path.unlink()
    current.path.parent.rmdir()
    current.path.parent.write_text("in the way")
    current.keep(BUILT)
    assert current.unchanged(target) is None


def test_build_says_what_it_left_alone(workspace: Workspace) -> None:
    """Made, kept, made again after a change; what is kept is what was made, also in JSON."""
    folder = workspace.issue("Hello")
    first = workspace.newsletter("build")
    assert "made" in first.out
    assert "kept" not in first.out
    again = workspace.newsletter("build")
    assert "made" not in again.out
    assert "up to date" in again.out
    assert [line.split()[1:] for line in again.out.splitlines() if line.startswith("kept")] == [
        line.split()[1:] for line in first.out.splitlines() if line.startswith("made")
    ]
    files = json.loads(workspace.newsletter("build", "--json").out)["files"]
    target = workspace.root / "build" / folder.name
    assert files == {name: (target / name).stat().st_size for name in files}
    _damage(target / "email.html")
    assert "made" in workspace.newsletter("build").out
    manifest = json.loads((target / "manifest.json").read_bytes())
    assert fingerprint((target / "email.html").read_bytes()) == manifest["files"]["email.html"]["sha256"]
    workspace.issue("Hello again")
    assert "made" in workspace.newsletter("build").out
    assert "Hello again" in (target / "email.txt").read_text()


def test_check_never_trusts_the_stamp(workspace: Workspace) -> None:
    """``build --check`` builds, whatever a stamp says of the files."""
    folder = workspace.issue("Hello")
    workspace.newsletter("build")
    target = workspace.root / "build" / folder.name
    _damage(target / "email.html")
    current = wiring.stamp(workspace.config(), folder)
    assert current
    current.keep({p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()})
    assert "kept" in workspace.newsletter("build").out
    assert workspace.run("build", "--check").code == 1
