"""Bad input through the real command: one clear error, its exit code, and nothing half done."""

from __future__ import annotations

import csv
import email
import email.policy
import html
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from support import CONFIGURATION, ROOT, Result, Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage
    from pathlib import Path

SLUG = "2026-11-23-hello"
INDEX = f"issues/{SLUG}/index.md"
FRONT = "id: hello-0001\ntitle: Hello\npreheader: A first line\n"


def tree(root: Path) -> dict[str, bytes | None]:
    """Every path with its bytes; the cache may come and go."""
    return {
        name: path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
        if not (name := path.relative_to(root).as_posix()).startswith(".newsletter")
    }


def refused(workspace: Workspace, code: int, *argv: str, env: Mapping[str, str] | None = None) -> str:
    """The error of a command that must fail and leave everything as it was."""
    before = tree(workspace.root)
    result = workspace.run(*argv, env=dict(env or {}))
    assert result.code == code, result.err
    assert "Traceback" not in result.err + result.out
    assert "fault in newsletter" not in result.err
    assert result.err.count("Error: ") == 1
    assert tree(workspace.root) == before
    return result.err


def index(workspace: Workspace, front: str = FRONT, body: str = "Text.\n") -> None:
    """Write the issue as it stands."""
    workspace.write(INDEX, f"---\n{front}---\n{body}")


# -- front matter ---------------------------------------------------------------------

HEADS = {
    "open quote": ('id: a-00001\ntitle: "Hello\n', "3:8", "not valid YAML", "Close the quote"),
    "colon": ("id: a-00001\ntitle: One: two\n", "3:11", "not valid YAML", "must be quoted"),
    "asterisk": (FRONT + "dek: *Really* good\n", "5:6", "not valid YAML", "must be quoted"),
    "anchors": (FRONT + "dek: &a x\nkicker: &a y\n", "5:6", "anchors", "must be quoted"),
    "twice": (FRONT + "title: Again\n", "5:1", "already given on line 3", "Keep one"),
    "unknown key": (FRONT + "subjet: x\n", "5:1", "unknown key “subjet”", "“subject”"),
    "no id": ("title: Hello\n", "1:1", "“id” is missing", "6 to 64"),
    "unquoted field": (FRONT + "subject: {{ first_name }}\n", "5:10", "must be quoted", '"{{ first_name }}"'),
    "field in title": ('id: a-00001\ntitle: "{{ x }}"\n', "3:9", "may not stand in “title”", "subject"),
    "field in sender": (FRONT + 'from: "{{ x }} <a@example.org>"\n', "5:8", "may not stand in “from”", "subject"),
    "open field": (FRONT + 'subject: "{{ x"\n', "5:11", "never closed", "}}"),
    "line break": (FRONT + 'subject: "a\\nBcc: x@example.org"\n', "5:10", "line break", "one line"),
    "separator": (FRONT + 'subject: "a\\u2028b"\n', "5:10", "U+2028", "one line"),
    "encoded word": (FRONT + 'subject: "=?utf-8?q?a=0ABcc:_x?="\n', "5:10", "encoded word", "one line"),
    "encoded sender": (FRONT + 'from: "=?utf-8?b?YQpCY2M6IHg=?= <a@example.org>"\n', "5:7", "encoded word", ""),
    "no theme": (FRONT + "theme: fancy\n", "5:8", "no theme “fancy”", "default"),
    "theme elsewhere": (FRONT + "theme: ../../etc\n", "5:8", "folder's name", "default"),
}


@pytest.mark.parametrize(("front", "place", "said", "hint"), HEADS.values(), ids=HEADS)
def test_a_bad_front_matter_is_refused_at_its_place(
    workspace: Workspace, front: str, place: str, said: str, hint: str
) -> None:
    """With what to do about it."""
    index(workspace, front)
    error = refused(workspace, 65, "build")
    assert f"{INDEX}:{place}: " in error
    assert said in error
    assert hint in error


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"Just text.\n", "1:1: the front matter is missing"),
        (b"---\nid: a-00001\n\nText.\n", "1:1: the front matter that begins here never ends"),
        (b"---\n- a\n---\n", "2:1: the front matter is a list"),
        ("---\nid: a-00001\ntitle: Grüße\n---\n".encode("latin-1"), "3:10: this is not UTF-8"),
        (b"---\nid: a-00001\ntitle: A\n---\nText\0\n", "5:5: this character (U+0000)"),
    ],
)
def test_a_file_that_is_no_issue_says_what_it_is(workspace: Workspace, raw: bytes, said: str) -> None:
    """Not just that an id is missing."""
    workspace.write(INDEX, raw)
    assert f"{INDEX}:{said}" in refused(workspace, 65, "check")


