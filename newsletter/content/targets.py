"""Where a link leads: the schemes that mail may hold, and where a merge field may stand in a URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from newsletter.content.source import UNPRINTABLE
from newsletter.errors import Problem
from newsletter.personal import MARK, mark, number

if TYPE_CHECKING:
    from newsletter.content.fields import Fields
    from newsletter.model import Place

SCHEMES = ("https", "http", "mailto", "tel", "sms")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_WEB = re.compile(r"(?i:https?)://[^/?#\\\s]+")
_HOST_DONE = re.compile(r"(?:(?i:https?):)?//[^/?#\\\s]+[/?#]")


class _Refused(ValueError):
    """Why an address cannot be used, what to do, and where, when that is not the link's own place."""

    def __init__(self, message: str, hint: str = "", place: Place | None = None) -> None:
        super().__init__(message)
        self.hint, self.place = hint, place


def target(lifted: str, fields: Fields, place: Place, problems: list[Problem]) -> str:
    """A link's address with final marks, percent-encoded around them; empty when it was refused."""
    try:
        return _checked(lifted.strip(), fields)
    except _Refused as error:
        problems.append(Problem(error.place or place, str(error), error.hint))
        return ""


def _checked(lifted: str, fields: Fields) -> str:
    parts = _parts(lifted, fields)
    raw = "".join(part for part in parts if isinstance(part, str))
    if found := UNPRINTABLE.search(raw):
        raise _Refused(f"the link holds a character (U+{ord(found[0]):04X}) that may not stand in one")
    head = parts[0] if parts and isinstance(parts[0], str) else ""
    personal = [part for part in parts if isinstance(part, int)]
    _check_scheme(head, whole=not personal)
    if not personal:
        return _encode(head)
    if len(parts) == 1:
        return fields.whole(personal[0])
    link = next((index for index in personal if fields.is_link(index)), None)
    if link is not None:
        message = "this field is a whole link and may not be a part of one"
        raise _Refused(message, "Write: [words]({{ unsubscribe_url }})", fields.place(link))
    if not _may_follow(head):
        hint = (
            "Write the address out up to the first / behind the host: https://example.org/{{ code }}; or let the "
            "field be the whole address: {{ website }}"
        )
        message = "a merge field may not stand in a link's scheme or host"
        raise _Refused(message, hint, fields.place(personal[0]))
    return _encode(head) + "".join(_tail(part, fields) for part in parts[1:])


def _parts(lifted: str, fields: Fields) -> list[str | int]:
    """Static text and the lifted indexes of personal fields; what is fixed already becomes text.

    Data that opens the link is the link's beginning; anywhere else it is a value, and encoded.
    """
    parts: list[str | int] = []
    at = 0
    for found in MARK.finditer(lifted):
        settled = fields.settle(number(found))
        static = lifted[at : found.start()]
        if isinstance(settled, str):
            ready = (not parts and not static) or fields.is_encoded(number(found))
            static += settled if ready else quote(settled, safe="")
        _add(parts, static)
        if isinstance(settled, int):
            parts.append(number(found))
        at = found.end()
    _add(parts, lifted[at:])
    return parts


def _add(parts: list[str | int], static: str) -> None:
    if parts and isinstance(last := parts[-1], str):
        parts[-1] = last + static
    elif static:
        parts.append(static)


def _check_scheme(head: str, *, whole: bool) -> None:
    scheme = _SCHEME.match(head)
    if not scheme:
        return
    if scheme[1].lower() not in SCHEMES:
        hint = f"A link begins with {', '.join(f'{each}:' for each in SCHEMES)}."
        raise _Refused(f"links of the kind “{scheme[1]}:” are not allowed in mail", hint)
    if whole and scheme[1].lower().startswith("http") and not _WEB.match(head):
        raise _Refused("this link has no host", "Write: https://example.org/page")


def _may_follow(head: str) -> bool:
    """Whether a value, encoded as a part of a URL, can stand right behind ``head`` and change nothing but a part."""
    scheme = _SCHEME.match(head)
    if head.startswith(("//", "/\\", "\\")) or (scheme and scheme[1].lower().startswith("http")):
        return _HOST_DONE.match(head) is not None
    return bool(scheme) or any(char in head for char in "/?#")


def _encode(text: str) -> str:
    from markdown_it.common.normalize_url import normalizeLink

    return normalizeLink(text)


def _tail(part: str | int, fields: Fields) -> str:
    import mdurl

    if isinstance(part, str):
        return mdurl.encode(part)
    settled = fields.settle(part)
    return mark(settled, 3) if isinstance(settled, int) else ""
