"""``newsletter plan``: the honest dry run."""

from __future__ import annotations

import click

from newsletter.cli import approving, output, scheduling, sending, telling, wiring
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
    folder = wiring.issue_folder(config, issue)
    edition = wiring.edition(config, folder, keep=False)
    approval = approving.standing(config, folder, edition, whenever=True)
    with sending.opened(config) as database:
        if database is not None:
            sending.tell_if_restored(database)
        made = sending.plan(config, database, provider, edition)
        errors = sum(f.severity is Severity.ERROR for f in wiring.findings(config, edition, database))
        before = sending.find_edition(config, database, edition)
    lacking = sending.lacking(config)
    if call.json:
        state = before.state if before else None
        lacks = {name: problem.message for name, problem in lacking.items()}
        about: dict[str, object] = {
            "errors": errors,
            "lacks": lacks,
            "already": state,
            "approval": approving.data(config, approval),
        }
        begins = before.scheduled_at.isoformat() if before and before.scheduled_at else None
        output.emit(made.data() | about | {"begins_at": begins})
        return
    telling.show_plan(made)
    if lacking:
        output.say(f"  lacks       {', '.join(lacking)}")
    if words := approving.sentence(config, approval):
        output.say(f"  approval    {words}")
    if before and before.state == "planned":
        output.note(f"\nThis issue is planned: it begins {scheduling.when(before)}.")
    elif before:
        output.note(f"\nThis issue has a send already ({before.state}): newsletter status {made.slug}")
    elif lacking:
        hints = "\n".join(f"    {problem.hint}" for problem in lacking.values())
        output.note(f"\nThis send would be refused.\nNext:\n{hints}")
    elif errors:
        found = "1 finding" if errors == 1 else f"{errors} findings"
        output.note(f"\n{found} would block this send: newsletter check {made.slug}")
    elif approving.holds(config, approval):
        output.note(f"\nThis send needs an approval: newsletter approve {made.slug}")
    elif not made.recipients:
        output.note("\nThere is nobody to send to: newsletter subscribers import people.csv")
    else:
        output.hint(f"\nNext: newsletter send {made.slug} --plan {made.id}")
