"""Names: what a column of a CSV file is called as a merge field, and what its heading tells of its role."""

from __future__ import annotations

import re
import unicodedata

from newsletter.personal import RESERVED

NAME = re.compile(r"[a-z_][a-z0-9_]*")
"""What a merge field's name looks like."""

ROLES = ("email", "status", "active", "unsubscribed", "bounced", "complained")
"""Targets of ``--map`` that are no fields."""

_TAKEN = RESERVED | frozenset(ROLES) | {"data"}
_WORDS_OF_THE_GRAMMAR = frozenset({"and", "else", "false", "if", "in", "is", "none", "not", "or", "true"})

# Letters that have no decomposition but a customary spelling in ASCII.
_SPELT = {
    "ß": "ss",
    "æ": "ae",
    "œ": "oe",
    "ø": "o",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ı": "i",
    "’": "",
    "'": "",
}
_LATIN = str.maketrans(_SPELT | {key.upper(): _SPELT[key].upper() for key in "æœøłđðþ"})


def _squeezed(header: str) -> str:
    """Letters and digits only, folded and without accents."""
    plain = unicodedata.normalize("NFKD", header.casefold().translate(_LATIN))
    return unicodedata.normalize("NFC", "".join(char for char in plain if char.isalnum()))


def _words(*lines: str) -> frozenset[str]:
    return frozenset(_squeezed(word) for line in lines for word in line.split())


_EMAIL = _words(
    "email emails mail emailaddress mailaddress emailid primaryemail contactemail useremail subscriberemail email1",
    "emailadresse mailadresse epost epostadresse epostadress eposta epostaadresi sahkoposti sahkopostiosoite",
    "correo correoelectronico direcciondecorreo direcciondecorreoelectronico enderecodeemail correioeletronico",
    "courriel adresseemail adressemail adresseelectronique adressedecourriel indirizzoemail postaelettronica",
    "emailadres mailadres adresemail adresmail emailovaadresa emailcim имейл почта электроннаяпочта",
    "адресэлектроннойпочты ηλεκτρονικηδιευθυνση メール メールアドレス eメール 电子邮件 电子邮箱 邮箱 電子郵件 電子信箱",
    "이메일 이메일주소 البريدالإلكتروني אימייל ईमेल",
)
_ADDRESS = _words("address adresse adres direccion indirizzo endereco contact recipient subscriber username")

_STATUS = _words(
    "status state subscribed active inactive cleaned deleted removed optin optedin doubleoptin spam blocked enabled",
    "disabled isactive estado statut stato abgemeldet abonniert desabonne desuscrito baja cancelado",
)
_STATUS_PARTS = re.compile(
    "unsub|optout|optedout|bounce|complain|suppress|gdpr|dsgvo|rgpd|donotmail|donotemail|donotcontact|blacklist"
    "|blocklist|acceptsmarketing|acceptsemail|marketingconsent|subscriptionstatus|emailstatus|memberstatus|cleantime|deletedat"
)

# What a heading is best mapped to, by the first part found in it.
_TARGETS = {
    "status": "status",
    "unsub": "unsubscribed",
    "optout": "unsubscribed",
    "optedout": "unsubscribed",
    "bounce": "bounced",
    "clean": "bounced",
    "complain": "complained",
    "spam": "complained",
    "inactive": "unsubscribed",
    "active": "active",
    "subscribed": "active",
    "optin": "active",
    "optedin": "active",
    "accepts": "active",
    "consent": "active",
    "gdpr": "active",
    "enabled": "active",
    "delete": "unsubscribed",
    "remove": "unsubscribed",
    "suppress": "unsubscribed",
    "block": "unsubscribed",
    "black": "unsubscribed",
    "donot": "unsubscribed",
    "abgemeldet": "unsubscribed",
}


def field_name(header: str) -> str:
    """A heading as a field's name: ``First name`` and ``firstName`` become ``first_name``.

    Accents go, and other scripts are left out; empty when nothing remains.
    """
    plain = unicodedata.normalize("NFKD", header.translate(_LATIN))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    if any(char.isalpha() and not char.isascii() for char in plain):
        return ""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    name = "_".join(re.findall(r"[a-z0-9]+", split.lower()))
    return f"field_{name}" if name[:1].isdigit() else name


def unusable(name: str) -> str:
    """Why a field may not have this name; empty when it may."""
    if not NAME.fullmatch(name):
        return "a field's name is made of small letters, digits and _"
    if name in _TAKEN:
        return f"the name “{name}” is reserved"
    if name in _WORDS_OF_THE_GRAMMAR:
        return f"“{name}” is a word of the merge-field grammar"
    return ""


def is_email(header: str) -> bool:
    """Whether a heading surely names the column of addresses."""
    return _squeezed(header) in _EMAIL


def is_address(header: str) -> bool:
    """Whether a heading names the column of addresses if no other does; it may be a postal one."""
    return _squeezed(header) in _ADDRESS


def status_target(header: str) -> str | None:
    """What a heading that seems to say who must not be mailed is best mapped to; ``None`` for others."""
    word = _squeezed(header)
    if word not in _STATUS and not _STATUS_PARTS.search(word):
        return None
    return next((target for part, target in _TARGETS.items() if part in word), "status")
