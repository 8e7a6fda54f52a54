"""init, new, build and check, as real commands."""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import Result, Workspace

from newsletter.config import API_KEYS


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file by relative name."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def empty(tmp_path: Path) -> Workspace:
    """A folder that is no workspace yet."""
    return Workspace(tmp_path)


def test_init_makes_a_workspace_that_works_at_once(empty: Workspace) -> None:
    """Build and check pass on the first issue."""
    result = empty.newsletter("init", "letters", "--name", "The Harbour Letter")
    made = Workspace(empty.root / "letters")
    for name in ("newsletter.yaml", ".env", ".env.example", ".gitignore", "templates/default/layout.mjml.j2"):
        assert (made.root / name).is_file(), name
    assert "newsletter build" in result.out
    assert (made.root / ".env").stat().st_mode & 0o777 == 0o600
    assert made.config().name == "The Harbour Letter"
    for name in API_KEYS.values():
        assert f"\n#{name}=\n" in (made.root / ".env.example").read_text()
    made.newsletter("build")
    made.newsletter("check")


def test_init_never_overwrites(empty: Workspace) -> None:
    """A second run changes no byte, and a file of one's own is kept."""
    empty.write("newsletter.yaml", "name: Mine\nfrom: A <a@example.org>\n")
    empty.newsletter("init")
    before = files_below(empty.root)
    result = empty.newsletter("init")
    assert files_below(empty.root) == before
    assert before["newsletter.yaml"].startswith(b"name: Mine")
    assert "already there" in result.out


def test_init_s_secret_is_in_no_output_and_not_in_git(empty: Workspace) -> None:
    """Only .env knows it."""
    result = empty.newsletter("-v", "init", "--json")
    secret = (empty.root / ".env").read_text().partition("=")[2].strip()
    assert len(secret) >= 32
    assert secret not in result.out + result.err
    assert ".env\n" in (empty.root / ".gitignore").read_text()


def test_init_refuses_a_sender_with_a_line_break(empty: Workspace) -> None:
    """Before anything is written."""
    assert empty.run("init", "--from", "A\nBcc: x <a@example.org>").code == 65
    assert list(empty.root.iterdir()) == []


