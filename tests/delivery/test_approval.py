"""What is approved, in what the present state differs from it, and the file that says so."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from delivery.helpers_delivery import FIELDS, MASTHEAD, NOW, edition

from newsletter.delivery import approvalfile
from newsletter.delivery.approval import Approval, Matter, compare, matter, stand
from newsletter.errors import BadInput, Unwritable
from newsletter.model import Field, Filter, ImageUse, Mailbox, Picture, Place, Slot, Variant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from newsletter.delivery.approval import Difference

BERLIN = dt.timezone(dt.timedelta(hours=1))
ODD = '“Ünï — 日本” 👩‍🚀 \u202e\u2028\x1b[31m\\ " \u00a0 {{7*7}}\tend'


def picture(data: bytes, name: str) -> Picture:
    """A picture of these bytes."""
    return Picture(name, data, "image/png", 10, 10, Place("index.md", 3))


def use(name: str, alt: str) -> ImageUse:
    """Where it stands."""
    return ImageUse(name, alt, 4, Place("index.md", 3))


PICTURES: dict[str, Any] = {
    "pictures": (picture(b"\x01\x02\x03\x04", "aa.png"), picture(b"\x05\x06", "bb.png")),
    "images": (use("aa.png", "The harbour"), use("bb.png", "The tide")),
}


def now(**changes: Any) -> Matter:
    """What there is to approve of the standard edition, or of a changed one."""
    return matter(edition(**(PICTURES | changes)), MASTHEAD)


def approval(what: Matter | None = None, **changes: Any) -> Approval:
    """An approval of it."""
    values: dict[str, Any] = {"by": "Ada", "approved_at": NOW, "program": "0.1.0", "recipients": 3}
    return Approval(matter=what or now(), **(values | changes))


def parts(found: tuple[Difference, ...]) -> list[str]:
    """The parts that differ."""
    return [each.part for each in found]


# -- comparing ------------------------------------------------------------------------


def test_the_same_edition_does_not_differ() -> None:
    """Nor does one that was built in another folder, or on another day."""
    assert compare(now(), now()) == ()
    moved = now(slug="another", date=NOW + dt.timedelta(days=3), places=(("", Place("elsewhere.md")),))
    assert compare(now(), moved) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"subject": ("Bye ", Slot(0, "header"))}, ["subject"]),
        ({"text": ("Hello ", Slot(0, "text"), "!\n", Slot(1, "text"), "\n")}, ["text"]),
        ({"html": ("<p>", Slot(0, "html"), Slot(2, "html"), "</p>", Slot(1, "link"))}, ["html"]),
        ({"sender": Mailbox("Tess Editor", "other@example.org")}, ["sender"]),
        ({"sender": Mailbox("Tess", "tess@example.org")}, ["sender"]),
        ({"reply_to": Mailbox("", "answers@example.org")}, ["reply-to"]),
        ({"lang": "de"}, ["language"]),
        ({"preheader": ("A line",)}, ["preheader"]),
        ({"fields": (Field("first_name", (Filter("default", ("you",)),)), *FIELDS[1:])}, ["subject", "text", "html"]),
        ({"pictures": PICTURES["pictures"][:1], "images": PICTURES["images"][:1]}, ["picture “The tide”"]),
        ({"html": ("<p>", Slot(0, "text"), "</p>"), "text": ("", Slot(0, "html"))}, ["text", "html"]),
    ],
)
def test_every_part_that_changed_is_named(changes: dict[str, Any], expected: list[str]) -> None:
    """And no other."""
    assert parts(compare(now(), now(**changes))) == expected


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"name": "Another Letter"}, "newsletter's name"),
        ({"unsubscribe_email": "off@example.org"}, "unsubscribe_email"),
        ({"feedback_id": "harbour"}, "feedback_id"),
    ],
)
def test_the_masthead_is_approved_too(change: dict[str, str], part: str) -> None:
    """It stands in every mail's headers."""
    assert parts(compare(now(), matter(edition(**PICTURES), MASTHEAD._replace(**change)))) == [part]


