"""What a hostile provider can be like: one of the real ones, as they publish it, or a bare model of keys."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from newsletter.providers import registry
from newsletter.providers.base import Capabilities
from newsletter.providers.hostile.plain import Plain

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.providers.base import Provider
    from newsletter.providers.hostile.provider import Prepares

_NO_KEY = "rehearsal"
"""Stands where a key would: nothing that is prepared is ever sent."""


def _model(name: str, lifetime: dt.timedelta | None) -> Capabilities:
    return Capabilities(
        name=name,
        real=False,
        batch_max=1_000,
        batch_bytes=None,
        personalisation="joined",
        idempotent=lifetime is not None,
        key_lifetime=lifetime,
        results="call" if lifetime is None else "recipient",
        settling="operator" if lifetime is None else "key",
        message_id=True,
    )


MODELS = {
    "no-keys": _model("no-keys", None),
    "keys-24h": _model("keys-24h", dt.timedelta(hours=24)),
    "keys-30min": _model("keys-30min", dt.timedelta(minutes=30)),
}
"""Nothing of them leaves, nothing limits them; they differ in what they know of a call that comes twice."""


def names() -> tuple[str, ...]:
    """Everything that can be named, the real providers first."""
    return (*registry.FACTORIES, *MODELS)


def like(name: str, config: Config) -> tuple[Capabilities, Prepares]:
    """What the provider of this name can do as it is configured, never for real, and who makes its calls.

    That is the provider's own code, which gets no key and is never asked to make a call.
    """
    if name in MODELS:
        return MODELS[name], Plain()
    made: Provider
    if name == "mailgun":
        from newsletter.providers.mailgun import Mailgun

        made = Mailgun(config.mailgun, _NO_KEY)
    elif name == "resend":
        from newsletter.providers.resend import Resend

        made = Resend(config.resend, _NO_KEY)
    else:
        from newsletter.providers.outbox import Outbox

        made = Outbox(config.state / "outbox", batch=config.sending.batch or 100)
    return replace(made.capabilities, real=False), made
