"""Files, links, headers and YAML: the rest of the floor."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import files
from newsletter.errors import BadInput, Problem, Unwritable
from newsletter.headers import mailbox, unsafe
from newsletter.links import Links
from newsletter.model import Mailbox, Place
from newsletter.yamlread import Mapped, Scalar, read

if TYPE_CHECKING:
    from pathlib import Path

LINKS = Links("https://x.org", b"a secret of some length")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle costs nothing."""
    path = tmp_path / "a.txt"
    files.write(path, "old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unwritable, match="No space left"):
        files.write(path, "new", durable=True)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_written_with_its_mode(tmp_path: Path) -> None:
    """Secrets are for the owner alone."""
    files.write(tmp_path / "env", "x", mode=0o600, durable=True)
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600


def test_every_folder_on_the_way_gets_the_mode(tmp_path: Path) -> None:
    """A cache inside a folder that anybody may read would not be the owner's alone; what is there stays."""
    (tmp_path / "a").mkdir(mode=0o755)
    files.make_folder(tmp_path / "a" / "b" / "c", mode=0o700)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/c")] == [0o755, 0o700, 0o700]


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_token_gives_its_ids_back(send: int, person: int) -> None:
    """The endpoint finds the person without asking a database for a secret."""
    assert LINKS.read(LINKS.unsubscribe(person).rpartition("/")[2], "u") == (person,)
    assert LINKS.read(LINKS.view(send, person).rpartition("/")[2], "v") == (send, person)


def test_a_token_for_one_purpose_is_of_no_use_for_another() -> None:
    """Nor one that was changed, signed by another, or made up."""
    token = LINKS.unsubscribe(7).rpartition("/")[2]
    assert LINKS.read(token, "v") is None
    assert LINKS.read(token.replace(".7.", ".8."), "u") is None
    assert Links("https://x.org", b"another secret of length").read(token, "u") is None
    for wrong in ("", ".", "a.b.c", "1u.7.", "1u..é", token + "x"):
        assert LINKS.read(wrong, "u") is None


def test_the_secret_is_not_shown() -> None:
    """Not even in a traceback's locals."""
    assert "secret of some" not in repr(LINKS)


@pytest.mark.parametrize(
    "text",
    [
        "a\nBcc: x",
        "a\r\nb",
        "=?utf-8?q?hi=0ABcc=3A_evil=40x?=",
        "=?utf-8?b?YQpi?=",
        "ä =?utf-8?b?YQpi?=",
        "=?nonsense?q?x?=",
    ],
)
def test_a_hidden_line_break_is_found(text: str) -> None:
    """Before and after decoding (CVE-2024-6923)."""
    assert unsafe(text)


@pytest.mark.parametrize(
    "text", ["Hello", "Grüße 🎉", "1 + 1 =? 2", "=?utf-8?q?caf=C3=A9?=", "Grüße, =?utf-8?q?x?=", ""]
)
def test_harmless_text_is_not_refused(text: str) -> None:
    """Any script, and question marks."""
    assert unsafe(text) == ""


def test_a_sender_is_a_name_and_an_address() -> None:
    """Quotes around the name are the author's habit, not part of it."""
    assert mailbox('"Ada, Countess" <ada@example.org>') == Mailbox("Ada, Countess", "ada@example.org")
    assert mailbox("ada@example.org") == Mailbox("", "ada@example.org")


@pytest.mark.parametrize("text", ["", "Ada", "Ada <ada>", "a@b", "<a@b.c> x", "a b@c.de", "a@b.c\nBcc: x@y.z"])
def test_a_sender_without_an_address_is_refused(text: str) -> None:
    """With the reason."""
    with pytest.raises(ValueError, match=r"."):
        mailbox(text)


def test_yaml_keeps_words_as_words() -> None:
    """Norway is a country, not a boolean."""
    node = read("country: NO\nversion: 1.10\n", "x.yaml", [])
    assert isinstance(node, Mapped)
    assert [entry.value.text for entry in node.entries if isinstance(entry.value, Scalar)] == ["NO", "1.10"]


@pytest.mark.parametrize(
    ("text", "line", "col", "words"),
    [
        ("a: 1\na: 2\n", 2, 1, "line 1"),
        ("a: &x 1\nb: *x\n", 1, 4, "aliases"),
        ("a: !!python/name:os.system x\n", 1, 4, "tag"),
        ("subject: {{ first_name }}, hello\n", 1, 10, 'Write: subject: "{{ first_name }}, hello"'),
        ('subject: {{ x | default("y") }}\n', 1, 10, "Write: subject: '"),
        ("a: b\x00c\n", 1, 5, "U+0000"),
        ("a: 'b\n", 1, 4, "not valid YAML"),
    ],
)
def test_yaml_problems_have_places(text: str, line: int, col: int, words: str) -> None:
    """Line and column of the file, counted from 1."""
    problems: list[Problem] = []
    read(text, "x.yaml", problems)
    assert [(p.place.line, p.place.col) for p in problems if p.place] == [(line, col)]
    assert words in str(problems[0])


@given(st.text(max_size=200))
def test_yaml_never_fails_otherwise(text: str) -> None:
    """Any text is read or becomes problems."""
    read(text, "x.yaml", [])


def test_problems_are_printed_in_the_order_of_the_file() -> None:
    """As an editor would walk through them."""
    error = BadInput([Problem(Place("b", 9), "later"), Problem(Place("b", 2, 5), "first", "Do this.")])
    assert str(error).splitlines() == ["b:2:5: first", "    Do this.", "b:9:1: later"]
