"""What each column of a CSV file is: the address, a status, a field, or nothing we want."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from newsletter.audience import names
from newsletter.errors import BadInput, Problem
from newsletter.personal import RESERVED
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from newsletter.model import Place

REFUSED_BECAUSE = "refused_because"
"""The column that ``--skip-bad`` puts before the refused rows; passed over when they come back."""

Role = Literal["email", "status", "flag", "field", "ignored", "unnamed"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading and what it is for.

    ``name`` is the field of a ``field``, the status that a yes in a ``flag`` means, else empty.
    """

    index: int
    header: str
    role: Role
    name: str = ""

    @property
    def target(self) -> str | None:
        """What ``--map`` would say of it; ``None`` for a column that is passed over."""
        return {"email": "email", "status": "status"}.get(self.role, self.name or None)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator said of columns: targets by heading, and headings to pass over."""

    targets: Mapping[str, str]
    ignored: frozenset[str]


NO_WISHES = Wishes({}, frozenset())


def read_columns(header: Sequence[str], wishes: Wishes, place: Place) -> tuple[Column, ...]:
    """The role of every column.

    Raises ``BadInput`` with everything wrong with the heading line.
    """
    return _Reading([each.strip() for each in header], wishes, place).columns()


def read_address_column(header: Sequence[str], wishes: Wishes, place: Place) -> tuple[Column, ...]:
    """The column of addresses; whatever else stands in the list is passed over.

    Raises ``BadInput`` as ``read_columns`` does.
    """
    return _Reading([each.strip() for each in header], wishes, place).address_only()


class _Reading:
    """One heading line being read; problems gather on the way."""

    def __init__(self, headers: Sequence[str], wishes: Wishes, place: Place) -> None:
        self._headers = headers
        self._place = place
        self._targets = {_key(each): target for each, target in wishes.targets.items()}
        self._targets |= {_key(each): "" for each in (*wishes.ignored, REFUSED_BECAUSE)}
        self._problems: list[Problem] = []
        self._check(wishes)
        self._email = self._find_email()

    def columns(self) -> tuple[Column, ...]:
        """Every column, or ``BadInput``."""
        columns = tuple(self._column(index, header) for index, header in enumerate(self._headers))
        self._collide(columns)
        if self._problems:
            raise BadInput(self._problems)
        return columns

    def address_only(self) -> tuple[Column, ...]:
        """Every column, all but one of them passed over, or ``BadInput``."""
        if self._problems:
            raise BadInput(self._problems)
        headers = enumerate(self._headers)
        return tuple(Column(i, header, "email" if i == self._email else "ignored") for i, header in headers)

    def _problem(self, message: str, hint: str) -> None:
        self._problems.append(Problem(self._place, message, hint))

    def _wish(self, header: str) -> str | None:
        """The operator's target for a column; empty to pass over it."""
        return self._targets.get(_key(header))

    def _check(self, wishes: Wishes) -> None:
        there = {_key(each) for each in self._headers}
        for option, wanted in (("--map", wishes.targets), ("--ignore", wishes.ignored)):
            for each in wanted:
                if _key(each) not in there:
                    hint = suggestion(each, filter(None, self._headers))
                    self._problem(f"{option} names the column “{each}”, which is not in the file", hint)
        for each in wishes.targets:
            if _key(each) in map(_key, wishes.ignored):
                self._problem(f"the column “{each}” is both mapped and ignored", "Choose one of the two.")

    def _find_email(self) -> int | None:
        """The index of the column of addresses; ``None`` with a problem when there isn't exactly one."""
        headers = list(enumerate(self._headers))
        unwished = [(index, header) for index, header in headers if self._wish(header) is None]
        found = (
            [index for index, header in headers if self._wish(header) == "email"]
            or [index for index, header in unwished if names.is_email(header)]
            or [index for index, header in unwished if names.is_address(header)]
        )
        if len(found) == 1:
            return found[0]
        listed = ", ".join(f"“{header}”" for index, header in headers if header and (index in found or not found))
        if found:
            hint = f'Say which: --map "{self._headers[found[0]]}=email", and --map or --ignore the others.'
            self._problem(f"more than one column may hold the addresses: {listed}", hint)
        else:
            hint = "Name it “email”, or say which it is: --map COLUMN=email."
            self._problem(f"no column holds the e-mail addresses; the columns are {listed or 'without names'}", hint)
        return None

    def _column(self, index: int, header: str) -> Column:
        wish = self._wish(header)
        if index == self._email or (self._email is None and wish is None and _maybe_email(header)):
            return Column(index, header, "email")
        if not wish and (wish is not None or not header):
            return Column(index, header, "ignored" if header else "unnamed")
        if wish in names.ROLES:
            return Column(index, header, "status") if wish == "status" else Column(index, header, "flag", wish)
        target = names.status_target(header)
        if wish is None and target and names.field_name(header) not in RESERVED:
            self._problem(
                f"the column “{header}” seems to say who must not be mailed",
                f'Read it with --map "{header}={target}", keep it as a field with --map "{header}=NAME",'
                f' or pass over it with --ignore "{header}".',
            )
            return Column(index, header, "ignored")
        return self._field(index, header, wish)

    def _field(self, index: int, header: str, wish: str | None) -> Column:
        name = names.field_name(header) if wish is None else wish
        if reason := names.unusable(name):
            spelt = names.field_name(name)
            better = "another_name" if spelt == name or names.unusable(spelt) else spelt
            self._problem(
                f"the column “{header}” cannot become a field: {reason}",
                f'Give it another name with --map "{header}={better}", or pass over it with --ignore "{header}".',
            )
        return Column(index, header, "field", name)

    def _collide(self, columns: Sequence[Column]) -> None:
        fields: dict[str, list[str]] = {}
        for column in columns:
            if column.role == "field" and column.name:
                fields.setdefault(column.name, []).append(column.header)
        for name, headers in fields.items():
            if len(headers) > 1:
                self._problem(
                    f"the columns {' and '.join(f'“{each}”' for each in headers)} would both become the field “{name}”",
                    f'Rename one with --map "{headers[-1]}=another_name", or pass over it with --ignore.',
                )


def _key(header: str) -> str:
    return header.strip().casefold()


def _maybe_email(header: str) -> bool:
    return names.is_email(header) or names.is_address(header)
