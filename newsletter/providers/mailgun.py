"""Mailgun: one body for up to 1,000 people a call, their values as recipient variables.

Everything here follows Mailgun's public API description and manual as read on 2026-11-22, and reports of its
users where they are named; nothing was tried against a live account.

* A call is accepted or refused as a whole, with one id for all; one address that Mailgun cannot read refuses all.
* There is no idempotency key, and 5xx answers have been seen whose mail went out: such a call is in doubt. The
  events of the last days (at least three) can be searched by recipient, and carry our ``v:batch``.
* ``%recipient.name%`` is replaced in subject, text, HTML, ``h:`` and ``v:``. Whoever has such a text among their
  values, or an address with a character at which Mailgun has been seen to miss the variables (a ``+``,
  mailgun.js issue 413, 2024-06), gets a call of their own without any substitution.
* Options (``o:``, ``h:``, ``v:``) may be 16 KB together; each stands once for all, whatever the values' size.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from newsletter import mime
from newsletter.model import Slot
from newsletter.personal import CannotRender, join
from newsletter.providers import answers, calls, mailgun_answers
from newsletter.providers.base import Answer, Capabilities, Message, Payload, Verdict, at_once
from newsletter.providers.http import Http, Request

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import httpx

    from newsletter.config import Account
    from newsletter.model import Template
    from newsletter.providers.base import Letter, Sought, Suppressed, Turn
    from newsletter.providers.messages import Messages

NAME = "mailgun"
BATCH_MAX = 1_000
MESSAGE_BYTES = 25 << 20
OPTIONS_BYTES = 16 << 10

_MACRO = re.compile(r"%(?:recipient|unsubscribe|tag_unsubscribe|mailing_list)", re.IGNORECASE)
_SEAM = re.compile(r"%[A-Za-z_.]*$")
"""A text that ends like this may become a macro by what follows it."""

_MATCHED = re.compile(r"[A-Za-z0-9._-]+@[a-z0-9.-]+")
"""Addresses for which Mailgun surely finds the variables."""

_MATCHED_EACH = re.compile(f"{_MATCHED.pattern}(?:\n{_MATCHED.pattern})*")

_PAGE = 300

_SKEW = dt.timedelta(minutes=15)
"""Events are looked for from this long before the call: Mailgun's clock is not ours, and ``v:batch`` decides."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A letter as Mailgun takes it: its options, and the slots that its variables stand for."""

    options: bytes = field(repr=False)
    slots: tuple[Slot, ...]
    boundary: str
    guarded: bool
    """Whether the letter's own text holds a macro, so that nothing in it may be substituted."""
    seams: bool
    """Whether a value may make a macro together with the text beside it."""
    heads: dict[tuple[str, ...], bytes] = field(default_factory=dict, repr=False, compare=False)
    """The letter itself, by the names of the slots' variables: kept, because most calls name them alike."""


class Mailgun:
    """One sending domain; ``account`` is the domain with the host, because quota and rate hang on both."""

    def __init__(self, account: Account, key: str, transport: httpx.BaseTransport | None = None) -> None:
        credentials = base64.b64encode(f"api:{key}".encode()).decode()
        self._http = Http(
            account.base_url,
            timeout=account.timeout,
            headers={"authorization": f"Basic {credentials}"},
            hidden=(key, credentials),
            transport=transport,
        )
        self._path = f"/v3/{quote(account.domain, safe='')}"
        self._sheet = calls.Kept(compose)
        self.capabilities = capabilities(real=not account.local, per_second=account.per_second)
        self.account = f"{account.domain} at {self._http.host}"

    def shares(self, letter: Letter, message: Message) -> bool:
        """Whether Mailgun may put this person's values in."""
        return substitutes(self._sheet(letter), letter, message)

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """One form for all, or one for a single person whom nothing may be substituted for."""
        return payload(self._sheet(letter), letter, messages, batch, f"{self._path}/messages")

    def submit(self, payload: Payload, key: str) -> Answer:
        """Post the form; ``key`` means nothing to Mailgun."""
        del key
        call: calls.Call = payload.body
        return answers.understood(self._http.call(call.request), "Mailgun", mailgun_answers.accepted)

    def find(self, sought: Sought) -> Answer | None:
        """Look for the batch among the events of some of its people."""
        for where in sought.to:
            begin = int((sought.since - _SKEW).timestamp())
            query = urlencode({"recipient": where, "begin": begin, "ascending": "yes"})
            for page in self._pages(f"{self._path}/events?{query}&limit={_PAGE}"):
                if found := mailgun_answers.found(page, sought.batch):
                    return found
        return None

    def suppressions(self, turn: Turn = at_once) -> Iterator[Suppressed]:
        """Bounces, unsubscribes and complaints of the domain, page by page."""
        for kind in mailgun_answers.KINDS:
            for page in self._pages(f"{self._path}/{kind}?limit=1000", turn):
                yield from mailgun_answers.suppressed(page, kind)

    def _page(self, path: str) -> tuple[list[object], str]:
        return answers.understood(self._http.call(Request("GET", path)), "Mailgun", mailgun_answers.page)

    def _pages(self, path: str, turn: Turn = at_once) -> Iterator[list[object]]:
        """Every page's items."""
        seen: set[str] = set()
        while path not in seen:
            seen.add(path)
            items, following = turn(partial(self._page, path))
            if not items:
                return
            yield items
            if not following.startswith(f"{self._path}/"):
                return
            path = following

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def capabilities(*, real: bool = True, per_second: float | None = None) -> Capabilities:
    """What Mailgun can do."""
    return Capabilities(
        name=NAME,
        real=real,
        batch_max=BATCH_MAX,
        batch_bytes=MESSAGE_BYTES,
        personalisation="substituted",
        idempotent=False,
        per_second=per_second,
        syntax="%recipient.name%",
        substitutes_in=("subject", "text", "HTML", "headers", "metadata"),
        results="call",
        settling="search",
        rate_signal="429, the time only in the message's words",
        options_bytes=OPTIONS_BYTES,
        suppressions=True,
    )


