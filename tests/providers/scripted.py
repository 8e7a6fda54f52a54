"""A server on loopback that says exactly the bytes it is told to, or breaks off as it is told to."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def reply(status: int, body: Any = "", **headers: str) -> bytes:
    """A complete HTTP/1.1 answer; a dict or list goes out as JSON, underscores in header names as hyphens."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = "application/json" if not isinstance(body, str) else "text/html"
    lines = [f"HTTP/1.1 {status} Word", f"content-length: {len(raw)}", f"content-type: {kind}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def reset(connection: socket.socket) -> None:
    """Break the connection off with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def silence(connection: socket.socket) -> None:
    """Say nothing until the other side has had enough."""
    with contextlib.suppress(OSError):
        connection.settimeout(30)
        connection.recv(1)


def close(connection: socket.socket) -> None:
    """Close without a word."""
    connection.close()


@dataclass
class Scripted:
    """Reads one whole request for each step, then does it; ``last`` goes on for ever when the steps are used up."""

    steps: list[Any] = field(default_factory=list)
    last: Any = close
    requests: list[bytes] = field(default_factory=list)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while raw := _request(connection):
                with self._lock:
                    self.requests.append(raw)
                    step = self.steps.pop(0) if self.steps else self.last
                if not isinstance(step, bytes):
                    step(connection)
                    return
                connection.sendall(step)
                if b"content-length" not in step:
                    return


def _request(connection: socket.socket) -> bytes:
    raw = b""
    while b"\r\n\r\n" not in raw:
        part = connection.recv(65536)
        if not part:
            return b""
        raw += part
    head, _, body = raw.partition(b"\r\n\r\n")
    length = int(found[1]) if (found := re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)) else 0
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            return b""
        body += part
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def scripted(*steps: Any, last: Any = close) -> Iterator[Scripted]:
    """A server for the block."""
    server = Scripted(list(steps), last)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):
            server.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a connection
        server.listener.close()
        thread.join(timeout=5)
