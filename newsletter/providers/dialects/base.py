"""The nouns of a dialect: a call as it came, and what is decided about it before anything is written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

_UNSAFE_IN_TAG = re.compile(r"[^A-Za-z0-9._~-]+")
_DIGITS = re.compile(r"[0-9]{1,18}")

Event = dict[str, Any]
"""One line of a dialect's record."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request; names of headers in lower case, ``path`` decoded, ``base`` the address at which it arrived."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    base: str
    at: dt.datetime
    body: bytes = field(default=b"", repr=False)

    def asked(self, name: str) -> str:
        """The last value of a query parameter, or an empty string."""
        return next((value for key, value in reversed(self.query) if key == name), "")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whole."""

    status: int
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()

    def adding(self, headers: Iterable[tuple[str, str]]) -> Reply:
        """The same answer with more headers."""
        return Reply(self.status, self.body, (*self.headers, *headers))


@dataclass(frozen=True, slots=True)
class Mail:
    """One message to be stored, under its final name."""

    name: str
    to: str
    subject: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call comes to: the answer, the mails of one folder with their batch's key, and lines to remember."""

    reply: Reply
    folder: str = ""
    key: str = ""
    mails: tuple[Mail, ...] = ()
    events: tuple[Event, ...] = ()


class Declined(Exception):
    """A check failed: the answer that says so."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def answer(status: int, data: object, *headers: tuple[str, str]) -> Reply:
    """An answer in JSON."""
    body = json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Reply(status, body, (("content-type", "application/json; charset=utf-8"), *headers))


def folder(dialect: str, tag: str) -> str:
    """The folder for a tag: it names a send for people, and stays one plain name whatever the tag holds."""
    plain = _UNSAFE_IN_TAG.sub("-", tag).strip("-.")[:100]
    return f"{dialect}~{plain or 'untagged'}"


def names(people: Sequence[str], key: str) -> list[str]:
    """Each message's file name: ``<person>-<key>.eml``.

    A recipient id of digits is the person; where there is none, a running number is. A number that comes twice gets
    a suffix, so that no message hides another.
    """
    taken: dict[int, int] = {}
    made: list[str] = []
    for index, person in enumerate(people, 1):
        number = int(person) if _DIGITS.fullmatch(person) else index
        seen = taken[number] = taken.get(number, 0) + 1
        made.append(f"{number:08d}{f'.{seen}' if seen > 1 else ''}-{key}.eml")
    return made


def parsed(line: bytes) -> Event | None:
    """One line of a record; ``None`` for the half of one that a killed server left."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def wrong(key: str) -> bool:
    """Whether a key was chosen to be refused: it says so itself."""
    return any(word in key.lower() for word in ("wrong", "invalid"))
