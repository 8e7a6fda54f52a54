"""Our calls before witnesses that others wrote: the providers' own descriptions played by Prism, and ``resend-local``.

Both are programs for Node, put into ``build/node`` by ``make node``. The descriptions are not ours to copy: they lie
beside the checkout, or where ``NEWSLETTER_SPECS`` says. What is missing skips a test; where everything must run
(``NEWSLETTER_FULL=1``), and Node and the descriptions are there, missing programs are a failure.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from providers.contract import LETTER, message
from support import ROOT

from newsletter.config import Account
from newsletter.model import Mailbox
from newsletter.providers.base import Sought, Unknown
from newsletter.providers.mailgun import Mailgun
from newsletter.providers.resend import Resend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from newsletter.providers.base import Provider

SPECS = Path(os.environ.get("NEWSLETTER_SPECS") or ROOT.parent / "shared" / "specs")
MODULES = ROOT / "build" / "node" / "node_modules"
PEOPLE = [message(1, "Ana"), message(2, 'Zoë “Z” & "Q"'), message(3, "O'Neill <b>\\ 😀")]
FULL = dataclasses.replace(
    LETTER,
    sender=Mailbox("Tess Editör", "tess@example.org"),
    reply_to=Mailbox("Readers", "readers@example.org"),
    unsubscribe_email="leave@example.org",
    feedback_id="harbourletter",
)
SINCE = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)


def node(program: Path) -> str:
    """Node, when it can run ``program``; otherwise the test ends here."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed")
    if not program.exists():
        reason = f"{program.relative_to(ROOT)} is not there: run `make node`"
        if os.environ.get("NEWSLETTER_FULL") == "1" and SPECS.is_dir():
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextlib.contextmanager
def served(
    command: Sequence[str], port: int, log: Path, *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A server on this machine while the block runs; its base URL."""
    with (
        log.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=cwd, env=env) as process,
    ):
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
            else:
                pytest.fail(f"it does not answer: {log.read_text()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@contextlib.contextmanager
def prism(name: str, folder: Path, *flags: str) -> Iterator[str]:
    """A provider as its own description plays it: a request that breaks a rule is refused."""
    program = MODULES / ".bin" / "prism"
    runtime = node(program)
    description = SPECS / f"{name}.yaml"
    if not description.exists():
        pytest.skip(f"the description of {name} is not there: set NEWSLETTER_SPECS to its folder")
    port = free_port()
    command = [runtime, str(program), "mock", *flags, "-h", "127.0.0.1", "-p", str(port), str(description)]
    with served(command, port, folder / "prism.log") as base:
        yield base


# -- Mailgun --------------------------------------------------------------------------


class Filled(httpx.HTTPTransport):
    """Adds parameters that Mailgun's description calls required, and that the first page does without.

    By its own words an empty ``page`` gives the first one, ``term`` only filters, and ``address`` divides pages; Prism
    takes an empty value for none.
    """

    lacking: Mapping[str, str] = {"page": "last", "term": "p", "address": "p1@example.com"}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Pass on a request for a list with all of them."""
        if request.url.path.rpartition("/")[2] in {"bounces", "unsubscribes", "complaints"}:
            request.url = request.url.copy_merge_params(self.lacking)
        return super().handle_request(request)


@pytest.fixture(scope="module")
def mailgun_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Mailgun's description, played; without ``--errors``, because its own examples of answers break its rules."""
    with prism("mailgun", tmp_path_factory.mktemp("mailgun")) as base:
        yield base


@pytest.fixture
def mailgun(mailgun_base: str) -> Iterator[Mailgun]:
    """The provider in front of it."""
    provider = Mailgun(Account(mailgun_base, 30, None, "mg.example.org"), "key-of-nobody", Filled())
    yield provider
    provider.close()


@pytest.mark.parametrize("count", [1, 3])
def test_mailgun_s_description_allows_our_form(mailgun: Mailgun, count: int) -> None:
    """Every field of the form is as the description wants it."""
    assert mailgun.submit(mailgun.prepare(FULL, PEOPLE[:count], "abc-7"), "key").ref


def test_mailgun_s_description_allows_a_form_without_substitution(mailgun: Mailgun) -> None:
    """The form of one person whose name is a macro."""
    made = mailgun.prepare(FULL, [message(4, "%recipient.s0%")], "abc-7")
    assert mailgun.submit(made, "key").ref


def test_mailgun_s_description_allows_our_questions(mailgun: Mailgun) -> None:
    """Events are searched and the three lists read with parameters that it knows; its examples are understood."""
    assert mailgun.find(Sought("abc-7", SINCE, ("p1@example.com",))) is None
    assert {each.status for each in mailgun.suppressions()} == {"bounced", "complained", "unsubscribed"}


def test_mailgun_s_description_refuses_what_is_malformed(mailgun_base: str) -> None:
    """Else the tests above would say nothing: neither without the sender nor without credentials is a form allowed."""
    url = f"{mailgun_base}/v3/mg.example.org/messages"
    form = {"to": (None, "p1@example.com"), "subject": (None, "Hi"), "from": (None, "tess@example.org")}
    assert httpx.post(url, files=form, auth=("api", "key")).status_code == 200
    assert httpx.post(url, files=form).status_code == 401
    del form["from"]
    assert httpx.post(url, files=form, auth=("api", "key")).status_code == 400


# -- Resend ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resend_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Resend's description, played."""
    with prism("resend", tmp_path_factory.mktemp("resend"), "--errors") as base:
        yield base


@pytest.fixture
def resend(resend_base: str) -> Iterator[Resend]:
    """The provider in front of it."""
    provider = Resend(Account(resend_base, 30, None), "re_nobody")
    yield provider
    provider.close()


def test_resend_s_description_allows_our_batch(resend: Resend) -> None:
    """Prism always answers with one id, which for one message is right, and for three is not taken for an answer."""
    assert len(resend.submit(resend.prepare(FULL, PEOPLE[:1], "abc-7"), "key").ids) == 1
    with pytest.raises(Unknown, match="1 of 3"):
        resend.submit(resend.prepare(FULL, PEOPLE, "abc-7"), "key")


def test_resend_s_description_allows_our_question(resend: Resend) -> None:
    """The list of suppressions, whose example is understood."""
    found = list(resend.suppressions())
    assert found[0].status == "bounced"
    assert found[0].at is not None


def test_resend_s_description_refuses_what_is_malformed(resend_base: str) -> None:
    """A message without a sender, a tag that is no object."""
    url = f"{resend_base}/emails/batch"
    key = {"authorization": "Bearer re_nobody"}
    mail = {"from": "tess@example.org", "to": ["p1@example.com"], "subject": "Hi", "text": "Hello"}
    assert httpx.post(url, json=[mail], headers=key).status_code == 200
    assert httpx.post(url, json=[mail]).status_code == 401
    assert httpx.post(url, json=[{"to": ["p1@example.com"]}], headers=key).status_code == 422
    assert httpx.post(url, json=[mail | {"tags": ["a"]}], headers=key).status_code == 422


# -- resend-local ---------------------------------------------------------------------


def test_resend_local_stores_what_we_mean(tmp_path: Path) -> None:
    """Each message with its one recipient, under the id that we were given; tags it takes and does not keep."""
    app = MODULES / "resend-local" / "dist" / "app"
    runtime = node(app / "server.js")
    database = tmp_path / "resend.sqlite"
    shutil.copyfile(app / "resend-local.sqlite", database)
    port = free_port()
    # Started by itself it would listen on every interface, and keep its database where it is installed.
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOSTNAME": "127.0.0.1",
        "PORT": str(port),
        "DATABASE_URL": f"file:{database}",
        "NEXT_TELEMETRY_DISABLED": "1",
    }
    with served([runtime, "server.js"], port, tmp_path / "log", cwd=app, env=environment) as base:
        provider: Provider = Resend(Account(base, 30, None), "re_nobody")
        made = provider.prepare(FULL, PEOPLE, "abc-7")
        answer = provider.submit(made, "key")
        provider.close()
    sent = json.loads(b"".join(made.body.request.body))
    assert [person for person, _ in answer.ids] == [1, 2, 3]
    with contextlib.closing(sqlite3.connect(database)) as connection:
        for (_, given), mail in zip(answer.ids, sent, strict=True):
            assert mail.pop("tags")
            assert stored(connection, given) == mail


def stored(connection: sqlite3.Connection, given: str) -> dict[str, object]:
    """One message as it lies there, in the words of the API."""
    row = connection.execute(
        'SELECT "from", subject, html_body, text_body, headers FROM email WHERE id = ?', (given,)
    ).fetchone()
    found: dict[str, object] = dict(zip(("from", "subject", "html", "text"), row, strict=False))
    found["headers"] = json.loads(row[4])
    (found["to"],) = ([to] for (to,) in connection.execute('SELECT "to" FROM email_to WHERE email_id = ?', (given,)))
    (found["reply_to"],) = (
        to for (to,) in connection.execute("SELECT reply_to FROM email_reply_to WHERE email_id = ?", (given,))
    )
    return found
