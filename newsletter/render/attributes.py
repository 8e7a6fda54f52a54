"""What MJML's attributes may hold: the engine passes unknown names and bad values without a word, so we look for them.

The types are the official engine's own, from ``schema``. Beside them stand the attributes that it knows and
ours loses, and what no mail may hold: scripts.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from newsletter.personal import PRIVATE
from newsletter.render.schema import ATTRIBUTES, COLOURS
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

Fault = tuple[str, str]
"""What is wrong, and what to do about it."""

EVERYWHERE: Mapping[str, str] = {"css-class": "string", "mj-class": "string"}
_OWN: Mapping[str, Mapping[str, str]] = {
    "mjml": {"lang": "string", "dir": "enum(ltr,rtl,auto)", "owa": "enum(desktop)"},
    "mj-class": {"name": "string"},
}
ANY: Mapping[str, frozenset[str]] = {
    name: frozenset(types[name] for types in (*ATTRIBUTES.values(), {"css-class": "string"}) if name in types)
    for name in sorted({"css-class"}.union(*ATTRIBUTES.values()))
}
"""Every attribute of any tag with its types, for mj-all and mj-class."""

_LOST: Mapping[tuple[str, str], tuple[frozenset[str], str]] = {
    ("mj-body", "id"): (frozenset(), "Use css-class."),
    ("mj-hero", "mode"): (frozenset({"fixed-height"}), "Leave it away, and give the hero a height."),
    ("mj-hero", "border-radius"): (frozenset({"0", "0px"}), "Leave it away."),
    ("mj-column", "inner-border-radius"): (frozenset({"0", "0px"}), "Use border-radius."),
    ("mj-image", "border-top"): (frozenset({"0", "none"}), "Use border, or a style in an mj-text."),
    ("mj-image", "border-bottom"): (frozenset({"0", "none"}), "Use border, or a style in an mj-text."),
    ("mj-section", "gutter"): (frozenset({"0", "0px"}), "Give the columns a padding."),
    ("mj-wrapper", "gutter"): (frozenset({"0", "0px"}), "Give the columns a padding."),
    ("mj-social", "border"): (frozenset({"0", "none"}), "Put the border on the column."),
    ("mj-social-element", "border"): (frozenset({"0", "none"}), "Put the border on the column."),
    ("mj-social-element", "icon-position"): (frozenset({"left"}), "Icons stand on the left."),
    ("mj-accordion-title", "font-weight"): (frozenset({"normal", "400"}), "Put the words into a <b>."),
    ("mj-style", "inline"): (frozenset(), "Write the styles into the elements, or into the theme's inline.css."),
}
"""What our engine loses of what the official one knows: the values that change nothing, and what to do instead.

Found on 2026-11-25 by giving each attribute to both; mjml-python 1.4.2 against MJML 5.4.1.
"""

_HTML = {
    "class": "Here it is called css-class.",
    "style": "Styles belong to the HTML inside, or to a css-class with an mj-style.",
}
"""Attributes of HTML that people write on MJML."""

_SCRIPTS = frozenset({"applet", "base", "embed", "frame", "frameset", "iframe", "object", "portal", "script"})
_BAD_URL = re.compile(r"[\x00-\x20]*(javascript|vbscript|data|file)[\x00-\x20]*:", re.IGNORECASE)
_URLS = frozenset({"action", "background", "background-url", "formaction", "href", "poster", "src", "xlink:href"})


@functools.lru_cache(maxsize=4096)
def fault(tag: str, name: str, value: str) -> Fault | None:
    """What is wrong with an attribute of an MJML tag."""
    if tag in {"mj-all", "mj-class"} and name not in _OWN.get(tag, ()):
        types = ANY.get(name, frozenset())
    else:
        known = {**ATTRIBUTES.get(tag, {}), **EVERYWHERE, **_OWN.get(tag, {})}
        types = frozenset({known[name]}) if name in known else frozenset()
    if not types:
        names = ANY if tag in {"mj-all", "mj-class"} else (*ATTRIBUTES.get(tag, ()), *_OWN.get(tag, ()), *EVERYWHERE)
        return f"<{tag}> has no attribute “{name}”", _HTML.get(name) or suggestion(name, names)
    if name in _URLS and (found := _BAD_URL.match(value)):
        return _bad_url(name, found)
    harmless, instead = _LOST.get((tag, name), (frozenset({value}), ""))
    if value not in harmless:
        return f"the engine does nothing with “{name}” of <{tag}>", instead
    if "string" in types:
        return None
    if PRIVATE.search(value):
        return f"a field cannot stand in “{name}”", "Fields may stand in text, addresses, alt and title."
    faults = [_value(name, value, each) for each in sorted(types)]
    return None if None in faults else faults[0]


def html_fault(tag: str, attributes: Mapping[str, str]) -> tuple[str, Fault] | None:
    """What may not stand in a mail's HTML: the attribute (or nothing, for the tag itself), and why."""
    if tag.lower() in _SCRIPTS:
        return "", (f"<{tag}> cannot stand in a mail", "No client runs it, and many refuse the mail. Leave it away.")
    for name, value in attributes.items():
        if name[:2].lower() == "on":
            return name, (f"a script (“{name}”) cannot stand in a mail", "Leave the attribute away.")
        if name.lower() in _URLS and (found := _BAD_URL.match(value)):
            if tag == "img" and found[1].lower() == "data":
                continue
            return name, _bad_url(name, found)
    return None


