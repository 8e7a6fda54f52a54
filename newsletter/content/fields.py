"""Merge fields are lifted out before Markdown sees the text, and put back as marks, or as themselves in code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from newsletter.content.expression import DATA, NotAField, parse
from newsletter.content.source import UNPRINTABLE
from newsletter.errors import Problem
from newsletter.model import Field, Filter, Place
from newsletter.personal import LINKS, MARK, WHOLE, CannotRender, evaluate, mark, number, plural_forms
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_OPEN = re.compile(r"(\\*)\{\{")
_END = re.compile(r"""\{\{(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?!\{\{|\}\})[^"'\n])*\}\}""")
_PLAIN_END = re.compile(r"\{\{(?:(?!\{\{|\}\})[^\n])*\}\}")
_MOST = 10_000
_SAMPLES = {"date": "2026-11-23", "number": "1234", "plural": "1234"}
"""A value that each filter of a language can work on, to try it with."""

Kind = Literal["field", "braces", "open"]


class Piece(NamedTuple):
    """What was lifted: a field, ``\\{{`` or a ``{{`` that nothing closes."""

    kind: Kind
    source: str
    place: Place


class Fields:
    """The merge fields of one issue: ``lift`` takes them out of a text, ``text`` and ``literal`` put them back.

    Between the two, a mark's number counts what was lifted; in the texts that ``text`` returns it is an
    index into ``found``, and fields that stand in code only are not in there.
    """

    def __init__(self, lang: str, data: Mapping[str, str | None], problems: list[Problem]) -> None:
        self.lang, self.data, self.problems = lang, data, problems
        self.found: list[Field] = []
        self._pieces: list[Piece] = []
        self._settled: dict[int, int | str] = {}

    # -- out ----------------------------------------------------------------------

    def lift(self, text: str, place: Callable[[int, str], Place]) -> str:
        """``text`` with a mark of the same length for every field; ``place`` names an offset, given the source too."""
        parts, at = [], 0
        for start, kind, source in _scan(text):
            if len(self._pieces) == _MOST:
                self.problems.append(Problem(place(start, source), f"there are more than {_MOST:,} merge fields here"))
                break
            parts += [text[at:start], mark(len(self._pieces), len(source))]
            self._pieces.append(Piece(kind, source, place(start, source)))
            at = start + len(source)
        return "".join([*parts, text[at:]]) if parts else text

    # -- back in ------------------------------------------------------------------

    def text(self, lifted: str, escape: Callable[[str], str] = str) -> str:
        """A text that readers see: marks of ``found``; data and braces as their own characters, through ``escape``."""

        def put(found: re.Match[str]) -> str:
            settled = self.settle(number(found))
            return escape(settled) if isinstance(settled, str) else mark(settled, 3)

        return MARK.sub(put, lifted) if lifted and MARK.search(lifted) else lifted

    def literal(self, lifted: str) -> str:
        """Code: everything as the author wrote it."""
        return MARK.sub(lambda found: self._piece(number(found)).source, lifted)

    def refuse(self, lifted: str, what: str, hint: str = "") -> bool:
        """Report every field in ``lifted``, where ``what`` says it may not stand; whether there was one."""
        pieces = [self._piece(number(found)) for found in MARK.finditer(lifted)]
        self.problems += [Problem(piece.place, f"a merge field may not stand {what}", hint) for piece in pieces]
        return bool(pieces)

    def settle(self, index: int) -> int | str:
        """What a lifted piece stands for: an index into ``found``, or text that is fixed already."""
        if index >= len(self._pieces):
            return "\ufffd"  # a character of ours that came through two layers of entities
        if index not in self._settled:
            self._settled[index] = self._decide(self._pieces[index])
        return self._settled[index]

    def place(self, index: int) -> Place:
        """Where a lifted piece stands."""
        return self._piece(index).place

    def _piece(self, index: int) -> Piece:
        return self._pieces[index] if index < len(self._pieces) else Piece("braces", "\ufffd", Place("?"))

    def is_link(self, index: int) -> bool:
        """Whether a lifted piece is one of the reserved links."""
        settled = self.settle(index)
        return isinstance(settled, int) and self.found[settled].name in LINKS

    def is_encoded(self, index: int) -> bool:
        """Whether a lifted piece that stands for a text is percent-encoded by its own last filter."""
        found = self._piece(index)
        return found.kind == "field" and [each.name for each in parse(found.source)[1]][-1:] == ["urlencode"]

    def _decide(self, piece: Piece) -> int | str:
        if piece.kind == "braces":
            return "{{"
        if piece.kind == "open":
            self.problems.append(
                Problem(
                    piece.place,
                    "this {{ is never closed on its line",
                    r"Write }} behind the field's name, or \{{ for the braces themselves.",
                )
            )
            return "{{"
        try:
            name, filters = parse(piece.source)
            found = Field(name, filters, piece.source, piece.place)
            value = self._try(found)
        except NotAField as error:
            self.problems.append(Problem(piece.place, str(error), error.hint))
            return ""
        if value is not None:
            return value
        self.found.append(found)
        return len(self.found) - 1

    def _try(self, found: Field) -> str | None:
        """Run the filters on what is known now: the value of a data field, and ``None`` for a person's."""
        for each in found.filters:
            if any(UNPRINTABLE.search(arg) or "\n" in arg or "\t" in arg for arg in each.args):
                message = f"the text of “{each.name}” holds a control character"
                raise NotAField(message, "Write it as plain words.")
        if found.name.startswith(DATA):
            return self._run(found, {found.name: self.datum(found.name.removeprefix(DATA))})
        names = [each.name for each in found.filters]
        if "urlencode" in names[:-1]:
            message = "“urlencode” comes last"
            raise NotAField(message, "What stands behind it would come out with % signs, or not be encoded.")
        if sample := next((_SAMPLES[name] for name in names if name in _SAMPLES), ""):
            self._know_language()
            self._count_forms(found)
            tried = tuple(each for each in found.filters if each.name != "default")
            hint = "Each of date, number and plural reads the reader's own value: use one of them in a field."
            self._run(found._replace(filters=tried), {found.name: sample}, hint)
        if found.default is not None:
            self._run(found, {})
        return None

    def _count_forms(self, found: Field) -> None:
        for each in found.filters:
            if each.name == "plural" and len(each.args) != len(forms := plural_forms(self.lang, len(each.args))):
                message = f"“plural” takes {len(forms)} in the language “{self.lang}”: {', '.join(forms)}"
                words = ", ".join(f'"…{form}…"' for form in forms)
                raise NotAField(message, f"Write a word for each: {{{{ {found.name} | plural({words}) }}}}")

    def whole(self, index: int) -> str:
        """The mark of a lifted piece that is all of a link's address: its value is checked to be one."""
        settled = self.settle(index)
        if isinstance(settled, str):
            return settled
        found = self.found[settled]
        if found.name not in LINKS and all(each.name != WHOLE for each in found.filters):
            found = self.found[settled] = found._replace(filters=(*found.filters, Filter(WHOLE)))
            try:
                if found.default is not None:
                    self._run(found, {})
            except NotAField as error:
                self.problems.append(Problem(found.place, str(error), "A link begins with http, https, mailto or tel."))
        return mark(settled, 3)

    def _run(self, found: Field, values: Mapping[str, str], hint: str = "") -> str:
        try:
            return evaluate(found, values, self.lang)
        except CannotRender as error:
            known = found.default is not None and not found.name.startswith(DATA) and not values
            hint = (
                f"The default “{found.default}” goes through the filters behind it: put default(…) last."
                if known
                else hint
            )
            raise NotAField(f"{found.source} cannot be shown: {error}", hint) from None
        except (ValueError, LookupError, AttributeError) as error:
            raise NotAField(
                f"{found.source} cannot be shown: {error}", 'A date\'s pattern is written like date("d MMMM y").'
            ) from None

    def _know_language(self) -> None:
        from babel.core import Locale, UnknownLocaleError

        try:
            Locale.parse(self.lang.replace("-", "_"))
        except (UnknownLocaleError, ValueError):
            message = f"dates and numbers cannot be written in the language “{self.lang}”"
            raise NotAField(message, "Give the front matter a language that CLDR knows, such as lang: en") from None

    def datum(self, key: str) -> str:
        """A value of the issue's data; raises ``NotAField`` when there is no such text."""
        if key not in self.data:
            hint = (
                suggestion(key, self.data) if self.data else "Name a data file in the front matter: data: figures.yaml"
            )
            raise NotAField(f"the issue's data has no key “{key}”", hint)
        value = self.data[key]
        if value is None:
            message = f"“data.{key}” is a list or a mapping, not a single value"
            raise NotAField(message, "Give the text its own top-level key.")
        return " ".join(value.split()) if "\n" in value else value


def _scan(text: str) -> Iterator[tuple[int, Kind, str]]:
    at = 0
    while opening := _OPEN.search(text, at):
        start = opening.end() - 2
        if len(opening[1]) % 2:
            yield start - 1, "braces", r"\{{"
            at = start + 2
        elif closed := _END.match(text, start) or _PLAIN_END.match(text, start):
            yield start, "field", closed[0]
            at = closed.end()
        else:
            yield start, "open", "{{"
            at = start + 2
