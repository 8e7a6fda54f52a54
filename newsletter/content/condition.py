"""What may stand behind ``::: when``: comparisons, ``and``, ``or``, ``not`` and ``in``, in Jinja's own grammar."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from newsletter.conditions import holds
from newsletter.content.expression import DATA, NotAField, expression, name_of
from newsletter.model import Condition
from newsletter.personal import LINKS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from newsletter.model import Op

_LONGEST = 500
_EXAMPLE = 'For example: ::: when plan == "pro" and city in ("Berlin", "Hamburg")'
_OPS: dict[str, Op] = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
_TURNED: dict[Op, Op] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_STRING = re.compile(r"""\"(?:\\.|[^"\\])*\"|'(?:\\.|[^'\\])*'""")
_SLIPS = (
    (re.compile(r"=<|=>"), "“{0}” does not compare", "Write: points <= 100, or points >= 100"),
    (re.compile(r"(?<![=!<>])=(?!=)"), "“=” does not compare", 'Write two: plan == "pro"'),
    (re.compile(r"===|!=="), "“{0}” does not compare", 'Write: plan == "pro", or plan != "pro"'),
    (re.compile(r"<>"), "“<>” does not compare", 'Write: plan != "pro"'),
    (re.compile(r"&&?"), "“{0}” joins nothing", "Write: and"),
    (re.compile(r"\|\|"), "“||” joins nothing", "Write: or"),
    (re.compile(r"!(?!=)"), "“!” turns nothing round", "Write: not"),
    (re.compile("[“”„‘’«»]"), "“{0}” is no quotation mark of a text", 'Write straight ones: plan == "pro"'),
    (re.compile(r"\b(?:AND|OR|NOT|IN)\b"), "“{0}” is written small", "Write: and, or, not, in"),
)
"""What people write who know other languages; looked for outside of quoted texts."""


_ALWAYS, _NEVER = Condition("and"), Condition("or")


class NotACondition(ValueError):
    """Why a text is no condition, at which offset, and what to write instead."""

    def __init__(self, message: str, hint: str = _EXAMPLE, at: int = 0) -> None:
        super().__init__(message)
        self.hint, self.at = hint, at


def parse(source: str, datum: Callable[[str], str]) -> Condition:
    """The condition that a text is; ``datum`` gives the issue's data, which is known now and decides at once.

    Raises ``NotACondition`` for everything else that Jinja knows, and ``NotAField`` for data that is not there.
    """
    if not source.strip():
        message = "“when” needs a condition: who gets this part?"
        raise NotACondition(message)
    if len(source) > _LONGEST:
        message = f"a condition is at most {_LONGEST} characters long"
        raise NotACondition(message, "Put what it asks into a column of its own, and compare that.")
    _look_for_slips(source)
    node = expression(source)
    if node is None:
        raise NotACondition(f"“{source}” is not a condition")
    try:
        return _Reader(source, datum).condition(node)
    except RecursionError:
        message = "this condition is nested too deep"
        raise NotACondition(message, "Make it simpler.") from None


def _joined(op: Op, sides: Sequence[Condition]) -> Condition:
    """Conditions joined to one: flat, and without those that are decided already."""
    idle, decides = (_ALWAYS, _NEVER) if op == "and" else (_NEVER, _ALWAYS)
    if decides in sides:
        return decides
    left = [inner for side in sides if side != idle for inner in (side.inner if side.op == op else (side,))]
    return left[0] if len(left) == 1 else Condition(op, inner=tuple(left))


def _look_for_slips(source: str) -> None:
    bare = _STRING.sub(lambda text: " " * len(text[0]), source)
    for slip, message, hint in _SLIPS:
        if found := slip.search(bare):
            raise NotACondition(message.format(found[0]), hint, found.start())