# -- messages to request --------------------------------------------------------------


def compose(letter: Letter) -> Sheet:
    """Everything that is the same for all people of a send."""
    templates = (letter.subject, letter.text, letter.html)
    slots = tuple(dict.fromkeys(part for template in templates for part in template if isinstance(part, Slot)))
    static = [part for template in templates for part in template if isinstance(part, str)]
    boundary = hashlib.sha256(repr(templates).encode()).hexdigest()[:40]
    options = _options(letter, boundary, unsubscribe="%recipient.u%", recipient="%recipient.r%")
    return Sheet(
        options=options,
        slots=slots,
        boundary=boundary,
        guarded=any(_MACRO.search(text) for text in (*static, letter.sender.name)),
        seams=any(_SEAM.search(text) for text in static),
    )


def substitutes(sheet: Sheet, letter: Letter, message: Message) -> bool:
    """Whether Mailgun's substitution gives this person exactly what we mean."""
    return not sheet.guarded and _MATCHED.fullmatch(message.to) is not None and _literal(sheet, letter, message)


def _literal(sheet: Sheet, letter: Letter, message: Message) -> bool:
    """Whether no macro comes about by this person's values."""
    if not sheet.seams and not any("%" in value for value in message.values):
        return True
    templates = (letter.subject, letter.text, letter.html)
    return not any(_MACRO.search(join(template, message.values)) for template in templates)


def payload(sheet: Sheet, letter: Letter, messages: Sequence[Message], batch: str, path: str) -> Payload:
    """The call for these messages, or how they must be split."""
    found, failed = calls.addressed(messages)
    fit = calls.fit(letter.subject, found, failed)
    alone = _alone(sheet, letter, fit)
    if alone and len(fit) > 1:
        rest = [person for person in fit.people if person not in alone]
        return calls.apart([*([rest] if rest else []), *([person] for person in alone)], failed)
    if not fit:
        return calls.empty(failed)
    parts = _single(sheet, letter, fit, batch) if alone else _together(sheet, letter, fit, batch)
    return _made(parts, sheet.boundary, path, tuple(fit.people), failed)


def _alone(sheet: Sheet, letter: Letter, fit: Messages) -> Collection[int]:
    """Those for whom nothing may be substituted; a per cent sign among all values is looked for once."""
    if sheet.guarded:
        return dict.fromkeys(fit.people)
    plain = not sheet.seams and not any("%" in "".join(column) for column in fit.values)
    if plain and _MATCHED_EACH.fullmatch("\n".join(fit.where)):
        return ()
    odd = [
        message.person
        for where, message in zip(fit.where, fit, strict=True)
        if not _MATCHED.fullmatch(where) or not (plain or _literal(sheet, letter, message))
    ]
    return dict.fromkeys(odd)


def _made(parts: list[bytes], boundary: str, path: str, people: tuple[int, ...], failed: list[Verdict]) -> Payload:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    call = calls.Call(Request("POST", path, headers, parts), people)
    return Payload(digest.hexdigest(), call, len(people), sum(map(len, parts)), tuple(failed))


