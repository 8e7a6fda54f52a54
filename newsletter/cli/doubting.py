"""What stands behind ``newsletter resolve``: asking the provider, and taking the operator's word."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from newsletter.cli import output, sending, wiring
from newsletter.cli.telling import counted, provider_name
from newsletter.errors import NewsletterError
from newsletter.store import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from newsletter.config import Config
    from newsletter.delivery.ledger import Send
    from newsletter.delivery.resolve import Doubt, Word
    from newsletter.providers.base import Capabilities
    from newsletter.store.database import Database


@dataclass(frozen=True, slots=True)
class Case:
    """The doubts of a send, and what came of asking about them."""

    config: Config = field(repr=False)
    database: Database = field(repr=False)
    made: Send
    doubts: tuple[Doubt, ...]
    names: Mapping[int, str]
    """Each batch's name in the metadata that the provider has of it."""
    can: Capabilities | None
    answers: Mapping[int, str] = field(default_factory=dict)
    """What the provider said of a batch when it was asked just now."""
    not_asked: str = ""
    """Why it was not asked, where it could be."""
    found: tuple[int, ...] = ()
    """Batches that were in doubt, and that the provider has."""
    word: Word | None = None
    settled: tuple[int, ...] = ()
    """Batches for which the operator's word was taken."""
    lost: tuple[int, ...] = ()
    """Batches that had changed before it could be."""

    @property
    def people(self) -> int:
        """How many people are in doubt."""
        return sum(each.people for each in self.doubts)


# -- asking, and taking a word --------------------------------------------------------


def open_case(config: Config, database: Database, made: Send) -> Case:
    """What is in doubt, after the provider was asked where it can be."""
    from newsletter.providers.registry import capabilities

    case = _read(Case(config, database, made, (), {}, None))
    if not case.doubts:
        return case
    can = next((each for each in capabilities() if each.name == made.provider), None)
    case = replace(case, can=can)
    if can is None or can.settling != "search" or not any(each.whole for each in case.doubts):
        return case
    before = {each.number for each in case.doubts if each.whole}
    output.note(f"Asking {provider_name(made.provider)} about {counted(len(before), 'batch')} in doubt …")
    try:
        answers = _ask(config, database, made)
    except NewsletterError as error:
        return replace(case, not_asked=str(error).splitlines()[0])
    case = _read(replace(case, answers=answers))
    return replace(case, found=tuple(sorted(before - {each.number for each in case.doubts})))


def _ask(config: Config, database: Database, made: Send) -> dict[int, str]:
    """What the provider says of each batch; what it has is settled. Raises our own errors when it cannot be asked."""
    from newsletter.delivery import desk, settle
    from newsletter.store import mark

    mark.check(database)
    provider = wiring.provider(config)
    answers: dict[int, str] = {}
    try:
        links = wiring.links(config, database.instance())
        settle.ask(desk.job(database, made.id, provider, links, desk.tools(threading.Event())), answers.__setitem__)
    finally:
        provider.close()
    return answers


def take_word(case: Case, chosen: tuple[Doubt, ...], word: Word) -> Case:
    """Take the operator's word for these doubts, each in a transaction of its own."""
    from newsletter.delivery import resolve
    from newsletter.delivery.ledger import Lost
    from newsletter.store import mark

    mark.check(case.database)
    by = sending.operator()
    settled: list[int] = []
    lost: list[int] = []
    with output.progress(len(chosen), "Settling", unit="batches") as advance:
        for each in chosen:
            try:
                with case.database.write() as connection:
                    resolve.assume(connection, each, word, clock.utcnow(), by)
            except Lost:
                lost.append(each.number)
            else:
                settled.append(each.number)
            advance(1)
    return _read(replace(case, word=word, settled=tuple(settled), lost=tuple(lost)))


def _read(case: Case) -> Case:
    """The case as the ledger has it now; a send that nothing keeps open any more is done."""
    from newsletter.delivery import ledger, resolve
    from newsletter.store import epochs

    database, number = case.database, case.made.id
    with database.read() as connection:
        doubts = resolve.doubts(connection, number)
        names = epochs.names(connection)
    if not doubts and case.doubts:
        with database.write() as connection:
            resolve.close(connection, number, clock.utcnow(), sending.operator())
    with database.read() as connection:
        made = ledger.get(connection, number)
    if made.state == "done" and case.doubts:
        sending.record(case.config, database, made)
    label = database.instance()[:8]
    outside = {each.number: f"{label}-{each.number}{names.of_batch(each.number)}" for each in doubts}
    return replace(case, made=made, doubts=doubts, names=outside)
