"""Frozen recipients become messages: values evaluated, links made, all of it fit to go out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from newsletter import mime
from newsletter.headers import unsafe
from newsletter.model import Slot
from newsletter.personal import LINKS, CannotRender, escaper, evaluate, join
from newsletter.providers.base import Message, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from newsletter.delivery.freeze import Frozen
    from newsletter.links import Links
    from newsletter.model import Field, Template, Variant

Member = tuple[int, str, "Mapping[str, str]"]
"""Person, address, and frozen values."""


class Writer:
    """Makes the messages of one send from its frozen content; ``name`` tells this send from all others.

    Without ``ids`` no ``Message-ID`` is made, because the provider takes none.
    """

    def __init__(self, frozen: Frozen, links: Links, send_id: int, name: str, *, ids: bool = True) -> None:
        self._frozen = frozen
        self._links = links
        self._send_id = send_id
        self._name = name
        self._ids = ids
        self._domain = mime.address(frozen.sender.address).rpartition("@")[2]
        self._views = any(field.name == "view_url" for field in frozen.fields)

    def message(self, variant: Variant, person: int, to: str, fields: str) -> Message:
        """The message to one person, whose values are the JSON object ``fields``.

        Raises ``CannotRender`` when the address or a value does not fit.
        """
        mime.address(to)
        return self._all(variant, [(person, to, json.loads(fields))])[0]

    def messages(self, variant: Variant, members: Sequence[Member]) -> tuple[list[Message], list[Verdict]]:
        """The messages to ``members``, and those that cannot be made.

        Nearly always everybody fits, and a look at all of them together costs a fraction; when somebody does
        not, one by one tells who.
        """
        try:
            mime.addresses([to for _, to, _ in members])
            return self._all(variant, members), []
        except CannotRender:
            return self._each(variant, members)

    def _each(self, variant: Variant, members: Sequence[Member]) -> tuple[list[Message], list[Verdict]]:
        made: list[Message] = []
        failed: list[Verdict] = []
        for member in members:
            try:
                mime.address(member[1])
                made += self._all(variant, [member])
            except CannotRender as error:
                failed.append(Verdict(member[0], str(error)))
        return made, failed

    def _all(self, variant: Variant, members: Sequence[Member]) -> list[Message]:
        """Everybody's message; raises ``CannotRender`` when a value of one of them does not fit."""
        people = [person for person, _, _ in members]
        to = [address for _, address, _ in members]
        unsubscribe = self._links.unsubscribe_each(people)
        texts = {"email": to, "unsubscribe_url": unsubscribe}
        if self._views:
            texts["view_url"] = self._links.view_each(self._send_id, people)
        columns = []
        for field in self._frozen.fields:
            if field.name not in texts:
                texts[field.name] = [fields.get(field.name, "") for _, _, fields in members]
            columns.append(_evaluated(field, texts[field.name], self._frozen.lang))
            if field.name not in LINKS:
                mime.sound("".join(columns[-1]))
        values = list(zip(*columns, strict=True)) if columns else [()] * len(people)
        _look_at_subjects(variant.subject, columns, values)
        ids = self._message_ids(people)
        return list(map(Message._make, zip(people, to, values, ids, unsubscribe, strict=True)))

    def _message_ids(self, people: Sequence[int]) -> list[str]:
        if not self._ids:
            return [""] * len(people)
        return [self._links.message_id(self._name, person, self._domain) for person in people]


def _evaluated(field: Field, texts: list[str], lang: str) -> list[str]:
    """Everybody's value of one field: what ``evaluate`` says of each, sooner where it is plain or has a default."""
    name, filters = field.name, field.filters
    if name in LINKS and not filters:
        return texts
    if not filters or (len(filters) == 1 and filters[0].name == "default"):
        if all(map(str.strip, texts)):
            return texts
        blank = filters[0].args[0] if filters else ""
        return [text if text.strip() else blank for text in texts]
    return [evaluate(field, {name: text}, lang) for text in texts]


def _look_at_subjects(subject: Template, columns: Sequence[Sequence[str]], values: Sequence[tuple[str, ...]]) -> None:
    """Raise ``CannotRender`` when a subject may not go out; an encoded word, which begins with ``=?``, is read."""
    parts = [escaper(p.context)("".join(columns[p.field])) if isinstance(p, Slot) else p for p in subject]
    if not any("=" in part for part in parts):
        return
    for each in values:
        text = join(subject, each)
        if "=?" in text and (reason := unsafe(text)):
            message = f"the subject may not go out: {reason}"
            raise CannotRender(message)
