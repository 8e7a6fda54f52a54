"""Going on with a send through another account than it began with, while nobody can have got anything through that one.

A mistyped domain, region or address is mended like that. Once something may have been accepted the send keeps its
account: no other one can say what became of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, func, insert, literal, or_, select, update

from newsletter.delivery import ledger, orphans, owners
from newsletter.delivery.ledger import Held
from newsletter.errors import Blocked
from newsletter.store import clock
from newsletter.store.tables import batch, delivery, event, send

if TYPE_CHECKING:
    import datetime as dt

    from newsletter.delivery.ledger import Send
    from newsletter.providers.base import Provider
    from newsletter.store.database import Database

_UNTRIED = ("pending", "cancelled")


def same(made: Send, provider: Provider) -> bool:
    """Whether a send is bound to this very account."""
    return (made.provider, made.account) == (provider.capabilities.name, provider.account)


def rebind(database: Database, made: Send, provider: Provider, now: dt.datetime) -> Send:
    """The send, bound to ``provider``'s account; every open batch has an event that says so.

    Raises ``Blocked``, and changes nothing, where something may have been accepted through the account it began
    with, or where another process is at work through that one.
    """
    if same(made, provider):
        return made
    locks = database.path.parent / "locks"
    with database.read() as connection:
        dead = owners.dead(locks, orphans.owners(connection, made.id))
    with database.write() as connection:
        made = ledger.get(connection, made.id)
        if same(made, provider):
            return made
        if _perhaps_accepted(connection, made) or made.realm != ("real" if provider.capabilities.real else "outbox"):
            raise foreign(made, provider)
        for row in orphans.found(connection, made.id, dead, now):
            ledger.release(connection, Held(row.id, row.fence, row.doubt), now, "its process is gone")
        if orphans.owners(connection, made.id):
            message = f"{made.slug}: another process is at work on it, through {began(made)}"
            raise Blocked(message, hint=f"Let it end first; to stop it: newsletter pause {made.slug}")
        _bind(connection, made, provider, now)
        return ledger.get(connection, made.id)


def foreign(made: Send, provider: Provider) -> Blocked:
    """Why a send cannot go on through this provider."""
    what = f"this send began through {began(made)}, and {_now(provider)} cannot know what that one accepted"
    return Blocked(f"{made.slug}: {what}", hint="Set the provider back to the one it began with.")


def began(made: Send) -> str:
    """The account that a send is bound to, for people."""
    return f"{made.provider} ({made.account})"


def _now(provider: Provider) -> str:
    return f"{provider.capabilities.name} ({provider.account})"


def _perhaps_accepted(connection: Connection, made: Send) -> bool:
    """Whether anybody may have got the mail: accepted, in doubt, or in a call that may be under way."""
    outcome = func.coalesce(delivery.c.outcome, batch.c.state)
    maybe: ColumnElement[bool] = or_(outcome.in_(("accepted", "in_doubt", "sending")), batch.c.doubt)
    held = select(batch.c.id).join(delivery, delivery.c.batch_id == batch.c.id)
    return connection.execute(held.where(batch.c.send_id == made.id, maybe).limit(1)).first() is not None


def _bind(connection: Connection, made: Send, provider: Provider, now: dt.datetime) -> None:
    to = {"provider": provider.capabilities.name, "account": provider.account}
    connection.execute(update(send).where(send.c.id == made.id).values(**to))
    columns = ["batch_id", "at", "from_state", "to_state", "fence", "detail"]
    said = literal(f"goes on through {_now(provider)} instead of {began(made)}")
    state = batch.c.state
    rows = select(batch.c.id, literal(clock.stamp(now)), state, state, batch.c.fence, said).where(
        batch.c.send_id == made.id, state.in_(_UNTRIED)
    )
    connection.execute(insert(event).from_select(columns, rows))
