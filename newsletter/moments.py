"""Times and lengths of time as people type them, and how they are said back.

Pure: the zone of a time that names none, and the present, are given. The zone's rules come from ``zoneinfo``.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from newsletter.errors import WrongUsage
from newsletter.yamlread import suggestion

NOW = "now"

_TYPED = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{1,2})(:[0-9]{2}(?::[0-9]{2})?) ?(.*)")
_OFFSET = re.compile(r"([+-])([0-9]{2})(?::?([0-9]{2}))?")
_SHORT = re.compile(r"[A-Z]{2,5}")
"""Looks like the short name of a zone's time: CET, EDT, AEDT."""

_UTC = frozenset({"Z", "UTC", "GMT"})
_FORM = (
    'Write "2026-12-01 08:00", and after it a zone (Europe/Berlin) or an offset (+01:00) if it is not the usual one.'
)
_HOSTS_OWN = frozenset({"localtime", "posixrules"})
"""Names that mean another zone on every machine."""

_SECOND = dt.timedelta(seconds=1)


class Moment(NamedTuple):
    """A moment, with the offset that holds then, and the zone whose clock it was read from; empty for an offset."""

    at: dt.datetime
    zone: str

    @property
    def local(self) -> str:
        """As a clock on the wall shows it: ``2026-12-01 08:00 CET``."""
        return wall(self.at, self.zone)

    @property
    def utc(self) -> str:
        """The same in UTC."""
        return f"{_clock(self.at.astimezone(dt.UTC))} UTC"


class Twice(WrongUsage):
    """The clock is set back, so it shows what was typed twice; ``both`` are the moments that may be meant, in order."""

    def __init__(self, message: str, *, hint: str, both: tuple[Moment, Moment]) -> None:
        super().__init__(message, hint=hint)
        self.both = both


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of this name; ``None`` when there is none, or when it would be the machine's own."""
    try:
        return ZoneInfo("" if name in _HOSTS_OWN else name)
    except (KeyError, ValueError, OSError):
        return None


# -- what is typed --------------------------------------------------------------------


def moment(text: str, zone: ZoneInfo) -> Moment:
    """A time as it was typed; ``zone`` is that of a time which names none.

    After date and time may stand a zone's name, an offset, or the short name of a time (CET), which may also follow
    a zone's name. Raises ``WrongUsage`` for what is no time, or one that the clock never shows, and its kind
    ``Twice`` for one that it shows twice.
    """
    typed = " ".join(text.split())
    found = _TYPED.fullmatch(typed)
    try:
        if found is None:
            raise WrongUsage(f"“{text}” is not a time", hint=_FORM)
        naive = dt.datetime.fromisoformat(f"{found[1]}T{found[2]:0>2}{found[3]}")
        made = _read(naive, found[4].split(" ") if found[4] else [], zone)
        made.at.astimezone(dt.UTC)  # a time at either end of the calendar may have no equal there
    except (ValueError, OverflowError) as error:
        raise WrongUsage(f"“{text}” is not a time: {error}", hint=_FORM) from None
    return made


def ahead(text: str, zone: ZoneInfo, now: dt.datetime) -> Moment:
    """The same for a time that must be to come."""
    made = moment(text, zone)
    if made.at < now:
        raise past(made, now)
    return made


def past(made: Moment, now: dt.datetime) -> WrongUsage:
    """Why a time is of no use."""
    return WrongUsage(f"{made.local} is past: {until(now, made.at)}", hint="Name a time to come, or leave --at out.")


def _read(naive: dt.datetime, words: list[str], zone: ZoneInfo) -> Moment:
    if len(words) > 2:
        raise ValueError("there is too much after it")
    if not words:
        return _on_the_clock(naive, zone)
    first, *rest = words
    offset = _offset(first)
    if offset is not None and not rest:
        return Moment(naive.replace(tzinfo=dt.timezone(offset)), "")
    if not rest and _SHORT.fullmatch(first) and first != str(zone):
        return _by_word(naive, zone, first)
    place = zone_named(first)
    if place is None:
        raise WrongUsage(f"there is no time zone “{first}”", hint=_near(first))
    return _by_word(naive, place, rest[0]) if rest else _on_the_clock(naive, place)


def _near(name: str) -> str:
    """The zone that was meant, if one is near."""
    by_lower = {each.lower(): each for each in sorted(available_timezones() - _HOSTS_OWN)}
    hint = suggestion(name, list(by_lower))
    near = next((by_lower[lower] for lower in by_lower if f"“{lower}”" in hint), "")
    return f"Did you mean “{near}”?" if near else "Write a name such as Europe/Berlin or America/New_York."


def _offset(word: str) -> dt.timedelta | None:
    """The offset that a word is; ``None`` for any other word. Raises ``ValueError`` for one that no clock has."""
    if word in _UTC:
        return dt.timedelta()
    found = _OFFSET.fullmatch(word)
    if found is None:
        return None
    hours, minutes = int(found[2]), int(found[3] or 0)
    if minutes > 59 or hours > 23:
        raise ValueError(f"{word} is not an offset")
    made = dt.timedelta(hours=hours, minutes=minutes)
    return -made if found[1] == "-" else made


# -- on a zone's clock ----------------------------------------------------------------


