"""The interface of a provider: what delivery hands over, and what it may hear back.

A provider is two pure steps and one that acts. ``prepare`` turns a batch into the very bytes of
one call, so that delivery can record their hash before anything leaves; ``submit`` makes the call
and translates the answer. A provider never retries: ``newsletter.providers.wrappers`` and delivery do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from newsletter.model import Mailbox, Picture, Template

Personalisation = Literal["substituted", "joined", "single"]
"""Who puts the values in: the provider, we for many messages a call, or we for one message a call."""

Settling = Literal["key", "search", "operator"]
"""How a call whose answer was lost is settled: made again with its key, asked for, or by the operator's word."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, as data; `newsletter providers` and ``docs/providers.md`` are made from it."""

    name: str
    real: bool
    """Whether its messages leave this machine."""
    batch_max: int
    """Messages in one call, at most."""
    batch_bytes: int | None
    """Bytes in one call, at most."""
    personalisation: Personalisation
    idempotent: bool
    """Whether the same bytes with the same key are accepted only once."""
    key_lifetime: dt.timedelta | None = None
    """How long it remembers a key; ``None`` means for ever. Of no meaning without ``idempotent``."""
    keyring: str = ""
    """Tells whose keys they are, without any secret; empty where whoever calls has the same ones.

    Every key begins with it, because a key that was used with one account means nothing to another.
    """
    per_second: float | None = None
    """Calls a second, at most; ``None`` when it names no limit."""
    workers: int | None = None
    """Calls at the same time, at most."""
    syntax: str = ""
    """How a value is written where the provider substitutes."""
    substitutes_in: tuple[str, ...] = ()
    """The parts of a message in which it substitutes."""
    results: Literal["recipient", "call"] = "recipient"
    """What one answer speaks of: each recipient, or the call as a whole."""
    settling: Settling = "operator"
    rate_signal: str = ""
    """How it says that calls come too fast."""
    options_bytes: int | None = None
    """Bytes of headers, tags and variables together, at most."""
    message_id: bool = False
    """Whether it takes a ``Message-ID`` for each recipient."""
    inline_pictures: bool = False
    """Whether pictures may be attached and shown inline (CID) in a batch."""
    suppressions: bool = False
    """Whether it can be asked whom it does not mail any more."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What all recipients of a send share; ``tag`` names the send for people: the issue's slug, or slug~2.

    ``unsubscribe_email`` is where people may write to leave, ``feedback_id`` the sender id of ``Feedback-ID``;
    either may be empty.
    """

    tag: str
    sender: Mailbox
    reply_to: Mailbox | None
    list_name: str
    date: dt.datetime
    subject: Template
    html: Template = field(repr=False)
    text: Template = field(repr=False)
    pictures: tuple[Picture, ...] = field(default=(), repr=False)
    unsubscribe_email: str = ""
    feedback_id: str = ""


