"""What must hold before mail leaves this machine, and the record that lies beside the issue."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from newsletter.config import FILE, SECRET
from newsletter.errors import BadConfig, BadInput, Blocked, Problem
from newsletter.files import display, write
from newsletter.model import Place
from newsletter.store import clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.delivery.ledger import Send

SENT = "sent.json"
_VERSION = 1


def lacks(config: Config, secret: str) -> dict[str, Problem]:
    """Everything that a real send would still need, by a short name."""
    place = Place(display(config.root / FILE))
    problems = {}
    if not config.public_url.startswith("https://"):
        hint = "Set public_url to the https address where `newsletter serve` answers."
        message = "a real send needs unsubscribe links that work, over https"
        problems["public_url with https"] = Problem(place, message, hint)
    if not config.postal_address:
        hint = "Set postal_address; the law asks for it in commercial mail."
        problems["postal_address"] = Problem(place, "a real send needs a postal address", hint)
    if not secret:
        hint = "Set it in the environment or in .env; `newsletter init` makes one."
        problems[SECRET] = Problem(None, f"{SECRET} is not set, and links cannot be signed without it", hint)
    return problems


def fit_for_real(config: Config, secret: str) -> None:
    """Raise ``BadConfig`` with everything that a real send lacks."""
    if problems := lacks(config, secret):
        raise BadConfig(problems.values())


@dataclass(frozen=True, slots=True)
class Record:
    """What ``sent.json`` says: which ledger sent this issue, and what. No personal data."""

    send: int
    instance: str
    created_at: str
    """A ledger put back from a backup gives its numbers a second time; this tells the sends apart."""


def record_of(folder: Path) -> Record | None:
    """The record beside an issue, or ``None``; ``BadInput`` when it cannot be read."""
    path = folder / SENT
    try:
        read: Any = json.loads(path.read_bytes())
        return Record(int(read["send"]), str(read["instance"]), str(read["created_at"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = "this record of a send cannot be read, so nothing is sent"
        hint = "Take it back from git; it is what keeps a second copy of the workspace from sending again."
        raise BadInput([Problem(Place(display(path)), message, hint)]) from error


def refuse_foreign(folder: Path, instance: str, knows: Callable[[int, str], bool]) -> None:
    """Raise ``Blocked`` when another ledger, or a later state of this one, has sent the issue in ``folder``.

    ``knows`` says whether this ledger has the send of that number and time.
    """
    record = record_of(folder)
    if record is None or (record.instance == instance and knows(record.send, record.created_at)):
        return
    message = (
        f"{display(folder / SENT)}: this issue was sent from another ledger, which knows who got it; this one does not"
    )
    raise Blocked(message, hint="Send from the workspace that began, or bring its .newsletter folder here.")


def write_record(folder: Path, instance: str, made: Send) -> None:
    """Write ``sent.json``, on the disk for sure when this returns; called before the first batch leaves."""
    data = {
        "version": _VERSION,
        "send": made.id,
        "instance": instance,
        "kind": made.kind,
        "provider": made.provider,
        "content": made.content_sha,
        "audience": made.audience_sha,
        "recipients": made.recipients,
        "created_at": clock.stamp(made.created_at),
        "finished_at": clock.stamp(made.finished_at) if made.finished_at else None,
    }
    write(folder / SENT, json.dumps(data, indent=2) + "\n", durable=True)
