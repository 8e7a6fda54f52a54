"""Bad answers in each dialect, over real sockets: what each means for the people in the call."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import html
import inspect
import re
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import httpx
import pytest
from providers.contract import LETTER, message
from providers.fakes_http import KEY
from providers.scripted import close, reply, reset, scripted, silence

from newsletter.config import Account
from newsletter.providers import answers, http
from newsletter.providers.base import NotSent, Provider, ProviderError, Refused, Unknown
from newsletter.providers.mailgun import Mailgun
from newsletter.providers.resend import Resend

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "<!DOCTYPE html><html><head><title>Blocked</title></head><body>Request blocked (WAF)</body></html>"


SECRET = "re_c4na/ry+0f==tests"


def mailgun(url: str, timeout: int = 5, key: str = KEY) -> Provider:
    """The provider at an address."""
    return Mailgun(Account(url, timeout, None, "mg.example.org"), key)


def resend(url: str, timeout: int = 5, key: str = KEY) -> Provider:
    """The provider at an address."""
    return Resend(Account(url, timeout, None), key)


BOTH = pytest.mark.parametrize("make", [mailgun, resend])


def error(provider: Provider) -> ProviderError:
    """What a batch of two ends with."""
    try:
        with pytest.raises(ProviderError) as caught:
            provider.submit(provider.prepare(LETTER, [message(1), message(2)], "b-1"), "key-1")
    finally:
        provider.close()
    assert KEY not in str(caught.value)
    assert "api:" not in str(caught.value)
    return caught.value


def meaning(found: ProviderError) -> tuple[type[ProviderError], Any]:
    """The kind of an error, with its fault or whether the call may be cut."""
    return type(found), found.divisible if isinstance(found, Refused) else getattr(found, "fault", None)


ANSWERS = [
    ("a 200 of garbage", reply(200, "\x00\x01 not json"), (Unknown, None)),
    ("a 200 with a page", reply(200, PAGE), (Unknown, None)),
    ("a 200 with an empty body", reply(200, ""), (Unknown, None)),
    ("a 200 with an empty object", reply(200, {}), (Unknown, None)),
    ("a 200 with ids of another form", reply(200, {"id": 7, "data": "x"}), (Unknown, None)),
    ("a 202 nobody documents", reply(202, {}), (Unknown, None)),
    ("a redirect", reply(302, "", location="https://elsewhere.example.org/x"), (NotSent, 78)),
    ("a permanent redirect", reply(308, "", location="/elsewhere"), (NotSent, 78)),
    ("see other", reply(303, "", location="/done"), (Unknown, 78)),
    ("400 for who knows what", reply(400, {"message": "Something is off"}), (Refused, True)),
    ("400 with a page", reply(400, PAGE), (NotSent, 69)),
    ("401", reply(401, {"message": "Forbidden"}), (NotSent, 78)),
    ("401 in plain text", reply(401, "Forbidden"), (NotSent, 78)),
    ("402", reply(402, {"message": "Payment required"}), (NotSent, 75)),
    ("403", reply(403, {"message": "The account is disabled"}), (NotSent, 78)),
    ("403 from a firewall", reply(403, PAGE), (NotSent, 69)),
    ("404", reply(404, {"message": "Domain not found: mg.example.org"}), (NotSent, 78)),
    ("405", reply(405, {"message": "Method not allowed"}), (NotSent, 78)),
    ("408", reply(408, ""), (Unknown, None)),
    ("413", reply(413, {"message": "Too large"}), (Refused, True)),
    ("413 from a proxy", reply(413, PAGE), (Refused, True)),
    ("422", reply(422, {"message": "Invalid `to` field"}), (Refused, True)),
    ("429 with a time", reply(429, {"message": "slow"}, retry_after="7"), (NotSent, None)),
    ("429 without one", reply(429, {"message": "slow"}), (NotSent, None)),
    ("500", reply(500, {"message": "Internal Server Error"}), (Unknown, None)),
    ("502 with a page", reply(502, PAGE), (Unknown, None)),
    ("503", reply(503, "", retry_after="3600"), (Unknown, None)),
    ("599", reply(599, ""), (Unknown, None)),
    ("half a body", b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"id": "<', (Unknown, None)),
    ("no HTTP", b"220 mx.example.org ESMTP\r\n", (Unknown, None)),
    ("gzip that is none", reply(200, "plain", content_encoding="gzip"), (Unknown, None)),
    ("a reset after the request", reset, (Unknown, None)),
    ("a close after the request", close, (Unknown, None)),
]


@BOTH
@pytest.mark.parametrize(("what", "step", "expected"), ANSWERS, ids=[each[0] for each in ANSWERS])
def test_what_an_answer_means(make: Callable[[str], Provider], what: str, step: Any, expected: Any) -> None:
    """Not sent with what must be mended, refused, or unknown: nothing else, and no key in the words."""
    del what
    with scripted(step) as server:
        found = error(make(server.url))
        assert meaning(found) == expected
        assert len(server.requests) == 1


@BOTH
def test_a_redirect_is_not_followed(make: Callable[[str], Provider]) -> None:
    """The key would go along."""
    with scripted() as other, scripted(reply(307, "", location=f"{other.url}/v3/x")) as server:
        assert "redirect to 127.0.0.1" in error(make(server.url)).reason
        assert other.requests == []


@BOTH
def test_a_time_that_is_named_is_passed_on(make: Callable[[str], Provider]) -> None:
    """Seconds or a date; a proxy's 503 as well."""
    with scripted(
        reply(429, {"message": "slow"}, retry_after="7"),
        reply(429, {"message": "slow"}, retry_after="Wed, 25 Nov 2099 10:00:00 GMT"),
        reply(429, {"message": "slow"}, retry_after="soon"),
        reply(402, {"message": "quota"}, retry_after="86400"),
        reply(503, "", retry_after="30"),
    ) as server:
        waits = [getattr(error(make(server.url)), "retry_after", None) for _ in range(5)]
        assert (waits[0], waits[2], waits[3], waits[4]) == (7.0, 1.0, 86400.0, 30.0)
        assert waits[1] is not None
        assert waits[1] > 10**9


