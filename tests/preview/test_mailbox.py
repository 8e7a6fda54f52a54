"""Listing, searching and reading the outbox's files."""

from __future__ import annotations

import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from newsletter.preview import mailbox
from newsletter.preview.mailbox import PAGE, Mailbox, Query

if TYPE_CHECKING:
    from pathlib import Path

    from preview.helpers_preview import Sample


def names(box: Mailbox, query: Query | None = None) -> list[str]:
    """The names listed on one page."""
    return [entry.name for entry, _ in box.page(query or Query()).rows]


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the messages that are opened for their headers from now on."""
    opened: list[str] = []
    real = mailbox._read_head

    def read(path: Path) -> tuple[str, str]:
        opened.append(path.name)
        return real(path)

    monkeypatch.setattr(mailbox, "_read_head", read)
    return opened


def test_a_folder_that_does_not_exist_is_an_empty_outbox(sample: Sample) -> None:
    """The page may be opened before anything was sent."""
    box = sample.box()
    assert box.counts() == ()
    assert box.page(Query()) == mailbox.Page((), 0, 1, 1, 0)


def test_messages_come_newest_first_grouped_by_issue(sample: Sample) -> None:
    """An issue stays together; the one with the newest message leads."""
    sample.put("a", issue="one")
    sample.put("b", issue="two")
    sample.put("c", issue="one")
    box = sample.box()
    assert names(box) == ["c", "a", "b"]
    assert [(count.folder, count.messages) for count in box.counts()] == [("one", 2), ("two", 1)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ada", ["a"]),
        ("ÖMER", ["o"]),
        ("example water", ["o", "a"]),
        ("water ada", ["a"]),
        ("ada fog", []),
        ("fog", ["f"]),
        ("   ", ["f", "o", "a"]),
    ],
)
def test_every_word_must_stand_in_address_or_subject(sample: Sample, words: str, found: list[str]) -> None:
    """Case does not matter, and words may be spread over both."""
    sample.put("a", to="ada@example.org")
    sample.put("o", to="noor@example.org", subject="Ömer, here is next year’s water")
    sample.put("f", to="mei@example.net", subject="The fog bell")
    assert names(sample.box(), Query(words)) == found


def test_one_issue_can_be_listed_alone(sample: Sample) -> None:
    """The filter takes the folder's whole name, not a part of it."""
    sample.put("a", issue="one")
    sample.put("b", issue="one-more")
    assert names(sample.box(), Query(issue="one")) == ["a"]
    assert names(sample.box(), Query(issue="on")) == []


def test_pages_hold_everything_once(sample: Sample) -> None:
    """Paging loses and repeats nothing; a page beyond either end is the nearest one."""
    for number in range(PAGE + 7):
        sample.put(f"m{number:03}")
    box = sample.box()
    first, second = box.page(Query(page=1)), box.page(Query(page=2))
    assert len({entry.name for entry, _ in first.rows + second.rows}) == PAGE + 7
    assert (first.pages, first.first, second.first, second.total) == (2, 1, PAGE + 1, PAGE + 7)
    assert box.page(Query(page=99)) == second
    assert box.page(Query(page=0)) == first


def test_the_page_around_a_message_is_the_one_it_stands_on(sample: Sample) -> None:
    """Opening a message shows its surroundings; one outside the search shows the page asked for."""
    for number in range(PAGE + 7):
        sample.put(f"m{number:03}", subject="even" if number % 2 == 0 else "odd")
    box = sample.box()
    oldest = box.find("2026-11-20-the-tide-table", "m000")
    assert oldest
    assert box.page(Query(), around=oldest).number == 2
    assert box.page(Query("odd"), around=oldest).number == 1
    assert box.neighbours(Query("odd"), oldest) == (None, None)


def test_neighbours_follow_the_search(sample: Sample) -> None:
    """Previous and next stay within what was searched for."""
    for name, subject in (("a", "fog"), ("b", "tide"), ("c", "fog"), ("d", "fog")):
        sample.put(name, subject=subject)
    box = sample.box()
    here = box.find("2026-11-20-the-tide-table", "c")
    assert here
    assert [each.name if each else None for each in box.neighbours(Query("fog"), here)] == ["d", "a"]
    assert [each.name if each else None for each in box.neighbours(Query(), here)] == ["d", "b"]


def test_new_and_removed_messages_are_seen_at_once(sample: Sample) -> None:
    """A send may run while the page is open; a folder's time stamp alone is too coarse to tell."""
    box = sample.box()
    assert names(box) == []
    soon = time.time_ns() + 60 * 1_000_000_000
    for number in range(3):
        last = sample.put(f"m{number:02}")
        os.utime(last.parent, ns=(soon, soon))
        assert len(names(box)) == number + 1
    last.unlink()
    os.utime(last.parent, ns=(soon, soon))
    assert len(names(box)) == 2