def _together(sheet: Sheet, letter: Letter, fit: Messages, batch: str) -> list[bytes]:
    names, variables = _variables(sheet.slots, fit)
    if names not in sheet.heads:
        by_slot = dict(zip(sheet.slots, names, strict=True))
        texts = [_macros(template, by_slot) for template in (letter.subject, letter.text, letter.html)]
        sheet.heads[names] = _parts(sheet.boundary, _shared(letter, *texts))
    return [
        sheet.heads[names],
        sheet.options,
        _parts(sheet.boundary, _own(batch, fit.unsubscribe)),
        _part(sheet.boundary, "to", ",".join(fit.where).encode()),
        _head(sheet.boundary, "recipient-variables"),
        variables,
        f"\r\n--{sheet.boundary}--\r\n".encode(),
    ]


def _variables(slots: Sequence[Slot], fit: Messages) -> tuple[tuple[str, ...], bytes]:
    """The name of each slot's variable, and ``{"address":{"r":…,"u":…,"s0":…},…}`` for everybody.

    Numbers are text, values are escaped for where they will stand. Slots in which everybody has the same text
    share a variable: a link that stands in text, HTML and header goes out once.
    """
    more = [Slot(len(fit.values), "text"), Slot(len(fit.values) + 1, "text")]
    *written, where, links = calls.written([*slots, *more], [*fit.values, fit.where, fit.unsubscribe])
    columns: list[Iterable[str]] = [
        repeat('"'),
        where,
        repeat('":{"r":"'),
        map(str, fit.people),
        repeat('","u":"'),
        links,
    ]
    names: list[str] = []
    named = [(links, "u")]
    for column in written:
        name = next((known for other, known in named if other == column), "")
        if not name:
            name = f"s{len(named) - 1}"
            named.append((column, name))
            columns += (repeat(f'","{name}":"'), column)
        names.append(name)
    everybody = ",".join(map("".join, zip(*columns, repeat('"}'))))
    return tuple(names), f"{{{everybody}}}".encode()


def _single(sheet: Sheet, letter: Letter, fit: Messages, batch: str) -> list[bytes]:
    """A form for one person, with nothing to substitute."""
    message = fit[0]
    values = message.values
    texts = [join(template, values) for template in (letter.subject, letter.text, letter.html)]
    boundary = sheet.boundary
    options = _options(letter, boundary, unsubscribe=message.unsubscribe, recipient=str(message.person))
    return [
        _parts(boundary, _shared(letter, *texts)),
        options,
        _parts(boundary, [*_own(batch, fit.unsubscribe), ("to", fit.where[0])]),
        f"--{boundary}--\r\n".encode(),
    ]


def _shared(letter: Letter, subject: str, text: str, html: str) -> list[tuple[str, str]]:
    return [
        ("from", mime.sender_value(letter.sender)),
        ("subject", subject),
        ("text", text),
        ("html", html),
        ("o:tag", mime.plain(letter.tag)),
        # Tracking would rewrite links and add a picture: readers would not get what was approved.
        ("o:tracking", "no"),
    ]


def _options(letter: Letter, boundary: str, *, unsubscribe: str, recipient: str) -> bytes:
    listed = mime.list_unsubscribe(unsubscribe, mime.mailto(letter.unsubscribe_email))
    options = [
        ("h:List-Unsubscribe", listed),
        ("h:List-Id", mime.list_id(letter.list_name, letter.sender)),
        ("v:recipient", recipient),
    ]
    if letter.reply_to:
        options.append(("h:Reply-To", mime.sender_value(letter.reply_to)))
    if letter.feedback_id:
        options.append(("h:Feedback-ID", mime.feedback_id(letter.tag, letter.feedback_id)))
    if sum(len(name) + len(value) for name, value in options) > OPTIONS_BYTES:
        message = f"its headers are longer than the {OPTIONS_BYTES >> 10} KB that Mailgun takes"
        raise CannotRender(message)
    return _parts(boundary, options)


def _own(batch: str, links: Iterable[str]) -> list[tuple[str, str]]:
    """What a call says of itself; one-click is announced for https links only (RFC 8058 §3.1)."""
    own = [("v:batch", batch)]
    if all(link.startswith("https://") for link in links):
        own.append(("h:List-Unsubscribe-Post", mime.ONE_CLICK))
    return own


def _macros(template: Template, names: dict[Slot, str]) -> str:
    return "".join(part if isinstance(part, str) else f"%recipient.{names[part]}%" for part in template)


def _parts(boundary: str, fields: Sequence[tuple[str, str]]) -> bytes:
    return b"".join(_part(boundary, name, value.encode()) for name, value in fields)


def _part(boundary: str, name: str, value: bytes) -> bytes:
    return b"".join((_head(boundary, name), value, b"\r\n"))


def _head(boundary: str, name: str) -> bytes:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode()