def _bad_url(name: str, found: re.Match[str]) -> Fault:
    message = f"an address that begins with “{found[1].lower()}:” cannot stand in “{name}”"
    return message, "Use an address that begins with https://, http://, mailto: or tel:."


# -- the types ------------------------------------------------------------------------

_UNIT = re.compile(r"(unit|unitWithNegative)\(([^)]*)\)(?:\{(\d),(\d)\})?")
_COLOUR = re.compile(
    r"#(?:[0-9a-fA-F]{3}){1,2}|rgb\(\d{1,3},\s?\d{1,3},\s?\d{1,3}\)"
    r"|rgba\(\d{1,3},\s?\d{1,3},\s?\d{1,3},\s?(?:\d(?:\.\d{1,3})?|\.\d{1,3})\)"
)
_NAMES = frozenset(COLOURS.split())


def _value(name: str, value: str, kind: str) -> Fault | None:
    """What is wrong with a value of a type, as the official engine calls it."""
    if kind == "color":
        return _colour(name, value)
    return _measure(name, value, kind) if kind.startswith("unit") else _word(name, value, kind)


def _word(name: str, value: str, kind: str) -> Fault | None:
    if kind == "integer":
        return _unless(value.isdecimal() and value.isascii(), name, value, "takes a whole number", "For example: 4.")
    choices = [each for each in kind[5:-1].split(",") if each] if kind.startswith("enum") else ["true", "false"]
    good = value in choices or (not value and kind.endswith(",)"))
    return _unless(good, name, value, f"takes one of: {', '.join(choices)}", suggestion(value, choices))


def _colour(name: str, value: str) -> Fault | None:
    hint = "Write it as #16191D, rgb(22, 25, 29) or rgba(22, 25, 29, 0.5)."
    if re.fullmatch(r"[A-Za-z]+", value):
        hint = suggestion(value, sorted(_NAMES)) if value not in _NAMES else ""
        hint = hint if hint.startswith("Did you") else "Write it as #16191D, or use one of the names that CSS knows."
    good = value in _NAMES or _COLOUR.fullmatch(value) is not None
    return None if good else (f"“{name}” takes a colour, not “{_short(value)}”", hint)


def _measure(name: str, value: str, kind: str) -> Fault | None:
    pattern, least, most, units = _measures(kind)
    parts = value.split()
    named = " or ".join(f"in {each}" if each else "without a unit" for each in units if each != "auto")
    count = "one number" if most == 1 else f"{least} to {most} numbers"
    says = f"takes {count} {named}{', or auto' if 'auto' in units else ''}"
    example = f'For example: {name}="{" ".join(["24" + units[0]] * min(most, 2))}".'
    if len(parts) == 1 and re.fullmatch(r"-?[\d.]+", value) and units[0]:
        example = f"Write the unit: {value}{units[0]}."
    good = least <= len(parts) <= most and all(pattern.fullmatch(part) for part in parts)
    return _unless(good, name, value, says, example)


@functools.cache
def _measures(kind: str) -> tuple[re.Pattern[str], int, int, list[str]]:
    found = _UNIT.fullmatch(kind)
    if found is None:
        message = f"the schema holds a type that nobody reads: {kind}"
        raise ValueError(message)
    units = found[2].split(",")
    sign = "-?" if found[1] == "unitWithNegative" else ""
    suffix = "|".join(re.escape(each) for each in units if each != "auto")
    auto = "|auto" if "auto" in units else ""
    number = r"(?:\d+(?:\.\d+)?|\.\d+)"
    pattern = re.compile(f"{sign}{number}(?:{suffix})|0{auto}")
    return pattern, int(found[3] or 1), int(found[4] or 1), units


def _unless(good: bool, name: str, value: str, says: str, hint: str = "") -> Fault | None:  # noqa: FBT001 - the condition itself
    return None if good else (f"“{name}” {says}, not “{_short(value)}”", hint)


def _short(value: str) -> str:
    return value if len(value) <= 40 else f"{value[:40]}…"
