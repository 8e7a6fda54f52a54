"""``newsletter publish`` as a real process: what lands in the folder, and what never does."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from PIL import Image
from support import CONFIGURATION, Workspace

from newsletter.cli.app import run
from newsletter.cli.commands import publish

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

SLUG = "2026-11-23-hello"
OLDER = "2026-10-16-older"
INDEX = f"issues/{SLUG}/index.md"


def photo(colour: str) -> bytes:
    """A small picture of one colour."""
    made = io.BytesIO()
    Image.new("RGB", (40, 20), colour).save(made, "png")
    return made.getvalue()


def tree(root: Path) -> dict[str, bytes]:
    """Every file; the cache and the lock may come and go."""
    found = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(".newsletter")}


def public(workspace: Workspace) -> dict[str, bytes]:
    """Every file of the archive."""
    head = "public/"
    return {name.removeprefix(head): data for name, data in tree(workspace.root).items() if name.startswith(head)}


def refused(workspace: Workspace, code: int, *argv: str) -> str:
    """The error of a command that must fail and leave everything as it was."""
    before = tree(workspace.root)
    result = workspace.run("publish", *argv)
    assert result.code == code, result.err
    assert "Traceback" not in result.err + result.out
    assert "fault in newsletter" not in result.err
    assert result.err.count("Error: ") == 1
    assert tree(workspace.root) == before
    return result.err


@pytest.fixture
def two(workspace: Workspace) -> Workspace:
    """Two issues with a picture each; the older one is shown in the mail only."""
    workspace.issue("![Red](a.png)\n", dek="A dek")
    workspace.write(f"issues/{SLUG}/a.png", photo("red"))
    workspace.issue(
        "::: email-only\n![Blue](b.png)\n:::\n", slug=OLDER, id="older-0001", title="Older", date="2026-10-16"
    )
    workspace.write(f"issues/{OLDER}/b.png", photo("blue"))
    return workspace


def test_the_newest_issue_is_published_with_its_pictures(two: Workspace) -> None:
    """The page shows them where they lie, and they are the bytes that the mail points at."""
    result = two.newsletter("publish")
    assert "set public_url, or assets_url" in result.out
    two.newsletter("build")
    found = public(two)
    (name,) = (each for each in found if each.startswith("images/"))
    assert list(found) == sorted([name, f"{SLUG}/index.html", "index.html", "issues.json"])
    assert f'src="../{name}"' in found[f"{SLUG}/index.html"].decode()
    assert found[name] == (two.root / "build" / SLUG / name).read_bytes()
    assert f'href="{SLUG}/"' in found["index.html"].decode()


def test_mails_point_at_what_is_published(two: Workspace) -> None:
    """Pictures of the mail only are hosted, too, below `assets_url` before `public_url`."""
    for key, host in (("public_url", "letters"), ("assets_url", "static")):
        path = two.root / "newsletter.yaml"
        path.write_text(f"{path.read_text()}{key}: https://{host}.example.org/x\n")
        two.newsletter("build", "older")
        told = two.newsletter("publish", "older", "--json").json()
        html = (two.root / "build" / OLDER / "email.html").read_text()
        (name,) = re.findall(rf'src="https://{host}\.example\.org/x/(images/[^"]+)"', html)
        assert told["pictures"] == f"https://{host}.example.org/x/images/"
        assert told["issues"][0]["url"] == f"https://{host}.example.org/x/{OLDER}/"
        assert name in told["files"]
        assert (two.root / "public" / name).is_file()
        page = (two.root / "public" / OLDER / "index.html").read_text()
        assert f'<link rel="canonical" href="https://{host}.example.org/x/{OLDER}/">' in page
        assert "<img" not in page


def test_earlier_issues_stay_listed_and_their_pictures_stay(two: Workspace) -> None:
    """Old mails point at them, whatever became of the issue's folder."""
    two.newsletter("publish", "older")
    before = public(two)
    for path in (two.root / "issues" / OLDER).iterdir():
        path.unlink()
    two.newsletter("publish")
    after = public(two)
    assert before.keys() < after.keys()
    assert [name for name in before if before[name] != after[name]] == ["index.html", "issues.json"]
    links = re.findall(r'<h2><a href="([^"]*)">', after["index.html"].decode())
    assert links == [f"{SLUG}/", f"{OLDER}/"]


def test_a_changed_picture_is_put_beside_the_old_one(two: Workspace) -> None:
    """The mails that were sent show the old one."""
    two.newsletter("publish")
    before = public(two)
    two.write(f"issues/{SLUG}/a.png", photo("green"))
    two.newsletter("publish")
    assert sum(name.startswith("images/") for name in public(two)) == 2
    assert before.keys() < public(two).keys()


