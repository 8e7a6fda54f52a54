"""Who is in a batch, kept by column: thousands are read, looked at and written together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Self, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Member = tuple[int, str, Mapping[str, str]]
"""Person, address, and frozen values."""


@dataclass(frozen=True, slots=True)
class Members(Sequence[Member]):
    """Members in the order of their numbers; each is made when it is asked for."""

    people: list[int]
    to: list[str] = field(repr=False)
    fields: list[Mapping[str, str]] = field(repr=False)

    @classmethod
    def of(cls, members: Iterable[Member]) -> Self:
        """The columns of these rows."""
        rows = list(members)
        return cls([who for who, _, _ in rows], [to for _, to, _ in rows], [fields for _, _, fields in rows])

    @classmethod
    def sorted(cls, people: list[int], to: list[str], fields: list[Mapping[str, str]]) -> Self:
        """The same from columns in any order; raises ``ValueError`` when one of them is shorter than another."""
        if not len(people) == len(to) == len(fields):
            message = "the columns of a batch have different lengths"
            raise ValueError(message)
        if people == sorted(people):
            return cls(people, to, fields)
        return cls.of(sorted(zip(people, to, fields, strict=True), key=itemgetter(0)))

    def __len__(self) -> int:
        return len(self.people)

    def __iter__(self) -> Iterator[Member]:
        return zip(self.people, self.to, self.fields, strict=True)

    @overload
    def __getitem__(self, index: int) -> Member: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Member]: ...
    def __getitem__(self, index: int | slice) -> Member | Sequence[Member]:
        if isinstance(index, slice):
            return list(self)[index]
        return self.people[index], self.to[index], self.fields[index]
