"""Who may ask the outbox's page, for what, and what the answers forbid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from preview.helpers_preview import HOST, ISSUE, PICTURE, PIXEL, PORT, Client, Sample

if TYPE_CHECKING:
    from pathlib import Path

PAGES = (
    "/",
    f"/m/{ISSUE}/a",
    f"/m/{ISSUE}/a?view=source",
    "/u/token",
    "/v/token",
    "/state",
    "/static/outbox.css",
    "/nothing",
)


@pytest.fixture(autouse=True)
def _filled(sample: Sample) -> None:
    sample.put("a")
    sample.raw(f"images/{PICTURE}", PIXEL)


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"LocalHost:{PORT}", f"[::1]:{PORT}"])
def test_this_machine_may_ask(client: Client, host: str) -> None:
    """The three names under which a machine knows itself."""
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1",
        "localhost",
        f"127.0.0.1:{PORT + 1}",
        f"127.0.0.1.evil.example:{PORT}",
        f"localhost.:{PORT}",
        f"0.0.0.0:{PORT}",
        f"user@127.0.0.1:{PORT}",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", f"/m/{ISSUE}/a/frame", f"/images/{PICTURE}", "/static/outbox.css", "/state"])
def test_any_other_name_is_refused(client: Client, host: str, path: str) -> None:
    """A site that lets its own name point at 127.0.0.1 reads nothing (DNS rebinding)."""
    answer = client.get(path, headers={"host": host})
    assert answer.status_code == 403
    assert "tide" not in answer.text


@pytest.mark.parametrize("headers", [[], [(b"host", HOST.encode()), (b"host", b"evil.example")]])
def test_a_request_names_one_host(client: Client, headers: list[tuple[bytes, bytes]]) -> None:
    """None, or two, is nobody's honest request."""
    assert client.send("GET", "/", headers).status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/u/token", f"/m/{ISSUE}/a", "/nothing"])
def test_there_is_nothing_but_reading(client: Client, method: str, path: str) -> None:
    """No method that could change anything is answered, whatever the path."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", [*PAGES, f"/m/{ISSUE}/a/frame", f"/m/{ISSUE}/a/download", f"/images/{PICTURE}"])
def test_head_answers_as_get_does(client: Client, path: str) -> None:
    """Same status and headers; leaving out the body is the server's part."""
    got, asked = client.get(path), client.request("HEAD", path)
    assert (asked.status_code, asked.headers) == (got.status_code, got.headers)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_forbids_what_it_does_not_need(client: Client, path: str) -> None:
    """Errors too; no other site may frame, read or keep them."""
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_refusals_carry_the_same_headers(client: Client) -> None:
    """Also to strangers."""
    for answer in (client.get("/", headers={"host": "evil.example"}), client.request("POST", "/")):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"


def test_the_mail_is_framed_without_scripts_and_without_an_origin(client: Client) -> None:
    """Twice over: by the frame's attribute, and by the answer itself, should it be opened alone."""
    page = client.get(f"/m/{ISSUE}/a").text
    tag = page[page.index("<iframe") : page.index("</iframe>")]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in tag
    answer = client.get(f"/m/{ISSUE}/a/frame")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; ")
    assert "script" not in policy
    assert f"img-src http://{HOST}/images/ data:;" in policy
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for text in (tag, policy):
        assert "allow-scripts" not in text
        assert "allow-same-origin" not in text
        assert "allow-top-navigation" not in text


