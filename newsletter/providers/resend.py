"""Resend: up to 100 messages a call, each rendered here, with an idempotency key that lives for 24 hours.

From Resend's OpenAPI description and documentation as read on 2026-11-22 and 2026-11-25; nothing was tried
against a live account.

* ``x-batch-validation: permissive`` accepts the valid messages of a batch and names the others by index.
* The same ``Idempotency-Key`` with the same body gives the same ids; with another body 409. A key still under way
  is 409, too, with other words.
* Five calls a second for a team (older pages say two); ``ratelimit-*`` and ``retry-after`` say when to go on. The
  quotas of the day and the month are 429 as well, told apart by the error's name.
* ``from`` wants its display name bare: encoded words are answered with 451, quotes and commas with 422; elsewhere
  encoded words are taken and quotes are not (django-anymail 15.2, read 2026-11-25). What may not stand bare is left
  out.
* A batch takes no attachments and no ``scheduled_at``; webhooks don't say which of several recipients is meant, so
  there is one ``to`` a message. ``Message-ID`` is Resend's own. Tags hold ASCII letters, digits, ``_`` and ``-``.
* 40 MB a call is the limit of one message as documented; taken for the whole call, which is unverified.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from itertools import chain, repeat
from json.encoder import encode_basestring
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from newsletter import mime
from newsletter.model import Slot
from newsletter.providers import answers, calls, resend_answers
from newsletter.providers.base import Answer, Capabilities, Payload, at_once
from newsletter.providers.http import Http, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx

    from newsletter.config import Account
    from newsletter.model import Mailbox, Template
    from newsletter.providers.base import Letter, Message, Sought, Suppressed, Turn
    from newsletter.providers.messages import Messages

NAME = "resend"
BATCH_MAX = 100
BATCH_BYTES = 40 * 1000 * 1000
PER_SECOND = 5.0
KEY_LIFETIME = dt.timedelta(hours=24)

_KEY_MARGIN = dt.timedelta(minutes=15)
"""Taken off the key's life: clocks differ, and the request itself takes its time."""

