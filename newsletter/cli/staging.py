"""What happens between two stages of a send: the provider is asked who must not be mailed, and people are told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from newsletter import moments
from newsletter.cli import output
from newsletter.errors import NewsletterError, WrongUsage

if TYPE_CHECKING:
    import datetime as dt

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


def show(asked: Terms, people: int) -> None:
    """The stages in the plan that is confirmed."""
    if not asked.staged:
        return
    cut = asked.cut(people)
    parts = [f"{share} ({size:,})" for share, size in zip(cut.shares, cut.sizes(), strict=True)]
    output.say(f"  stages      {', then '.join(parts)}; {moments.length(asked.wait)} between them")
    brake = asked.brake
    output.say(f"  brake       {brake.refused}% refused, {brake.bounced}% bounced, {brake.complained}% complained")


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
