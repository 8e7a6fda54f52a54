"""The options in braces behind a container's name or a picture: ``{key=value key="two words"}``."""

from __future__ import annotations

import re
from typing import NamedTuple

_GAP = re.compile(r"[ \t]*")
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)(=?)")
_VALUE = re.compile(r"""(?:"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'|(?P<bare>[^\s"'{}]+))""")
_ESCAPE = re.compile(r"\\(.)")


class Option(NamedTuple):
    """One ``key=value``; ``at`` is the key's offset in the text, ``value_at`` the value's."""

    key: str
    value: str
    at: int
    value_at: int


class Unreadable(ValueError):
    """Why the braces cannot be read, and at which offset."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def read_options(text: str, start: int) -> tuple[tuple[Option, ...], int]:
    """The options of the braces that open at ``start``, and the offset behind the closing one.

    Raises ``Unreadable`` when the braces hold anything else.
    """
    found: list[Option] = []
    at = start + 1
    while True:
        at = _gap(text, at)
        if text.startswith("}", at):
            return tuple(found), at + 1
        if at >= len(text) or text[at] == "\n":
            message = "the options that begin here are never closed with }"
            raise Unreadable(message, start)
        key = _KEY.match(text, at)
        if key is None or not key[2]:
            message = 'options are written key=value or key="some words"'
            raise Unreadable(message, at)
        value = _VALUE.match(text, key.end())
        if value is None or "\n" in value[0]:
            message = f"the value of “{key[1]}” is missing or its quotes are not closed"
            raise Unreadable(message, at)
        if any(each.key == key[1] for each in found):
            message = f"the option “{key[1]}” is given twice"
            raise Unreadable(message, at)
        quoted = value["bare"] is None
        text_ = _ESCAPE.sub(r"\1", value["double"] or value["single"] or "") if quoted else value["bare"]
        found.append(Option(key[1], text_, at, value.start() + quoted))
        at = value.end()


def _gap(text: str, at: int) -> int:
    found = _GAP.match(text, at)
    return found.end() if found else at
