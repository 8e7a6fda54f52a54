"""Resend's ``POST /emails`` and ``POST /emails/batch``: what it refuses, and what it answers.

From the API description and documentation as of 2026-11-22 and 2026-11-25. Texts of errors are those of
https://resend.com/docs/api-reference/errors, or as users quote them where a source is named.

Left out on purpose: the real one refuses recipients at example.com with 422, which here would refuse every sample.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from newsletter.providers.dialects import eml
from newsletter.providers.dialects.base import Call, Declined, Event, Mail, Outcome, Reply, answer, folder, names, wrong
from newsletter.providers.dialects.resend_checks import Invalid, Message, check

if TYPE_CHECKING:
    from collections.abc import Sequence

DIALECT = "resend"
BATCH = 100
REQUEST_BYTES = 40_000_000
"""Documented for one message with its attachments; what a batch may weigh is not (2026-11-22)."""

KEY_LENGTH = 256
MODES = ("strict", "permissive")


def failure(status: int, name: str, message: str, *headers: tuple[str, str]) -> Reply:
    """An error in Resend's shape."""
    return answer(status, {"statusCode": status, "name": name, "message": message}, *headers)


# -- who may ask ----------------------------------------------------------------------


def credentials(call: Call) -> Reply | None:
    """The refusal of a call without a key, or with a key made to be wrong.

    The documentation says 403 ``invalid_api_key``; users see 401 ``validation_error``, and 400 in 2026-09.
    """
    kind, _, key = call.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not key.strip():
        return failure(401, "missing_api_key", "Missing API key in the authorization header.")
    if wrong(key):
        return failure(401, "validation_error", "API key is invalid")
    return None


def not_found() -> Reply:
    """The answer at an address that is none of the API's."""
    return failure(404, "not_found", "The requested endpoint does not exist.")


def not_allowed() -> Reply:
    """The answer to a method that the address does not know."""
    return failure(405, "method_not_allowed", "Method is not allowed for the requested path.")


def too_large() -> Reply:
    """A body over the limit; status and words are not documented."""
    return failure(413, "validation_error", "The request is larger than 40 MB.")


def too_fast(limit: int) -> Reply:
    """429: the words as users quote them, the number being the account's."""
    words = (
        f"Too many requests. You can only make {limit} requests per second. See rate limit response headers for more "
        "information. Or contact support to increase rate limit."
    )
    return failure(429, "rate_limit_exceeded", words)


def place(call: Call) -> str | None:
    """The ``Idempotency-Key`` of a call to one of the three addresses; raises ``Declined``."""
    if call.path not in {"/emails", "/emails/batch", "/suppressions"}:
        raise Declined(not_found())
    if call.method != ("GET" if call.path == "/suppressions" else "POST"):
        raise Declined(not_allowed())
    key = call.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= KEY_LENGTH:
        raise Declined(failure(400, "invalid_idempotency_key", "The key must be between 1-256 chars."))
    return key


def concurrent() -> Reply:
    """Two calls with one key at the same time."""
    words = "Same idempotency key used while original request is still in progress."
    return failure(409, "concurrent_idempotent_requests", words)


def changed() -> Reply:
    """A key that stands for another body."""
    return failure(409, "invalid_idempotent_request", "Same idempotency key used with a different request payload.")


# -- messages -------------------------------------------------------------------------


def accept(call: Call, token: str) -> Outcome:
    """Decide about one call; ``token`` is 64 hexadecimal digits, and ids are made from it. Pure."""
    batch = call.path == "/emails/batch"
    try:
        items = _items(call, batch=batch)
        permissive = batch and _mode(call) == "permissive"
        good, errors = _checked(items, batch=batch, permissive=permissive)
        ids = [_id(token, index) for index in range(len(good))]
        mails = _mails(good, ids, call, token[:12])
    except Declined as declined:
        return Outcome(declined.reply)
    listed: list[dict[str, Any]] = [{"id": each} for each in ids]
    if not batch:
        said: dict[str, Any] = listed[0]
    elif permissive:
        said = {"data": listed, "errors": errors}
    else:
        said = {"data": listed}
    events = tuple(_event(message, id_, call) for message, id_ in zip(good, ids, strict=True))
    where = folder(DIALECT, dict(good[0].tags).get("issue", "") if good else "")
    return Outcome(answer(200, said), where, token[:12], mails, events)


def _items(call: Call, *, batch: bool) -> list[Any]:
    try:
        found = json.loads(call.body)
    except (ValueError, RecursionError):
        raise Declined(failure(400, "validation_error", "The request body is not valid JSON.")) from None
    if not batch:
        return [found]
    if not isinstance(found, list) or not found:
        raise Declined(failure(422, "validation_error", "The request body must be an array of emails."))
    if len(found) > BATCH:
        words = f"The batch can hold up to {BATCH} emails."
        raise Declined(failure(422, "validation_error", words))
    return found


def _mode(call: Call) -> str:
    mode = call.headers.get("x-batch-validation", MODES[0])
    if mode not in MODES:
        words = "The `x-batch-validation` header must be `strict` or `permissive`."
        raise Declined(failure(422, "validation_error", words))
    return mode


def _checked(items: Sequence[Any], *, batch: bool, permissive: bool) -> tuple[list[Message], list[dict[str, Any]]]:
    """The messages that pass, and why the others do not; without ``permissive`` the first bad one refuses all."""
    good: list[Message] = []
    errors: list[dict[str, Any]] = []
    for index, item in enumerate(items):
        try:
            good.append(check(item, batch=batch))
        except Invalid as error:
            if not permissive:
                raise Declined(failure(error.status, error.name, error.message)) from error
            errors.append({"index": index, "message": error.message})
    return good, errors


def _id(token: str, index: int) -> str:
    """A message's id, of the form that Resend's have."""
    number = (int(token[:32], 16) + index) % (1 << 128)
    return str(UUID(int=number, version=4))


def _mails(messages: Sequence[Message], ids: Sequence[str], call: Call, key: str) -> tuple[Mail, ...]:
    encoder = eml.Encoder()
    numbers = names([dict(each.tags).get("recipient", "") for each in messages], key)
    return tuple(
        _mail(message, id_, name, call, encoder) for message, id_, name in zip(messages, ids, numbers, strict=True)
    )


def _mail(message: Message, id_: str, name: str, call: Call, encoder: eml.Encoder) -> Mail:
    """The mail as it leaves: ``Message-ID`` and ``Date`` are the sending service's own (SES, 2026-11-25)."""
    headers = [(key, value) for key, value in message.headers if key.lower() not in {"message-id", "date"}]
    parts = eml.Parts(
        sender=message.sender,
        to=message.to,
        subject=message.subject,
        date=call.at,
        message_id=f"<{id_}@resend.invalid>",
        headers=tuple(headers),
        text=message.text,
        html=message.html,
    )
    shown = ", ".join(each.spec for each in message.to)
    return Mail(name, shown, message.subject, eml.message(parts, encoder))


def _event(message: Message, id_: str, call: Call) -> Event:
    return {
        "id": id_,
        "at": call.at.isoformat(),
        "to": [each.spec for each in message.to],
        "subject": message.subject,
        "tags": dict(message.tags),
    }
