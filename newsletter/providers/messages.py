"""The messages of one call, kept by column: thousands are looked at, escaped and written together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat
from typing import TYPE_CHECKING, Self, overload

from newsletter.providers.base import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Messages(Sequence[Message]):
    """Messages, each of which is made when it is asked for.

    ``values[i]`` is everybody's value of merge field ``i``; ``where`` is ``to`` in ASCII.
    """

    people: list[int]
    to: list[str] = field(repr=False)
    where: list[str] = field(repr=False)
    values: list[list[str]] = field(repr=False)
    ids: list[str] = field(repr=False)
    unsubscribe: list[str] = field(repr=False)

    @classmethod
    def of(cls, messages: Iterable[Message], where: list[str]) -> Self:
        """The columns of these rows."""
        rows = list(messages)
        return cls(
            [each.person for each in rows],
            [each.to for each in rows],
            where,
            list(map(list, zip(*[each.values for each in rows], strict=True))),
            [each.message_id for each in rows],
            [each.unsubscribe for each in rows],
        )

    def only(self, chosen: Sequence[bool]) -> Messages:
        """Those for which ``chosen`` holds."""

        def some(column: list[str]) -> list[str]:
            return list(compress(column, chosen))

        return Messages(
            list(compress(self.people, chosen)),
            some(self.to),
            some(self.where),
            [some(column) for column in self.values],
            some(self.ids),
            some(self.unsubscribe),
        )

    def __len__(self) -> int:
        return len(self.people)

    def __iter__(self) -> Iterator[Message]:
        rows = zip(*self.values, strict=True) if self.values else repeat((), len(self))
        return map(Message, self.people, self.to, rows, self.ids, self.unsubscribe)

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | Sequence[Message]:
        if isinstance(index, slice):
            return list(self)[index]
        values = tuple(column[index] for column in self.values)
        return Message(self.people[index], self.to[index], values, self.ids[index], self.unsubscribe[index])
