"""Going on with an older copy of the database: what it cannot know, and what a person may say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from newsletter.cli import output
from newsletter.errors import BadInput
from newsletter.store import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from newsletter.config import Config
    from newsletter.delivery.restored import Unfinished
    from newsletter.store.database import Database
    from newsletter.store.mark import Seen


class Case(NamedTuple):
    """A database that may be an older copy, and the sends that it holds open."""

    seen: Seen
    why: str
    unfinished: tuple[Unfinished, ...]
    unknown: tuple[str, ...]
    """Issues with a record of a real send that this database does not have."""

    @property
    def missing(self) -> int | None:
        """How many events of the ledger the copy lacks; ``None`` where nobody can tell."""
        there, here = self.seen.there, self.seen.here.position
        known = self.seen.standing.value == "older" and there is not None and there.position.epoch == here.epoch
        return there.position.event - here.event if there and known else None


def case(config: Config, database: Database) -> Case:
    """How this database stands."""
    from newsletter.delivery import restored
    from newsletter.store import mark

    seen = mark.look(database)
    with database.read() as connection:
        unfinished = restored.unfinished(connection)
        unknown = tuple(_unknown(config, connection, seen.here.instance))
    return Case(seen, mark.why(database, seen.standing), unfinished, unknown)


def _unknown(config: Config, connection: Connection, instance: str) -> Iterator[str]:
    from newsletter.delivery import guard, ledger

    for path in sorted((config.root / config.issues).glob(f"*/{guard.SENT}")):
        try:
            record = guard.record_of(path.parent)
        except BadInput:  # `send` names it, and refuses
            continue
        if record and not (record.instance == instance and ledger.exists(connection, record.send, record.created_at)):
            yield path.parent.name


def adopt(database: Database, found: Case, word: str) -> int:
    """Go on with this copy by the person's word; how many batches are in doubt now.

    The database comes before its mark: a death in between leaves a ledger that is ahead, and nothing to decide.
    """
    from newsletter.delivery import restored
    from newsletter.store import epochs, mark

    there, now = found.seen.there, clock.utcnow()
    with database.write() as connection:
        doubtful = restored.settle(connection, now, doubt=word == "doubt")
        epochs.begin(connection, there.position.epoch if there else 0, now, word)
    mark.set_to(database)
    return doubtful


_CHOICES = """
To go on, say one of the two:
  newsletter db adopt --doubt
    The people above are in doubt: nobody is mailed twice, and each batch waits
    for your word.
  newsletter db adopt --assume unsent
    You know that nothing left after the copy was made: they are mailed as if
    nothing had happened, a second time if you err."""


def explain(config: Config, found: Case) -> None:
    """What the copy cannot know, and what each choice does."""
    output.say(f"{found.why}.\n")
    here, there = found.seen.here.position, found.seen.there
    output.say(f"  this ledger ends     {_when(config, here.at) or 'before its first mail'}")
    output.say(f"  mail left until      {_when(config, there.position.at if there else '') or 'nobody knows when'}")
    if found.missing is not None:
        output.say(f"  it does not know of  {found.missing:,} events")
    output.say("\nMail that left after this copy was made is unknown to it, and so is whoever")
    output.say("unsubscribed, bounced, complained, was imported or erased since.")
    if found.unknown:
        output.say("\nIssues that were sent without its knowledge; `send` will not send them again:")
        for slug in found.unknown:
            output.say(f"  {slug}")
    if found.unfinished:
        output.say("\nSends that it holds open:")
        for each in found.unfinished:
            output.say(f"  {each.send.slug:<36}{each.people:>10,} people may have got it, or not")
        output.hint(_CHOICES)
    else:
        output.hint("\nIt holds no send open, so nobody will be in doubt. To go on:")
        output.hint("  newsletter db adopt --doubt")
    _losses(pulls=config.real)


def _when(config: Config, at: str) -> str:
    return f"{clock.parse(at).astimezone(config.timezone):%Y-%m-%d %H:%M:%S %Z}" if at else ""


def _losses(*, pulls: bool) -> None:
    output.hint("\nBefore the next send, bring back who left since:")
    if pulls:
        output.hint("  newsletter suppressions pull")
    output.hint("  newsletter subscribers import FILE --suppress unsubscribed")
    output.hint("  newsletter subscribers erase ADDRESS      for everyone you erased since")


def tell_adopted(found: Case, doubtful: int, *, pulls: bool) -> None:
    """What was done."""
    output.say(f"{output.style('Adopted.', fg='green', bold=True)} This ledger is the one to go on with.")
    if doubtful:
        count = f"{doubtful:,} {'batch is' if doubtful == 1 else 'batches are'}"
        output.say(f"{count} in doubt now, and nobody in them is mailed again without your word.")
        for each in found.unfinished:
            output.hint(f"  newsletter status {each.send.slug}")
    _losses(pulls=pulls)


def case_json(found: Case, word: str | None, doubtful: int) -> dict[str, Any]:
    """The case and what became of it, for scripts."""
    here, there = found.seen.here, found.seen.there
    return {
        "standing": found.seen.standing.value,
        "ledger": {"instance": here.instance, **here.position._asdict()},
        "mark": {"instance": there.instance, **there.position._asdict()} if there else None,
        "missing_events": found.missing,
        "unfinished": [
            {"slug": each.send.slug, "send": each.send.id, "people": each.people} for each in found.unfinished
        ],
        "unknown_issues": list(found.unknown),
        "adopted": word,
        "batches_in_doubt": doubtful,
    }
