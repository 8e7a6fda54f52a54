"""What may stand between ``{{`` and ``}}``: a name and filters, in Jinja's own grammar and nothing more of it."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from newsletter.model import Filter
from newsletter.personal import FILTERS
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from jinja2 import Environment

DATA = "data."
"""The prefix of the names that come from the issue's data."""

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_LONGEST = 300
_EXAMPLE = r"Write a name, such as {{ first_name | default(" + '"there"' + r") }}; \{{ writes the braces themselves."
_ARGUMENTS = {
    "default": 'Write a quoted text: {{ first_name | default("there") }}',
    "date": 'Write a pattern in quotes: {{ joined | date("d MMMM y") }}',
    "plural": 'Write the words in quotes: {{ days }} {{ days | plural("day", "days") }}',
}


class NotAField(ValueError):
    """Why a source is not a merge field, and what to write instead."""

    def __init__(self, message: str, hint: str = _EXAMPLE) -> None:
        super().__init__(message)
        self.hint = hint


@functools.cache
def _grammar() -> Environment:
    from jinja2 import Environment

    return Environment(autoescape=True)


@functools.lru_cache(256)
def parse(source: str) -> tuple[str, tuple[Filter, ...]]:
    """The name (``data.x`` for the issue's data) and the filters of ``{{ … }}``.

    Raises ``NotAField`` for everything else that Jinja knows.
    """
    inside = source.removeprefix("{{").removesuffix("}}")
    if len(inside) > _LONGEST:
        message = f"a merge field is at most {_LONGEST} characters long"
        raise NotAField(message)
    node = expression(inside)
    if node is None:
        raise NotAField(f"“{source}” is not a merge field")
    from jinja2 import nodes

    filters: list[Filter] = []
    while isinstance(node, nodes.Filter):
        filters.append(_filter(node))
        node = node.node
    return _name(node, source), tuple(reversed(filters))


def expression(inside: str) -> Any:
    """What Jinja reads in a text as one expression; ``None`` when it is none."""
    from jinja2 import TemplateSyntaxError, nodes

    try:
        # The spaces keep "-" and "+" from becoming Jinja's whitespace control.
        body = _grammar().parse(f"{{{{ {inside} }}}}").body
    except (TemplateSyntaxError, RecursionError):
        return None
    if len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    return body[0].nodes[0]


def _name(node: Any, source: str) -> str:
    name = name_of(node)
    if not name:
        raise NotAField(f"“{source}” is not a merge field: only a name and filters can stand in one")
    return name


def name_of(node: Any) -> str:
    """The name that a node is, ``data.x`` for the issue's data; empty when it is something else.

    Raises ``NotAField`` for a name that no value can have.
    """
    from jinja2 import nodes

    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "data":
        return DATA + node.attr
    if not isinstance(node, nodes.Name):
        return ""
    if node.name == "data":
        raise NotAField("“data” holds the issue's data, not a value", "Write the key too: {{ data.key }}")
    if not _NAME.fullmatch(node.name):
        spelt = re.sub(r"\W+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", node.name)).lower()
        hint = f"Did you mean “{spelt}”?" if _NAME.fullmatch(spelt) else "Small letters, digits and _ make a name."
        raise NotAField(f"“{node.name}” is not a field's name", hint)
    return str(node.name)


def _filter(node: Any) -> Filter:
    from jinja2 import nodes

    if node.name not in FILTERS:
        raise NotAField(f"unknown filter “{node.name}”", suggestion(node.name, FILTERS))
    least, most = FILTERS[node.name]
    if node.kwargs or node.dyn_args or node.dyn_kwargs or not least <= len(node.args) <= most:
        takes = "nothing in brackets" if not most else "one text" if most == 1 else f"{least} to {most} texts"
        raise NotAField(f"the filter “{node.name}” takes {takes}", _ARGUMENTS.get(node.name, f"Write: | {node.name}"))
    if not all(isinstance(arg, nodes.Const) and isinstance(arg.value, str) for arg in node.args):
        raise NotAField(f"the filter “{node.name}” takes a quoted text", _ARGUMENTS[node.name])
    return Filter(node.name, tuple(arg.value for arg in node.args))
