"""What happens between two stages of a send: the provider is asked who must not be mailed, and people are told."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from newsletter import moments
from newsletter.cli import output
from newsletter.errors import NewsletterError, WrongUsage

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from newsletter.cli.app import Call
    from newsletter.config import Config
    from newsletter.delivery.desk import Between, Tools
    from newsletter.delivery.ledger import Send
    from newsletter.delivery.terms import Terms
    from newsletter.providers.base import Provider
    from newsletter.store.database import Database

_WAIT = "30m"
"""Between two stages, where nothing else is said."""


def terms(config: Config, zone: str, stages: str | None, wait: str | None) -> Terms:
    """The terms of a send as they were typed; ``WrongUsage`` says what is wrong with them."""
    from newsletter.delivery.terms import Brake, Terms, shares

    if stages is None:
        if wait is not None:
            raise WrongUsage("--wait is the time between two stages", hint="Say which with --stages 1%,10%,100%.")
        return Terms(zone)
    try:
        found = shares(stages)
    except ValueError as error:
        hint = "Write what part of the people each stage reaches, all of them at the end: --stages 1%,10%,100%"
        raise WrongUsage(f"--stages {stages}: {error}", hint=hint) from None
    try:
        seconds = int(moments.wait(_WAIT if wait is None else wait).total_seconds())
    except ValueError as error:
        raise WrongUsage(f"--wait {wait}: {error}", hint="Write 30m, 2h or 1d.") from None
    return Terms(zone, found, seconds, Brake(*config.brakes))


def kept(config: Config, asked: Terms, before: Terms) -> Terms:
    """The terms of a send that is planned anew, or begun: where no stages are asked for, it keeps those it has."""
    from newsletter.delivery.terms import Brake

    if asked.staged or not before.staged:
        return asked
    return replace(before, zone=asked.zone, brake=Brake(*config.brakes))


def show(asked: Terms, people: int) -> None:
    """The stages in the plan that is confirmed."""
    if not asked.staged:
        return
    cut = asked.cut(people)
    stages = ", then ".join(f"{share} ({size:,})" for share, size in zip(cut.shares, cut.sizes(), strict=True))
    output.say(f"  stages      {stages}{_apart(cut)}")
    output.say(f"  brake       {_limits(asked)}")


def said(terms: Terms) -> Iterator[str]:
    """The stages of a send that has not begun, and their brake; nothing for one that has none."""
    if terms.staged:
        yield f"stages {', then '.join(terms.shares)}{_apart(terms)}"
        yield f"brake {_limits(terms)}"


def _apart(terms: Terms) -> str:
    if len(terms.shares) == 1:
        return ""
    return f"; {moments.length(terms.wait)} between them" if terms.wait else "; one right after the other"


def _limits(terms: Terms) -> str:
    brake = terms.brake
    return f"{brake.refused}% refused, {brake.bounced}% bounced, {brake.complained}% complained"


def between(
    call: Call, config: Config, database: Database, made: Send, provider: Provider, tools: Tools, *, wait: bool
) -> Between:
    """The tools for the pauses of this send."""
    from newsletter.delivery.desk import Between

    return Between(
        refresh=partial(_refresh, config, database, provider, tools),
        tell=partial(_tell, call, config, made),
        wait=wait,
    )


def _refresh(config: Config, database: Database, provider: Provider, tools: Tools) -> None:
    """Take over whom the provider does not mail any more; where it cannot be asked now, all stays as last pulled."""
    from newsletter.audience import suppressing as applying
    from newsletter.cli import suppressing
    from newsletter.cli.asking import Patient
    from newsletter.config import secret

    if not provider.capabilities.suppressions:
        return
    told = suppressing.told(provider, Patient(database, provider, tools), bar=False)
    try:
        applying.pull(database, told, provider.capabilities.name, apply=True, secret=lambda: secret(config.root))
    except NewsletterError as error:
        output.warn(f"{str(error).splitlines()[0]}; bounces and complaints are looked at as last pulled")


def _tell(call: Call, config: Config, made: Send, stage: int, at: dt.datetime) -> None:
    from newsletter.store.clock import utcnow

    if call.json:
        return
    size, share = made.terms.sizes()[stage], made.terms.shares[stage]
    when = f"{moments.wall(at, str(config.timezone))}, {moments.until(utcnow(), at)}"
    output.note(f"Stage {stage} of {len(made.terms.shares)} is out. The next ({share}, {size:,} people) begins {when}.")
