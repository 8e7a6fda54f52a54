"""A real send over https, as a real process: what readers will need is looked at first, then the mail leaves.

The provider has its own address and `public_url` a name of its own, so this is no trial. Both names lead to
servers on loopback, with certificates that are verified.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli.helpers_https import Certificate, certificate, proxy
from PIL import Image
from providers.scripted import Scripted, reply, scripted
from serving.helpers_site import start
from support import CONFIGURATION, SECRET, Result, Workspace

from newsletter.links import Links

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.helpers_https import Proxy

SITE, API = "letters.test", "api.mailgun.net"
PUBLIC = f"https://{SITE}/post"
SLUG = "2026-11-23-hello"
PROOF = "/post/.well-known/newsletter"
KEY = "key-for-tests"
SETTINGS = f"public_url: {PUBLIC}\nprovider: mailgun\nmailgun:\n  domain: mg.example.org\n"
TAKEN = reply(200, {"id": "<1@mg.example.org>", "message": "Queued. Thank you."})


@dataclass(frozen=True)
class Certificates:
    """What servers may show; ``trusted`` are those that a client here accepts."""

    good: Certificate
    elsewhere: Certificate
    """For another name."""
    forged: Certificate
    """For the right names, by somebody nobody knows."""
    trusted: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """All of them, made once."""
    folder = tmp_path_factory.mktemp("certificates")
    good, elsewhere = certificate(folder, SITE, API), certificate(folder, "elsewhere.test")
    trusted = folder / "trusted.pem"
    trusted.write_bytes(good.path.read_bytes() + elsewhere.path.read_bytes())
    return Certificates(good, elsewhere, certificate(tmp_path_factory.mktemp("forged"), SITE, API), trusted)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace ready for a real send of an issue with two pictures, published."""
    made = Workspace(tmp_path_factory.mktemp("published"))
    made.write("newsletter.yaml", CONFIGURATION + SETTINGS)
    made.write(".env", f"NEWSLETTER_SECRET={SECRET}\n")
    folder = made.issue("Hello {{ first_name | default('reader') }}.\n\n![A quay](quay.png)\n\n![A buoy](buoy.png)\n")
    for name, colour in (("quay.png", "teal"), ("buoy.png", "red")):
        Image.new("RGB", (40, 20), colour).save(folder / name)
    _import(made, "ada@example.com,Ada\nbob@example.com,Bob\n")
    made.newsletter("publish")
    return made.root


def _import(workspace: Workspace, rows: str) -> None:
    workspace.write("people.csv", f"email,first_name\n{rows}")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")


@dataclass
class World:
    """A workspace, its site and Mailgun, both behind https."""

    workspace: Workspace
    site: Proxy
    api: Proxy
    mailgun: Scripted
    trusted: Path

    @property
    def record(self) -> Path:
        """What a real send leaves beside the issue."""
        return self.workspace.root / "issues" / SLUG / "sent.json"

    @property
    def pictures(self) -> list[Path]:
        """The published pictures."""
        return sorted((self.workspace.root / "public" / "images").iterdir())

    def send(self, *, site: int | None = 0) -> Result:
        """``newsletter send``, with ``site`` as the port of the site instead; ``None`` when nobody knows its name."""
        names = {API: self.api.port} | ({} if site is None else {SITE: site or self.site.port})
        more = {"MAILGUN_API_KEY": KEY, "SSL_CERT_FILE": str(self.trusted), "NO_PROXY": "*", "no_proxy": "*"}
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("names_driver.py")), json.dumps(names), "send", "--yes"],
            cwd=self.workspace.root,
            env=self.workspace.environment(more),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def refuses(self, *words: str, site: int | None = 0) -> str:
        """A send ends with 78 and these words; Mailgun hears nothing, and nothing says that the issue was sent."""
        result = self.send(site=site)
        assert result.code == 78, result.err
        for each in words:
            assert each in result.err
        assert self.mailgun.requests == []
        assert not self.record.exists()
        return result.err

    def goes_on(self) -> None:
        """The same command now sends."""
        result = self.send()
        assert result.code == 0, result.err
        assert len(self.mailgun.requests) == 1


@pytest.fixture
def world(tmp_path: Path, published: Path, certificates: Certificates) -> Iterator[World]:
    """All in order: ``newsletter serve`` on the workspace behind its name, and a Mailgun that takes everything."""
    root = tmp_path / "workspace"
    shutil.copytree(published, root)
    workspace = Workspace(root)
    with served(workspace) as port, scripted(last=TAKEN) as mailgun:
        heard = mailgun.listener.getsockname()[1]
        with proxy(certificates.good, port) as site, proxy(certificates.good, heard) as api:
            yield World(workspace, site, api, mailgun, certificates.trusted)


@contextlib.contextmanager
def served(workspace: Workspace) -> Iterator[int]:
    """``newsletter serve`` for the block, on a port of this machine."""
    running = start(workspace)
    try:
        yield running.port
    finally:
        assert running.end(signal.SIGTERM)[0] == 0


def closed() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


# -- all in order ---------------------------------------------------------------------


