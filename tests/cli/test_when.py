"""Parts for some readers, by the real commands: everybody gets the variant of their own values, whichever way it goes."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from cli.test_same_mail import decoded, mails
from support import CONFIGURATION, SECRET, Workspace, listening

from newsletter.cli import wiring
from newsletter.cli.copies import copies

if TYPE_CHECKING:
    from pathlib import Path

SLUG = "2026-11-23-hello"
PEOPLE = """\
email,first name,plan,points,site
ana@example.com,Ana,pro,1200,https://ana.example/?a=b&c
bo@example.com,Bo,free,3,
cy@example.com,,,,
di@example.com,{{7*7}},pro,"5",tel:+1
ed@example.com,"Ed ""O'Neill"" <b>",team,100,
fay@example.com,%recipient.s0%,PRO,ninety,
gus@example.com,Gus,pro,100.0,javascript:alert(1)
"""
BODY = """\
Hello {{ first_name | default("there") }}, you have {{ points | default("0") }}.

::::: when plan == "pro"
## For the pros

Your [page]({{ site | default("https://example.org/") }}).

:::: when points >= 100
So many: {{ points | number }} {{ points | plural("point", "points") }}!
::::
:::::
::::: else
:::: button {href="https://example.org/?n={{ first_name | default("x") | urlencode }}"}
Upgrade, {{ first_name | default("you") | upper }}
::::
:::::

::: contents
:::

## For all

- one
- ::: when plan in ("team", "free") or not first_name
  Others.
  :::
"""
WANTED = {
    "ana": "plan-pro+points-from-100",
    "bo": "plan-in-team-free-or-no-first_name",
    "cy": "plan-in-team-free-or-no-first_name",
    "di": "plan-pro",
    "ed": "plan-in-team-free-or-no-first_name",
    "fay": "others",
}
"""By name; Gus's page is none that a mail may lead to."""


def seen(mail: dict[str, str]) -> str:
    """Which variant a mail is, by what stands in it."""
    parts = {
        "plan-pro": "For the pros" in mail["text/plain"],
        "points-from-100": "So many:" in mail["text/plain"],
        "plan-in-team-free-or-no-first_name": "- Others." in mail["text/plain"],
    }
    assert ("Upgrade," in mail["text/html"]) is not parts["plan-pro"]
    return "+".join(name for name, there in parts.items() if there) or "others"


def workspace_for(root: Path, provider: str, base_url: str) -> Workspace:
    """The same newsletter, issue, people and secret, behind one provider."""
    made = Workspace(root)
    settings = {
        "outbox": "",
        "mailgun": f"mailgun:\n  base_url: {base_url}\n  domain: mg.example.org\n",
        "resend": f"resend:\n  base_url: {base_url}\n  per_second: 1000\n",
    }[provider]
    public = "public_url: https://letters.nowhere.invalid\n"
    made.write("newsletter.yaml", f"{CONFIGURATION}{public}provider: {provider}\nsend:\n  batch: 2\n{settings}")
    made.write(".env", f"NEWSLETTER_SECRET={SECRET}\n")
    made.write("people.csv", PEOPLE)
    made.issue(BODY, subject='For {{ first_name | default("you") }}')
    return made


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Workspace, Any, dict[str, dict[str, str]]]]:
    """The issue, sent in three ways: the workspace, what the command said, and every mail by its recipient."""
    found = {}
    for provider in ("outbox", "mailgun", "resend"):
        root = tmp_path_factory.mktemp(provider)
        with contextlib.ExitStack() as stack:
            workspace = workspace_for(root, provider, "http://127.0.0.1:1")
            if provider != "outbox":
                workspace = workspace_for(root, provider, stack.enter_context(listening(workspace)))
            workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")
            keys = {"MAILGUN_API_KEY": "key-abc", "RESEND_API_KEY": "re_abc"}
            planned = workspace.newsletter("plan", "--json", env=keys).json() if provider == "outbox" else {}
            told = workspace.run("send", "--yes", "--json", env=keys)
            found[provider] = (workspace, {"plan": planned, "send": told}, mails(workspace))
    return found


@pytest.mark.parametrize("provider", ["outbox", "mailgun", "resend"])
def test_everybody_gets_their_own_variant_once(sent: dict[str, Any], provider: str) -> None:
    """Through the outbox and both dialects, byte for byte the same when decoded; whoever cannot is told of."""
    _, told, got = sent[provider]
    assert {to.partition("@")[0]: seen(mail) for to, mail in got.items()} == WANTED
    for to, mail in sent["outbox"][2].items():
        for part in ("Subject", "text/html", "text/plain"):
            assert got[to][part] == mail[part], (to, part)
    counts = told["send"].json()["people"]
    assert (counts["accepted"], counts["failed"]) == (6, 1)


def test_values_are_written_for_the_language_and_never_run(sent: dict[str, Any]) -> None:
    """Numbers, plurals, whole addresses; a contents list of one's own; a name that looks like a template."""
    got = {to.partition("@")[0]: mail for to, mail in sent["outbox"][2].items()}
    assert "So many: 1,200 points!" in " ".join(got["ana"]["text/plain"].split())
    assert 'href="https://ana.example/?a=b&amp;c"' in got["ana"]["text/html"]
    assert "- For the pros\n- For all\n" in got["ana"]["text/plain"]
    assert "In this issue:\n- For all\n" in got["bo"]["text/plain"]
    assert got["di"]["Subject"] == "For {{7*7}}"
    assert "Hello {{7*7}}, you" in " ".join(got["di"]["text/plain"].split())
    assert "?n=Ed%20%22O%27Neill%22%20%3Cb%3E" in got["ed"]["text/plain"]
    assert "?n=%25recipient.s0%25" in got["fay"]["text/html"]


