"""``theme.yaml``: names, colours, fonts, widths and the logo of a theme, and which text stands on which ground.

Every text of ``contrast`` is measured against its ground, light and dark, when a theme is loaded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from newsletter.errors import Problem
from newsletter.render.contrast import COLOUR, ENOUGH, contrast, would_do
from newsletter.yamlread import Mapped, Scalar, read, suggestion, text_of, unknown_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from newsletter.model import Place

FILE = "theme.yaml"
DARK = "_dark"
WIDTH = "_width"

_GROUPS = ("colours", "fonts", "widths", "settings")
_KEYS = ("title", "about", "parent", *_GROUPS, "logo", "contrast")
_LOGO = ("light", "dark", "width")
_WIDTH = re.compile(r"[1-9][0-9]{0,3}")


class Value(NamedTuple):
    """One value of a theme: its text, the group it is in, and where it stands."""

    text: str
    group: str
    place: Place


class Pair(NamedTuple):
    """A text and the ground behind it, by the names of their colours."""

    text: str
    ground: str
    place: Place


class ThemeFile(NamedTuple):
    """A ``theme.yaml`` as it stands; widths are named ``x_width`` among the values."""

    title: str = ""
    about: str = ""
    parent: Value | None = None
    values: Mapping[str, Value] = {}
    logo: Mapping[str, Value] = {}
    pairs: tuple[Pair, ...] = ()


class Measured(NamedTuple):
    """A pair with its colours and their contrast in one scheme."""

    pair: Pair
    dark: bool
    text: str
    ground: str
    ratio: float


def read_file(text: str, path: str, problems: list[Problem]) -> ThemeFile:
    """Read one ``theme.yaml``; what is wrong goes to ``problems``."""
    node = read(text, path, problems)
    if node is None:
        return ThemeFile()
    if not isinstance(node, Mapped):
        problems.append(Problem(node.place, "the file must be a list of “key: value” lines"))
        return ThemeFile()
    unknown_keys(node, _KEYS, problems)
    values: dict[str, Value] = {}
    for group in _GROUPS:
        for name, value in _group(node, group, problems).items():
            if before := values.get(name):
                message = f"“{name}” is already given on line {before.place.line}, under {before.group}"
                problems.append(Problem(value.place, message, "Keep one of the two."))
            values[name] = value
    logo = _group(node, "logo", problems)
    _logo(logo, problems)
    single = {key: _single(node, key, problems) for key in ("title", "about", "parent")}
    title, about, parent = single["title"], single["about"], single["parent"]
    return ThemeFile(
        title.text if title else "", about.text if about else "", parent, values, logo, tuple(_pairs(node, problems))
    )


def _single(node: Mapped, key: str, problems: list[Problem]) -> Value | None:
    value = node.get(key)
    text = text_of(value, key, problems) if value else ""
    return Value(text, key, value.place) if value and text else None


def _group(node: Mapped, group: str, problems: list[Problem]) -> dict[str, Value]:
    value = node.get(group)
    if value is None:
        return {}
    if not isinstance(value, Mapped):
        problems.append(Problem(value.place, f"“{group}” takes “name: value” lines below it"))
        return {}
    found: dict[str, Value] = {}
    for entry in value.entries:
        name, place = entry.key.text, entry.value.place
        if isinstance(entry.value, Scalar) and entry.value.kind == "null":
            hint = 'A colour must be quoted, because # begins a comment: "#16191D".'
            problems.append(Problem(entry.key.place, f"the setting “{name}” is empty", hint))
            continue
        text = text_of(entry.value, name, problems)
        if group == "colours" and not COLOUR.fullmatch(text):
            problems.append(Problem(place, f"“{text}” is not a colour", 'Write six hexadecimal digits: "#16191D".'))
        elif group == "widths" and not _WIDTH.fullmatch(text):
            problems.append(Problem(place, f"“{text}” is not a width", "Write a number of pixels, such as 536."))
        else:
            found[name + WIDTH if group == "widths" else name] = Value(text, group, place)
    return found


def _logo(logo: Mapping[str, Value], problems: list[Problem]) -> None:
    for name, value in logo.items():
        if name not in _LOGO:
            problems.append(Problem(value.place, f"a logo has no “{name}”", suggestion(name, _LOGO)))
        elif name == "width" and not _WIDTH.fullmatch(value.text):
            problems.append(Problem(value.place, f"“{value.text}” is not a width", "Write a number of pixels."))
    if logo and (missing := [name for name in _LOGO if name not in logo]):
        place = min(value.place for value in logo.values())
        message = f"a logo needs “{missing[0]}”, too: a dark one vanishes on a dark page"
        problems.append(Problem(place, message, "Write: light: logo.png, dark: logo-dark.png, width: 120."))


def _pairs(node: Mapped, problems: list[Problem]) -> list[Pair]:
    value = node.get("contrast")
    if value is None:
        return []
    if not isinstance(value, Mapped):
        problems.append(Problem(value.place, "“contrast” takes “ground: text text …” lines below it"))
        return []
    return [
        Pair(text, entry.key.text, entry.value.place)
        for entry in value.entries
        for text in text_of(entry.value, entry.key.text, problems).replace(",", " ").split()
    ]


# -- one over the other ---------------------------------------------------------------


def laid_over(files: Sequence[ThemeFile], problems: list[Problem]) -> ThemeFile:
    """The values of a theme over those of its parents; the nearest file comes first."""
    values: dict[str, Value] = {}
    for file in reversed(files):
        for name, value in file.values.items():
            below = values.get(name)
            if below and below.group != value.group:
                message = f"“{name}” is one of the {below.group}, not of the {value.group}"
                problems.append(Problem(value.place, message, f"Move it under “{below.group}:”."))
            else:
                values[name] = value
    pairs = {(pair.text, pair.ground): pair for file in reversed(files) for pair in file.pairs}
    logo = next((file.logo for file in files if file.logo), {})
    own = files[0]
    return ThemeFile(own.title, own.about, own.parent, values, logo, tuple(pairs.values()))


def check(file: ThemeFile, own: str, problems: list[Problem]) -> None:
    """Every colour has a twin for the dark, and every text can be read on its ground.

    ``own`` is the path of the theme's own file: of a pair's colours, the one given there is the one to change.
    """
    colours = {name: value for name, value in file.values.items() if value.group == "colours"}
    for name, value in colours.items():
        twin = name.removesuffix(DARK) if name.endswith(DARK) else name + DARK
        if twin not in colours:
            kind = "light" if name.endswith(DARK) else "dark"
            message = f"the colour “{name}” has no twin for the {kind}"
            problems.append(Problem(value.place, message, f"Add “{twin}”, or the same colour if it stays as it is."))
    for pair in file.pairs:
        for name in (pair.text, pair.ground):
            if name not in colours:
                known = [each for each in colours if not each.endswith(DARK)]
                problems.append(Problem(pair.place, f"there is no colour “{name}”", suggestion(name, known)))
    problems.extend(_pale(found, colours, own) for found in measured(file) if found.ratio < ENOUGH)


def measured(file: ThemeFile) -> list[Measured]:
    """The contrast of every pair, light and dark."""
    colours = {name: value.text for name, value in file.values.items() if value.group == "colours"}
    return [
        Measured(pair, bool(scheme), text, ground, contrast(text, ground))
        for pair in file.pairs
        for scheme in ("", DARK)
        if (text := colours.get(pair.text + scheme)) and (ground := colours.get(pair.ground + scheme))
    ]


def _pale(found: Measured, colours: Mapping[str, Value], own: str) -> Problem:
    scheme = DARK if found.dark else ""
    text, ground = found.pair.text + scheme, found.pair.ground + scheme
    changed = text if colours[text].place.path == own or colours[ground].place.path != own else ground
    message = (
        f"“{text}” {found.text} on “{ground}” {found.ground} has a contrast of {_floor(found.ratio)}:1; "
        f"text needs {ENOUGH}:1"
    )
    would = would_do(found.text, found.ground) if changed == text else would_do(found.ground, found.text)
    return Problem(colours[changed].place, message, f'For “{changed}”, "{would}" would do.')


def _floor(ratio: float) -> str:
    """A ratio that is too low never reads as one that is not."""
    return f"{int(ratio * 100) / 100:.2f}"
