"""What Resend checks of one message, and the message that is left when everything holds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from newsletter.providers.dialects import eml
from newsletter.providers.dialects.addresses import Mailbox, mailbox

if TYPE_CHECKING:
    from collections.abc import Mapping

RECIPIENTS = 50
TAGS = 75
"""Tags a message may carry (namuh-eng/opensend issue 243 quotes the documentation, 2026-05)."""

_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_UNSPOKEN = ("cc", "bcc", "template", "topic_id")
_SINGLE = ("attachments", "scheduled_at")


class Invalid(Exception):
    """A message is refused, with the status and the name of the error."""

    def __init__(self, message: str, *, status: int = 422, name: str = "validation_error") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.name = name


@dataclass(frozen=True, slots=True)
class Message:
    """One message that passed."""

    sender: Mailbox
    to: tuple[Mailbox, ...]
    subject: str
    headers: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]
    text: str | None = field(repr=False)
    html: str | None = field(repr=False)


def check(item: Any, *, batch: bool) -> Message:
    """The message in one JSON object; raises ``Invalid``."""
    if not isinstance(item, dict):
        raise Invalid("The email must be an object.")
    _refuse_unspoken(item, batch=batch)
    sender = _sender(_text(item, "from"))
    to = _to(item.get("to"))
    subject = _text(item, "subject")
    text, html = _body(item, "text"), _body(item, "html")
    if not text and not html:  # resend-ruby pull request 5, 2023-03
        raise Invalid("Missing `html` or `text` field.", name="missing_required_field")
    headers = [*_reply_to(item.get("reply_to")), *_headers(item.get("headers"))]
    try:
        eml.subject_line(subject)
        for each in (sender, *to):
            eml.check_value(each.name)
    except eml.CannotCarry as error:
        raise Invalid(f"The email payload contain invalid characters: {error}") from error
    return Message(sender, to, subject, tuple(headers), _tags(item.get("tags")), text or None, html or None)


def _refuse_unspoken(item: Mapping[str, Any], *, batch: bool) -> None:
    """What a batch does not take (documented), and what this outbox does not speak."""
    for name in _SINGLE:
        if item.get(name) and batch:
            raise Invalid(f"The `{name}` field is not supported in a batch.")
    for name in (*_UNSPOKEN, *_SINGLE):
        if item.get(name):
            raise Invalid(f"The embedded outbox does not speak `{name}`.")


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if value is None or value == "":
        raise Invalid(f"Missing `{name}` field.", name="missing_required_field")
    if not isinstance(value, str):
        raise Invalid(f"The `{name}` field must be a `string`.")
    return value


def _body(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid(f"The `{name}` field must be a `string`.")
    return value


def _sender(given: str) -> Mailbox:
    """The sender; an encoded word in it is 451 ``security_error``, quotes or a comma are 422 (see ``_mailbox``)."""
    if "=?" in given:
        raise Invalid("The email payload contain invalid characters", status=451, name="security_error")
    found = _mailbox(given, "from")
    if found.quoted:
        raise _misspelt("from")
    return found


def _to(given: Any) -> tuple[Mailbox, ...]:
    if given is None or given in ("", []):
        raise Invalid("Missing `to` field.", name="missing_required_field")
    found = _mailboxes(given, "to")
    if len(found) > RECIPIENTS:
        raise Invalid(f"The `to` field can hold up to {RECIPIENTS} addresses.")
    return found


def _mailboxes(given: Any, name: str) -> tuple[Mailbox, ...]:
    listed = given if isinstance(given, list) else [given]
    if not all(isinstance(each, str) for each in listed):
        raise Invalid(f"The `{name}` field must be a `string` or an array of `string`.")
    return tuple(_mailbox(each, name) for each in listed)


def _mailbox(given: str, name: str) -> Mailbox:
    """One mailbox; a display name in double quotes is refused, although RFC 5322 asks for them around a comma.

    django-anymail works around both (``anymail/backends/resend.py``, 2026-11-25): encoded words in ``to`` and
    ``reply_to``, which Resend takes, and the bare name in ``from``, where it does not take them.
    """
    found = mailbox(given)
    if found is None or found.quoted or "," in found.name:
        raise _misspelt(name)
    return found


def _misspelt(name: str) -> Invalid:
    """As quoted in resend-python issue 65 (2024-01)."""
    return Invalid(
        f"Invalid `{name}` field. The email address needs to follow the `email@example.com` or "
        "`Name <email@example.com>` format."
    )


def _reply_to(given: Any) -> list[tuple[str, str]]:
    if given is None or given in ("", []):
        return []
    found = _mailboxes(given, "reply_to")
    return [("Reply-To", ", ".join(f"{each.name} <{each.spec}>" if each.name else each.spec for each in found))]


def _headers(given: Any) -> list[tuple[str, str]]:
    """The headers; django-anymail sends lists of values and numbers as well, which become texts here."""
    if given is None:
        return []
    if not isinstance(given, dict):
        raise Invalid("The `headers` field must be an object.")
    found = [(name, str(each)) for name, value in given.items() for each in _values(value)]
    try:
        for name, value in found:
            eml.check_name(name)
            eml.header(name, value)
    except eml.CannotCarry as error:
        raise Invalid(f"Invalid header: {error}.") from error
    return found


def _values(value: Any) -> list[Any]:
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str | int | float) for each in listed):
        raise Invalid("A header's value must be a `string`.")
    return listed


def _tags(given: Any) -> tuple[tuple[str, str], ...]:
    """The tags; the words of the first refusal are quoted in dittofeed pull request 1834 (2026-03)."""
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise Invalid("The `tags` field must be an array of objects.")
    found: list[tuple[str, str]] = []
    for each in given:
        name, value = each.get("name"), each.get("value")
        if not isinstance(name, str) or not isinstance(value, str):
            raise Invalid("A tag needs a `name` and a `value`.")
        if not (re.fullmatch(r"[A-Za-z0-9_-]*", name) and re.fullmatch(r"[A-Za-z0-9_-]*", value)):
            raise Invalid("Tags should only contain ASCII letters, numbers, underscores, or dashes.")
        if not (_TAG.fullmatch(name) and _TAG.fullmatch(value)):
            raise Invalid("Tags can hold from 1 to 256 characters.")
        found.append((name, value))
    if len(found) > TAGS:
        raise Invalid(f"An email can hold up to {TAGS} tags.")
    return tuple(found)
