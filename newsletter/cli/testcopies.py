"""What ``newsletter test`` works with: testers, the copy they get, notes, and a provider that is asked with care."""

from __future__ import annotations

import contextlib
import json
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter.cli import output, wiring
from newsletter.conditions import variant_key
from newsletter.errors import (
    BadConfig,
    BadInput,
    NewsletterError,
    Problem,
    TryLater,
    Unavailable,
    Unfinished,
    Unwritable,
    WrongUsage,
)
from newsletter.personal import CannotRender

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from newsletter.audience.people import Person
    from newsletter.config import Config
    from newsletter.delivery.freeze import Frozen
    from newsletter.model import Edition
    from newsletter.providers.base import Message, NotSent, Provider, Unknown
    from newsletter.store.database import Database

_LONGEST_WAIT = 120.0
_WORTH_SAYING = 3.0
"""Seconds of waiting from which on the operator is told."""


def testers(config: Config, given: Sequence[str]) -> list[str]:
    """Who gets a copy, each mailbox once: those named, else the configured ones.

    Raises ``WrongUsage`` when there are none, and ``BadInput`` with every address that is none.
    """
    named = tuple(given) or config.testers
    if not named:
        hint = "Name one with --to ADDRESS, or list `testers` in newsletter.yaml."
        raise WrongUsage("nobody is named who gets the copy", hint=hint)
    from newsletter.audience.people import address_of
    from newsletter.mime import address

    found: dict[str, str] = {}
    problems: list[Problem] = []
    for text in named:
        try:
            to, key = address_of(text)
            address(to)
        except BadInput as error:
            problems += error.problems
        except CannotRender as error:
            problems.append(Problem(None, f"“{text}” cannot be mailed: {error}"))
        else:
            found.setdefault(key, to)
    if problems:
        raise BadInput(problems)
    return list(found.values())


# -- the copy -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose copy: a subscriber's, or nobody's."""

    config: Config
    edition: Edition
    frozen: Frozen
    database: Database | None
    reader: Person | None

    @property
    def variant(self) -> str:
        """The key of the variant that this reader gets, or somebody of whom nothing is known."""
        if self.reader is None:
            return variant_key(self.frozen.choices, {})
        return self.frozen.key_of(self.reader.address, self.reader.fields)


def wanted(config: Config, edition: Edition, database: Database | None, reader: str | None) -> Wanted:
    """What is to be tested; ``BadInput`` when nobody has the reader's address."""
    from newsletter.audience import people
    from newsletter.delivery.freeze import of_edition

    found = None
    if reader is not None:
        if database is None:
            message = f"{reader} is not subscribed: there are no subscribers yet"
            raise BadInput(message, hint="Import some with `newsletter subscribers import`.")
        with database.read() as connection:
            found = people.find(connection, reader)
    return Wanted(config, edition, of_edition(edition, config), database, found)


def message(wish: Wanted) -> Message:
    """The message that all testers get; ``BadInput`` when a send could not make it for this reader."""
    from newsletter.delivery import testers as copies
    from newsletter.delivery.personalise import Writer

    who = wish.reader
    if who is None or wish.database is None:
        return copies.of_nobody(wish.frozen, wish.config.link_base)
    links = wiring.links(wish.config, wish.database.instance())
    # No send has the number 0: `view in browser` of a test copy belongs to none.
    writer = Writer(wish.frozen, links, 0, "", ids=False)
    try:
        return copies.of_reader(wish.frozen, wish.variant, writer, who.id, who.address, json.dumps(dict(who.fields)))
    except CannotRender as error:
        hint = "A send would leave this reader out for the same reason."
        raise BadInput(f"the copy of {who.address} cannot be made: {error}", hint=hint) from error


