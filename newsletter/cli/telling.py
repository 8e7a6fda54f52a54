"""A plan in words, and what else the commands around sending tell."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from newsletter.cli import output
from newsletter.config import OUTBOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.cli.app import Call
    from newsletter.delivery.plan import Plan

_NUMBER = re.compile(r"\d+")


def show_plan(plan: Plan) -> None:
    """A plan for a person."""
    output.say(f"{output.style(plan.slug, bold=True)}  “{plan.subject}”")
    trial = "" if plan.real or plan.provider == OUTBOX else ", a trial"
    output.say(f"  recipients  {plan.recipients:,} {_way(plan.provider)}{trial}")
    for reason, count in plan.left_out:
        output.say(f"  left out    {count:,} {reason}")
    for each in plan.failing:
        output.say(f"              {each.address}: {each.reason}")
    for key, count in plan.by_variant:
        if count:
            output.say(f"  variant     {count:,} get {key}")
    if nobody := [key for key, count in plan.by_variant if not count]:
        output.say(f"              nobody gets {', '.join(nobody)}")
    work = f"{counted(plan.batches, 'batch')}, {counted(plan.calls, 'call')}"
    output.say(f"  work        {work}, about {size(plan.bytes)}")
    fast = "this machine writes" if plan.provider == OUTBOX else f"{provider_name(plan.provider)} takes it"
    rate = f"as fast as {fast}" if plan.seconds is None else f"about {duration(plan.seconds)} at its rate"
    output.say(f"  time        {rate}")
    output.say(f"  plan        {plan.id}")


def retries(call: Call, provider: str) -> Callable[[str, float], None]:
    """Says why a call came to nothing, each reason once, above the bar where there is one; scripts read the end alone.

    What it returns may be called by any thread, with the reason and the seconds until the next try.
    """
    told: set[str] = set()
    lock = threading.Lock()

    def tell(reason: str, seconds: float) -> None:
        kind = _NUMBER.sub("0", reason)  # a time that the provider names makes no new reason
        with lock:
            if not call.json and kind not in told:
                told.add(kind)
                output.note(f"{provider}: {reason}; trying again in {max(seconds, 1):.0f} s")

    return tell


def held(call: Call) -> Callable[[str], None]:
    """Says once that another process holds the database; what it returns may be called by any thread."""
    told = threading.Event()

    def tell(reason: str) -> None:
        if not call.json and not told.is_set():
            told.set()
            output.note(f"{reason}; waiting for it")

    return tell


def provider_name(provider: str) -> str:
    """A provider, for people."""
    return "the outbox" if provider == OUTBOX else provider.title()


def _way(provider: str) -> str:
    return "to the outbox" if provider == OUTBOX else f"by {provider_name(provider)}"


def counted(number: int, word: str) -> str:
    """A number of things."""
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
