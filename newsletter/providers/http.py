"""The HTTP edge: one call, its answer as plain values, and httpx's errors as ours.

The only file that knows what an error of httpx means for a call: ``NEVER_LEFT`` are those that come before a
whole request can have arrived, everything else leaves doubt. Redirects are never followed, and no key reaches a
message: the URL stands in none, and credentials travel in headers that only httpx sees.
"""

from __future__ import annotations

import datetime as dt
import ssl
import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from newsletter import __version__
from newsletter.keys import is_loopback
from newsletter.providers.base import Fault, NotSent, ProviderError, Unknown
from newsletter.providers.deadline import Line, Watch
from newsletter.providers.masking import Mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONNECT_SECONDS = 10.0
DEADLINE_SECONDS = 240.0
"""The whole of a call; shorter than the lease of a batch."""

ANSWER_BYTES = 8 << 20
"""More than this is no answer of a mail API."""

PIECE = 1 << 19
"""Bodies go out in pieces of about this size: one body of 26 MB stays alive in httpx's reference cycles."""

NEVER_LEFT: tuple[type[Exception], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)
"""Raised before a whole request can have reached the server, https://www.python-httpx.org/exceptions/ (2026-11-25)."""

IN_DOUBT: tuple[type[Exception], ...] = (
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.CloseError,
    httpx.RemoteProtocolError,
    httpx.DecodingError,
    httpx.TooManyRedirects,
)
"""Raised when a request, or enough of it, may have arrived."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call: ``path`` below the base URL with its query, and the body in pieces."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Sequence[bytes] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; header names in lower case, ``at`` is when it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    at: dt.datetime


class Http:
    """Calls to one API; a client of its own for each thread, because a shared pool is scanned at every call.

    ``hidden`` are secrets that are taken out of every answer.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        headers: Mapping[str, str],
        hidden: Sequence[str] = (),
        transport: httpx.BaseTransport | None = None,
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._timeout = httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS))
        self._headers = {"user-agent": f"newsletter/{__version__}", "accept": "application/json", **headers}
        self._mask = Mask(hidden)
        self._transport = transport
        self._watch = Watch(deadline)
        self._mine = threading.local()
        self._all: list[httpx.Client] = []
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        """Where calls go, for messages."""
        parts = urlsplit(self._base)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def call(self, request: Request) -> Response:
        """Make one call.

        Raises ``NotSent`` when it surely did not arrive, ``Unknown`` when it may have; any answer at all, of
        whatever status, is returned.
        """
        length = sum(map(len, request.body))
        sized = {"content-length": str(length)} if request.body else {}
        client, line = self._client()
        with self._watch.over(line) as until:
            try:
                with client.stream(
                    request.method,
                    f"{self._base}{request.path}",
                    headers={**request.headers, **sized},
                    content=_in_time(_pieces(request.body), until) if request.body else None,
                    extensions={"trace": line.trace},
                ) as answer:
                    return self._response(answer)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                if not isinstance(error, NEVER_LEFT) and time.monotonic() >= until:
                    raise Unknown(f"{self.host} did not end the call within {self._watch.seconds:g} s") from error
                raise translated(error, self.host, local=is_loopback(self._base)) from error
            except Exception as error:  # the call may have been made, whatever broke here
                raise Unknown(f"the answer of {self.host} cannot be read") from error

    def _response(self, answer: httpx.Response) -> Response:
        """An answer may repeat what it was given; its words go into messages and into the ledger."""
        body = self._mask(_read(answer))
        names = {name.lower(): self._mask.text(value) for name, value in answer.headers.items()}
        return Response(answer.status_code, names, body, dt.datetime.now(dt.UTC))

    def _client(self) -> tuple[httpx.Client, Line]:
        mine: tuple[httpx.Client, Line] | None = getattr(self._mine, "client", None)
        if mine is None:
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=30.0)
            transport = self._transport
            if transport is None and is_loopback(self._base):
                # With a transport of its own a trial stays on this machine, whatever HTTP_PROXY says.
                transport = httpx.HTTPTransport(limits=limits)
            client = httpx.Client(
                headers=self._headers,
                timeout=self._timeout,
                transport=transport,
                follow_redirects=False,
                limits=limits,
            )
            mine = (client, Line())
            self._mine.client = mine
            with self._lock:
                self._all.append(client)
        return mine

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            for client in self._all:
                client.close()
            self._all.clear()
        self._mine = threading.local()


def translated(error: Exception, host: str, *, local: bool = False) -> ProviderError:
    """What an error of httpx means for a call; on this machine, what listens there is `newsletter outbox`."""
    said = reason(error)
    if isinstance(error, NEVER_LEFT):
        if local and isinstance(error, httpx.ConnectError):
            said += " (is `newsletter outbox --listen` running?)"
        lasting = isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.InvalidURL)
        return NotSent(f"{host} cannot be reached: {said}", fault=Fault.CONFIG if lasting else None)
    return Unknown(f"the connection to {host} broke before its answer: {said}")


def reason(error: Exception) -> str:
    """The error's kind in words; its text may hold a URL, so only the system's own reason is passed on."""
    kinds: dict[type[Exception], str] = {
        httpx.ConnectTimeout: "it did not answer in time",
        httpx.ReadTimeout: "no answer in time",
        httpx.WriteTimeout: "it took no more bytes in time",
        httpx.RemoteProtocolError: "the answer was cut off, or is no HTTP",
        httpx.DecodingError: "the answer could not be unpacked",
        httpx.ProxyError: "the proxy refused",
    }
    if words := kinds.get(type(error)):
        return words
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not accepted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "it does not speak https"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return "it was cut off"


def _pieces(body: Sequence[bytes]) -> Iterator[bytes]:
    """The body in pieces of about ``PIECE``: small ones joined, large ones cut."""
    ends = list(accumulate(map(len, body)))
    at = 0
    while at < len(body):
        begin = ends[at - 1] if at else 0
        until = max(bisect_right(ends, begin + PIECE), at + 1)
        piece = b"".join(body[at:until])
        if len(piece) > 2 * PIECE:
            yield from (piece[cut : cut + PIECE] for cut in range(0, len(piece), PIECE))
        else:
            yield piece
        at = until


def _in_time(pieces: Iterator[bytes], until: float) -> Iterator[bytes]:
    """The pieces, as long as there is time."""
    for piece in pieces:
        if time.monotonic() >= until:
            message = "the body did not leave in time"
            raise httpx.WriteTimeout(message)
        yield piece


def _read(answer: httpx.Response) -> bytes:
    """The answer's body, unless it is too long to be one; one that came late counts as well, if it is whole."""
    parts: list[bytes] = []
    size = 0
    for part in answer.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES:
            message = "the answer did not come to an end"
            raise httpx.ReadError(message)
    return b"".join(parts)
