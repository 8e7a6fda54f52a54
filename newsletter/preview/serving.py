"""Running a page on loopback until it is stopped."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import threading
from typing import TYPE_CHECKING

from newsletter.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    import uvicorn
    from starlette.types import ASGIApp

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """Take ``port`` of this machine, or any free one for 0.

    Raises ``Unavailable`` when another program has it.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL}:
            raise
        message = f"port {port} of this machine is taken: another outbox, or another program"
        hint = f"Close that one, or choose a port: newsletter outbox --port {port % 65535 + 1}"
        raise Unavailable(message, hint=hint) from error


def serve(
    app: ASGIApp, listener: socket.socket, *, ready: Callable[[], None], beside: Callable[[threading.Event], None]
) -> None:
    """Answer on ``listener`` until SIGTERM or Ctrl-C.

    ``ready`` is called once both signals end this cleanly; ``beside`` runs in a thread until its event is set.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    stop = threading.Event()
    thread = threading.Thread(target=beside, args=(stop,), daemon=True, name="outbox-heads")
    with _stopping(server), listener:
        ready()
        thread.start()
        try:
            server.run(sockets=[listener])
        finally:
            stop.set()
            thread.join(timeout=2)


@contextlib.contextmanager
def _stopping(server: uvicorn.Server) -> Iterator[None]:
    """Take both signals as the normal end: uvicorn raises them again when it has stopped."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