def test_a_real_send_leaves_when_all_is_there(world: World) -> None:
    """The page and every picture are fetched once, Mailgun gets one call, and what was sent is written down."""
    result = world.send()
    assert result.code == 0, result.err
    assert "trial" not in result.out + result.err
    assert world.site.asked[0] == PROOF
    assert sorted(world.site.asked[1:]) == [f"/post/images/{path.name}" for path in world.pictures]
    (call,) = world.mailgun.requests
    assert call.startswith(b"POST /v3/mg.example.org/messages ")
    assert b"\r\nhost: api.mailgun.net\r\n" in call.lower()
    for path in world.pictures:
        assert f"{PUBLIC}/images/{path.name}".encode() in call
    assert Links(PUBLIC, SECRET.encode()).unsubscribe(1).encode() in call
    record = json.loads(world.record.read_text())
    assert (record["provider"], record["recipients"], record["kind"]) == ("mailgun", 2, "issue")
    assert record["finished_at"]
    again = world.send()
    assert (again.code, "was sent already" in again.out, len(world.mailgun.requests)) == (0, True, 1)


# -- the server -----------------------------------------------------------------------


def test_the_server_of_another_ledger_would_lose_those_who_leave(world: World, tmp_path: Path) -> None:
    """A second workspace with the same configuration and secret is not enough."""
    other = Workspace(tmp_path / "other")
    for name in ("newsletter.yaml", ".env"):
        other.write(name, (world.workspace.root / name).read_bytes())
    _import(other, "ada@example.com,Ada\n")
    shutil.copytree(world.workspace.root / "public", other.root / "public")
    mine = world.site.backend
    with served(other) as port:
        world.site.backend = port
        world.refuses(f"https://{SITE}{PROOF} answers for another ledger", "with the same NEWSLETTER_SECRET")
    world.site.backend = mine
    world.goes_on()


def test_a_server_with_another_secret_would_lose_them_too(world: World, tmp_path: Path) -> None:
    """The same ledger is not enough either."""
    shutil.copytree(world.workspace.root, tmp_path / "copy")
    copy = Workspace(tmp_path / "copy")
    copy.write(".env", "NEWSLETTER_SECRET=another-secret-made-for-tests\n")
    with served(copy) as port:
        world.site.backend = port
        world.refuses("or with another secret")


def test_a_missing_server_stops_the_send(world: World) -> None:
    """Nobody listens, or nobody knows the name; the pictures are missing with it, and all is told at once."""
    absent = "2 pictures of this issue are not where readers will look"
    world.refuses("public_url does not answer", absent, "Connection refused", "`newsletter serve`", site=closed())
    world.refuses("public_url does not answer", "Name or service not known", site=None)
    assert world.site.asked == []
    world.goes_on()


def test_another_page_at_public_url_is_no_server(world: World) -> None:
    """A host that says 200 to everything, and a proxy whose server is away."""
    with scripted(last=reply(200, "<html>welcome</html>")) as host:
        world.site.backend = host.listener.getsockname()[1]
        world.refuses("is another page", "another picture than this issue's stands at")
    with scripted(last=reply(502, "<html>bad gateway</html>")) as host:
        world.site.backend = host.listener.getsockname()[1]
        world.refuses("it answers 502")


def test_a_redirect_to_the_right_server_is_none(world: World) -> None:
    """Nobody follows it for a reader who leaves."""
    with scripted(last=reply(301, "", location=f"https://www.{SITE}{PROOF}")) as host:
        world.site.backend = host.listener.getsockname()[1]
        world.refuses("it answers 301, which leads to another address", "without a redirect")


# -- the certificate ------------------------------------------------------------------


def test_a_wrong_certificate_stops_the_send(world: World, certificates: Certificates) -> None:
    """For another name, by an unknown hand, or none at all: readers' programs would refuse it as well."""
    with proxy(certificates.elsewhere, world.site.backend) as wrong:
        world.refuses("public_url does not answer", "ostname mismatch", site=wrong.port)
    with proxy(certificates.forged, world.site.backend) as wrong:
        world.refuses("public_url does not answer", "self-signed certificate", site=wrong.port)
        assert wrong.asked == []
    world.refuses("public_url does not answer", site=world.site.backend)
    world.goes_on()


# -- the pictures ---------------------------------------------------------------------


def test_one_missing_picture_stops_the_send(world: World) -> None:
    """It is named by its address, and only it."""
    gone, there = world.pictures
    data = gone.read_bytes()
    gone.unlink()
    said = world.refuses(f"{PUBLIC}/images/{gone.name}: it answers 404", "Run `newsletter publish`")
    assert there.name not in said
    gone.write_bytes(data)
    world.goes_on()


def test_one_changed_picture_stops_the_send(world: World) -> None:
    """By a single byte; publishing once more mends it."""
    changed, there = world.pictures
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    said = world.refuses(f"another picture than this issue's stands at {PUBLIC}/images/{changed.name}", "Publish it")
    assert there.name not in said
    world.workspace.newsletter("publish")
    world.goes_on()


def test_pictures_may_lie_at_an_address_of_their_own(world: World, certificates: Certificates) -> None:
    """With assets_url they are looked for there, and the page at public_url."""
    text = (world.workspace.root / "newsletter.yaml").read_text()
    world.workspace.write("newsletter.yaml", f"{text}assets_url: https://{API}/assets\n")
    with scripted(last=reply(404, "")) as host, proxy(certificates.good, host.listener.getsockname()[1]) as api:
        world.api = api
        world.refuses(f"https://{API}/assets/images/")
    assert world.site.asked == [PROOF]
    assert len(api.asked) == 2
