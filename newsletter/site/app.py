"""The site: which path is answered by what, and what every answer says; everything else is not there.

The ``Host`` header is not trusted for anything, and no answer under ``/u/`` or ``/v/`` is a redirect.
"""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from newsletter.site import published
from newsletter.site.limit import Limiter
from newsletter.site.pages import About, Pages
from newsletter.site.reader import READING, Reader, unless_reading

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from newsletter.config import Config
    from newsletter.links import Links
    from newsletter.store.database import Database

WELL_KNOWN = "/.well-known/newsletter"

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""On every answer, unless it brings its own."""
_PERSONAL = {"x-robots-tag": "noindex, nofollow, noarchive"}
_OVER_HTTPS = {"strict-transport-security": "max-age=31536000"}


class Outside(NamedTuple):
    """What the site is given of the world.

    ``copy`` is the HTML of one person's copy of a send (send, person), or ``None``; ``trouble`` is told why
    something could not be done; ``seen`` each request, without the secret part of its path.
    """

    copy: Callable[[int, int], str | None]
    now: Callable[[], dt.datetime]
    elapsed: Callable[[], float]
    trouble: Callable[[str], None]
    seen: Callable[[str], None] | None = None


def application(config: Config, links: Links, database: Database, outside: Outside) -> ASGIApp:
    """The whole site of a workspace."""
    about = About(config.name, config.lang, config.unsubscribe_email, (config.reply_to or config.sender).address)
    pages = Pages(about)
    reader = Reader(
        pages,
        links,
        database,
        copy=outside.copy,
        now=outside.now,
        limiter=Limiter(outside.elapsed),
        trouble=outside.trouble,
    )
    return _Site(config, pages, reader, outside)


class _Site:
    def __init__(self, config: Config, pages: Pages, reader: Reader, outside: Outside) -> None:
        self._folder = config.root / config.public
        self._prefix = unquote(urlsplit(config.public_url).path)
        self._pages = pages
        self._reader = reader
        self._outside = outside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        path = _inside(scope["path"], self._prefix)
        statuses: list[int] = []
        try:
            response = await self._answer(Request(scope, receive), path)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader gets a page that claims nothing
            self._outside.trouble(_told(error))
            response = self._pages.later(500)
        await response(scope, receive, _with_headers(send, _added(scope, path), statuses))
        if self._outside.seen:
            host = scope["client"][0] if scope.get("client") else "-"
            self._outside.seen(f"{host} {scope['method']} {masked(path)} {statuses[0] if statuses else '-'}")

    async def _answer(self, request: Request, path: str) -> Response:
        if path.startswith(("/u/", "/v/")):
            return await self._reader.answer(request, path[1], path[3:])
        if other := unless_reading(request, READING, self._pages):
            return other
        if path == WELL_KNOWN:
            proof = await run_in_threadpool(self._reader.proof)
            return JSONResponse({"proof": proof}) if proof else self._pages.later()
        if not path:  # the very path of public_url: its pages' relative links need the slash
            return published.to_the_folder(self._prefix.rpartition("/")[2])
        found = await run_in_threadpool(published.answer, self._folder, path, request)
        if found is None:
            return self._pages.home() if path == "/" else self._pages.missing()
        return found


def _inside(path: str, prefix: str) -> str:
    """The path below ``public_url``, whether or not the reverse proxy has taken that part away."""
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        return path.removeprefix(prefix)
    return path


_SECRET = re.compile(r"(?<=/u/).+|(?<=/v/).+|1[a-z]\.[^/]*", re.DOTALL)


def masked(path: str) -> str:
    """A path for a log: without tokens, and harmless on a terminal."""
    return ascii(_SECRET.sub("***", path))[1:-1]


def _added(scope: Scope, path: str) -> dict[str, str]:
    personal = path.startswith(("/u/", "/v/", WELL_KNOWN))
    return HEADERS | (_PERSONAL if personal else {}) | (_OVER_HTTPS if scope["scheme"] == "https" else {})


def _with_headers(send: Send, added: dict[str, str], statuses: list[int]) -> Send:
    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
            own = list(message.get("headers", ()))
            names = {name.lower() for name, _ in own}
            more = [(name.encode(), value.encode()) for name, value in added.items() if name.encode() not in names]
            message = {**message, "headers": own + more}
        await send(message)

    return send_on


def _told(error: Exception) -> str:
    """What went wrong and where in our code; the error's own text may hold what the reader sent."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} in {at.name}, line {at.lineno}; the request was answered with 500"
