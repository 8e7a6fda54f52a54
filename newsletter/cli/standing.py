"""How a send stands, in lines for people and as data for scripts."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Any

from newsletter import moments
from newsletter.cli import output
from newsletter.cli.telling import counted, duration, provider_name
from newsletter.config import API_KEYS
from newsletter.providers.base import Fault

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from newsletter.cli.app import Call
    from newsletter.delivery.ledger import Send
    from newsletter.delivery.pulse import Pulse, Worker
    from newsletter.delivery.summary import Status

_BAR = 40
_COLOURS = {"done": "green", "paused": "yellow", "cancelled": "yellow"}
_WIDE = 80

_FROM = "the domain of `from`"
_SETTINGS = {"mailgun": ("mailgun.domain", "mailgun.region"), "resend": (_FROM,)}
"""What may be wrong, besides the key, when a provider refuses a call for the operator's sake."""


def report(call: Call, status: Status, pulse: Pulse) -> None:
    """How a send stands, as text or JSON."""
    if call.json:
        output.emit(data(status, pulse))
        return
    for line in lines(status, pulse, turns=call.verbose):
        output.say(line)
    output.hint(f"\n{next_step(status, pulse)}")


def data(status: Status, pulse: Pulse) -> dict[str, Any]:
    """All that is known, for ``--json``."""
    return {**status.data(), **pulse.data()}


def lines(status: Status, pulse: Pulse, *, turns: bool = False) -> Iterator[str]:
    """The whole picture; no line is longer than 80 columns but for what others have worded."""
    made = status.send
    yield f"{output.style(made.slug, bold=True)}  {output.style(describe(status), fg=_COLOURS.get(made.state))}"
    if made.state == "running" and status.people["open"]:
        yield f"  {_bar(status.settled / made.recipients)}"
    if made.recipients:
        yield from _counts(status)
    if status.examples:
        yield ""
    for address, outcome, reason in status.examples:
        yield f"  {address}: {_word(outcome)}: {reason}"
    facts = [*_plan(status, pulse), *_pace(status, pulse), *_doubt(status, pulse), *_workers(status, pulse)]
    if turns:
        facts += _turns(pulse)
    if facts:
        yield ""
    yield from _labelled(facts)


def line(status: Status, pulse: Pulse) -> str:
    """The same in one line, for logs."""
    parts = [f"{status.send.slug}: {describe(status)}"]
    if pulse.recent:
        parts.append(f"{pulse.recent:,.0f} mails/s")
    if pulse.left is not None:
        parts.append(f"about {_rough(pulse.left)} left")
    parts += [f"{each.kind}: {each.calls:,}" for each in pulse.troubles]
    if status.people["in_doubt"]:
        parts.append(f"{status.people['in_doubt']:,} in doubt")
    return ", ".join(parts)


def describe(status: Status) -> str:
    """The state of a send in a sentence."""
    made = status.send
    if made.state == "done":
        return f"done: {status.people['accepted']:,} of {made.recipients:,} accepted by {provider_name(made.provider)}"
    if made.state == "paused":
        return f"paused{f': {made.why}' if made.why else ''}"
    if made.state == "cancelled":
        return "cancelled"
    if made.state == "planned" and made.scheduled_at:
        return f"planned for {moments.wall(made.scheduled_at, made.terms.zone)}"
    if not status.people["open"] and status.people["in_doubt"]:
        return "finished, with messages in doubt"
    return f"{status.settled:,} of {made.recipients:,} settled"


def next_step(status: Status, pulse: Pulse) -> str:
    """What can be done about it."""
    return "\n".join([*_steps(status, pulse), *_about_doubt(status)])


