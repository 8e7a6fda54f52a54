"""Frozen recipients become messages: values evaluated, links made, all of it fit to go out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from newsletter import mime
from newsletter.delivery.members import Member, Members
from newsletter.headers import unsafe
from newsletter.model import Slot
from newsletter.personal import LINKS, CannotRender, escaper, evaluate, join, used
from newsletter.providers.base import Message, Verdict
from newsletter.providers.messages import Messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.delivery.freeze import Frozen
    from newsletter.links import Links
    from newsletter.model import Field, Template, Variant


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
        self._shown = {
            each.key: used((each.subject, each.html, each.text)) for each in frozen.variants
        }  # what a variant does not show is not worked out: a value that is only wrong there harms nobody

    def message(self, variant: Variant, person: int, to: str, fields: str) -> Message:
        """The message to one person, whose values are the JSON object ``fields``.

        Raises ``CannotRender`` when the address or a value does not fit.
        """
        return self._all(variant, Members([person], [to], [json.loads(fields)]))[0]

    def messages(self, variant: Variant, members: Sequence[Member]) -> tuple[Messages, list[Verdict]]:
        """The messages to ``members``, and those that cannot be made.

        Nearly always everybody fits, and a look at all of them together costs a fraction; when somebody does
        not, one by one tells who.
        """
        everybody = members if isinstance(members, Members) else Members.of(members)
        try:
            return self._all(variant, everybody), []
        except CannotRender:
            return self._each(variant, everybody)

    def _each(self, variant: Variant, members: Members) -> tuple[Messages, list[Verdict]]:
        fit: list[Member] = []
        failed: list[Verdict] = []
        for member in members:
            try:
                self._all(variant, Members.of([member]))
            except CannotRender as error:
                failed.append(Verdict(member[0], str(error)))
            else:
                fit.append(member)
        return self._all(variant, Members.of(fit)), failed

    def _all(self, variant: Variant, members: Members) -> Messages:
        """Everybody's message; raises ``CannotRender`` when an address or a value of one of them does not fit."""
        people, to = members.people, members.to
        where = mime.addresses(to)
        unsubscribe = self._links.unsubscribe_each(people)
        texts = {"email": to, "unsubscribe_url": unsubscribe}
        if self._views:
            texts["view_url"] = self._links.view_each(self._send_id, people)
        shown = self._shown[variant.key]
        columns = []
        for index, field in enumerate(self._frozen.fields):
            if index not in shown:
                columns.append([""] * len(people))
                continue
            if field.name not in texts:
                texts[field.name] = [fields.get(field.name, "") for fields in members.fields]
            columns.append(_evaluated(field, texts[field.name], self._frozen.lang))
            if field.name not in LINKS:
                mime.sound("".join(columns[-1]))
        if people:
            _look_at_subjects(variant.subject, columns)
        return Messages(people, to, where, columns, self._message_ids(people), unsubscribe)

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


def _look_at_subjects(subject: Template, columns: Sequence[Sequence[str]]) -> None:
    """Raise ``CannotRender`` when a subject may not go out; an encoded word, which begins with ``=?``, is read."""
    parts = [escaper(p.context)("".join(columns[p.field])) if isinstance(p, Slot) else p for p in subject]
    if not any("=" in part for part in parts):
        return
    for each in zip(*columns, strict=True) if columns else [()]:
        text = join(subject, each)
        if "=?" in text and (reason := unsafe(text)):
            message = f"the subject may not go out: {reason}"
            raise CannotRender(message)
