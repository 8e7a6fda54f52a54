"""The theme's templates: a sandbox without a way out, in which a misspelt name is an error at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import FunctionLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from newsletter.errors import BadInput, Problem
from newsletter.model import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

_FAULTS = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What a template's own expressions can raise."""


class Templates:
    """The templates of one theme, compiled when they are first used."""

    def __init__(self, sources: Mapping[str, tuple[str, str]]) -> None:
        self._sources = sources
        self._environment = ImmutableSandboxedEnvironment(
            loader=FunctionLoader(self._load),
            undefined=StrictUndefined,
            autoescape=_is_markup,
            auto_reload=False,
            cache_size=-1,
            optimized=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def _load(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        found = self._sources.get(name)
        return (found[0], found[1], lambda: True) if found else None

    def source(self, name: str) -> tuple[str, str]:
        """A template's text and the path to show for it."""
        return self._sources.get(name, ("", name))

    def render(self, name: str, values: Mapping[str, object], block: Place | None = None) -> str:
        """Render one template.

        Raises ``BadInput`` at the template's line, with the author's block it was rendered for.
        """
        try:
            return self._environment.get_template(name).render(values)
        except TemplateSyntaxError as error:
            raise BadInput([self._syntax(error)]) from None
        except TemplateNotFound as error:
            message = f"the theme has no template “{error.name}”"
            raise BadInput([Problem(Place(self.source(name)[1]), message, "Take it from the default theme.")]) from None
        except _FAULTS as error:
            raise BadInput([self._fault(name, error, block)]) from None

    def check(self, name: str) -> Problem | None:
        """What is wrong with a template's syntax, without rendering it."""
        text, path = self._sources[name]
        try:
            self._environment.parse(text, name, path)
        except TemplateSyntaxError as error:
            return self._syntax(error)
        return None

    def _syntax(self, error: TemplateSyntaxError) -> Problem:
        path = error.filename or self.source(error.name or "")[1]
        text = next((text for text, shown in self._sources.values() if shown == path), "")
        hint = "Write a literal {{ as {{ '{{' }}."
        return Problem(
            Place(path, error.lineno), f"this template cannot be read: {error.message}", hint, _line(text, error.lineno)
        )

    def _fault(self, name: str, error: Exception, block: Place | None) -> Problem:
        text, path = self.source(name)
        shown = {shown: text for text, shown in self._sources.values()}
        line = 1
        trace: TracebackType | None = error.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename in shown:
                path, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
                text = shown[path]
            trace = trace.tb_next
        where = f" (building the block at {block})" if block else ""
        return Problem(Place(path, line), f"this template cannot be rendered: {error}{where}", "", _line(text, line))


def _is_markup(name: str | None) -> bool:
    return name is None or not name.endswith(".txt.j2")


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""