def test_the_plan_says_how_many_get_which(sent: dict[str, Any]) -> None:
    """And that the send could be cut so."""
    planned = sent["outbox"][1]["plan"]
    assert planned["by_variant"] == {
        "others": 1,
        "plan-in-team-free-or-no-first_name": 3,
        "plan-pro": 1,
        "plan-pro+plan-in-team-free-or-no-first_name": 0,
        "plan-pro+points-from-100": 1,
        "plan-pro+points-from-100+plan-in-team-free-or-no-first_name": 0,
    }
    assert planned["left_out"] == {"cannot be rendered": 1}
    assert planned["batches"] == 5
    assert "site is no address for a link" in planned["failing"][0]["reason"]


def test_view_in_browser_and_receipt_show_the_same_mail(sent: dict[str, Any]) -> None:
    """Made again from the ledger, by the variant that its batch names."""
    workspace, _, got = sent["outbox"]
    config = workspace.config()
    database = wiring.made(config)
    try:
        copy = copies(database, wiring.links(config, database.instance()))
        for number, (to, mail) in enumerate(sorted(got.items()), 1):
            assert copy(1, number) == mail["text/html"].rstrip("\n") or copy(1, number) == mail["text/html"], to
    finally:
        database.close()
    for name in ("ana", "bo"):
        shown = workspace.newsletter("receipt", f"{name}@example.com", "--show").out
        path = workspace.write(f"{name}.eml", shown)
        assert decoded(path)["text/html"].rstrip() == got[f"{name}@example.com"]["text/html"].rstrip()


def test_build_writes_every_variant_and_one_readers_mail(sent: dict[str, Any]) -> None:
    """Without a reader all values are missing; ``--check`` compares the variants, too."""
    workspace, _, got = sent["outbox"]
    told = workspace.newsletter("build", "--json").json()
    assert len(told["variants"]) == 6
    built = workspace.root / "build" / SLUG
    manifest = json.loads((built / "manifest.json").read_text())
    assert (manifest["variant"], manifest["variants"]) == (told["variants"][0], told["variants"])
    assert manifest["variant"] == "plan-in-team-free-or-no-first_name"
    assert f"variants/{told['variants'][1]}.html" in manifest["files"]
    assert (built / "email.html").read_bytes() == (built / "variants" / f"{manifest['variant']}.html").read_bytes()
    assert "For the pros" not in (built / "web.html").read_text()
    assert "6 variants of the mail: " in workspace.newsletter("build").out
    assert workspace.newsletter("build", "--check")
    (built / "variants" / "others.txt").write_text("changed")
    assert workspace.run("build", "--check").code == 1
    own = workspace.newsletter("build", "--as", "ana@example.com").out
    assert "This reader gets the variant plan-pro+points-from-100." in own
    assert "So many" in (built / "email.txt").read_text()
    assert not (built / "variants").exists()
    text = re.sub(r"/[uv]/\S+", "/", (built / "email.txt").read_text())
    assert text == re.sub(r"/[uv]/\S+", "/", got["ana@example.com"]["text/plain"])


def test_a_reader_whose_mail_cannot_be_made_is_told_so(sent: dict[str, Any]) -> None:
    """By ``build --as``, with the reason and without a traceback."""
    result = sent["outbox"][0].run("build", "--as", "gus@example.com")
    assert result.code == 65
    assert "the copy of gus@example.com cannot be made: site is no address for a link" in result.err


def test_a_test_copy_is_the_readers_variant(sent: dict[str, Any]) -> None:
    """And says which; without a reader it is that of somebody of whom nothing is known."""
    workspace = sent["outbox"][0]
    told = workspace.newsletter("test", "--to", "me@example.com", "--as", "ana@example.com", "--json").json()
    assert told["variant"] == "plan-pro+points-from-100"
    assert any("one of 6" in note for note in told["notes"])
    told = workspace.newsletter("test", "--to", "you@example.com", "--json").json()
    assert told["variant"] == "plan-in-team-free-or-no-first_name"
    found = {
        mail["To"]: mail for path in workspace.root.glob(".newsletter/outbox/test-*/*.eml") if (mail := decoded(path))
    }
    assert seen(found["me@example.com"]) == "plan-pro+points-from-100"
    assert seen(found["you@example.com"]) == "plan-in-team-free-or-no-first_name"


def test_check_looks_at_those_who_get_a_part(workspace: Workspace) -> None:
    """A value that only others lack is no gap; a name that nobody has is told at its condition."""
    workspace.write(
        "people.csv", "email,plan,company\na@example.com,pro,Acme\nb@example.com,free,\nc@example.com,pro,\n"
    )
    workspace.issue(
        '::: when plan == "pro"\nFor {{ company }}.\n:::\n\n::: when company\nAt {{ company }}.\n:::\n\n::: when plann\nx\n:::\n'
    )
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")
    told = workspace.run("check", "--json").json()[0]["findings"]
    assert {(each["line"], each["message"]) for each in told} == {
        (8, "1 of 2 subscribers who get this have no value for “company”"),
        (12, "1 of 2 subscribers who get this have no value for “company”"),
        (15, "no subscriber has a value for “plann”, which decides who gets this part"),
    }


def test_an_approval_names_the_conditions(workspace: Workspace) -> None:
    """They are part of what was looked over, and another one is a change of it."""
    workspace.issue('::: when plan == "pro"\nA\n:::\n::: else\nB\n:::\n')
    told = workspace.newsletter("approve", "--yes").out
    assert 'condition   plan-pro: plan == "pro"' in told
    assert "size        others: HTML" in told
    workspace.issue('::: when plan == "team"\nA\n:::\n::: else\nB\n:::\n')
    assert "conditions" in workspace.newsletter("approve", "--yes").out