class _Reader:
    """Reads Jinja's nodes; offsets are found by looking for what stands there, for nodes have none."""

    def __init__(self, source: str, datum: Callable[[str], str]) -> None:
        self.source, self.datum = source, datum

    def condition(self, node: Any) -> Condition:
        from jinja2 import nodes

        if isinstance(node, nodes.And | nodes.Or):
            op: Op = "and" if isinstance(node, nodes.And) else "or"
            return _joined(op, (self.condition(node.left), self.condition(node.right)))
        if isinstance(node, nodes.Not):
            inner = self.condition(node.node)
            return _NEVER if inner == _ALWAYS else _ALWAYS if inner == _NEVER else Condition("not", inner=(inner,))
        if isinstance(node, nodes.Compare):
            return self.comparison(node)
        if isinstance(node, nodes.Const | nodes.Tuple | nodes.List):
            message = "this is the same for everybody"
            raise NotACondition(message, f"Name the value that decides. {_EXAMPLE}")
        return self.known(Condition("has", self.name(node)))

    def comparison(self, node: Any) -> Condition:
        parts: list[Condition] = []
        left = node.expr
        for each in node.ops:
            parts.append(self.known(self.pair(left, each.op, each.expr)))
            left = each.expr
        return _joined("and", parts)

    def pair(self, left: Any, op: str, right: Any) -> Condition:
        if op in {"in", "notin"}:
            found = Condition("in", self.name(left), self.texts(right))
            return found if op == "in" else Condition("not", inner=(found,))
        if (text := self.text(right)) is not None:
            return Condition(_OPS[op], self.name(left), (text,))
        if (text := self.text(left)) is not None:
            return Condition(_TURNED[_OPS[op]], self.name(right), (text,))
        first, second = self.name(left), self.name(right)
        hint = f'A text stands in quotes: {first} == "{second}"'
        raise NotACondition(f"“{first}” and “{second}” are both names", hint, self.at(second))

    def name(self, node: Any) -> str:
        from jinja2 import nodes

        if isinstance(node, nodes.Filter):
            message = f"a filter (“{node.name}”) may not stand in a condition"
            raise NotACondition(message, "A condition compares values as they are.", self.at(f"{node.name}"))
        try:
            name = name_of(node)
        except NotAField as error:
            raise NotACondition(str(error), error.hint.replace("{{ ", "").replace(" }}", "")) from None
        if name in LINKS:
            message = f"“{name}” is each reader's own link, and there is nothing to compare it with"
            raise NotACondition(message, "Compare a column of your list.", self.at(name))
        if not name:
            message = "a condition is made of names, comparisons, and, or, not, in and brackets"
            raise NotACondition(message)
        return name

    def texts(self, node: Any) -> tuple[str, ...]:
        from jinja2 import nodes

        listed = node.items if isinstance(node, nodes.Tuple | nodes.List) else [node]
        texts = [self.text(each) for each in listed]
        one = not isinstance(node, nodes.Tuple | nodes.List)
        if not texts or None in texts or (one and not re.search(r"\bin\s*\(", self.source)):
            message = "“in” is followed by texts in brackets"
            raise NotACondition(message, 'Write: city in ("Berlin", "Hamburg")', self.at("in"))
        return tuple(text for text in texts if text is not None)

    def text(self, node: Any) -> str | None:
        """A text or a number, and ``None`` for what is neither."""
        from jinja2 import nodes

        if isinstance(node, nodes.Neg) and (inner := self.text(node.node)) is not None:
            return f"-{inner}"
        if not isinstance(node, nodes.Const):
            return None
        if node.value is None or isinstance(node.value, bool):
            word = str(node.value).lower()
            hint = f'Write it as the text that stands in your list: == "{word}". A name alone asks for any value.'
            raise NotACondition(f"“{word}” is not a text or number", hint, self.at(word))
        return node.value if isinstance(node.value, str) else f"{Decimal(repr(node.value)):f}"

    def known(self, condition: Condition) -> Condition:
        """What the issue's data decides is decided; the rest stays as it is."""
        inner = condition.inner[0] if condition.op == "not" else condition
        if not inner.name.startswith(DATA):
            return condition
        value = self.datum(inner.name.removeprefix(DATA))
        return _ALWAYS if holds(condition, {inner.name: value}) else _NEVER

    def at(self, word: str) -> int:
        """Where a word stands, outside of texts."""
        bare = _STRING.sub(lambda text: " " * len(text[0]), self.source)
        found = re.search(rf"\b{re.escape(word)}\b", bare, re.IGNORECASE)
        return found.start() if found else 0
