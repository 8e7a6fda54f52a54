"""``newsletter plan``: the honest dry run."""

from __future__ import annotations

import click

from newsletter.cli import output, sending, telling, wiring
from newsletter.cli.app import Call, command
from newsletter.model import Severity


@command()
@click.argument("issue", required=False)
def plan(call: Call, issue: str | None) -> None:
    """Show what a send would do, from every subscriber's own values; writes nothing.

    ISSUE is a folder or its slug; the newest issue without it. `send --plan ID` carries out exactly
    this plan, and refuses when content or audience have changed since.

    \b
    Examples:
      newsletter plan
      newsletter plan 2026-11-20-the-tide-tables --json
    """
    config = call.config()
    provider = wiring.provider(config)
    edition = wiring.edition(config, wiring.issue_folder(config, issue), keep=False)
    with sending.opened(config) as database:
        made = sending.plan(config, database, provider, edition)
        errors = sum(f.severity is Severity.ERROR for f in wiring.findings(config, edition, database))
        before = sending.find_edition(config, database, edition)
    if call.json:
        state = before.state if before else None
        output.emit(made.data() | {"errors": errors, "already": state})
        return
    telling.show_plan(made)
    if before:
        output.note(f"\nThis issue has a send already ({before.state}): newsletter status {made.slug}")
    elif errors:
        output.note(f"\n{errors} findings would block this send: newsletter check {made.slug}")
    elif not made.recipients:
        output.note("\nThere is nobody to send to: newsletter subscribers import people.csv")
    else:
        output.hint(f"\nNext: newsletter send {made.slug} --plan {made.id}")