def test_what_a_message_says_is_shown_and_never_run(client: Client, sample: Sample) -> None:
    """Address, subject, text, headers and source are text wherever they stand."""
    script = "<script>alert(1)</script>"
    raw = f"From: {script}\r\nTo: \"'><img src=x onerror=alert(1)>\r\nX-Odd: {script}\r\nSubject: {script}{{{{7*7}}}}\r\n\r\n{script}"
    sample.raw(f"{ISSUE}/bad.eml", raw.encode())
    for path in (
        "/",
        "/?q=%3Cscript%3E%22%27",
        *(f"/m/{ISSUE}/bad?view={view}" for view in ("html", "text", "headers", "source")),
    ):
        text = client.get(path).text
        assert "<script>" not in text
        assert "<img" not in text
        assert "&lt;script&gt;" in text
        assert "{{7*7}}" in text or "q=" in path


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fsecret.png",
        "%2e%2e/%2e%2e/secret.png",
        "../secret.png",
        "..%5csecret.png",
        "%252e%252e%252fsecret.png",
        "0123456789abcdef.svg",
        "0123456789ABCDEF.png",
        "0123456789abcdef.png.eml",
        "0123456789abcdef.png%00",
        "0123456789abcdef.png%0a",
        ".png",
        "abc%2fdef.png",
        "feed.png",
    ],
)
def test_only_pictures_named_by_hash_are_served(client: Client, sample: Sample, tmp_path: Path, name: str) -> None:
    """No other name, no way out of the folder, no symbolic link."""
    (tmp_path / "secret.png").write_bytes(b"secret")
    (sample.root / "secret.png").write_bytes(b"secret")
    (sample.root / "images" / "feed.png").symlink_to(tmp_path / "secret.png")
    answer = client.get(f"/images/{name}")
    assert answer.status_code == 404
    assert b"secret" not in answer.content


def test_a_picture_folder_that_is_a_link_is_not_followed(client: Client, sample: Sample, tmp_path: Path) -> None:
    """The outbox's own folder holds the pictures, or nothing does."""
    assert client.get(f"/images/{PICTURE}").content == PIXEL
    elsewhere = tmp_path / "elsewhere"
    (sample.root / "images").rename(elsewhere)
    (sample.root / "images").symlink_to(elsewhere)
    assert client.get(f"/images/{PICTURE}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/m/..%2f/secret",
        "/m/%2e%2e/secret",
        f"/m/{ISSUE}/..%2f..%2fsecret",
        f"/m/{ISSUE}/%2e%2e%2f%2e%2e%2fsecret/download",
        f"/m/{ISSUE}%2f..%2f../secret/frame",
        f"/m/{ISSUE}/a.eml",
        f"/m/{ISSUE}/a%00",
        f"/m/{ISSUE}/link/download",
        f"/m/{ISSUE}/.index",
        "/m/images/0123456789abcdef",
        "/m/linked/secret/download",
        "/static/..%2foutbox.py",
        "/static/%2e%2e%2foutbox.py",
        "/static/../outbox.py",
        "/templates/base.html",
        f"/m/{ISSUE}/a/",
        "//",
    ],
)
def test_no_path_leads_out_of_the_outbox(client: Client, sample: Sample, tmp_path: Path, path: str) -> None:
    """What is asked for is looked up among the names found; everything else is not there."""
    secret = tmp_path / "secret.eml"
    secret.write_bytes(b"To: a@example.org\r\n\r\nsecret")
    (sample.root / ISSUE / "link.eml").symlink_to(secret)
    (sample.root / "linked").symlink_to(tmp_path)
    answer = client.get(path)
    assert answer.status_code == 404
    assert b"secret" not in answer.content


def test_pictures_may_be_kept_and_used_by_the_frame(client: Client) -> None:
    """The frame has no origin, so its pictures count as foreign; a name is its content, so it may be cached."""
    headers = client.get(f"/images/{PICTURE}").headers
    assert headers["content-type"] == "image/png"
    assert headers["cache-control"] == "private, max-age=86400, immutable"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


def test_a_download_is_the_file_and_nothing_a_browser_would_open(client: Client, sample: Sample) -> None:
    """Byte for byte, under a harmless name."""
    file = sample.put('a "quoted"; name')
    answer = client.get(f"/m/{ISSUE}/a%20%22quoted%22%3B%20name/download")
    assert answer.content == file.read_bytes()
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-disposition"] == 'attachment; filename="a-quoted-name.eml"'
