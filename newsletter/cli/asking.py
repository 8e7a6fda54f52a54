"""Asking a provider page by page: at the rate of its account, and again where a page did not come."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from newsletter.delivery import claims, rate
from newsletter.delivery.desk import patiently
from newsletter.providers.base import NotSent, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from newsletter.delivery.desk import Tools
    from newsletter.providers.base import Provider
    from newsletter.store.database import Database

_TRIES = 4
_LONGEST_WAIT = claims.LONGEST_WAIT.total_seconds()

_T = TypeVar("_T")


class Patient:
    """A turn for calls that only ask: sends of the same account and it keep one rate.

    A page that did not come is asked for up to four times, later each time or when the provider says; what the
    operator must mend, and what would take minutes, is raised at once.
    """

    def __init__(self, database: Database, provider: Provider, tools: Tools) -> None:
        self._database = database
        self._account = provider.account
        self._per_second = provider.capabilities.per_second
        self._tools = tools

    def __call__(self, ask: Callable[[], _T], /) -> _T:
        """What ``ask`` answers, in the end."""
        tries = 0
        while True:
            if (wait := self._kept(self._slot)) > 0:
                self._tools.sleep(wait)
            try:
                return ask()
            except (NotSent, Unknown) as error:
                tries += 1
                self._wait_or_raise(error, tries)

    def _wait_or_raise(self, error: NotSent | Unknown, tries: int) -> None:
        named = error.retry_after
        wait = 2**tries * (0.5 + self._tools.jitter() / 2) if named is None else named
        if tries == _TRIES or error.fault is not None or wait > _LONGEST_WAIT:
            raise error
        if named is not None:
            self._kept(lambda connection: rate.slow_down(connection, self._account, self._tools.now(), named))
        self._tools.tell(error.reason, wait)
        self._tools.sleep(wait)

    def _slot(self, connection: Connection) -> float:
        return rate.slot(connection, self._account, self._per_second, self._tools.now())

    def _kept(self, action: Callable[[Connection], _T]) -> _T:
        """Done in the ledger, which another process may be at work on."""

        def once() -> _T:
            with self._database.write() as connection:
                return action(connection)

        return patiently(self._tools, self._tools.now() + self._tools.lease, once)
