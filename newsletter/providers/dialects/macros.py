"""Mailgun's substitution: ``%recipient.name%`` becomes the recipient's own value, in one pass.

What is replaced, from the user manual (https://documentation.mailgun.com, "Batch Sending" and "Template Variables",
2026-11-25): ``%recipient.key%`` with a key of the recipient's variables, and the four that Mailgun makes itself from
the address. What the manual does not say is taken as follows: a key that the recipient lacks stays as it stands, a
value is never searched again, and an address finds its variables only when written exactly as in ``to``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from newsletter.providers.dialects.addresses import Mailbox

_MACRO = re.compile(r"%(recipient(?:\.[^%\s]{1,200}|_email|_name|_fname|_lname)?)%")

Variables = dict[str, dict[str, str]]


def variables(raw: str) -> Variables | None:
    """The recipient variables as texts, or ``None`` where they are no JSON object of objects."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        return None
    return {where: {key: _text(value) for key, value in own.items()} for where, own in found.items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Template:
    """A text cut at its macros: every second part is a macro's inside."""

    parts: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Template:
        """Cut ``text``."""
        return cls(tuple(_MACRO.split(text)))

    @property
    def fixed(self) -> bool:
        """Whether every recipient gets the same."""
        return len(self.parts) == 1

    @property
    def whole(self) -> str:
        """The text as it was given."""
        return "".join(part if at % 2 == 0 else f"%{part}%" for at, part in enumerate(self.parts))

    def fill(self, to: Mailbox, own: Mapping[str, str]) -> str:
        """One recipient's text."""
        if self.fixed:
            return self.parts[0]
        macros = self.parts[1::2]
        values = {macro: _value(macro, to, own) for macro in set(macros)}
        parts = list(self.parts)
        parts[1::2] = [values[macro] for macro in macros]
        return "".join(parts)


def _value(macro: str, to: Mailbox, own: Mapping[str, str]) -> str:
    if macro.startswith("recipient."):
        value = own.get(macro.removeprefix("recipient."))
        return f"%{macro}%" if value is None else value
    first, _, last = to.name.partition(" ")
    made = {
        "recipient": f"{to.name} <{to.spec}>" if to.name else to.spec,
        "recipient_email": to.spec,
        "recipient_name": to.name,
        "recipient_fname": first,
        "recipient_lname": last,
    }
    return made[macro]
