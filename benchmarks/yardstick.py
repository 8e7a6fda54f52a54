"""The other side of ``send.py``: django-anymail, given people, values and links for nothing.

Only building its messages and sending them is timed, over one connection, as its manual says. Its batch through
Resend knows no values at all: everybody gets one body, which spares it the work that ours does for each reader.
"""

from __future__ import annotations

import json
import sqlite3
from time import perf_counter
from typing import TYPE_CHECKING, Any

from delivered import LINKS
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from scene import DOMAIN

from newsletter import mime
from newsletter.personal import evaluate, join

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scene import Scene

    from newsletter.delivery.freeze import Frozen

_Person = tuple[int, str, list[str]]


def anymail_mailgun(scene: Scene) -> dict[str, float]:
    """Its batch with ``merge_data``: Mailgun puts the values in."""
    frozen = scene.frozen()
    names = [f"%recipient.f{index}%" for index in range(len(frozen.fields))]
    posted = _Posted(scene, frozen, names, backend="mailgun", api_url=f"{scene.url}/v3", sender_domain=DOMAIN)
    for part in _parts(scene, frozen):
        links = "<%recipient.u%>"
        merge_data = {
            to: {f"f{index}": value for index, value in enumerate(values)} | {"u": LINKS.unsubscribe(person)}
            for person, to, values in part
        }
        metadata = {to: {"recipient": str(person)} for person, to, _ in part}
        posted.send(
            list(merge_data), {"List-Unsubscribe": links}, merge_data=merge_data, merge_metadata=metadata, tags=["a"]
        )
    return {"working": posted.seconds}


def anymail_resend(scene: Scene) -> dict[str, float]:
    """Its batch without values: one body, written once for each recipient."""
    frozen = scene.frozen()
    names = ["reader" for _ in frozen.fields]
    posted = _Posted(scene, frozen, names, backend="resend", api_url=scene.url)
    for part in _parts(scene, frozen):
        headers = {to: {"List-Unsubscribe": f"<{LINKS.unsubscribe(person)}>"} for person, to, _ in part}
        metadata = {to: {"recipient": str(person)} for person, to, _ in part}
        nothing: dict[str, dict[str, str]] = {to: {} for to in headers}
        posted.send(list(headers), {}, merge_data=nothing, merge_metadata=metadata, merge_headers=headers, tags=["a"])
    return {"working": posted.seconds}


class _Posted:
    """Builds and sends messages with one content, and counts the seconds that this takes."""

    def __init__(self, scene: Scene, frozen: Frozen, values: list[str], *, backend: str, **options: str) -> None:
        settings.configure()
        variant = frozen.variants[0]
        self._texts = [join(template, values) for template in (variant.subject, variant.text, variant.html)]
        self._from = mime.sender_value(frozen.sender)
        self._list = mime.list_id(frozen.list_name, frozen.sender)
        self._connection = get_connection(f"anymail.backends.{backend}.EmailBackend", api_key="nobody", **options)
        self._connection.open()
        self.seconds = 0.0

    def send(self, to: list[str], headers: dict[str, str], **batch: Any) -> None:
        """One call."""
        began = perf_counter()
        subject, text, html = self._texts
        shared = {"List-Unsubscribe-Post": mime.ONE_CLICK, "List-Id": self._list, **headers}
        message = EmailMultiAlternatives(subject, text, self._from, to, headers=shared, connection=self._connection)
        message.attach_alternative(html, "text/html")
        for name, value in batch.items():
            setattr(message, name, value)
        message.send()
        self.seconds += perf_counter() - began
        status = message.anymail_status
        if status.status != {"queued"} or len(status.recipients) != len(to):
            message = f"anymail says {status}"
            raise RuntimeError(message)


def _parts(scene: Scene, frozen: Frozen) -> Iterator[list[_Person]]:
    """The people of each call, with their values."""
    with sqlite3.connect(scene.ledger()) as connection:
        found = connection.execute("SELECT id, address, fields FROM person ORDER BY id")
        while rows := found.fetchmany(scene.size):
            yield [(person, to, _values(frozen, person, to, fields)) for person, to, fields in rows]


def _values(frozen: Frozen, person: int, to: str, fields: str) -> list[str]:
    links = {"unsubscribe_url": LINKS.unsubscribe(person), "view_url": LINKS.view(1, person)}
    given = json.loads(fields) | {"email": to} | links
    return [evaluate(field, given, frozen.lang) for field in frozen.fields]
