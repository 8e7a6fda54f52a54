"""What the dialects' tests share: both desks over a folder, calls as httpx writes them, and mails as clients read them."""

from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import httpx

from newsletter.providers.dialects.base import Call
from newsletter.providers.dialects.desk import Desk
from newsletter.providers.dialects.keep import Keep

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

    from newsletter.providers.dialects.base import Reply

NOW = dt.datetime(2026, 11, 25, 8, 0, tzinfo=dt.UTC)
BASE = "http://127.0.0.1:8025"
BASIC = {"authorization": f"Basic {base64.b64encode(b'api:anything').decode()}"}
BEARER = {"authorization": "Bearer re_anything"}


def call(request: httpx.Request, at: dt.datetime = NOW) -> Call:
    """A request of httpx as the server would hand it over."""
    path, _, query = request.url.raw_path.decode().partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Call(
        method=request.method,
        path=unquote(path),
        query=tuple(parse_qsl(query, keep_blank_values=True)),
        headers=headers,
        base=BASE,
        at=at,
        body=request.read(),
    )


@dataclass
class Answered:
    """An answer, and what its body says."""

    reply: Reply

    @property
    def status(self) -> int:
        """The status."""
        return self.reply.status

    @property
    def data(self) -> Any:
        """The body as JSON."""
        return json.loads(self.reply.body)

    @property
    def said(self) -> str:
        """The message of an error."""
        return str(self.data["message"])

    def header(self, name: str) -> str | None:
        """One header."""
        return dict(self.reply.headers).get(name)


class Post:
    """An outbox that speaks, with a clock that stands until it is moved."""

    def __init__(self, root: Path, limit: int | None = 0) -> None:
        self.root = root
        self.limit = limit
        self.at = NOW
        self.seconds = 100.0
        self.restart()

    def restart(self) -> None:
        """The same folder, served by another process."""
        self.desk = Desk(Keep(self.root), limit=self.limit, clock=lambda: self.seconds)

    def ask(self, method: str, path: str, **how: Any) -> Answered:
        """One call; a path that is a whole address is taken as it is."""
        url = path if path.startswith("http") else BASE + path
        return Answered(self.desk.answer(call(httpx.Request(method, url, **how), self.at)))

    def mails(self) -> list[Mail]:
        """Everything stored, by name."""
        return [Mail(path) for path in sorted(self.root.glob("*/*.eml"), key=lambda path: path.name)]


class Mail:
    """One stored message, decoded by the standard library."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.raw = path.read_bytes()
        self.message: Message = message_from_bytes(self.raw)

    @property
    def folder(self) -> str:
        """The folder it lies in."""
        return self.path.parent.name

    @property
    def person(self) -> str:
        """What stands before the batch's key in its name."""
        return self.path.name.partition("-")[0]

    def header(self, name: str) -> str:
        """A header, unfolded and decoded."""
        value = self.message[name]
        unfolded = str(value).replace("\r\n", "").replace("\n", "")
        return str(make_header(decode_header(unfolded)))

    def body(self, kind: str) -> str | None:
        """The text of one part, with the line ends it was given."""
        for part in self.message.walk():
            if part.get_content_type() == f"text/{kind}":
                payload = part.get_payload(decode=True)
                assert isinstance(payload, bytes)
                return payload.decode().replace("\r\n", "\n")
        return None