def test_a_field_in_another_context_is_other_content() -> None:
    """Only the content's hash tells it: the template reads the same, and a value would be escaped in another way."""
    changed = now(text=("Hello ", Slot(0, "html"), "\n", Slot(1, "text"), "\n"))
    (found,) = compare(now(), changed)
    assert (found.part, found.now) == ("content", changed.content[:12])


def test_a_changed_text_is_shown_line_by_line() -> None:
    """Fields as an author writes them, and how many lines came and went."""
    (found,) = compare(now(), now(text=("Good day ", Slot(0, "text"), "\nand\n", Slot(1, "text"), "\n")))
    assert found.diff == (
        "--- approved",
        "+++ now",
        "@@ -1,2 +1,3 @@",
        '-Hello {{ first_name | default("there") }}',
        '+Good day {{ first_name | default("there") }}',
        "+and",
        " {{ unsubscribe_url }}",
    )
    assert str(found) == "text: lines gone: 1, new: 2"


def test_a_text_too_long_to_keep_still_differs() -> None:
    """By its hash, without its lines."""
    before, after = (now(text=("word\n" * 30_000 + end,)) for end in "ab")
    assert before.versions[0].lines is None
    (found,) = compare(before, after)
    assert (found.part, found.diff) == ("text", ())
    assert found.approved != found.now


def test_one_byte_of_a_picture_is_told_by_its_alternative_text() -> None:
    """The picture is the same to the author; others of that issue are not named."""
    changed = (picture(b"\x01\x02\x03\x05", "cc.png"), PICTURES["pictures"][1])
    (found,) = compare(now(), now(pictures=changed, images=(use("cc.png", "The harbour"), PICTURES["images"][1])))
    assert found.part == "picture “The harbour”"
    assert found.approved.startswith("4 bytes (")
    assert found.now.startswith("4 bytes (")
    assert found.approved != found.now


def test_bytes_that_changed_under_the_same_name_differ() -> None:
    """A name is a part of a hash; the whole of it counts."""
    found = compare(now(), now(pictures=(picture(b"\x01\x02\x03\x05", "aa.png"), PICTURES["pictures"][1])))
    assert parts(found) == ["picture “The harbour”"]


def test_pictures_that_came_and_went_are_told_apart() -> None:
    """Each with what it was or is; one without alternative text by its name."""
    changed = (PICTURES["pictures"][0], picture(b"new", "dd.png"))
    found = compare(now(), now(pictures=changed, images=(PICTURES["images"][0],)))
    assert [(each.part, each.approved == "none", each.now == "none") for each in found] == [
        ("picture “The tide”", False, True),
        ("picture “dd.png”", True, False),
    ]


def test_the_planned_time_is_compared_as_a_moment() -> None:
    """The same moment in another zone is the same; none is another than any."""
    at = dt.datetime(2026, 12, 1, 8, tzinfo=BERLIN)
    approved = replace(now(), at=at)
    assert compare(approved, replace(now(), at=at.astimezone(dt.UTC))) == ()
    assert parts(compare(approved, now())) == ["time"]
    assert parts(compare(now(), approved)) == ["time"]
    assert parts(compare(approved, replace(now(), at=at + dt.timedelta(minutes=1)))) == ["time"]
    assert stand(approval(approved), now(), whenever=True).state == "approved"
    assert stand(approval(approved), now()).state == "changed"


def test_another_rule_is_told_in_words() -> None:
    """The rule is data; how many people it stands for is not compared."""
    (found,) = compare(replace(now(), audience=(("segment", "pro"),)), now())
    assert str(found) == "audience: approved segment = pro, now everyone who is active"
    assert stand(approval(recipients=1), now()).state == stand(approval(recipients=9), now()).state == "approved"


