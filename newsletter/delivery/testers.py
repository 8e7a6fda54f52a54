"""Test copies: a reader's very mail, sent to testers, past the ledger.

Nothing of a test stands in the ledger, so the issue's own send knows nothing of it, and a copy whose answer
was lost is simply in doubt: the tester looks whether it came.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from newsletter.mime import address
from newsletter.model import Field
from newsletter.personal import without_reader
from newsletter.providers.base import Fault, Message, NotSent, Refused, Unknown

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from newsletter.delivery.freeze import Frozen
    from newsletter.delivery.personalise import Writer
    from newsletter.providers.base import Answer, Letter, Payload, Provider

MARK = "[Test] "
FIRST = 10**15
"""The number of the first tester in a call's metadata.

Providers take digits only, and their events name this number again: it must be nobody's in any ledger. It is
exact in JSON everywhere (below 2**53).
"""


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of one tester's copy; ``id`` is the provider's own, if it gave one."""

    to: str
    outcome: str
    """``accepted``, ``refused``, ``failed`` (cannot be made), ``in_doubt`` or ``not_sent``."""
    reason: str = ""
    id: str = ""


def letter(frozen: Frozen, key: str, slug: str, at: dt.datetime) -> Letter:
    """The letter of a send, of the variant ``key``, with its subject marked and a tag of its own."""
    made = frozen.letter(key, f"test-{slug}", at)
    return replace(made, subject=(MARK, *made.subject))


def of_reader(frozen: Frozen, key: str, writer: Writer, person: int, to: str, fields: str) -> Message:
    """The message that a send would make for this person; raises ``CannotRender`` when it would make none."""
    return writer.message(frozen.variant(key), person, to, fields)


def of_nobody(frozen: Frozen, base: str) -> Message:
    """A message without a reader: each field's default, else its name; links as a build makes them."""
    values = tuple(without_reader(field, frozen.lang, base) for field in frozen.fields)
    return Message(0, "", values, "", without_reader(Field("unsubscribe_url"), frozen.lang, base))


def addressed(message: Message, testers: Sequence[str], sender: str, token: str, *, ids: bool) -> list[Message]:
    """The same message to each tester, ``token`` telling this test from all others.

    Raises ``CannotRender`` when the sender's address is none.
    """
    domain = address(sender).rpartition("@")[2]
    return [
        message._replace(
            person=FIRST + index,
            to=to,
            message_id=f"<test-{token}-{index}@{domain}>" if ids else "",
        )
        for index, to in enumerate(testers)
    ]


@dataclass(slots=True)
class _Round:
    """The calls still to be made, and what became of the others."""

    left: deque[list[Message]]
    done: dict[int, Copied]

    def settle(self, group: Sequence[Message], outcome: str, reason: str) -> None:
        for each in group:
            self.done.setdefault(each.person, Copied(each.to, outcome, reason))


def deliver(
    provider: Provider, shared: Letter, messages: Sequence[Message], new_key: Callable[[], str], batch: str
) -> tuple[list[Copied], NotSent | Unknown | None]:
    """Send everybody's copy, in as few calls as the provider takes; what became of each, and what ended it early.

    A refusal of a whole call is a verdict on one of its members, or on each of them once they are alone. Raises
    ``CannotRender`` when the part that all share cannot go out.
    """
    most = provider.capabilities.batch_max
    every = [list(messages[at : at + most]) for at in range(0, len(messages), most)]
    work = _Round(deque(every), {})
    stopped: NotSent | Unknown | None = None
    while work.left and stopped is None:
        group = work.left.popleft()
        payload = provider.prepare(shared, group, batch)
        named = {each.person: each for each in group}
        for verdict in payload.failed:
            work.settle([named.pop(verdict.person)], "failed", verdict.reason)
        if payload.split:
            work.left.extendleft([named[who] for who in people] for people in reversed(payload.split))
        elif payload.count:
            stopped = _submit(provider, payload, list(named.values()), new_key(), work)
    for group in work.left:
        work.settle(group, "not_sent", "an earlier call came to nothing")
    return [work.done[each.person] for each in messages], stopped


def _submit(
    provider: Provider, payload: Payload, group: list[Message], key: str, work: _Round
) -> NotSent | Unknown | None:
    try:
        answer = provider.submit(payload, key)
    except Refused as error:
        if error.divisible and len(group) > 1:
            work.left.extendleft([each] for each in reversed(group))
        else:
            work.settle(group, "refused", error.reason)
    except NotSent as error:
        work.settle(group, "not_sent", error.reason)
        return error
    except Unknown as error:
        work.settle(group, "in_doubt", error.reason)
        return error
    else:
        return _accepted(group, answer, work)
    return None


def _accepted(group: list[Message], answer: Answer, work: _Round) -> NotSent | None:
    refused = {each.person: each.reason for each in answer.refused}
    held_back = {each.person: each.reason for each in answer.held_back}
    ids = dict(answer.ids)
    for each in group:
        if each.person in refused:
            work.settle([each], "refused", refused[each.person])
        elif each.person in held_back:
            work.settle([each], "not_sent", held_back[each.person])
        else:
            work.done[each.person] = Copied(each.to, "accepted", id=ids.get(each.person, answer.ref))
    return NotSent(answer.held_back[0].reason, fault=Fault.CONFIG) if answer.held_back else None
