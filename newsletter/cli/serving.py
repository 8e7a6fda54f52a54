"""Running a site until it is stopped: taking a port, answering on it, and a clean end by signal."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
import threading
from typing import TYPE_CHECKING

from newsletter.errors import BadConfig, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    import uvicorn
    from starlette.types import ASGIApp

HOST = "127.0.0.1"


def listen(port: int, host: str = HOST, *, command: str = "outbox") -> socket.socket:
    """Take ``port`` of ``host``, or any free one for 0; ``command`` is named in what to do instead.

    Raises ``Unavailable`` when another program has the port, ``BadConfig`` when this machine has no such address.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        both = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
        return socket.create_server((str(address[0]), port), family=family, dualstack_ipv6=both)
    except (OSError, UnicodeError) as error:
        if isinstance(error, UnicodeError | socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            hint = "Use 127.0.0.1 behind a reverse proxy on this machine, or 0.0.0.0 for every address of it."
            raise BadConfig(f"this machine has no address “{host}” to answer at", hint=hint) from error
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            message = f"port {port} of this machine is taken: another {command}, or another program"
            if error.errno == errno.EACCES:
                message = f"port {port} of this machine may not be used by this account"
            hint = f"Close that one, or choose a port: newsletter {command} --port {max(1024, port % 65535 + 1)}"
            raise Unavailable(message, hint=hint) from error
        raise


def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    beside: Callable[[threading.Event], None] | None = None,
    proxies: Sequence[str] = (),
    grace: int = 2,
) -> None:
    """Answer on ``listener`` until SIGTERM or Ctrl-C; answers on their way have ``grace`` seconds to be finished.

    ``ready`` is called once both signals end this cleanly; ``beside`` runs in a thread until its event is set.
    ``proxies`` are the addresses whose word on the caller's address and protocol is taken.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=grace,
    )
    server = uvicorn.Server(config)
    stop = threading.Event()
    thread = threading.Thread(target=beside, args=(stop,), daemon=True, name="beside") if beside else None
    with _stopping(server), listener:
        ready()
        if thread:
            thread.start()
        try:
            server.run(sockets=[listener])
        finally:
            stop.set()
            if thread:
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
