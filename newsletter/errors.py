"""Every error a user can meet, and the exit code each one ends with.

NewsletterError
├── Blocked         1   findings that block, refused or failed rows, confirmation declined
├── WrongUsage      2   the command line does not fit
├── Unfinished      3   partly done or in doubt: run again or resolve
├── BadInput        65  the author's or the operator's data is wrong, with places
├── Unavailable     69  the provider cannot be reached
├── Unwritable      74  the disk is full, read-only, or fails
├── TryLater        75  throttled, quota used up, or the database is busy
├── BadConfig       78  newsletter.yaml, the environment or a key is wrong
└── Interrupted     130 Ctrl-C; safe to run again

A message says what is wrong, where, and what to do next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from newsletter.model import Place


class Problem(NamedTuple):
    """One thing wrong with the input: where (unknown: ``None``), what, and what to do about it."""

    place: Place | None
    message: str
    hint: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        head = f"{self.place}: {self.message}" if self.place else self.message
        lines = [head]
        lines += [f"    {line}" for line in self.excerpt.splitlines()]
        lines += [f"    {line}" for line in self.hint.splitlines()]
        return "\n".join(lines)


class NewsletterError(Exception):
    """The root: a message for the user, and the exit code of the contract."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return "\n    ".join([self.message, *self.hint.splitlines()])


class _WithProblems(NewsletterError):
    """An error that lists every problem found, in the order of their places."""

    def __init__(self, problems: Iterable[Problem] | str, *, hint: str = "") -> None:
        if isinstance(problems, str):
            problems = (Problem(None, problems, hint),)
        self.problems: tuple[Problem, ...] = tuple(sorted(problems, key=_order))
        super().__init__("\n".join(str(p) for p in self.problems))


def _order(problem: Problem) -> tuple[str, int, int]:
    place = problem.place
    return (place.path, place.line, place.col) if place else ("", 0, 0)


class Blocked(NewsletterError):
    """Nothing is broken, but the command will not go on: findings, refusals, or a declined question."""

    exit_code = 1


class WrongUsage(NewsletterError):
    """The command line does not fit."""

    exit_code = 2


class Unfinished(NewsletterError):
    """Some of the work is open or in doubt; the same command goes on."""

    exit_code = 3


class BadInput(_WithProblems):
    """An issue, a theme or a list of people is wrong; nothing was written."""

    exit_code = 65


class Unavailable(NewsletterError):
    """The provider cannot be reached, or two answers in a row were unreadable."""

    exit_code = 69


class Unwritable(NewsletterError):
    """A file or the database cannot be written."""

    exit_code = 74


class TryLater(NewsletterError):
    """Throttled, quota used up, or another process holds the database."""

    exit_code = 75


class BadConfig(_WithProblems):
    """The configuration, the environment or a key is wrong; nothing was sent."""

    exit_code = 78


class Interrupted(NewsletterError):
    """The operator stopped the command; running it again goes on."""

    exit_code = 130
