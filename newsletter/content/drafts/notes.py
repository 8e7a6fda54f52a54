"""Footnotes in HTML: a mark that links to a text which links back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from newsletter.content.drafts.tree import Element

_LONGEST_MARK = 6
_TEXTS = frozenset({"li", "p", "div", "aside", "section", "dd"})


class Found(NamedTuple):
    """One footnote: its number, the element with its text, and the ids of what it links back to."""

    label: str
    element: Element
    backs: frozenset[str]


def find(root: Element, label: str) -> dict[str, Found]:
    """The footnotes of a page by the id of their text, numbered in the order of their marks."""
    by_id = {each.get("id"): each for each in root.all() if each.get("id")}
    found: dict[str, Found] = {}
    for mark in root.find("a"):
        target = mark.get("href").removeprefix("#")
        if not mark.get("href").startswith("#") or target in found or not 0 < len(mark.text()) <= _LONGEST_MARK:
            continue
        text = by_id.get(target)
        if text is None or text.tag not in _TEXTS:
            continue
        backs = frozenset(
            href
            for href in (each.get("href").removeprefix("#") for each in text.find("a"))
            if href in by_id and _marks(by_id[href], target)
        )
        if backs:
            found[target] = Found(f"{label}{len(found) + 1}", text, backs)
    return found


def _marks(element: Element, target: str) -> bool:
    """Whether an element is the mark of the footnote ``target``, or little more than it."""
    links = [each for each in element.all() if each.tag == "a" and each.get("href") == f"#{target}"]
    return bool(links) and len(element.text()) <= _LONGEST_MARK


def emptied(element: Element, notes: Mapping[str, Found]) -> bool:
    """Whether nothing but a heading is left of an element when its footnotes are taken out."""
    inside = {id(each) for each in element.all()}
    own = [note.element for note in notes.values() if id(note.element) in inside]
    heads = [head.text() for head in element.find("h1", "h2", "h3", "h4", "h5", "h6")]
    words = [each.text() for each in (*own,)]
    left = element.text()
    for part in (*words, *heads):
        left = left.replace(part, "", 1)
    return bool(own) and not left.strip()
