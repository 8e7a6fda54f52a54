"""The head of index.md: what is read, and where each mistake is reported."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from content.helpers_content import faults, outline, read, shown
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.content.frontmatter import KNOWN
from newsletter.content.issue import load_issue
from newsletter.errors import BadInput
from newsletter.model import Link, Mailbox, Styled, Text

if TYPE_CHECKING:
    from support import Workspace

    from newsletter.errors import Problem
    from newsletter.model import Issue

HEAD = "id: abc-123\ntitle: A title\n"


def issue(workspace: Workspace, front: str, body: str = "Hello.\n", slug: str = "2026-11-23-hello") -> Issue:
    """The issue with this YAML as its front matter."""
    workspace.write(f"issues/{slug}/index.md", f"---\n{front}---\n{body}")
    return load_issue(workspace.root / "issues" / slug, workspace.config())


def complaints(workspace: Workspace, text: str | bytes, slug: str = "2026-11-23-hello") -> list[str]:
    """The problems of a whole file, each as ``line:col message``."""
    workspace.write(f"issues/{slug}/index.md", text)
    found = faults(workspace, workspace.root / "issues" / slug)
    return [
        f"{p.place.line}:{p.place.col} {re.split(': while| while calling|(?<=exceeded) ', p.message)[0]}"
        for p in found
        if p.place
    ]


def test_the_least_an_issue_needs_is_an_id_and_a_title(workspace: Workspace) -> None:
    """Everything else comes from the configuration or stays empty."""
    made = issue(workspace, HEAD)
    assert (made.id, made.slug, made.title, made.subject) == ("abc-123", "2026-11-23-hello", "A title", "A title")
    assert (made.lang, made.theme, made.sender) == ("en", "default", Mailbox("Tess Editor", "tess@example.org"))
    assert made.date == dt.datetime(2026, 11, 23, tzinfo=ZoneInfo("Europe/Berlin"))
    assert (made.dek, made.authors, made.credits, made.fields, made.pictures) == ((), (), (), (), ())


def test_every_key_is_read(workspace: Workspace) -> None:
    """No key of the contract is ignored."""
    made = issue(
        workspace,
        """\
id: 20261123
title: "The harbour: a report"
subject: Ships
preheader: What we saw
number: 7
date: 2026-11-20T08:30
place: Hamburg
kicker: Field notes
dek: One *sentence* below
authors: [Ada Moreno, B. Person]
credits:
  - "Pictures: [A. Person](https://example.org/a)"
lang: de
theme: quiet
from: Ada <ada@example.org>
reply_to: answers@example.org
canonical_url: https://example.org/first
data: []
""",
    )
    assert (made.id, made.title, made.subject, made.preheader) == (
        "20261123",
        "The harbour: a report",
        "Ships",
        "What we saw",
    )
    assert (made.number, made.location, made.kicker, made.lang, made.theme) == (
        "7",
        "Hamburg",
        "Field notes",
        "de",
        "quiet",
    )
    assert made.date == dt.datetime(2026, 11, 20, 8, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert made.dek == (Text("One "), Styled("em", (Text("sentence"),)), Text(" below"))
    assert made.authors == ("Ada Moreno", "B. Person")
    (credit,) = made.credits
    assert isinstance(credit[1], Link)
    assert (credit[0], credit[1].href) == (Text("Pictures: "), "https://example.org/a")
    assert (made.sender.address, made.reply_to) == ("ada@example.org", Mailbox("", "answers@example.org"))
    assert made.canonical_url == "https://example.org/first"
    assert {key for key, _ in made.places} == set(KNOWN)
    assert str(made.where("subject")).endswith("index.md:4:10")
    assert made.where("nothing") == made.place


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old-mac"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
def test_any_editor_s_line_ends_and_bom_are_fine(workspace: Workspace, ends: str, bom: bytes) -> None:
    """Places are those that the editor shows."""
    text = f"---\n{HEAD}---\n\nHello *you*,\n[again](https://example.org).\n".replace("\n", ends)
    workspace.write("issues/2026-11-23-x/index.md", bom + text.encode())
    made = load_issue(workspace.root / "issues/2026-11-23-x", workspace.config())
    (paragraph,) = made.blocks
    assert str(paragraph.place).endswith(":6:1")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-23", "2026-11-23T00:00:00+01:00"),
        ("2026-07-01 09:15", "2026-07-01T09:15:00+02:00"),
        ("2026-11-23T08:00:00Z", "2026-11-23T08:00:00+00:00"),
        ("2026-11-23T08:00:00-05:00", "2026-11-23T08:00:00-05:00"),
        ('"2026-11-23"', "2026-11-23T00:00:00+01:00"),
    ],
)
def test_a_date_without_a_zone_is_in_the_newsletter_s_own(workspace: Workspace, written: str, expected: str) -> None:
    """A day alone is its midnight."""
    assert issue(workspace, f"{HEAD}date: {written}\n").date.isoformat() == expected


def test_the_folder_dates_an_issue_without_a_date(workspace: Workspace) -> None:
    """A folder without one does not, and that is said."""
    assert issue(workspace, HEAD, slug="2025-02-03-spring").date.date() == dt.date(2025, 2, 3)
    text = f"---\n{HEAD}---\nHello.\n"
    assert complaints(workspace, text, "spring") == [
        "1:1 “date” is missing, and the folder's name does not begin with one"
    ]
    assert complaints(workspace, text, "2025-02-30-spring") == [
        "1:1 “date” is missing, and the folder's name does not begin with one"
    ]


def test_subject_and_preheader_may_hold_fields(workspace: Workspace) -> None:
    """Their marks count into the same fields as the body's, and their places are exact."""
    front = HEAD + "subject: \"Hi {{ first_name | default('you') }}\"\npreheader: 'For {{ a }}, {{ a }} and \\{{'\n"
    made = issue(workspace, front, "Dear {{ first_name }}.\n")
    assert shown(made.subject, made) == "Hi ⟨{{ first_name | default('you') }}⟩"
    assert shown(made.preheader, made) == "For ⟨{{ a }}⟩, ⟨{{ a }}⟩ and {{"
    assert [(f.name, f.default, f.place and (f.place.line, f.place.col)) for f in made.fields] == [
        ("first_name", "you", (4, 14)),
        ("a", None, (5, 17)),
        ("a", None, (5, 26)),
        ("first_name", None, (7, 6)),
    ]


