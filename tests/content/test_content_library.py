"""Finding issues, telling them apart, and drafting new ones."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.draft import draft
from newsletter.content.frontmatter import KNOWN
from newsletter.content.issue import load_issue
from newsletter.content.library import all_issues, check_ids, find_issue
from newsletter.content.slugs import slug
from newsletter.errors import BadInput, Unwritable

if TYPE_CHECKING:
    from support import Workspace

DAY = dt.date(2026, 11, 23)


@pytest.fixture
def shelf(workspace: Workspace) -> Workspace:
    """A workspace with four issues and a few things that are none."""
    for name in ("2026-11-23-harbour", "2026-12-01-ships", "2025-01-01-ships", "zebra"):
        workspace.issue("Hello.\n", slug=name, id=f"id-of-{name}")
    workspace.write("issues/.hidden/index.md", "")
    workspace.write("issues/2027-01-01-empty/notes.md", "")
    workspace.write("issues/index.md", "")
    return workspace


# -- finding --------------------------------------------------------------------------


def test_issues_are_listed_with_the_newest_first(shelf: Workspace) -> None:
    """Dated folders before the others; what has no index.md is no issue."""
    assert [folder.name for folder in all_issues(shelf.config())] == [
        "2026-12-01-ships",
        "2026-11-23-harbour",
        "2025-01-01-ships",
        "zebra",
    ]
    assert find_issue(shelf.config()).name == "2026-12-01-ships"


@pytest.mark.parametrize(
    "name",
    [
        "2026-11-23-harbour",
        "harbour",
        "issues/2026-11-23-harbour",
        "issues/2026-11-23-harbour/",
        "issues/2026-11-23-harbour/index.md",
        "issues/harbour",
    ],
)
def test_an_issue_is_found_by_path_name_and_short_name(
    shelf: Workspace, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From wherever the command is run."""
    config = shelf.config()
    folder = shelf.root / "issues/2026-11-23-harbour"
    monkeypatch.chdir(shelf.root / "issues")
    assert find_issue(config, name) == folder
    monkeypatch.chdir(shelf.root)
    assert find_issue(config, name) == folder
    assert find_issue(config, str(folder)) == folder


def test_a_folder_outside_the_workspace_is_found_by_its_path(shelf: Workspace) -> None:
    """The workspace's configuration still holds."""
    path = shelf.write("elsewhere/one/index.md", "").parent
    assert find_issue(shelf.config(), str(path)) == path


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("harbor", "there is no issue “harbor”", "Did you mean “harbour”?"),
        ("2026-11-23-harbor", "there is no issue “2026-11-23-harbor”", "Did you mean “2026-11-23-harbour”?"),
        ("ships", "“ships” could be any of 2026-12-01-ships, 2025-01-01-ships", "Give the folder's whole name."),
        ("", "there is no issue “”", "Known here: "),
        ("..", "there is no issue “..”", "Known here: "),
        ("a\0b", "there is no issue “a\0b”", "Known here: "),
        ("x" * 5000, "there is no issue “xxx", "Known here: "),
    ],
)
def test_what_is_not_found_is_suggested(shelf: Workspace, name: str, message: str, hint: str) -> None:
    """Or said to be ambiguous."""
    with pytest.raises(BadInput) as caught:
        find_issue(shelf.config(), name)
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert problem.hint.startswith(hint)


def test_a_folder_without_an_index_is_named(shelf: Workspace) -> None:
    """It was meant, so it is not just missing."""
    with pytest.raises(BadInput, match=r"2027-01-01-empty: there is no index.md in this folder"):
        find_issue(shelf.config(), str(shelf.root / "issues/2027-01-01-empty"))
    with pytest.raises(BadInput, match=r"there is no index.md in this folder"):
        load_issue(shelf.root / "issues/2027-01-01-empty", shelf.config())


def test_an_empty_workspace_says_how_to_begin(workspace: Workspace) -> None:
    """With or without the folder."""
    assert all_issues(workspace.config()) == ()
    for name in (None, "x"):
        with pytest.raises(BadInput, match="newsletter new"):
            find_issue(workspace.config(), name)


