"""``newsletter subscribers import``: people who agreed, or people who must never be mailed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli import audience, output
from newsletter.cli.app import Call, command
from newsletter.errors import WrongUsage
from newsletter.files import display

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.audience.columns import Wishes
    from newsletter.audience.importing import Outcome

_SUPPRESSED = click.Choice(["unsubscribed", "bounced", "complained"])


@command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--apply", "applied", is_flag=True, help="Write it; without this only the plan is shown.")
@click.option("--consent-source", metavar="TEXT", help="Where these people agreed to get mail; kept as evidence.")
@click.option("--map", "maps", multiple=True, metavar="COLUMN=TARGET", help="What a column is; see above.")
@click.option("--ignore", "ignored", multiple=True, metavar="COLUMN", help="Pass over a column.")
@click.option("--suppress", type=_SUPPRESSED, help="A list of people who must never be mailed, and why.")
@click.option("--skip-bad", "skip", type=click.Path(path_type=Path), metavar="FILE", help="Put refused rows there.")
def import_people(  # noqa: PLR0913 - every option is a parameter
    call: Call,
    file: Path,
    maps: tuple[str, ...],
    ignored: tuple[str, ...],
    skip: Path | None,
    consent_source: str | None,
    suppress: str | None,
    *,
    applied: bool,
) -> int:
    """Import people from a CSV file: first the plan, then --apply.

    The file is UTF-8, cut by commas, semicolons or tabs, with a heading line. One column holds the
    address, every other becomes a field: “First name” is {{ first_name }} in an issue. Each address
    counts once. A blank cell takes the value away; columns that are not in the file stay as they are.

    People who unsubscribed, bounced or complained are never brought back. A column that seems to say
    so, such as “status” or “opt-out”, must be mapped or ignored.

    With --suppress it is a list of people who must never be mailed: a CSV of which only the addresses
    count, or one address to a line without a heading. It needs no consent. Who is not on the list yet
    comes onto it with that status; a graver status stays.

    A bad row refuses the whole file; with --skip-bad FILE the refused rows go there, each after the
    reason, to be mended and imported.

    \b
    Targets of --map:
      COLUMN=email         this column holds the address
      COLUMN=status        active, unsubscribed, bounced or complained, also as other tools spell it
      COLUMN=unsubscribed  yes, no or a date; likewise =bounced, =complained, and =active for consent
      COLUMN=field_name    another name for the field

    \b
    Examples:
      newsletter subscribers import people.csv
      newsletter subscribers import people.csv --apply --consent-source "sign-up form on example.org"
      newsletter subscribers import people.csv --map "Opted out=unsubscribed" --ignore Notes
      newsletter subscribers import left.txt --suppress unsubscribed --apply
    """
    from newsletter.audience.columns import Wishes

    wishes = Wishes(audience.mapped_columns(maps), frozenset(ignored))
    if suppress is not None:
        return _suppress(call, file, wishes, skip, suppress, applied=applied, consent=consent_source)
    from newsletter.audience.importing import Order, run

    if applied and consent_source is None:
        hint = 'Say where these people agreed, for example: --consent-source "sign-up form on example.org"'
        raise WrongUsage("--apply needs --consent-source TEXT", hint=hint)
    consent = None if consent_source is None else audience.text_option("--consent-source", consent_source)
    order = Order(file, wishes, consent if applied else None, skip, audience.secret(call))
    with audience.opened(call) as database, _reading(file) as advance:
        outcome = run(database, order, advance=advance)
    if call.json:
        output.emit(audience.outcome_json(outcome, order))
    else:
        audience.show_outcome(outcome, order, consent)
    return _refused(outcome, skip)


def _suppress(
    call: Call,
    file: Path,
    wishes: Wishes,
    skip: Path | None,
    status: str,
    *,
    applied: bool,
    consent: str | None,
) -> int:
    from newsletter.audience.suppressing import Order, run
    from newsletter.cli import suppressing

    if consent is not None:
        raise WrongUsage("--suppress takes no --consent-source: nobody on such a list is mailed")
    suppressing.check_targets(wishes)
    order = Order(file, status, wishes, applied, skip, audience.secret(call))
    with audience.opened(call) as database, _reading(file) as advance:
        outcome = run(database, order, advance=advance)
    if call.json:
        output.emit(suppressing.outcome_json(outcome, order))
    else:
        suppressing.show_outcome(outcome, order)
    return _refused(outcome, skip)


def _refused(outcome: Outcome, skip: Path | None) -> int:
    """The exit code for what was left out; raises where a refused row refuses all."""
    if not outcome.plan.refused:
        return 0
    if skip is None:
        raise outcome.plan.refusal_error()
    where = "were left out; they are in" if outcome.applied else "would be left out and put into"
    output.warn(f"{outcome.plan.refused:,} refused rows {where} {display(skip)}")
    return 1


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[output.Advance]:
    """A bar in kilobytes."""
    size = file.stat().st_size if file.is_file() else 0
    read = 0
    with output.progress(size // 1000, f"Reading {file.name}", unit="kB") as advance:

        def count(n: int, /) -> None:
            nonlocal read
            advance((read + n) // 1000 - read // 1000)
            read += n

        yield count
