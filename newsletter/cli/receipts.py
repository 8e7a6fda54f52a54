"""How a receipt is shown: a person, their consent and history, and each copy with its hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from newsletter.cli import output
from newsletter.cli.audience import person_json
from newsletter.store import clock

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from newsletter.audience.history import Happened
    from newsletter.audience.people import Person
    from newsletter.config import Config
    from newsletter.delivery.receipt import Receipt

_OUTCOMES = {
    "accepted": "accepted",
    "refused": "refused",
    "failed": "could not be made",
    "skipped": "left out",
    "cancelled": "cancelled before it was tried",
    "in_doubt": "in doubt: it may have arrived or not",
    "open": "open: not settled yet",
}


class Story(NamedTuple):
    """A person, and what became of them."""

    person: Person
    events: tuple[Happened, ...]

    @property
    def consent(self) -> Mapping[str, Any] | None:
        """The file in which their consent came, as its import recorded it."""
        return next((each.record for each in self.events if each.what == "consent" and each.record), None)


def story(connection: Connection, person: Person) -> Story:
    """What the list knows of a person."""
    from newsletter.audience.history import history

    return Story(person, history(connection, person.id))


# -- for people -----------------------------------------------------------------------


def show(config: Config, story: Story, found: Sequence[Receipt]) -> None:
    """Everything on a page; times in the newsletter's own zone."""
    _person(config, story)
    if not found:
        output.say("\nNo mail.")
        return
    for each in found:
        output.say()
        _copy(config, each)
    output.hint("\nThe first three hashes are made again now, with today's public_url and secret for its links.")
    output.hint(f"The mail itself: newsletter receipt {story.person.address} --issue {found[0].send.slug} --show")


def _person(config: Config, story: Story) -> None:
    person = story.person
    why = f": {person.status_reason}" if person.status_reason else ""
    output.say(output.style(person.address, bold=True))
    _line("status", f"{person.status} since {_when(config, clock.parse(person.status_at))}{why}")
    given = f", {_when(config, clock.parse(person.consent_at))}" if person.consent_at else ""  # a leaver gave none
    _line("consent", f"{person.consent_source}{given}" if person.consent_source else "none is recorded")
    if story.consent:
        _line("", _file(story.consent))
    for index, each in enumerate(story.events):
        detail = f"imported from {each.record.get('file')}" if each.record else each.detail
        told = f"{_when(config, clock.parse(each.at))}  {each.what}{f': {detail}' if detail else ''}"
        _line("" if index else "history", told)


def _file(record: Mapping[str, Any]) -> str:
    return f"from {record.get('file')} ({record.get('rows')} rows, sha256 {record.get('sha256')})"


def _copy(config: Config, each: Receipt) -> None:
    made = each.send
    reason = f": {each.reason}" if each.reason and each.outcome != "accepted" else ""
    subject = f"  “{each.made.subject}”" if each.made else ""
    output.say(f"{output.style(made.slug, bold=True)}{subject}")
    trial = "" if made.realm == "real" else ", a trial" if made.provider != "outbox" else ", which keeps it here"
    _line("outcome", f"{_OUTCOMES[each.outcome]}{reason}")
    _line("through", f"{made.provider} ({made.account}){trial}")
    _line("to", each.to)
    if each.tried_at:
        tries = "" if each.attempts == 1 else f", {each.attempts} attempts"
        _line("tried", f"{_when(config, each.tried_at)}{tries}")
    if each.settled_at:
        _line("settled", _when(config, each.settled_at))
    if each.provider_id:
        _line("its id", each.provider_id)
    for index, (name, sha) in enumerate(_hashes(each).items()):
        _line("" if index else "sha256", f"{name:<9}{sha}")


def _line(label: str, text: str) -> None:
    output.say(f"  {label:<9}{text}".rstrip())


def _when(config: Config, moment: dt.datetime) -> str:
    return f"{moment.astimezone(config.timezone):%Y-%m-%d %H:%M:%S %Z}"


def _hashes(each: Receipt) -> dict[str, str]:
    made = each.made.hashes() if each.made else {}
    whole = {"content": each.send.content_sha} | ({"call": each.payload_sha} if each.payload_sha else {})
    return made | whole


# -- for scripts ----------------------------------------------------------------------


def data(story: Story, found: Sequence[Receipt], shown: Receipt | None) -> dict[str, Any]:
    """The same for scripts; with ``shown`` that mail itself is in it."""
    events = [{"at": each.at, "what": each.what, "detail": each.detail, "import": each.record} for each in story.events]
    told: dict[str, Any] = {"person": person_json(story.person), "consent_import": story.consent, "history": events}
    told["mails"] = [_mail(each) for each in found]
    if shown is not None and shown.made is not None:
        told["eml"] = {"send": shown.send.id, "message": shown.made.message.decode("ascii")}
    return told


def _mail(each: Receipt) -> dict[str, Any]:
    made = each.send
    return {
        "send": made.id,
        "issue": made.issue_id,
        "slug": made.slug,
        "kind": made.kind,
        "realm": made.realm,
        "provider": made.provider,
        "account": made.account,
        "subject": each.made.subject if each.made else None,
        "to": each.to,
        "outcome": each.outcome,
        "reason": each.reason or None,
        "tried_at": clock.stamp(each.tried_at) if each.tried_at else None,
        "settled_at": clock.stamp(each.settled_at) if each.settled_at else None,
        "attempts": each.attempts,
        "provider_id": each.provider_id or None,
        "sha256": _hashes(each),
    }
