"""A send that waits to make a call again says why: once a reason, above the bar, and not to scripts."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from providers.scripted import Scripted, reply, scripted
from support import CONFIGURATION, Workspace

from newsletter.cli import telling
from newsletter.cli.app import Call

if TYPE_CHECKING:
    import pytest

KEY = {"MAILGUN_API_KEY": "key-for-tests", "RESEND_API_KEY": "re_for_tests"}
TAKEN = reply(200, {"id": "<1@mg.example.org>", "message": "Queued. Thank you."})
TOO_FAST = reply(429, {"message": "slow down"}, retry_after="1")
TOLD = "mailgun: Mailgun answered 429: slow down; trying again in 1 s"


def prepare(workspace: Workspace, url: str, provider: str = "mailgun") -> None:
    """An issue and two people behind a provider at ``url``."""
    domain = "  domain: mg.example.org\n" if provider == "mailgun" else ""
    settings = f"provider: {provider}\n{provider}:\n  base_url: {url}\n{domain}"
    workspace.write("newsletter.yaml", f"{CONFIGURATION}public_url: https://letters.nowhere.invalid\n{settings}")
    workspace.issue("Hello.\n")
    workspace.write("people.csv", "email\nada@example.com\nbob@example.com\n")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")


def begin(workspace: Workspace, *more: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """A send as a process that can be watched."""
    argv = [sys.executable, "-m", "newsletter", "send", "--yes", *more]
    return subprocess.Popen(
        argv, cwd=workspace.root, env=workspace.environment(KEY), stdout=subprocess.PIPE, stderr=stderr
    )


def test_a_refused_connection_is_told_while_it_lasts(workspace: Workspace) -> None:
    """Without a terminal too; when the server comes, the same send goes on and ends well."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    prepare(workspace, f"http://127.0.0.1:{port}")
    process = begin(workspace)
    assert process.stderr
    said = b""
    while b"trying again" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    server = Scripted(last=TAKEN, listener=socket.create_server(("127.0.0.1", port)))
    threading.Thread(target=server.serve, daemon=True).start()
    out, err = process.communicate(timeout=60)
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()
    told = rf"mailgun: 127\.0\.0\.1:{port} cannot be reached: Connection refused.*; trying again in \d s\n"
    assert len(re.findall(told, (said + err).decode())) == 1
    assert (process.returncode, len(server.requests)) == (0, 1), err
    assert b"2 of 2 accepted" in out


def test_a_reason_is_told_once(workspace: Workspace) -> None:
    """However often the call comes to nothing for it."""
    with scripted(TOO_FAST, TOO_FAST, last=TAKEN) as server:
        prepare(workspace, server.url)
        result = workspace.newsletter("send", "--yes", env=KEY)
    assert len(server.requests) == 3
    assert result.err.splitlines().count(TOLD) == 1


def test_an_answer_that_was_lost_is_told_when_the_call_is_made_again(workspace: Workspace) -> None:
    """Where the provider knows the key, nobody is in doubt, but it takes its time."""
    with scripted(reply(500, ""), last=reply(200, {"data": [{"id": "a"}, {"id": "b"}]})) as server:
        prepare(workspace, server.url, "resend")
        result = workspace.newsletter("send", "--yes", env=KEY)
    assert len(server.requests) == 2
    assert re.search(r"^resend: Resend answered 500; trying again in \d s$", result.err, re.MULTILINE)


def test_scripts_are_told_nothing(workspace: Workspace) -> None:
    """With --json the status at the end says it all."""
    with scripted(TOO_FAST, last=TAKEN) as server:
        prepare(workspace, server.url)
        result = workspace.newsletter("send", "--yes", "--json", env=KEY)
    assert len(server.requests) == 2
    assert "trying again" not in result.err
    assert result.json()["people"]["accepted"] == 2


def test_on_a_terminal_it_stands_above_the_bar(workspace: Workspace) -> None:
    """On a line of its own, and the bar is drawn again below it."""
    with scripted(TOO_FAST, last=TAKEN) as server:
        prepare(workspace, server.url)
        terminal, inner = os.openpty()
        process = begin(workspace, stderr=inner)
        os.close(inner)
        screen = b""
        try:
            while part := os.read(terminal, 65536):
                screen += part
        except OSError:  # the other side was closed
            pass
        os.close(terminal)
        process.communicate(timeout=60)
    assert process.returncode == 0, screen
    before, told, after = re.sub(r"\x1b\[[0-9;]*m", "", screen.decode()).partition(TOLD)
    assert told, before
    assert before.endswith("\r\x1b[2K")  # the bar's line is taken away first
    assert after.startswith("\r\n")
    assert "Sending" in after


def test_a_time_that_the_provider_names_is_no_new_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """But another word is."""
    tell = telling.retries(Call(), "mailgun")
    for reason in ("try again after 12 seconds", "try again after 7 seconds", "connection refused"):
        tell(reason, 0.2)
    assert capsys.readouterr().err.splitlines() == [
        "mailgun: try again after 12 seconds; trying again in 1 s",
        "mailgun: connection refused; trying again in 1 s",
    ]
