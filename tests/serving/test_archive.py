"""The archive's files: what is listed, where a page goes, and that nothing is ever half there."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from newsletter.errors import BadInput, Blocked, Unwritable
from newsletter.model import Page, Picture, Place, Published
from newsletter.site import archive

if TYPE_CHECKING:
    from collections.abc import Iterator

INDEX_MD = Place("issues/x/index.md")
DAY = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)


def published(day: int, **changes: str | dt.datetime) -> Published:
    """An entry; numbered by its day."""
    values: dict[str, object] = {
        "id": f"letter-{day}",
        "slug": f"slug-{day}",
        "number": str(day),
        "title": f"Letter {day} – “é”",
        "dek": "",
        "lang": "en",
        "date": DAY + dt.timedelta(days=day),
        **changes,
    }
    return Published(**values)  # type: ignore[arg-type] # the names are right above


def page(about: Published, data: bytes = b"one") -> Page:
    """A page that shows one picture."""
    picture = Picture(f"{data.hex()}.png", data, "image/png", 1, 1, INDEX_MD)
    return Page(about, f'<img src="../images/{picture.name}">{about.title}', (picture,))


def planned(folder: Path, *pages: Page) -> dict[str, bytes]:
    """What a run writes, with an index that links to every page."""
    issues = archive.together(archive.listed(folder), [each.about for each in pages])
    return archive.contents(pages, issues, "".join(f'<a href="{each.slug}/"></a>' for each in issues))


def put(folder: Path, *pages: Page) -> tuple[str, ...]:
    """A whole run."""
    return archive.write(folder, planned(folder, *pages))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of the archive, hidden ones too."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def dangling(folder: Path) -> list[str]:
    """What pages, index and list point at and is not there."""
    targets = [(folder / f"{each.slug}/index.html") for each in archive.listed(folder)]
    for path in folder.rglob("index.html"):
        html = path.read_text("utf-8")
        targets += [path.parent / name for name in re.findall(r'src="([^"]*)"', html)]
        targets += [path.parent / name / "index.html" for name in re.findall(r'href="([^"]*)"', html)]
    return [str(each) for each in targets if not each.is_file()]


def test_the_parts_of_an_archive(tmp_path: Path) -> None:
    """Pictures first, then pages, then the list, the index last."""
    folder = tmp_path / "a" / "public"
    names = ("images/6f6e65.png", "slug-1/index.html", "issues.json", "index.html")
    assert put(folder, page(published(1))) == names
    assert tree(folder).keys() == set(names)
    assert tree(folder)["images/6f6e65.png"] == b"one"


def test_what_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    """The second run touches no file, so that an upload by time or size has nothing to do."""
    put(tmp_path, page(published(1)))
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    assert put(tmp_path, page(published(1))) == ()
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*")} == before


def test_what_was_published_before_stays_listed(tmp_path: Path) -> None:
    """Read back as it was written, newest first, and again with what changed."""
    for number in (2, 3, 1):
        put(tmp_path, page(published(number)))
    assert archive.listed(tmp_path) == (published(3), published(2), published(1))
    put(tmp_path, page(published(2, title="Anew")))
    assert [each.title for each in archive.listed(tmp_path)][1] == "Anew"


def test_issues_of_one_day_stand_in_the_order_of_their_numbers() -> None:
    """As numbers, not as text; midnight in two zones is two moments."""
    same = [published(number, date=DAY) for number in (9, 10, 8)]
    assert [each.number for each in archive.together((), same)] == ["10", "9", "8"]
    east = published(1, date=DAY.replace(tzinfo=dt.timezone(dt.timedelta(hours=9))))
    assert archive.together((east,), (published(2, date=DAY, number="x"),))[-1] == east


def test_a_page_that_is_gone_is_listed_no_longer(tmp_path: Path) -> None:
    """Deleting its folder takes an issue out; its pictures stay for the mails that point at them."""
    put(tmp_path, page(published(1), b"one"), page(published(2), b"two"))
    (tmp_path / "slug-1/index.html").unlink()
    assert archive.listed(tmp_path) == (published(2),)
    put(tmp_path, page(published(2), b"changed"))
    assert {name for name in tree(tmp_path) if name.startswith("images/")} == {
        f"images/{data.hex()}.png" for data in (b"one", b"two", b"changed")
    }


# -- where a page goes ----------------------------------------------------------------


def test_an_issue_stays_where_it_was_published() -> None:
    """Renaming the author's folder changes no public address."""
    assert archive.slug_of([published(1)], "letter-1", "another-name", INDEX_MD) == "slug-1"
    assert archive.slug_of([published(1)], "letter-2", "another-name", INDEX_MD) == "another-name"


