"""The dialects over HTTP, in front of the outbox's pages and on the same port.

A page of another site can send forms here, but neither a key nor a name of this machine with them: a call without an
``Authorization`` header is 401, one under another host's name 403, and no answer lets another origin read it.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool

from newsletter.providers.dialects.base import Call, Reply, answer
from newsletter.providers.dialects.desk import dialect, most_bytes, too_large

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from newsletter.providers.dialects.desk import Answers

HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""The names under which this machine reaches itself."""

_HEADERS = (("cache-control", "no-store"), ("x-content-type-options", "nosniff"))


class Give(Protocol):
    """Brings an answer on its way; ``head`` without its body."""

    async def __call__(self, receive: Receive, send: Send, reply: Reply, *, head: bool) -> None:
        """Bring it."""


class Dialects:
    """Answers calls to the APIs; every other request goes to ``pages``."""

    def __init__(
        self,
        desk: Answers,
        pages: ASGIApp,
        *,
        now: Callable[[], dt.datetime] | None = None,
        give: Give | None = None,
    ) -> None:
        self._desk = desk
        self._pages = pages
        self._give = give or whole
        self._now = now or (lambda: dt.datetime.now(dt.UTC))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}
        speaks = scope["type"] == "http" and dialect(scope["path"], headers.get("authorization", ""))
        if not speaks:
            await self._pages(scope, receive, send)
            return
        most = most_bytes(speaks)
        body = await _body(receive, most)
        if body is None:  # The client went away in the middle of it: nobody waits for an answer.
            return
        reply = _refusal(headers) or (too_large(speaks) if len(body) > most else None)
        if reply is None:
            call = Call(
                method=scope["method"],
                path=scope["path"],
                query=tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
                headers=headers,
                base=f"http://{headers['host']}",
                at=self._now(),
                body=body,
            )
            # Building a thousand mails takes a while, in which the pages and other calls go on.
            reply = await run_in_threadpool(self._desk.answer, call)
        await self._give(receive, send, reply, head=scope["method"] == "HEAD")


def _refusal(headers: dict[str, str]) -> Reply | None:
    if headers.get("host", "").lower().rpartition(":")[0] not in HOSTS and headers.get("host", "").lower() not in HOSTS:
        return answer(403, {"message": "The embedded outbox answers to 127.0.0.1 and localhost only."})
    if headers.get("content-encoding", "identity").lower() != "identity":
        return answer(415, {"message": "The embedded outbox reads plain bodies only."})
    return None


async def _body(receive: Receive, most: int) -> bytes | None:
    """The whole body, or ``None`` when it ended early; one larger than ``most`` is cut, but read to its end.

    A client that is still sending when the answer comes sees a reset connection, not the answer.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if size <= most:
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        if not message.get("more_body", False):
            return b"".join(parts)


async def whole(receive: Receive, send: Send, reply: Reply, *, head: bool) -> None:
    """Bring an answer as it is."""
    del receive
    headers = [*reply.headers, *_HEADERS, ("content-length", str(len(reply.body)))]
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if head else reply.body})
