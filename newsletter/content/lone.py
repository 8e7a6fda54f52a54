"""Pictures that stand alone in their paragraph, and so become figures."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from newsletter.content.reading import Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

_BARE, _LINKED = ["image"], ["link_open", "image", "link_close"]


def lone_image(node: Node) -> tuple[Token | None, Token] | None:
    """The picture, and the link around it, of a paragraph that holds nothing else."""
    if not node.children:
        return None
    tokens = _said(node)
    if _kinds(tokens) == _BARE:
        return None, tokens[0]
    if _kinds(tokens) == _LINKED:
        return tokens[0], tokens[1]
    return None


def pictures_of(nodes: Sequence[Node]) -> list[Node]:
    """Paragraphs of nothing but pictures as one paragraph for each picture; none when there is anything else."""
    found = [_apart(node) for node in nodes]
    return [each for group in found for each in group] if all(found) else []


def _apart(node: Node) -> list[Node]:
    if node.token.type != "paragraph_open" or not node.children:
        return []
    groups: list[list[Token]] = []
    tokens = _said(node)
    while tokens:
        size = next((len(each) for each in (_BARE, _LINKED) if _kinds(tokens[: len(each)]) == each), 0)
        if not size:
            return []
        groups.append(tokens[:size])
        tokens = tokens[size:]
    return [_paragraph_of(node, group) for group in groups]


def _paragraph_of(node: Node, tokens: list[Token]) -> Node:
    inline = copy.copy(node.children[0].token)
    inline.children = tokens
    made = Node(node.token)
    made.children = [Node(inline)]
    return made


def _said(node: Node) -> list[Token]:
    """The tokens of a paragraph without the white space between them."""
    return [
        each
        for each in node.children[0].token.children or ()
        if each.type not in {"softbreak", "hardbreak"} and (each.type != "text" or each.content.strip())
    ]


def _kinds(tokens: Sequence[Token]) -> list[str]:
    return [each.type for each in tokens]