def _steps(status: Status, pulse: Pulse) -> Iterator[str]:
    made, people = status.send, status.people
    if made.fault is Fault.CONFIG and (suspects := _suspects(made)):
        yield f"Look at {', '.join(suspects)}."
    if made.state == "done":
        trial = made.realm == "outbox"
        yield "Next: newsletter outbox" if trial else "To see what one person got: newsletter receipt ADDRESS"
    elif made.state == "planned":
        yield how_planned(made)
    elif made.state == "cancelled":
        yield f"To go on: newsletter resume {made.slug}"
    elif made.paused_by == "operator":
        yield f"To go on: newsletter resume {made.slug}"
        yield f"To end it: newsletter cancel {made.slug}"
    elif made.state == "running" and people["open"] and any(each.alive for each in pulse.workers):
        yield f"To watch it: newsletter status --watch {made.slug}"
        yield f"To hold it: newsletter pause {made.slug}"
    elif people["open"] or made.state == "paused":
        yield f"To go on: newsletter send {made.slug}"


def how_planned(made: Send) -> str:
    """Who begins a planned send, and how it is called off."""
    return (
        "It is begun by `newsletter send --due`, run from cron every few minutes.\n"
        f"To begin it at once: newsletter send {made.slug} --at now\n"
        f"To call it off: newsletter cancel {made.slug}"
    )


def _suspects(made: Send) -> tuple[str, ...]:
    """What to look at, as far as the reason narrows it down."""
    key, why = API_KEYS.get(made.provider), made.why
    if key is None:
        return ()
    if "call after call is refused" in why:
        return "the sender in `from`", "the issue itself"
    if "base_url" in why:
        return (f"{made.provider}.base_url",)
    if "refuses the sender" in why:
        return (_FROM,)
    return (key,) if "answered 401" in why else (key, *_SETTINGS.get(made.provider, ()))


def _about_doubt(status: Status) -> Iterator[str]:
    made = status.send
    if not status.people["in_doubt"]:
        return
    yield "Messages in doubt may have arrived or not; they are never sent again by themselves."
    if not status.people["open"] and made.state == "running" and _can_be_asked(made.provider):
        yield f"To ask {provider_name(made.provider)} about them once more: newsletter send {made.slug}"
    yield f"To settle them: newsletter resolve {made.slug}"


def _can_be_asked(provider: str) -> bool:
    from newsletter.providers.registry import capabilities

    return any(each.name == provider and each.settling == "search" for each in capabilities())


# -- the parts of the picture ---------------------------------------------------------


def _word(name: str) -> str:
    return name.replace("_", " ")


def _bar(part: float) -> str:
    full, empty = ("━", "─") if output.shows_all(sys.stdout) else ("#", ".")
    done = int(part * _BAR)
    return f"{output.style(full * done, fg='green')}{output.style(empty * (_BAR - done), dim=True)} {part:4.0%}"


def _counts(status: Status) -> Iterator[str]:
    """People on the left, batches on the right."""
    yield ""
    people = [(_word(name), number) for name, number in status.people.items() if number]
    batches = [(_word(name), number) for name, number in sorted(status.batches.items())]
    yield output.style(f"  {'people':<22}      batches", dim=True)
    for at in range(max(len(people), len(batches))):
        left = f"{people[at][0]:<12}{people[at][1]:>10,}" if at < len(people) else " " * 22
        right = f"{batches[at][0]:<12}{batches[at][1]:>10,}" if at < len(batches) else ""
        yield f"  {left}      {right}".rstrip()


def _labelled(facts: list[tuple[str, str]]) -> Iterator[str]:
    """Each label once, in a column of its own."""
    before = ""
    for label, text in facts:
        yield f"  {'' if label == before else label:<13}{text}"
        before = label


def _plan(status: Status, pulse: Pulse) -> Iterator[tuple[str, str]]:
    """When it begins, and its stages."""
    made = status.send
    if made.state == "planned" and made.scheduled_at:
        yield "begins", f"{moments.until(pulse.now, made.scheduled_at)}, {moments.Moment(made.scheduled_at, '').utc}"
    for at, (share, people, settled) in enumerate(status.parts):
        if at <= made.stage and people:
            yield "stages", f"{share}: {settled:,} of {people:,} settled"
        else:
            many = f"{people:,} people" if people else "not begun"
            next_at = made.stage_at if at == made.stage + 1 and made.state == "running" else None
            yield "stages", f"{share}: {many}{f', {moments.until(pulse.now, next_at)}' if next_at else ''}"


