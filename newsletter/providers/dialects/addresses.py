"""Addresses as the providers read them: lists are split, and each member is a name with an address or refused."""

from __future__ import annotations

import re
from typing import NamedTuple

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_SPEC = re.compile(rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[ !#-\[\]-~]|\\[ -~])+")@{_LABEL}(?:\.{_LABEL})+')
_MEMBER = re.compile(r'\s*((?:[^",<>]|"(?:[^"\\]|\\.)*"|<[^<>]*>)*)\s*(?:,|$)')
_NAMED = re.compile(r'(?P<name>"(?:[^"\\]|\\.)*"|[^"<>]*?)\s*<(?P<spec>[^<>]*)>')
_LOCAL, _WHOLE = 64, 254
"""Characters before the ``@`` and in all, RFC 5321 §4.5.3.1."""


class Mailbox(NamedTuple):
    """A display name, decoded from its quotes, and an address; ``quoted`` when the name stood in quotes."""

    name: str
    spec: str
    quoted: bool = False


def mailbox(text: str) -> Mailbox | None:
    """One mailbox, or ``None`` where the text is none.

    A domain has a dot: ``matt@parabol`` was refused by Mailgun (ParabolInc/parabol issue 2653, 2019-02). Letters
    outside ASCII in an address are refused as well; which of them the providers take is not documented.
    """
    text = text.strip()
    named = _NAMED.fullmatch(text)
    raw, spec = (named["name"].strip(), named["spec"].strip()) if named else ("", text)
    if not _SPEC.fullmatch(spec) or len(spec) > _WHOLE or len(spec.rpartition("@")[0]) > _LOCAL:
        return None
    quoted = raw.startswith('"')
    return Mailbox(re.sub(r"\\(.)", r"\1", raw[1:-1]) if quoted else raw, spec, quoted)


def members(text: str) -> list[str]:
    """The members of a comma-joined list, as they stand; a comma in quotes parts nothing."""
    if '"' not in text and "<" not in text:
        return text.split(",")
    found: list[str] = []
    at = 0
    while at < len(text):
        member = _MEMBER.match(text, at)
        if member is None:
            return [*found, text[at:]]
        found.append(member[1])
        at = member.end()
    return found