class Message(NamedTuple):
    """One recipient: ``values[i]`` is the evaluated value of merge field ``i``.

    ``person`` is the ledger's number and means nothing to a provider; ``message_id`` stands in its
    angle brackets, and is empty where the provider takes none; ``unsubscribe`` is the URL for the header.
    """

    person: int
    to: str
    values: tuple[str, ...]
    message_id: str
    unsubscribe: str

    def __repr__(self) -> str:
        return f"Message(person={self.person}, to=…)"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why one recipient gets nothing."""

    person: int
    reason: str


@dataclass(frozen=True, slots=True)
class Payload:
    """One call, ready: ``sha`` covers all that readers would get, ``body`` is the provider's own business.

    ``count`` messages of ``size`` bytes in all; ``failed`` could not be made and are not among them.
    ``split`` is not empty when the messages cannot share one call: it names the people of each call to
    make instead, and this payload may not be submitted.
    """

    sha: str
    body: Any = field(repr=False)
    count: int
    size: int
    failed: tuple[Verdict, ...] = ()
    split: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The call was accepted, apart from ``refused``; ``ids`` are the provider's own for each person, if any.

    ``wait`` is how many seconds the provider wants no further call. ``held_back`` were surely not accepted, for a
    reason that lies with the sender or the account: the send is paused, and they are in a later call.
    """

    ref: str = ""
    refused: tuple[Verdict, ...] = ()
    ids: tuple[tuple[int, str], ...] = ()
    wait: float = 0.0
    held_back: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Sought:
    """A batch whose answer was lost: its id as ``prepare`` was given it, when it was tried, and some of its people."""

    batch: str
    since: dt.datetime
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Somebody whom the provider does not mail any more, since when and why; times are aware."""

    address: str
    status: Literal["unsubscribed", "bounced", "complained"]
    at: dt.datetime | None
    reason: str


_Page = TypeVar("_Page")


class Turn(Protocol):
    """Makes one call that only asks: it may wait before it, and make it again when it came to nothing."""

    def __call__(self, ask: Callable[[], _Page], /) -> _Page:
        """What ``ask`` answers, in the end."""


def at_once(ask: Callable[[], _Page], /) -> _Page:
    """The turn that neither waits nor asks twice."""
    return ask()


class Fault(IntEnum):
    """What must be mended before sending goes on; the number is the exit code."""

    UNAVAILABLE = 69
    DISK = 74
    LATER = 75
    CONFIG = 78


class ProviderError(Exception):
    """Anything but an acceptance; the message is for the operator and holds no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotSent(ProviderError):
    """Surely nothing of this call was accepted; it may be made again, with any key.

    ``retry_after`` is in seconds, when the provider names a time. With a ``fault`` a further try is
    of no use before the operator has acted: the send is paused.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, fault: Fault | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.fault = fault


class Refused(ProviderError):
    """The provider's verdict on this content or on these recipients; making the call again changes nothing.

    ``divisible`` when the whole call was refused for some of its members: in smaller calls the others may go.
    """

    def __init__(self, reason: str, *, divisible: bool = False) -> None:
        super().__init__(reason)
        self.divisible = divisible


class Unknown(ProviderError):
    """Nobody knows whether the call was accepted: time-out, reset, an answer that cannot be read.

    With a ``fault`` the send is paused at once. ``final`` when the same call with the same key would
    not tell either. ``retry_after`` is in seconds, when the provider names a time.
    """

    def __init__(
        self, reason: str, *, retry_after: float | None = None, fault: Fault | None = None, final: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.fault = fault
        self.final = final


class Provider(Protocol):
    """A mail API; safe to use from several threads at once."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; never changes."""

    @property
    def account(self) -> str:
        """Whose quota and rate are used, without any secret."""

    def shares(self, letter: Letter, message: Message) -> bool:
        """Whether this message may share a call with others; pure."""

    def prepare(self, letter: Letter, messages: Sequence[Message], batch: str = "") -> Payload:
        """One call's bytes; pure: the same arguments give the same ``sha``.

        ``batch`` goes along as metadata, for ``find`` and for events. A message that cannot be made is
        named in ``failed`` and stops none of the others.
        """

    def submit(self, payload: Payload, key: str) -> Answer:
        """Make the call and say what became of it.

        Where ``capabilities.idempotent`` holds, the same payload with the same key may be submitted
        any number of times within ``key_lifetime``, after any crash, and is accepted once. Raises
        ``NotSent``, ``Refused`` or ``Unknown``, and nothing else that the outside world can cause.
        """

    def find(self, sought: Sought) -> Answer | None:
        """The acceptance of a call whose answer was lost; ``None`` when it cannot be found, which proves nothing.

        May be repeated. Raises as ``submit`` does.
        """

    def suppressions(self, turn: Turn = at_once) -> Iterator[Suppressed]:
        """Everybody whom the provider does not mail any more, where it can be asked; raises as ``submit`` does.

        Every page is asked for through ``turn``.
        """

    def close(self) -> None:
        """Give connections back; afterwards nothing may be submitted."""
