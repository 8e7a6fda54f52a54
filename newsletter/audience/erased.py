"""The erased: known again by a keyed hash of their address, and by nothing else."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, func, insert, select

from newsletter.config import SECRET
from newsletter.errors import BadConfig
from newsletter.store import clock
from newsletter.store.tables import erased, person

if TYPE_CHECKING:
    import datetime as dt

Secret = Callable[[], str]
"""Asked for the secret only where it is needed; empty when there is none."""

VERDICT = "erased"
"""What an import says of them, beside the statuses that keep mail from others."""


def no_secret() -> str:
    """For where nobody can have been erased."""
    return ""


def hasher(secret: Secret) -> Callable[[str], str]:
    """How a folded address becomes its hash; raises ``BadConfig`` without a secret."""
    key = secret().encode()
    if not key:
        message = f"{SECRET} is not set, and an erased address is known again only by a hash made with it"
        raise BadConfig(message, hint="Set it in the environment or in .env; `newsletter init` makes one.")
    return lambda address: hmac.digest(key, b"erased:" + address.encode(), "sha256").hex()


def count(connection: Connection) -> int:
    """How many addresses were erased and have not come back."""
    return int(connection.execute(select(func.count()).select_from(erased)).scalar_one())


def since(connection: Connection, key: str, secret: Secret) -> str | None:
    """When the address with this key was erased, ``None`` if it was not; no secret is needed while nobody was."""
    if connection.execute(select(erased.c.hash).limit(1)).first() is None:
        return None
    found = connection.execute(select(erased.c.at).where(erased.c.hash == hasher(secret)(key))).scalar()
    return None if found is None else str(found)


def kept(connection: Connection, digest: str) -> bool:
    """Whether this hash is kept."""
    return connection.execute(select(erased.c.hash).where(erased.c.hash == digest)).first() is not None


def keep(connection: Connection, digest: str, now: dt.datetime) -> None:
    """Keep a hash; one that is there stays as it is."""
    if not kept(connection, digest):
        connection.execute(insert(erased).values(hash=digest, at=clock.stamp(now)))


def forget(connection: Connection, key: str, secret: Secret) -> None:
    """Let the address with this key come back."""
    connection.execute(delete(erased).where(erased.c.hash == hasher(secret)(key)))


def returned(connection: Connection, secret: Secret) -> Iterator[str]:
    """Active people whose hash is kept: they were erased, and came back with an older copy of the database."""
    hashes = set(connection.execute(select(erased.c.hash)).scalars())
    if hashes:
        digest = hasher(secret)
        active = select(person.c.key, person.c.address).where(person.c.status == "active")
        rows = connection.execute(active, execution_options={"yield_per": 1_000})
        yield from (address for key, address in rows if digest(key) in hashes)