@BOTH
def test_no_answer_in_time_is_unknown(make: Callable[[str, int], Provider]) -> None:
    """The request arrived whole; whether it was carried out nobody knows."""
    with scripted(silence) as server:
        found = error(make(server.url, 1))
        assert meaning(found) == (Unknown, None)
        assert "in time" in found.reason


@BOTH
def test_a_refused_connection_was_not_sent(make: Callable[[str], Provider]) -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = error(make(f"http://127.0.0.1:{port}"))
    assert meaning(found) == (NotSent, None)
    assert "Connection refused" in found.reason


@BOTH
def test_a_name_that_does_not_exist_was_not_sent(make: Callable[[str], Provider]) -> None:
    """.invalid never resolves, RFC 2606."""
    found = error(make("https://api.nowhere.invalid"))
    assert meaning(found) == (NotSent, None)
    assert "api.nowhere.invalid cannot be reached" in found.reason


@BOTH
def test_a_server_without_tls_was_not_sent(make: Callable[[str], Provider]) -> None:
    """The handshake fails before any request, and so does one with a certificate that nobody vouches for."""

    def plain(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10)
                plain(connection)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        found = error(make(f"https://127.0.0.1:{listener.getsockname()[1]}"))
        thread.join(timeout=5)
    assert meaning(found) == (NotSent, None)
    assert ssl.OPENSSL_VERSION


@BOTH
@pytest.mark.parametrize("status", [200, 400, 429, 503])
def test_an_answer_nested_too_deeply_is_one_without_words(make: Callable[[str], Provider], status: int) -> None:
    """The status alone decides then, and nothing breaks."""
    deep = "[" * 200_000
    expected = {200: (Unknown, None), 400: (Refused, True), 429: (NotSent, None), 503: (Unknown, None)}
    with scripted(reply(status, deep)) as server:
        assert meaning(error(make(server.url))) == expected[status]


@BOTH
@pytest.mark.parametrize(
    "named",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Mon, 01 Jan 0001 00:00:00 +1400",
        f"Wed, 25 Nov {'9' * 30} 10:00:00 GMT",
        "Wed, 25 Nov 2026 10:00:00 +9999999999",
        "999999999",
    ],
)
def test_an_absurd_time_is_still_one(make: Callable[[str], Provider], named: str) -> None:
    """Whatever a Retry-After holds, the seconds can be added to any time after the answer."""
    with scripted(reply(429, {"message": "slow"}, retry_after=named)) as server:
        found = error(make(server.url))
    assert isinstance(found, NotSent)
    assert found.retry_after is not None
    assert dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1, seconds=found.retry_after)


