"""What the providers can do, in words: for ``newsletter providers``, and for ``docs/providers.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from newsletter.providers.base import Capabilities

_WHO = {
    "substituted": "the provider puts values in; the body goes out once a call",
    "joined": "each message is made here; many go out in one call",
    "single": "each message is made here, and is a call of its own",
}
_SETTLED = {
    "key": "the same call is made again with its key, and is accepted once",
    "search": "its events are searched for the call",
    "operator": "by your word",
}
_RESULTS = {"recipient": "each recipient", "call": "the call as a whole"}

_SHORT_WHO = {"substituted": "there", "joined": "here", "single": "here, one a call"}
_SHORT_SETTLED = {"key": "by its key", "search": "by a search", "operator": "by you"}

SUMMARY = ("provider", "messages a call", "values put in", "keys", "a lost answer is settled", "calls a second")


def summary(can: Capabilities) -> tuple[str, ...]:
    """One line of ``SUMMARY``."""
    return (
        can.name,
        f"{can.batch_max:,}",
        _SHORT_WHO[can.personalisation],
        _life(can.key_lifetime) if can.idempotent else "none",
        _SHORT_SETTLED[can.settling],
        f"{can.per_second:g}" if can.per_second else "not named",
    )


def facts(can: Capabilities) -> tuple[tuple[str, str], ...]:
    """Everything, as pairs of what and how."""
    return (
        ("leaves this machine", "yes" if can.real else "no"),
        ("messages a call", f"{can.batch_max:,}"),
        ("bytes a call", _bytes(can.batch_bytes)),
        ("values", _WHO[can.personalisation]),
        ("how they are written", can.syntax or "–"),
        ("where it puts them in", ", ".join(can.substitutes_in) or "–"),
        ("idempotency keys", f"kept for {_life(can.key_lifetime)}" if can.idempotent else "none"),
        ("an answer speaks of", _RESULTS[can.results]),
        ("a lost answer is settled", _SETTLED[can.settling]),
        ("calls a second", f"{can.per_second:g} at most" if can.per_second else "no limit named"),
        ("calls at a time", f"{can.workers} at most" if can.workers else "no limit named"),
        ("too fast", can.rate_signal or "–"),
        ("headers, tags and variables", _bytes(can.options_bytes)),
        ("Message-ID", "ours" if can.message_id else "its own"),
        ("inline pictures in a batch", "yes" if can.inline_pictures else "no"),
        ("list of people it does not mail", "can be pulled" if can.suppressions else "none"),
    )


def _life(lifetime: dt.timedelta | None) -> str:
    if lifetime is None:
        return "ever"
    hours, minutes = divmod(round(lifetime.total_seconds() / 60), 60)
    return " ".join(part for part in (f"{hours} h" * bool(hours), f"{minutes} min" * bool(minutes)) if part)


def _bytes(count: int | None) -> str:
    if count is None:
        return "no limit named"
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10), ("MB", 10**6), ("kB", 10**3)):
        if count % factor == 0:
            return f"{count // factor} {unit}"
    return f"{count:,} bytes"


def reference(every: Sequence[Capabilities]) -> str:
    """``docs/providers.md``."""
    columns = [dict(facts(can)) for can in every]
    head = " | ".join(f"[{can.name}](providers/{can.name}.md)" for can in every)
    rows = "\n".join(f"| {what} | " + " | ".join(_cell(each[what]) for each in columns) + " |" for what in columns[0])
    return f"""# Providers

<!-- Generated from the providers' capabilities by `make docs`; edit them there. -->

Who sends is one line of `newsletter.yaml`: `provider: resend`. `newsletter providers` shows this table in the
terminal, which provider is configured, and whether its key is set. Each has a page: how to set it up, its limits, and
what a bad answer of its does to a send.

| | {head} |
|---|{"---|" * len(columns)}
{rows}

Whoever puts the values in, every reader gets the same subject, HTML and text. A lost answer is one that never came
or cannot be read: nobody knows whether the call was accepted. What cannot be settled stays *in doubt* and is never sent
again by itself.

A provider is one file: [adding a provider](adding-a-provider.md).
"""


def _cell(text: str) -> str:
    return f"`{text}`" if "%" in text else text
