"""What a person's status may be, which one wins, and how other tools spell them.

Complaint goes over bounce, bounce over unsubscribed, unsubscribed over active. Nothing lowers a
status but ``resubscribe``.
"""

from __future__ import annotations

import re

from newsletter.store.tables import STATUSES

ACTIVE, UNSUBSCRIBED, BOUNCED, COMPLAINED = STATUSES
RANK = {status: rank for rank, status in enumerate(STATUSES)}

CONSENT = "consent"
IMPORTED = "imported"
EDITED = "edited"
RESUBSCRIBED = "resubscribed"
"""What ``person_event.what`` may say besides the name of a new status."""

_SPELT = {
    ACTIVE: "active subscribed subscriber enabled confirmed optedin optin member",
    UNSUBSCRIBED: "unsubscribed unsubscribe unsub optedout optout inactive disabled removed deleted suppressed blocked"
    " blocklisted blacklisted donotmail donotemail donotcontact left abgemeldet",
    BOUNCED: "bounced bounce hardbounce hardbounced cleaned undeliverable invalid",
    COMPLAINED: "complained complaint complaints spam spamcomplaint abuse reported reportedspam markedasspam",
}
_STATUS = {word: status for status, words in _SPELT.items() for word in words.split()}
_NO = frozenset({"", "0", "no", "n", "false", "f", "never", "none", "null", "nein", "non"})
_YES = frozenset({"1", "yes", "y", "true", "t", "x", "ja", "oui", "si", "sí"})
_DATE = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}([T ].*)?|\d{9,13}")


def read_status(text: str) -> str | None:
    """The status that a word of another tool stands for, ``None`` for an unknown one."""
    return _STATUS.get(re.sub(r"[\W_]+", "", text.casefold()))


def read_flag(text: str, status: str) -> str | None:
    """The status of a person for whom a column of this name says yes, no, or since when.

    Of a column for active people, no and nothing mean unsubscribed; of the others, active.
    """
    word = text.strip().casefold()
    if word in _NO:
        return UNSUBSCRIBED if status == ACTIVE else ACTIVE
    if word in _YES or _DATE.fullmatch(word) or read_status(word) == status:
        return status
    return None
