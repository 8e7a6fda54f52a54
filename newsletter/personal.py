"""Merge fields: their marks in text, their values for one person, and joining the two.

A field is lifted out of the author's text before Markdown sees it and a *mark* of the same
length is left in its place: one start character, digits, and padding, all from Unicode's
private plane 15, so that no Markdown rule touches it and every position holds. After the mail
is rendered it is cut at the marks once (``cut``); ``join`` then puts one person's values
between the static parts, escaped for where they stand. A value is never compiled.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import quote

from newsletter.model import Context, Field, Slot, Template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

RESERVED = frozenset({"email", "unsubscribe_url", "view_url"})
"""Names that every person has; a CSV column may not take them, except ``email``."""

LINKS = frozenset({"unsubscribe_url", "view_url"})
"""Reserved names whose value is a whole, trusted URL."""

FILTERS: Mapping[str, tuple[int, int]] = {
    "default": (1, 1),
    "upper": (0, 0),
    "lower": (0, 0),
    "title": (0, 0),
    "date": (1, 1),
    "number": (0, 0),
    "plural": (1, 6),
    "urlencode": (0, 0),
}
"""Filters and how many arguments each takes, at least and at most."""

WHOLE = "link"
"""The filter that the program itself adds to a field that is a whole address; authors cannot write it."""

_START = "\U000f0000"
_PAD = "\U000f0001"
_DIGIT = 0xF0100
_BASE = 0x8000
MARK = re.compile("\U000f0000([\U000f0100-\U000f80ff]+)\U000f0001*")
PRIVATE = re.compile("[\U000f0000-\U000f80ff]")
"""Characters that authors may not use, because the marks are made of them."""


class CannotRender(ValueError):
    """A person's value does not fit its field; the text says which and why, without the value."""


def mark(index: int, length: int) -> str:
    """The mark of field ``index``, exactly ``length`` characters long (at least 3)."""
    digits = chr(_DIGIT + index % _BASE)
    while index := index // _BASE:
        digits = chr(_DIGIT + index % _BASE) + digits
    return (_START + digits).ljust(length, _PAD)


def number(match: re.Match[str]) -> int:
    """The field's index that a match of ``MARK`` stands for."""
    value = 0
    for char in match[1]:
        value = value * _BASE + ord(char) - _DIGIT
    return value


def cut(text: str, context: Context, fields: Sequence[Field]) -> Template:
    """Cut ``text`` at its marks; in ``url`` context a whole URL, and what is encoded already, goes in as it is."""
    parts: list[str | Slot] = []
    at = 0
    for found in MARK.finditer(text):
        if found.start() > at:
            parts.append(text[at : found.start()])
        index = number(found)
        ready = context == "url" and (is_whole(fields[index]) or is_encoded(fields[index]))
        parts.append(Slot(index, "link" if ready else context))
        at = found.end()
    if at < len(text):
        parts.append(text[at:])
    return tuple(parts)


def replace(text: str, value: Callable[[int], str]) -> str:
    """``text`` with each mark replaced by ``value`` of its field's index."""
    return MARK.sub(lambda found: value(number(found)), text)


# -- one person's values --------------------------------------------------------------


def evaluate(field: Field, values: Mapping[str, str], lang: str) -> str:
    """The text of ``field``, its filters applied in order; missing and blank are both empty.

    Raises ``CannotRender`` when a filter cannot work on the value.
    """
    value = values.get(field.name, "")
    if not value.strip():
        value = ""
    for each in field.filters:
        value = _FILTERS[each.name](value, field.name, each.args, lang)
    return value


def _date(value: str, name: str, args: Sequence[str], lang: str) -> str:
    if not value:
        return ""
    try:
        day = dt.datetime.fromisoformat(value.strip())
    except ValueError:
        message = f"{name} is not an ISO date such as 2026-11-23"
        raise CannotRender(message) from None
    from babel.dates import format_datetime

    return format_datetime(day, args[0], locale=_locale(lang))


_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?")


def _quantity(value: str, name: str) -> Decimal:
    if not _NUMBER.fullmatch(value.strip()):
        message = f"{name} is not a number such as 1234.5"
        raise CannotRender(message)
    return Decimal(value.strip())


def _number(value: str, name: str, _args: Sequence[str], lang: str) -> str:
    if not value:
        return ""
    from babel.numbers import format_decimal

    return format_decimal(_quantity(value, name), locale=_locale(lang), decimal_quantization=False)


def _plural(value: str, name: str, args: Sequence[str], lang: str) -> str:
    """The word for a number; a form that was not given, such as that of fractions, is the last one."""
    if not value:
        return ""
    from babel import Locale

    form = Locale.parse(_locale(lang)).plural_form(abs(_quantity(value, name)))
    return dict(zip(plural_forms(lang, len(args)), args, strict=True)).get(form, args[-1])


_CATEGORIES = ("zero", "one", "two", "few", "many", "other")


