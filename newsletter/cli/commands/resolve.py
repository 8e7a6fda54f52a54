"""``newsletter resolve``: messages in doubt, what is known of them, and the operator's word."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from newsletter.cli import doubting, doubtlines, output, sending
from newsletter.cli.app import Call, command
from newsletter.errors import Blocked, WrongUsage

if TYPE_CHECKING:
    from newsletter.cli.doubting import Case
    from newsletter.delivery.resolve import Doubt, Word


@command()
@click.argument("issue", required=False)
@click.option("--assume", type=click.Choice(["sent", "unsent"]), help="Your word: they got it, or they did not.")
@click.option("--batch", "numbers", type=int, multiple=True, metavar="N", help="Of this batch; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Of all batches in doubt.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def resolve(
    call: Call, issue: str | None, assume: str | None, numbers: tuple[int, ...], *, everything: bool, yes: bool
) -> int:
    """Settle messages in doubt: those whose call was made, and whose answer was lost.

    Without --assume it asks the provider, where that can be searched, and lists what stays in doubt with all that is
    known. With --assume it takes your word for it. Nothing else ever ends a doubt: `send` never sends such a message
    again by itself. The exit code is 3 while something is in doubt.

    \b
    Examples:
      newsletter resolve
      newsletter resolve 2026-11-20-the-tide-tables --assume sent --batch 7
      newsletter resolve --assume unsent --all
    """
    if assume is None and (numbers or everything or yes):
        message = "--batch, --all and --yes go with --assume sent or --assume unsent"
        raise WrongUsage(message, hint="Look first, without them: newsletter resolve")
    if assume is not None and bool(numbers) == everything:
        message = f"--assume {assume} needs to know of which: --batch N, or --all"
        raise WrongUsage(message, hint="See what is in doubt: newsletter resolve")
    config = call.config()
    with sending.found(config, issue) as (database, made):
        case = doubting.open_case(config, database, made)
        if assume is not None:
            chosen = _chosen(case, numbers)
            if chosen and not yes:
                people = sum(each.people for each in chosen)
                doubtlines.explain_word(case, assume, people)
                look, declined = f"newsletter resolve {made.slug}", "nothing was changed"
                output.confirm_number(people, "people in doubt", look=look, declined=declined)
            case = doubting.take_word(case, chosen, cast("Word", assume))
        doubtlines.show(call, case)
        return 3 if case.people else 0


def _chosen(case: Case, numbers: tuple[int, ...]) -> tuple[Doubt, ...]:
    """The doubts of these batches, or all; ``Blocked`` when one of them is not in doubt."""
    if not numbers:
        return case.doubts
    known = {each.number for each in case.doubts} | set(case.found)
    if unknown := sorted(set(numbers) - known):
        message = f"{case.made.slug}: batch {', '.join(map(str, unknown))}: not in doubt"
        raise Blocked(message, hint=f"See which are: newsletter resolve {case.made.slug}. Nothing was changed.")
    return tuple(each for each in case.doubts if each.number in numbers)
