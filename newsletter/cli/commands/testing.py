"""``newsletter test``: real copies to testers, past the ledger."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

import click

from newsletter.cli import output, recording, sending, testcopies, wiring
from newsletter.cli.app import Call, command
from newsletter.personal import CannotRender, join

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from newsletter.cli.testcopies import Wanted
    from newsletter.delivery.testers import Copied
    from newsletter.providers.base import NotSent, Provider, Unknown

_WORDS = {
    "accepted": "accepted",
    "refused": "refused",
    "failed": "cannot be made",
    "in_doubt": "in doubt",
    "not_sent": "not sent",
}
_COLOURS = {"accepted": "green", "in_doubt": "yellow"}


@command()
@click.argument("issue", required=False)
@click.option("--to", "to", multiple=True, metavar="ADDRESS", help="Who gets a copy; may be repeated. [testers]")
@click.option("--as", "reader", metavar="ADDRESS", help="This subscriber's copy, with their values and links.")
@recording.option
def test(call: Call, issue: str | None, to: tuple[str, ...], reader: str | None, record: Path | None) -> int:
    """Send test copies of an issue through the configured provider.

    ISSUE is a folder or its slug; the newest issue without it. A copy is what a reader gets, to the byte,
    with [Test] before its subject. It stands in no ledger: the issue can still be sent, once. What the
    pre-flight finds is shown, and blocks nothing.

    Exit code 3 when a copy may have arrived or not, 1 when the provider refused one.

    \b
    Examples:
      newsletter test --to ada@example.org
      newsletter test 2026-11-20-the-tide-tables --to ada@example.org --as reader@example.org
    """
    config = call.config()
    people = testcopies.testers(config, to)
    provider = wiring.provider(config)
    try:
        edition = wiring.edition(config, wiring.issue_folder(config, issue))
        with sending.opened(config) as database, recording.recorded(provider, record) as recorded:
            wish = testcopies.wanted(config, edition, database, reader)
            return _send(call, wish, testcopies.careful(recorded, database), people)
    finally:
        provider.close()


class _Done(NamedTuple):
    """What became of the copies, and what ended the work early."""

    subject: str
    copies: Sequence[Copied]
    stopped: NotSent | Unknown | None


def _send(call: Call, wish: Wanted, provider: Provider, people: Sequence[str]) -> int:
    """Make the copies, send them, and tell what became of each."""
    notes = list(testcopies.notes(wish))
    if not call.json:
        for note in notes:
            output.note(note)
    try:
        done = _deliver(wish, provider, people)
    except CannotRender as error:
        raise testcopies.cannot_go_out(wish.edition, error) from error
    if call.json:
        output.emit(_data(wish, provider, done) | {"notes": notes})
    else:
        _show(wish, provider, done)
    if done.stopped is not None:
        raise testcopies.ours(provider.capabilities.name, done.stopped) from done.stopped
    return 0 if all(each.outcome == "accepted" for each in done.copies) else 1


def _deliver(wish: Wanted, provider: Provider, people: Sequence[str]) -> _Done:
    from newsletter.delivery import testers
    from newsletter.store.clock import utcnow

    message = testcopies.message(wish)
    letter = testers.letter(wish.frozen, wish.variant, wish.edition.slug, utcnow())
    token = secrets.token_hex(8)
    ids = provider.capabilities.message_id
    made = testers.addressed(message, people, letter.sender.address, token, ids=ids)
    copies, stopped = testers.deliver(provider, letter, made, lambda: secrets.token_hex(12), f"test-{token}")
    return _Done(join(letter.subject, message.values), copies, stopped)


def _show(wish: Wanted, provider: Provider, done: _Done) -> None:
    output.say(f"{output.style(wish.edition.slug, bold=True)}  “{done.subject}”")
    for each in done.copies:
        word = output.style(f"{_WORDS[each.outcome]:<14}", fg=_COLOURS.get(each.outcome, "red"))
        output.say(f"  {word}{each.to}{f': {each.reason}' if each.reason else ''}")
    if done.stopped is None:
        name = provider.capabilities.name
        output.hint("\nNext: newsletter outbox" if wish.config.trial else f"\nLook at them where {name} delivers them.")


def _data(wish: Wanted, provider: Provider, done: _Done) -> dict[str, object]:
    return {
        "issue": wish.edition.issue_id,
        "slug": wish.edition.slug,
        "subject": done.subject,
        "provider": provider.capabilities.name,
        "account": provider.account,
        "trial": wish.config.trial,
        "as": wish.reader.address if wish.reader else None,
        "variant": wish.variant,
        "copies": [
            {"address": each.to, "outcome": each.outcome, "reason": each.reason, "id": each.id} for each in done.copies
        ],
    }