def test_the_title_stands_in_for_an_empty_subject(workspace: Workspace) -> None:
    """An empty value counts as none."""
    assert issue(workspace, HEAD + "subject:\nnumber:\n").subject == "A title"


def test_folded_and_quoted_values_are_joined(workspace: Workspace) -> None:
    """A long dek may be folded over several lines."""
    made = issue(workspace, HEAD + 'dek: >\n  One\n  two\nkicker: "a\n  b"\n')
    assert made.dek == (Text("One two"),)
    assert made.kicker == "a b"


BAD = {
    "nothing": ("", ["1:1 the front matter is missing"]),
    "no front matter": ("Hello.\n", ["1:1 the front matter is missing"]),
    "never ends": (f"---\n{HEAD}\nHello.\n", ["1:1 the front matter that begins here never ends"]),
    "broken yaml": ("---\nid: abc-123\ntitle: [a\n---\nHello.\n", ["3:8 this is not valid YAML"]),
    "a list": ("---\n- a\n---\nHello.\n", ["2:1 the front matter is a list of “key: value” lines"]),
    "empty": ("---\n---\nHello.\n", ["1:1 “id” is missing", "1:1 “title” is missing"]),
    "empty title": ('---\nid: abc-123\ntitle: ""\n---\n', ["3:8 “title” is missing"]),
    "id too short": ("---\nid: abc\ntitle: A\n---\n", ["2:5 “id” is 6 to 64 letters, digits, - or _"]),
    "id with spaces": ("---\nid: abc def\ntitle: A\n---\n", ["2:5 “id” is 6 to 64 letters, digits, - or _"]),
    "duplicate key": (f"---\n{HEAD}title: B\n---\n", ["4:1 the key “title” is already given on line 3"]),
    "unknown key": (f"---\n{HEAD}subjekt: B\n---\n", ["4:1 unknown key “subjekt”"]),
    "reserved keys": (
        f"---\n{HEAD}audience: all\nutm: x\n---\n",
        ["4:1 “audience” comes with a later release", "5:1 “utm” comes with a later release"],
    ),
    "unquoted field": (
        f"---\n{HEAD}subject: {{{{ name }}}}, hello\n---\n",
        ["4:10 a value that begins with a merge field must be quoted"],
    ),
    "field in title": (
        '---\nid: abc-123\ntitle: "Hi {{ name }}"\n---\n',
        ["3:12 a merge field may not stand in “title”"],
    ),
    "field in list": (
        f'---\n{HEAD}authors: [A, "B {{{{ c }}}}"]\n---\n',
        ["4:17 a merge field may not stand in “authors”"],
    ),
    "field in dek": (f'---\n{HEAD}dek: "x {{{{ c }}}}"\n---\n', ["4:9 a merge field may not stand in “dek”"]),
    "broken field": (
        f'---\n{HEAD}subject: "Hi {{{{ 7*7 }}}}"\n---\n',
        ["4:14 “{{ 7*7 }}” is not a merge field: only a name and filters can stand in one"],
    ),
    "open field": (f'---\n{HEAD}preheader: "Hi {{{{ x"\n---\n', ["4:16 this {{ is never closed on its line"]),
    "line break in subject": (
        f'---\n{HEAD}subject: "a\\nBcc: x@example.org"\n---\n',
        ["4:10 “subject” cannot be used: it holds a line break or control character (U+000A)"],
    ),
    "block scalar": (
        f"---\n{HEAD}subject: |\n  a\n  b\n---\n",
        ["4:10 “subject” cannot be used: it holds a line break or control character (U+000A)"],
    ),
    "hidden line break": (
        f'---\n{HEAD}subject: "=?utf-8?q?hi=0ABcc=3A_evil=40x?="\n---\n',
        ["4:10 “subject” cannot be used: an encoded word in it hides a line break or control character (U+000A)"],
    ),
    "field in encoded word": (
        f'---\n{HEAD}subject: "=?utf-8?q?{{{{ a }}}}?="\n---\n',
        ["4:10 “subject” holds both an encoded word (=?) and a merge field"],
    ),
    "line separator": (
        f'---\n{HEAD}kicker: "a\\u2028b"\n---\n',
        ["4:9 “kicker” cannot be used: it holds a line break or control character (U+2028)"],
    ),
    "bad sender": (
        f"---\n{HEAD}from: Ada\n---\n",
        ["4:7 “from”: it is not an address of the form “Name <name@example.org>”"],
    ),
    "sender with break": (
        f'---\n{HEAD}from: "A\\r\\nBcc: b@example.org <a@example.org>"\n---\n',
        ["4:7 “from” cannot be used: it holds a line break or control character (U+000D)"],
    ),
    "bad date": (f"---\n{HEAD}date: 23.11.2026\n---\n", ["4:7 “date” is not an ISO date"]),
    "odd separator": (f"---\n{HEAD}date: 2026-11-23x08:00\n---\n", ["4:7 “date” is not an ISO date"]),
    "before our time": (f"---\n{HEAD}date: 0001-01-01\n---\n", ["4:7 “date” is not an ISO date"]),
    "week date": (f"---\n{HEAD}date: 2026-W47-1\n---\n", ["4:7 “date” is not an ISO date"]),
    "no such day": (f"---\n{HEAD}date: 2026-02-30\n---\n", ["4:7 “date” is not an ISO date"]),
    "bad language": (f"---\n{HEAD}lang: german\n---\n", ["4:7 “lang”: this is not a language tag (BCP 47)"]),
    "bad theme": (f"---\n{HEAD}theme: ../x\n---\n", ["4:8 “theme”: a theme is named by its folder's name"]),
    "bad address": (
        f"---\n{HEAD}canonical_url: example.org\n---\n",
        ["4:16 “canonical_url” is not an http or https address"],
    ),
    "a mapping": (f"---\n{HEAD}kicker: {{a: b}}\n---\n", ["4:9 “kicker” takes a single value, not a mapping"]),
    "anchors": (f"---\n{HEAD}kicker: &a x\nplace: *a\n---\n", ["4:9 anchors and aliases are not supported here"]),
    "deep": (
        f"---\n{HEAD}kicker: {'[' * 5000}\n---\n",
        ["2:1 this cannot be read as YAML: maximum recursion depth exceeded"],
    ),
    "beyond Unicode": (
        f'---\n{HEAD}kicker: "\\U00110000"\n---\n',
        ["2:1 this cannot be read as YAML: chr() arg not in range(0x110000)"],
    ),
    "NUL": (b"---\nid: abc-123\ntitle: A\x00B\n---\n", ["3:9 this character (U+0000) may not stand here"]),
    "latin-1": ("---\nid: abc-123\ntitle: Käse\n---\n".encode("latin-1"), ["3:9 this is not UTF-8 (byte 0xE4)"]),
    "latin-1 with BOM": (
        b"\xef\xbb\xbf---\r\nid: abc-123\r\ntitle: K\xe4se\r\n---\r\n",
        ["3:9 this is not UTF-8 (byte 0xE4)"],
    ),
    "a mark's character": (
        "---\nid: abc-123\ntitle: A\U000f0000\n---\n",
        ["3:9 this character (U+F0000) may not stand here"],
    ),
    "an escaped mark": (
        f'---\n{HEAD}dek: "a\\U000f0000\\U000f0100"\n---\n',
        ["4:6 “dek” cannot be used: it holds a character that may not stand (U+F0000)"],
    ),
    "a mark as escaped entity": (
        f'---\n{HEAD}credits: ["\\x26#xF0000;"]\n---\n',
        ["4:11 “credits” cannot be used: it holds a character that may not stand (&#xF0000;)"],
    ),
    "footnote in dek": (f"---\n{HEAD}dek: a^[b]\n---\n", ["4:6 a footnote may not stand here"]),
}