def _readings(naive: dt.datetime, zone: ZoneInfo) -> tuple[Moment, Moment]:
    """What a clock's time means by the rules before and after a change nearby (PEP 495); the same twice without one."""
    both = (_fixed(naive.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    first, second = (Moment(each, str(zone)) for each in both)
    return first, second


def _fixed(made: dt.datetime) -> dt.datetime:
    """The same with a plain offset: times of a zone do not compare as moments where its clock is set back."""
    return made.replace(tzinfo=dt.timezone(made.utcoffset() or dt.timedelta()), fold=0)


def _on_the_clock(naive: dt.datetime, zone: ZoneInfo) -> Moment:
    first, second = _readings(naive, zone)
    if first == second:
        return first
    if first.at > second.at:
        raise _never(naive, zone, first, second)
    message = f"the clock in {zone} shows {_clock(naive)} twice: first at {first.utc}, and again at {second.utc}"
    hint = f"Say which is meant: {_told(first)} or {_told(second)}"
    raise Twice(message, hint=hint, both=(first, second))


def _told(made: Moment) -> str:
    """How to type exactly this moment."""
    return f'"{_clock(made.at)} {offset_text(made.at)}"'


def _never(naive: dt.datetime, zone: ZoneInfo, first: Moment, second: Moment) -> WrongUsage:
    """The clock is set forward over what was typed."""
    low, high = second.at.astimezone(dt.UTC), first.at.astimezone(dt.UTC)
    before, after = low.astimezone(zone).utcoffset(), high.astimezone(zone).utcoffset()
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    change = high.replace(microsecond=0)
    old, new = (change + (each or dt.timedelta()) for each in (before, after))
    message = (
        f"there is no {_clock(naive)} in {zone}: "
        f"the clock goes from {_clock(old.replace(tzinfo=None))} straight to {_clock(new.replace(tzinfo=None))}"
    )
    hint = (
        f'By the clock before it this would be "{_clock(first.at.astimezone(zone))}", '
        f'by the clock after it "{_clock(second.at.astimezone(zone))}": write the one that is meant.'
    )
    return WrongUsage(message, hint=hint)


def _by_word(naive: dt.datetime, zone: ZoneInfo, word: str) -> Moment:
    """The reading that an offset or a short name picks; both must agree with the zone."""
    readings = dict.fromkeys(each for each in _readings(naive, zone) if _back(each, zone) == naive)
    if not readings:
        return _on_the_clock(naive, zone)  # tells that there is no such time
    offset = _offset(word)
    for each in readings:
        if each.at.utcoffset() == offset or _short(each.at, zone) == word:
            return each
    if offset is None and not any(_short(dt.datetime(naive.year, m, 1, tzinfo=zone), zone) == word for m in (1, 7)):
        raise WrongUsage(f"“{word}” is not a time of {zone}", hint="Name a zone such as Europe/Berlin, or an offset.")
    now = " or ".join(f"{_short(each.at, zone)} ({offset_text(each.at)})" for each in readings)
    raise WrongUsage(f"at {_clock(naive)} the clock in {zone} is on {now}, not on {word}", hint="Leave it out.")


def _back(made: Moment, zone: ZoneInfo) -> dt.datetime:
    return made.at.astimezone(zone).replace(tzinfo=None, fold=0)


def _short(at: dt.datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).tzname() or ""


# -- what is said ---------------------------------------------------------------------


def _clock(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S" if at.second else "%Y-%m-%d %H:%M")


def offset_text(at: dt.datetime) -> str:
    """``+01:00``."""
    return at.isoformat()[-6:]


def wall(at: dt.datetime, zone: str) -> str:
    """A moment as the clock of a zone shows it; with its offset where no zone is known."""
    place = zone_named(zone) if zone else None
    here = at.astimezone(place) if place else at
    short = here.tzname() or ""
    # Many zones have no short name but their offset.
    named = f"{short} ({zone})" if place and short[:1].isalpha() else zone or offset_text(here)
    return f"{_clock(here)} {named}"


def until(now: dt.datetime, at: dt.datetime) -> str:
    """How far ahead, in its two largest units: ``in 3 days 4 hours``; ``now`` or ``2 hours ago`` otherwise."""
    seconds = round((at - now).total_seconds())
    if not seconds:
        return NOW
    return f"in {length(seconds)}" if seconds > 0 else f"{length(-seconds)} ago"


_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def length(seconds: float) -> str:
    """A length of time in its two largest units."""
    left = round(seconds)
    parts: list[tuple[int, str]] = []
    for name, size in _UNITS:
        count, left = divmod(left, size)
        parts.append((count, name))
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    said = [pair for pair in parts[first : first + 2] if pair[0]] or parts[-1:]
    return " ".join(f"{count:,} {name}{'' if count == 1 else 's'}" for count, name in said)


_LENGTH = re.compile(r"(?:([0-9]{1,3})d)? ?(?:([0-9]{1,4})h)? ?(?:([0-9]{1,5})m(?:in)?)? ?(?:([0-9]{1,6})s)?")


def wait(text: str) -> dt.timedelta:
    """A length of time as it was typed: ``30m``, ``1h30m``, ``2d``; ``0`` for none. Raises ``ValueError``."""
    found = _LENGTH.fullmatch(text.strip())
    if text.strip() == "0":
        return dt.timedelta()
    if found is None or not any(found.groups()):
        raise ValueError("this is not a length of time such as 30m, 2h or 1h30m")
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
