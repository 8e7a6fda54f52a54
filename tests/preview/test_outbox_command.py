"""``newsletter outbox`` as a real process."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from preview.helpers_preview import ISSUE, PICTURE, PIXEL, Running, Sample, start

if TYPE_CHECKING:
    from support import Workspace


def ask(port: int, method: str, target: str, **headers: str) -> tuple[int, bytes]:
    """One request over a real socket, its target sent as given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, target, skip_host="host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_it_serves_the_workspace_s_outbox(running: Running) -> None:
    """List, message, picture; HEAD has no body; strangers and writers are turned away."""
    assert running.url == f"http://127.0.0.1:{running.port}/"
    status, body = ask(running.port, "GET", "/")
    assert (status, b"noor@example.org" in body) == (200, True)
    assert ask(running.port, "GET", f"/images/{PICTURE}") == (200, PIXEL)
    assert ask(running.port, "HEAD", f"/m/{ISSUE}/a") == (200, b"")
    assert ask(running.port, "GET", "/", host="evil.example")[0] == 403
    assert ask(running.port, "POST", f"/m/{ISSUE}/a")[0] == 405
    assert ask(running.port, "GET", "/static/../outbox.py")[0] == 404
    assert ask(running.port, "GET", "/images/../newsletter.db")[0] == 404


def test_no_other_address_of_this_machine_answers(running: Running) -> None:
    """It listens on 127.0.0.1 alone."""
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", running.port), timeout=5):
        pass


def test_no_header_tells_what_serves_it(running: Running) -> None:
    """Names and versions of servers are of use to nobody honest."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().getheader("server") is None
    connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_its_normal_end(workspace: Workspace, number: signal.Signals) -> None:
    """Exit code 0 and no traceback, also with a browser's connection left open, also right after the start."""
    sample = Sample(workspace.root / ".newsletter" / "outbox")
    at_once = start(workspace, sample)
    assert at_once.end(number) == 0
    running = start(workspace, sample)
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("GET", "/")
    connection.getresponse().read()
    assert running.end(number) == 0
    connection.close()


def test_a_taken_port_is_a_clear_error(workspace: Workspace) -> None:
    """It says that the port is taken, and how to take another."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = workspace.run("outbox", "--port", str(port), "--no-open")
    assert result.code == 69
    assert f"port {port} of this machine is taken" in result.err
    assert "newsletter outbox --port " in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_json_is_one_line(workspace: Workspace) -> None:
    """A script reads the address and goes on."""
    process = start(workspace, Sample(workspace.root)).process
    process.terminate()
    out, _ = process.communicate(timeout=20)
    assert out == ""


def test_the_port_comes_from_the_configuration(workspace: Workspace) -> None:
    """Without --port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = workspace.root / "newsletter.yaml"
    settings.write_text(f"{settings.read_text()}outbox:\n  port: {port}\n")
    running = start(workspace, Sample(workspace.root), "--no-open")
    assert running.port == port
    assert running.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(("options", "opened"), [((), True), (("--no-open",), False)])
def test_a_terminal_opens_the_browser(workspace: Workspace, options: tuple[str, ...], opened: bool) -> None:  # noqa: FBT001 - pytest passes it
    """Unless told not to; BROWSER names a program that writes down what it was given."""
    note = workspace.root / "opened"
    browser = workspace.write("browser", f'#!/bin/sh\nprintf %s "$1" > {note}\n')
    browser.chmod(0o755)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "outbox", "--port", "0", *options],
        cwd=workspace.root,
        env=workspace.environment({"BROWSER": str(browser), "DISPLAY": ":0"}),
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
    )
    os.close(theirs)
    shown = b""
    while b"Ctrl-C" not in shown:
        shown += os.read(ours, 1000)
    process.terminate()
    assert process.wait(20) == 0
    os.close(ours)
    assert re.search(rb"The outbox is at (?:\x1b\[1m)?http://127\.0\.0\.1:\d+/", shown)
    assert note.exists() == opened
    if opened:
        assert note.read_text().startswith("http://127.0.0.1:")


def test_without_a_workspace_it_says_so(workspace: Workspace) -> None:
    """Before it takes the port."""
    (workspace.root / "newsletter.yaml").unlink()
    result = workspace.run("outbox", "--port", "0")
    assert result.code == 78
    assert "newsletter init" in result.err


def test_it_reads_what_the_embedded_provider_writes(workspace: Workspace) -> None:
    """The two agree on the layout: messages, index and pictures."""
    import datetime as dt

    from newsletter.model import Mailbox as Sender
    from newsletter.model import Picture, Place
    from newsletter.preview.mailbox import Mailbox, Query
    from newsletter.providers.base import Letter, Message
    from newsletter.providers.outbox import Outbox

    folder = workspace.root / ".newsletter" / "outbox"
    picture = Picture(PICTURE, PIXEL, "image/png", 1, 1, Place("index.md"))
    letter = Letter(
        tag=ISSUE,
        sender=Sender("Tess", "tess@example.org"),
        reply_to=None,
        list_name="The Test Letter",
        date=dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
        subject=("Grüße",),
        html=("<p>Hello</p>",),
        text=("Hello\n",),
        pictures=(picture,),
    )
    provider = Outbox(folder)
    provider.submit(provider.prepare(letter, [Message(7, "ada@example.org", (), "<7@example.org>", "")]), "k" * 8)
    box = Mailbox(folder)
    ((entry, head),) = box.page(Query()).rows
    assert (entry.folder, head.to, head.subject) == (ISSUE, "ada@example.org", "Grüße")
    (indexed,) = (folder / ISSUE / ".index").iterdir()
    assert json.loads(indexed.read_text())["subject"] == "Grüße"
    indexed.unlink()
    assert Mailbox(folder).page(Query()).rows[0][1] == head
    assert box.picture(PICTURE) == PIXEL
