"""``newsletter providers``, and the pages that tell the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support import CONFIGURATION, ROOT, Workspace

from newsletter.config import API_KEYS, PROVIDERS
from newsletter.providers import registry, table

if TYPE_CHECKING:
    from pathlib import Path

KEY = "re_canary_0123456789"
DOCS = ROOT / "docs"


def test_the_page_is_what_the_capabilities_say() -> None:
    """`make docs` brings it up to date."""
    assert (DOCS / "providers.md").read_text("utf-8") == table.reference(registry.capabilities())


def test_every_capability_has_a_line_and_every_provider_a_page() -> None:
    """A new one cannot be forgotten in either."""
    for can in registry.capabilities():
        assert (DOCS / "providers" / f"{can.name}.md").is_file()
        # The name is the column, the lifetime and whose they are stand with the keys, and the settling is asked for by its own line.
        assert len(table.facts(can)) == len(can.__slots__) - 3
    assert [can.name for can in registry.capabilities()] == list(PROVIDERS)


@pytest.mark.parametrize("page", sorted((DOCS / "providers").glob("*.md")), ids=lambda page: str(page.stem))
def test_a_provider_s_page_tells_how_to_set_it_up_and_what_goes_wrong(page: Path) -> None:
    """Five steps, limits with their dates, and bad answers with their exit codes."""
    text = page.read_text("utf-8")
    setup = text.partition("## Set-up in five steps")[2].partition("\n## ")[0]
    assert re.findall(r"^(\d)\.", setup, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    assert "## Limits and quirks" in text
    assert "## Bad answers" in text
    if page.stem in API_KEYS:
        assert API_KEYS[page.stem] in setup
        assert re.search(r"2026-11-2\d", text)
        for code in (69, 75, 78):
            assert f" {code} " in text


def test_what_is_configured_and_whether_its_key_is_set(workspace: Workspace) -> None:
    """A key is never shown, wherever it stands."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}provider: resend\nmailgun: {{region: eu}}\n")
    workspace.write(".env", f"RESEND_API_KEY={KEY}\n")
    env = {"MAILGUN_API_KEY": "", "RESEND_API_KEY": ""}
    result = workspace.newsletter("providers", env=env)
    lines = {line.split()[0]: line for line in result.out.splitlines() if line}
    assert re.search(r"  set +configured$", lines["resend"])
    assert lines["mailgun"].endswith("not set")
    assert "configured" not in lines["outbox"] + lines["mailgun"]
    told = {each["name"]: each for each in workspace.newsletter("providers", "--json", env=env).json()}
    assert (told["resend"]["configured"], told["resend"]["key_set"], told["mailgun"]["key_set"]) == (True, True, False)
    assert told["outbox"]["key_set"] is None
    assert told["mailgun"]["base_url"] == "https://api.eu.mailgun.net"
    assert told["resend"]["batch_max"] == 100
    for argv in (["providers"], ["providers", "resend"], ["providers", "resend", "--json"]):
        shown = workspace.newsletter(*argv, "-v", env=env | {"MAILGUN_API_KEY": f"{KEY}-2"})
        assert KEY not in shown.out + shown.err


def test_a_missing_key_is_the_next_thing_to_do(workspace: Workspace) -> None:
    """By the name of its variable."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}provider: mailgun\n")
    out = workspace.newsletter("providers", env={"MAILGUN_API_KEY": ""}).out
    assert "Next: set MAILGUN_API_KEY" in out


def test_one_provider_is_told_in_full(workspace: Workspace) -> None:
    """With where it is asked, and that it is a trial there."""
    base = "http://127.0.0.1:8025"
    workspace.write("newsletter.yaml", f"{CONFIGURATION}provider: mailgun\nmailgun: {{base_url: '{base}'}}\n")
    out = workspace.newsletter("providers", "mailgun").out
    for what in ("%recipient.name%", "1,000", f"{base} (this machine: a trial)", "example.org", "MAILGUN_API_KEY"):
        assert what in out


def test_an_unknown_provider_is_a_usage_error(workspace: Workspace) -> None:
    """With the nearest."""
    result = workspace.run("providers", "resnd")
    assert result.code == 2
    assert "Did you mean “resend”?" in result.err


def test_the_table_needs_no_workspace(tmp_path: Path) -> None:
    """Who chooses a provider may have none yet."""
    elsewhere = Workspace(tmp_path)
    result = elsewhere.newsletter("providers")
    assert "newsletter init" in result.out
    assert elsewhere.newsletter("providers", "resend", "--json").json()[0]["key_set"] is None


def test_a_broken_configuration_is_told_as_everywhere(workspace: Workspace) -> None:
    """With its place, and 78."""
    workspace.write("newsletter.yaml", "nmae: x\n")
    assert workspace.run("providers").code == 78
