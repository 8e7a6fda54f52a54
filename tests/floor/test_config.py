"""newsletter.yaml: read once, all problems at once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from newsletter.config import Config, load, secret
from newsletter.errors import BadConfig

if TYPE_CHECKING:
    from pathlib import Path

    from support import Workspace

GOOD = "name: X\nfrom: A <a@example.org>\n"


def problems(root: Path, text: str) -> list[tuple[int, int, str]]:
    """Line, column and first line of each problem."""
    (root / "newsletter.yaml").write_text(text, "utf-8")
    with pytest.raises(BadConfig) as caught:
        load(root)
    found = []
    for problem in caught.value.problems:
        assert problem.place is not None
        found.append((problem.place.line, problem.place.col, f"{problem.message} {problem.hint}"))
    return found


@pytest.mark.parametrize(
    ("text", "line", "col", "words"),
    [
        (GOOD + "pstal_address: x\n", 3, 1, "postal_address"),
        (GOOD + "send:\n  wrkers: 2\n", 4, 3, "workers"),
        (GOOD + "send: 3\n", 3, 7, "further keys"),
        (GOOD + "send:\n  batch: 0\n", 4, 10, "from 1 to 1,000"),
        (GOOD + "timezone: Mars/Olympus\n", 3, 11, "time zone"),
        (GOOD + "lang: english please\n", 3, 7, "language tag"),
        (GOOD + "provider: mailgum\n", 3, 11, "mailgun"),
        (GOOD + "public_url: letters.example.org\n", 3, 13, "https"),
        (GOOD + "api_key: abc\n", 3, 1, ".env"),
        (GOOD + "issues: ../elsewhere\n", 3, 9, "inside the workspace"),
        (GOOD + "name: Y\n", 3, 1, "already given on line 1"),
        ("from: A <a@example.org>\n", 1, 1, "“name” is missing"),
        ("name: X\nfrom: nobody\n", 2, 7, "address of the form"),
        ('name: X\nfrom: "=?utf-8?q?A=0ABcc=3A?= <a@example.org>"\n', 2, 7, "hides a line break"),
        ('name: "a\\nb"\nfrom: A <a@example.org>\n', 1, 7, "line break"),
        ("name: [X\n", 1, 7, "not valid YAML"),
        ("- name\n", 1, 1, "key: value"),
    ],
)
def test_a_problem_is_named_with_its_place(tmp_path: Path, text: str, line: int, col: int, words: str) -> None:
    """``path:line:col``, and what to do."""
    found = problems(tmp_path, text)
    assert [(a, b) for a, b, _ in found] == [(line, col)]
    assert words in found[0][2]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    """One run, one list, in the order of the file."""
    found = problems(tmp_path, "nmae: X\nfrom: x\nsend:\n  batch: many\n")
    assert [line for line, _, _ in found] == [1, 1, 2, 4]


def test_the_tree_is_frozen_and_typed(workspace: Workspace) -> None:
    """Nobody changes the configuration under another's feet."""
    config = workspace.config()
    assert config.sender.address == "tess@example.org"
    assert config.postal_address == ("1 Quay Street", "20457 Hamburg")
    assert str(config.timezone) == "Europe/Berlin"
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.name = "Other"  # type: ignore[misc]


def test_defaults_are_those_of_the_reference(workspace: Workspace) -> None:
    """A minimal file is enough."""
    config: Config = workspace.config()
    assert (config.provider, config.theme, config.issues, config.lang) == ("outbox", "default", "issues", "en")
    assert config.picture_base == "http://localhost:8025/images/"


def test_the_environment_wins_over_the_env_file(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """As every deployment tool expects."""
    monkeypatch.delenv("NEWSLETTER_SECRET", raising=False)
    assert secret(workspace.root).startswith("a-secret")
    monkeypatch.setenv("NEWSLETTER_SECRET", "another-secret-of-length")
    assert secret(workspace.root) == "another-secret-of-length"


def test_a_short_secret_is_refused_without_being_shown(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would protect nothing."""
    monkeypatch.setenv("NEWSLETTER_SECRET", "hunter2")
    with pytest.raises(BadConfig) as caught:
        secret(workspace.root)
    assert "hunter2" not in str(caught.value)


def test_no_configuration_says_how_to_make_one(workspace: Workspace) -> None:
    """Exit 78, and the next command."""
    (workspace.root / "newsletter.yaml").unlink()
    result = workspace.run("check")
    assert result.code == 78
    assert "newsletter init" in result.err
    assert "Traceback" not in result.err
