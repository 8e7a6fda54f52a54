"""What may stand where in MJML: the engine passes unknown tags and stray text without a word, so we look for them.

The table is the official engine's own, from ``schema``.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from newsletter.render import places
from newsletter.render.attributes import fault, html_fault
from newsletter.render.markup import Comment, Element, tags
from newsletter.render.schema import ATTRIBUTES, CHILDREN
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from newsletter.errors import Problem

_REFUSED: Mapping[str, str] = {
    "mj-include": 'Write it out; a theme includes with Jinja: {% include "…" %}.',
    "mj-html-attributes": "The engine cannot read it; write the attributes where they belong.",
    "mj-carousel": "The engine gives every carousel the same id; use pictures one below the other.",
    "mj-navbar": "The engine gives every navigation bar the same id; use links in an mj-text.",
}
CONTAINERS: Mapping[str, frozenset[str]] = {
    tag: tags(children) - {*_REFUSED, *({"mj-raw"} if tag == "mjml" else ())}
    for tag, children in CHILDREN.items()
    if children and tag not in {*_REFUSED, "mj-selector"}
}
"""Tags that hold MJML, and which; every other ``mj-`` tag holds HTML, text or nothing.

The engine stops at an mj-raw directly in mjml, which the official one knows.
"""

KNOWN = frozenset({"mjml", "mj-all", "mj-class", *ATTRIBUTES}) - {*_REFUSED, "mj-carousel-image", "mj-navbar-link"}
SECTIONS = CONTAINERS["mj-body"] - {"mj-raw"}
"""Tags that stand in the body itself; everything else stands in a column."""

_TEXT_ONLY = frozenset({"mj-title", "mj-preview", "mj-style"})
_EMPTY = tags("mj-image mj-divider mj-spacer mj-breakpoint mj-font mj-all")
_ONCE = {"mjml": ("mj-head", "mj-body"), "mj-head": ("mj-title", "mj-preview", "mj-breakpoint")}


class _Found(NamedTuple):
    """What one check gathers: the classes that mj-attributes names, and the problems."""

    classes: frozenset[str] | None
    problems: list[Problem]

    def at(self, element: Element, message: str, hint: str, name: str = "") -> None:
        self.problems.append(places.problem(element, message, hint, name))


def check(roots: Iterable[Element]) -> list[Problem]:
    """Every tag, attribute and value that is unknown, refused, or stands where the engine would drop or mangle it."""
    roots = list(roots)
    whole = any(root.tag == "mjml" for root in roots)
    found = _Found(frozenset(_classes(roots)) if whole else None, [])
    for root in roots:
        _check(root, found)
        if root.tag == "mjml" and not any(
            isinstance(each, Element) and each.tag == "mj-body" for each in root.children
        ):
            found.at(root, "<mjml> lacks its <mj-body>", "Write the sections of the mail into an <mj-body>.")
    return found.problems


def _classes(roots: list[Element]) -> Iterator[str]:
    for root in roots:
        for head in (each for each in root.children if isinstance(each, Element) and each.tag == "mj-head"):
            for group in (each for each in head.children if isinstance(each, Element) and each.tag == "mj-attributes"):
                for each in group.children:
                    if isinstance(each, Element) and each.tag == "mj-class":
                        yield each.attributes.get("name", "")


def _check(element: Element, found: _Found) -> None:
    tag = element.tag
    if tag in KNOWN:
        _attributes(element, found)
    elif element.attributes or tag not in _PLAIN:
        _html(element, found)
    if tag == "mj-attributes":
        _defaults(element, found)
        return
    no_text = tag in CONTAINERS or tag in _EMPTY
    for child in element.children:
        if isinstance(child, Element):
            if wrong := _misplaced(tag, child.tag):
                found.at(child, *wrong)
            else:
                _check(child, found)
        elif no_text and (wrong := _stray(element, child)):
            found.at(element, *wrong)
    for once in _ONCE.get(tag, ()):
        same = [each for each in element.children if isinstance(each, Element) and each.tag == once]
        for each in same[1:]:
            found.at(each, f"<{tag}> holds more than one <{once}>", "Keep one of them.")


_PLAIN = tags("b br code em i li ol p strong td tr ul")


def _defaults(element: Element, found: _Found) -> None:
    """The children of mj-attributes, which hold no content but defaults."""
    for child in element.children:
        if not isinstance(child, Element):
            if wrong := _stray(element, child):
                found.at(element, *wrong)
        elif wrong := _unknown(child.tag):
            found.at(child, *wrong)
        elif child.tag in {"mj-attributes", "mj-head", "mjml"} or child.tag not in KNOWN:
            found.at(child, f"<{child.tag}> cannot have defaults", "Name the tag that they are for, such as mj-text.")
        else:
            _attributes(child, found)
            if child.tag == "mj-class":
                if not child.attributes.get("name"):
                    found.at(child, "an mj-class needs a name", 'For example: <mj-class name="small" … />.')
                _defaults(child, found)


def _attributes(element: Element, found: _Found) -> None:
    tag = element.tag
    for name, value in element.attributes.items():
        if wrong := fault(tag, name, value):
            found.at(element, *wrong, name)
        elif name == "mj-class" and found.classes is not None:
            for each in value.split():
                if each not in found.classes:
                    hint = suggestion(each, sorted(found.classes)) if found.classes else "mj-attributes names none."
                    found.at(element, f"there is no mj-class “{each}”", hint, name)


def _html(element: Element, found: _Found) -> None:
    if wrong := html_fault(element.tag, element.attributes):
        name, (message, hint) = wrong
        found.at(element, message, hint, name)


def _unknown(tag: str) -> tuple[str, str] | None:
    if tag in _REFUSED:
        return f"<{tag}> cannot be used here", _REFUSED[tag]
    if tag.lower().startswith("mj") and tag not in KNOWN:
        return f"unknown tag <{tag}>", suggestion(tag, sorted(KNOWN))
    return None


@functools.lru_cache(maxsize=1024)
def _misplaced(parent: str, tag: str) -> tuple[str, str] | None:
    """Why a tag cannot stand in another one."""
    allowed = CONTAINERS.get(parent)
    if wrong := _unknown(tag):
        return wrong
    if allowed is not None and tag not in allowed:
        hint = (
            "HTML stands inside mj-text, mj-table or mj-raw."
            if tag not in KNOWN
            else f"<{parent}> holds: {', '.join(sorted(allowed))}."
        )
        return f"<{tag}> cannot stand directly in <{parent}>", hint
    if parent in _EMPTY:
        return f"<{parent}> holds nothing, and so no <{tag}>", "Close it at once: <… />."
    if allowed is None and tag in KNOWN:
        return f"<{tag}> cannot stand in <{parent}>, which holds HTML", "Close the one before you open the other."
    if parent in _TEXT_ONLY:
        return f"<{parent}> holds text only, not <{tag}>", "Leave the tag away."
    return None


def _stray(element: Element, child: Comment | str) -> tuple[str, str] | None:
    if isinstance(child, Comment):
        if is_conditional(child):
            return f"a conditional comment cannot stand directly in <{element.tag}>", "Put it into an mj-raw."
        return None
    if child.strip():
        return f"text cannot stand directly in <{element.tag}>: “{child.strip()[:60]}”", "Put it into an mj-text."
    return None


def is_conditional(comment: Comment) -> bool:
    """Whether Outlook reads this comment."""
    return comment.text.lstrip().startswith(("[if", "<!["))
