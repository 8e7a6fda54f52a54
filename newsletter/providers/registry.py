"""Every provider that can be configured, and how each is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from newsletter.config import Config
    from newsletter.providers.base import Provider


def _outbox(config: Config) -> Provider:
    from newsletter.providers.outbox import Outbox

    return Outbox(config.state / "outbox", batch=config.sending.batch or 100)


FACTORIES: Mapping[str, Callable[[Config], Provider]] = {
    "outbox": _outbox,
}


def make(config: Config) -> Provider:
    """The configured provider, ready to send; ``BadConfig`` when this version cannot reach it."""
    factory = FACTORIES.get(config.provider)
    if factory is None:
        message = f"the provider “{config.provider}” is not part of this version of newsletter"
        raise BadConfig(message, hint="Set provider: outbox in newsletter.yaml to try the send on this machine.")
    return factory(config)