def test_a_renamed_folder_keeps_the_public_address(two: Workspace) -> None:
    """Until its page is deleted; meanwhile another issue of that name is refused."""
    two.newsletter("publish")
    (two.root / "issues" / SLUG).rename(two.root / "issues/2026-11-24-renamed")
    two.write("issues/2026-11-24-renamed/index.md", '---\nid: hello-0001\ntitle: "Anew"\n---\nText.\n')
    two.newsletter("publish")
    assert "<h1>Anew</h1>" in public(two)[f"{SLUG}/index.html"].decode()
    assert "2026-11-24-renamed/index.html" not in public(two)
    two.issue("x", id="other-0001")
    error = refused(two, 65, SLUG)
    assert f"{INDEX}:1:1: the page {SLUG}/ is that of another issue, “Anew” (hello-0001)" in error
    (two.root / "public" / SLUG / "index.html").unlink()
    two.newsletter("publish", "--all")
    assert {f"{SLUG}/index.html", "2026-11-24-renamed/index.html"} < public(two).keys()


def test_check_tells_and_writes_nothing(two: Workspace) -> None:
    """Not even the cache; a second run finds nothing to do."""
    assert f"missing: {SLUG}/index.html" in refused(two, 1, "--check")
    assert not (two.root / ".newsletter").exists()
    two.newsletter("publish", "--all")
    two.newsletter("publish", "--all", "--check")
    assert "public is up to date" in two.newsletter("publish", "--check").out
    assert two.newsletter("publish", "--json").json()["differing"] == []
    assert "Nothing has changed" in two.newsletter("publish").out
    two.write(f"public/{SLUG}/index.html", "edited")
    assert f"changed: {SLUG}/index.html" in refused(two, 1, "--check")
    result = two.run("publish", "--check", "--json")
    assert (result.code, result.json()["differing"]) == (1, [f"{SLUG}/index.html"])