def test_the_approval_of_another_issue_is_only_that() -> None:
    """Everything would differ; that it is another issue says it all."""
    (found,) = compare(now(issue_id="other-0002", subject=("Other",)), now())
    assert str(found) == "issue: approved “other-0002”, now “hello-0001”"


def test_variants_are_compared_by_their_keys() -> None:
    """One that is new, and one whose subject changed."""
    one, two = Variant("a", ("A",), ("<p>",), ("t",)), Variant("b", ("B",), ("<p>",), ("t",))
    found = compare(now(variants=(one,)), now(variants=(one._replace(subject=("C",)), two)))
    assert parts(found) == ["subject of variant “a”", "variant “b”"]


def test_there_is_no_approval_without_one() -> None:
    """The three states."""
    assert stand(None, now()).state == "missing"
    assert stand(approval(), now()).state == "approved"
    assert stand(approval(), now(lang="de")).state == "changed"


def test_what_a_terminal_would_act_on_is_shown_as_its_number() -> None:
    """A file that others can write may hold anything; tabs and all letters stay."""
    (found,) = compare(replace(now(), preheader=ODD), now())
    assert "\x1b" not in str(found)
    assert "\\u001b[31m" in str(found)
    assert "\\u202e\\u2028" in str(found)
    assert "日本” 👩‍🚀" in str(found)


# -- the file -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "made",
    [
        approval(),
        approval(by=ODD, program=ODD),
        approval(
            replace(now(), at=dt.datetime(2026, 12, 1, 8, tzinfo=BERLIN), preheader=ODD, reply_to=Mailbox(ODD, "a@b"))
        ),
        approval(now(text=(ODD, "\r\n\n", ODD), pictures=(), images=())),
        approval(now(text=("x" * 100_001,))),
    ],
    ids=["plain", "odd names", "odd values", "odd text", "long text"],
)
def test_what_is_written_is_read_back(tmp_path: Path, made: Approval) -> None:
    """Equal, whatever stands in it, and the same bytes once more."""
    path = approvalfile.keep(tmp_path, made)
    assert approvalfile.found(tmp_path) == made
    before = path.read_bytes()
    approvalfile.keep(tmp_path, made)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["approval.json"]


