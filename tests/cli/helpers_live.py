"""A send as a real process behind a provider on loopback, slow enough to be looked at and interfered with."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from providers.scripted import Scripted, reply, scripted
from support import CONFIGURATION, Workspace

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

KEY = {"MAILGUN_API_KEY": "key-for-tests", "RESEND_API_KEY": "re_for_tests"}
SLUG = "2026-11-23-hello"
TAKEN = reply(200, {"id": "<1@mg.example.org>", "message": "Queued. Thank you."})
TOO_FAST = reply(429, {"message": "slow down"}, retry_after="1")
NOTHING_FOUND = reply(200, {"items": [], "paging": {}})


def prepare(workspace: Workspace, url: str, *, people: int = 12, batch: int = 1, more: str = "") -> None:
    """An issue and people behind Mailgun at ``url``, one call at a time."""
    settings = f"provider: mailgun\nmailgun:\n  base_url: {url}\n  domain: mg.example.org\n{more}"
    public = "public_url: https://letters.nowhere.invalid\n"
    workspace.write("newsletter.yaml", f"{CONFIGURATION}{public}{settings}send:\n  workers: 1\n  batch: {batch}\n")
    workspace.issue("Hello {{ first_name | default('there') }}.\n", slug=SLUG)
    rows = "".join(f"p{n}@example.com,P{n}\n" for n in range(1, people + 1))
    workspace.write("people.csv", f"email,first name\n{rows}")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")


def slowly(seconds: float) -> Callable[[socket.socket], None]:
    """A step of a scripted server: accepts after a while."""

    def step(connection: socket.socket) -> None:
        time.sleep(seconds)
        connection.sendall(TAKEN)

    return step


@contextlib.contextmanager
def slow(workspace: Workspace, *steps: Any, seconds: float = 0.1, **how: Any) -> Iterator[Scripted]:
    """A workspace behind a server that takes its time."""
    with scripted(*steps, last=slowly(seconds)) as server:
        prepare(workspace, server.url, **how)
        yield server


@contextlib.contextmanager
def gated(workspace: Workspace, taken: int, **how: Any) -> Iterator[tuple[Scripted, threading.Event]]:
    """A workspace behind a server that takes some calls at once, and the next ones when its gate is opened."""
    gate = threading.Event()

    def step(connection: socket.socket) -> None:
        gate.wait(60)
        connection.sendall(TAKEN)

    with scripted(*[TAKEN] * taken, last=step) as server:
        prepare(workspace, server.url, **how)
        yield server, gate


def start(workspace: Workspace, *argv: str, **how: Any) -> subprocess.Popen[bytes]:
    """A command as a process; its output is kept unless it is asked to go elsewhere."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "newsletter", *(argv or ("send", "--yes"))]
    return subprocess.Popen(command, cwd=workspace.root, env=workspace.environment(KEY), **{**pipes, **how})


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait for something that a living process does."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def status(workspace: Workspace) -> Any:
    """How the send stands, as JSON."""
    return workspace.newsletter("status", SLUG, "--json").json()


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    """Wait for its end."""
    out, err = process.communicate(timeout=120)
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def send(workspace: Workspace) -> Any:
    """Send, or go on, to the end."""
    return workspace.run("send", "--yes", "--json", env=KEY)
