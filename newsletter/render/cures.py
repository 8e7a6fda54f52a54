"""What our MJML engine does not know but the official one does, said in other words before it runs.

Children of an mj-class stop it; the gap of a wrapper and the direction of a right-to-left mail are
lost; a button grows by its border. The cures change the tree; what is cured while it is written out stands in ``mjml``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.render.markup import Element

if TYPE_CHECKING:
    from collections.abc import Iterator

_RIGHT_TO_LEFT = (
    *(("mj-wrapper", "direction", "rtl"), ("mj-section", "direction", "rtl"), ("mj-group", "direction", "rtl")),
    *(("mj-column", "direction", "rtl"), ("mj-text", "align", "right"), ("mj-table", "align", "right")),
)
"""What must be said besides ``dir`` on the root; the official engine needs it as well."""


def cure(root: Element) -> None:
    """Rewrite a checked ``<mjml>`` tree in place."""
    head = next(_children(root, "mj-head"), None)
    groups = list(_children(head, "mj-attributes")) if head else []
    if root.attributes.get("dir") == "rtl":
        if head is None:
            head = _made(root, "mj-head")
            root.children.insert(0, head)
        if not groups:
            groups = [_made(head, "mj-attributes")]
            head.children.insert(0, groups[0])
        _mirror(groups)
    inherited = _take_classes(groups)
    gaps = "gap" in {name for group in groups for each in _all(group) for name in each.attributes}
    for body in _children(root, "mj-body"):
        if inherited:
            _inherit(body, "", inherited)
        _fit_buttons(body, groups)
        for index, child in enumerate(body.children):
            if isinstance(child, Element) and child.tag == "mj-wrapper" and ("gap" in child.attributes or gaps):
                body.children[index] = _with_gaps(child, _default(groups, child, "gap"))


def _mirror(groups: list[Element]) -> None:
    """Defaults for right to left, where the theme names none of its own."""
    last = groups[-1]
    for tag, name, value in _RIGHT_TO_LEFT:
        if any(name in each.attributes for group in groups for each in _all(group) if each.tag in {tag, "mj-all"}):
            continue
        made = _made(last, tag)
        made.attributes[name] = value
        last.children.append(made)


Inherited = dict[str, dict[str, dict[str, str]]]
"""For a class, what it says of the tags below: their attributes."""


def _take_classes(groups: list[Element]) -> Inherited:
    """Take the children out of each mj-class."""
    inherited: Inherited = {}
    for group in groups:
        for each in _all(group):
            if each.tag == "mj-class" and (below := list(_all(each))):
                known = inherited.setdefault(each.attributes.get("name", ""), {})
                for child in below:
                    known[child.tag] = {**known.get(child.tag, {}), **child.attributes}
                each.children = []
    return inherited


def _inherit(element: Element, classes: str, inherited: Inherited) -> None:
    """What the classes of an element's nearest ancestor with any say of it; its own attributes win."""
    for child in _all(element):
        if not child.tag.startswith("mj-"):
            continue
        found: dict[str, str] = {}
        for name in classes.split(" "):
            found |= inherited.get(name, {}).get(child.tag, {})
        own = child.attributes.get("mj-class", classes)
        if found:
            child.attributes = {**found, **child.attributes}
        _inherit(child, own, inherited)


def _default(groups: list[Element], element: Element, name: str) -> str:
    """An attribute's value as the engines look it up: its own, else by class, by tag, and of all."""
    if name in element.attributes:
        return element.attributes[name]
    found = ""
    for tag in ("mj-all", element.tag):
        for group in groups:
            for each in _children(group, tag):
                found = each.attributes.get(name, found)
    for class_ in element.attributes.get("mj-class", "").split():
        for group in groups:
            for each in _children(group, "mj-class"):
                if each.attributes.get("name") == class_:
                    found = each.attributes.get(name, found)
    return found


_BORDER = re.compile(r"(?:^|\s)(\d+(?:\.\d+)?)px")


def _fit_buttons(element: Element, groups: list[Element]) -> None:
    """A button's width holds its border; our engine puts the border around it."""
    for child in _all(element):
        if child.tag == "mj-button":
            width = _BORDER.fullmatch(_default(groups, child, "width"))
            around = sum(_border(groups, child, side) for side in ("left", "right")) if width else 0.0
            if width and around:
                child.attributes["width"] = f"{max(0.0, float(width[1]) - around):g}px"
        elif child.tag.startswith("mj-"):
            _fit_buttons(child, groups)


def _border(groups: list[Element], element: Element, side: str) -> float:
    found = _BORDER.search(_default(groups, element, f"border-{side}") or _default(groups, element, "border"))
    return float(found[1]) if found else 0.0


def _with_gaps(wrapper: Element, gap: str) -> Element:
    """The wrapper with an empty section of the gap's height before each section but the first."""
    made = Element("mj-wrapper", wrapper.attributes, wrapper.line, wrapper.origin, wrapper.number)
    made.attributes.pop("gap", None)
    sections = 0
    for child in wrapper.children:
        if isinstance(child, Element) and child.tag in {"mj-section", "mj-hero"}:
            if sections and gap.strip("0px "):
                made.children.append(_space(wrapper, gap))
            sections += 1
        made.children.append(child)
    return made


def _space(wrapper: Element, height: str) -> Element:
    section, column, spacer = _made(wrapper, "mj-section"), _made(wrapper, "mj-column"), _made(wrapper, "mj-spacer")
    section.attributes |= {"padding": "0px", "background-color": "transparent"}
    column.attributes["padding"] = "0px"
    spacer.attributes |= {"height": height, "padding": "0px"}
    section.children, column.children = [column], [spacer]
    return section


def _made(parent: Element, tag: str) -> Element:
    return Element(tag, {}, parent.line, parent.origin, parent.number)


def _all(element: Element) -> Iterator[Element]:
    return (each for each in element.children if isinstance(each, Element))


def _children(element: Element, tag: str) -> Iterator[Element]:
    return (each for each in _all(element) if each.tag == tag)
