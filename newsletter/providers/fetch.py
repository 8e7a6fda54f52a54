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
    """Gets whole bodies over one connection; redirects are followed, as a mail program does."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            headers={"user-agent": f"newsletter/{__version__}"},
            timeout=SECONDS,
            follow_redirects=True,
            max_redirects=_REDIRECTS,
            transport=transport,
        )

    def __call__(self, url: str) -> bytes:
        """The body that stands at ``url``; raises ``Unreachable`` for anything but a 200 with all of it."""
        until = time.monotonic() + 6 * SECONDS
        held = bytearray()
        try:
            with self._client.stream("GET", url) as answer:
                if answer.status_code != 200:
                    message = f"it answers {answer.status_code}"
                    raise Unreachable(message)
                for part in answer.iter_bytes():
                    held += part
                    if len(held) > _MOST or time.monotonic() > until:
                        message = "its answer does not end"
                        raise Unreachable(message)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(reason(error)) from error
        return bytes(held)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
