"""The outbox in a real browser: keyboard, phone, no JavaScript, and mails that mean harm."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from preview.helpers_preview import HTML, ISSUE, PICTURE, Running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page, Route

pytestmark = pytest.mark.browser

HOSTILE = """<html><head><meta http-equiv="refresh" content="0;url=https://evil.example/refresh">
<base href="https://evil.example/"><link rel="stylesheet" href="https://evil.example/style.css">
<style>@import "https://evil.example/import.css"; body { background: url(https://evil.example/bg.png) }
@font-face { font-family: f; src: url(https://evil.example/f.woff2) } p { font-family: f }</style>
<script>document.title = "ran"; top.document.title = "ran"; alert(1)</script></head>
<body onload="alert(2)"><p>Hostile</p><img src="https://evil.example/pixel.png" onerror="alert(3)"><img src=x onerror="alert(4)">
<iframe src="https://evil.example/frame"></iframe><object data="https://evil.example/o"></object>
<video autoplay src="https://evil.example/v.mp4"></video><svg onload="alert(5)"></svg>
<form action="https://evil.example/form"><input autofocus><button id="go">Go</button></form>
<a id="js" href="javascript:alert(6)">js</a> <a id="top" target="_top" href="https://evil.example/top">top</a></body></html>"""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile that reaches this machine only; what it asked elsewhere is kept in ``asked``."""
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which every complaint of the browser is a failure."""
    made = context.new_page()
    complaints: list[str] = []
    made.on(
        "console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None
    )
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    assert complaints == []


def test_the_keyboard_is_enough(page: Page, running: Running) -> None:
    """Walk the list, open a message, read it in its frame with its picture, go on to the next."""
    page.goto(running.url)
    page.keyboard.press("j")
    page.keyboard.press("j")
    with page.expect_response(lambda answer: PICTURE in answer.url) as picture:
        page.keyboard.press("Enter")
    assert picture.value.ok
    page.wait_for_url(f"**/m/{ISSUE}/a")
    assert page.frame_locator("iframe").locator("h1").inner_text() == "The tide table"
    page.keyboard.press("k")
    page.wait_for_url(f"**/m/{ISSUE}/b")
    page.keyboard.press("/")
    page.keyboard.type("ada")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=ada*")
    assert page.locator("a.row").all_inner_texts()[0].startswith("ada@example.org")
    assert page.locator("a.row").count() == 1


def test_the_first_tab_offers_the_way_past_the_list(page: Page, running: Running) -> None:
    """Visible when it has the focus, and every focus can be seen."""
    page.goto(running.url)
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    assert skip.evaluate("e => e === document.activeElement && e.getBoundingClientRect().top >= 0")
    for _ in range(6):
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Tab")
    skip.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_everything_works_without_javascript(browser: Browser, running: Running) -> None:
    """List, search, message, each view and the way back are links and a form."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(running.url)
    page.get_by_label("Search address and subject").fill("ada")
    page.get_by_role("button", name="Search").click()
    page.locator("a.row").click()
    assert page.frame_locator("iframe").locator("h1").inner_text() == "The tide table"
    for view, words in (("Text", "The tide table"), ("Headers", "ada@example.org"), ("Source", "MIME-Version")):
        page.get_by_role("link", name=view, exact=True).click()
        assert words in page.locator("main").inner_text()
    page.get_by_role("link", name="Mail", exact=True).click()
    page.get_by_role("link", name="Phone").click()
    box = page.locator("iframe").bounding_box()
    assert box
    assert box["width"] == 375
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 859, 860, 1280])
def test_no_page_scrolls_sideways(browser: Browser, running: Running, width: int, scheme: str) -> None:
    """Phone to desktop, light and dark, with long words everywhere."""
    long = "verylongword" * 20
    running.sample.put(
        "c", to=f"{long[:60]}@example.org", subject=f"{long} {long}", text=f"{long}\n", html=f"<p>{long}</p>"
    )
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    for path in ("", f"m/{ISSUE}/c", *(f"m/{ISSUE}/c?view={view}" for view in ("text", "headers", "source")), "u/x"):
        page.goto(running.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(20, 23, 27)" if scheme == "dark" else "rgb(255, 255, 255)")
    context.close()


def test_links_open_outside_and_footnotes_stay(context: BrowserContext, page: Page, running: Running) -> None:
    """A link in the mail opens a new tab with no way back to this page; a footnote stays in the frame."""
    context.route(
        "https://example.org/**", lambda route: route.fulfill(body="<p>Outside</p>", content_type="text/html")
    )
    page.goto(f"{running.url}m/{ISSUE}/a")
    mail = page.frame_locator("iframe")
    with context.expect_page() as opened:
        mail.get_by_text("Out", exact=True).click()
    opened.value.wait_for_load_state()
    assert opened.value.url == "https://example.org/"
    assert opened.value.evaluate("window.opener") is None
    mail.get_by_text("1", exact=True).click()
    assert page.frames[1].url.endswith("/frame#fn1")
    assert len(context.pages) == 2
    with context.expect_page() as trial:
        mail.get_by_text("Unsubscribe").click()
    trial.value.wait_for_load_state()
    assert trial.value.url.startswith(f"{running.url}u/")
    assert "This is a trial" in trial.value.content()


@pytest.mark.parametrize("alone", [False, True])
def test_a_hostile_mail_does_and_fetches_nothing(context: BrowserContext, running: Running, alone: bool) -> None:  # noqa: FBT001 - pytest passes it
    """In the frame, and opened alone: no script, no request to anybody else, no form, no way to the page around it.

    Opened alone, a link that somebody clicks is a link.
    """
    running.sample.put("evil", html=HOSTILE)
    left: list[str] = []

    def refuse(route: Route) -> None:
        left.append(route.request.url)
        route.abort()

    context.route(lambda url: urlsplit(url).netloc != f"127.0.0.1:{running.port}", refuse)
    page = context.new_page()
    page.on("dialog", lambda dialog: left.append(f"dialog {dialog.message}"))
    address = f"{running.url}m/{ISSUE}/evil{'/frame' if alone else ''}"
    page.goto(address)
    mail = page.main_frame if alone else page.frames[1]
    assert "Hostile" in mail.locator("p").inner_text()
    for name in ("#go", "#js", "#top"):
        mail.locator(name).click(no_wait_after=True)
        page.wait_for_timeout(200)
    assert page.title() != "ran"
    if not alone:
        assert page.url == address
        assert "Hostile" in page.frames[1].locator("p").inner_text()
    assert left == (["https://evil.example/top"] if alone else [])


def test_new_messages_announce_themselves(page: Page, running: Running) -> None:
    """A send may be running: the list says how many more there are, and shows them when asked."""
    page.goto(running.url)
    running.sample.put("c", html=HTML)
    page.get_by_role("status").click()
    page.wait_for_load_state()
    assert page.locator("a.row").count() == 3
