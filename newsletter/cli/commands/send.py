"""``newsletter send``: plan, confirm, send; the same command again goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from newsletter import moments
from newsletter.cli import approving, output, recording, scheduling, sending, staging, telling, waiting, wiring
from newsletter.cli.app import Call, command
from newsletter.errors import Blocked, WrongUsage
from newsletter.store.clock import utcnow

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.cli.sending import Errand
    from newsletter.config import Config
    from newsletter.delivery.ledger import Send
    from newsletter.delivery.terms import Terms
    from newsletter.moments import Moment


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options, as they were typed."""

    yes: bool
    plan_id: str | None
    again: bool
    at: str | None
    due: bool
    stages: str | None
    wait: str | None
    no_wait: bool
    late: bool
    record: Path | None


@command()
@click.argument("issue", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--plan", "plan_id", metavar="ID", help="Send only if this is still the plan.")
@click.option("--again", is_flag=True, help="Repeat a finished trial in the outbox.")
@click.option("--at", metavar="TIME", help='Plan it for a time: "2026-12-01 08:00 Europe/Berlin", or now.')
@click.option("--stages", metavar="SHARES", help="Send in stages: 1%,10%,100% of the people.")
@click.option("--wait", metavar="TIME", help="Between two stages: 30m, 2h, 1d. [30m]")
@click.option("--no-wait", is_flag=True, help="Wait neither for the time nor between stages: leave it to --due.")
@click.option("--due", is_flag=True, help="Begin every planned send whose time has come; for cron.")
@click.option("--late", is_flag=True, help="Begin even what is late by more than `send.late`.")
@recording.option
def send(call: Call, issue: str | None, **asked: Any) -> int:
    """Send an issue to every subscriber once; run it again to go on.

    ISSUE is a folder or its slug; the newest issue without it. It may be stopped or killed at any
    moment: the same command goes on where it was. A finished issue is not sent again.

    With --at the content is frozen now, and goes to whoever is active at that time; again with another
    time, it is planned anew, and keeps its stages unless others are named. This process waits for it, or,
    with --no-wait, `newsletter send --due` begins it.

    With --stages a few people get it first. Between two stages the send stops by itself when too many
    were refused, bounced or complained; `newsletter resume` goes on.

    \b
    Examples:
      newsletter send
      newsletter send 2026-11-20-the-tide-tables --yes
      newsletter send --at "2026-12-01 08:00 Europe/Berlin" --no-wait
      newsletter send --stages 1%,10%,100% --wait 2h
      newsletter send --due
    """
    how = _Asked(**asked)
    if how.due:
        return _due(call, issue, how)
    config = call.config()
    at = _checked(config, how)
    clock = at.zone if at else str(config.timezone) if how.at else ""
    terms = staging.terms(config, clock, how.stages, how.wait)
    provider = wiring.provider(config)
    folder = wiring.issue_folder(config, issue)
    edition = wiring.edition(config, folder)
    with recording.recorded(provider, how.record) as recorded, sending.opened(config) as database:
        if database is None:
            raise _nobody()
        from newsletter.delivery import schedule

        errand = sending.Errand(call, config, database, recorded, edition)
        made = sending.find_edition(config, database, edition)
        unbegun = made is not None and schedule.unbegun(made)
        if made is not None and unbegun:
            terms = staging.kept(config, terms, made.terms)
        new = made is None or (how.again and not unbegun and made.state in {"done", "cancelled"})
        if new or (unbegun and how.at):
            approving.before_send(
                config, folder, edition, at.at if at else None
            )  # asks nobody elsewhere: it comes first
            sending.fit(config, database, folder, edition.pictures)
            if how.at:
                made = scheduling.plan(errand, made, at, terms, how.plan_id, ask=not how.yes)
                return _planned(errand, made, how)
            return _carry_out(errand, _begin(errand, made, terms, how), how)
        assert made is not None  # noqa: S101 - for mypy
        return _planned(errand, made, how) if unbegun else _begun(errand, made, at, terms, how)


def _checked(config: Config, how: _Asked) -> Moment | None:
    """The planned time, if one is named but ``now``; ``WrongUsage`` for options that do not go together."""
    if how.again and not config.trial:
        raise WrongUsage("--again repeats a trial on this machine; a real send happens once")
    if how.at is None or how.at.strip().lower() == moments.NOW:
        return None
    return scheduling.typed(how.at, config, ask=not how.yes)


def _due(call: Call, issue: str | None, how: _Asked) -> int:
    from newsletter.cli import due

    others = ("plan_id", "again", "at", "stages", "wait")
    if issue is not None or any(getattr(how, name) for name in others):
        hint = "Leave the rest out, or --due."
        raise WrongUsage("--due begins every send whose time has come, as each was planned", hint=hint)
    return due.run(call, how.record, late=how.late)


def _nobody() -> Blocked:
    return Blocked("there is nobody to send to", hint="Import people with `newsletter subscribers import people.csv`.")


def _begin(errand: Errand, before: Send | None, terms: Terms, how: _Asked) -> Send:
    """Check, plan, ask, and make the send."""
    from newsletter.delivery import start

    config, edition = errand.config, errand.edition
    sending.refuse_findings(edition.slug, wiring.findings(config, edition, errand.database))
    plan = sending.plan(config, errand.database, errand.provider, edition)
    if not errand.call.json:
        with output.unheard():
            telling.show_plan(plan)
        staging.show(terms, plan.audience)
    sending.tell_what_a_trial_lacks(config)
    if how.plan_id and plan.id != how.plan_id:
        message = f"the plan {how.plan_id} does not hold any more; now it is {plan.id}"
        raise Blocked(message, hint="Content or audience have changed: look at `newsletter plan` again.")
    if not plan.recipients:
        raise _nobody()
    if not how.yes:
        output.confirm_number(plan.recipients, "recipients")
    wish = sending.wish(config, errand.provider, edition, "again" if before else "issue", terms)
    only = how.plan_id if how.yes else plan.id
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


def _planned(errand: Errand, made: Send, how: _Asked) -> int:
    """A send that has not begun: leave it, wait for it, or let it begin."""
    call, config, database = errand.call, errand.config, errand.database
    if how.stages is not None and not how.at:
        raise WrongUsage(f"{made.slug} is planned already", hint="To change its stages, plan it anew with --at.")
    if how.at and not how.no_wait:
        made = waiting.until_due(call, database, made)
    elif made.state == "planned" and made.scheduled_at and made.scheduled_at > utcnow():
        return scheduling.left(call, database, made)
    if made.state == "planned":
        made = scheduling.begin(call, config, database, errand.provider, made, late=how.late).send
    if made.state == "planned":
        raise Blocked(f"{made.slug} was planned anew meanwhile: it begins {scheduling.when(made)}")
    return _carry_out(errand, made, how)


def _begun(errand: Errand, made: Send, at: Moment | None, terms: Terms, how: _Asked) -> int:
    """A send that an earlier call, or another process, began."""
    from newsletter.delivery.freeze import of_edition

    scheduling.refuse_begun(made, at, terms)
    if made.state != "done":
        folder = wiring.folder_of(errand.config, made.issue_id) or errand.config.root
        sending.fit(errand.config, errand.database, folder, errand.edition.pictures)
    if how.plan_id and how.plan_id != made.plan_id:
        message = f"{made.slug} is being sent by the plan {made.plan_id}, not {how.plan_id}"
        raise Blocked(message)
    _refuse_held(made)
    if made.state != "done":
        sending.refuse_changed(errand.database, made, of_edition(errand.edition, errand.config))
    return _carry_out(errand, made, how)


def _refuse_held(made: Send) -> None:
    if made.state == "cancelled" or made.paused_by == "operator":
        state = "was cancelled" if made.state == "cancelled" else "is paused"
        why = f": {made.why}" if made.why else ""
        raise Blocked(f"{made.slug} {state}{why}", hint=f"To go on: newsletter resume {made.slug}")


def _carry_out(errand: Errand, made: Send, how: _Asked) -> int:
    """Work on a send that has begun, with what was frozen for it."""
    from newsletter.delivery import control

    if made.state == "done":
        return _already(errand, made)
    _refuse_held(made)
    made = sending.bound(errand.database, made, errand.provider)
    if made.state == "paused":
        with errand.database.write() as connection:
            control.take_up(connection, made.id, utcnow(), by=sending.operator())
    wait = not how.no_wait
    return sending.carry_out(errand.call, errand.config, errand.database, made, errand.provider, wait=wait)
