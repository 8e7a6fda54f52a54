"""Https on loopback: certificates from openssl, and a proxy that takes the encryption off before any server."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_REQUEST = re.compile(rb"^(?:GET|HEAD|POST) (\S+) HTTP/1\.1\r$", re.MULTILINE)


class Certificate(NamedTuple):
    """A certificate that has signed itself, and its key."""

    path: Path
    key: Path


def openssl() -> str:
    """The program; without it the test is skipped, or fails where everything must run (NEWSLETTER_FULL=1)."""
    if found := shutil.which("openssl"):
        return found
    reason = "openssl is not installed"
    if os.environ.get("NEWSLETTER_FULL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def certificate(folder: Path, *names: str) -> Certificate:
    """Make one for these names."""
    made = Certificate(folder / f"{names[0]}.pem", folder / f"{names[0]}.key")
    uses = "keyUsage=critical,digitalSignature,keyCertSign"
    alternatives = f"subjectAltName={','.join(f'DNS:{name}' for name in names)}"
    what = ("-subj", "/CN=for tests", "-days", "2", "-addext", alternatives, "-addext", uses)
    where = ("-keyout", made.key, "-out", made.path)
    subprocess.run([openssl(), "req", "-x509", *_KEY, *what, *where], check=True, capture_output=True)
    return made


@dataclass
class Proxy:
    """Ends TLS and passes the bytes on to ``backend``, a port of this machine that may be changed."""

    context: ssl.SSLContext
    backend: int
    asked: list[str] = field(default_factory=list)
    """The path of every request that came through."""
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, plain: socket.socket) -> None:
        """One connection; whatever breaks on either side ends both."""
        with plain, contextlib.suppress(OSError):
            plain.settimeout(30)
            with (
                self.context.wrap_socket(plain, server_side=True) as outer,
                socket.create_connection(("127.0.0.1", self.backend), timeout=30) as inner,
            ):
                back = threading.Thread(target=_pass, args=(inner, outer), daemon=True)
                back.start()
                while part := outer.recv(65536):
                    self.asked += [each.decode() for each in _REQUEST.findall(part)]
                    inner.sendall(part)
                inner.shutdown(socket.SHUT_WR)
                back.join(timeout=30)


def _pass(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxy(shown: Certificate, backend: int) -> Iterator[Proxy]:
    """A proxy for the block, which shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.path, shown.key)
    made = Proxy(context, backend)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        with contextlib.suppress(OSError):
            made.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for a connection
        made.listener.close()
        thread.join(timeout=5)
