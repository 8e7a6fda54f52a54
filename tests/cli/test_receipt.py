"""``newsletter receipt``: what one person got, on what consent, and the mail itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from support import CONFIGURATION, Result, Workspace

if TYPE_CHECKING:
    from pathlib import Path

SLUG = "2026-11-23-hello"
LATER = "2026-11-24-later"


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two issues sent to the outbox; Bo left between the two, Cy was erased, Di came later."""
    made = Workspace(tmp_path_factory.mktemp("receipt"))
    made.write("newsletter.yaml", CONFIGURATION)
    made.write(".env", "NEWSLETTER_SECRET=a-secret-made-for-tests-only\n")
    made.issue("Hello {{ first_name }}.\n", subject="For {{ first_name }}")
    people = "email,first_name\nada@example.com,Ada\nbo@example.com,Bo\ncy@example.com,Cy\n"
    made.write("people.csv", people)
    made.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "fair, May 2026")
    made.newsletter("send", "--yes")
    made.newsletter("subscribers", "unsubscribe", "bo@example.com", "--reason", "asked by phone")
    made.newsletter("subscribers", "erase", "cy@example.com", "--yes")
    made.issue("Later.\n", slug=LATER, id="later-0001", title="Later", date="2026-11-24")
    made.newsletter("send", "later", "--yes")
    made.newsletter("subscribers", "add", "di@example.com", "--consent-source", "asked by mail")
    return made


def mail(workspace: Workspace, slug: str, person: int) -> Path:
    """The file that the outbox keeps."""
    (path,) = (workspace.root / ".newsletter" / "outbox" / slug).glob(f"{person:08d}-*.eml")
    return path


def refused(workspace: Workspace, *argv: str) -> Result:
    """A command that must fail, without a traceback."""
    result = workspace.run("receipt", *argv)
    assert result.code
    assert "Traceback" not in result.err
    assert result.out == ""
    return result


def test_what_somebody_got_and_why(sent: Workspace) -> None:
    """Both issues, the newest first, the hashes of the very bytes, and where consent came from."""
    told = sent.newsletter("receipt", "ADA@example.com", "--json").json()
    assert [each["slug"] for each in told["mails"]] == [LATER, SLUG]
    for each in told["mails"]:
        assert (each["outcome"], each["realm"], each["provider"], each["attempts"]) == (
            "accepted",
            "outbox",
            "outbox",
            1,
        )
        assert each["sha256"]["message"] == hashlib.sha256(mail(sent, each["slug"], 1).read_bytes()).hexdigest()
        assert set(each["sha256"]) == {"message", "html", "text", "content", "call"}
        assert each["tried_at"] <= each["settled_at"]
    assert told["mails"][1]["subject"] == "For Ada"
    assert told["person"]["consent_source"] == "fair, May 2026"
    assert (told["consent_import"]["file"], told["consent_import"]["rows"]) == ("people.csv", 3)
    assert told["consent_import"]["sha256"] == hashlib.sha256((sent.root / "people.csv").read_bytes()).hexdigest()
    assert [each["what"] for each in told["history"]] == ["consent"]


def test_the_same_for_people(sent: Workspace) -> None:
    """In words, with the times of the newsletter's own zone."""
    out = sent.newsletter("receipt", "ada@example.com").out
    assert "“For Ada”" in out
    assert "fair, May 2026" in out
    assert "from people.csv (3 rows" in out
    assert " CET" in out
    assert hashlib.sha256(mail(sent, SLUG, 1).read_bytes()).hexdigest() in out
    assert f"newsletter receipt ada@example.com --issue {LATER} --show" in out


def test_who_has_left_is_told_of_as_well(sent: Workspace) -> None:
    """What they got before, and how they left."""
    told = sent.newsletter("receipt", "bo@example.com", "--json").json()
    assert [each["slug"] for each in told["mails"]] == [SLUG]
    assert (told["person"]["status"], told["person"]["status_reason"]) == ("unsubscribed", "asked by phone")
    assert [(each["what"], each["detail"]) for each in told["history"]] == [
        ("consent", ""),
        ("unsubscribed", "asked by phone"),
    ]


def test_the_mail_itself_can_be_shown(sent: Workspace) -> None:
    """The newest, or that of an issue by its folder or its slug: the file that was sent, to the byte."""
    for issue, slug in ([], LATER), (["--issue", SLUG], SLUG), (["--issue", f"issues/{SLUG}/"], SLUG):
        shown = sent.newsletter("receipt", "ada@example.com", "--show", *issue)
        assert shown.out == mail(sent, slug, 1).read_bytes().decode("ascii").replace("\r\n", "\n")
    told = sent.newsletter("receipt", "bo@example.com", "--show", "--json").json()
    assert told["eml"]["message"].encode() == mail(sent, SLUG, 2).read_bytes()


def test_an_issue_that_was_renamed_is_found_by_what_it_is(sent: Workspace) -> None:
    """By the name it had when it was sent, and by the one that its folder has now."""
    folder = sent.root / "issues" / SLUG
    moved = folder.with_name("2026-11-23-renamed")
    folder.rename(moved)
    try:
        for name in (SLUG, "2026-11-23-renamed"):
            told = sent.newsletter("receipt", "ada@example.com", "--issue", name, "--json").json()
            assert [each["slug"] for each in told["mails"]] == [SLUG]
    finally:
        moved.rename(folder)


def test_who_got_nothing_has_a_receipt_all_the_same(sent: Workspace) -> None:
    """But no mail to show, which ends with 1."""
    out = sent.newsletter("receipt", "di@example.com").out
    assert "asked by mail" in out
    assert "No mail." in out
    assert refused(sent, "di@example.com", "--show").code == 1
    assert refused(sent, "bo@example.com", "--issue", LATER, "--show").code == 1


def test_who_never_consented_has_a_receipt(workspace: Workspace) -> None:
    """A list of leavers brought them; there is no time of a consent to show."""
    workspace.write("left.csv", "email\nleft@example.com\n")
    workspace.newsletter("subscribers", "import", "left.csv", "--suppress", "complained", "--apply")
    out = workspace.newsletter("receipt", "left@example.com").out
    assert "none is recorded" in out
    assert "complained since" in out


@pytest.mark.parametrize("address", ["zoe@example.com", "cy@example.com"])
def test_nobody_has_the_address(sent: Workspace, address: str) -> None:
    """Never known and erased are told alike: nothing of the erased is left to find."""
    result = refused(sent, address)
    assert result.code == 65
    assert f"nobody has the address {address}" in result.err
    assert "erased" in result.err


def test_bad_input_is_bad_input(sent: Workspace, workspace: Workspace) -> None:
    """What is no address, an issue that is none, and a workspace without people."""
    assert refused(sent, "ada").code == 65
    assert refused(sent, "ada@example.com", "--issue", "nix").code == 65
    assert refused(workspace, "ada@example.com").code == 65
    assert not (workspace.root / ".newsletter").exists()
