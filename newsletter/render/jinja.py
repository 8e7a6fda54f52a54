"""The theme's templates: a sandbox without a way out, in which a misspelt name is an error at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import BaseLoader, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from newsletter.errors import BadInput, Problem
from newsletter.model import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from types import CodeType, TracebackType

    from jinja2 import Environment, Template

    from newsletter.render.ahead import Compiled

_FAULTS = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What a template's own expressions can raise."""


_HINTS = (
    ("unknown tag", "Jinja's tags here: if, for, set, macro, include, raw."),
    ("No filter named", "Only Jinja's own filters are known here."),
    ("Unexpected end of template", "Close what is open: {% endif %}, {% endfor %}, {% endmacro %}."),
    ("", "Write a literal {{ as {{ '{{' }}."),
)
"""What to do about a template that cannot be read, by words of Jinja's message."""


class _Loader(BaseLoader):
    """Finds the templates of one theme; their code is named as they are, so that a traceback tells which one it was."""

    def __init__(self, sources: Mapping[str, tuple[str, str]], compiled: Compiled) -> None:
        self.sources, self.compiled = sources, compiled

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        del environment
        if template not in self.sources:
            raise TemplateNotFound(template)
        return self.sources[template][0], template, lambda: True

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002 - Jinja's name
    ) -> Template:
        if code := self.compiled.get((name, self.get_source(environment, name)[0])):
            return environment.template_class.from_code(environment, code, {} if globals is None else globals)
        return super().load(environment, name, globals)


class Templates:
    """The templates of one theme, compiled when they are first used; ``compiled`` are those that need not be."""

    def __init__(self, sources: Mapping[str, tuple[str, str]], compiled: Compiled | None = None) -> None:
        self._sources = sources
        self._environment = ImmutableSandboxedEnvironment(
            loader=_Loader(sources, compiled or {}),
            undefined=StrictUndefined,
            autoescape=_is_markup,
            auto_reload=False,
            cache_size=-1,
            optimized=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def source(self, name: str) -> tuple[str, str]:
        """A template's text and the path to show for it."""
        return self._sources.get(name, ("", name))

    def names(self) -> list[str]:
        """The names of the templates."""
        return sorted(self._sources)

    def tokens(self, text: str) -> list[tuple[str, str]]:
        """A template's tokens, each with its kind; ``data`` is what it prints as it stands."""
        return [(kind, value) for _, kind, value in self._environment.lex(text)]

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
        try:
            self._environment.parse(self.source(name)[0], name, name)
        except TemplateSyntaxError as error:
            return self._syntax(error)
        return None

    def compile(self) -> dict[tuple[str, str], CodeType]:
        """The code of every template, by name and text."""
        return {(name, text): self._environment.compile(text, name, name) for name, (text, _) in self._sources.items()}

    def _syntax(self, error: TemplateSyntaxError) -> Problem:
        text, path = self.source(error.filename or error.name or "")
        hint = next((hint for words, hint in _HINTS if words in (error.message or "")), "")
        return Problem(
            Place(path, error.lineno), f"this template cannot be read: {error.message}", hint, _line(text, error.lineno)
        )

    def _fault(self, name: str, error: Exception, block: Place | None) -> Problem:
        text, path = self.source(name)
        line = 1
        trace: TracebackType | None = error.__traceback__
        while trace:
            if (found := trace.tb_frame.f_code.co_filename) in self._sources:
                (text, path), line = self._sources[found], trace.tb_lineno
            trace = trace.tb_next
        where = f" (building the block at {block})" if block else ""
        return Problem(Place(path, line), f"this template cannot be rendered: {error}{where}", "", _line(text, line))


def _is_markup(name: str | None) -> bool:
    return name is None or not name.endswith(".txt.j2")


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""
