"""Mailgun's ``POST /v3/{domain}/messages``: what it refuses, what it makes of a form, and what it answers.

Texts of answers are those that its users quote: the API description of 2026-11-22 where no other source is named. A
check that Mailgun does not document, and that would otherwise let a broken message pass, is marked as ours.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from newsletter.providers.dialects import eml, forms
from newsletter.providers.dialects.addresses import Mailbox, mailbox, members
from newsletter.providers.dialects.base import Call, Declined, Event, Mail, Outcome, answer, folder, names
from newsletter.providers.dialects.macros import Template, Variables, variables
from newsletter.providers.dialects.mailgun_gate import DIALECT, too_large

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from newsletter.providers.dialects.forms import Field

RECIPIENTS = 1000
OPTIONS_BYTES = 16 << 10
MESSAGE_BYTES = 25 << 20

_UNSPOKEN = ("cc", "bcc", "attachment", "inline", "amp-html", "template")
_QUEUED = "Queued. Thank you."


@dataclass(frozen=True, slots=True)
class _Form:
    """A call's fields, sorted by what they mean."""

    sender: Mailbox
    to: tuple[Mailbox, ...]
    subject: Template
    text: Template | None = field(repr=False)
    html: Template | None = field(repr=False)
    headers: tuple[tuple[str, Template], ...]
    variables: tuple[tuple[str, Template], ...]
    tags: tuple[str, ...]
    test: bool
    own: Variables | None = field(repr=False)

    @property
    def shared(self) -> tuple[str, ...]:
        """Bodies that are the same for everybody."""
        bodies = (each for each in (self.text, self.html) if each is not None)
        return tuple(each.whole for each in bodies if each.fixed or self.own is None)


# -- a message ------------------------------------------------------------------------


def accept(call: Call, domain: str, token: str) -> Outcome:
    """Decide about one call; ``token`` is fresh and random, and ids are made from it. Pure."""
    try:
        form = _read(_fields(call))
        message_id = f"<{call.at:%Y%m%d%H%M%S}.1.{token[:16].upper()}@{domain}>"
        mails = _mails(form, call, message_id, token[:12])
    except Declined as declined:
        return Outcome(declined.reply)
    events = tuple(_events(form, call, message_id, token, mails))
    where = folder(DIALECT, form.tags[0] if form.tags else "")
    return Outcome(answer(200, {"id": message_id, "message": _QUEUED}), where, token[:12], mails, events)


def _refuse(message: str) -> Declined:
    return Declined(answer(400, {"message": message}))


def _fields(call: Call) -> list[Field]:
    try:
        return forms.fields(call.headers.get("content-type", ""), call.body)
    except forms.Unreadable as error:
        raise _refuse(f"the body cannot be read as a form: {error}") from error


def _read(fields: Sequence[Field]) -> _Form:
    def every(name: str) -> list[str]:
        return [each.value for each in fields if each.name == name]

    def one(name: str) -> str | None:
        return next(iter(every(name)), None)

    for name in _UNSPOKEN:
        if every(name):
            raise _refuse(f"the embedded outbox does not speak '{name}'")
    sender = _sender(one("from"))
    to = _recipients(every("to"))
    text, html = one("text"), one("html")
    if not text and not html:
        words = "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified"
        raise _refuse(words)
    options = [each for each in fields if each.name[:2] in {"o:", "h:", "v:", "t:"}]
    # As sent, before anything is substituted: an inference, for the manual only names the parameters.
    if sum(len(each.name.encode()) + len(each.value.encode()) for each in options) > OPTIONS_BYTES:
        words = "Send options (parameters starting with o:, h:, v:, or t:) are limited to 16 kB total"
        raise _refuse(words)
    if len((text or "").encode()) + len((html or "").encode()) > MESSAGE_BYTES:
        raise Declined(too_large())
    return _Form(
        sender=sender,
        to=to,
        subject=Template.of(one("subject") or ""),
        text=Template.of(text) if text else None,
        html=Template.of(html) if html else None,
        headers=tuple((each.name[2:], Template.of(each.value)) for each in options if each.name[:2] == "h:"),
        variables=tuple((each.name[2:], Template.of(each.value)) for each in options if each.name[:2] == "v:"),
        tags=tuple(every("o:tag")),
        test=(one("o:testmode") or "").lower() in {"yes", "true"},
        own=_own(one("recipient-variables")),
    )


def _sender(given: str | None) -> Mailbox:
    if not given:
        raise _refuse("from parameter is missing")
    found = mailbox(given)
    if found is None:
        raise _refuse("'from' parameter is not a valid address. please check documentation")
    return found


