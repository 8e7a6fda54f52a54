"""``newsletter serve`` as a real process, and the copies it makes from the ledger."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from serving.helpers_site import ADA, FORM, FORM_TYPE, LINKS, NOOR, leave, start, status, token
from sqlalchemy import select, update
from support import CONFIGURATION, SECRET

from newsletter.cli.copies import copies
from newsletter.links import Links
from newsletter.store.database import Database, open_database
from newsletter.store.tables import delivery, send

if TYPE_CHECKING:
    from pathlib import Path

    from serving.helpers_site import Running
    from support import Workspace

BODY = "Dear {{ first_name | default('reader') }}, [see it on the web]({{ view_url }}).\n\n![A quay](quay.png)\n"


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> http.client.HTTPResponse:
    """One request over a real socket; the answer's body has been read, and is in ``whole``."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.whole = answer.read()  # type: ignore[attr-defined]
    return answer


def text(answer: http.client.HTTPResponse) -> str:
    """The body."""
    return str(answer.whole.decode())  # type: ignore[attr-defined]


def test_a_mail_service_s_click_is_answered(running: Running, database: Database) -> None:
    """The page, the proof, one POST; no header names the server."""
    assert text(ask(running.port, "GET", leave(ADA))).count("<button>") == 1
    proof = json.loads(text(ask(running.port, "GET", "/.well-known/newsletter")))
    assert proof == {"proof": LINKS.proof(database.instance())}
    answer = ask(running.port, "POST", leave(ADA), FORM, {"content-type": FORM_TYPE})
    assert (answer.status, answer.getheader("server"), answer.getheader("location")) == (200, None, None)
    assert "You have unsubscribed" in text(answer)
    assert status(database, ADA) == "unsubscribed"
    assert text(ask(running.port, "HEAD", leave(NOOR))) == ""
    assert ask(running.port, "GET", "/u/" + "x" * 5000).status == 404
    assert ask(running.port, "GET", "/../newsletter.yaml").status == 404
    assert running.end(signal.SIGTERM) == (0, "")


def test_the_proxy_says_who_asks_and_how(running: Running) -> None:
    """From loopback it is believed: each client has its own count, and https is known."""
    answers = [ask(running.port, "GET", "/u/x", headers={"x-forwarded-for": "203.0.113.7"}).status for _ in range(61)]
    assert answers[-1] in {404, 429}
    assert 429 in [
        ask(running.port, "GET", "/u/x", headers={"x-forwarded-for": "203.0.113.7"}).status for _ in range(20)
    ]
    other = ask(running.port, "GET", "/u/x", headers={"x-forwarded-for": "203.0.113.8", "x-forwarded-proto": "https"})
    assert (other.status, other.getheader("strict-transport-security")) == (404, "max-age=31536000")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_its_normal_end(workspace: Workspace, database: Database, number: signal.Signals) -> None:
    """At once after the start, and with a connection left open."""
    assert database
    assert start(workspace).end(number) == (0, "")
    running = start(workspace)
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("GET", "/")
    connection.getresponse().read()
    assert running.end(number) == (0, "")
    connection.close()


