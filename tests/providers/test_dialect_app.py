"""The dialects over HTTP: who reaches them, what may be sent, and ``newsletter outbox --listen`` as a process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import asgi
import httpx
import pytest
from providers.helpers_dialects import BASE, BASIC, BEARER, Mail, Post
from starlette.responses import PlainTextResponse

from newsletter.providers.dialects import app as dialects_app
from newsletter.providers.dialects import mailgun_gate
from newsletter.providers.dialects.app import Dialects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping
    from pathlib import Path

    from support import Workspace

EMAIL = {"from": "t@example.org", "to": "ada@example.com", "subject": "Hi", "text": "Hello"}
FORM = {"from": "t@example.org", "to": "ada@example.com", "subject": "Hi", "text": "Hello"}
MESSAGES = "/v3/mg.example.org/messages"


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """An empty outbox without a rate."""
    return Post(tmp_path / "outbox")


def ask(post: Post, method: str, path: str, **how: Any) -> httpx.Response:
    """One request to the site, behind which every page says so."""
    site = Dialects(post.desk, PlainTextResponse("a page"), now=lambda: post.at)

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url=BASE) as client:
            return await client.request(method, path, **how)

    return asgi.run(send())


@pytest.mark.parametrize("path", ["/", "/m/x/y", "/static/outbox.css", "/emailsx", "/v3x", "/images/x.png"])
def test_everything_else_is_for_the_pages(post: Post, path: str) -> None:
    """As a browser asks, without a key."""
    assert ask(post, "GET", path).text == "a page"


@pytest.mark.parametrize(
    ("path", "status"), [(MESSAGES, 401), ("/v3/mg.example.org/events", 401), ("/emails", 401), ("/suppressions", 401)]
)
def test_a_call_without_a_key_is_refused(post: Post, path: str, status: int) -> None:
    """So a form on a page of another site sends nothing; a browser's question beforehand is refused as well."""
    answer = ask(post, "POST", path, data=FORM)
    assert answer.status_code == status
    asked = ask(post, "OPTIONS", path, headers={"origin": "https://evil.example"})
    assert asked.status_code == status
    assert "access-control-allow-origin" not in asked.headers
    assert post.mails() == []


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8025", "", "[::1].evil.example"])
def test_a_call_under_another_name_is_refused(post: Post, host: str) -> None:
    """A name that someone lets point here (DNS rebinding)."""
    assert ask(post, "POST", "/emails", json=EMAIL, headers={**BEARER, "host": host}).status_code == 403
    assert post.mails() == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "[::1]:8025", "LOCALHOST"])
def test_this_machine_s_own_names_are_answered(post: Post, host: str) -> None:
    """With any port, and as written."""
    answer = ask(post, "POST", MESSAGES, data=FORM, headers={**BASIC, "host": host})
    assert answer.status_code == 200
    events = ask(post, "GET", "/v3/mg.example.org/events", headers={**BASIC, "host": host}).json()
    assert events["paging"]["next"].startswith(f"http://{host}/v3/")


def test_a_packed_body_is_refused(post: Post) -> None:
    """415 says so."""
    answer = ask(post, "POST", "/emails", content=b"x", headers={**BEARER, "content-encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize(("path", "headers"), [(MESSAGES, BASIC), ("/emails", BEARER)])
def test_a_body_over_the_limit_is_413_and_is_not_kept(
    post: Post, monkeypatch: pytest.MonkeyPatch, path: str, headers: dict[str, str]
) -> None:
    """It is read to its end, so that the client gets the answer; up to the limit it is taken."""
    monkeypatch.setattr(dialects_app, "most_bytes", lambda _name: 1000)
    assert ask(post, "POST", path, content=b"x" * 1001, headers=headers).status_code == 413
    assert ask(post, "POST", path, content=b"x" * 1000, headers=headers).status_code == 400


def test_a_body_that_breaks_off_is_no_call(post: Post) -> None:
    """What a dying client leaves is not taken for a whole batch."""
    body = json.dumps(EMAIL).encode()
    given: Iterator[MutableMapping[str, Any]] = iter(
        [{"type": "http.request", "body": body, "more_body": True}, {"type": "http.disconnect"}],
    )
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return next(given)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"authorization", b"Bearer x")]
    scope = {"type": "http", "method": "POST", "path": "/emails", "query_string": b"", "headers": headers}
    asgi.run(Dialects(post.desk, PlainTextResponse("a page"))(scope, receive, send))
    assert (sent, post.mails()) == ([], [])


# -- as a process ---------------------------------------------------------------------


