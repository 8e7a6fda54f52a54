"""Messages for a provider that is like none: no bytes of anybody's API, only a hash over all that readers get."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from newsletter.personal import CannotRender, join
from newsletter.providers.base import Payload, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.providers.base import Letter, Message


class Plain:
    """Quick, because the harness prepares hundreds of thousands."""

    def shares(self, letter: Letter, message: Message) -> bool:
        """Any message may stand beside others."""
        del letter, message
        return True

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """Everybody whose subject can stand in a header."""
        del batch
        failed: list[Verdict] = []
        digest = hashlib.sha256(repr((letter.tag, letter.sender, letter.subject, letter.html, letter.text)).encode())
        size = 0
        for message in messages:
            try:
                join(letter.subject, message.values)
            except CannotRender as error:
                failed.append(Verdict(message.person, str(error)))
                continue
            own = repr(tuple(message)).encode()
            digest.update(own)
            size += len(own)
        return Payload(digest.hexdigest(), None, len(messages) - len(failed), size, tuple(failed))