# -- ids ------------------------------------------------------------------------------


def test_every_issue_has_its_own_id(shelf: Workspace) -> None:
    """Then nothing is said."""
    for folder in all_issues(shelf.config()):
        check_ids(shelf.config(), folder)


@pytest.mark.parametrize(
    "written",
    [
        '"id": hello-0001',
        "{id: hello-0001}",
        "id: hello-0001",
        'id: "hello-0001"',
        "id:   'hello-0001'  # mine",
        "title: x\nid: hello-0001\r",
    ],
)
def test_a_repeated_id_is_reported_with_both_places(shelf: Workspace, written: str) -> None:
    """However it is written."""
    folder = shelf.issue("", slug="2026-12-24-copy")
    shelf.write("issues/zebra/index.md", f"---\n{written}\n---\n")
    with pytest.raises(BadInput) as caught:
        check_ids(shelf.config(), folder)
    (problem,) = caught.value.problems
    assert str(problem.place).endswith("2026-12-24-copy/index.md:2:5")
    line = 3 if written.startswith("title") else 2
    assert f"the id “hello-0001” is also that of {shelf.root}/issues/zebra/index.md:{line}:" in problem.message


def test_a_missing_id_is_reported(shelf: Workspace) -> None:
    """With everything else that is wrong; one in the body does not count."""
    for text, said in (
        ("---\ntitle: A\ndat: x\n---\nid: hello-0001\n", "“id” is missing"),
        ("id: hello-0001\n", "the front matter is missing"),
        ("", "the front matter is missing"),
        ("---\n- id: hello-0001\n---\n", "“key: value” lines"),
    ):
        folder = shelf.write("issues/zebra/index.md", text).parent
        check_ids(shelf.config(), folder)
        with pytest.raises(BadInput, match=said):
            load_issue(folder, shelf.config())


def test_other_issues_that_cannot_be_read_do_not_matter(shelf: Workspace) -> None:
    """They are their own problem."""
    shelf.write("issues/zebra/index.md", b"---\nid: \xff\xfe\n---\n")
    check_ids(shelf.config(), shelf.root / "issues/2026-11-23-harbour")


# -- drafting -------------------------------------------------------------------------


def test_a_draft_is_an_issue_that_loads(workspace: Workspace) -> None:
    """As it stands, and dated by its folder."""
    path = draft(workspace.config(), "What we saw: the “harbour” & more", today=DAY, token="abcd-1234_x")
    assert path == workspace.root / "issues/2026-11-23-what-we-saw-the-harbour-more/index.md"
    issue = load_issue(path.parent, workspace.config())
    assert (issue.id, issue.title, issue.date.date()) == ("abcd-1234_x", "What we saw: the “harbour” & more", DAY)
    assert issue.blocks
    check_ids(workspace.config(), path.parent)


def test_the_draft_explains_every_key(workspace: Workspace) -> None:
    """Each commented line is right when its # is taken away."""
    path = draft(workspace.config(), "A title", today=DAY, token="abcd-1234")
    text = path.read_text().replace('preheader: ""', "preheader: P").replace("# data: figures.yaml", "# data: []")
    known = "|".join(KNOWN)
    path.write_text(re.sub(rf"^# (?=(?:{known}): )", "", text, flags=re.MULTILINE))
    issue = load_issue(path.parent, workspace.config())
    assert {key for key, _ in issue.places} == set(KNOWN)
    assert (issue.number, issue.location, issue.kicker, issue.authors) == (
        "1",
        "Hamburg",
        "Field notes",
        ("Ada Moreno",),
    )
    assert (issue.lang, issue.theme, issue.sender) == ("en", "default", workspace.config().sender)
    assert (issue.fields[0].name, issue.canonical_url) == ("first_name", "https://example.org/first")


def test_a_draft_never_overwrites(workspace: Workspace) -> None:
    """Neither an issue nor a folder with anything else in it."""
    path = draft(workspace.config(), "A title", today=DAY, token="abcd-1234")
    before = path.read_bytes()
    with pytest.raises(BadInput, match="this folder is there already"):
        draft(workspace.config(), "A title!", today=DAY, token="abcd-9999")
    assert path.read_bytes() == before
    assert len(list((workspace.root / "issues").iterdir())) == 1


