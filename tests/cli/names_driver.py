"""``newsletter`` as a process for which some names are ports of this machine: ``names_driver.py NAMES ARGUMENT…``.

NAMES is a JSON object of names and ports; no other name is known. Nothing else is changed: the program resolves,
connects, shakes hands and verifies as it does anywhere.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

from newsletter.__main__ import main

NAMES: dict[str, int] = json.loads(sys.argv.pop(1))
_ask = socket.getaddrinfo


def getaddrinfo(host: str | bytes | None, port: object, *how: Any, **more: Any) -> Any:
    """Where a name leads; the port that was asked for is of no matter."""
    del port
    name = host.decode() if isinstance(host, bytes) else host
    if name not in NAMES:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return _ask("127.0.0.1", NAMES[name], *how, **more)


if __name__ == "__main__":
    socket.getaddrinfo = getaddrinfo
    main()
