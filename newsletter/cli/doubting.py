"""What stands behind ``newsletter resolve``: asking the provider, taking a word, and telling all that is known."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from newsletter.cli import output, sending, wiring
from newsletter.cli.telling import counted, provider_name
from newsletter.errors import NewsletterError
from newsletter.store import clock

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from newsletter.cli.app import Call
    from newsletter.config import Config
    from newsletter.delivery.ledger import Send
    from newsletter.delivery.resolve import Doubt, Word
    from newsletter.providers.base import Capabilities
    from newsletter.store.database import Database

_SHOWN = 20
"""Batches that are listed for people; scripts get them all."""

_EVENTS = 6


@dataclass(frozen=True, slots=True)
class Case:
    """The doubts of a send, and what came of asking about them."""

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

    case = _read(Case(database, made, (), {}, None))
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
    label = database.instance()[:8]
    outside = {each.number: f"{label}-{each.number}{names.of_batch(each.number)}" for each in doubts}
    return replace(case, made=made, doubts=doubts, names=outside)


# -- for scripts ----------------------------------------------------------------------


def data(case: Case) -> dict[str, Any]:
    """All of it, for ``--json``."""
    made = case.made
    return {
        "send": made.id,
        "slug": made.slug,
        "state": made.state,
        "people_in_doubt": case.people,
        "provider": made.provider,
        "can_be_asked": bool(case.can and case.can.settling == "search"),
        "not_asked": case.not_asked,
        "found": list(case.found),
        "assumed": case.word,
        "settled": list(case.settled),
        "changed_meanwhile": list(case.lost),
        "batches": [_batch(case, each) for each in case.doubts],
    }


def _batch(case: Case, doubt: Doubt) -> dict[str, Any]:
    return {
        "batch": doubt.number,
        "name": case.names[doubt.number],
        "whole": doubt.whole,
        "people": doubt.people,
        "examples": list(doubt.examples),
        "heard": doubt.heard,
        "provider_says": case.answers.get(doubt.number, ""),
        "attempts": doubt.attempts,
        "first_tried_at": _stamp(doubt.tried_at),
        "key": doubt.key,
        "key_expires_at": _stamp(doubt.key_expires_at),
        "payload_sha": doubt.payload_sha,
        "provider_ref": doubt.provider_ref,
        "events": [
            {"at": clock.stamp(each.at), "from": each.before, "to": each.after, "why": each.why}
            for each in doubt.events
        ],
    }


def _stamp(moment: dt.datetime | None) -> str | None:
    return clock.stamp(moment) if moment else None


# -- for people -----------------------------------------------------------------------


def show(call: Call, config: Config, case: Case) -> None:
    """What came of it, what is left, and what it means."""
    if call.json:
        output.emit(data(case))
        return
    slug = output.style(case.made.slug, bold=True)
    for line in _done(case):
        output.say(f"{slug}  {line}")
    if not case.doubts:
        if not case.settled and not case.found:
            output.say(f"{slug}  nothing is in doubt")
        if case.made.state != "done":
            output.hint(f"\n{_next(case)}")
        return
    output.say(f"{slug}  {_people(case.people)} in doubt, in {counted(len(case.doubts), 'batch')}")
    if case.not_asked:
        output.say(f"  {provider_name(case.made.provider)} was not asked: {case.not_asked}")
    for each in case.doubts[:_SHOWN]:
        output.say()
        for line in _lines(config, case, each):
            output.say(line)
    if len(case.doubts) > _SHOWN:
        output.say(f"\n… and {counted(len(case.doubts) - _SHOWN, 'batch')} more: --json lists them all")
    _explain(case)


def _people(number: int) -> str:
    return f"{number:,} {'person' if number == 1 else 'people'}"


def _done(case: Case) -> Iterator[str]:
    if case.found:
        yield f"{provider_name(case.made.provider)} has batch {_listed(case.found)}: settled as accepted"
    if case.settled:
        meaning = "settled as accepted" if case.word == "sent" else "open again"
        yield f"by your word batch {_listed(case.settled)}: {meaning}"
    if case.lost:
        yield f"batch {_listed(case.lost)} had changed meanwhile: nothing was done about it"


def _listed(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    return f"{shown} and {len(numbers) - _SHOWN:,} more" if len(numbers) > _SHOWN else shown


def _lines(config: Config, case: Case, doubt: Doubt) -> Iterator[str]:
    """Everything that is known of one batch."""

    def when(moment: dt.datetime) -> str:
        return f"{moment.astimezone(config.timezone):%Y-%m-%d %H:%M:%S %Z}"

    some = ", ".join(doubt.examples) + (", …" if doubt.people > len(doubt.examples) else "")
    part = "" if doubt.whole else " of it"
    yield f"{output.style(f'batch {doubt.number}', bold=True)}  {_people(doubt.people)}{part}: {some}"
    if doubt.tried_at:
        often = "once" if doubt.attempts == 1 else f"{doubt.attempts} times"
        yield f"  tried     {when(doubt.tried_at)}, {often}"
    else:
        yield "  tried     never, as far as this ledger knows"
    yield f"  heard     {doubt.heard or 'nothing'}"
    yield f"  key       {_key(case, doubt, when(doubt.key_expires_at) if doubt.key_expires_at else '')}"
    yield f"  its name  {case.names[doubt.number]}, in the provider's metadata of the call"
    yield f"  provider  {_said(case, doubt)}"
    for at, before, after, why in doubt.events[-_EVENTS:]:
        step = before.replace("_", " ") if before == after else f"{before} to {after}".replace("_", " ")
        yield f"  {'event':<8}  {when(at)}  {step}{f': {why}' if why else ''}"


def _key(case: Case, doubt: Doubt, expires: str) -> str:
    if doubt.key is None:
        return "none"
    if case.can is not None and not case.can.idempotent:
        return f"{doubt.key}, which means nothing to {provider_name(case.made.provider)}"
    return f"{doubt.key}, {f'remembered until {expires}' if expires else 'remembered for ever'}"


def _said(case: Case, doubt: Doubt) -> str:
    """What the provider can tell, or has told."""
    name = provider_name(case.made.provider)
    answer = case.answers.get(doubt.number)
    if not doubt.whole:
        return f"{name} answered twice, and not the same"
    if answer == "not found":
        return f"{name} knows nothing of it, which proves nothing: events come late, and are kept for some days"
    if answer:
        return f"{name} could not tell: {answer}"
    if case.can is not None and case.can.settling == "search":
        return f"{name} was not asked"
    return f"{name} cannot be asked; perhaps its own pages show whether these people were mailed"


def _explain(case: Case) -> None:
    """Doubt in plain words."""
    slug = case.made.slug
    output.say("\nWhat happened: the call was made, and its answer was lost or cannot be trusted. So nobody can tell")
    output.say("whether the provider took these messages. Each of these people got the issue, or did not.")
    output.say("\n  --assume sent    Takes it that they got it. Whoever did not, stays without this issue.")
    output.say(
        "  --assume unsent  Sends it to them with the next `newsletter send`, but for those who have left since."
    )
    output.say("                   Whoever got it already, gets it twice.")
    output.hint(f"\nTo settle: newsletter resolve {slug} --assume sent|unsent --batch N, or --all. It can wait.")


def explain_word(case: Case, word: str, people: int) -> None:
    """What the word does, before it is confirmed."""
    if word == "sent":
        output.note(
            f"{_people(people)} of {case.made.slug} will count as accepted, and never be mailed this issue again."
        )
    else:
        output.note(
            f"{_people(people)} of {case.made.slug} will be mailed by the next send; who got it already gets two."
        )


def _next(case: Case) -> str:
    held = case.made.state == "cancelled" or case.made.paused_by == "operator"
    return f"To go on: newsletter {'resume' if held else 'send'} {case.made.slug}"
