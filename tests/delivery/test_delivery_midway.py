"""What people do to an issue and its audience in the middle of a send: who began it gets what was begun."""

from __future__ import annotations

import re
import shutil
import signal
from collections import Counter
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import pytest
from delivery.harness.scene import SLUG, Scene, cut_short
from sqlalchemy import select
from support import ROOT

from newsletter.store.tables import person

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PEOPLE = 400


@pytest.fixture
def begun(tmp_path: Path) -> Scene:
    """A send to the outbox that was killed in the middle."""
    return cut_short(tmp_path, signal.SIGKILL, count=PEOPLE, batch=2)


def narrower(scene: Scene) -> None:
    """A theme of the workspace's own, ten pixels narrower."""
    theme = scene.workspace.root / "templates" / "default"
    shutil.copytree(ROOT / "templates" / "default", theme)
    settings = theme / "theme.yaml"
    before = settings.read_text("utf-8")
    assert "  page: 600" in before
    settings.write_text(before.replace("  page: 600", "  page: 590"), "utf-8")


def reworded(scene: Scene) -> None:
    """Another greeting."""
    scene.workspace.issue("Goodbye {{ first_name | default('there') }}.\n")


def names(scene: Scene) -> dict[int, str]:
    """Everybody's number and name, which is also what their address begins with."""
    with scene.opened() as database, database.read() as connection:
        rows = connection.execute(select(person.c.id, person.c.address)).all()
    return {who: address.partition("@")[0].upper() for who, address in rows}


def texts(scene: Scene) -> dict[int, str]:
    """What each person got to read, without the links that are theirs alone."""
    folder = scene.database.parent / "outbox" / SLUG
    return {int(path.name.partition("-")[0]): _text(path.read_bytes()) for path in folder.glob("*.eml")}


def _text(raw: bytes) -> str:
    message = message_from_bytes(raw, policy=policy.default)
    parts = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    return re.sub(r"/[uv]/[\w.=-]+", "/", "\n".join(parts))


@pytest.mark.parametrize("edit", [narrower, reworded])
def test_an_edit_in_the_middle_reaches_nobody(begun: Scene, edit: Callable[[Scene], None]) -> None:
    """Of the theme or of the issue: refused with what changed, until what was frozen is asked for; then all get the same."""
    edit(begun)
    refused = begun.workspace.run("send", "--yes")
    assert refused.code == 1
    assert "html" in refused.err
    assert "--frozen" in refused.err
    begun.workspace.newsletter("resume", "--yes", "--frozen")
    assert begun.truth() == Counter(range(1, PEOPLE + 1))
    assert begun.check(ended=True) == []
    name = names(begun)
    assert len({text.replace(f"Hello {name[who]}.", "Hello.") for who, text in texts(begun).items()}) == 1


def test_an_audience_that_changes_in_the_middle_changes_nothing_but_who_is_left_out(begun: Scene) -> None:
    """Everybody is imported anew with another name, more people come, somebody leaves, somebody is erased."""
    name, got = names(begun), begun.truth()
    gone, erased, kept = [who for who in name if not got[who]][-3:]
    rows = "".join(f"p{n}@example.com,Changed\n" for n in range(1, PEOPLE + 51))
    begun.workspace.write("people.csv", f"email,first name\n{rows}")
    begun.workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")
    begun.workspace.newsletter("subscribers", "unsubscribe", f"{name[gone]}@example.com")
    begun.workspace.newsletter("subscribers", "erase", f"{name[erased]}@example.com", "--yes")
    made = begun.to_its_end()
    assert made.state == "done"
    assert begun.truth() == Counter(set(range(1, PEOPLE + 1)) - {gone, erased})
    assert begun.people() == {**begun.people(), "accepted": PEOPLE - 2, "skipped": 2}
    assert begun.check(ended=True, left={gone, erased}) == []
    assert f"Hello {name[kept]}." in texts(begun)[kept]
