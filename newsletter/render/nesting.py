"""What may stand where in MJML: the engine passes unknown tags and stray text without a word, so we look for them.

The table follows the official engine's own component classes (MJML 5.4.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.errors import Problem
from newsletter.model import Place
from newsletter.render.markup import Comment, Element, tags
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CONTENT = tags("mj-accordion mj-button mj-divider mj-image mj-raw mj-social mj-spacer mj-table mj-text")
CONTAINERS: Mapping[str, frozenset[str]] = {
    "mjml": frozenset({"mj-head", "mj-body", "mj-raw"}),
    "mj-head": tags("mj-attributes mj-breakpoint mj-font mj-preview mj-style mj-title mj-raw"),
    "mj-body": tags("mj-section mj-wrapper mj-hero mj-raw"),
    "mj-wrapper": frozenset({"mj-section", "mj-hero", "mj-raw"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _CONTENT,
    "mj-hero": _CONTENT,
    "mj-social": frozenset({"mj-social-element", "mj-raw"}),
    "mj-accordion": frozenset({"mj-accordion-element", "mj-raw"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text", "mj-raw"}),
}
"""Tags that hold MJML, and which; every other ``mj-`` tag holds HTML, text or nothing."""

_LEAVES = tags("mj-breakpoint mj-font mj-preview mj-style mj-title mj-attributes mj-all mj-class mj-social-element")
KNOWN = frozenset().union(CONTAINERS, _CONTENT, _LEAVES, *CONTAINERS.values())
SECTIONS = CONTAINERS["mj-body"] - {"mj-raw"}
"""Tags that stand in the body itself; everything else stands in a column."""

_REFUSED: Mapping[str, str] = {
    "mj-include": 'Include with Jinja: {% include "…" %}.',
    "mj-html-attributes": "The engine cannot read it; write the attributes where they belong.",
    "mj-carousel": "The engine gives every carousel the same id; use pictures one below the other.",
    "mj-navbar": "The engine gives every navigation bar the same id; use links in an mj-text.",
}
_TEXT_ONLY = frozenset({"mj-title", "mj-preview", "mj-style"})


def check(roots: Iterable[Element]) -> list[Problem]:
    """Every tag that is unknown, refused, or stands where the engine would drop or mangle it."""
    problems: list[Problem] = []
    for root in roots:
        _check(root, problems)
    return problems


def _check(element: Element, problems: list[Problem]) -> None:
    allowed = CONTAINERS.get(element.tag)
    for child in element.children:
        if isinstance(child, Element):
            if found := _wrong(element, child, allowed):
                problems.append(_at(child, *found))
            elif element.tag != "mj-attributes":
                _check(child, problems)
        elif allowed is not None and (found := _stray(element, child)):
            problems.append(_at(element, *found))


def _wrong(parent: Element, child: Element, allowed: frozenset[str] | None) -> tuple[str, str] | None:
    tag = child.tag
    if tag in _REFUSED:
        return f"<{tag}> cannot be used here", _REFUSED[tag]
    return _unknown(tag) or (_misplaced(parent, tag, allowed) if parent.tag != "mj-attributes" else None)


def _unknown(tag: str) -> tuple[str, str] | None:
    if tag.lower().startswith("mj") and tag not in KNOWN:
        return f"unknown tag <{tag}>", suggestion(tag, sorted(KNOWN))
    return None


def _misplaced(parent: Element, tag: str, allowed: frozenset[str] | None) -> tuple[str, str] | None:
    if allowed is not None and tag not in allowed:
        hint = (
            "HTML stands inside mj-text, mj-table or mj-raw."
            if tag not in KNOWN
            else f"<{parent.tag}> holds: {', '.join(sorted(allowed))}."
        )
        return f"<{tag}> cannot stand directly in <{parent.tag}>", hint
    if allowed is None and tag in KNOWN:
        return f"<{tag}> cannot stand in <{parent.tag}>, which holds HTML", "Close the one before you open the other."
    if parent.tag in _TEXT_ONLY:
        return f"<{parent.tag}> holds text only, not <{tag}>", "Leave the tag away."
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


def _at(element: Element, message: str, hint: str) -> Problem:
    origin = element.origin
    if origin.block and not origin.verbatim:
        message = f"{message} (building the block at {origin.block})"
    if origin.verbatim:
        return Problem(Place(origin.path, origin.first_line + element.line - 1), message, hint)
    tag = f"<{element.tag}"
    lines = origin.source.split("\n")
    line = next((index for index, each in enumerate(lines, 1) if tag in each), min(element.line, len(lines)))
    return Problem(Place(origin.path, line), message, hint, lines[line - 1].strip())
