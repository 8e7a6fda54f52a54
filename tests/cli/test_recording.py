"""``--record`` on the commands that make calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support import CONFIGURATION, Workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """An issue and four people, in batches of two."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}send:\n  batch: 2\n")
    workspace.issue("Hello {{ first_name }}.\n")
    people = "".join(f"canary{number}@example.com,Quokka\n" for number in range(4))
    workspace.write("people.csv", f"email,first_name\n{people}")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "form")
    return workspace


def recorded(path: Path) -> list[tuple[str, str, int]]:
    """What the lines say: call, outcome, and how many messages."""
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [(line["call"], line["outcome"], line["count"]) for line in lines]


def test_a_send_records_every_call(ready: Workspace) -> None:
    """One line for each batch, without anybody's address or values."""
    ready.newsletter("send", "--yes", "--record", "calls.jsonl")
    path = ready.root / "calls.jsonl"
    assert recorded(path) == [("submit", "accepted", 2)] * 2
    assert "canary" not in path.read_text("utf-8")
    assert "Quokka" not in path.read_text("utf-8")


def test_what_is_resumed_goes_on_in_the_same_record(ready: Workspace) -> None:
    """The file is appended to; a call that came to nothing has its line as well."""
    outbox = ready.write(".newsletter/outbox", "in the way")
    assert ready.run("send", "--yes", "--record", "calls.jsonl").code == 74
    path = ready.root / "calls.jsonl"
    failed = recorded(path)
    assert {each[:2] for each in failed} == {("submit", "not sent")}
    outbox.unlink()
    ready.newsletter("resume", "--yes", "--record", "calls.jsonl")
    assert recorded(path) == failed + [("submit", "accepted", 2)] * 2


def test_a_record_that_takes_no_more_ends_and_the_send_does_not(ready: Workspace) -> None:
    """What was accepted is accepted; the operator is told once."""
    result = ready.newsletter("send", "--yes", "--json", "--record", "/dev/full")
    assert result.json()["people"]["accepted"] == 4
    assert result.err.count("nothing more is recorded") == 1


def test_a_record_that_cannot_be_begun_sends_nothing(ready: Workspace) -> None:
    """With 74; a folder is a usage error."""
    assert ready.run("send", "--yes", "--record", "none/calls.jsonl").code == 74
    assert ready.run("send", "--yes", "--record", ".").code == 2
    assert ready.run("status").code == 1
