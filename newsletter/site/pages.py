"""The pages of the site that no issue brings: plain, for every screen, and without a script."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from newsletter.personal import escape_html
from newsletter.site.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.site.words import Text

_HERE = Path(__file__).resolve().parent


class About(NamedTuple):
    """What the pages say of the newsletter: its name, its language, where to write to leave, and where else."""

    newsletter: str
    lang: str
    leave: str
    contact: str


class Pages:
    """Makes each page; every call for the same reader gives the same bytes."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._lang, self._words = words(about.lang)
        self._style = (_HERE / "static" / "page.css").read_text("utf-8")
        sha = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self._policy = (
            f"default-src 'none'; style-src 'sha256-{sha}'; img-src data:; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        jinja = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = jinja.get_template("page.html")

    def ask(self, address: str) -> Response:
        """The page with the one button."""
        return self._page(self._words.ask, address)

    def left(self, address: str) -> Response:
        """What a person reads who is off the list, since now or before."""
        return self._page(self._words.left, address)

    def unused(self) -> Response:
        """For every link of a reader that leads to nobody, whatever the reason."""
        return self._page(self._words.unused, status=404)

    def later(self, status: int = 503) -> Response:
        """Nothing could be done now; it says so, and never that it was."""
        return self._page(self._words.later, status=status, headers={"retry-after": "60"})

    def busy(self, seconds: int) -> Response:
        """Too many requests."""
        return self._page(self._words.busy, status=429, headers={"retry-after": str(seconds)})

    def missing(self) -> Response:
        """For every other path."""
        return self._page(self._words.missing, status=404)

    def home(self) -> Response:
        """The start, as long as nothing is published."""
        return self._page(self._words.home)

    def refused(self, allowed: Sequence[str]) -> Response:
        """For other methods than ``allowed``."""
        return self._page(self._words.missing, status=405, headers={"allow": ", ".join(allowed)})

    def _page(
        self, text: Text, address: str = "", *, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        about = self._about
        values = {
            "name": f"<bdi>{escape_html(about.newsletter)}</bdi>",
            "address": f"<bdi>{escape_html(masked(address))}</bdi>",
            "leave": _mail(about.leave),
            "contact": _mail(about.contact),
        }
        heading = text.heading.format(name=about.newsletter)
        html = self._template.render(
            lang=self._lang,
            newsletter=about.newsletter,
            style=self._style,
            heading=heading,
            lines=[line.format(**values) for line in text.lines],
            button=text.button,
            small=text.small,
        )
        return HTMLResponse(html, status, headers={"content-security-policy": self._policy} | (headers or {}))


def masked(address: str) -> str:
    """Enough of an address for its owner to know it by: ``a•••@example.org``."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}•••{at}{domain}"


def _mail(address: str) -> str:
    """A link for writing to ``address``."""
    return f'<a href="mailto:{escape_html(quote(address, safe="@+"))}">{escape_html(address)}</a>'