@pytest.mark.parametrize("slug", ["slug-1", "Slug-1"])
def test_an_address_that_is_another_issue_s_is_refused(slug: str) -> None:
    """Readers of that one would find this one; a disk may not tell capitals apart."""
    with pytest.raises(BadInput, match=r"slug-1/ is that of another issue, .*\(letter-1\)") as caught:
        archive.slug_of([published(1)], "letter-2", slug, INDEX_MD)
    assert caught.value.problems[0].place == INDEX_MD
    assert "Rename" in caught.value.problems[0].hint


@pytest.mark.parametrize(
    "slug", ["images", "Images", "index.html", "issues.json", "u", "v", "..", ".draft", "a/b", "a\\b", ""]
)
def test_a_name_that_the_site_needs_is_refused(slug: str) -> None:
    """It would stand in the way of pictures, of the index, or of the links that are answered."""
    with pytest.raises(BadInput, match="no page can lie in a folder named"):
        archive.slug_of([], "letter-1", slug, INDEX_MD)


# -- bad input ------------------------------------------------------------------------

ENTRY = {
    "id": "a",
    "slug": "b",
    "number": "",
    "title": "",
    "dek": "",
    "lang": "en",
    "date": "2026-11-23T00:00:00+01:00",
}
LISTS = {
    "empty": ("", ":1:1: "),
    "cut off": ('{"version": 1,\n "issues": [', ":2:13: "),
    "merge conflict": ("{\n<<<<<<< ours\n", ":2:1: "),
    "other version": ('{"version": 2, "issues": []}', "not a list"),
    "a list": ("[]", "not a list"),
    "a number": ("7", "not a list"),
    "null": ('{"version": 1, "issues": null}', "not a list"),
    "entry": ('{"version": 1, "issues": ["x"]}', "not a list"),
    "key missing": (json.dumps({"version": 1, "issues": [{"id": "a"}]}), "not a list"),
    "key too many": (json.dumps({"version": 1, "issues": [ENTRY | {"x": "y"}]}), "not a list"),
    "not text": (json.dumps({"version": 1, "issues": [ENTRY | {"title": 7}]}), "not a list"),
    "no zone": (json.dumps({"version": 1, "issues": [ENTRY | {"date": "2026-11-23"}]}), "not a list"),
    "no date": (json.dumps({"version": 1, "issues": [ENTRY | {"date": None}]}), "not a list"),
    "path": (json.dumps({"version": 1, "issues": [ENTRY | {"slug": "../../etc"}]}), "not a list"),
    "deep": ("[" * 100_000, "not a list"),
    "not UTF-8": (b'{"a": "\xff"}', "not a list"),
}


@pytest.mark.parametrize(("raw", "said"), LISTS.values(), ids=LISTS)
def test_a_list_that_cannot_be_read_is_named(tmp_path: Path, raw: str | bytes, said: str) -> None:
    """Nothing is guessed: an issue less in it would be an issue less in the index."""
    (tmp_path / "issues.json").write_bytes(raw.encode() if isinstance(raw, str) else raw)
    with pytest.raises(BadInput, match=r"issues\.json:") as caught:
        archive.listed(tmp_path)
    assert said in str(caught.value)
    assert "--all" in str(caught.value)


