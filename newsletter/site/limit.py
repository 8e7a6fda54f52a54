"""How often one client may ask, in memory that does not grow with the number of clients."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Limiter:
    """Lets each client ask ``burst`` times at once and then ``per_second`` (GCRA).

    At most ``clients`` are remembered; the one who asked longest ago is forgotten first. Not for several threads.
    """

    def __init__(
        self, elapsed: Callable[[], float], *, burst: int = 60, per_second: float = 1.0, clients: int = 10_000
    ) -> None:
        self._elapsed = elapsed
        self._step = 1 / per_second
        self._room = burst / per_second
        self._most = clients
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def wait(self, client: str) -> float:
        """Count one request of ``client``: 0, or the seconds after which it may ask, and then it is not counted."""
        now = self._elapsed()
        until = max(self._until.get(client, now), now) + self._step
        if (over := until - now - self._room) > 0:
            return over
        self._until[client] = until
        self._until.move_to_end(client)
        if len(self._until) > self._most:
            self._until.popitem(last=False)
        return 0.0


def client(host: str) -> str:
    """Who counts as one: an IPv4 address, or the network of 64 bits that one IPv6 customer gets."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:64]
    if address.version == 6:
        return str(address.ipv4_mapped or ipaddress.ip_network((address.packed[:8] + bytes(8), 64)))
    return str(address)
