"""Addresses: checked by email-validator without asking the network, kept as typed, compared folded."""

from __future__ import annotations

import unicodedata

from email_validator import EmailNotValidError, validate_email


class BadAddress(ValueError):
    """The text is no address that mail can go to; the message says why."""


Address = tuple[str, str]
"""What mail is sent to, and the key that tells two people apart."""


def parse(text: str) -> Address:
    """Read one address.

    The local part keeps its case (in NFC; letters beyond ASCII are allowed), the domain becomes
    lower-case ASCII (A-labels). Dots and ``+tags`` count: they are other mailboxes to the provider.
    """
    try:
        valid = validate_email(text, check_deliverability=False)
    except EmailNotValidError as error:
        if not text:
            raise BadAddress("there is no address") from None
        shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[:80])
        reason = str(error).removesuffix(".")
        raise BadAddress(f"“{shown}” is not an address: {reason[:1].lower()}{reason[1:]}") from None
    address = f"{valid.local_part}@{valid.ascii_domain}"
    return address, folded(address)


def folded(address: str) -> str:
    """The key of an address that ``parse`` has read."""
    return address.lower() if address.isascii() else unicodedata.normalize("NFC", address.casefold())


def spellings(text: str) -> tuple[str, ...]:
    """How the address in ``text`` may be written elsewhere: as given, as stored, folded, with a domain in any script.

    Raises ``BadAddress``.
    """
    address, key = parse(text)
    valid = validate_email(text, check_deliverability=False)
    return tuple(dict.fromkeys((text, address, key, valid.normalized, f"{valid.local_part}@{valid.domain}")))
