"""An ASGI application asked as its server would ask it: nothing is tidied up, and every header counts."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Coroutine, MutableMapping

    from starlette.types import ASGIApp

_T = TypeVar("_T")
Headers = list[tuple[bytes, bytes]]


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """Run to its end in a thread of its own, because Playwright keeps a loop running in the main one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


class Asker:
    """Exchanges one request and its answer at a time with an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._runner = asyncio.Runner()
        # A thread of its own, because Playwright keeps a loop running in the main one.
        self._thread = ThreadPoolExecutor(1)

    def close(self) -> None:
        """End the loop and its thread."""
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def exchange(
        self, method: str, target: str, headers: Headers, *, body: bytes | None = b"", **scope: Any
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer; a request's body of ``None`` is one that breaks off."""
        path, _, query = target.partition("?")
        whole_scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
        } | scope
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            if body is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        async def whole() -> None:
            await self._app(whole_scope, receive, send)

        self._thread.submit(lambda: self._runner.run(whole())).result()
        start, *bodies = sent
        got = {name.decode(): value.decode() for name, value in start["headers"]}
        assert len(got) == len(start["headers"]), "a header was sent twice"
        return start["status"], got, b"".join(each.get("body", b"") for each in bodies)