def _recipients(given: Sequence[str]) -> tuple[Mailbox, ...]:
    """Everybody in ``to``; one bad address refuses all, and a second copy for one address is not made.

    That the same address twice is one message is not documented: recipient variables could not tell them apart.
    """
    if not any(each.strip() for each in given):
        raise _refuse("to parameter is missing")
    found: dict[str, Mailbox] = {}
    count = 0
    for member in (member for each in given for member in members(each)):
        read = mailbox(member)
        if read is None:
            raise _refuse("'to' parameter is not a valid address. please check documentation")
        found.setdefault(read.spec.lower(), read)
        count += 1
    if count > RECIPIENTS:
        raise _refuse(f"Too many recipients, max is {RECIPIENTS}")  # mailgun-ruby issue 87, 2017-03
    return tuple(found.values())


def _own(given: str | None) -> Variables | None:
    """The recipient variables; an empty object is as good as none.

    That they must name at least somebody is reported by a user (oppia pull request 2690, 2016-11).
    """
    if given is None:
        return None
    found = variables(given)
    if found is None:  # mailgun-php issue 830, 2022-06
        raise _refuse("'recipient-variables' parameter is not a valid JSON")
    return found or None


# -- what readers get -----------------------------------------------------------------


def _mails(form: _Form, call: Call, message_id: str, key: str) -> tuple[Mail, ...]:
    encoder = eml.Encoder()
    encoder.shared(form.shared)
    person = next((value for name, value in form.variables if name == "recipient"), Template.of(""))
    numbers = names([_fill(form, person, to) or "" for to in form.to], key)
    return tuple(_mail(form, call, message_id, encoder, (to, name)) for to, name in zip(form.to, numbers, strict=True))


def _fill(form: _Form, template: Template | None, to: Mailbox) -> str | None:
    """A text for one recipient; without recipient variables nothing is replaced."""
    if template is None:
        return None
    if form.own is None:
        return template.whole
    return template.fill(to, form.own.get(to.spec, {}))


def _mail(form: _Form, call: Call, message_id: str, encoder: eml.Encoder, whom: tuple[Mailbox, str]) -> Mail:
    """One recipient's message; without recipient variables, the ``To`` of all shows everybody to everybody."""
    to, name = whom
    subject = _fill(form, form.subject, to) or ""
    headers = [(given, _fill(form, value, to) or "") for given, value in form.headers]
    if form.variables:
        listed = {given: _fill(form, value, to) for given, value in form.variables}
        headers.append(("X-Mailgun-Variables", json.dumps(listed)))
    headers += [("X-Mailgun-Tag", tag) for tag in form.tags]
    try:
        for given, _ in form.headers:
            eml.check_name(given)
        data = eml.message(
            eml.Parts(
                sender=form.sender,
                to=form.to if form.own is None else (to,),
                subject=subject,
                date=call.at,
                message_id=message_id,
                headers=tuple(headers),
                text=_fill(form, form.text, to),
                html=_fill(form, form.html, to),
            ),
            encoder,
        )
    except eml.CannotCarry as error:  # a check of ours
        raise _refuse(f"a header cannot be written: {error}") from error
    if len(data) > MESSAGE_BYTES:
        raise Declined(too_large())
    return Mail(name, to.spec, subject, data)


def _events(form: _Form, call: Call, message_id: str, token: str, mails: Sequence[Mail]) -> Iterator[Event]:
    """One ``accepted`` event for each recipient, in the shape of the description's example."""
    everybody = ", ".join(each.spec for each in form.to)
    for index, (to, mail) in enumerate(zip(form.to, mails, strict=True)):
        yield {
            "event": "accepted",
            "id": f"{token[:16]}{index:06d}",
            "timestamp": call.at.timestamp(),
            "log-level": "info",
            "method": "HTTP",
            "recipient": to.spec,
            "recipient-domain": to.spec.rpartition("@")[2],
            "envelope": {"targets": to.spec, "transport": "smtp", "sender": form.sender.spec},
            "flags": {"is-authenticated": True, "is-test-mode": form.test},
            "message": {
                "headers": {
                    "to": everybody if form.own is None else to.spec,
                    "message-id": message_id.strip("<>"),
                    "from": f"{form.sender.name} <{form.sender.spec}>".strip(),
                    "subject": mail.subject,
                },
                "attachments": [],
                "size": len(mail.data),
            },
            "tags": list(form.tags),
            "user-variables": {name: _fill(form, value, to) for name, value in form.variables},
        }
