"""What Mailgun's servers say before a message is looked at: keys, addresses, methods, sizes, the rate."""

from __future__ import annotations

import base64
import binascii
import re

from newsletter.providers.dialects.base import Call, Declined, Reply, answer, wrong

DIALECT = "mailgun"
REQUEST_BYTES = int(52.4 * (1 << 20))
UNKNOWN_DOMAIN = "unknown.example"
"""A sending domain that no account has, for trying what a typing mistake leads to."""

_PLACE = re.compile(r"/v3/([^/]+)/(messages|events|bounces|unsubscribes|complaints)(?:/(.*))?")


def credentials(call: Call) -> Reply | None:
    """The refusal of a call without a key, with another user name than ``api``, or with a key made to be wrong.

    "Forbidden" is the description's own example for 401.
    """
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    try:
        user, _, key = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        user, key = "", ""
    if kind.lower() == "basic" and user == "api" and key and not wrong(key):
        return None
    plain = ("content-type", "text/plain; charset=utf-8")
    return Reply(401, b"Forbidden", (plain, ("www-authenticate", 'Basic realm="MG API"')))


def domain_refusal(domain: str) -> Reply | None:
    """The refusal of a domain that the account does not have.

    "Domain not found: …" with its name: mailgun-ruby spec/integration, 2026-11-25.
    """
    if domain.lower() == UNKNOWN_DOMAIN or "." not in domain:
        return answer(404, {"message": f"Domain not found: {domain}"})
    return None


def magnificent() -> Reply:
    """The friendly word at any address that is none of the API's, with 200 (django-anymail, seen until 2026-11-25)."""
    return Reply(200, b"Mailgun Magnificent API", (("content-type", "text/plain; charset=utf-8"),))


def too_large() -> Reply:
    """413 comes from the web server before the API (mailgun-js-boland issue 67, 2015-06)."""
    page = b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n<body>\r\n<center>"
    page += b"<h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    return Reply(413, page, (("content-type", "text/html"),))


def too_fast() -> Reply:
    """429 with the time in the words only, as in the description's example."""
    words = "Domain is not allowed to send: account-requests-per-sec limit exceeded, try again after 1 seconds"
    return answer(429, {"message": words})


def place(call: Call) -> tuple[str, str, str]:
    """The domain, the room (messages, events or a list) and a page's token; raises ``Declined``."""
    found = _PLACE.fullmatch(call.path)
    if found is None or (found[3] and found[2] != "events"):
        raise Declined(magnificent())
    if refusal := domain_refusal(found[1]):
        raise Declined(refusal)
    if call.method != ("POST" if found[2] == "messages" else "GET"):
        raise Declined(answer(405, {"message": "Method Not Allowed"}))
    return found[1], found[2], found[3] or ""
