"""YAML with the place of every key and value: for ``newsletter.yaml`` and for front matter.

The document is only composed, never constructed, so no tag can run anything; every problem is
collected with its place, and duplicate keys, anchors and explicit tags are problems.
"""

from __future__ import annotations

import functools
import re
import warnings
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from newsletter.errors import Problem
from newsletter.model import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ruamel.yaml.error import MarkedYAMLError

_UNQUOTED_FIELD = re.compile(r"^(?P<head>\s*(?:-\s+)?(?:[\w-]+:\s+)?)(?P<field>\{\{.*)$")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_KINDS: Mapping[str, ScalarKind] = {
    "str": "text",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "null": "null",
    "timestamp": "date",
}

_HINTS = (
    ("mapping values are not allowed", 'A value with a colon in it must be quoted: title: "One: two"'),
    ("alias", "A value that begins with * must be quoted."),
    ("anchor", "A value that begins with & must be quoted."),
    ("'\\t'", "Put spaces in the place of the tab."),
    ("that cannot start any token", "A value that begins with this character must be quoted."),
    ("quoted scalar", 'Close the quote; within double quotes, write \\" for a quote and \\\\ for a backslash.'),
    ("could not find expected ':'", "Every line has the form “key: value”."),
    ("<block end>", "Look at the indentation here, and quote a value with quotes or brackets in it."),
    ("a single document", "Take away the line ---."),
    ("flow", "Close the bracket, or quote a value that begins with one."),
)
"""What to do about the commonest mistakes, by words of the parser's message."""

ScalarKind = Literal["text", "int", "float", "bool", "null", "date"]


class Scalar(NamedTuple):
    """A single value: its text as read, and what YAML 1.2 takes it for."""

    text: str
    kind: ScalarKind
    place: Place


class Entry(NamedTuple):
    """One ``key: value`` of a mapping."""

    key: Scalar
    value: Node


class Mapped(NamedTuple):
    """A mapping in the author's order, without duplicate keys."""

    entries: tuple[Entry, ...]
    place: Place

    def get(self, key: str) -> Node | None:
        """The value of ``key``, or ``None``."""
        return next((e.value for e in self.entries if e.key.text == key), None)


class Listed(NamedTuple):
    """A sequence."""

    items: tuple[Node, ...]
    place: Place


Node = Scalar | Mapped | Listed


def read(text: str, path: str, problems: list[Problem], *, first_line: int = 1) -> Node | None:
    """Compose one YAML document; what is wrong goes to ``problems``.

    ``first_line`` is the line of the file on which ``text`` begins. Returns ``None`` for an
    empty document or one that cannot be read at all.
    """
    node, found = _composed(text, path, first_line)
    problems.extend(found)
    return node


@functools.lru_cache(maxsize=16)
def _composed(text: str, path: str, first_line: int) -> tuple[Node | None, tuple[Problem, ...]]:
    """A document and what is wrong with it; kept, because the preview reads the same theme at every save."""
    problems = _unquoted_fields(text, path, first_line) or _unprintable(text, path, first_line)
    node = None if problems else _compose(text, path, first_line, problems)
    return node, tuple(problems)


def _compose(text: str, path: str, first_line: int, problems: list[Problem]) -> Node | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import Reader

    class Checked(Reader):
        """Without the reader's own look for what may not stand: we have looked, and its pattern is slow to make."""

        def check_printable(self, data: str) -> None:
            """Do nothing."""

    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.Reader = Checked
        with warnings.catch_warnings():  # a repeated anchor is reported below, like every anchor
            warnings.simplefilter("ignore")
            root = yaml.compose(text)
        return None if root is None else _Reader(path, first_line, problems).node(root)
    except MarkedYAMLError as error:
        problems.append(_syntax_problem(error, text, path, first_line))
    except (YAMLError, ValueError, LookupError, AssertionError, RecursionError) as error:
        # ruamel.yaml raises these for U+FFFE, "\\U00110000", %YAML 1.11 and very deep nesting.
        reason = str(error).partition("\n")[0]
        problems.append(Problem(Place(path, first_line), f"this cannot be read as YAML: {reason}"))
    return None


def _syntax_problem(error: MarkedYAMLError, text: str, path: str, first_line: int) -> Problem:
    at = error.problem_mark or error.context_mark
    if error.context_mark and at and not "".join(text.splitlines()[at.line :]).strip():
        at = error.context_mark  # what is left open began here; the end of the file helps nobody
    row, column = (at.line, at.column) if at else (0, 0)
    what = " ".join(part for part in (error.context, error.problem) if part)
    hint = next((hint for words, hint in _HINTS if words in what), "")
    return Problem(Place(path, first_line + row, column + 1), f"this is not valid YAML: {what}", hint, _line(text, row))


