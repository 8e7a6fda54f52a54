"""What the dialects leave on disk, so that a server started again knows all that the last one accepted.

::

    .newsletter/outbox/
        mailgun~<tag>/ resend~<tag>/    the mails, in the outbox's own layout
        .events/mailgun.jsonl           accepted events, one a recipient
        .events/resend.jsonl            accepted messages with their tags
        .events/resend-keys.jsonl       idempotency keys and the answers they stand for
        suppressions.json               people whom the providers shall call suppressed; yours to write
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter.files import display, make_folder, writing
from newsletter.providers import spool
from newsletter.providers.dialects.base import Reply, parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from newsletter.providers.dialects.base import Outcome

RECORD = ".events"
SUPPRESSIONS = "suppressions.json"
KEY_LIFE = dt.timedelta(hours=24)
_KEYS = "resend-keys"
_STATUSES = ("unsubscribed", "bounced", "complained")


class BadFile(Exception):
    """The operator's own file cannot be read; says where and why."""


@dataclass(frozen=True, slots=True)
class Known:
    """An idempotency key: the body it came with, when, and the answer."""

    sha: str
    at: dt.datetime
    reply: Reply


class Keep:
    """The files below ``root``; safe to use from several threads of one process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._keys: dict[str, Known] | None = None

    def store(self, dialect: str, outcome: Outcome) -> None:
        """Write an outcome's mails, then its events; raises ``Unwritable``."""
        if outcome.mails:
            folder = self.root / outcome.folder
            files = [spool.File(mail.name, mail.to, mail.subject, mail.data) for mail in outcome.mails]
            with writing(folder), spool.part(folder, outcome.key) as aside:
                spool.fill(aside, outcome.key, files)
                spool.publish(aside, folder, outcome.key, files)
        self._append(dialect, outcome.events)

    def events(self, dialect: str) -> Iterator[bytes]:
        """The lines of a record, oldest first."""
        try:
            with self._record(dialect).open("rb") as file:
                yield from file
        except FileNotFoundError:
            return

    # -- idempotency keys -------------------------------------------------------------

    def known(self, key: str) -> Known | None:
        """What a key stands for, also when its life is over."""
        with self._lock:
            if self._keys is None:
                self._keys = dict(self._read_keys())
            return self._keys.get(key)

    def remember(self, key: str, known: Known) -> None:
        """Keep a key's answer, here and on disk."""
        line = {
            "key": key,
            "sha": known.sha,
            "at": known.at.isoformat(),
            "status": known.reply.status,
            "body": known.reply.body.decode(),
            "headers": list(known.reply.headers),
        }
        self._append(_KEYS, [line])
        with self._lock:
            if self._keys is not None:
                self._keys[key] = known

    def _read_keys(self) -> Iterator[tuple[str, Known]]:
        for line in self.events(_KEYS):
            if (given := parsed(line)) is None:
                continue
            headers = tuple((name, value) for name, value in given["headers"])
            reply = Reply(given["status"], given["body"].encode(), headers)
            yield given["key"], Known(given["sha"], dt.datetime.fromisoformat(given["at"]), reply)

    # -- people -----------------------------------------------------------------------

    def suppressed(self) -> list[Mapping[str, str]]:
        """The people in ``suppressions.json``, which the operator writes; raises ``BadFile``."""
        path = self.root / SUPPRESSIONS
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            message = f"{display(path)}: cannot be read as JSON: {error}"
            raise BadFile(message) from error
        if not isinstance(found, list):
            message = f'{display(path)}: a list of people is expected: [{{"address": …, "status": …}}]'
            raise BadFile(message)
        return [_person(each, f"{display(path)}: entry {number}") for number, each in enumerate(found, 1)]

    def _record(self, name: str) -> Path:
        return self.root / RECORD / f"{name}.jsonl"

    def _append(self, name: str, lines: Iterable[Mapping[str, object]]) -> None:
        """Add whole lines in one write; after the half line of a killed server, on a line of their own."""
        raw = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
        if not raw:
            return
        path = self._record(name)
        make_folder(path.parent)
        with self._lock, writing(path), path.open("a+b", buffering=0) as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                raw = raw if file.read(1) == b"\n" else b"\n" + raw
            left = memoryview(raw)
            while left:
                left = left[file.write(left) :]


def _person(given: object, where: str) -> dict[str, str]:
    if not isinstance(given, dict) or not isinstance(given.get("address"), str) or "@" not in given["address"]:
        message = f"{where}: it needs an “address”"
        raise BadFile(message)
    if given.get("status") not in _STATUSES:
        message = f"{where}: its “status” must be {', '.join(_STATUSES[:-1])} or {_STATUSES[-1]}"
        raise BadFile(message)
    at = given.get("at", "2026-01-01T00:00:00+00:00")
    try:
        moment = dt.datetime.fromisoformat(at)
    except (TypeError, ValueError):
        message = f"{where}: its “at” must be a date and time such as 2026-11-23T08:00:00Z"
        raise BadFile(message) from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    reason = given.get("reason", "")
    return {
        "address": given["address"],
        "status": given["status"],
        "at": aware.isoformat(),
        "reason": reason if isinstance(reason, str) else "",
    }


def body_hash(path: str, body: bytes) -> str:
    """What two calls with one key must have in common."""
    return hashlib.sha256(path.encode() + b"\0" + body).hexdigest()
