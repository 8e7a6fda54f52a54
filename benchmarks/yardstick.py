"""The other side of ``send.py``: django-anymail, as its manual says, over one connection.

It does the same job: from people in a database to accepted calls, with the same values and the same links, which are
made by our code. Its batch through Resend knows no values at all: everybody gets one body, which spares it what
ours does for each reader.
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


def anymail_mailgun(scene: Scene) -> dict[str, float]:
    """Its batch with ``merge_data``: Mailgun puts the values in."""
    frozen = scene.frozen()
    fields = [(field, f"f{index}") for index, field in enumerate(frozen.fields)]
    texts = _texts(frozen, [f"%recipient.{name}%" for _, name in fields])
    connection = _connection("mailgun", api_url=f"{scene.url}/v3", sender_domain=DOMAIN)
    began = perf_counter()
    for people in _people(scene):
        merge_data = {}
        for person, to, values in people:
            given = {**json.loads(values), "email": to, "unsubscribe_url": LINKS.unsubscribe(person)}
            given["view_url"] = LINKS.view(1, person)
            merge_data[to] = {name: evaluate(field, given, frozen.lang) for field, name in fields}
        _send(connection, frozen, texts, people, merge_data=merge_data)
    return {"working": perf_counter() - began}


def anymail_resend(scene: Scene) -> dict[str, float]:
    """Its batch without values: one body, written once for each recipient."""
    frozen = scene.frozen()
    texts = _texts(frozen, ["reader" for _ in frozen.fields])
    connection = _connection("resend", api_url=scene.url)
    began = perf_counter()
    for people in _people(scene):
        _send(connection, frozen, texts, people, merge_data={to: {} for _, to, _ in people})
    return {"working": perf_counter() - began}


def _texts(frozen: Frozen, values: list[str]) -> list[str]:
    variant = frozen.variants[0]
    return [join(template, values) for template in (variant.subject, variant.text, variant.html)]


def _connection(backend: str, **options: str) -> Any:
    settings.configure()
    connection = get_connection(f"anymail.backends.{backend}.EmailBackend", api_key="nobody", **options)
    connection.open()
    return connection


def _people(scene: Scene) -> Iterator[list[tuple[int, str, str]]]:
    """The people of each call: number, address and the JSON object of their values."""
    with sqlite3.connect(scene.fresh()) as connection:
        found = connection.execute("SELECT id, address, fields FROM person ORDER BY id")
        while rows := found.fetchmany(scene.size):
            yield rows


def _send(
    connection: Any,
    frozen: Frozen,
    texts: list[str],
    people: list[tuple[int, str, str]],
    merge_data: dict[str, dict[str, str]],
) -> None:
    """One call, with the headers and the metadata that ours has."""
    subject, text, html = texts
    headers = {
        "List-Id": mime.list_id(frozen.list_name, frozen.sender),
        "List-Unsubscribe-Post": mime.ONE_CLICK,
    }
    sender, to = mime.sender_value(frozen.sender), list(merge_data)
    message: Any = EmailMultiAlternatives(subject, text, sender, to, headers=headers, connection=connection)
    message.attach_alternative(html, "text/html")
    message.tags = ["sample"]
    message.merge_data = merge_data
    message.merge_metadata = {to: {"recipient": str(person)} for person, to, _ in people}
    message.merge_headers = {to: {"List-Unsubscribe": f"<{LINKS.unsubscribe(person)}>"} for person, to, _ in people}
    message.send()
    status = message.anymail_status
    if status.status != {"queued"} or len(status.recipients) != len(to):
        problem = f"anymail says {status}"
        raise RuntimeError(problem)