def test_there_is_none_in_an_empty_folder(tmp_path: Path) -> None:
    """Which is no error."""
    assert approvalfile.found(tmp_path) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: json.dumps(json.loads(data)).encode(),
        lambda data: data + b"\n\n",
    ],
    ids=["CRLF", "BOM", "another layout", "empty lines"],
)
def test_the_file_s_layout_does_not_matter(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """Git and editors may change it; the approval is what it says."""
    path = approvalfile.keep(tmp_path, approval())
    path.write_bytes(change(path.read_bytes()))
    assert approvalfile.found(tmp_path) == approval()


def refused(folder: Path) -> str:
    """The one clear error of a broken file."""
    with pytest.raises(BadInput) as caught:
        approvalfile.found(folder)
    (problem,) = caught.value.problems
    assert problem.place is not None
    assert problem.place.path.endswith("approval.json")
    assert problem.message.startswith("this approval cannot be read: ")
    assert f"newsletter approve {folder.name}" in problem.hint
    return problem.message.partition(": ")[2]


def test_half_a_file_is_refused_wherever_it_ends(tmp_path: Path) -> None:
    """At every hundredth byte, with the place where it ends."""
    path = approvalfile.keep(tmp_path, approval())
    whole = path.read_bytes().rstrip()
    for end in range(0, len(whole), 101):
        path.write_bytes(whole[:end])
        assert refused(tmp_path)


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """An approval in ``folder``, edited by hand."""
    path = approvalfile.keep(folder, approval(replace(now(), reply_to=Mailbox("", "a@example.org"), at=NOW)))
    read = json.loads(path.read_bytes())
    change(read)
    path.write_text(json.dumps(read), "utf-8")


@pytest.mark.parametrize("key", sorted(approvalfile.data(approval())))
def test_every_key_must_be_there_and_of_its_type(tmp_path: Path, key: str) -> None:
    """None is missing, and none may hold another type; a truth value is no number."""
    changed(tmp_path, lambda read: read.pop(key))
    assert refused(tmp_path) == f"the file lacks “{key}”"
    wrong: Any
    for wrong in (1.5, True, [[]], {"a": 1}):
        changed(tmp_path, partial(dict.update, **{key: wrong}))
        assert refused(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda read: read.update(more=1), "unknown key “more”"),
        (lambda read: read.update(version=3), "a newer newsletter"),
        (lambda read: read.update(version=2), "the file lacks “conditions”"),
        (lambda read: read.update(version=0), "no version 0"),
        (lambda read: read.update(at="2026-12-01T08:00:00"), "“at” is not a time with its offset"),
        (lambda read: read.update(approved_at="yesterday"), "“approved_at” is not a time"),
        (lambda read: read["from"].pop("address"), "“from” lacks “address”"),
        (lambda read: read["variants"][0]["html"].update(bytes="1"), "“bytes” in “html” in variant 1"),
        (lambda read: read["variants"][0]["text"]["lines"].append(7), "no text"),
        (lambda read: read["variants"][0]["text"]["lines"].append("more"), "does not fit its own hash"),
        (lambda read: read["images"].append("a.png"), "image 3 is not an object"),
        (lambda read: read["images"][1].update(alt=None), "“alt” in image 2"),
        (lambda read: read["audience"].update(status=True), "no text"),
        (lambda read: read.update({"\x1b[31m": 1}), "\\u001b[31m"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused_with_its_place(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    """In words that lead to it."""
    changed(tmp_path, change)
    assert words in refused(tmp_path)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "this is not JSON"),
        (b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n", "this is not JSON"),
        (b"\xff\xfe\x00", "this is not"),
        (b'{"issue": "\xe9"}', "not UTF-8"),
        (b'{"issue": "\\ud800"}', "not UTF-8"),
        (b'{"version": 1, "version": 1}', "a key stands in it twice"),
        (b"[" * 100_000, "nested too deep"),
        (b"1" * 5_000, "integer"),
        (b"[]", "the file is not an object"),
        (b"null", "the file is not an object"),
        (b'"text"', "the file is not an object"),
        (b"NaN", "the file is not an object"),
        (b" " * 4_000_001, "larger than 4 MB"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value[:20]),
)
def test_bytes_that_are_no_approval_are_refused(tmp_path: Path, raw: bytes, words: str) -> None:
    """Without a traceback, and without reading for ever."""
    (tmp_path / "approval.json").write_bytes(raw)
    assert words in refused(tmp_path)


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """A link, to another issue's or to nothing, a folder, and a pipe that nobody writes to."""
    here, other = tmp_path / "here", tmp_path / "other"
    here.mkdir()
    other.mkdir()
    path = here / "approval.json"
    for target in (approvalfile.keep(other, approval()), tmp_path / "nothing", path):
        path.symlink_to(target)
        assert "symbolic link" in refused(here)
        path.unlink()
    os.mkfifo(path)
    assert refused(here) == "it is not a file"
    path.unlink()
    path.mkdir()
    assert refused(here) == "it is not a file"


def test_writing_replaces_a_link_and_not_what_it_points_at(tmp_path: Path) -> None:
    """What it pointed at stays as it was; a folder in the way cannot be replaced and ends with 74."""
    target = tmp_path / "precious"
    target.write_text("kept")
    folder = tmp_path / "issue"
    folder.mkdir()
    (folder / "approval.json").symlink_to(target)
    path = approvalfile.keep(folder, approval())
    assert (path.is_symlink(), target.read_text()) == (False, "kept")
    path.unlink()
    path.mkdir()
    with pytest.raises(Unwritable) as caught:
        approvalfile.keep(folder, approval())
    assert caught.value.exit_code == 74
    assert [each.name for each in folder.iterdir()] == ["approval.json"]
