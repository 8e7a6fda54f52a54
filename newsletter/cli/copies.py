"""One reader's copy of a send, made again from the ledger for view in browser."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import select

from newsletter.personal import CannotRender, join
from newsletter.store.tables import batch, delivery, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.delivery.freeze import Frozen
    from newsletter.links import Links
    from newsletter.store.database import Database

_KEPT = 8
"""Contents kept in memory, without their pictures; readers look at the newest few."""


def copies(database: Database, links: Links) -> Callable[[int, int], str | None]:
    """What gives the HTML that a person got in a send, or ``None``: not mailed, or erased since."""
    from newsletter.delivery import start
    from newsletter.delivery.personalise import Writer

    @lru_cache(maxsize=_KEPT)
    def content(sha: str) -> Frozen:
        with database.read() as connection:
            return replace(start.content_of(connection, sha), pictures=())

    def copy(send_id: int, person_id: int) -> str | None:
        columns = (delivery.c.address, delivery.c.fields, batch.c.variant, send.c.content_sha)
        joined = delivery.join(batch, batch.c.id == delivery.c.batch_id).join(send, send.c.id == delivery.c.send_id)
        mine = (delivery.c.send_id == send_id, delivery.c.person_id == person_id, delivery.c.address != "")
        with database.read() as connection:
            row = connection.execute(select(*columns).select_from(joined).where(*mine)).first()
        if row is None:
            return None
        frozen = content(row.content_sha)
        variant = frozen.variant(row.variant)
        try:
            message = Writer(frozen, links, send_id, "").message(variant, person_id, row.address, row.fields)
        except CannotRender:
            return None
        return join(variant.html, message.values)

    return copy
