"""What is published: the right file as the right kind, and nothing else of the machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from serving.helpers_site import Site

PICTURE = "images/0123456789abcdef0123456789abcdef.png"
SECRET = b"secret"


def test_the_start_is_a_small_page_until_something_is_published(web: Site) -> None:
    """It says whose it is and where to write."""
    home = web.client.get("/")
    assert (home.status, "The Test Letter" in home.text, "mailto:tess@example.org" in home.text) == (200, True, True)
    web.publish("index.html", "<p>All issues</p>")
    assert web.client.get("/").text == "<p>All issues</p>"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("feed.xml", "application/xml; charset=utf-8"),
        ("feed.json", "application/json"),
        (PICTURE, "image/png"),
        ("images/a.jpg", "image/jpeg"),
        ("images/a.gif", "image/gif"),
        ("icon.svg", "image/svg+xml"),
        ("grüße/é.txt", "text/plain; charset=utf-8"),
    ],
)
def test_a_file_is_given_out_as_what_it_is(web: Site, name: str, kind: str) -> None:
    """Its bytes, its kind; HEAD says the same."""
    web.publish(name, b"\x00\xffdata")
    answer = web.client.get(f"/{name}")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, kind, b"\x00\xffdata")
    asked = web.client.ask("HEAD", f"/{name}")
    assert (asked.status, asked.headers) == (200, answer.headers)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_folder_is_its_index(web: Site) -> None:
    """With the slash; without it a relative redirect leads there, so that relative links hold."""
    web.publish("2026-11-20-tides/index.html", "tides")
    assert web.client.get("/2026-11-20-tides/").text == "tides"
    answer = web.client.get("/2026-11-20-tides")
    assert (answer.status, answer.headers["location"]) == (308, "./2026-11-20-tides/")
    web.publish("javascript:alert(1)/index.html", "odd")
    assert web.client.get("/javascript:alert(1)").headers["location"] == "./javascript%3Aalert%281%29/"
    assert web.client.get("/2026-11-20-tides/index.html/").status == 404


def test_how_long_an_answer_may_be_kept(web: Site) -> None:
    """A picture named by its content for good; what may change, for minutes."""
    for name in (PICTURE, "images/logo.png", "index.html"):
        web.publish(name)
    kept = [web.client.get(f"/{name}").headers["cache-control"] for name in (PICTURE, "images/logo.png", "")]
    assert kept == ["public, max-age=31536000, immutable", "public, max-age=300", "public, max-age=300"]


def test_what_the_browser_has_is_not_sent_again(web: Site) -> None:
    """Until it changes."""
    file = web.publish("index.html", "first")
    tag = web.client.get("/").headers["etag"]
    answer = web.client.get("/", headers={"if-none-match": f'"other", W/{tag}'})
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    file.write_text("second one")
    assert web.client.get("/", headers={"if-none-match": tag}).text == "second one"


def test_a_part_of_a_file_can_be_asked_for(web: Site) -> None:
    """A wrong part is refused with the same protection as every answer."""
    web.publish(PICTURE, b"0123456789")
    part = web.client.get(f"/{PICTURE}", headers={"range": "bytes=2-4"})
    assert (part.status, part.body) == (206, b"234")
    wrong = web.client.get(f"/{PICTURE}", headers={"range": "bytes=99-"})
    assert (wrong.status, wrong.headers["x-content-type-options"]) == (416, "nosniff")


def test_pages_run_no_script_and_pictures_may_stand_in_web_mail(web: Site) -> None:
    """Webmail shows hosted pictures from another site."""
    web.publish("index.html")
    web.publish(PICTURE)
    page, picture = web.client.get("/").headers, web.client.get(f"/{PICTURE}").headers
    assert "script" not in page["content-security-policy"]
    assert page["content-security-policy"].startswith("default-src 'none'; ")
    assert picture["cross-origin-resource-policy"] == "cross-origin"
    assert "sandbox" in picture["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/../newsletter.yaml",
        "/%2e%2e/secret.html",
        "/..%2fsecret.html",
        "/images/..%2f..%2fsecret.html",
        "/images/../../secret.html",
        "/images/..",
        "/./secret.html",
        "/..%5csecret.html",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "//secret.html",
        "/images//a.png",
        "/secret.html%00",
        "/%00",
        "/.hidden.html",
        "/.git/config.txt",
        "/.well-known/other.txt",
        "/notes.md",
        "/.index.html.0a1b.tmp",
        "/link.html",
        "/linked/secret.html",
        "/linked/",
        "/linked",
        "/round/",
        "/to-hidden.html",
        "/fifo.html",
        "/images/",
        "/images",
        "/index.html/",
        "/index.htm",
        f"/{'a' * 5000}.html",
        "/u",
        "/v",
        "/U/x.html",
        "http://example.org/index.html",
        "*",
    ],
)
def test_nothing_else_is_given_out(web: Site, path: str) -> None:
    """No way out of the folder, no link out of it, nothing hidden, no other kind, no odd path."""
    outside = web.workspace.write("secret.html", SECRET).parent
    web.publish("index.html", "index")
    web.publish("images/a.png", "picture")
    for name in (".hidden.html", ".git/config.txt", "notes.md", ".index.html.0a1b.tmp", ".well-known/other.txt"):
        web.publish(name, SECRET)
    public = outside / "public"
    (outside / "index.html").write_bytes(SECRET)
    (public / "link.html").symlink_to(outside / "secret.html")
    (public / "linked").symlink_to(outside)
    (public / "round").symlink_to("round")
    (public / "to-hidden.html").symlink_to(".hidden.html")
    os.mkfifo(public / "fifo.html")
    answer = web.client.get(path)
    assert answer.status == 404
    assert SECRET not in answer.body
    assert web.troubles == []


def test_links_that_stay_inside_are_followed(web: Site) -> None:
    """So may the folder itself be one: some publish into a new folder and turn the link."""
    web.publish("a.html", "first")
    public = web.workspace.root / "public"
    (public / "b.html").symlink_to("a.html")
    public.rename(web.workspace.root / "release-1")
    public.symlink_to("release-1")
    assert web.client.get("/b.html").text == "first"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/index.html", "/nothing", "/.well-known/newsletter"])
def test_the_public_part_is_for_reading(web: Site, method: str, path: str) -> None:
    """Whether or not there is something."""
    web.publish("index.html")
    answer = web.client.ask(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