def notes(wish: Wanted) -> Iterator[str]:
    """What stands in the way of a real send, and what to know of the copy; none of it blocks a test."""
    from newsletter.config import secret
    from newsletter.delivery import guard

    config, who = wish.config, wish.reader
    for each in wiring.findings(config, wish.edition, wish.database):
        yield f"{each.place}: {each.severity.value}: {each.message} [{each.rule}]"
    if lacking := guard.lacks(config, secret(config.root)):
        yield f"A real send would still need {', '.join(lacking)}."
    if config.real and wish.edition.pictures:
        yield f"Its pictures are fetched from {config.picture_base}; `newsletter publish` writes them."
    if wish.variant:
        yield f"The copy is the variant {wish.variant}, one of {len(wish.frozen.variants)}."
    if who is None:
        yield "No reader: fields show their default or [name], and personal links lead nowhere."
        return
    yield f"The links are {who.address}'s own: unsubscribing from this copy unsubscribes them."
    if who.status != "active":
        yield f"{who.address} is {who.status}: a send would leave them out."
    if any(field.name == "view_url" for field in wish.frozen.fields):
        yield "Its link to view in browser leads nowhere: there is no send that it belongs to."


# -- the provider ---------------------------------------------------------------------


def careful(provider: Provider, database: Database | None) -> Provider:
    """The provider, asked again where that is harmless, at the pace that a running send of this account keeps."""
    from newsletter.providers.wrappers import Paced, Retried

    def sleep(seconds: float) -> None:
        if seconds >= _WORTH_SAYING:
            output.note(f"Waiting {seconds:.0f} s for {provider.capabilities.name} ...")
        time.sleep(seconds)

    if database is None:
        return Retried(provider, sleep, random.random)
    pace = _Pace(provider, database)
    return Retried(Paced(provider, pace.slot, sleep, pace.slow, pace.hold), sleep, random.random)


class _Pace:
    """The account's one rate, which lies in the ledger."""

    def __init__(self, provider: Provider, database: Database) -> None:
        self._account = provider.account
        self._per_second = provider.capabilities.per_second
        self._database = database

    def slot(self) -> float:
        """Book the next call; a database that stays busy is a reason not to make it."""
        from newsletter.delivery import rate
        from newsletter.providers.base import Fault, NotSent
        from newsletter.store.clock import utcnow

        try:
            with self._database.write() as connection:
                return rate.slot(connection, self._account, self._per_second, utcnow())
        except TryLater as error:
            raise NotSent(error.message, fault=Fault.LATER) from error

    def slow(self, seconds: float) -> None:
        """Lower the rate for all; what is lost when the database is busy, the provider will say again."""
        from newsletter.delivery import rate
        from newsletter.store.clock import utcnow

        with contextlib.suppress(TryLater), self._database.write() as connection:
            rate.slow_down(connection, self._account, utcnow(), min(seconds, _LONGEST_WAIT))

    def hold(self, seconds: float) -> None:
        """Hold the next call of all; lost as above."""
        from newsletter.delivery import rate
        from newsletter.store.clock import utcnow

        with contextlib.suppress(TryLater), self._database.write() as connection:
            rate.hold(connection, self._account, utcnow(), min(seconds, _LONGEST_WAIT))


def cannot_go_out(edition: Edition, error: CannotRender) -> BadInput:
    """The part that all readers share is at fault."""
    return BadInput([Problem(edition.where("from"), f"this issue cannot go out: {error}")])


def ours(name: str, error: NotSent | Unknown) -> NewsletterError:
    """What ended a test, with the exit code of the contract."""
    from newsletter.providers.base import Fault, Unknown

    text = f"{name}: {error.reason}"
    if isinstance(error, Unknown):
        hint = "Look whether they came; if not, run the same command again."
        return Unfinished(f"{text}; the copies may have arrived", hint=hint)
    fault = error.fault or (Fault.UNAVAILABLE if error.retry_after is None else Fault.LATER)
    if fault is Fault.CONFIG:
        return BadConfig(text, hint="Mend the configuration or the key, then run the same command again.")
    if fault is Fault.DISK:
        return Unwritable(text, hint="Free some space or mend the permissions, then run the same command again.")
    if fault is Fault.UNAVAILABLE:
        return Unavailable(text, hint="Nothing was sent by this call; run the same command again later.")
    when = "" if error.retry_after is None else f", in {error.retry_after:.0f} seconds or more"
    return TryLater(text, hint=f"Nothing was sent by this call; run the same command again later{when}.")