class Server:
    """``newsletter outbox --listen`` at work."""

    def __init__(self, workspace: Workspace, *options: str) -> None:
        self.outbox = workspace.root / ".newsletter" / "outbox"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "newsletter", "outbox", "--listen", "--json", "--port", "0", *options],
            cwd=workspace.root,
            env=workspace.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.said = json.loads(self.process.stdout.readline())
        self.url = self.said["url"].rstrip("/")
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def end(self) -> int:
        """Stop it; nothing may stand on standard error."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=20)
        assert (out, err) == ("", "")
        return self.process.returncode

    def mails(self) -> list[Mail]:
        """Everything stored."""
        return [Mail(path) for path in self.outbox.glob("*/*.eml")]


@pytest.fixture
def started(workspace: Workspace) -> Iterator[Callable[..., Server]]:
    """Starts servers, and ends what is left of them."""
    servers: list[Server] = []

    def start(*options: str) -> Server:
        servers.append(Server(workspace, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.client.close()
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate(timeout=20)


def test_both_dialects_and_the_page_share_a_port(started: Callable[..., Server]) -> None:
    """What was taken is on the page; it says where and with which key it listens; state stays private."""
    server = started()
    assert server.said["listen"] == {
        "mailgun": {"base_url": server.url, "key": "MAILGUN_API_KEY"},
        "resend": {"base_url": server.url, "key": "RESEND_API_KEY"},
    }
    assert server.client.get("/").status_code == 200
    form = FORM | {"o:tag": "the issue", "subject": "By Mailgun"}
    taken = server.client.post(MESSAGES, data=form, headers=BASIC)
    assert (taken.status_code, taken.json()["message"]) == (200, "Queued. Thank you.")
    assert (
        server.client.post("/emails/batch", json=[EMAIL | {"subject": "By Resend"}], headers=BEARER).status_code == 200
    )
    page = server.client.get("/").text
    assert "By Mailgun" in page
    assert "By Resend" in page
    (mail,) = [mail for mail in server.mails() if mail.header("subject") == "By Mailgun"]
    assert mail.folder == "mailgun~the-issue"
    shown = server.client.get(f"/m/{mail.folder}/{mail.path.stem}")
    assert (shown.status_code, "By Mailgun" in shown.text) == (200, True)
    assert server.client.post("/", data={"x": "y"}).status_code == 405
    assert server.outbox.parent.stat().st_mode & 0o777 == 0o700
    assert server.end() == 0


def test_a_server_started_again_knows_what_the_last_one_took(started: Callable[..., Server]) -> None:
    """Events and keys, also after a kill."""
    first = started()
    keyed = {**BEARER, "idempotency-key": "k-1"}
    ids = first.client.post("/emails/batch", json=[EMAIL], headers=keyed).json()
    first.client.post(MESSAGES, data=FORM, headers=BASIC)
    first.client.close()
    first.process.kill()
    first.process.communicate(timeout=20)
    second = started()
    assert second.client.post("/emails/batch", json=[EMAIL], headers=keyed).json() == ids
    events = second.client.get("/v3/mg.example.org/events?recipient=ada@example.com", headers=BASIC).json()
    assert len(events["items"]) == 1
    assert len(second.mails()) == 2
    assert second.end() == 0


def test_many_calls_at_once_are_all_taken(started: Callable[..., Server]) -> None:
    """Several connections, each used again; one key on all of them is one batch."""
    server = started("--limit", "0")

    def send(number: int) -> tuple[int, int]:
        form = FORM | {"to": f"p{number}@example.com"}
        keyed = {**BEARER, "idempotency-key": "the-one"}
        with httpx.Client(base_url=server.url, timeout=30) as client:
            mails = [client.post(MESSAGES, data=form, headers=BASIC).status_code for _ in range(5)]
            return len({200, *mails}), client.post("/emails", json=EMAIL, headers=keyed).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert {kinds for kinds, _ in answers} == {1}
    assert {status for _, status in answers} <= {200, 409}
    assert len(server.mails()) == 41
    assert server.end() == 0


def test_a_body_over_the_limit_is_answered_over_a_socket(started: Callable[..., Server]) -> None:
    """Not with a reset connection; the next call on it goes through."""
    server = started()

    def body() -> Iterator[bytes]:
        for _ in range(mailgun_gate.REQUEST_BYTES // (1 << 20) + 2):
            yield bytes(1 << 20)

    assert server.client.post(MESSAGES, content=body(), headers=BASIC).status_code == 413
    assert server.client.post(MESSAGES, data=FORM, headers=BASIC).status_code == 200
    assert server.end() == 0


def test_a_client_that_dies_leaves_nothing(started: Callable[..., Server]) -> None:
    """The socket closes in the middle of a body that would have been a call."""
    server = started()
    port = int(server.url.rpartition(":")[2])
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as dying:
        head = f"POST /emails HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer x\r\nContent-Length: 9999\r\n\r\n"
        dying.sendall(head.encode() + json.dumps(EMAIL).encode())
    assert server.client.post("/emails", json=EMAIL, headers=BEARER).status_code == 200
    assert len(server.mails()) == 1
    assert server.end() == 0


def test_it_says_how_to_try_a_provider(workspace: Workspace) -> None:
    """The lines for newsletter.yaml and .env, ready to be copied."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "newsletter", "outbox", "--listen", "--port", "0"],
        cwd=workspace.root,
        env=workspace.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    lines: list[str] = []
    while "Ctrl-C" not in "".join(lines):
        lines.append(process.stdout.readline())
    process.terminate()
    process.communicate(timeout=20)
    said = "".join(lines)
    url = lines[0].split()[-1].rstrip("/")
    assert f"\n  provider: mailgun\n  mailgun: {{base_url: {url}}}\n  MAILGUN_API_KEY=anything\n" in said
    assert f"\n  provider: resend\n  resend: {{base_url: {url}}}\n  RESEND_API_KEY=anything\n" in said


def test_a_limit_without_listening_is_a_mistake(workspace: Workspace) -> None:
    """Exit code 2, with the command that was meant."""
    result = workspace.run("outbox", "--limit", "3")
    assert result.code == 2
    assert "newsletter outbox --listen --limit 3" in result.err


def test_without_listening_the_apis_are_not_there(workspace: Workspace) -> None:
    """The page alone refuses to be written to."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "outbox", "--json", "--port", "0"],
        cwd=workspace.root,
        env=workspace.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    said = json.loads(process.stdout.readline())
    assert "listen" not in said
    assert httpx.post(f"{said['url']}emails", json=EMAIL, headers=BEARER).status_code == 405
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0
