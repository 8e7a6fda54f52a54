"""The page on what a send guarantees gets its figures from the runs of the harness."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from delivery.harness import figures
from delivery.harness.figures import kept, note, number, shares
from delivery.harness.page import BEGIN, END, PAGE, Unmarked, put
from delivery.harness.page import figures as tables

from newsletter.delivery.checker import INVARIANTS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the figures of this test go."""
    monkeypatch.setattr(figures, "FOLDER", tmp_path)
    return tmp_path


def test_the_page_has_a_place_for_the_figures() -> None:
    """And keeps what a person wrote around it; twice the same is once."""
    text = PAGE.read_text("utf-8")
    once = put(text, "\nfigures\n")
    assert once.partition(BEGIN)[0] == text.partition(BEGIN)[0]
    assert once.partition(END)[2] == text.partition(END)[2]
    assert put(once, "\nfigures\n") == once


@pytest.mark.parametrize("text", ["", BEGIN, END + BEGIN, BEGIN + END + END, BEGIN + BEGIN + END])
def test_a_page_without_its_marks_is_left_alone(text: str) -> None:
    """Nothing is written where nobody knows what would be overwritten."""
    with pytest.raises(Unmarked):
        put(text, "figures")


def test_parts_of_a_layer_are_added_up(folder: Path) -> None:
    """Those of the same run, when all of them are there."""
    note("B", "one", 2, lives=20, happened={"deaths": 3})
    assert kept("B", folder) is None
    note("B", "two", 2, lives=20, happened={"deaths": 4})
    found = kept("B", folder)
    assert found is not None
    assert (found.total("lives"), found.total("deaths"), len(found.parts)) == (40, 7, 2)


def test_parts_of_different_runs_are_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest whole run counts, whatever a later one has begun."""
    note("C", "one", 1, kills=5)
    monkeypatch.setattr(figures, "RUN", "another")
    note("C", "two", 2, kills=50)
    found = kept("C", folder)
    assert found is not None
    assert found.total("kills") == 5
    note("C", "three", 2, kills=50)
    assert kept("C", folder).total("kills") == 100  # type: ignore[union-attr]


def test_the_tables_say_what_was_run(folder: Path) -> None:
    """Every rule, every layer, and of each mistake what found it."""
    note("A", "one", 1, kind="no-keys", deaths=1_234)
    note("E", "mark before send", 1, mutant="mark before send", rule="once", seed=7)
    text = tables(folder)
    assert "| 1,234 deaths, in 1 sends through 1 kinds" in text
    assert "| mark before send | *once* | 7 |" in text
    assert text.count("| not run |") == 5
    assert all(f"| *{rule}* |" in text for rule in INVARIANTS)


def test_a_total_is_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """In even parts, none above the most; the amount is the variable's, or that of the run's size."""
    assert shares(100, 40) == [34, 33, 33]
    assert shares(3, 10, least=2) == [2, 1]
    assert sum(shares(1_001, 40)) == 1_001
    monkeypatch.delenv("NEWSLETTER_TEST_SEEDS", raising=False)
    monkeypatch.setenv("NEWSLETTER_TEST_SIZE", "full")
    assert number("SEEDS") == 1_000
    monkeypatch.setenv("NEWSLETTER_TEST_SEEDS", "7")
    assert number("SEEDS") == 7


def test_figures_can_be_read_by_others(folder: Path) -> None:
    """A file of JSON for each part."""
    note("F", "a b", 1, stories=3)
    assert json.loads((folder / "F" / "a-b-of-1.json").read_text("utf-8"))["stories"] == 3