def test_every_problem_is_reported_at_once(workspace: Workspace) -> None:
    """A missing or repeated id hides nothing, nor does another issue's fault."""
    index(workspace, FRONT + "titel: x\n", "::: nte\nx\n:::\n\n![a](b.png)\n")
    workspace.write("issues/2026-11-22-b/index.md", '---\n"id": hello-0001\ntitle: B\n---\n{{ 7*7 }}\n')
    error = refused(workspace, 65, "check", "hello", "b")
    for said in ("“hello-0001” is also that of", "“titel”", "“nte”", "“b.png” is missing", "not a merge field"):
        assert said in error


@pytest.mark.parametrize("change", [lambda t: t.replace("\n", "\r\n"), lambda t: "\ufeff" + t])
def test_windows_line_ends_and_byte_order_marks_do_no_harm(workspace: Workspace, change: object) -> None:
    """In configuration and issue alike."""
    assert callable(change)
    workspace.write("newsletter.yaml", change(CONFIGURATION))
    workspace.write(INDEX, change(f"---\n{FRONT}---\nText.\n"))
    workspace.newsletter("build")


# -- bodies ---------------------------------------------------------------------------

BODIES = {
    "unknown container": ("::: nte\nx\n:::\n", "6:5", "unknown container “nte”"),
    "open container": ("::: note\nx\n", "6:1", "never closed"),
    "stray end": ("x\n\n:::\n", "8:1", "closes nothing"),
    "open field": ("Dear {{ first_name, hi\n", "6:6", "never closed"),
    "calculation": ("{{ 7*7 }}\n", "6:1", "not a merge field"),
    "field in a picture": ("![a]({{ x }}.png)\n", "6:6", "picture's file name"),
    "field in a scheme": ("[a]({{ x }}://example.org/)\n", "6:5", "scheme or host"),
    "field in a host": ("[a](https://www.{{ x }}.org/a)\n", "6:17", "scheme or host"),
    "field in a button's host": ('::: button {href="https://{{ x }}/"}\nGo\n:::\n', "6:27", "scheme or host"),
    "script": ("[a](javascript:alert(1))\n", "6:1", "javascript:"),
    "unknown mjml": ("::: mjml\n<mj-section><mj-column><mj-txt>a</mj-txt></mj-column></mj-section>\n:::\n", "7:24", "mj-txt"),
    "open mjml": ("::: mjml\n<mj-section>\n:::\n", "8:3", "<mj-section> is opened on line 7"),
    "text in mjml": ("::: mjml\nhello\n:::\n", "7:1", "text cannot stand outside"),
    "mj-include": ('::: mjml\n<mj-include path="/etc/passwd"/>\n:::\n', "7:1", "mj-include"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "place", "said"), BODIES.values(), ids=BODIES)
def test_a_bad_body_is_refused_at_its_place(workspace: Workspace, body: str, place: str, said: str) -> None:
    """And nothing is built."""
    index(workspace, body=body)
    error = refused(workspace, 65, "build")
    assert f"{INDEX}:{place}: " in error
    assert said in error


