"""A theme's style sheets: ``$name`` is a setting, and the dark sheet is written for two kinds of client.

``inline.css`` holds the styles that are written into the mail's elements, ``mail.css`` and
``dark.css`` the style sheet of its head, ``web/page.css`` that of the web page. One that begins with
``@parent;`` comes behind its parent's; ``inline.css`` is laid over its parent's in any case, name by name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.errors import Problem
from newsletter.model import Place
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Layers = Sequence[Mapping[str, tuple[str, str]]]
    """The files of a theme and of its parents, the nearest first: text and path by name."""

INLINE = "inline.css"
MAIL = "mail.css"
DARK = "dark.css"
PAGE = "web/page.css"
ALL = (INLINE, MAIL, DARK, PAGE)

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"\s*([^{}@]+?)\s*\{([^{}]*)\}")
_BRACE = re.compile(r"""[{}]|/\*.*?\*/|"[^"\n]*"|'[^'\n]*'""", re.DOTALL)
_SETTING = re.compile(r"\$([a-z][a-z0-9_]*)")
_PARENT = re.compile(r"\A\s*@parent;")
_DIRECTIONS = frozenset({"start", "end"})


def filled(name: str, text: str, path: str, settings: Mapping[str, str], problems: list[Problem]) -> str:
    """A style sheet without its comments, settings put in; in ``inline.css`` the reading direction is left open."""

    def value(found: re.Match[str]) -> str:
        word = found[1]
        if word in settings:
            return settings[word]
        if name != INLINE or word not in _DIRECTIONS:
            place = Place(path, _line(text, found[0]))
            problems.append(Problem(place, f"there is no setting “{word}”", suggestion(word, settings)))
        return found[0]

    return _SETTING.sub(value, _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text))


def laid(name: str, layers: Layers, settings: Mapping[str, str], problems: list[Problem]) -> str:
    """A style sheet of the nearest theme that has it, behind its parent's where it asks for that."""
    return "\n".join(css for css, _ in _laid(name, layers, settings, problems))


def laid_rules(
    name: str, layers: Layers, settings: Mapping[str, str], problems: list[Problem]
) -> list[tuple[str, str]]:
    """The same as pairs of selector and declarations."""
    return [rule for css, path in _laid(name, layers, settings, problems) for rule in rules(css, path, problems)]


def _laid(name: str, layers: Layers, settings: Mapping[str, str], problems: list[Problem]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for files in layers:
        if name not in files:
            continue
        css = filled(name, *files[name], settings, problems)
        found.insert(0, (_PARENT.sub("", css, count=1).rstrip(), files[name][1]))
        if name != INLINE and not _PARENT.match(css):
            break
    return found


def rules(css: str, path: str, problems: list[Problem]) -> list[tuple[str, str]]:
    """Pairs of selector and declarations; anything else between them is a problem."""
    found: list[tuple[str, str]] = []
    at = 0
    while match := _RULE.match(css, at):
        found.append((" ".join(match[1].split()), " ".join(match[2].split()).rstrip(";")))
        at = match.end()
    if css[at:].strip():
        start = at + len(css[at:]) - len(css[at:].lstrip())
        place = Place(path, css.count("\n", 0, start) + 1)
        message = "this is not a rule of the form “name { property: value }”"
        problems.append(
            Problem(place, message, "@media and other blocks belong into mail.css.", css[start:].split("\n", 1)[0])
        )
    return found


def balanced(css: str, path: str, problems: list[Problem]) -> None:
    """Report a brace without its other half: what follows it would be lost without a word."""
    opened: list[int] = []
    for found in _BRACE.finditer(css):
        if found[0] == "{":
            opened.append(found.start())
        elif found[0] == "}" and not opened:
            place = Place(path, css.count("\n", 0, found.start()) + 1)
            problems.append(Problem(place, "this } closes nothing", "Delete it, or open a rule before it."))
        elif found[0] == "}":
            opened.pop()
    for start in opened:
        line = css.count("\n", 0, start) + 1
        excerpt = css.split("\n")[line - 1].strip()
        problems.append(Problem(Place(path, line), "this { is never closed", "Write } behind its rules.", excerpt))


def head(mail: str, dark: list[tuple[str, str]]) -> str:
    """The style sheet of the mail's head: the dark rules for clients with a media query, and for Outlook."""
    plain = "\n".join(f"{selector} {{ {declarations} }}" for selector, declarations in dark)
    outlook = "\n".join(
        f"{_for_outlook(selector, declarations)} {{ {declarations} }}" for selector, declarations in dark
    )
    return f"{mail.strip()}\n@media (prefers-color-scheme: dark) {{\n{plain}\n}}\n{outlook}\n"


def _for_outlook(selector: str, declarations: str) -> str:
    """Outlook marks what it recoloured: ``data-ogsb`` where a background was, ``data-ogsc`` where a colour was."""
    mark = "[data-ogsb]" if declarations.lstrip().startswith("background") else "[data-ogsc]"
    return ", ".join(f"{mark} {each.strip()}" for each in selector.split(","))


def _line(text: str, part: str) -> int:
    return text.count("\n", 0, text.find(part)) + 1
