"""The sink of the benchmarks: ``sink.c`` where there is a C compiler, else processes of Python that do the same.

python benchmarks/sink.py     (the Python one: prints its port, ends when its standard input does)
"""

from __future__ import annotations

import asyncio
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

HERE = Path(__file__).resolve().parent
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PATH = re.compile(rb"[A-Z]+ /(\d+)/(\d+)/(?:(\d+)/)?")


class Sink:
    """A running sink; ``name`` says of what kind it is."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="newsletter-")
        self.busy = 0.0

    def __enter__(self) -> Self:
        made = _compiled(Path(self._folder.name) / "sink")
        self.limits = made is not None
        self.name = "C, one process" if made else f"Python, {_processes()} processes, for want of a C compiler"
        command = [str(made)] if made else [sys.executable, __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        self._port = int(self._process.stdout.readline())
        return self

    def url(self, ids: int = 0, latency: int = 0, limit: int = 0) -> str:
        """Where calls are answered after ``latency`` milliseconds, with so many ids or as Mailgun does.

        With a ``limit`` more calls than that within a second are answered with 429.
        """
        return f"http://127.0.0.1:{self._port}/{latency}/{ids}" + (f"/{limit}" if limit else "")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it; ``busy`` is how many seconds of processor it took in all."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._process.communicate()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self._folder.cleanup()


def _compiled(target: Path) -> Path | None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    done = subprocess.run([compiler, "-O2", "-o", target, HERE / "sink.c"], check=False, capture_output=True)
    return None if done.returncode else target


# -- the one in Python ----------------------------------------------------------------


def _processes() -> int:
    return max(2, os.cpu_count() or 1)


@dataclass
class _Call(asyncio.Protocol):
    """One connection: heads are read, bodies only counted."""

    ids: count[int]
    head: bytes = b""
    left: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self.way = transport

    def data_received(self, data: bytes) -> None:
        """Take in some bytes; answer when the request is complete."""
        if self.left:
            self.left -= len(data)
        else:
            self.head += data
            head, blank, rest = self.head.partition(b"\r\n\r\n")
            if not blank:
                return
            found, length = _PATH.match(head), _LENGTH.search(head)
            if found is None:
                self.way.close()
                return
            self.latency, self.wanted = int(found[1]), int(found[2])
            self.left = (int(length[1]) if length else 0) - len(rest)
            self.head = b""
        if self.left <= 0:
            self.left = 0
            asyncio.get_running_loop().call_later(self.latency / 1000, self.answer)

    def answer(self) -> None:
        """As Mailgun or as Resend answers."""
        body = f'{{"id":"<{next(self.ids)}@sink>","message":"Queued. Thank you."}}'
        if self.wanted:
            body = f'{{"data":[{",".join(f"""{{"id":"{next(self.ids)}"}}""" for _ in range(self.wanted))}]}}'
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self.way.write(f"{head}{body}".encode())


async def _serve(door: socket.socket) -> None:
    ids = count(os.getpid() << 32)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: _Call(ids), sock=door)
    await loop.run_in_executor(None, sys.stdin.buffer.read)


def main() -> None:
    """Serve from several processes on one port until standard input ends."""
    doors: list[socket.socket] = []
    for _ in range(_processes()):
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        door.bind(("127.0.0.1", doors[0].getsockname()[1] if doors else 0))
        doors.append(door)
    children = []
    for door in doors:
        if (child := os.fork()) == 0:
            asyncio.run(_serve(door))
            os._exit(0)
        children.append(child)
    print(doors[0].getsockname()[1], flush=True)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