def _line(text: str, index: int) -> str:
    lines = text.splitlines()
    return lines[index] if index < len(lines) else ""


def _unprintable(text: str, path: str, first_line: int) -> list[Problem]:
    return [
        Problem(
            Place(path, first_line + index, found.start() + 1),
            f"this character (U+{ord(found[0]):04X}) may not stand here",
            "Delete it.",
        )
        for index, line in enumerate(text.split("\n"))
        if (found := _UNPRINTABLE.search(line))
    ]


def _unquoted_fields(text: str, path: str, first_line: int) -> list[Problem]:
    problems = []
    for index, line in enumerate(text.split("\n")):
        if found := _UNQUOTED_FIELD.match(line):
            place = Place(path, first_line + index, found.end("head") + 1)
            value = found["field"].rstrip()
            quoted = f'"{value}"' if '"' not in value else "'" + value.replace("'", "''") + "'"
            problems.append(
                Problem(
                    place,
                    "a value that begins with a merge field must be quoted",
                    f"Write: {found['head'].strip()} {quoted}",
                    line.strip(),
                )
            )
    return problems


class _Reader:
    """Turns ruamel's nodes into ours."""

    def __init__(self, path: str, first_line: int, problems: list[Problem]) -> None:
        self.path, self.first_line, self.problems = path, first_line, problems
        self.seen: set[int] = set()

    def place(self, node: Any) -> Place:
        return Place(self.path, self.first_line + node.start_mark.line, node.start_mark.column + 1)

    def node(self, node: Any) -> Node:
        place = self.place(node)
        if id(node) in self.seen:  # an alias; its anchor is reported
            return Scalar("", "null", place)
        self.seen.add(id(node))
        if node.anchor:
            hint = "Write the value out; one that begins with & itself must be quoted."
            self.problems.append(Problem(place, "anchors and aliases are not supported here", hint))
        if node.id == "mapping":
            return Mapped(tuple(self.entries(node)), place)
        if node.id == "sequence":
            return Listed(tuple(self.node(item) for item in node.value), place)
        kind = _KINDS.get(str(node.tag).rpartition(":")[2])
        if kind is None:
            self.problems.append(Problem(place, f"the tag {node.tag} is not supported here", "Remove the tag."))
        return Scalar(node.value, kind or "text", place)

    def entries(self, node: Any) -> Iterable[Entry]:
        first: dict[str, Place] = {}
        for key_node, value_node in node.value:
            key, value = self.node(key_node), self.node(value_node)
            if not isinstance(key, Scalar):
                self.problems.append(Problem(key.place, "a key must be a single word"))
            elif key.text in first:
                self.problems.append(
                    Problem(
                        key.place,
                        f"the key “{key.text}” is already given on line {first[key.text].line}",
                        "Keep one of the two.",
                    )
                )
            else:
                first[key.text] = key.place
                yield Entry(key, value)


# -- typed access ---------------------------------------------------------------------


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word: the nearest known one, else the whole list."""
    import difflib

    names = list(known)
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f"Did you mean “{near[0]}”?" if near else f"Known here: {', '.join(names)}."


def unknown_keys(node: Mapped, known: Iterable[str], problems: list[Problem], what: str = "key") -> None:
    """Report every key of ``node`` that is not in ``known``."""
    names = tuple(known)
    for entry in node.entries:
        if entry.key.text not in names:
            problems.append(
                Problem(entry.key.place, f"unknown {what} “{entry.key.text}”", suggestion(entry.key.text, names))
            )


def text_of(node: Node, key: str, problems: list[Problem]) -> str:
    """The text of a single value; a mapping or a list is a problem. ``null`` and ``~`` are empty."""
    if isinstance(node, Scalar):
        return "" if node.kind == "null" else node.text
    problems.append(
        Problem(node.place, f"“{key}” takes a single value, not a {'mapping' if isinstance(node, Mapped) else 'list'}")
    )
    return ""


def texts_of(node: Node, key: str, problems: list[Problem]) -> tuple[str, ...]:
    """The texts of a list; a single value counts as a list of one."""
    if isinstance(node, Listed):
        return tuple(text_of(item, key, problems) for item in node.items)
    text = text_of(node, key, problems)
    return (text,) if text else ()
