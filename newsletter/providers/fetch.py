"""Fetching what readers will fetch: the pictures and the page that must answer before mail goes out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

import httpx

from newsletter import __version__
from newsletter.providers.http import reason

if TYPE_CHECKING:
    from types import TracebackType

SECONDS = 10.0
_REDIRECTS = 3
_MOST = 40 << 20


class Unreachable(Exception):
    """The address gave no such thing; the message says what it gave instead."""


class Fetcher:
    """Gets whole bodies over one connection; a server that could not be reached is not waited for a second time."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            headers={"user-agent": f"newsletter/{__version__}"},
            timeout=SECONDS,
            max_redirects=_REDIRECTS,
            transport=transport,
        )
        self._away: dict[bytes, str] = {}

    def __call__(self, url: str, *, straight: bool = False) -> bytes:
        """The body that stands at ``url``; raises ``Unreachable`` for anything but a 200 with all of it.

        Redirects are followed, as mail programs do for pictures, but not when it must be found ``straight``.
        """
        until = time.monotonic() + 6 * SECONDS
        held = bytearray()
        try:
            if why := self._away.get(httpx.URL(url).netloc):
                raise Unreachable(why)
            with self._client.stream("GET", url, follow_redirects=not straight) as answer:
                if answer.has_redirect_location:
                    message = f"it answers {answer.status_code}, which leads to another address"
                    raise Unreachable(message)
                if answer.status_code != 200:
                    message = f"it answers {answer.status_code}"
                    raise Unreachable(message)
                for part in answer.iter_bytes():
                    held += part
                    if len(held) > _MOST or time.monotonic() > until:
                        message = "its answer does not end"
                        raise Unreachable(message)
        except httpx.TooManyRedirects as error:
            message = f"it leads from address to address, more than {_REDIRECTS} times"
            raise Unreachable(message) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = reason(error)
            if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                self._away[error.request.url.netloc] = why
            raise Unreachable(why) from error
        return bytes(held)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
