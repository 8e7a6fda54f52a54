"""A reader gets the same mail whichever way it goes: outbox, Mailgun and Resend, as real processes."""

from __future__ import annotations

import contextlib
import email
import email.policy
from email.header import decode_header, make_header
from typing import TYPE_CHECKING, Any

import pytest
from support import CONFIGURATION, SECRET, Workspace, listening

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE = """\
email,first name,plan,code
ana@example.com,Ana,pro,A&B
bo+letters@example.com,Bo,,100%
cy@example.com,,free,"c d/e?f=1&g=""2"" x"
di@example.com,%recipient.s0%,x,%unsubscribe_url%
éva@example.com,Éva,x,y
fay@bücher.example,"Fáy “the quick” O'Neill <b>",漢字,🎉 %20
gus@example.com,{{7*7}},*|X|*,[[var:x]]
hal@example.com,back\\slash,tab\there,"two
lines"
Ivy@EXAMPLE.com,100%recipient.s1%,%recipient_email%,<%= 1 %>
"""

BODY = """\
Hello {{ first_name | default("there") }}, 100% of you get this — “quoted”, ünïcode, 漢字, 🎉.

You are on {{ plan | default("no plan") | upper }}. [Your code](https://example.org/?c={{ code | default("none") }}&p=50%25).

* {{ email }}
* `{{ literal }}` and %C3%A4 and 50%{{ plan | default("") }}

{{ code | default("none") }}
"""


def workspace_for(root: Path, provider: str, base_url: str) -> Workspace:
    """The same newsletter, issue, people and secret, behind one provider."""
    made = Workspace(root)
    settings = {
        "outbox": "",
        "mailgun": f"mailgun:\n  base_url: {base_url}\n  domain: mg.example.org\n",
        "resend": f"resend:\n  base_url: {base_url}\n  per_second: 1000\n",
    }[provider]
    public = (
        "public_url: https://letters.nowhere.invalid\nfeedback_id: harbourletter\nreply_to: Re Ply <re@example.org>\n"
    )
    made.write("newsletter.yaml", f"{CONFIGURATION}{public}provider: {provider}\n{settings}")
    made.write(".env", f"NEWSLETTER_SECRET={SECRET}\n")
    made.write("people.csv", PEOPLE)
    made.issue(BODY, subject='{{ first_name | default("Reader") }}, 50% “off”: {{ code | default("none") }}')
    return made


def decoded(path: Path) -> dict[str, str]:
    """What a reader sees of one mail, and the headers that must be the same."""
    read = email.message_from_bytes(path.read_bytes(), policy=email.policy.compat32)

    def header(name: str) -> str:
        return str(make_header(decode_header(str(read[name] or "").replace("\r\n", "").replace("\n", "")))).strip()

    found = {
        name: header(name)
        for name in (
            "Subject",
            "To",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "List-Id",
            "Feedback-ID",
            "From",
            "Reply-To",
        )
    }
    for part in read.walk():
        if not part.is_multipart():
            raw = part.get_payload(decode=True)
            assert isinstance(raw, bytes)
            found[part.get_content_type()] = raw.decode().replace("\r\n", "\n")
    return found


def mails(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Every mail of a workspace's outbox by its recipient, each once."""
    found: dict[str, dict[str, str]] = {}
    for path in workspace.root.glob(".newsletter/outbox/*/*.eml"):
        mail = decoded(path)
        assert mail["To"] not in found
        found[mail["To"]] = mail
    return found


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The mails of three sends, and what each command said."""
    sent: dict[str, Any] = {}
    for provider in ("outbox", "mailgun", "resend"):
        root = tmp_path_factory.mktemp(provider)
        with contextlib.ExitStack() as stack:
            workspace = workspace_for(root, provider, "http://127.0.0.1:1")
            if provider != "outbox":
                url = stack.enter_context(listening(workspace))
                workspace = workspace_for(root, provider, url)
            workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")
            keys = {"MAILGUN_API_KEY": "key-abc", "RESEND_API_KEY": "re_abc"}
            result = workspace.run("send", "--yes", "--json", env=keys)
            sent[provider] = (result, mails(workspace))
    return sent


def test_everybody_gets_the_same_mail(three: dict[str, Any]) -> None:
    """Decoded subject, HTML and text are equal, for macros, pluses, per cent signs and letters of any kind."""
    outbox = three["outbox"][1]
    assert len(outbox) == 8
    assert any("Fáy “the quick” O'Neill <b>, 50% “off”: 🎉 %20" in mail["Subject"] for mail in outbox.values())
    for provider in ("mailgun", "resend"):
        others = three[provider][1]
        assert set(others) == set(outbox)
        for to, mail in outbox.items():
            for part in ("Subject", "text/html", "text/plain"):
                assert others[to][part] == mail[part], (provider, to, part)


@pytest.mark.parametrize("provider", ["mailgun", "resend"])
def test_the_headers_are_the_same_too(three: dict[str, Any], provider: str) -> None:
    """The way out by https and by mail, one-click, the list, the sender id; whoever answers, answers the same."""
    for to, mail in three["outbox"][1].items():
        other = three[provider][1][to]
        for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Feedback-ID", "From", "Reply-To"):
            assert other[name] == mail[name], (to, name)
    assert "mailto:re@example.org?subject=unsubscribe" in mail["List-Unsubscribe"]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_each_ledger_says_the_same(three: dict[str, Any]) -> None:
    """Eight accepted, and one whose address no provider can take failed with the reason."""
    for result, _ in three.values():
        assert result.code == 1, result.err
        people = result.json()["people"]
        assert (people["accepted"], people["failed"]) == (8, 1)
