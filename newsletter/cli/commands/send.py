"""``newsletter send``: plan, confirm, send; the same command again goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli import approving, output, recording, sending, telling, wiring
from newsletter.cli.app import Call, command
from newsletter.errors import Blocked, WrongUsage

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.cli.sending import Errand
    from newsletter.delivery.ledger import Send


@command()
@click.argument("issue", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", "plan_id", metavar="ID", help="Send only if this is still the plan.")
@click.option("--again", is_flag=True, help="Repeat a finished trial in the outbox.")
@recording.option
def send(call: Call, issue: str | None, plan_id: str | None, record: Path | None, *, yes: bool, again: bool) -> int:
    """Send an issue to every subscriber once; run it again to go on.

    ISSUE is a folder or its slug; the newest issue without it. It may be stopped or killed at any
    moment: the same command goes on where it was. A finished issue is not sent again.

    \b
    Examples:
      newsletter send
      newsletter send 2026-11-20-the-tide-tables --yes
    """
    config = call.config()
    if again and not config.trial:
        message = "--again repeats a trial on this machine; a real send happens once"
        raise WrongUsage(message)
    provider = wiring.provider(config)
    folder = wiring.issue_folder(config, issue)
    edition = wiring.edition(config, folder)
    with recording.recorded(provider, record) as recorded, sending.opened(config) as database:
        if database is None:
            raise _nobody()
        errand = sending.Errand(call, config, database, recorded, edition)
        made = sending.find_edition(config, database, edition)
        if made is None or (again and made.state in {"done", "cancelled"}):
            approving.before_send(config, folder, edition)  # asks nobody elsewhere, so it comes first
        if made is None or made.state != "done" or again:
            sending.fit(config, database, folder, edition.pictures)
        if made is None or (again and made.state in {"done", "cancelled"}):
            made = _begin(errand, made, plan_id, ask=not yes)
        elif plan_id and plan_id != made.plan_id:
            message = f"{made.slug} is being sent by the plan {made.plan_id}, not {plan_id}"
            raise Blocked(message)
        return _already(errand, made) if made.state == "done" else _go_on(errand, made)


def _nobody() -> Blocked:
    return Blocked("there is nobody to send to", hint="Import people with `newsletter subscribers import people.csv`.")


def _begin(errand: Errand, before: Send | None, plan_id: str | None, *, ask: bool) -> Send:
    """Check, plan, ask, and make the send."""
    from newsletter.delivery import start
    from newsletter.store.clock import utcnow

    config, edition = errand.config, errand.edition
    sending.refuse_findings(edition.slug, wiring.findings(config, edition, errand.database))
    plan = sending.plan(config, errand.database, errand.provider, edition)
    if not errand.call.json:
        telling.show_plan(plan)
    sending.tell_what_a_trial_lacks(config)
    if plan_id and plan.id != plan_id:
        message = f"the plan {plan_id} does not hold any more; now it is {plan.id}"
        raise Blocked(message, hint="Content or audience have changed: look at `newsletter plan` again.")
    if not plan.recipients:
        raise _nobody()
    if ask:
        output.confirm_number(plan.recipients, "recipients")
    wish = sending.wish(config, errand.provider, edition, "again" if before else "issue")
    only = plan.id if ask else plan_id
    return start.create(errand.database, wish, utcnow(), after=before.id if before else None, plan_id=only)


def _already(errand: Errand, made: Send) -> int:
    """A finished issue mails nobody."""
    from newsletter.delivery import summary

    with errand.database.read() as connection:
        status = summary.status(connection, made.id)
    if errand.call.json:
        output.emit(status.data())
        return 0
    finished = (made.finished_at or made.created_at).astimezone(errand.config.timezone)
    count = status.people["accepted"]
    output.say(f"{made.slug} was sent already: to {count:,} recipients, on {finished:%Y-%m-%d at %H:%M %Z}.")
    output.say("Nobody was mailed now.")
    if made.realm == "outbox":
        output.hint(f"\nTo repeat this trial: newsletter send {made.slug} --again")
    return 0


def _go_on(errand: Errand, made: Send) -> int:
    """Work on a send that this or an earlier call made."""
    from newsletter.delivery import control
    from newsletter.delivery.freeze import of_edition
    from newsletter.store.clock import utcnow

    if made.state == "cancelled" or made.paused_by == "operator":
        state = "was cancelled" if made.state == "cancelled" else "is paused"
        message = f"{made.slug} {state}"
        raise Blocked(message, hint=f"To go on: newsletter resume {made.slug}")
    sending.refuse_changed(errand.database, made, of_edition(errand.edition, errand.config))
    made = sending.bound(errand.database, made, errand.provider)
    if made.state == "paused":
        with errand.database.write() as connection:
            control.take_up(connection, made.id, utcnow())
    return sending.carry_out(errand.call, errand.config, errand.database, made, errand.provider)
