"""Sends that are planned: read from the command line, shown, confirmed, and begun when their time has come."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from newsletter import moments
from newsletter.cli import approving, output, sending, staging, standing, telling, watching, wiring
from newsletter.errors import Blocked, NewsletterError, WrongUsage
from newsletter.store.clock import utcnow

if TYPE_CHECKING:
    from newsletter.cli.app import Call
    from newsletter.cli.sending import Errand
    from newsletter.config import Config
    from newsletter.delivery.freeze import Frozen
    from newsletter.delivery.ledger import Send
    from newsletter.delivery.schedule import Step
    from newsletter.delivery.terms import Terms
    from newsletter.model import Edition
    from newsletter.moments import Moment
    from newsletter.providers.base import Provider
    from newsletter.store.database import Database


# -- what is typed --------------------------------------------------------------------


def typed(text: str, config: Config, *, ask: bool) -> Moment:
    """The time that ``--at`` names; where the clock shows it twice, whoever is there to be asked says which."""
    try:
        made = moments.moment(text, config.timezone)
    except moments.Twice as twice:
        if not (ask and sys.stdin.isatty()):
            raise
        made = _which(twice)
    return made if made.zone else made._replace(zone=str(config.timezone))


def _which(twice: moments.Twice) -> Moment:
    import click

    output.note(twice.message[:1].upper() + twice.message[1:] + ".")
    for number, each in enumerate(twice.both, 1):
        output.note(f"  {number}  {each.local}, {each.utc}")
    choice = click.prompt("Which is meant?", type=click.Choice(["1", "2"]), err=True)
    return twice.both[int(choice) - 1]


def when(made: Send) -> str:
    """When a planned send begins: on its own clock, in UTC, and how far ahead."""
    if made.scheduled_at is None:
        return ""
    at = moments.Moment(made.scheduled_at, made.terms.zone)
    return f"{at.local}, {at.utc}, {moments.until(utcnow(), at.at)}"


# -- planning -------------------------------------------------------------------------


def plan(
    errand: Errand, before: Send | None, at: Moment | None, terms: Terms, plan_id: str | None, *, ask: bool
) -> Send:
    """Check, show, ask, and plan the send; or plan ``before`` anew, after saying what would change.

    Without a time it is planned for now.
    """
    from newsletter.delivery import schedule

    config, edition, now = errand.config, errand.edition, utcnow()
    again = before is not None and not schedule.unbegun(before)
    if at is None:
        now = now.replace(microsecond=0)
        at = moments.Moment(now, terms.zone)
    wish = sending.wish(config, errand.provider, edition, _kind(before, again=again), terms)
    changed = [] if before is None or again else _changes(errand.database, before, at, wish.frozen, terms)
    if before is not None and not again and before.state == "planned" and not changed:
        return before
    if at.at < now and at.at != (before.scheduled_at if before else None):
        raise moments.past(at, now)
    sending.refuse_findings(edition.slug, wiring.findings(config, edition, errand.database))
    shown = sending.plan(config, errand.database, errand.provider, edition)
    if plan_id and shown.id != plan_id:
        message = f"the plan {plan_id} does not hold any more; now it is {shown.id}"
        raise Blocked(message, hint="Content or audience have changed: look at `newsletter plan` again.")
    if not errand.call.json:
        telling.show_plan(shown)
        staging.show(terms, shown.audience)
        output.say(f"  begins      {at.local}")
        output.say(f"              {at.utc}, {moments.until(now, at.at)}")
        for line in changed:
            output.say(f"  anew        {line}")
    sending.tell_what_a_trial_lacks(config)
    if not shown.recipients:
        raise Blocked("there is nobody to send to", hint="Import people with `newsletter subscribers import`.")
    if ask:
        output.note("The content is frozen now; who gets it is whoever is active when it begins.")
        output.confirm_number(shown.recipients, "recipients")
    step = schedule.plan(errand.database, wish, at.at, now, before)
    if not step.mine:
        message = f"{edition.slug} was planned or begun by another process meanwhile: it is {step.send.state}"
        raise Blocked(message, hint=f"See how it stands: newsletter status {edition.slug}")
    return step.send


def _kind(before: Send | None, *, again: bool) -> str:
    if before is None:
        return "issue"
    return "again" if again else before.kind


def _changes(database: Database, before: Send, at: Moment, now: Frozen, terms: Terms) -> list[str]:
    """What planning a send anew changes of it."""
    from newsletter.delivery import freeze, start

    found: list[str] = []
    if before.scheduled_at and before.scheduled_at != at.at:
        found.append(f"it would have begun {moments.wall(before.scheduled_at, before.terms.zone)}")
    if replace(before.terms, zone=terms.zone) != terms:
        found += [f"before, {each}" for each in staging.said(before.terms)] or ["it had no stages"]
    if freeze.sha(now) != before.content_sha:
        with database.read() as connection:
            old = start.content_of(connection, before.content_sha)
        found.append(f"its content: {', '.join(freeze.changes(old, now)) or 'in other words'}")
    return found


def left(call: Call, database: Database, made: Send) -> int:
    """A planned send is left to others, and shown."""
    if call.json:
        output.emit(standing.data(*watching.look(database, made.id)))
        return 0
    output.say(f"{output.style(made.slug, bold=True)} is planned: it begins {when(made)}.")
    output.hint(f"\n{standing.how_planned(made)}")
    return 0


def plan_again(call: Call, database: Database, made: Send) -> int:
    """Take up a send that was cancelled before its time: it is planned again."""
    from newsletter.delivery import control, ledger

    if made.state == "planned":
        raise Blocked(
            f"{made.slug} is not held: it is planned, and begins {when(made)}", hint=standing.how_planned(made)
        )
    with database.write() as connection:
        control.resume(connection, made.id, utcnow(), by=sending.operator())
        made = ledger.get(connection, made.id)
    return left(call, database, made)


# -- beginning ------------------------------------------------------------------------


def begin(call: Call, config: Config, database: Database, provider: Provider, made: Send, *, late: bool) -> Step:
    """Let a planned send begin, if all holds that must; ``Blocked`` and the like leave it planned."""
    from newsletter.delivery import freeze, schedule, start

    with database.read() as connection:
        frozen = start.content_of(connection, made.content_sha)
    folder = wiring.folder_of(config, made.issue_id)
    if folder is None:
        if not config.trial:
            hint = f"Put it back, or call the send off: newsletter cancel {made.slug}"
            raise Blocked(
                f"{made.slug}: the folder of this issue is gone, and its approval and record with it", hint=hint
            )
    else:
        edition = _edition(config, made)
        same = edition is not None and freeze.sha(freeze.of_edition(edition, config)) == made.content_sha
        approving.before_start(config, folder, made, edition if same else None)
        if not same:
            output.note(f"{made.slug}: the issue has changed since it was planned; what was frozen then is sent.")
    sending.fit(config, database, folder or config.root, frozen.pictures)
    if not late:
        _ask_if_late(call, config, made)
    wish = start.Wish(
        made.issue_id,
        made.slug,
        made.kind,
        frozen,
        provider.capabilities,
        provider.account,
        config.sending.batch,
        sending.operator(),
        made.terms,
    )
    return schedule.begin(database, made, wish, utcnow())


def _edition(config: Config, made: Send) -> Edition | None:
    """The issue as it is now; ``None`` when it cannot be read any more."""
    folder = wiring.folder_of(config, made.issue_id)
    try:
        return wiring.edition(config, folder) if folder else None
    except NewsletterError:
        return None


def _ask_if_late(call: Call, config: Config, made: Send) -> None:
    now = utcnow()
    if made.scheduled_at is None or now - made.scheduled_at <= config.sending.late:
        return
    by = moments.length((now - made.scheduled_at).total_seconds())
    message = f"{made.slug} is late by {by}: it was to begin {when(made)}"
    if not call.json and sys.stdin.isatty():
        import click

        output.warn(message)
        if click.confirm("Begin it now?", default=False, err=True):
            return
        message = f"{made.slug} was not begun; it is still planned"
    hint = (
        f"To begin it all the same: newsletter send {made.slug} --late\n"
        f'For another time: newsletter send {made.slug} --at "…". To call it off: newsletter cancel {made.slug}'
    )
    raise Blocked(message, hint=hint)


def refuse_begun(made: Send, at: Moment | None, terms: Terms) -> None:
    """Raise ``WrongUsage`` when a send that has begun is given another time or other stages than it began with."""
    look = f"See how it stands: newsletter status {made.slug}"
    if at is not None and made.scheduled_at != at.at:
        raise WrongUsage(f"{made.slug} has begun already, so --at comes too late for it", hint=look)
    if terms.staged and (terms.cut(made.recipients).shares, terms.wait) != (made.terms.shares, made.terms.wait):
        began = ", ".join(made.terms.shares) or "none"
        raise WrongUsage(f"{made.slug} has begun already, with these stages: {began}", hint=look)