_NOT_BARE = re.compile(r'[",;:<>@()\[\]\\]')
_PAGE = 100
_Frame = tuple["bytes | Slot", ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A letter as JSON, cut at its values: written once, joined for each person."""

    before: bytes
    frame: _Frame = field(repr=False)
    """From the address to the unsubscribe link."""
    slots: tuple[Slot, ...]
    mailto: str
    tag: str
    digest: bytes


class Resend:
    """One team's account, known by the host: a key tells nothing that may be shown."""

    def __init__(self, account: Account, key: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = Http(
            account.base_url,
            timeout=account.timeout,
            headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
            hidden=(key,),
            transport=transport,
        )
        self._sheet = calls.Kept(compose)
        self.capabilities = capabilities(
            real=not account.local, per_second=account.per_second, keyring=_fingerprint(key)
        )
        self.account = f"the key's team at {self._http.host}"

    def shares(self, letter: Letter, message: Message) -> bool:
        """Any message may stand beside others."""
        del letter, message
        return True

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """One JSON list, or as many groups as its bytes ask for."""
        return payload(self._sheet(letter), letter, messages, batch)

    def submit(self, payload: Payload, key: str) -> Answer:
        """Post the list under its key."""
        call: calls.Call = payload.body
        headers = {"idempotency-key": key, "x-batch-validation": "permissive"}
        request = Request("POST", "/emails/batch", headers, call.request.body)
        response = self._http.call(request)
        return answers.understood(response, "Resend", lambda each: resend_answers.accepted(each, call.people))

    def find(self, sought: Sought) -> Answer | None:
        """Nothing can be searched for; within 24 hours the key settles every doubt."""
        del sought
        return None

    def suppressions(self, turn: Turn = at_once) -> Iterator[Suppressed]:
        """Everybody on the account's list, page by page; a private beta that not every account has."""
        query: dict[str, str | int] = {"limit": _PAGE}

        def ask() -> tuple[list[Suppressed], str]:
            response = self._http.call(Request("GET", f"/suppressions?{urlencode(query)}"))
            return answers.understood(response, "Resend", resend_answers.suppressed)

        while True:
            found, last = turn(ask)
            yield from found
            if not last or last == query.get("after"):
                return
            query["after"] = last

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _fingerprint(key: str) -> str:
    """Tells API keys apart, and nothing of them: Resend keeps idempotency keys for each team, and a key has one."""
    return hmac.new(key.encode(), b"newsletter: whose idempotency keys", hashlib.sha256).hexdigest()[:8]


def capabilities(*, real: bool = True, per_second: float | None = None, keyring: str = "") -> Capabilities:
    """What Resend can do."""
    return Capabilities(
        name=NAME,
        real=real,
        batch_max=BATCH_MAX,
        batch_bytes=BATCH_BYTES,
        personalisation="joined",
        idempotent=True,
        key_lifetime=KEY_LIFETIME - _KEY_MARGIN,
        keyring=keyring,
        per_second=per_second or PER_SECOND,
        settling="key",
        rate_signal="429 with retry-after; ratelimit-remaining and ratelimit-reset on every answer",
        suppressions=True,
    )


# -- messages to request --------------------------------------------------------------


def compose(letter: Letter) -> Sheet:
    """Everything that is the same for all people of a send, as JSON."""
    before = f'{{"from":{_json(_bare_sender(letter.sender))},"to":['
    headers = [f'"List-Id":{_json(mime.list_id(letter.list_name, letter.sender))}']
    if letter.feedback_id:
        headers.append(f'"Feedback-ID":{_json(mime.feedback_id(letter.tag, letter.feedback_id))}')
    reply = f'"reply_to":{_json(mime.unquoted_value(letter.reply_to))},' if letter.reply_to else ""
    after = f',{reply}"headers":{{{",".join(headers)},"List-Unsubscribe":'
    mailto = mime.mailto(letter.unsubscribe_email)
    tag = mime.plain(letter.tag)
    digest = hashlib.sha256(repr((before, after, letter.subject, letter.html, letter.text, mailto, tag)).encode())
    frame: _Frame = (
        b'],"subject":"',
        *_cut(letter.subject),
        b'","html":"',
        *_cut(letter.html),
        b'","text":"',
        *_cut(letter.text),
        f'"{after}'.encode(),
    )
    return Sheet(
        before=before.encode(),
        frame=frame,
        slots=tuple(dict.fromkeys(part for part in frame if isinstance(part, Slot))),
        mailto=mailto,
        tag=tag,
        digest=digest.digest(),
    )


def payload(sheet: Sheet, letter: Letter, messages: Sequence[Message], batch: str) -> Payload:
    """The call for these messages, or how they must be split.

    The hash covers the letter once and then every person's own bytes, which together are the body.
    """
    found, failed = calls.addressed(messages)
    fit = calls.fit(letter.subject, found, failed)
    if not fit:
        return calls.empty(failed)
    ends = _ends(sheet, fit, batch)
    to = [_json(where).encode() for where in fit.where]
    rows = _rows(sheet, to, fit.values, ends)
    people = tuple(fit.people)
    sizes = [sum(map(len, row)) for row in rows]
    groups = _by_bytes(people, sizes)
    if len(groups) > 1:
        return calls.apart(groups, failed)
    digest = hashlib.sha256(sheet.digest)
    for message, where, end in zip(fit, to, ends, strict=True):
        digest.update(repr((message.values, (where, end))).encode())
    body = [b"[", *rows[0][1:], *chain.from_iterable(rows[1:]), b"]"]
    call = calls.Call(Request("POST", "/emails/batch", {}, body), people)
    return Payload(digest.hexdigest(), call, len(people), sum(sizes) - len(rows), tuple(failed))


def _rows(
    sheet: Sheet, to: Sequence[bytes], values: Sequence[list[str]], ends: Sequence[bytes]
) -> list[tuple[bytes, ...]]:
    """Everybody's message in pieces, after a comma; made column by column, as one piece stands in many messages."""
    written = calls.written(sheet.slots, values)
    bare = {slot: list(map(str.encode, column)) for slot, column in zip(sheet.slots, written, strict=True)}
    frame = [repeat(part) if isinstance(part, bytes) else bare[part] for part in sheet.frame]
    return list(zip(repeat(b","), repeat(sheet.before), to, *frame, ends))


def _by_bytes(people: Sequence[int], sizes: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    room = 0
    for person, size in zip(people, sizes, strict=True):
        if size > room:
            groups.append([])
            room = BATCH_BYTES - 2
        groups[-1].append(person)
        room -= size
    return groups


def _ends(sheet: Sheet, fit: Messages, batch: str) -> list[bytes]:
    """What one person's message says besides the letter: the end of its headers, and the tags."""
    tag = '{{"name":"{}","value":"{}"}}'.format
    issue = tag("issue", sheet.tag)
    last = f",{tag('batch', mime.plain(batch))}" if batch else ""
    ends: list[bytes] = []
    for person, link in zip(fit.people, fit.unsubscribe, strict=True):
        listed = _json(mime.list_unsubscribe(link, sheet.mailto))
        post = f',"List-Unsubscribe-Post":{_json(mime.ONE_CLICK)}' if link.startswith("https://") else ""
        ends.append(f'{listed}{post}}},"tags":[{issue},{tag("recipient", person)}{last}]}}'.encode())
    return ends


def _bare_sender(sender: Mailbox) -> str:
    name = " ".join(_NOT_BARE.sub(" ", sender.name).split())
    where = mime.address(sender.address)
    return f"{name} <{where}>" if name else where


def _cut(template: Template) -> _Frame:
    """The template with its static text as the inside of a JSON string."""
    return tuple(part if isinstance(part, Slot) else _json(part)[1:-1].encode() for part in template)


def _json(text: str) -> str:
    return encode_basestring(text)
