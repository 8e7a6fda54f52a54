"""``newsletter theme``: list, show and copy, as a person and as a script use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import ROOT

if TYPE_CHECKING:
    from support import Workspace

MINE = 'title: Mine\nabout: For myself.\nparent: digest\ncolours:\n  hero: "#223344"\n'


def test_the_list_says_whose_each_theme_is_and_which_is_used(workspace: Workspace) -> None:
    """The default theme first."""
    workspace.write("templates/mine/theme.yaml", MINE)
    out = workspace.newsletter("theme", "list").out
    lines = [line.split() for line in out.splitlines()]
    assert lines[1][:3] == ["*", "default", "ships"]
    assert ["mine", "yours", "For", "myself."] in lines
    listed = {each["name"]: each for each in workspace.newsletter("theme", "list", "--json").json()}
    assert list(listed) == ["default", "digest", "mine", "plain"]
    assert listed["default"]["used"]
    assert listed["mine"]["yours"]
    assert listed["mine"]["parent"] == "digest"
    assert {each["problem"] for each in listed.values()} == {""}


def test_a_broken_theme_is_listed_with_what_is_wrong(workspace: Workspace) -> None:
    """It does not hide the others."""
    workspace.write("templates/mine/theme.yaml", 'colours:\n  mute: "#88AACC"\n')
    result = workspace.newsletter("theme", "list")
    assert "digest" in result.out
    assert "“mine” cannot be used: templates/mine/theme.yaml:2:9" in result.err


@pytest.mark.parametrize("name", ["default", "digest", "plain"])
def test_a_specimen_shows_every_frame(workspace: Workspace, name: str) -> None:
    """Light and dark, desk and phone, web page and text, on one page with its pictures beside it."""
    shown = workspace.newsletter("theme", "show", name, "--json").json()
    folder = workspace.root / "build" / f"theme-{name}"
    page = (folder / "index.html").read_text("utf-8")
    assert shown["page"] == str(folder / "index.html")
    assert shown["html_bytes"] < 80_000
    assert min(each["ratio"] for each in shown["contrast"]) >= 4.5
    assert {each["scheme"] for each in shown["contrast"]} == {"light", "dark"}
    captions = ["light, on a desk", "light, on a phone", "dark, on a desk", "dark, on a phone"]
    assert all(f"The mail, {each}" in page for each in captions)
    assert page.count("<iframe") == 6
    assert "prefers-color-scheme: dark)" not in page.partition("<header>")[2]
    assert "http://localhost" not in page.replace("http://localhost:8025/u/", "").replace(
        "http://localhost:8025/v/", ""
    )
    named = {part.partition("&quot;")[0] for part in page.split("images/")[1:]}
    assert {each.name for each in (folder / "images").iterdir()} >= {each for each in named if each.endswith(".png")}


def test_the_pictures_of_a_specimen_lie_beside_it_even_where_they_are_hosted(workspace: Workspace) -> None:
    """Nothing of it is published."""
    path = workspace.root / "newsletter.yaml"
    path.write_text(path.read_text("utf-8") + "public_url: https://letters.example.org\n", "utf-8")
    workspace.newsletter("theme", "show")
    assert "letters.example.org/images" not in (workspace.root / "build/theme-default/index.html").read_text("utf-8")


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_the_page_shows_both_schemes_to_every_reader(
    browser: Any, workspace: Workspace, width: int, scheme: str
) -> None:
    """The frames do not follow the reader's own scheme, are as high as what is in them, and fit a phone."""
    workspace.newsletter("theme", "show", "digest")
    opened = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    opened.goto((workspace.root / "build/theme-digest/index.html").as_uri())
    grounds = opened.evaluate(
        "[...document.querySelectorAll('iframe')].map(f => getComputedStyle(f.contentDocument.body).backgroundColor)"
    )
    light, dark = "rgb(237, 239, 244)", "rgb(14, 16, 21)"
    assert grounds == [light, light, dark, dark, light, dark]
    heights = opened.evaluate(
        "[...document.querySelectorAll('iframe')].map(f => f.clientHeight - f.contentDocument.documentElement.scrollHeight)"
    )
    assert max(map(abs, heights)) <= 1
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.evaluate("[...document.images].every(i => i.naturalWidth)")


def test_an_unknown_theme_is_bad_input_with_a_suggestion(workspace: Workspace) -> None:
    """Exit code 65."""
    result = workspace.run("theme", "show", "digset")
    assert result.code == 65
    assert "there is no theme “digset”" in result.err
    assert "“digest”" in result.err


@pytest.mark.parametrize("name", ["default", "digest", "plain"])
def test_a_copy_is_the_same_mail_and_every_file_may_be_deleted(workspace: Workspace, name: str) -> None:
    """One by one, or all at once."""
    copied = workspace.newsletter("theme", "copy", name, "templates/mine", "--json").json()
    assert "theme.yaml" in copied["files"]
    assert set(copied["may_delete"]) == set(copied["files"]) - {"theme.yaml"}
    workspace.newsletter("theme", "show", name)
    workspace.newsletter("theme", "show", "mine")
    mails = [(workspace.root / f"build/theme-{each}/email.html").read_bytes() for each in (name, "mine")]
    assert mails[0] == mails[1]
    for each in copied["may_delete"]:
        (workspace.root / "templates/mine" / each).unlink()
    workspace.newsletter("theme", "show", "mine")
    assert (workspace.root / "build/theme-mine/email.html").read_bytes() == mails[0]


def test_a_copy_says_what_may_be_deleted_and_what_to_do_next(workspace: Workspace) -> None:
    """By name."""
    out = workspace.newsletter("theme", "copy", "digest", "templates/mine").out
    assert "blocks/cards.mjml.j2" in out
    assert "theme: mine" in out
    head = (workspace.root / "templates/mine/theme.yaml").read_text("utf-8").splitlines()
    assert [line for line in head if line.startswith(("title:", "parent:"))] == ['title: "Mine"', "parent: digest"]
    elsewhere = workspace.newsletter("theme", "copy", "plain", "letters").out
    assert "move it to templates/" in elsewhere


@pytest.mark.parametrize("there", ["templates/mine/theme.yaml", "templates/mine"])
def test_a_copy_never_overwrites(workspace: Workspace, there: str) -> None:
    """Neither a folder with something in it nor a file of that name."""
    path = workspace.write(there, "mine: own\n")
    result = workspace.run("theme", "copy", "digest", "templates/mine")
    assert result.code == 1
    assert "already there; nothing was written" in result.err
    assert path.read_text("utf-8") == "mine: own\n"


def test_the_specimen_is_a_sample_issue_without_findings(workspace: Workspace) -> None:
    """It can be built and checked like any other."""
    folder = str(ROOT / "issues" / "2026-10-30-a-specimen")
    workspace.newsletter("build", folder)
    assert "nothing found" in workspace.newsletter("check", "--strict", folder).out
