"""What a reader's own links do: ``/u/`` asks and takes off the list, ``/v/`` shows their copy of an issue.

Reading changes nothing, because link scanners read, some of them with scripts running; only POST does, as mail
programs send it for one click (RFC 8058) and as the page's button does. A link that leads to nobody gets the same
page after the same look into the database, whatever is wrong with it.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, Response

from newsletter.audience import people
from newsletter.audience.status import ACTIVE
from newsletter.errors import NewsletterError, Unavailable
from newsletter.site.limit import Limiter, client

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from newsletter.links import Links
    from newsletter.site.pages import Pages
    from newsletter.store.database import Database

READING = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing."""

ONE_CLICK = "one-click"
PAGE = "unsubscribe page"
"""Why somebody left, for their history."""

_BODY = 16_384
"""Bytes of a form that are read; RFC 8058's has some 200."""
_PATIENCE = 10.0
"""Seconds for the form to arrive."""

_NOBODY = 0
_COPY_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src https: http: data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Reader:
    """Answers everything below ``/u/`` and ``/v/``; ``copy`` gives the HTML of one person's copy of a send.

    ``trouble`` is told, in one line, why the database could not be asked.
    """

    def __init__(
        self,
        pages: Pages,
        links: Links,
        database: Database,
        *,
        copy: Callable[[int, int], str | None],
        now: Callable[[], dt.datetime],
        limiter: Limiter,
        trouble: Callable[[str], None],
    ) -> None:
        self._pages = pages
        self._links = links
        self._database = database
        self._file = _identity(database)
        self._copy = copy
        self._now = now
        self._limiter = limiter
        self._trouble = trouble

    async def answer(self, request: Request, purpose: str, token: str) -> Response:
        """Answer one request for the link ``token``; its method decides what happens."""
        ids = self._links.read(token, purpose)
        leaving = request.method == "POST" and purpose == "u"
        # One-click requests of a whole list come from the few addresses of a mail service: losing one is worse.
        if not (leaving and ids):
            wait = self._limiter.wait(client(request.client.host if request.client else ""))
            if wait:
                return self._pages.busy(math.ceil(wait))
        if leaving:
            return await run_in_threadpool(self._leave, ids, await _reason(request))
        allowed = (*READING, "POST") if purpose == "u" else READING
        if other := unless_reading(request, allowed, self._pages):
            return other
        return await run_in_threadpool(self._ask if purpose == "u" else self._show, ids)

    def proof(self) -> str | None:
        """The proof that this server is on this ledger; ``None`` when it cannot be sure of that."""
        try:
            self._check()
            return self._links.proof(self._database.instance())
        except _FAILURES as error:
            self._fail(error)
            return None

    def _ask(self, ids: Sequence[int] | None) -> Response:
        try:
            with self._database.read() as connection:
                person = people.by_id(connection, ids[0] if ids else _NOBODY)
        except _FAILURES as error:
            return self._fail(error)
        return self._pages.ask(person.address) if person else self._pages.unused()

    def _leave(self, ids: Sequence[int] | None, reason: str) -> Response:
        """Take the person off, unless they are; the write lock is taken for nobody else."""
        try:
            self._check()
            with self._database.read() as connection:
                person = people.by_id(connection, ids[0] if ids else _NOBODY)
            if person and person.status == ACTIVE:
                with self._database.write() as connection:
                    there = people.unsubscribe_by_id(connection, person.id, reason=reason, now=self._now())
                self._check()
                if not there:
                    person = None
        except _FAILURES as error:
            return self._fail(error)
        return self._pages.left(person.address) if person else self._pages.unused()

    def _show(self, ids: Sequence[int] | None) -> Response:
        send, person = ids or (_NOBODY, _NOBODY)
        try:
            html = self._copy(send, person)
        except _FAILURES as error:
            return self._fail(error)
        if html is None:
            return self._pages.unused()
        return HTMLResponse(html, headers={"content-security-policy": _COPY_POLICY})

    def _check(self) -> None:
        """Raise when the open file is not the one at its path any more: what is written there would be lost."""
        if _identity(self._database) != self._file:
            message = f"{self._database.path.name} was replaced while it was open"
            raise Unavailable(message, hint="Start `newsletter serve` again.")

    def _fail(self, error: Exception) -> Response:
        # A foreign error's text may hold what the reader sent; its name tells enough.
        self._trouble(str(error) if isinstance(error, NewsletterError) else type(error).__name__)
        return self._pages.later()


_FAILURES = (NewsletterError, SQLAlchemyError, OSError)


def _identity(database: Database) -> tuple[int, int]:
    found = database.path.stat()
    return found.st_dev, found.st_ino


def unless_reading(request: Request, allowed: Sequence[str], pages: Pages) -> Response | None:
    """The answer to a request that is not GET or HEAD: what is allowed here."""
    if request.method in {"GET", "HEAD"}:
        return None
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"allow": ", ".join(allowed)})
    return pages.refused(allowed)


async def _reason(request: Request) -> str:
    """What the form says of where it comes from; it need not say anything, nor arrive whole."""
    body = b""
    try:
        async with asyncio.timeout(_PATIENCE):
            async for part in request.stream():
                body += part
                if len(body) > _BODY:
                    break
    except (TimeoutError, ClientDisconnect):
        pass  # whoever sent this wanted to leave, whatever became of the rest
    return PAGE if b"via=page" in body[:_BODY].split(b"&") else ONE_CLICK
