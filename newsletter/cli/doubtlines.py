"""What is said about messages in doubt: all that is known, what it means, and what each word does."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from newsletter.cli import output, standing, watching
from newsletter.cli.telling import counted, provider_name
from newsletter.store import clock

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from newsletter.cli.app import Call
    from newsletter.cli.doubting import Case
    from newsletter.delivery.resolve import Doubt

_SHOWN = 20
"""Batches that are listed for people; scripts get them all."""

_EVENTS = 6

_WIDE = 80


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


def show(call: Call, case: Case) -> None:
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
            output.hint(f"\n{standing.next_step(*watching.look(case.database, case.made.id))}")
        return
    output.say(f"{slug}  {_people(case.people)} in doubt, in {counted(len(case.doubts), 'batch')}")
    if case.not_asked:
        output.say(f"  {provider_name(case.made.provider)} was not asked: {case.not_asked}")
    for each in case.doubts[:_SHOWN]:
        output.say()
        for line in _lines(case, each):
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


def _lines(case: Case, doubt: Doubt) -> Iterator[str]:
    """Everything that is known of one batch."""

    def when(moment: dt.datetime) -> str:
        return f"{moment.astimezone(case.config.timezone):%Y-%m-%d %H:%M:%S %Z}"

    some = ", ".join(doubt.examples) + (", …" if doubt.people > len(doubt.examples) else "")
    part = "" if doubt.whole else " of it"
    yield f"{output.style(f'batch {doubt.number}', bold=True)}  {_people(doubt.people)}{part}: {some}"
    often = "once" if doubt.attempts == 1 else f"{doubt.attempts} times"
    facts = [
        ("tried", f"{when(doubt.tried_at)}, {often}" if doubt.tried_at else "never, as far as this ledger knows"),
        ("heard", doubt.heard or "nothing"),
        ("key", _key(case, doubt, when(doubt.key_expires_at) if doubt.key_expires_at else "")),
        ("its name", f"{case.names[doubt.number]}, in the provider's metadata of the call"),
        ("provider", _said(case, doubt)),
    ]
    for at, before, after, why in doubt.events[-_EVENTS:]:
        step = before if before == after else f"{before} to {after}"
        facts.append(("event", f"{when(at)}  {step.replace('_', ' ')}{f': {why}' if why else ''}"))
    for label, text in facts:
        yield from textwrap.wrap(text, _WIDE, initial_indent=f"  {label:<10}", subsequent_indent=" " * 12)


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
    untried = [each.tried_at is None for each in case.doubts]
    lost = "The call was made, and its answer was lost or cannot be trusted."
    older = "The ledger was put back from an older copy, and may not know of a call that was made since."
    happened = " ".join([*([] if all(untried) else [lost]), *([older] if any(untried) else [])])
    output.say()
    for line in textwrap.wrap(
        f"What happened: {happened} Nobody can tell whether the provider took these messages.", _WIDE
    ):
        output.say(line)
    output.say("What it means: each of these people got the issue, or did not.")
    output.say()
    output.say("  --assume sent    Takes it that they got it, and mails nobody. Whoever did not")
    output.say("                   get it, stays without this issue.")
    output.say("  --assume unsent  Mails them with the next `newsletter send`, but for those who")
    output.say("                   have left since. Whoever got it already, gets it twice.")
    output.hint("\nIt can wait. To settle it:")
    output.hint(f"    newsletter resolve {slug} --assume sent|unsent --batch N (or --all)")


def explain_word(case: Case, word: str, people: int) -> None:
    """What the word does, before it is confirmed."""
    if word == "sent":
        output.note(
            f"{_people(people)} of {case.made.slug} will count as accepted; this issue is never mailed to them again."
        )
    else:
        output.note(
            f"{_people(people)} of {case.made.slug} will be mailed by the next send; who got it already gets two."
        )
