"""``newsletter suppressions``: list, pull."""

from __future__ import annotations

import threading

import click

from newsletter.cli import audience, output, wiring
from newsletter.cli.app import Call, group
from newsletter.errors import Blocked

_SUPPRESSED = ("unsubscribed", "bounced", "complained")


@group()
def suppressions(call: Call) -> None:
    """List who must not be mailed; ask the provider for more."""
    del call


@suppressions.sub("list")
@click.option("--status", "statuses", type=click.Choice(_SUPPRESSED), multiple=True, help="Only with this status.")
@click.option("--search", metavar="TEXT", default="", help="Only with this text in address, values or reason.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="How many; 0 for all.")
def list_suppressed(call: Call, statuses: tuple[str, ...], search: str, limit: int) -> None:
    """List who must not be mailed, since when and why.

    People who were erased are only counted: nothing else is known of them.

    \b
    Examples:
      newsletter suppressions list --status complained
      newsletter suppressions list --search mailgun --limit 0 --json
    """
    from newsletter.audience import erased, listing

    query = listing.Query(statuses or _SUPPRESSED, search, reasons=True)
    with audience.opened(call) as database, database.read() as connection:
        total = listing.count(connection, query)
        found = listing.people(connection, query, limit=limit or None)
        everyone = listing.by_status(connection)
        counts = {status: everyone[status] for status in _SUPPRESSED} | {"erased": erased.count(connection)}
        if call.json:
            for part in audience.people_json(found, total, {"counts": counts}):
                click.echo(part, nl=False)
            return
        if total:
            audience.show_suppressed(found)
        else:
            output.say("Nobody." if search or statuses else "Nobody must be left out.")
    if limit and total > limit:
        output.note(f"\n{limit:,} of {total:,} shown; --limit 0 shows all.")
    output.hint("\nIn all: " + ", ".join(f"{number:,} {status}" for status, number in counts.items()))


@suppressions.sub()
@click.option("--dry-run", is_flag=True, help="Show what would change; write nothing.")
def pull(call: Call, *, dry_run: bool) -> None:
    """Take over whom the provider does not mail any more.

    Who is not on the list yet comes onto it with that status; a graver status stays, and nobody is
    ever made active. A send that runs meanwhile and this keep the account's rate together.

    \b
    Examples:
      newsletter suppressions pull --dry-run
      newsletter suppressions pull --json
    """
    from newsletter.audience import suppressing as applying
    from newsletter.cli import suppressing, telling
    from newsletter.cli.asking import Patient
    from newsletter.delivery import desk

    provider = wiring.provider(call.config())
    name = provider.capabilities.name
    try:
        if not provider.capabilities.suppressions:
            hint = "Bring a list of your own: newsletter subscribers import FILE --suppress unsubscribed"
            raise Blocked(f"the provider “{name}” keeps no list of whom it does not mail", hint=hint)
        tools = desk.tools(threading.Event(), telling.retries(call, name), telling.held(call))
        with audience.opened(call) as database:
            told = suppressing.told(provider, Patient(database, provider, tools))
            done = applying.pull(database, told, name, apply=not dry_run, secret=audience.secret(call))
    finally:
        provider.close()
    if call.json:
        output.emit(suppressing.pulled_json(done))
    else:
        suppressing.show_pulled(done)