def _pace(status: Status, pulse: Pulse) -> Iterator[tuple[str, str]]:
    whole = f"{status.per_second:,.0f} mails/s" if status.per_second else ""
    if pulse.recent is not None and status.people["open"]:
        average = f", {whole} over the whole" if whole else ""
        yield "rate", f"{pulse.recent:,.0f} mails/s in the last minute{average}"
    elif whole:
        yield "rate", f"{whole} over the whole"
    if status.seconds:
        left = "" if pulse.left is None else f" so far, about {_rough(pulse.left)} left"
        yield "time", f"{_rough(status.seconds) if left else duration(status.seconds)}{left}"
    if pulse.last_answer and status.send.state != "done":
        yield "last answer", _ago(pulse, pulse.last_answer)
    if pulse.calls_per_second and status.people["open"]:
        yield "limit", f"{pulse.calls_per_second:,.3g} calls/s"
    if pulse.account_free_at and (pulse.account_free_at - pulse.now).total_seconds() >= 1:
        yield "limit", f"no call for {duration((pulse.account_free_at - pulse.now).total_seconds())}"
    if pulse.next_at:
        wait = duration((pulse.next_at - pulse.now).total_seconds())
        yield "next try", f"in {wait}, {counted(pulse.waiting, 'batch')} waiting"
    for each in pulse.troubles:
        lately = f", {each.recent:,} in the last minute" if 0 < each.recent < each.calls else ""
        yield "faults", f"{each.kind}: {each.calls:,}{lately}, the last {_ago(pulse, each.last_at)}"


def _doubt(status: Status, pulse: Pulse) -> Iterator[tuple[str, str]]:
    if people := status.people["in_doubt"]:
        whole = counted(status.batches.get("in_doubt", 0), "batch")
        yield "doubt", output.style(f"{people:,} {'person' if people == 1 else 'people'}, {whole} as a whole", fg="red")
    if pulse.again:
        yield "doubt", f"{counted(pulse.again, 'batch')} to be made again with the same key"


def _workers(status: Status, pulse: Pulse) -> Iterator[tuple[str, str]]:
    state = status.send.state
    for each in pulse.workers:
        yield "processes", _worker(each)
    if state == "running" and status.people["open"] and not any(each.alive for each in pulse.workers):
        yield "processes", output.style("none is at work on it", fg="yellow")
    if state in {"paused", "cancelled"} and pulse.turns:
        last = pulse.turns[-1]
        yield "since", f"{_ago(pulse, last.at)}{f', by {last.by}' if last.by else ''}"


def _worker(worker: Worker) -> str:
    name = worker.pid or worker.owner[:8]
    held = counted(worker.batches, "batch")
    if not worker.alive:
        return output.style(f"{name} is gone, with {held} in hand", fg="yellow")
    return f"{name} at work, {held} in hand" if worker.batches else f"{name} waits"


def _turns(pulse: Pulse) -> Iterator[tuple[str, str]]:
    for at, before, after, by, why in pulse.turns:
        step = f"still {after}" if before == after else f"{before} to {after}"
        told = f"{_ago(pulse, at)}: {step}{f' by {by}' if by else ''}{f': {why}' if why else ''}"
        for line in textwrap.wrap(told, _WIDE - 15, subsequent_indent="  "):
            yield "turns", line


def _rough(seconds: float) -> str:
    """A time whose tenths would only flicker."""
    return f"{seconds:.0f} s" if seconds < 60 else duration(seconds)


def _ago(pulse: Pulse, moment: dt.datetime) -> str:
    return f"{duration(max((pulse.now - moment).total_seconds(), 0.0))} ago"