def test_bad_pictures_are_refused_together(workspace: Workspace) -> None:
    """Missing, outside, by a link, corrupt, huge."""
    names = ("missing", "link", "loop", "corrupt", "huge", "folder")
    index(
        workspace, body="".join(f"![a]({name}.png)\n\n" for name in names) + "![a](../out.png)\n\n![a](/etc/passwd)\n"
    )
    folder = workspace.root / "issues" / SLUG
    workspace.write("issues/out.png", b"x")
    (folder / "link.png").symlink_to("../out.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "corrupt.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    with (folder / "huge.png").open("wb") as file:
        file.truncate(70_000_000)
    (folder / "folder.png").mkdir()
    before = sorted(workspace.root.rglob("*"))
    result = workspace.run("build")
    assert result.code == 65
    for said in (
        "6:1: the picture “missing.png” is missing",
        "8:1: the picture “link.png” lies outside",
        "10:1: the picture “loop.png” cannot be read",
        "12:1: the picture “corrupt.png” is ",
        "14:1: the picture “huge.png” is larger than 60 MB",
        "16:1: the picture “folder.png” is not a file",
        "18:1: the picture “../out.png” lies outside",
        "20:1: the picture “/etc/passwd” is not a path inside",
    ):
        assert f"{INDEX}:{said}" in result.err
    assert sorted(workspace.root.rglob("*")) == before


def test_a_build_that_fails_leaves_the_last_one(workspace: Workspace) -> None:
    """It can be used until the fault is mended."""
    index(workspace)
    workspace.newsletter("build")
    index(workspace, body="::: nte\nx\n:::\n")
    refused(workspace, 65, "build")
    index(workspace)
    assert workspace.newsletter("build", "--check", "--json").json()["differences"] == []


# -- configuration --------------------------------------------------------------------

CONFIGURATIONS = {
    "empty": ("", ":1:1: “name” is missing"),
    "open quote": ('name: "x\n', ":1:7: this is not valid YAML"),
    "twice": (CONFIGURATION + "name: x\n", ": the key “name” is already given on line 1"),
    "misspelt": (CONFIGURATION + "timezome: UTC\n", "Did you mean “timezone”?"),
    "dotted": (CONFIGURATION + "send.workers: 3\n", "“send.workers” is a nested key"),
    "sender": ('name: T\nfrom: "A\\nBcc: x <a@example.org>"\n', ":2:7: “from”: it holds a line break"),
    "encoded sender": ('name: T\nfrom: "=?utf-8?q?a=0ABcc?= <a@example.org>"\n', ":2:7: “from”: an encoded word"),
    "mark": ('name: "\U000f0000\U000f0100"\nfrom: a@example.org\n', ":1:7: “name”: it holds a character"),
    "address": (CONFIGURATION + "public_url: 'https://example.org/\"><script>'\n", "“public_url”: this is not"),
    "secret": (CONFIGURATION + "mailgun_api_key: abc\n", "Secrets do not belong in this file"),
    "zone": (CONFIGURATION + "timezone: localtime\n", "“timezone”"),
    "latin-1": ("name: T\nfrom: Grüße <a@example.org>\n".encode("latin-1"), ":2:9: this is not UTF-8"),
}


@pytest.mark.parametrize(("text", "said"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_bad_configuration_is_refused(workspace: Workspace, text: str | bytes, said: str) -> None:
    """By every command alike."""
    if isinstance(text, str):
        text = text.replace("timezone: Europe/Berlin\ntimezone", "timezone")
    workspace.write("newsletter.yaml", text)
    index(workspace)
    assert said in refused(workspace, 78, "build")


def test_a_configuration_that_is_not_there_is_named(workspace: Workspace) -> None:
    """With how to make one."""
    index(workspace)
    assert "nope.yaml: there is no configuration" in refused(workspace, 78, "check", "--config", "nope.yaml")
    workspace.write(".env", b"\xb8\xff")
    assert ".env: cannot be read: this is not UTF-8" in refused(workspace, 78, "plan")


# -- themes ---------------------------------------------------------------------------

THEMES = {
    "syntax": ("<mj-text>\n{% if x %}\n", "2:1: this template cannot be read"),
    "unknown name": ("<mj-text>{{ nope }}</mj-text>", "1:1: this template cannot be rendered: 'nope' is undefined"),
    "not closed": ("<mj-text>\n<b>x</mj-text>", "2:1: this is not well-formed: <b> is opened"),
    "twice": ('<mj-text a="1" a="2">x</mj-text>', "1:1: this is not well-formed: duplicate attribute"),
    "mj-include": ('<mj-include path="/etc/passwd"/>', "1:1: <mj-include> cannot be used here"),
    "mj-txt": ("<mj-txt>x</mj-txt>", "1:1: unknown tag <mj-txt>"),
    "elsewhere": ('{% include "../../../newsletter.yaml" %}', "1:1: the theme has no template"),
    "mark": ("<mj-text>\U000f0000</mj-text>", "1:1: this character (U+F0000) may not stand here"),
    "latin-1": ("<mj-text>\nü</mj-text>".encode("latin-1"), "2:1: this is not UTF-8"),
}


@pytest.mark.parametrize(("template", "said"), THEMES.values(), ids=THEMES)
def test_a_broken_theme_is_refused_at_its_line(workspace: Workspace, template: str | bytes, said: str) -> None:
    """The author's own theme, which lacks everything else."""
    index(workspace, FRONT + "theme: mine\n")
    workspace.write("templates/mine/blocks/paragraph.mjml.j2", template)
    assert f"templates/mine/blocks/paragraph.mjml.j2:{said}" in refused(workspace, 65, "build")


def test_a_theme_reads_nothing_outside_its_folder(workspace: Workspace) -> None:
    """A link to a file would put any file into a mail; a link to a whole theme is the author's wish."""
    index(workspace, FRONT + "theme: mine\n")
    (workspace.root / "templates").mkdir()
    (workspace.root / "templates/mine").symlink_to(ROOT / "templates/default")
    workspace.newsletter("build")
    (workspace.root / "templates/mine").unlink()
    (workspace.root / "templates/mine/blocks").mkdir(parents=True)
    (workspace.root / "templates/mine/blocks/paragraph.mjml.j2").symlink_to("/etc/passwd")
    error = refused(workspace, 65, "build")
    assert "link out of the theme's folder" in error
    assert "root:" not in error


# -- naming, drafting, making ---------------------------------------------------------


def test_an_issue_is_found_by_any_of_its_names(workspace: Workspace) -> None:
    """From anywhere in the workspace."""
    index(workspace)
    for name in (f"issues/{SLUG}/", SLUG, "hello", INDEX):
        assert workspace.newsletter("check", name, "--json").json()[0]["issue"] == SLUG
    inside = Workspace(workspace.root / "issues" / SLUG)
    assert inside.newsletter("check", ".", "--json").json()[0]["issue"] == SLUG
    assert "Did you mean “hello”?" in refused(workspace, 65, "build", "helo")
    assert "no index.md in this folder" in refused(workspace, 65, "build", "/etc/")


def test_a_send_is_found_after_its_issue_broke_or_went(workspace: Workspace) -> None:
    """And a name that nobody knows is no issue that was not sent."""
    index(workspace)
    workspace.newsletter("subscribers", "add", "a@example.org", "--consent-source", "test")
    workspace.newsletter("send", "--yes")
    index(workspace, "broken: [\n")
    assert workspace.newsletter("status", "--json").json()["slug"] == SLUG
    assert "there is no issue “nope”" in refused(workspace, 65, "cancel", "nope")
    shutil.rmtree(workspace.root / "issues")
    assert workspace.newsletter("status", SLUG, "--json").json()["slug"] == SLUG


def test_an_empty_workspace_says_how_to_begin(workspace: Workspace) -> None:
    """Whatever is asked of it."""
    for command in ("build", "check", "plan", "status"):
        assert "newsletter new" in refused(workspace, 65, command)


@pytest.mark.parametrize("title", ["", " ", "a\nb", "{{ x }}", "=?utf-8?q?a=0Ab?="])
def test_a_title_that_cannot_be_one_is_refused(workspace: Workspace, title: str) -> None:
    """Nothing is made."""
    refused(workspace, 65, "new", "--", title)


@pytest.mark.parametrize("title", ["../../etc", "a" * 3000, "日本語のタイトル", '"><script>', "--help", "'; rm -rf /"])
def test_an_unusual_title_stays_in_its_folder(workspace: Workspace, title: str) -> None:
    """And can be built at once."""
    made = workspace.newsletter("new", "--json", "--", title).json()
    assert (workspace.root / "issues" / made["slug"] / "index.md").is_file()
    assert [path.name for path in (workspace.root / "issues").iterdir()] == [made["slug"]]
    workspace.newsletter("check", made["slug"])


def test_init_makes_all_or_nothing(workspace: Workspace) -> None:
    """A broken configuration, a file in the way, no room."""
    workspace.write("broken/newsletter.yaml", "name: [\n")
    workspace.write("file", "x")
    workspace.write("half/templates", "x")
    assert "broken/newsletter.yaml:2:1" in refused(workspace, 78, "init", "broken")
    for folder, said in (("file", "file: a file"), ("file/sub", "file: a file"), ("half", "half/templates: a file")):
        assert f"{said} stands where a folder is needed" in refused(workspace, 74, "init", folder)
    before = tree(workspace.root)
    result = with_little_room(workspace, "init", "new")
    assert (result.code, "cannot be written" in result.err) == (74, True)
    assert tree(workspace.root) == before


def with_little_room(workspace: Workspace, *argv: str) -> Result:
    """Run a command that may not write a file of more than two blocks, as on a full disk."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -f 4; exec "$0" "$@"', sys.executable, "-m", "newsletter", *argv],
        cwd=workspace.root,
        env=workspace.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def test_a_full_disk_leaves_what_was_there(workspace: Workspace) -> None:
    """With 74, and the same command goes through later."""
    index(workspace)
    before = tree(workspace.root)
    result = with_little_room(workspace, "build")
    assert (result.code, f"build/{SLUG}: cannot be written" in result.err) == (74, True)
    assert tree(workspace.root) == before
    workspace.write(f"build/{SLUG}", "a file in the way")
    workspace.newsletter("build")
    assert [path.name for path in (workspace.root / "build").iterdir()] == [SLUG]
    shutil.rmtree(workspace.root / "build")
    workspace.write("build", "x")
    assert "build: cannot be written: a file stands where" in refused(workspace, 74, "build")


# -- output ---------------------------------------------------------------------------


def shell(workspace: Workspace, line: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which ``n`` is the command."""
    script = f'n() {{ "{sys.executable}" -m newsletter "$@"; }}\n{line}'
    return subprocess.run(
        ["/bin/bash", "-c", script],
        cwd=workspace.root,
        env=workspace.environment(env),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_output_that_nobody_reads_is_no_fault(workspace: Workspace) -> None:
    """Cut off by the next command in the pipe, closed, or full."""
    index(workspace)
    for command in ("--help", "check", "build"):
        done = shell(workspace, f"n {command} | true; echo ${{PIPESTATUS[0]}}; n {command} >&-; echo $?")
        assert done.stdout.splitlines()[0] in {"0", "141"}
        assert done.stdout.splitlines()[1:] == ["0"]
        assert done.stderr == ""
        if os.path.exists("/dev/full"):  # noqa: PTH110 - a device of Linux
            done = shell(workspace, f"n {command} >/dev/full; echo $?")
            assert done.stdout == "74\n"
            assert done.stderr.startswith("Error: the output cannot be written")


@pytest.mark.parametrize("env", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
def test_any_locale_can_print_any_title(workspace: Workspace, env: dict[str, str]) -> None:
    """As text as far as it goes, as JSON in full."""
    index(workspace, FRONT.replace("Hello", "日本 ü"))
    printed = {}
    for form in ("--verbose", "--json"):
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", "plan", form],
            cwd=workspace.root,
            env=workspace.environment(env),
            capture_output=True,
            check=True,
        )
        printed[form] = done.stdout
    assert b"0 to the outbox" in printed["--verbose"]
    assert json.loads(printed["--json"])["subject"] == "日本 ü"


def test_no_color_means_no_colour_even_on_a_terminal(workspace: Workspace) -> None:
    """Output and errors alike."""
    if shutil.which("script") is None:
        pytest.skip("no script(1) to make a terminal with")
    index(workspace)
    command = f"{sys.executable} -m newsletter check"
    line = f"script -qec '{command} hello; {command} nope' /dev/null"
    assert "\x1b[" not in shell(workspace, line).stdout
    assert "\x1b[" in shell(workspace, line, {"NO_COLOR": ""}).stdout


def test_a_path_may_hold_spaces_and_umlauts(tmp_path: Path) -> None:
    """And the command that is suggested can be pasted."""
    outer = Workspace(tmp_path)
    result = outer.newsletter("init", "mein Brief ü")
    assert "cd 'mein Brief ü' && newsletter build" in result.out
    made = Workspace(tmp_path / "mein Brief ü")
    made.newsletter("build")
    made.newsletter("subscribers", "add", "a@example.org", "--consent-source", "test")
    made.newsletter("send", "--yes")
    outer.newsletter("check", "--config", "mein Brief ü/newsletter.yaml")


# -- people ---------------------------------------------------------------------------

NAMES = (
    '"><script>alert(1)</script>', "{{7*7}}", "%recipient.email%", "*|FNAME|*", "😀🎉", "مرحبا بالعالم", "O'Brien & Söhne <x>",
    "{{ email }}", "\\{{", "{% raw %}", "[[x]]", "${x}", "&amp;", "=cmd|x", "<!--", "]]>", "日本語" * 30, "a" * 900,
    "\u202eabc",
)  # fmt: skip


def test_every_name_arrives_as_it_is(workspace: Workspace) -> None:
    """In subject, text, HTML and links, literally, with no header added."""
    index(
        workspace,
        FRONT + 'subject: "Hi {{ first_name }}!"\n',
        "Dear {{ first_name }}, [link](https://example.org/?n={{ first_name }}).\n",
    )
    sheet = io.StringIO()
    rows = csv.writer(sheet)
    rows.writerow(["email", "first_name"])
    rows.writerows([f"p{number}@example.org", name] for number, name in enumerate(NAMES))
    workspace.write("people.csv", sheet.getvalue())
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")
    workspace.newsletter("send", "--yes")
    got: dict[int, EmailMessage] = {}
    for path in (workspace.root / ".newsletter/outbox").rglob("*.eml"):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        got[int(re.findall(r"p(\d+)@", str(message["To"]))[0])] = message
    assert sorted(got) == list(range(len(NAMES)))
    for number, name in enumerate(NAMES):
        message = got[number]
        plain, rich = (part.get_content() for kind in ("plain", "html") if (part := message.get_body((kind,))))
        assert str(message["Subject"]) == f"Hi {name}!"
        assert f"Dear {name}," in plain
        assert html.unescape(re.findall(r"Dear (.*?),\s*<a", rich, re.DOTALL)[0]) == name
        link = re.findall(r'href="(https://example\.org/\?n=[^"]*)"', rich)[0]
        assert parse_qs(urlsplit(html.unescape(link)).query) == {"n": [name]}
        assert "<script>" not in rich
        assert message["Bcc"] is None
        assert not message.defects


LISTS = {
    "open quote": (b'email,name\na@example.org,"Ada\nb@example.org,B\n', "people.csv:2:1: a quote is opened"),
    "NUL": (b"email,name\na@example.org,A\0\n", "people.csv:2:1: it holds a control character"),
    "latin-1": ("email,name\na@example.org,Grü\n".encode("latin-1"), "people.csv:2:17: this is not UTF-8"),
    "no address": (b"name\nAda\n", "people.csv:1:1: no column holds the e-mail addresses"),
    "two addresses": (b"email,E-Mail\na@example.org,b@example.org\n", "people.csv:1:1: more than one column"),
    "long row": (b"email,name\na@example.org,Ada,more\n", "people.csv:2:1: it has 3 values"),
    "no rows": (b"email,name\n", "people.csv: there are no rows"),
    "status": (b"email,status\na@example.org,x\n", "people.csv:1:1: the column “status”"),
}


@pytest.mark.parametrize(("raw", "said"), LISTS.values(), ids=LISTS)
def test_a_bad_list_imports_nobody(workspace: Workspace, raw: bytes, said: str) -> None:
    """Not even its good rows."""
    workspace.write("people.csv", raw)
    assert said in refused(
        workspace, 65, "subscribers", "import", "people.csv", "--apply", "--consent-source", "test", "--json"
    )


@pytest.mark.parametrize("command", [("plan",), ("subscribers", "list"), ("send", "--yes")])
def test_a_database_of_another_kind_is_left_alone(workspace: Workspace, command: tuple[str, ...]) -> None:
    """One from a newer version, and a file that is none."""
    index(workspace)
    path = workspace.write(".newsletter/newsletter.db", b"this is not a database, whatever it is called" * 20)
    before = path.read_bytes()
    assert "this file is not a database" in refused(workspace, 65, *command)
    assert path.read_bytes() == before
    path.unlink()
    workspace.newsletter("subscribers", "list")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert "made by a newer version" in refused(workspace, 65, *command)
