"""Every provider that can be configured, and how each is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from newsletter.config import API_KEYS, secret
from newsletter.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from newsletter.config import Config
    from newsletter.providers.base import Capabilities, Provider


def _outbox(config: Config) -> Provider:
    from newsletter.providers.outbox import Outbox

    return Outbox(config.state / "outbox", batch=config.sending.batch or 100)


def _mailgun(config: Config) -> Provider:
    from newsletter.providers.mailgun import Mailgun

    return Mailgun(config.mailgun, _key(config))


def _resend(config: Config) -> Provider:
    from newsletter.providers.resend import Resend

    return Resend(config.resend, _key(config))


FACTORIES: Mapping[str, Callable[[Config], Provider]] = {
    "outbox": _outbox,
    "mailgun": _mailgun,
    "resend": _resend,
}


def make(config: Config) -> Provider:
    """The configured provider, ready to send; ``BadConfig`` when its key is not set."""
    return FACTORIES[config.provider](config)


def capabilities() -> tuple[Capabilities, ...]:
    """What every provider can do, in the order of the registry; no key is needed to ask."""
    from newsletter.providers import mailgun, outbox, resend

    return (outbox.capabilities(), mailgun.capabilities(), resend.capabilities())


def _key(config: Config) -> str:
    """The provider's key from the environment or ``.env``; one that cannot stand in a header is refused unseen."""
    name = API_KEYS[config.provider]
    key = secret(config.root, name).strip()
    if not key:
        message = f"{name} is not set, and {config.provider} cannot be called without it"
        raise BadConfig(message, hint="Set it in the environment or in .env; never in newsletter.yaml.")
    if not key.isascii() or not key.isprintable() or " " in key:
        message = f"{name} holds a space or another character that no key has"
        raise BadConfig(message, hint="Copy the key once more, without quotes or line breaks.")
    return key
