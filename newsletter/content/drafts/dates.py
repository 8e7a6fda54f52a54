"""A day at the head of a text: read only where the issue will show it in the very same words."""

from __future__ import annotations

import datetime as dt
import re

_ENGLISH = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_YEAR = re.compile(r"(?<!\d)(?:19[7-9]|20\d)\d(?!\d)")
_DAY = re.compile(r"(?<!\d)(?:0?[1-9]|[12]\d|3[01])(?!\d)")


def has_year(text: str) -> bool:
    """Whether a piece of text looks like a date: a year, and a day's number."""
    return _YEAR.search(text) is not None and _DAY.search(text) is not None


def shown(day: dt.date, lang: str) -> str:
    """A day as the byline writes it."""
    if lang.lower().partition("-")[0] == "en":
        return f"{day.day} {_ENGLISH[day.month - 1]} {day.year}"
    from babel import UnknownLocaleError
    from babel.dates import format_date

    try:
        return format_date(day, "long", locale=lang.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return day.isoformat()


def read(text: str, lang: str) -> str:
    """The ISO date of a day that ``shown`` would write as ``text``; empty for anything else."""
    year, day = _YEAR.search(text), _DAY.search(text)
    if not year or not day:
        return ""
    wanted = " ".join(text.split()).strip(" .,")
    for month in range(1, 13):
        try:
            found = dt.date(int(year[0]), month, int(day[0]))
        except ValueError:
            continue
        if " ".join(shown(found, lang).split()) == wanted:
            return found.isoformat()
    return ""
