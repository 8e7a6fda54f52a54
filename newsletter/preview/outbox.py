"""The embedded outbox in the browser: the list, one message in four views, and its pictures."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from newsletter.preview.guard import Guard, hosts
from newsletter.preview.mailbox import Query
from newsletter.preview.opening import framed, open_message

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from newsletter.preview.mailbox import Entry, Mailbox
    from newsletter.preview.opening import Opened

_HERE = Path(__file__).resolve().parent
_STATIC = {"outbox.css": "text/css", "outbox.js": "text/javascript", "icon.svg": "image/svg+xml"}
_PICTURES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif"}
_SANDBOX = "allow-popups allow-popups-to-escape-sandbox"

View = Literal["html", "text", "headers", "source"]
VIEWS: tuple[tuple[View, str], ...] = (("html", "Mail"), ("text", "Text"), ("headers", "Headers"), ("source", "Source"))


@dataclass(frozen=True, slots=True)
class About:
    """What the pages say about the workspace: the newsletter's name, its time zone and where its links point."""

    newsletter: str
    timezone: ZoneInfo
    picture_base: str
    folder: str


def application(box: Mailbox, about: About, port: int) -> ASGIApp:
    """The whole site, answering on ``port`` of this machine only."""
    pages = _Pages(box, about)
    routes = [
        Route("/", pages.listing),
        Route("/state", pages.state),
        Route("/m/{folder}/{name}", pages.message),
        Route("/m/{folder}/{name}/frame", pages.frame),
        Route("/m/{folder}/{name}/download", pages.download),
        Route("/images/{name}", pages.picture),
        Route("/static/{name}", static),
        Route("/u/{token}", partial(pages.trial, purpose="unsubscribe")),
        Route("/v/{token}", partial(pages.trial, purpose="view")),
    ]
    site = Starlette(routes=routes, exception_handlers={404: pages.missing})
    site.router.redirect_slashes = False
    return Guard(site, hosts(port))


def static(request: Request) -> Response:
    """Style, script and icon; nothing else lies there for a browser."""
    name = request.path_params["name"]
    if name not in _STATIC:
        return Response("There is no such file.\n", 404, media_type="text/plain")
    return Response((_HERE / "static" / name).read_bytes(), media_type=_STATIC[name])


class _Pages:
    def __init__(self, box: Mailbox, about: About) -> None:
        self._box = box
        self._about = about
        self._jinja = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.filters |= {"time": self._time, "number": "{:,}".format, "size": _size}
        self._jinja.globals |= {"address": address, "about": about, "views": VIEWS}

    def listing(self, request: Request) -> Response:
        """The list, and what the outbox holds in all."""
        query = _query(request)
        return self._page("list.html", query, self._box.page(query))

    def message(self, request: Request) -> Response:
        """One message beside the list."""
        if (found := self._find(request)) is None:
            return self.missing(request)
        entry, raw = found
        query = _query(request)
        opened = open_message(raw)
        page = self._box.page(query, around=entry)
        newer, older = self._box.neighbours(query, entry)
        return self._page(
            "message.html",
            replace(query, page=page.number),
            page,
            entry=entry,
            opened=opened,
            view=_view(request, opened),
            phone=request.query_params.get("width") == "phone",
            sandbox=_SANDBOX,
            newer=newer,
            older=older,
        )

    def frame(self, request: Request) -> Response:
        """The HTML part, for the sandboxed frame: no script, no origin, pictures from here only."""
        found = self._find(request)
        if found is None or not (html := open_message(found[1]).html):
            return self.missing(request)
        here = f"http://{request.headers['host']}"
        policy = (
            f"sandbox {_SANDBOX}; default-src 'none'; img-src {here}/images/ data:; style-src 'unsafe-inline'; "
            "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
        )
        return HTMLResponse(framed(html, self._about.picture_base), headers={"content-security-policy": policy})

    def download(self, request: Request) -> Response:
        """The file as it is."""
        if (found := self._find(request)) is None:
            return self.missing(request)
        entry, raw = found
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", entry.name).strip(".-") or "message"
        disposition = f'attachment; filename="{name}.eml"'
        return Response(raw, media_type="message/rfc822", headers={"content-disposition": disposition})

    def picture(self, request: Request) -> Response:
        """A hosted picture; the frame has no origin of its own, so it counts as foreign there."""
        name = request.path_params["name"]
        if (raw := self._box.picture(name)) is None:
            return self.missing(request)
        headers = {
            "cache-control": "private, max-age=86400, immutable",
            "cross-origin-resource-policy": "cross-origin",
            "content-security-policy": "default-src 'none'; sandbox",
        }
        return Response(raw, media_type=_PICTURES[name.rpartition(".")[2]], headers=headers)

    def state(self, request: Request) -> Response:
        """How many messages there are, for the page that waits for more."""
        del request
        return JSONResponse({"messages": sum(count.messages for count in self._box.counts())})

    def trial(self, request: Request, purpose: str) -> Response:
        """Where the personal links of a trial lead."""
        del request
        return self._html("trial.html", purpose=purpose)

    def missing(self, request: Request, error: Exception | None = None) -> Response:
        """A page for everything that is not there."""
        del request, error
        return self._html("missing.html", status=404)

    def _find(self, request: Request) -> tuple[Entry, bytes] | None:
        entry = self._box.find(request.path_params["folder"], request.path_params["name"])
        raw = self._box.read(entry) if entry else None
        return (entry, raw) if entry and raw is not None else None

    def _page(self, template: str, query: Query, page: object, **more: Any) -> Response:
        counts = self._box.counts()
        total = sum(count.messages for count in counts)
        return self._html(template, query=query, page=page, counts=counts, total=total, **more)

    def _html(self, template: str, *, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(self._jinja.get_template(template).render(values), status)

    def _time(self, nanoseconds: int, *, full: bool = False) -> str:
        moment = dt.datetime.fromtimestamp(nanoseconds // 1_000_000_000, self._about.timezone)
        return f"{moment.day} {moment:%B %Y, %H:%M}" if full else f"{moment.day} {moment:%b, %H:%M}"


def address(entry: Entry | None, query: Query, **more: object) -> str:
    """The address of a message, or of the list, that keeps what is searched for."""
    path = f"/m/{quote(entry.folder, safe='')}/{quote(entry.name, safe='')}" if entry else "/"
    kept = {"q": query.text, "issue": query.issue} | ({} if entry or query.page == 1 else {"page": query.page})
    pairs = [(key, str(value)) for key, value in (kept | more).items() if value]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _query(request: Request) -> Query:
    asked = request.query_params
    number = asked.get("page", "")
    page = int(number) if re.fullmatch(r"[0-9]{1,9}", number) else 1
    return Query(asked.get("q", "").strip()[:200], asked.get("issue", "")[:255], page)


def _view(request: Request, opened: Opened) -> View:
    asked = request.query_params.get("view")
    for view, _ in VIEWS:
        if view == asked:
            return view
    return "html" if opened.html else "text" if opened.text else "source"


def _size(number: int) -> str:
    return f"{number:,} bytes" if number < 1000 else f"{number / 1000:,.0f} kB"