@BOTH
def test_what_breaks_over_an_answer_leaves_doubt(
    make: Callable[[str], Provider], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call was made: a mistake of ours in reading its answer must not stop the send without a record."""

    def broken(_response: http.Response) -> str:
        raise KeyError

    monkeypatch.setattr(answers, "words", broken)
    monkeypatch.setattr(answers, "data", broken)
    with scripted(reply(200, {"id": "<1@mg>", "data": [{"id": "a"}, {"id": "b"}]})) as server:
        found = error(make(server.url))
    assert meaning(found) == (Unknown, None)
    assert "that answer cannot be read" in found.reason


@BOTH
def test_foreign_words_stand_on_one_line(make: Callable[[str], Provider]) -> None:
    """Half a surrogate cannot be written to the ledger, an escape sequence must not reach a terminal."""
    said = '{"message": "a\\ud800b\\u001b[31mc\\nd", "name": "x"}'
    with scripted(reply(400, said)) as server:
        assert error(make(server.url)).reason.endswith("400: a b [31mc d")


# -- secrets ------------------------------------------------------------------------------

_BASE64 = base64.b64encode(f"api:{SECRET}".encode()).decode()
ECHOES = [
    SECRET,
    SECRET.upper(),
    SECRET.replace("/", "\\/"),
    "".join(f"\\u{ord(char):04X}" for char in SECRET),
    quote(SECRET, safe=""),
    quote(quote(SECRET, safe=""), safe=""),
    "".join(f"%{ord(char):02x}" for char in SECRET),
    "".join(f"&#{ord(char)};" for char in SECRET),
    _BASE64,
    _BASE64.rstrip("="),
    quote(_BASE64, safe=""),
    base64.b64encode(SECRET.encode()).decode(),
    base64.urlsafe_b64encode(f"bearer {SECRET}?>".encode()).decode(),
]


@BOTH
@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_secret_is_masked_however_it_is_written(make: Callable[..., Provider], echo: str, encoding: str) -> None:
    """Escaped for JSON, a URL or a page, in base64 with and without padding, in other case, in UTF-16."""
    body = f'{{"message": "the key {echo} is wrong", "name": "x"}}'.encode(encoding)
    head = f"HTTP/1.1 401 No\r\ncontent-length: {len(body)}\r\n\r\n"
    with scripted(head.encode() + body) as server:
        found = error(make(server.url, key=SECRET))
    shown = html.unescape(unquote(unquote(found.reason))).replace("\\", "").lower()
    assert re.search(r"the key \w{0,12}…\w{0,4}(=|%3D)* is wrong", found.reason)
    for secret in (SECRET, _BASE64, base64.b64encode(SECRET.encode()).decode().rstrip("=")):
        assert secret.lower() not in shown


@BOTH
def test_a_secret_in_a_header_is_masked(make: Callable[..., Provider]) -> None:
    """A redirect's host stands in the reason."""
    with scripted(reply(302, "", location=f"https://{KEY}.example.org/")) as server:
        assert KEY.lower() not in error(make(server.url)).reason.lower()


# -- this machine, and the clock ----------------------------------------------------------


@BOTH
def test_a_trial_stays_on_this_machine(make: Callable[[str], Provider], monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that the environment names hears nothing of it."""
    with scripted() as proxy, scripted(reply(401, "no")) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert meaning(error(make(server.url))) == (NotSent, 78)
        assert proxy.requests == []


def drip(connection: socket.socket) -> None:
    """Send a byte of the head now and then, and an answer in the end to whoever waits so long."""
    with contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nx-slow: ")
        for _ in range(60):
            connection.sendall(b"x")
            time.sleep(0.05)
        connection.sendall(b"\r\ncontent-length: 0\r\n\r\n")


def test_a_head_that_does_not_end_in_time_is_broken_off() -> None:
    """Each byte comes in time, and the whole call does not."""
    with scripted(drip) as server:
        calls = http.Http(server.url, timeout=5, headers={}, deadline=0.3)
        with pytest.raises(Unknown, match=r"within 0\.3 s"):
            calls.call(http.Request("GET", "/"))
        calls.close()


def test_a_body_that_is_taken_too_slowly_is_broken_off() -> None:
    """The server reads a little now and then; the batch's lease would end before it had all."""
    sent = threading.Event()

    def sip() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            while connection.recv(1000) and not sent.wait(0.05):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=sip, daemon=True)
        thread.start()
        calls = http.Http(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=5, headers={}, deadline=0.3)
        with pytest.raises(Unknown, match=r"within 0\.3 s"):
            calls.call(http.Request("POST", "/", {}, [b"x" * 50_000_000]))
        sent.set()
        calls.close()
        thread.join(timeout=5)


def test_no_piece_leaves_after_the_end() -> None:
    """Another process may have taken the batch over by then."""
    left: list[bytes] = []

    def late(request: httpx.Request) -> httpx.Response:
        left.append(request.read())
        return httpx.Response(200)

    calls = http.Http("http://127.0.0.1:9", timeout=5, headers={}, deadline=0.0, transport=httpx.MockTransport(late))
    with pytest.raises(Unknown):
        calls.call(http.Request("POST", "/", {}, [b"x"]))
    assert left == []


def test_an_answer_that_comes_late_and_whole_counts() -> None:
    """What was accepted was accepted."""
    late = http.Http(
        "http://127.0.0.1:9",
        timeout=5,
        headers={},
        deadline=0.0,
        transport=httpx.MockTransport(lambda _request: httpx.Response(200, content=iter([b"ta", b"ken"]))),
    )
    assert late.call(http.Request("GET", "/")).body == b"taken"


def test_a_line_that_was_cut_is_no_harm_to_the_next_call() -> None:
    """The same thread's next call connects anew."""
    with scripted(drip, reply(200, "fine")) as server:
        calls = http.Http(server.url, timeout=5, headers={}, deadline=0.3)
        with pytest.raises(Unknown):
            calls.call(http.Request("GET", "/"))
        assert calls.call(http.Request("GET", "/")).body == b"fine"
        calls.close()


HTTPX: dict[type[Exception], type[ProviderError]] = {
    httpx.ConnectError: NotSent,
    httpx.ConnectTimeout: NotSent,
    httpx.PoolTimeout: NotSent,
    httpx.ProxyError: NotSent,
    httpx.UnsupportedProtocol: NotSent,
    httpx.LocalProtocolError: NotSent,
    httpx.InvalidURL: NotSent,
    httpx.ReadTimeout: Unknown,
    httpx.WriteTimeout: Unknown,
    httpx.ReadError: Unknown,
    httpx.WriteError: Unknown,
    httpx.CloseError: Unknown,
    httpx.RemoteProtocolError: Unknown,
    httpx.DecodingError: Unknown,
    httpx.TooManyRedirects: Unknown,
}
"""Written by hand, from https://www.python-httpx.org/exceptions/ (2026-11-25): what each means for a call."""

_FAMILIES = {
    httpx.HTTPError,
    httpx.RequestError,
    httpx.TransportError,
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.ProtocolError,
    httpx.StreamError,
}
"""Never raised themselves, but by their kinds."""

_OUR_OWN_MISTAKES = {
    httpx.HTTPStatusError,
    httpx.CookieConflict,
    httpx.StreamConsumed,
    httpx.StreamClosed,
    httpx.ResponseNotRead,
    httpx.RequestNotRead,
}
"""Raised by calls that we do not make."""


def test_every_error_of_httpx_is_known() -> None:
    """A new version's new error fails here until somebody has thought about it."""
    exported = {each for _, each in inspect.getmembers(httpx, inspect.isclass) if issubclass(each, Exception)}
    assert exported == set(HTTPX) | _FAMILIES | _OUR_OWN_MISTAKES
    assert set(http.NEVER_LEFT) | set(http.IN_DOUBT) == set(HTTPX)


@pytest.mark.parametrize("kind", list(HTTPX), ids=[each.__name__ for each in HTTPX])
@BOTH
def test_every_error_of_httpx_becomes_ours(make: Callable[[str], Provider], kind: type[Exception]) -> None:
    """As the list says, through the provider."""

    def fail(_request: httpx.Request) -> httpx.Response:
        raise kind(f"https://api:{KEY}@example.org failed")

    account = Account("http://127.0.0.1:9", 5, None, "mg.example.org")
    made: Provider = (
        Mailgun(account, KEY, httpx.MockTransport(fail))
        if make is mailgun
        else Resend(account, KEY, httpx.MockTransport(fail))
    )
    found = error(made)
    assert type(found) is HTTPX[kind]