def test_a_draft_that_cannot_be_written_leaves_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, after the folder was made."""

    def full(*_: object) -> None:
        message = "no space left"
        raise Unwritable(message)

    monkeypatch.setattr("newsletter.files.write", full)
    with pytest.raises(Unwritable):
        draft(workspace.config(), "A title", today=DAY, token="abcd-1234")
    assert list((workspace.root / "issues").iterdir()) == []


@pytest.mark.parametrize("title", ["", "  ", "a\nb", "{{ name }}", "a\0", "=?utf-8?q?a=0Ab?=", "a\U000f0000"])
def test_a_title_that_cannot_be_one_makes_nothing(workspace: Workspace, title: str) -> None:
    """Not even the folder."""
    with pytest.raises(BadInput):
        draft(workspace.config(), title, today=DAY, token="abcd-1234")
    assert not (workspace.root / "issues").exists()


def test_a_folder_that_cannot_be_made_is_unwritable(workspace: Workspace) -> None:
    """A file stands in the way."""
    workspace.write("issues", "")
    with pytest.raises(Unwritable):
        draft(workspace.config(), "A title", today=DAY, token="abcd-1234")


@pytest.mark.parametrize(
    "title",
    [
        'a "b" \\ c',
        "#1: x",
        "yes",
        "null",
        "- a",
        "{a}",
        "[b",
        "2026-11-23",
        "Ärger & Größe",
        "Привет, мир",
        "你好 世界",
        "مرحبا",
        "हिन्दी",
        "😀",
        "a: b",
        "'",
        "%x",
        "@y",
        "!z",
        "&a",
        "*b",
        "|",
        ">",
        "`",
    ],
)
def test_any_title_survives_the_front_matter(workspace: Workspace, title: str) -> None:
    """Quoted as YAML needs it."""
    path = draft(workspace.config(), title, today=DAY, token="123456")
    issue = load_issue(path.parent, workspace.config())
    assert (issue.title, issue.id) == (title, "123456")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("What we saw, at the harbour!", "what-we-saw-at-the-harbour"),
        ("It's Ada’s", "its-adas"),
        ("Ärger: Größe, æther, Œuvre, Łódź", "arger-grosse-aether-oeuvre-lodz"),
        ("Привет, мир", "привет-мир"),
        ("Ёлка и Й", "ёлка-и-й"),
        ("你好 世界", "你好-世界"),
        ("हिन्दी में", "हिन्दी-में"),
        ("ﬁne ① ２０２６", "fine-1-2026"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\x|y<z>", "c-x-y-z"),
        ("😀 !!!", "fallback"),
        ("", "fallback"),
        ("a" * 200, "a" * 60),
        ("word " * 40, "-".join(["word"] * 12)),
        ("字" * 200, "字" * 50),
    ],
)
def test_slugs_are_short_and_safe_in_any_script(title: str, expected: str) -> None:
    """ASCII where possible, other letters kept."""
    assert slug(title, "fallback") == expected


@given(st.text())
def test_a_slug_is_always_a_good_file_name(title: str) -> None:
    """No separator, no dot, no space, no upper case, and short enough."""
    name = slug(title, "fallback")
    assert 0 < len(name) <= 60
    assert len(name.encode()) <= 150
    assert not set(name) & set("/\\.: \t\n\0'\"")
    assert not name.startswith("-")
    assert not name.endswith("-")
    assert slug(name, "fallback") == name


def test_of_one_day_s_issues_the_last_written_is_the_newest(workspace: Workspace) -> None:
    """The alphabet says nothing about what one is working on."""
    import os

    for age, name in enumerate(("b-second", "a-third", "c-first")):
        folder = workspace.issue("Text.\n", slug=f"2026-11-23-{name}", id=f"same-day-{age}")
        written = {"c-first": 1, "b-second": 2, "a-third": 3}[name] * 10**9
        os.utime(folder / "index.md", ns=(written, written))
    assert find_issue(workspace.config()).name == "2026-11-23-a-third"