def test_a_folder_left_alone_is_not_read_again(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 100,000 messages, that is what keeps paging quick."""
    folder = sample.put("a").parent
    os.utime(folder, (1_700_000_000, 1_700_000_000))
    box = sample.box()
    assert names(box) == ["a"]

    real = os.scandir

    def scan(path: Path) -> Any:
        assert path != folder
        return real(path)

    monkeypatch.setattr(os, "scandir", scan)
    assert names(box) == ["a"]


def test_a_replaced_file_is_read_again(sample: Sample) -> None:
    """What the list shows belongs to the file that is there now."""
    first = sample.put("a", to="old@example.org")
    box = sample.box()
    assert box.page(Query()).rows[0][1].to == "old@example.org"
    second = sample.put("b", to="new@example.org")
    second.replace(first)
    assert [head.to for _, head in box.page(Query()).rows] == ["new@example.org"]


def test_the_list_opens_only_the_messages_on_its_page(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is counted by name."""
    for number in range(PAGE + 30):
        sample.put(f"m{number:03}")
    opened = watch(monkeypatch)
    box = sample.box()
    assert box.page(Query()).total == PAGE + 30
    assert len(opened) == PAGE


def test_a_batch_index_spares_opening_its_messages(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """One index names many; a message that no index names is opened, and a broken line harms no other."""
    for name in ("00000001-key", "00000002-key", "00000003-key"):
        sample.put(name, to="from-the-file@example.org")
    lines = [
        json.dumps({"file": "00000001-key.eml", "to": "one@example.org", "subject": "S"}),
        "{ half a line",
        json.dumps(["file"]),
        json.dumps({"file": "00000002-key.eml", "to": "two@example.org", "subject": "S"}),
        json.dumps({"file": "../../elsewhere.eml", "to": "x", "subject": "S"}),
    ]
    sample.raw("2026-11-20-the-tide-table/.index/key.jsonl", "\n".join(lines).encode())
    opened = watch(monkeypatch)
    rows = sample.box().page(Query()).rows
    assert {e.name: h.to for e, h in rows} == {
        "00000001-key": "one@example.org",
        "00000002-key": "two@example.org",
        "00000003-key": "from-the-file@example.org",
    }
    assert opened == ["00000003-key.eml"]


def test_headers_beyond_the_first_kilobytes_are_found(sample: Sample) -> None:
    """A long header before the subject does not hide it."""
    padding = "".join(f"X-Padding-{number}: {'x' * 70}\r\n" for number in range(200))
    sample.raw("issue/long.eml", f"{padding}To: far@example.org\r\nSubject: Far down\r\n\r\nBody".encode())
    head = sample.box().page(Query()).rows[0][1]
    assert (head.to, head.subject) == ("far@example.org", "Far down")


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\x00\xff\xfe", b"Subject", b"To: \xff\xfe\r\n\r\n"])
def test_a_file_that_is_no_message_is_listed_all_the_same(sample: Sample, data: bytes) -> None:
    """Nothing in the folder can break the list."""
    sample.raw("issue/odd.eml", data)
    assert names(sample.box()) == ["odd"]
    assert names(sample.box(), Query("nothing")) == []


def test_only_plain_message_files_are_listed(sample: Sample, tmp_path: Path) -> None:
    """Hidden files, other endings, folders, pipes and symbolic links are not messages."""
    secret = tmp_path / "secret.eml"
    secret.write_bytes(b"To: root@example.org\r\n\r\nsecret")
    folder = sample.put("good").parent
    sample.raw(f"{folder.name}/.hidden.eml", b"")
    sample.raw(f"{folder.name}/notes.txt", b"")
    sample.raw(f"{folder.name}/.part/key.1/half.eml", b"")
    (folder / "folder.eml").mkdir()
    (folder / "link.eml").symlink_to(secret)
    os.mkfifo(folder / "pipe.eml")
    (sample.root / "linked").symlink_to(tmp_path)
    sample.raw("images/picture.eml", b"")
    sample.raw("loose.eml", b"")
    os.close(os.open(os.fsencode(folder) + b"/\xff\xfe.eml", os.O_CREAT | os.O_WRONLY))
    box = sample.box()
    assert names(box) == ["good"]
    assert [count.folder for count in box.counts()] == [folder.name]


def test_a_message_swapped_for_a_link_is_not_followed(sample: Sample, tmp_path: Path) -> None:
    """Also between listing and reading."""
    file = sample.put("a")
    box = sample.box()
    entry = box.find("2026-11-20-the-tide-table", "a")
    assert entry
    assert box.read(entry)
    file.unlink()
    (tmp_path / "secret").write_text("secret")
    file.symlink_to(tmp_path / "secret")
    assert box.read(entry) is None


def test_heads_are_read_ahead_in_the_background(sample: Sample) -> None:
    """The first search finds them ready; the thread ends when it is told to."""
    for number in range(250):
        sample.put(f"m{number:03}")
    box, stop = sample.box(), threading.Event()
    thread = threading.Thread(target=box.warm, args=(stop,), kwargs={"every": 0.01})
    thread.start()
    try:
        for _ in range(2000):
            if len(box._folders) and all(len(f.heads) == 250 for f in list(box._folders.values())):
                break
            stop.wait(0.005)
        else:
            pytest.fail("the heads were never read")
    finally:
        stop.set()
        thread.join(5)
    assert not thread.is_alive()