def test_new_drafts_an_issue_that_can_be_built(workspace: Workspace) -> None:
    """With an id of its own, and in its dated folder."""
    path = Path(workspace.newsletter("new", "Grüße vom Kai: Ebbe & Flut", "--json").json()["path"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-grusse-vom-kai-ebbe-flut", path.parent.name)
    assert path.is_file()
    workspace.newsletter("build")
    again = workspace.run("new", "Grüße vom Kai: Ebbe & Flut")
    assert again.code == 65
    ids = re.findall(r"^id: *(\S+)", path.read_text("utf-8"), re.MULTILINE)
    assert len(ids) == 1


BODY = """\
Dear {{ first_name | default("reader") }}, this is *text*.[^1]

::: note Note
A [link](https://example.org/?c={{ email }}).
:::

![A square](square.png "A caption")

[^1]: A footnote.
"""


def square(path: Path) -> None:
    """A small picture."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), (10, 90, 120)).save(path)


@pytest.fixture
def issue(workspace: Workspace) -> Workspace:
    """A workspace with one issue that has a picture and merge fields."""
    square(workspace.issue(BODY, subject="Hello {{ first_name | default('you') }}") / "square.png")
    return workspace


def test_build_writes_what_the_contract_lists(issue: Workspace) -> None:
    """And a manifest that holds each file's hash."""
    listed = issue.newsletter("build", "--json").json()
    built = files_below(issue.root / "build" / "2026-11-23-hello")
    assert set(built) == set(listed["files"])
    assert {"email.html", "email.txt", "web.html", "email.eml", "manifest.json"} <= set(built)
    manifest = json.loads(built["manifest.json"])
    for name, data in built.items():
        if name != "manifest.json":
            assert manifest["files"][name]["sha256"] == hashlib.sha256(data).hexdigest()
    pictures = [name for name in built if name.startswith("images/")]
    assert len(pictures) == 1
    assert pictures[0] in built["email.html"].decode()
    message = email.message_from_bytes(built["email.eml"], policy=email.policy.default)
    assert message["Subject"] == "Hello you"
    assert "Dear reader" in built["email.txt"].decode()
    assert "Dear reader" in built["web.html"].decode()


def test_a_build_leaves_nothing_of_the_last_one(issue: Workspace) -> None:
    """No stale picture, no temporary folder."""
    issue.newsletter("build")
    issue.write("build/2026-11-23-hello/images/stale.png", b"x")
    assert issue.run("build", "--check").code == 1
    issue.newsletter("build")
    assert issue.newsletter("build", "--check").out.endswith("byte for byte.\n")
    assert [path.name for path in (issue.root / "build").iterdir()] == ["2026-11-23-hello"]


FAKE_CLOCK = """
import time, datetime as dt, runpy, sys
class Later(dt.datetime):
    @classmethod
    def now(cls, tz=None): return cls(2041, 7, 1, 12, tzinfo=tz)
dt.datetime = Later
time.time = lambda: 2_257_000_000.0
sys.argv = ["newsletter", "build", sys.argv[1]]
runpy.run_module("newsletter", run_name="__main__")
"""


def test_the_same_workspace_gives_the_same_bytes(issue: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Across time zone, locale, hash seed, working folder, cache and clock."""
    folder = issue.root / "issues" / "2026-11-23-hello"
    target = issue.root / "build" / "2026-11-23-hello"

    def built(extra: dict[str, str], *, cwd: Path = issue.root, clock: bool = False) -> dict[str, bytes]:
        argv = ["-c", FAKE_CLOCK, str(folder)] if clock else ["-m", "newsletter", "build", str(folder)]
        argv += ["--config", str(issue.root / "newsletter.yaml")] if cwd != issue.root else []
        subprocess.run([sys.executable, *argv], cwd=cwd, env=issue.environment(extra), check=True, capture_output=True)
        return files_below(target)

    first = built({"TZ": "UTC", "LANG": "C", "PYTHONHASHSEED": "0"})
    assert (
        built({"TZ": "Pacific/Kiritimati", "LANG": "de_DE.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "4711"})
        == first
    )
    assert (
        built({"TZ": "America/Los_Angeles", "PYTHONHASHSEED": "1"}, cwd=tmp_path_factory.mktemp("elsewhere")) == first
    )
    assert built({}, clock=True) == first
    for path in sorted((issue.root / ".newsletter").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert built({}) == first


def test_build_as_a_reader_gives_that_reader_s_copy(issue: Workspace) -> None:
    """And says so when there is no such person."""
    assert issue.run("build", "--as", "ada@example.org").code == 65
    issue.newsletter(
        "subscribers", "add", "ada@example.org", "--field", "first_name=Ada <b>", "--consent-source", "test"
    )
    issue.newsletter("build", "--as", "ada@example.org")
    built = files_below(issue.root / "build" / "2026-11-23-hello")
    assert "Dear Ada &lt;b&gt;" in built["email.html"].decode()
    assert "Dear Ada <b>" in built["email.txt"].decode()
    assert "c=ada%40example.org" in built["email.html"].decode()
    assert issue.run("build", "--as", "bob@example.org").code == 65


def test_build_and_check_leave_the_database_alone(issue: Workspace) -> None:
    """An issue without merge fields asks nobody; `build` never does."""
    issue.newsletter("build")
    issue.newsletter("check")
    assert not (issue.root / ".newsletter" / "newsletter.db").exists()


def test_build_and_check_load_no_database_and_no_http(issue: Workspace) -> None:
    """They would cost half a second at every call."""
    code = (
        "import sys; from newsletter.cli.app import run; "
        "code = run(sys.argv[1:]); print(code, [m for m in ('sqlalchemy', 'httpx', 'PIL.Image', 'rich') if m in sys.modules])"
    )
    issue.newsletter("build")
    for words in (["build"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=issue.root,
            env=issue.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == "0 []"


def test_plan_writes_nothing_at_all(issue: Workspace) -> None:
    """Not even a picture into the cache, before there is a database and after."""
    before = files_below(issue.root)
    issue.newsletter("plan")
    assert files_below(issue.root) == before
    issue.newsletter("subscribers", "add", "ada@example.org", "--consent-source", "test")
    before = files_below(issue.root)
    issue.newsletter("plan", "--json")
    assert files_below(issue.root) == before


def test_check_prints_places_and_ends_with_one(issue: Workspace) -> None:
    """For a person, for an editor, and for a script."""
    issue.issue("A [link](page.html).\n\nDear {{ nickname }}.\n", preheader="")
    result = issue.run("check")
    assert result.code == 1
    assert re.search(r"index\.md:6:\d+: error: .*\[link-relative\]", result.out)
    assert "[preheader]" in result.out
    report: list[dict[str, Any]] = issue.run("check", "--json").json()
    assert report[0]["errors"] == 1
    assert {f["rule"] for f in report[0]["findings"]} == {"link-relative", "preheader", "value-unknown"}


def test_a_field_that_nobody_has_is_an_error_where_it_stands(issue: Workspace) -> None:
    """Once there are people to ask."""
    issue.issue("Hello.\n\nDear {{ nickname }}.\n")
    assert issue.run("check").code == 0
    issue.newsletter("subscribers", "add", "ada@example.org", "--consent-source", "test")
    result = issue.run("check")
    assert result.code == 1
    assert re.search(r"index\.md:9:6: error: no subscriber has a value for “nickname”", result.out)


def test_strict_makes_warnings_fail(issue: Workspace) -> None:
    """For a repository that wants it so."""
    issue.issue("Hello.\n", preheader="")
    assert issue.run("check").code == 0
    assert issue.run("check", "--strict").code == 1


def test_a_problem_prints_no_traceback_unless_asked(issue: Workspace) -> None:
    """`-v` shows it."""
    issue.issue("::: nte\nText.\n:::\n")
    plain, verbose = issue.run("build"), issue.run("-v", "build")
    assert plain.code == verbose.code == 65
    assert "index.md:7:5" in plain.err
    assert "Traceback" not in plain.err
    assert "Traceback" in verbose.err
    assert not (issue.root / "build").exists()


def without_root_s_rights(workspace: Workspace, *argv: str) -> Result:
    """Run as an ordinary owner would: for root no folder is read-only."""
    if os.geteuid() == 0:
        lost = "-dac_override,-dac_read_search"
        argv = ("setpriv", f"--bounding-set={lost}", f"--inh-caps={lost}", *argv)
    done = subprocess.run(
        argv, cwd=workspace.root, env=workspace.environment(), capture_output=True, text=True, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root needs setpriv to give up its rights"
)
def test_a_read_only_folder_is_one_clear_error(issue: Workspace) -> None:
    """Exit 74, naming the folder."""
    issue.root.chmod(0o555)
    try:
        result = without_root_s_rights(issue, sys.executable, "-m", "newsletter", "build")
    finally:
        issue.root.chmod(0o755)
    assert result.code == 74, result.err
    assert "cannot be written" in result.err
    assert "Traceback" not in result.err
    assert not (issue.root / "build").exists()
