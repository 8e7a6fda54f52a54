"""A desk at which things go wrong, before a call is carried out or after; and answers that break off on their way."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from newsletter.errors import Unwritable
from newsletter.providers.dialects import forms, mailgun_gate, resend
from newsletter.providers.dialects.addresses import members as split
from newsletter.providers.dialects.app import whole
from newsletter.providers.dialects.desk import broken, dialect
from newsletter.providers.dialects.hostile_words import SAID, Broken
from newsletter.providers.dialects.keep import Keep
from newsletter.providers.hostile.fates import members
from newsletter.providers.hostile.truth import Taken, Tried

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from starlette.types import Receive, Send

    from newsletter.providers.dialects.base import Call, Event, Outcome, Reply
    from newsletter.providers.dialects.desk import Answers
    from newsletter.providers.hostile.fates import Fates, Plan
    from newsletter.providers.hostile.mishaps import Mishap
    from newsletter.providers.hostile.truth import Truth

_NO_ADDRESS = "no-address"
_LATE = 2.0
"""Seconds, at most; an answer that is merely slow comes long before the client gives up."""

_LINGER = struct.pack("ii", 1, 0)


class Witness(Keep):
    """Files that also tell the truth: who was accepted, before anybody hears of it."""

    def __init__(self, root: Path, truth: Truth, now: Callable[[], dt.datetime]) -> None:
        super().__init__(root)
        self._truth = truth
        self._now = now

    def store(self, dialect: str, outcome: Outcome) -> None:
        """Write the mails and events, then who they were for; mails written again under a key are the same mails."""
        super().store(dialect, outcome)
        with self._truth.alone():
            if outcome.mails and self._truth.with_key(outcome.key) is None:
                said = [_told(event) for event in outcome.events]
                people = tuple(int(each["recipient"]) for each in said if each.get("recipient", "").isdecimal())
                batch = next((each["batch"] for each in said if each.get("batch")), "")
                self._truth.take(Taken(people, (), outcome.key, "", batch, self._now()))


def _told(event: Event) -> Mapping[str, str]:
    """What we said of a message when we sent it: its recipient's number, and its batch."""
    found: Mapping[str, str] = event.get("user-variables") or event.get("tags") or {}
    return found if isinstance(found, dict) else {}


class HostileDesk:
    """A desk behind which calls go wrong, each in the way of its provider."""

    def __init__(self, desk: Answers, fates: Mapping[str, Fates], truth: Truth) -> None:
        self._desk = desk
        self._fates = fates
        self._truth = truth

    def answer(self, call: Call) -> Reply:
        """The answer, or what comes in its place; only calls that bring mail go wrong."""
        speaks = dialect(call.path, call.headers.get("authorization", ""))
        to = _addressed(speaks, call)
        if not to:
            return self._desk.answer(call)
        fates, said = self._fates[speaks], SAID[speaks]
        wrong = {where: found for where in to if (found := fates.of_person(where.lower()))}
        try:
            mishap = self._begin(fates, to, wrong.values())
        except Unwritable as error:
            return broken(error.message)
        if mishap and mishap.arrives == "nothing":
            return said[mishap.name](resend.not_found())
        if any(each.name == "verdict" for each in wrong.values()):
            return said["verdict"](resend.not_found())
        true = self._desk.answer(_without(call, wrong) if wrong else call)
        return said[mishap.name](true) if mishap and true.status == 200 else true

    def _begin(self, fates: Fates, to: Sequence[str], wrong: Iterable[Mishap]) -> Mishap | None:
        who = members([where.lower() for where in to])
        with self._truth.alone():
            attempt = self._truth.attempts(who) + 1
            mishap = fates.of_call(who, attempt)
            name = mishap.name if mishap else next((each.name for each in wrong), "")
            self._truth.note(Tried(who, attempt, name))
        return mishap


def plans(plan: Plan) -> dict[str, Plan]:
    """A plan for each dialect, of what can happen there."""
    return {
        speaks: plan.only(mishap for mishap in plan.mishaps if mishap.name in said) for speaks, said in SAID.items()
    }


# -- calls ----------------------------------------------------------------------------


def _addressed(speaks: str, call: Call) -> list[str]:
    """Everybody whom a call brings mail for; nobody where it is no such call, or cannot be read."""
    if call.method != "POST":
        return []
    if speaks == mailgun_gate.DIALECT and re.fullmatch(r"/v3/[^/]+/messages", call.path):
        try:
            fields = forms.fields(call.headers.get("content-type", ""), call.body)
        except forms.Unreadable:
            return []
        return [where.strip() for each in fields if each.name == "to" for where in split(each.value)]
    if speaks == resend.DIALECT and call.path in {"/emails", "/emails/batch"}:
        return [where for item in _items(call) for where in _to(item)]
    return []


def _items(call: Call) -> list[dict[str, Any]]:
    try:
        found = json.loads(call.body)
    except (ValueError, RecursionError):
        return []
    listed = found if isinstance(found, list) else [found]
    return [each for each in listed if isinstance(each, dict)]


def _to(item: Mapping[str, Any]) -> list[str]:
    given = item.get("to")
    listed = given if isinstance(given, list) else [given]
    return [where for where in listed if isinstance(where, str)]


def _without(call: Call, wrong: Mapping[str, Mishap]) -> Call:
    """A call to Resend in which some addresses are none: its own checks then refuse them.

    They are the same every time, and so the call with a key stays the same.
    """
    if call.path != "/emails/batch":
        return call
    items = [item | {"to": _NO_ADDRESS} if set(_to(item)) & set(wrong) else item for item in _items(call)]
    return replace(call, body=json.dumps(items).encode())


# -- answers on their way -------------------------------------------------------------


class Giver:
    """Brings answers on their way; ``hang`` is for how many seconds one that never comes is held back."""

    def __init__(self, hang: float) -> None:
        self._hang = hang

    async def __call__(self, receive: Receive, send: Send, reply: Reply, *, head: bool) -> None:
        """Give it, late, by half, or not at all."""
        if not isinstance(reply, Broken):
            await whole(receive, send, reply, head=head)
        elif reply.act == "late":
            await asyncio.sleep(min(_LATE, self._hang / 10))
            await whole(receive, send, reply, head=head)
        elif reply.act == "half":
            await _half(send, reply)
            await _cut(receive, send, hard=False)
        else:
            if reply.act == "hang":
                await _gone(receive, self._hang)
            await _cut(receive, send, hard=True)


async def _half(send: Send, reply: Reply) -> None:
    headers = [(name.encode(), value.encode()) for name, value in reply.headers]
    headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})


async def _gone(receive: Receive, seconds: float) -> None:
    """Wait until the client has had enough, at most so long; the server's own end ends it, too."""
    try:
        await asyncio.wait_for(receive(), seconds)
    except (TimeoutError, asyncio.CancelledError):
        return


async def _cut(receive: Receive, send: Send, *, hard: bool) -> None:
    """End the connection, with a reset where it is to be ``hard``.

    ASGI has no word for that, so it is asked of uvicorn's own request (read 2026-11-25, version 0.54). Where that is
    not what serves us, the error it makes ends the connection as well, less quietly.
    """
    transport = send.__self__.transport  # type: ignore[attr-defined]
    if not transport.is_closing():  # the client may have had enough already
        if hard:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            transport.abort()
        else:
            transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
