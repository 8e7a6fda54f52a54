"""A plan and the state of a send in words, for the commands around sending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.cli import output
from newsletter.config import OUTBOX

if TYPE_CHECKING:
    from newsletter.cli.app import Call
    from newsletter.delivery.plan import Plan
    from newsletter.delivery.summary import Status


def show_plan(plan: Plan) -> None:
    """A plan for a person."""
    output.say(f"{output.style(plan.slug, bold=True)}  “{plan.subject}”")
    trial = "" if plan.real or plan.provider == OUTBOX else ", a trial"
    output.say(f"  recipients  {plan.recipients:,} {_way(plan.provider)}{trial}")
    for reason, count in plan.left_out:
        output.say(f"  left out    {count:,} {reason}")
    for each in plan.failing:
        output.say(f"              {each.address}: {each.reason}")
    variants = "" if plan.variants == 1 else f", {plan.variants} variants"
    work = f"{_count(plan.batches, 'batch')}, {_count(plan.calls, 'call')}{variants}"
    output.say(f"  work        {work}, about {size(plan.bytes)}")
    fast = "this machine writes" if plan.provider == OUTBOX else f"{_name(plan.provider)} takes it"
    rate = f"as fast as {fast}" if plan.seconds is None else f"about {duration(plan.seconds)} at its rate"
    output.say(f"  time        {rate}")
    output.say(f"  plan        {plan.id}")


def report(call: Call, status: Status) -> None:
    """How a send stands, as text or JSON."""
    if call.json:
        output.emit(status.data())
        return
    made, people = status.send, status.people
    output.say(f"{output.style(made.slug, bold=True)}  {describe(status)}")
    for outcome, count in people.items():
        if count:
            output.say(f"  {_WORDS[outcome]:<12}{count:>10,}")
    for address, outcome, reason in status.examples:
        output.say(f"  {address}: {_WORDS[outcome]}: {reason}")
    if status.per_second:
        output.say(f"  {'time':<12}{duration(status.seconds):>10}  {status.per_second:,.0f} mails/s")
    output.hint(f"\n{_next(status)}")


_WORDS = {
    "accepted": "accepted",
    "refused": "refused",
    "failed": "failed",
    "skipped": "skipped",
    "cancelled": "cancelled",
    "in_doubt": "in doubt",
    "open": "open",
}


def describe(status: Status) -> str:
    """The state of a send in a sentence."""
    made = status.send
    if made.state == "done":
        return f"done: {status.people['accepted']:,} of {made.recipients:,} accepted by {_name(made.provider)}"
    if made.state == "paused":
        return f"paused{f': {made.why}' if made.why else ''}"
    if made.state == "cancelled":
        return "cancelled"
    if not status.people["open"]:
        return "finished, with messages in doubt"
    return f"{status.settled:,} of {made.recipients:,} settled"


def _name(provider: str) -> str:
    return "the outbox" if provider == OUTBOX else provider.title()


def _way(provider: str) -> str:
    return "to the outbox" if provider == OUTBOX else f"by {_name(provider)}"


def _next(status: Status) -> str:
    made = status.send
    if made.state == "done":
        return "Next: newsletter outbox" if made.realm == "outbox" else f"Next: newsletter status {made.slug}"
    if made.state == "cancelled" or made.paused_by == "operator":
        return f"To go on: newsletter resume {made.slug}"
    if not status.people["open"]:
        return "Messages in doubt may have arrived or not; they are never sent again by themselves."
    return f"To go on: newsletter send {made.slug}"


def _count(number: int, word: str) -> str:
    plural = f"{word}es" if word.endswith("ch") else f"{word}s"
    return f"{number:,} {word if number == 1 else plural}"


def size(count: int) -> str:
    """Bytes for people."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def duration(seconds: float) -> str:
    """A time for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
