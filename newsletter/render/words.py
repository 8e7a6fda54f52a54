"""The theme's own words, by language; a language without an entry reads English."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

Words = dict[str, str]

_ENGLISH: Words = {
    "view": "View in browser",
    "number": "Issue {number}",
    "by": "{authors}",
    "and": "and",
    "contents": "In this issue",
    "notes": "Notes",
    "note": "Note {number}",
    "back": "Back to the text",
    "sponsor": "Sponsored by {name}",
    "sponsor_plain": "Sponsored",
    "watch": "Watch the video",
    "image": "Image",
    "links": "Links",
    "reason": "You get this letter because you signed up for {name}.",
    "unsubscribe": "Unsubscribe",
    "archive": "All issues",
    "archive_of": "All issues of {name}.",
}

_ALL: Mapping[str, Words] = {
    "en": _ENGLISH,
    "de": {
        "view": "Im Browser ansehen",
        "number": "Ausgabe {number}",
        "by": "{authors}",
        "and": "und",
        "contents": "In dieser Ausgabe",
        "notes": "Anmerkungen",
        "note": "Anmerkung {number}",
        "back": "Zurück zum Text",
        "sponsor": "Anzeige: {name}",
        "sponsor_plain": "Anzeige",
        "watch": "Video ansehen",
        "image": "Bild",
        "links": "Links",
        "reason": "Sie erhalten diesen Brief, weil Sie „{name}“ abonniert haben.",
        "unsubscribe": "Abbestellen",
        "archive": "Alle Ausgaben",
        "archive_of": "Alle Ausgaben von „{name}“.",
    },
}

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_SERVICES: Mapping[str, str] = {
    "github": "GitHub",
    "gitlab": "GitLab",
    "linkedin": "LinkedIn",
    "pixelfed": "Pixelfed",
    "rss": "RSS",
    "soundcloud": "SoundCloud",
    "tiktok": "TikTok",
    "whatsapp": "WhatsApp",
    "x": "X",
    "youtube": "YouTube",
}
_RIGHT_TO_LEFT = frozenset({"ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"})


def words(lang: str) -> Words:
    """The words for a language tag, by its first part."""
    return _ALL.get(_primary(lang), _ENGLISH)


def numbered(number: str, own: Words) -> str:
    """An issue's number as readers see it; what is no bare number stays as the author wrote it."""
    return own["number"].format(number=number) if number.isdecimal() else number


def direction(lang: str) -> str:
    """``rtl`` or ``ltr``."""
    return "rtl" if _primary(lang) in _RIGHT_TO_LEFT else "ltr"


def day(date: dt.datetime, lang: str) -> str:
    """The day as readers write it, such as 23 November 2026."""
    if _primary(lang) == "en":
        return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"
    from babel import UnknownLocaleError
    from babel.dates import format_date

    try:
        return format_date(date.date(), "long", locale=lang.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return date.date().isoformat()


def listing(names: Sequence[str], conjunction: str) -> str:
    """Names in a row: “A”, “A and B”, “A, B and C”."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {conjunction} {names[-1]}"


def service(name: str) -> str:
    """A social service as it writes itself."""
    return _SERVICES.get(name.lower(), name[:1].upper() + name[1:])


def _primary(lang: str) -> str:
    return lang.partition("-")[0].lower()