def test_another_site_s_index_is_not_replaced(tmp_path: Path) -> None:
    """A folder with an index and without a list is somebody else's; one with pages only was left by a crash."""
    (tmp_path / "slug-1").mkdir()
    (tmp_path / "slug-1/index.html").write_text("left")
    assert archive.listed(tmp_path) == ()
    (tmp_path / "index.html").write_text("<h1>My home</h1>")
    with pytest.raises(Blocked, match="was not made by newsletter"):
        archive.listed(tmp_path)


# -- crashes and full disks -----------------------------------------------------------


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The moves after which the run ends; none while the list is empty."""
    after: list[int] = []
    moved = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if after:
            if after[0] == 0:
                raise KeyboardInterrupt
            after[0] -= 1
        return moved(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", replace)
        yield after


@pytest.mark.parametrize("moves", range(7))
def test_a_run_that_ends_anywhere_leaves_nothing_dangling(tmp_path: Path, dies: list[int], moves: int) -> None:
    """What is there points at what is there, no stage is left, and the next run completes it."""
    put(tmp_path, page(published(1)))
    later = (page(published(1), b"changed"), page(published(2), b"two"))
    dies[:] = [moves]
    if moves < 6:
        with pytest.raises(KeyboardInterrupt):
            put(tmp_path, *later)
    else:
        put(tmp_path, *later)
    assert dangling(tmp_path) == []
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    dies.clear()
    put(tmp_path, *later)
    assert dangling(tmp_path) == []
    assert len(archive.listed(tmp_path)) == 2


def test_a_disk_that_fills_up_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is staged before the first file is put in place, and new folders go again."""
    put(tmp_path / "public", page(published(1)))
    before = tree(tmp_path)
    plan = planned(tmp_path / "public", page(published(1), b"changed"), page(published(2)))
    room = [len(plan) - 1]
    written = Path.write_bytes

    def write(self: Path, data: bytes) -> int:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(28, "No space left on device")
        return written(self, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    for folder in ("public", "other"):
        room[0] = 3
        with pytest.raises(Unwritable, match=rf"{folder}/.*: cannot be written: No space left"):
            archive.write(tmp_path / folder, plan)
    assert tree(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["public"]
    assert not (tmp_path / "public/slug-2").exists()


@pytest.mark.parametrize("name", ["index.html", "slug-1/index.html", "images/6f6e65.png"])
def test_a_folder_in_the_way_of_a_file_changes_nothing(tmp_path: Path, name: str) -> None:
    """And the other way round."""
    plan = planned(tmp_path, page(published(1)))
    (tmp_path / name).mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Unwritable, match=f"{name}: cannot be written: a folder stands"):
        archive.write(tmp_path, plan)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["", "images", "slug-1"])
def test_a_file_in_the_way_of_a_folder_changes_nothing(tmp_path: Path, name: str) -> None:
    """The archive's own, the pictures', a page's."""
    folder = tmp_path / "public"
    plan = planned(folder, page(published(1)))
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("in the way")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Unwritable, match="a file stands where a folder is needed"):
        archive.write(folder, plan)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_a_killed_run_left_is_taken_away(tmp_path: Path) -> None:
    """By the next one, even when it has nothing else to do; hidden files of others stay."""
    put(tmp_path, page(published(1)))
    for name in (".publish.0a1b.tmp/0", ".well-known/x", ".nojekyll"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    put(tmp_path, page(published(1)))
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == {".well-known", ".nojekyll"}


def test_differences_are_named_by_kind(tmp_path: Path) -> None:
    """Files of others in the folder are none."""
    plan = planned(tmp_path, page(published(1)))
    assert set(archive.differences(tmp_path, plan).values()) == {"missing"}
    archive.write(tmp_path, plan)
    (tmp_path / "CNAME").write_text("letters.example.org")
    (tmp_path / "slug-1/index.html").write_text("edited")
    assert archive.differences(tmp_path, plan) == {"slug-1/index.html": "changed"}
