"""``newsletter receipt``: what one person got, and why they get it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli import output, receipts, sending, wiring
from newsletter.cli.app import Call, command
from newsletter.errors import BadInput, Blocked

if TYPE_CHECKING:
    from newsletter.audience.people import Person
    from newsletter.config import Config
    from newsletter.delivery.receipt import Receipt
    from newsletter.store.database import Database

_GOT = ("accepted", "in_doubt")


@command()
@click.argument("address")
@click.option("--issue", metavar="ISSUE", help="Only this issue: its folder or its slug.")
@click.option("--show", is_flag=True, help="Print the mail itself, as an .eml: the newest, or that of --issue.")
def receipt(call: Call, address: str, issue: str | None, *, show: bool) -> None:
    """Show what one person got: what, when, which bytes, and on what consent.

    Works for people who have left, too. The hashes are made again from what the ledger froze, with the links of
    today's public_url and secret. Of who was erased nothing is left to show.

    \b
    Examples:
      newsletter receipt ada@example.org
      newsletter receipt ada@example.org --issue 2026-11-20-the-tide-tables --show > mail.eml
      newsletter receipt ada@example.org --json
    """
    config = call.config()
    with sending.opened(config) as database:
        if database is None:
            message = f"nobody has the address {address}: there are no subscribers yet"
            raise BadInput(message, hint="Import some with `newsletter subscribers import`.")
        person = _find(database, address)
        found = _receipts(config, database, person.id)
        if issue is not None:
            found = _of_issue(config, found, issue)
        shown = _newest(person, found, issue) if show else None
        with database.read() as connection:
            story = receipts.story(connection, person)
    if call.json:
        output.emit(receipts.data(story, found, shown))
    elif shown is not None and shown.made is not None:
        if shown.outcome == "in_doubt":
            output.note(f"{shown.send.slug}: nobody knows whether this one arrived.")
        click.echo(shown.made.message, nl=False)
    else:
        receipts.show(config, story, found)


def _find(database: Database, address: str) -> Person:
    """The person with this address; ``BadInput`` when nobody has it, or it is none."""
    from newsletter.audience import people

    people.address_of(address)
    try:
        with database.read() as connection:
            return people.find(connection, address)
    except BadInput as error:
        message = f"nobody has the address {address}"
        hint = "Look with: newsletter subscribers list --search TEXT. Who was erased cannot be found any more."
        raise BadInput(message, hint=hint) from error


def _receipts(config: Config, database: Database, person: int) -> list[Receipt]:
    from newsletter.delivery.receipt import Book

    instance = database.instance()
    links = wiring.links(config, instance)
    with database.read() as connection:
        return Book(connection, links, instance).of(person)


def _of_issue(config: Config, found: list[Receipt], name: str) -> list[Receipt]:
    """Those of one issue, named as it was called when it was sent, or as its folder is called now."""
    slug = Path(name).name
    if named := [each for each in found if each.send.slug == slug]:
        return named
    issue_id = wiring.issue(config, wiring.issue_folder(config, name), keep=False).id
    return [each for each in found if each.send.issue_id == issue_id]


def _newest(person: Person, found: list[Receipt], issue: str | None) -> Receipt:
    for each in found:
        if each.outcome in _GOT and each.made is not None:
            return each
    what = "nothing yet" if issue is None else f"nothing of {Path(issue).name}"
    raise Blocked(f"{person.address} got {what}", hint=f"See how it went: newsletter receipt {person.address}")
