"""``newsletter rehearse``."""

from __future__ import annotations

import click

from newsletter.cli import output, rehearsalreport, rehearsing, sending, wiring
from newsletter.cli.app import Call, command
from newsletter.providers.hostile import likes


@command()
@click.argument("issue", required=False)
@click.option(
    "--like",
    type=click.Choice(likes.names()),
    help="Whose limits, calls and answers to rehearse with. Default: the configured provider's.",
)
@click.option(
    "--seed", type=click.IntRange(0), metavar="N", help="Replay the rehearsal that was drawn from this number."
)
@click.option("--faults", default="some", metavar="LIST", help="none, some, many, or faults by name between commas.")
@click.option("--kills", type=click.IntRange(0, 100), default=1, metavar="N", help="How often the process dies.")
@click.option("--keep", is_flag=True, help="Keep the ledger of the rehearsal.")
def rehearse(
    call: Call, issue: str | None, like: str | None, seed: int | None, faults: str, kills: int, *, keep: bool
) -> int:
    """Play a whole send against a provider at which everything goes wrong.

    The real issue, the real subscribers and the real code, on a copy of the ledger: calls are refused, throttled,
    cut off and lost, the process dies, people leave. Then what the ledger says is compared with what the provider
    had accepted. Nothing leaves this machine, nothing is used up, and waits take no time.

    ISSUE is a folder or its slug; the newest issue without it. The exit code is 1 when a rule is broken, else that
    which a send would end with: 3 when messages are in doubt.

    \b
    Examples:
      newsletter rehearse
      newsletter rehearse --like mailgun --faults many --kills 3
      newsletter rehearse 2026-11-20-the-tide-tables --seed 7
      newsletter rehearse --faults timeout-after,throttled
    """
    from newsletter.delivery import summary

    config = call.config()
    cast = rehearsing.cast(config, like or config.provider, faults, seed, kills)
    folder = wiring.issue_folder(config, issue)
    edition = wiring.edition(config, folder, keep=False)
    if not config.database.exists():
        raise rehearsing.nobody()
    with rehearsing.place(config, keep=keep) as place, rehearsing.copied(config, place) as database:
        sending.refuse_findings(edition.slug, wiring.findings(config, edition, database))
        report = rehearsing.rehearse(config, database, edition, cast, place / rehearsing.LEDGER if keep else None)
    if call.json:
        output.emit(report.data())
    else:
        rehearsalreport.tell(report)
    return 1 if report.played.violations else summary.exit_code(report.played.status)