@pytest.mark.parametrize(("text", "expected"), BAD.values(), ids=BAD.keys())
def test_each_mistake_is_reported_at_its_place(workspace: Workspace, text: str | bytes, expected: list[str]) -> None:
    """Nothing of broken front matter ever becomes body text."""
    assert complaints(workspace, text) == expected


def test_all_problems_are_reported_at_once_and_in_order(workspace: Workspace) -> None:
    """Front matter, fields, containers, links and pictures in one go."""
    text = "---\nid: abc-123\ntitel: A\n---\n\n::: nope\n:::\n\n[a](javascript:x) ![b](b.jpg) {{ C }}\n"
    assert complaints(workspace, text) == [
        "1:1 “title” is missing",
        "3:1 unknown key “titel”",
        "6:5 unknown container “nope”",
        "9:1 links of the kind “javascript:” are not allowed in mail",
        "9:19 the picture “b.jpg” is missing",
        "9:31 “C” is not a field's name",
    ]


LINES = (
    "id: abc-123", "title: A", "title:", "subject: x", 'subject: "{{ a }}"', "date: 2026-11-23", "date: 2026-13-01", "authors:", "  - A", "- B", "credits: ['*a*']",
    "dek: a^[b]", "data: x.json", "from: A <a@example.org>", "lang: xx-1", "lang: de", "{", "]", '"', "'", "|", ">", "&a", "*a", "!!python/object:os.system x", "%YAML 1.11",
    "---", "...", "? a", ": b", "\t", "#", "<<: {}", '"\\U00110000": x', "theme: default", "reply_to: b", "canonical_url: https://e.org", "{{ a }}", "é: \u2028", "\ufffe", "\0",
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=80),
        st.lists(st.sampled_from(LINES), max_size=8).map(
            lambda lines: "\n".join(["---", *lines, "---", "Hello."]).encode()
        ),
    )
)
def test_any_file_loads_or_is_refused_with_places(workspace: Workspace, raw: bytes) -> None:
    """No bytes at all lead to another error."""
    workspace.write("issues/2026-11-23-x/index.md", raw)
    problems: tuple[Problem, ...] = ()
    try:
        load_issue(workspace.root / "issues/2026-11-23-x", workspace.config())
    except BadInput as error:
        problems = error.problems
    assert all(problem.place and problem.place.line >= 1 and problem.place.col >= 1 for problem in problems)


def test_a_misspelt_key_comes_with_a_suggestion(workspace: Workspace) -> None:
    """So do the keys that are reserved."""
    workspace.write("issues/2026-11-23-x/index.md", f"---\n{HEAD}preheder: B\naudience: all\n---\n")
    hints = [p.hint for p in faults(workspace, workspace.root / "issues/2026-11-23-x")]
    assert hints == ["Did you mean “preheader”?", "An issue goes to every active subscriber; delete the key."]


def test_the_quotes_follow_the_language(workspace: Workspace) -> None:
    """In the body as in the dek."""
    body = "\"Hello\", it's 'x'.\n"
    quoted = {lang: read(workspace, body, lang=lang).blocks[0] for lang in ("en-GB", "de", "fr", "xx")}
    texts = {lang: outline(block)[1][0][1] for lang, block in quoted.items()}
    assert texts == {
        "en-GB": "“Hello”, it’s ‘x’.",
        "de": "„Hello“, it’s ‚x‘.",
        "fr": "«\u00a0Hello\u00a0», it’s ‹\u00a0x\u00a0›.",
        "xx": "“Hello”, it’s ‘x’.",
    }
