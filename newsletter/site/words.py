"""The words of the pages, by language; a language without an entry reads English.

Every text is HTML. ``{name}`` is the newsletter, ``{address}`` the reader's address, masked; ``{leave}`` and
``{contact}`` are links for writing a mail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Text(NamedTuple):
    """One page: its heading, its paragraphs, a button, and a small line below that."""

    heading: str
    lines: tuple[str, ...]
    button: str = ""
    small: str = ""


class Words(NamedTuple):
    """All pages in one language."""

    ask: Text
    left: Text
    unused: Text
    later: Text
    busy: Text
    missing: Text
    home: Text


_ENGLISH = Words(
    ask=Text(
        "Unsubscribe?",
        ("Press the button, and no further issue of {name} is sent to <b>{address}</b>.",),
        "Unsubscribe",
        "Nothing has changed yet.",
    ),
    left=Text(
        "You have unsubscribed",
        (
            "No further issue of {name} is sent to <b>{address}</b>. One that is on its way already may still arrive.",
            "Was this a mistake? Write to {contact}.",
        ),
    ),
    unused=Text(
        "This link is not in use",
        (
            "Nobody is mailed through it. It may be incomplete, or belong to somebody who is not on the list any more.",
            "If you get {name} and want to leave, write to {leave} from the address that gets it.",
        ),
    ),
    later=Text(
        "Please try again in a minute",
        (
            "The list of readers cannot be reached at this moment, and <b>nothing was changed</b>.",
            "If it does not work again and you want to leave, write to {leave}.",
        ),
    ),
    busy=Text(
        "Please try again in a minute",
        (
            "Many requests came from your network in a short time, and <b>nothing was changed</b>.",
            "If it does not work again and you want to leave, write to {leave}.",
        ),
    ),
    missing=Text("There is nothing here", ("This page of {name} does not exist, or not any more.",)),
    home=Text("{name}", ("This is where the links in our mails lead. To write to us: {contact}.",)),
)

_GERMAN = Words(
    ask=Text(
        "Abbestellen?",
        ("Nach einem Klick auf den Knopf geht keine Ausgabe von {name} mehr an <b>{address}</b>.",),
        "Abbestellen",
        "Noch ist alles, wie es war.",
    ),
    left=Text(
        "Sie haben abbestellt",
        (
            "An <b>{address}</b> geht keine Ausgabe von {name} mehr. Eine, die unterwegs ist, kann noch ankommen.",
            "War das ein Versehen? Schreiben Sie an {contact}.",
        ),
    ),
    unused=Text(
        "Dieser Link wird nicht verwendet",
        (
            "Niemand bekommt darüber Post. Er ist unvollständig, oder die Adresse dazu steht nicht mehr auf der Liste.",
            "Wenn Sie {name} bekommen und nicht mehr möchten, schreiben Sie von dieser Adresse aus an {leave}.",
        ),
    ),
    later=Text(
        "Bitte versuchen Sie es in einer Minute noch einmal",
        (
            "Die Liste der Leser ist gerade nicht erreichbar, und <b>nichts wurde geändert</b>.",
            "Wenn es wieder nicht geht und Sie abbestellen möchten, schreiben Sie an {leave}.",
        ),
    ),
    busy=Text(
        "Bitte versuchen Sie es in einer Minute noch einmal",
        (
            "Aus Ihrem Netz kamen in kurzer Zeit viele Anfragen, und <b>nichts wurde geändert</b>.",
            "Wenn es wieder nicht geht und Sie abbestellen möchten, schreiben Sie an {leave}.",
        ),
    ),
    missing=Text("Hier ist nichts", ("Diese Seite von {name} gibt es nicht oder nicht mehr.",)),
    home=Text("{name}", ("Hierher führen die Links in unseren Mails. Sie erreichen uns unter {contact}.",)),
)

_ALL: Mapping[str, Words] = {"en": _ENGLISH, "de": _GERMAN}


def words(lang: str) -> tuple[str, Words]:
    """The language that the pages are in, and their words, for a language tag."""
    primary = lang.partition("-")[0].lower()
    return (lang, _ALL[primary]) if primary in _ALL else ("en", _ENGLISH)
