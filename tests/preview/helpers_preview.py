"""What the preview's tests share: messages made with the standard library, and an outbox to put them in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from asgi import Asker

from newsletter.preview.mailbox import Mailbox
from newsletter.preview.outbox import About, application

if TYPE_CHECKING:
    import signal
    from pathlib import Path

    from starlette.types import ASGIApp
    from support import Workspace

PORT = 8025
HOST = f"127.0.0.1:{PORT}"
ISSUE = "2026-11-20-the-tide-table"
DAY = 86_400
START = 1_795_000_000
PICTURE = "0123456789abcdef.png"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
HTML = f"""<html lang="en"><head><meta charset="utf-8"><title>T</title></head><body>
<h1>The tide table</h1><a href="https://example.org/">Out</a> <a href="#fn1">1</a>
<a href="http://localhost:{PORT}/u/1u.a.b">Unsubscribe</a>
<img alt="A harbour" src="http://localhost:{PORT}/images/{PICTURE}"><p id="fn1">Note</p></body></html>"""


@dataclass
class Sample:
    """An outbox folder and ways to fill it; files get rising times unless told."""

    root: Path
    made: int = field(default=0)

    def put(
        self,
        name: str,
        *,
        to: str = "ada@example.org",
        subject: str = "Here is next year’s water",
        html: str = HTML,
        text: str = "The tide table\n",
        issue: str = ISSUE,
    ) -> Path:
        """Write one message; a later one is newer by a minute."""
        message = EmailMessage()
        message["From"] = "Tess Editor <tess@example.org>"
        message["To"] = to
        message["Subject"] = subject
        message.set_content(text)
        if html:
            message.add_alternative(html, subtype="html")
        return self.raw(f"{issue}/{name}.eml", message.as_bytes())

    def raw(self, path: str, data: bytes) -> Path:
        """Write a file as it is."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        self.made += 1
        os.utime(file, (START + 60 * self.made,) * 2)
        return file

    def box(self) -> Mailbox:
        """A fresh mailbox on the folder."""
        return Mailbox(self.root)

    def app(self, port: int = PORT) -> ASGIApp:
        """The site on the folder."""
        about = About("The Test Letter", ZoneInfo("UTC"), f"http://localhost:{PORT}/images/", ".newsletter/outbox")
        return application(self.box(), about, port)


@dataclass(frozen=True)
class Answer:
    """What the site answered."""

    status_code: int
    headers: dict[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode()

    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.content)


class Client(Asker):
    """Asks the outbox's page."""

    def get(
        self, target: str, *, headers: dict[str, str] | None = None, params: dict[str, str] | None = None
    ) -> Answer:
        """A GET request; a redirect is an answer like any other."""
        return self.request("GET", f"{target}?{urlencode(params)}" if params else target, headers=headers)

    def request(self, method: str, target: str, *, headers: dict[str, str] | None = None) -> Answer:
        """One request."""
        given = [(k.lower().encode(), v.encode()) for k, v in ({"host": HOST} | (headers or {})).items()]
        return self.send(method, target, given)

    def send(self, method: str, target: str, headers: list[tuple[bytes, bytes]]) -> Answer:
        """One request with these headers and no others."""
        caller, server = ("127.0.0.1", 50000), ("127.0.0.1", PORT)
        return Answer(*self.exchange(method, target, headers, client=caller, server=server))


@dataclass(frozen=True)
class Running:
    """``newsletter outbox`` at work."""

    process: subprocess.Popen[str]
    url: str
    sample: Sample

    @property
    def port(self) -> int:
        """The port it took."""
        return int(self.url.rstrip("/").rpartition(":")[2])

    def end(self, number: signal.Signals) -> int:
        """Stop it and return its exit code; nothing may stand on standard error."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, err = self.process.communicate(timeout=20)
        assert err == ""
        return self.process.returncode


def start(workspace: Workspace, sample: Sample, *options: str) -> Running:
    """Start it on a free port and wait for its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "outbox", "--json", *(options or ("--port", "0"))],
        cwd=workspace.root,
        env=workspace.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return Running(process, json.loads(process.stdout.readline())["url"], sample)
