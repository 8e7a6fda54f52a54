"""One frozen recipient becomes one message: values evaluated, links made, all of it fit to go out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from newsletter.headers import unsafe
from newsletter.mime import address, sound
from newsletter.personal import CannotRender, evaluate, join
from newsletter.providers.base import Message, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from newsletter.delivery.freeze import Frozen
    from newsletter.links import Links
    from newsletter.model import Variant


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
        self._domain = address(frozen.sender.address).rpartition("@")[2]
        self._views = any(field.name == "view_url" for field in frozen.fields)

    def message(self, variant: Variant, person: int, to: str, fields: str) -> Message:
        """The message to one person, whose values are the JSON object ``fields``.

        Raises ``CannotRender`` when the address or a value does not fit.
        """
        address(to)
        unsubscribe = self._links.unsubscribe(person)
        given: dict[str, str] = json.loads(fields)
        given["email"] = to
        given["unsubscribe_url"] = unsubscribe
        if self._views:
            given["view_url"] = self._links.view(self._send_id, person)
        lang = self._frozen.lang
        values = tuple([evaluate(field, given, lang) for field in self._frozen.fields])
        for value in values:
            sound(value)
        subject = join(variant.subject, values)
        if "=?" in subject and (reason := unsafe(subject)):
            message = f"the subject may not go out: {reason}"
            raise CannotRender(message)
        message_id = self._links.message_id(self._name, person, self._domain) if self._ids else ""
        return Message(person, to, values, message_id, unsubscribe)

    def messages(
        self, variant: Variant, members: Iterable[tuple[int, str, str]]
    ) -> tuple[list[Message], list[Verdict]]:
        """The messages to ``members`` (person, address, values), and those that cannot be made."""
        made: list[Message] = []
        failed: list[Verdict] = []
        for person, to, fields in members:
            try:
                made.append(self.message(variant, person, to, fields))
            except CannotRender as error:
                failed.append(Verdict(person, str(error)))
        return made, failed
