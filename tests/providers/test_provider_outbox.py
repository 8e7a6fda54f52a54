"""The embedded outbox: a provider like any other, whose messages are files."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import errno
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from providers.contract import LETTER, Contract, message

from newsletter.model import Picture, Place
from newsletter.providers.base import Fault, NotSent, Provider, Unknown
from newsletter.providers.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class OutboxKit:
    """The outbox in a folder."""

    provider: Outbox

    @property
    def folder(self) -> Path:
        """Where the standard letter's messages lie."""
        return self.provider.folder / LETTER.tag

    def accepted(self) -> Counter[int]:
        """Messages by person, from the files."""
        return Counter(int(path.name.partition("-")[0]) for path in self.folder.glob("*.eml"))

    def reopened(self) -> Provider:
        """Another process's outbox on the same folder."""
        return Outbox(self.provider.folder)


@pytest.fixture
def kit(tmp_path: Path) -> OutboxKit:
    """A fresh outbox."""
    return OutboxKit(Outbox(tmp_path / "outbox"))


class TestOutboxContract(Contract):
    """The contract of all providers."""


def submit(kit: OutboxKit, *people: int, key: str = "key-1") -> None:
    """Prepare and submit a batch."""
    kit.provider.submit(kit.provider.prepare(LETTER, [message(n) for n in people]), key)


def test_a_message_is_a_complete_file(kit: OutboxKit) -> None:
    """Any mail program opens it: headers, text and HTML."""
    submit(kit, 1)
    (path,) = kit.folder.glob("*.eml")
    assert path.name == "00000001-key-1.eml"
    read = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert (read["To"], read["Subject"], read["Message-ID"]) == ("p1@example.com", "Hi Ana", "<1@example.org>")
    assert read["Date"] == "Mon, 23 Nov 2026 08:00:00 +0000"
    parts = [part.get_content_type() for part in read.walk()]
    assert parts == ["multipart/alternative", "text/plain", "text/html"]


def test_an_index_lists_a_batch(kit: OutboxKit) -> None:
    """A list of many messages needs to open one file for each batch, not for each message."""
    submit(kit, 1, 2)
    (path,) = (kit.folder / ".index").iterdir()
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert lines == [{"file": f"0000000{n}-key-1.eml", "to": f"p{n}@example.com", "subject": "Hi Ana"} for n in (1, 2)]


def test_pictures_are_kept_once(kit: OutboxKit) -> None:
    """The viewer finds them by their hash, beside all sends."""
    picture = Picture("abc.png", b"\x89PNG", "image/png", 1, 1, Place("a.png"))
    letter = dataclasses.replace(LETTER, pictures=(picture,))
    for key in ("key-1", "key-2"):
        kit.provider.submit(kit.provider.prepare(letter, [message(1)]), key)
    assert [(p.name, p.read_bytes()) for p in (kit.provider.folder / "images").iterdir()] == [("abc.png", b"\x89PNG")]


class _Killed(BaseException):
    """The process dies here."""


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes the operating system's calls fail or kill at a chosen moment."""

    def arm(name: str, at: int, error: BaseException) -> None:
        real = getattr(os, name)
        calls = [0]

        def call(*arguments: Any, **options: Any) -> Any:
            if name == "write" and arguments[0] < 3:
                return real(*arguments, **options)
            calls[0] += 1
            if calls[0] == at:
                raise error
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, call)

    yield arm
    monkeypatch.undo()


@pytest.mark.parametrize("call", ["write", "rename"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_batch_that_was_killed_half_way_completes_on_replay(
    kit: OutboxKit, dying: Any, monkeypatch: pytest.MonkeyPatch, call: str, at: int
) -> None:
    """Whichever file it was, the same key fills in the rest and doubles nothing."""
    monkeypatch.setattr(shutil, "rmtree", lambda *_a, **_o: None)  # the dead clear nothing away
    dying(call, at, _Killed())
    with pytest.raises(_Killed):
        submit(kit, 1, 2, 3)
    monkeypatch.undo()
    assert max(kit.accepted().values(), default=0) <= 1
    for path in kit.folder.glob("*.eml"):
        assert path.read_bytes().endswith(b"--\r\n")
    submit(kit, 1, 2, 3)
    assert kit.accepted() == Counter((1, 2, 3))
    assert not list((kit.folder / ".part").iterdir())


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "No space left"), (errno.EROFS, "Read-only")])
@pytest.mark.parametrize("at", [1, 3])
def test_a_disk_that_takes_no_more_leaves_no_message(
    kit: OutboxKit, dying: Any, monkeypatch: pytest.MonkeyPatch, number: int, words: str, at: int
) -> None:
    """Surely nothing was accepted, so the send is held with 74 and the batch may have another key."""
    dying("write", at, OSError(number, os.strerror(number)))
    with pytest.raises(NotSent, match=words) as caught:
        submit(kit, 1, 2, 3)
    assert caught.value.fault is Fault.DISK
    assert kit.accepted() == Counter()
    monkeypatch.undo()
    submit(kit, 1, 2, 3, key="key-2")
    assert kit.accepted() == Counter((1, 2, 3))


def test_a_disk_that_fails_between_two_names_is_unknown(
    kit: OutboxKit, dying: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message is there already, so only the same key may be used again."""
    dying("rename", 2, OSError(errno.EIO, os.strerror(errno.EIO)))
    with pytest.raises(Unknown) as caught:
        submit(kit, 1, 2, 3)
    assert caught.value.fault is Fault.DISK
    assert kit.accepted() == Counter((1,))
    monkeypatch.undo()
    submit(kit, 1, 2, 3)
    assert kit.accepted() == Counter((1, 2, 3))


def test_a_folder_that_cannot_be_made_is_a_fault_of_the_disk(tmp_path: Path) -> None:
    """A file stands where the outbox should be."""
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(NotSent) as caught:
        submit(OutboxKit(Outbox(tmp_path / "outbox")), 1)
    assert caught.value.fault is Fault.DISK


def test_a_short_write_is_carried_on(kit: OutboxKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operating system may take a few bytes at a time."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:100] if fd > 2 else data))
    submit(kit, 1)
    (path,) = kit.folder.glob("*.eml")
    assert path.read_bytes().endswith(b"--\r\n")
