"""``newsletter new --from`` as a real command: what it makes, prints and refuses."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support import Workspace

SAMPLES = Path(__file__).parent.parent / "content" / "drafts_samples"
DRAFT = "The tide tables\n\nBy Ada Moreno\n\nThe table for next year came on Tuesday. It is a thin blue booklet.\n"


def issues(workspace: Workspace) -> list[str]:
    """The names of the issue folders."""
    return sorted(path.name for path in (workspace.root / "issues").glob("*"))


def test_a_draft_becomes_an_issue_that_builds_and_passes(workspace: Workspace) -> None:
    """One command from a text to a mail; what was recognised and what to look at is told."""
    workspace.write("in/draft.txt", DRAFT)
    result = workspace.newsletter("new", "--from", "in/draft.txt")
    assert "Recognised: title, authors" in result.out
    assert re.search(r"Next: .*newsletter build \d{4}-\d\d-\d\d-the-tide-tables", result.out)
    workspace.newsletter("build")
    workspace.newsletter("check")
    again = workspace.run("new", "--from", "in/draft.txt")
    assert again.code == 65
    assert "there already" in again.err
    assert len(issues(workspace)) == 1


def test_standard_input_is_read_and_json_told(workspace: Workspace) -> None:
    """A title on the command line wins over the one in the text, which stays."""
    found = workspace.newsletter(
        "new", "Mine", "--from", "-", "--as", "markdown", "--json", input="# Theirs\n\n{{ x }}\n"
    ).json()
    assert (found["title"], found["kind"], found["pictures"], found["comments"]) == ("Mine", "markdown", [], [])
    assert Path(found["path"]).read_text("utf-8").endswith("---\n\n## Theirs\n\n\\{{ x }}\n")


def test_entries_of_a_feed_are_chosen_by_options(workspace: Workspace) -> None:
    """By number, by day, and by count; what has no day is told."""
    source = str(SAMPLES / "feed.rss")
    by_day = workspace.newsletter("new", "--from", source, "--since", "2026-11-01", "--limit", "1", "--json")
    assert by_day.json()["title"] == "Gale & calm"
    assert "1 entry without a date" in by_day.err
    picked = workspace.newsletter("new", "--from", source, "--pick", "4,2", "--json").json()
    text = Path(picked["path"]).read_text("utf-8")
    assert picked["title"] == "Harbour & Sea"
    assert text.index("## [Old news]") < text.index("## [New lamp]")


def test_entries_of_a_feed_are_chosen_on_a_terminal(workspace: Workspace) -> None:
    """A wrong answer is asked for again."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "new", "--from", str(SAMPLES / "feed.atom")],
        cwd=workspace.root, env=workspace.environment(), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, b"7\n2\n")
    out, err = running.communicate(timeout=60)
    os.close(ours)
    assert running.returncode == 0, err
    assert "   1  2026-11-24  On rulers" in err
    assert "“7” names no entry" in err
    assert "on-erasers" in out


@pytest.mark.parametrize(
    ("data", "arguments", "code", "message"),
    [
        (None, (), 65, "there is no such file"),
        (b"", (), 65, "there is nothing in it"),
        (b" \n\t", (), 65, "there is nothing in it"),
        (b"\x00\x01\x02", (), 65, "not a text"),
        (b"%PDF-1.7", (), 65, "a PDF"),
        (b"PK\x03\x04", (), 65, "a Word"),
        ("Привет, мир".encode("cp1251"), (), 65, "not UTF-8"),
        (b"words", ("--encoding", "klingon"), 65, "no encoding"),
        (b"words", ("--as", "feed"), 65, "cannot be read"),
        (b"<html><p>x", ("--as", "feed"), 65, "cannot be read"),
        (b"<root/>", ("--as", "feed"), 65, "not a feed"),
        (b"<rss><channel/></rss>", (), 65, "no entries"),
        (b"words", ("--pick", "1"), 2, "are for feeds"),
        (b"<script>x</script>", ("--as", "html"), 65, "no text in it"),
        (b"<rss><item/><item/></rss>", (), 2, "no terminal"),
        (b"<rss><item/><item/></rss>", ("--since", "soon"), 65, "not an ISO date"),
        (b"<rss><item/><item/></rss>", ("--since", "2026-01-01"), 65, "as recent as"),
        (b"a" * 2_100_000, (), 65, "too long for an issue"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(
    workspace: Workspace, data: bytes | None, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """And nothing is made."""
    if data is not None:
        workspace.write("draft", data)
    result = workspace.run("new", "--from", "draft", *arguments, input="")
    assert result.code == code, result.err
    assert message in result.err
    assert "Traceback" not in result.err
    assert issues(workspace) == []


def test_options_for_a_source_need_one(workspace: Workspace) -> None:
    """And without a source a title is needed."""
    assert workspace.run("new", "A title", "--pick", "1").code == 2
    assert "needs a title" in workspace.run("new").err