@functools.lru_cache(256)
def plural_forms(lang: str, given: int = 0) -> tuple[str, ...]:
    """The CLDR plural categories that a language's words are given for: those of everyday whole numbers.

    All that it has, with fractions and whole millions, where as many words are ``given``.
    """
    from babel import Locale

    rule = Locale.parse(_locale(lang)).plural_form
    every = tuple(each for each in _CATEGORIES if each in {*rule.tags, "other"})
    if given == len(every):
        return every
    met = {rule(count) for count in range(201)}
    return tuple(each for each in every if each in met)


def _locale(lang: str) -> str:
    return lang.replace("-", "_")


_ADDRESS = re.compile(r"(?i:(https?)://)(?P<host>[^/?#\\]+)(?P<rest>.*)|(?i:mailto|tel):.+")
_UNFIT = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff\"<>\\^`{|}]")


def _address(value: str, name: str, _args: Sequence[str], _lang: str) -> str:
    """A whole address, for a link that is nothing but a field: never a script, and never relative."""
    text = value.strip()
    if not text:
        message = f"{name} is empty, and a link needs an address"
        raise CannotRender(message)
    found = _ADDRESS.fullmatch(text)
    if not found or _UNFIT.search(text):
        message = f"{name} is no address for a link: http, https, mailto or tel"
        raise CannotRender(message)
    if found["host"] and not found["host"].isascii():
        try:
            text = text[: found.start("host")] + found["host"].encode("idna").decode() + found["rest"]
        except UnicodeError:
            message = f"{name} is an address whose host cannot be"
            raise CannotRender(message) from None
    return quote(text, safe="!#$%&()*+,/:;=?@[]~")


_FILTERS: Mapping[str, Callable[[str, str, Sequence[str], str], str]] = {
    "default": lambda value, _name, args, _lang: value or args[0],
    "upper": lambda value, *_: value.upper(),
    "lower": lambda value, *_: value.lower(),
    "title": lambda value, *_: re.sub(r"[^\s\-]+", lambda word: word[0][:1].upper() + word[0][1:].lower(), value),
    "urlencode": lambda value, *_: quote(value, safe=""),
    "date": _date,
    "number": _number,
    "plural": _plural,
    WHOLE: _address,
}


def is_whole(field: Field) -> bool:
    """Whether a field's value is a whole address: a link of the reader's own, or one that was checked."""
    return field.name in LINKS or any(each.name == WHOLE for each in field.filters)


def is_encoded(field: Field) -> bool:
    """Whether a field's value comes out percent-encoded already."""
    return bool(field.filters) and field.filters[-1].name == "urlencode"


def without_reader(field: Field, lang: str, base: str = "") -> str:
    """What stands for ``field`` where there is no reader: its default, else ``[name]``; links go to ``base``."""
    if field.name in LINKS:
        return f"{base.rstrip('/')}/{'u' if field.name == 'unsubscribe_url' else 'v'}/example"
    if field.default is None:
        return f"[{field.name}]"
    return evaluate(field, {}, lang)


# -- joining --------------------------------------------------------------------------


_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;"))
"""The ampersand first: it stands in the others."""


def escape_html(value: str) -> str:
    """``value`` as HTML text or as an attribute's value in either kind of quotes."""
    if value.isalnum():
        return value
    for special, entity in _ENTITIES:
        if special in value:  # which a long text tells in no time, unlike ``replace``
            value = value.replace(special, entity)
    return value


_NOT_IN_HEADER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Unicode's categories Cc, Zl, Zp and Cs, which never grow."""


def unsafe_in_header(value: str) -> str:
    """The name of the first character that may not stand in a header, or an empty string.

    Control characters (C0, C1, DEL) and the Unicode line and paragraph separators, RFC 5322 §2.2.
    """
    bad = None if value.isprintable() else _NOT_IN_HEADER.search(value)
    return f"U+{ord(bad[0]):04X}" if bad else ""


_BREAKS = re.compile(r" *[\t\r\n][ \t\r\n]*")


def _header(value: str) -> str:
    """``value`` on one line: tabs and line breaks, which spreadsheets leave in cells, become one space."""
    if _BREAKS.search(value):
        value = _BREAKS.sub(" ", value).strip(" ")
    if bad := unsafe_in_header(value):
        message = f"a value holds {bad}, which may not stand in a header"
        raise CannotRender(message)
    return value


_ESCAPE: Mapping[str, Callable[[str], str]] = {
    "html": escape_html,
    "url": lambda value: quote(value, safe=""),
    "link": escape_html,
    "text": lambda value: value,
    "header": _header,
}


def escaper(context: Context) -> Callable[[str], str]:
    """How a value is written in ``context``; for a header it raises ``CannotRender`` when it may not stand there."""
    return _ESCAPE[context]


def join(template: Template, values: Sequence[str]) -> str:
    """One person's text: ``values[i]`` is the evaluated value of field ``i``."""
    if len(template) == 1 and isinstance(template[0], str):
        return template[0]
    return "".join([part if isinstance(part, str) else _ESCAPE[part.context](values[part.field]) for part in template])


def used(templates: Iterable[Template]) -> frozenset[int]:
    """The indexes of the fields that stand in any of ``templates``."""
    return frozenset(part.field for template in templates for part in template if isinstance(part, Slot))