def test_a_wish_on_its_way_is_still_granted(workspace: Workspace, database: Database) -> None:
    """A signal that comes while a POST waits for the database does not lose it."""
    running = start(workspace)
    with (
        closing(sqlite3.connect(database.path, isolation_level=None)) as other,
        socket.create_connection(("127.0.0.1", running.port), timeout=30) as raw,
    ):
        other.execute("BEGIN IMMEDIATE")
        raw.sendall(f"POST {leave(ADA)} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        _until_refused(running)
        other.execute("ROLLBACK")
        assert raw.recv(100).startswith(b"HTTP/1.1 200 ")
    assert running.end(signal.SIGTERM) == (0, "")
    assert status(database, ADA) == "unsubscribed"


def _until_refused(running: Running) -> None:
    """Send the signal and wait until nobody is let in any more."""
    assert ask(running.port, "GET", "/").status == 200  # the POST before it has been taken
    running.process.send_signal(signal.SIGTERM)
    while True:
        try:
            socket.create_connection(("127.0.0.1", running.port), timeout=5).close()
        except OSError:
            return


def test_the_log_is_asked_for_and_holds_no_token(workspace: Workspace, database: Database) -> None:
    """With -v a line for each request; without it none."""
    assert database
    for options, lines in (((), 0), (("-v",), 2)):
        running = start(workspace, "--port", "0", *options)
        ask(running.port, "GET", leave(ADA))
        ask(running.port, "GET", f"{leave(NOOR)}?x={token(leave(ADA))}")
        code, err = running.end(signal.SIGTERM)
        assert (code, err.splitlines()) == (0, ["127.0.0.1 GET /u/*** 200"] * lines)


def test_a_large_body_is_not_read_and_loses_nobody(running: Running, database: Database) -> None:
    """Only its beginning is looked at."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as raw:
        raw.sendall(
            f"POST {leave(ADA)} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n".encode() + b"x" * 50_000
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 200 ")
    assert status(database, ADA) == "unsubscribed"


def test_garbage_on_the_wire_ends_nothing(running: Running) -> None:
    """Each is refused, and the next is answered."""
    for garbage in (
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as raw:
            raw.sendall(garbage + b"\r\n\r\n")
            assert b" 400 " in raw.recv(1000)
    assert ask(running.port, "GET", leave(ADA)).status == 200


def test_it_says_where_it_answers_and_what_is_missing(workspace: Workspace, database: Database) -> None:
    """For a person."""
    assert database
    for setting, said in (
        ("", "public_url is not set"),
        ("public_url: http://x.org\n", "http://x.org is not https"),
        ("public_url: https://x.org/l\n", "Let your reverse proxy pass https://x.org/l/ on to it."),
    ):
        workspace.write("newsletter.yaml", f"{CONFIGURATION}{setting}")
        running = start(workspace, "--port", "0", json=False)
        assert running.process.stdout
        assert said in running.process.stdout.readline()
        assert running.end(signal.SIGTERM) == (0, "")


def test_address_and_port_come_from_the_configuration(workspace: Workspace, database: Database) -> None:
    """Without options."""
    assert database
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    workspace.write("newsletter.yaml", f"{CONFIGURATION}serve:\n  host: localhost\n  port: {port}\n")
    running = start(workspace, "-v")
    assert running.port == port
    assert running.end(signal.SIGTERM) == (0, "")


# -- refusing to start ----------------------------------------------------------------


def test_without_a_secret_it_does_not_start(workspace: Workspace, database: Database) -> None:
    """It could not tell a link from a forged one, and must not make a new secret."""
    assert database
    (workspace.root / ".env").unlink()
    result = workspace.run("serve", "--port", "0")
    assert (result.code, "NEWSLETTER_SECRET" in result.err, result.out) == (78, True, "")


def test_without_a_database_it_does_not_start(workspace: Workspace) -> None:
    """Nor does it make one, which would know nobody."""
    result = workspace.run("serve", "--port", "0")
    assert (result.code, "no database" in result.err, "subscribers import" in result.err) == (78, True, True)
    assert not workspace.config().database.exists()


def test_a_file_that_is_no_database_is_told(workspace: Workspace) -> None:
    """Before the port is taken."""
    workspace.write(".newsletter/newsletter.db", "not a database, but long enough to be read as one" * 100)
    result = workspace.run("serve", "--port", "0")
    assert (result.code, "is not a database" in result.err, "Traceback" in result.err) == (65, True, False)


def test_a_taken_port_is_a_clear_error(workspace: Workspace, database: Database) -> None:
    """It says which, and how to take another."""
    assert database
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = workspace.run("serve", "--port", str(port))
    assert result.code == 69
    assert f"port {port} of this machine is taken" in result.err
    assert "newsletter serve --port " in result.err


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a b", "x" * 300])
def test_an_address_of_another_machine_is_a_clear_error(workspace: Workspace, database: Database, host: str) -> None:
    """With what would fit."""
    assert database
    result = workspace.run("serve", "--port", "0", "--host", host)
    assert (result.code, f"no address “{host}”" in result.err, "Traceback" in result.err) == (78, True, False)


# -- copies ---------------------------------------------------------------------------


@pytest.fixture
def sent(workspace: Workspace, sample_picture: bytes) -> Database:
    """A workspace whose issue was sent to the outbox, to two readers."""
    workspace.write("issues/2026-11-23-hello/quay.png", sample_picture)
    workspace.issue(BODY)
    for address, fields in (("ada@example.org", ["--field", "first_name=Ada & <co>"]), ("noor@example.org", [])):
        workspace.newsletter("subscribers", "add", address, "--consent-source", "test", *fields)
    workspace.newsletter("send", "--yes")
    return open_database(workspace.config().database)


def mailed(workspace: Workspace, address: str) -> str:
    """The HTML that the outbox holds for an address."""
    from email import policy
    from email.parser import BytesParser

    for path in sorted((workspace.root / ".newsletter" / "outbox").rglob("*.eml")):
        message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        part = message.get_body(("html",))
        if address in message["to"] and part:
            return str(part.get_content())
    raise LookupError(address)


def test_a_copy_is_what_was_mailed(workspace: Workspace, sent: Database) -> None:
    """The same HTML, values and links of each reader."""
    config = workspace.config()
    copy = copies(sent, Links(config.link_base, SECRET.encode()))
    for who, address in ((1, "ada@example.org"), (2, "noor@example.org")):
        made = copy(1, who)
        assert made
        assert made.split() == mailed(workspace, address).split()
    assert "Ada &amp; &lt;co&gt;" in str(copy(1, 1))
    sent.close()


def test_a_copy_stays_what_it_was(workspace: Workspace, sent: Database) -> None:
    """Also when the issue, the person's values or their status change."""
    copy = copies(sent, LINKS)
    before = copy(1, 1)
    workspace.issue("Something else.\n")
    workspace.newsletter("subscribers", "add", "ada@example.org", "--consent-source", "test", "--field", "first_name=X")
    workspace.newsletter("subscribers", "unsubscribe", "ada@example.org")
    assert copies(sent, LINKS)(1, 1) == copy(1, 1) == before
    sent.close()


@pytest.mark.parametrize(("made", "who"), [(1, 3), (2, 1), (0, 0), (-1, 1)])
def test_there_is_no_copy_for_others(sent: Database, made: int, who: int) -> None:
    """Not mailed, no such send, nobody."""
    assert copies(sent, LINKS)(made, who) is None
    sent.close()


def test_an_erased_reader_has_no_copy(sent: Database) -> None:
    """At once, with the content in memory."""
    copy = copies(sent, LINKS)
    assert copy(1, 1)
    with sent.write() as connection:
        connection.execute(update(delivery).where(delivery.c.person_id == 1).values(address="", fields="{}"))
    assert copy(1, 1) is None
    assert copy(1, 2)
    sent.close()


def test_the_link_in_a_mail_leads_to_the_copy(workspace: Workspace, sent: Database) -> None:
    """From the outbox to the real server and back to the same letter."""
    with sent.read() as connection:
        (made,) = connection.execute(select(send.c.id)).scalars()
    running = start(workspace)
    link = Links("", SECRET.encode()).view(made, 1)
    assert link in mailed(workspace, "ada@example.org")
    answer = ask(running.port, "GET", link)
    assert answer.status == 200
    assert text(answer).split() == mailed(workspace, "ada@example.org").split()
    assert running.end(signal.SIGTERM) == (0, "")
    sent.close()


@pytest.fixture
def sample_picture(tmp_path: Path) -> bytes:
    """A small picture."""
    from PIL import Image

    path = tmp_path / "made.png"
    Image.new("RGB", (40, 20), "teal").save(path)
    return path.read_bytes()
