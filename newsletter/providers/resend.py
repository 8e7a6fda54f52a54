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
import re
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from newsletter import mime
from newsletter.model import Slot
from newsletter.personal import CannotRender, escaper
from newsletter.providers import calls, resend_answers
from newsletter.providers.base import Answer, Capabilities, Payload, Verdict
from newsletter.providers.http import Http, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

    from newsletter.config import Account
    from newsletter.model import Mailbox, Template
    from newsletter.providers.base import Letter, Message, Sought, Suppressed

NAME = "resend"
BATCH_MAX = 100
BATCH_BYTES = 40 * 1000 * 1000
PER_SECOND = 5.0
KEY_LIFETIME = dt.timedelta(hours=24)

_KEY_MARGIN = dt.timedelta(minutes=15)
"""Taken off the key's life: clocks differ, and the request itself takes its time."""

_NOT_BARE = re.compile(r'[",;:<>@()\[\]\\]')
_PAGE = 100
_Parts = tuple["bytes | tuple[int, Callable[[str], str]]", ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A letter as JSON, cut at its values: written once, joined for each person."""

    before: bytes
    subject: _Parts = field(repr=False)
    html: _Parts = field(repr=False)
    text: _Parts = field(repr=False)
    after: bytes = field(repr=False)
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
        self.capabilities = capabilities(real=not account.local, per_second=account.per_second)
        self.account = f"the key's team at {self._http.host}"

    def shares(self, letter: Letter, message: Message) -> bool:
        """Any message may stand beside others."""
        del letter, message
        return True

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """One JSON list, or as many groups as its bytes ask for."""
        return payload(self._sheet(letter), messages, batch)

    def submit(self, payload: Payload, key: str) -> Answer:
        """Post the list under its key."""
        call: calls.Call = payload.body
        headers = {"idempotency-key": key, "x-batch-validation": "permissive"}
        request = Request("POST", "/emails/batch", headers, call.request.body)
        return resend_answers.accepted(self._http.call(request), call.people)

    def find(self, sought: Sought) -> Answer | None:
        """Nothing can be searched for; within 24 hours the key settles every doubt."""
        del sought
        return None

    def suppressions(self) -> Iterator[Suppressed]:
        """Everybody on the account's list, page by page; a private beta that not every account has."""
        query: dict[str, str | int] = {"limit": _PAGE}
        while True:
            found, last = resend_answers.suppressed(
                self._http.call(Request("GET", f"/suppressions?{urlencode(query)}"))
            )
            yield from found
            if not last or last == query.get("after"):
                return
            query["after"] = last

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def capabilities(*, real: bool = True, per_second: float | None = None) -> Capabilities:
    """What Resend can do."""
    return Capabilities(
        name=NAME,
        real=real,
        batch_max=BATCH_MAX,
        batch_bytes=BATCH_BYTES,
        personalisation="joined",
        idempotent=True,
        key_lifetime=KEY_LIFETIME - _KEY_MARGIN,
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
    return Sheet(
        before=before.encode(),
        subject=_cut(letter.subject),
        html=_cut(letter.html),
        text=_cut(letter.text),
        after=after.encode(),
        mailto=mailto,
        tag=tag,
        digest=digest.digest(),
    )


def payload(sheet: Sheet, messages: Sequence[Message], batch: str) -> Payload:
    """The call for these messages, or how they must be split.

    The hash covers the letter once and then every person's own bytes, which together are the body.
    """
    found, failed = calls.addressed(messages)
    digest = hashlib.sha256(sheet.digest)
    made: list[tuple[int, list[bytes], int]] = []
    for where, message in found:
        try:
            own = _own(sheet, where, message, batch)
            parts = _message(sheet, message.values, own)
        except CannotRender as error:
            failed.append(Verdict(message.person, str(error)))
            continue
        digest.update(repr((message.values, own)).encode())
        made.append((message.person, parts, sum(map(len, parts))))
    if not made:
        return calls.empty(failed)
    groups = _by_bytes(made)
    if len(groups) > 1:
        return calls.apart(groups, failed)
    body: list[bytes] = [b"["]
    for index, (_, parts, _) in enumerate(made):
        if index:
            body.append(b",")
        body += parts
    body.append(b"]")
    people = tuple(person for person, _, _ in made)
    size = sum(size for _, _, size in made)
    call = calls.Call(Request("POST", "/emails/batch", {}, body), people)
    return Payload(digest.hexdigest(), call, len(people), size, tuple(failed))


def _by_bytes(made: Sequence[tuple[int, list[bytes], int]]) -> list[list[int]]:
    groups: list[list[int]] = []
    room = 0
    for person, _, size in made:
        if size + 1 > room:
            groups.append([])
            room = BATCH_BYTES - 2
        groups[-1].append(person)
        room -= size + 1
    return groups


def _own(sheet: Sheet, where: str, message: Message, batch: str) -> tuple[bytes, bytes]:
    """What one person's message says besides the letter: the address, and the end of its headers with the tags."""
    mime.visible_link(message.unsubscribe)
    listed = _json(mime.list_unsubscribe(message.unsubscribe, sheet.mailto))
    post = f',"List-Unsubscribe-Post":{_json(mime.ONE_CLICK)}' if message.unsubscribe.startswith("https://") else ""
    tags = [("issue", sheet.tag), ("recipient", str(message.person))]
    if batch:
        tags.append(("batch", mime.plain(batch)))
    listing = ",".join(f'{{"name":"{name}","value":"{value}"}}' for name, value in tags)
    return _json(where).encode(), f'{listed}{post}}},"tags":[{listing}]}}'.encode()


def _message(sheet: Sheet, values: Sequence[str], own: tuple[bytes, bytes]) -> list[bytes]:
    to, end = own
    return [
        sheet.before,
        to,
        b'],"subject":"',
        *_fill(sheet.subject, values),
        b'","html":"',
        *_fill(sheet.html, values),
        b'","text":"',
        *_fill(sheet.text, values),
        b'"',
        sheet.after,
        end,
    ]


def _fill(parts: _Parts, values: Sequence[str]) -> Iterator[bytes]:
    for part in parts:
        yield part if isinstance(part, bytes) else _bare(part[1](values[part[0]]))


def _bare_sender(sender: Mailbox) -> str:
    name = " ".join(_NOT_BARE.sub(" ", sender.name).split())
    where = mime.address(sender.address)
    return f"{name} <{where}>" if name else where


def _cut(template: Template) -> _Parts:
    """The template with its static text as the inside of a JSON string."""
    return tuple((part.field, escaper(part.context)) if isinstance(part, Slot) else _bare(part) for part in template)


def _json(text: str) -> str:
    return encode_basestring(text)


def _bare(text: str) -> bytes:
    return encode_basestring(text)[1:-1].encode()
