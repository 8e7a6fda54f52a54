"""``newsletter subscribers``: list, add, unsubscribe, resubscribe, erase, export, stats; and import."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from newsletter.cli import audience, output
from newsletter.cli.app import Call, group
from newsletter.cli.commands.importing import import_people
from newsletter.errors import Blocked
from newsletter.files import display

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.audience.people import Change

_STATUS = click.Choice(["active", "unsubscribed", "bounced", "complained"])
_ADDRESS = click.argument("address")


@group()
def subscribers(call: Call) -> None:
    """Import, list and export subscribers; take leavers off."""
    del call


subscribers.add_command(import_people)


@subscribers.sub("list")
@click.option("--status", "statuses", type=_STATUS, multiple=True, help="Only people with this status.")
@click.option("--search", metavar="TEXT", default="", help="Only people with this text in their address or values.")
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="How many; 0 for all.")
def list_people(call: Call, statuses: tuple[str, ...], search: str, limit: int) -> None:
    """List people: all, by status, or by a search.

    \b
    Examples:
      newsletter subscribers list --search example.org
      newsletter subscribers list --status unsubscribed --limit 0 --json
    """
    from newsletter.audience.listing import Query, count, people

    query = Query(statuses, search)
    with audience.opened(call) as database, database.read() as connection:
        total = count(connection, query)
        found = people(connection, query, limit=limit or None)
        if call.json:
            for part in audience.people_json(found, total):
                click.echo(part, nl=False)
            return
        if not total:
            output.say("Nobody." if search or statuses else "There is nobody on the list yet.")
            output.hint("\nNext: newsletter subscribers import people.csv")
            return
        audience.show_people(found)
    if limit and total > limit:
        output.note(f"\n{limit:,} of {total:,} shown; --limit 0 shows all.")


@subscribers.sub()
@_ADDRESS
@click.option("--field", "fields", multiple=True, metavar="NAME=VALUE", help="A value for merge fields.")
@click.option("--consent-source", metavar="TEXT", required=True, help="Where this person agreed to get mail.")
def add(call: Call, address: str, fields: tuple[str, ...], consent_source: str) -> None:
    """Add one person, or update the fields of one who is there.

    \b
    Examples:
      newsletter subscribers add ada@example.org --consent-source "asked by e-mail, 23 November"
      newsletter subscribers add ada@example.org --field first_name=Ada --consent-source "sign-up sheet"
    """
    from newsletter.audience import people
    from newsletter.store.clock import utcnow

    given = audience.given_fields(fields)
    source = audience.text_option("--consent-source", consent_source)
    with audience.opened(call) as database, database.write() as connection:
        change = people.add(connection, address, given, source=source, now=utcnow(), secret=audience.secret(call))
    said = "is on the list" if change.before is None else "has new values" if change.changed else "was there already"
    _report(call, change, said)


@subscribers.sub()
@_ADDRESS
@click.option("--reason", metavar="TEXT", default="taken off by hand", show_default=True, help="Why; kept.")
def unsubscribe(call: Call, address: str, reason: str) -> None:
    """Take one person off the list.

    They get nothing more, also from a send that is running, and no import brings them back.

    \b
    Example:
      newsletter subscribers unsubscribe ada@example.org --reason "asked by phone"
    """
    from newsletter.audience import people
    from newsletter.store.clock import utcnow

    why = audience.text_option("--reason", reason)
    with audience.opened(call) as database, database.write() as connection:
        change = people.unsubscribe(connection, address, reason=why, now=utcnow())
    _report(call, change, "is unsubscribed" if change.changed else f"was {change.after.status} already")


@subscribers.sub()
@_ADDRESS
@click.option("--reason", metavar="TEXT", required=True, help="What shows that they want it; kept.")
def resubscribe(call: Call, address: str, reason: str) -> None:
    """Bring back one person who left, bounced or was erased, as they asked.

    Who complained cannot be brought back. Of who was erased nothing is known any more: give them their
    values again with `subscribers add`.

    \b
    Example:
      newsletter subscribers resubscribe ada@example.org --reason "wrote to us on 23 November"
    """
    from newsletter.audience import people
    from newsletter.store.clock import utcnow

    why = audience.text_option("--reason", reason)
    with audience.opened(call) as database, database.write() as connection:
        change = people.resubscribe(connection, address, reason=why, now=utcnow(), secret=audience.secret(call))
    _report(call, change, "is subscribed again" if change.changed else "was subscribed already")


@subscribers.sub()
@_ADDRESS
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(call: Call, address: str, *, yes: bool) -> int:
    """Erase one person for good, as they asked.

    Address, values and history go from the database, its backups, trial mails and caches; what was sent
    still counts. A keyed hash stays, so that no import brings them back: only resubscribe does.

    If it is interrupted, or another process uses the database, run it again to finish.

    \b
    Examples:
      newsletter subscribers erase ada@example.org
      newsletter subscribers erase ada@example.org --yes --json
    """
    from newsletter.audience.erasing import leaver
    from newsletter.cli import erasing

    who = leaver(address, audience.secret(call))
    with audience.opened(call) as database:
        erasing.check(database, who)
        if not yes:
            erasing.confirm(who)
        done = erasing.erase(call.config(), database, who)
    if call.json:
        left = [{"file": file, "advice": advice} for file, advice in done.left]
        output.emit(done._asdict() | {"backups": list(done.backups), "left": left})
    else:
        erasing.show(done)
    return 3 if done.left else 0


def _report(call: Call, change: Change, said: str) -> None:
    if call.json:
        output.emit({"changed": change.changed, **audience.person_json(change.after)})
    else:
        mark = output.style("done", fg="green") if change.changed else output.style("same", fg="yellow")
        output.say(f"{mark}  {change.after.address} {said}")


@subscribers.sub()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--status", "statuses", type=_STATUS, multiple=True, help="Only people with this status.")
@click.option("--raw", is_flag=True, help="Leave cells that a spreadsheet would run as they are.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
def export(call: Call, file: Path | None, statuses: tuple[str, ...], *, raw: bool, overwrite: bool) -> None:
    """Write people as CSV, to FILE or to standard output.

    Address, status and every field. A cell that begins with = + - or @ gets an apostrophe in front, so
    that no spreadsheet runs it; an import takes the apostrophe off again.

    \b
    Examples:
      newsletter subscribers export people.csv
      newsletter subscribers export --status active > people.csv
      newsletter subscribers import people.csv --map status=status
    """
    from newsletter.audience.export import write_csv
    from newsletter.audience.listing import Query, count, people

    query = Query(statuses)
    if file is not None and file.exists() and not overwrite:
        raise Blocked(f"{display(file)} is there already", hint="Name another file, or replace it with --overwrite.")
    with audience.opened(call) as database, database.read() as connection:
        if file is None and call.json:
            for part in audience.people_json(people(connection, query), count(connection, query)):
                click.echo(part, nl=False)
            return
        with _target(file) as target:
            written = write_csv(connection, query, target, raw=raw)
    if file is not None and call.json:
        output.emit({"file": str(file), "people": written})
    elif file is not None:
        output.say(f"{output.style('written', fg='green')}  {display(file)}: {written:,} people")


@contextlib.contextmanager
def _target(file: Path | None) -> Iterator[IO[str]]:
    """FILE or standard output, UTF-8 in any locale."""
    from newsletter.audience.export import new_file

    if file is not None:
        with new_file(file) as target:
            yield target
        return
    stream = io.TextIOWrapper(sys.stdout.buffer, "utf-8", newline="")
    yield stream
    stream.flush()
    stream.detach()


@subscribers.sub()
def stats(call: Call) -> None:
    """Count people by status, and by the fields they have.

    \b
    Example:
      newsletter subscribers stats --json
    """
    from newsletter.audience import listing

    with audience.opened(call) as database, database.read() as connection:
        found = listing.stats(connection)
    if call.json:
        counts = {"people": found.people, "status": dict(found.statuses), "erased": found.erased}
        output.emit(counts | {"fields": dict(found.fields)})
        return
    output.table(("Status", "People"), [*found.statuses.items(), ("all", found.people)])
    if found.erased:
        output.note(f"\nErased, and only counted: {found.erased:,}")
    if found.fields:
        active = found.statuses["active"]
        output.say()
        rows = [(name, number, f"{number / active:.0%}") for name, number in found.fields.items()]
        output.table(("Field", "Active people", "of them"), rows)