def test_another_folder_can_be_named(two: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Outside the workspace as well; the configured one may be another, too."""
    outside = tmp_path_factory.mktemp("site") / "letters"
    two.newsletter("publish", "--to", str(outside))
    assert (outside / "index.html").is_file()
    assert public(two) == {}
    two.write("newsletter.yaml", CONFIGURATION + "public: site/letters\n")
    assert two.newsletter("publish", "--json").json()["folder"] == str(two.root / "site/letters")
    assert (two.root / "site/letters/index.html").read_bytes() == (outside / "index.html").read_bytes()


def test_the_same_workspace_gives_the_same_bytes(two: Workspace) -> None:
    """In any order, time zone and locale."""
    two.newsletter("publish", "--all", env={"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "1"})
    for issue in ("older", SLUG):
        two.newsletter("publish", issue, "--to", "again", env={"TZ": "America/Lima", "PYTHONHASHSEED": "2"})
    again = {name.removeprefix("again/"): data for name, data in tree(two.root).items() if name.startswith("again/")}
    assert again == public(two)


def test_two_runs_at_once_both_get_in(two: Workspace) -> None:
    """Neither writes the list without the other's issue."""
    runs = [
        subprocess.Popen([sys.executable, "-m", "newsletter", "publish", each], cwd=two.root, env=two.environment())
        for each in (SLUG, OLDER)
    ]
    assert [each.wait(timeout=120) for each in runs] == [0, 0]
    assert {f"{SLUG}/index.html", f"{OLDER}/index.html"} < public(two).keys()
    two.newsletter("publish", "--all", "--check")


def test_a_run_that_does_not_end_is_waited_for_in_vain(
    two: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 75, and nothing is written; a check needs no turn."""
    (two.root / ".newsletter").mkdir()
    monkeypatch.setattr(publish, "_PATIENCE", 0)
    monkeypatch.chdir(two.root)
    with FileLock(two.root / ".newsletter/publish.lock"):
        assert run(["publish"]) == 75
        assert "another `newsletter publish` is at work" in capsys.readouterr().err
        assert run(["publish", "--check"]) == 1
    assert public(two) == {}
    assert run(["publish"]) == 0


# -- bad input ------------------------------------------------------------------------


def test_nothing_can_be_published_without_an_issue(workspace: Workspace) -> None:
    """And a name that nobody knows gets a suggestion."""
    assert "newsletter new" in refused(workspace, 65)
    assert "newsletter new" in refused(workspace, 65, "--all")
    workspace.issue("Text.\n")
    assert "Did you mean “hello”?" in refused(workspace, 65, "helo")
    assert "do not name one beside it" in refused(workspace, 2, "hello", "--all")


def test_fields_that_need_a_reader_are_refused_in_all_issues_at_once(two: Workspace) -> None:
    """At their places; a build shows their names as before."""
    two.issue("Dear {{ first_name }},\n\n[leave]({{ unsubscribe_url }})\n")
    two.issue(
        "::: web-only\n{{ city }}\n:::\n\n::: email-only\n{{ ok }}\n:::\n", slug=OLDER, id="older-0001", title="Older"
    )
    error = refused(two, 65, "--all")
    assert f"{INDEX}:7:6: “first_name” has no value on the web page" in error
    assert f"{INDEX}:9:9: “unsubscribe_url” is each reader's own" in error
    assert f"issues/{OLDER}/index.md:8:1: “city” has no value" in error
    assert "“ok”" not in error
    two.newsletter("build", SLUG)
    assert "Dear [first_name]," in (two.root / "build" / SLUG / "web.html").read_text()


def test_check_warns_of_what_cannot_be_published(two: Workspace) -> None:
    """Where there is an archive already, or a real send needs its pictures from there; a trial needs neither."""
    two.issue("Hello {{ first_name }}.\n\n![Red](a.png)\n")
    two.write("people.csv", "email,first name\na@example.org,Ann\n")
    two.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")
    assert two.newsletter("check", "--format", "json").json()[0]["findings"] == []
    configuration = (two.root / "newsletter.yaml").read_text()
    two.write("newsletter.yaml", f"{configuration}provider: mailgun\n")
    (found,) = two.newsletter("check", "--format", "json").json()[0]["findings"]
    assert (found["rule"], found["severity"], found["line"]) == ("publish", "warning", 7)
    assert "`newsletter publish` would refuse this issue: “first_name” has no value" in found["message"]
    two.write("newsletter.yaml", configuration)
    two.newsletter("publish", OLDER)
    assert "[publish]" in two.newsletter("check").out


def test_an_issue_that_cannot_be_read_publishes_none(two: Workspace) -> None:
    """Neither it nor the others; what was public stays."""
    two.newsletter("publish", "--all")
    two.issue("::: nte\nx\n:::\n", slug=OLDER, id="older-0001", title="Older")
    two.issue("Changed.\n")
    assert f"issues/{OLDER}/index.md:7:5: unknown container “nte”" in refused(two, 65, "--all")


def test_a_folder_that_is_no_archive_is_left_alone(two: Workspace) -> None:
    """A file, a website, a list that was edited by hand, an issue named as the pictures are."""
    two.write("file", "x")
    assert "file: cannot be written: a file stands" in refused(two, 74, "--to", "file")
    assert "file/below: cannot be written: a file stands" in refused(two, 74, "--to", "file/below")
    two.write("site/index.html", "<h1>My home</h1>")
    assert "site/index.html was not made by newsletter" in refused(two, 1, "--to", "site")
    two.write("public/issues.json", '{"version": 1,\n')
    assert "public/issues.json:2:1: the list of what is published cannot be read" in refused(two, 65)
    two.issue("Text.\n", slug="images", id="other-0001")
    error = refused(two, 65, "images", "--to", "fresh")
    assert "issues/images/index.md:1:1: no page can lie in a folder named “images”" in error


def test_a_folder_that_cannot_be_written_is_named(two: Workspace) -> None:
    """With 74, as for any disk that takes nothing."""
    if not os.path.isdir("/proc"):  # noqa: PTH112 - a folder of Linux that nobody writes to
        pytest.skip("no folder here that even root cannot write to")
    assert "/proc/letters: cannot be written" in refused(two, 74, "--to", "/proc/letters")


def test_a_full_disk_leaves_what_was_there(two: Workspace) -> None:
    """A file may have two blocks only: the page does not fit, and nothing of the run stays."""
    two.newsletter("publish", "older")
    before = tree(two.root)
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 4; exec "$0" "$@"', sys.executable, "-m", "newsletter", "publish"],
        cwd=two.root,
        env=two.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, f"public/{SLUG}/index.html: cannot be written" in done.stderr) == (74, True)
    assert tree(two.root) == before
    assert not (two.root / "public" / SLUG).exists()
    two.newsletter("publish")


# -- in a browser ---------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 1280])
def test_index_and_page_fit_and_lead_to_each_other(two: Workspace, browser: Browser, width: int, scheme: str) -> None:
    """From the disk itself, on a phone and a desk, in light and dark, with a title that never ends."""
    long = "Donaudampfschifffahrtsgesellschaftskapitaen" * 3
    two.issue(f"{long}\n\n![Red](a.png)\n", title=long, dek=long)
    two.newsletter("publish", "--all")
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()

    def look() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(20, 23, 27)" if scheme == "dark" else "rgb(255, 255, 255)")

    page.goto((two.root / "public/index.html").as_uri())
    look()
    link = page.locator("h2 a").first
    assert link.get_attribute("href") == f"{SLUG}/"
    page.goto((two.root / f"public/{SLUG}/index.html").as_uri())
    look()
    assert page.evaluate("document.querySelector('article img').naturalWidth") > 0
    assert page.locator(".masthead a").get_attribute("href") == "../"
    context.close()
