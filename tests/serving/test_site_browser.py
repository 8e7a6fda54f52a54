"""The pages in a real browser: opening one does nothing, the button does, and everybody can use it."""

from __future__ import annotations

import http.client
import signal
from typing import TYPE_CHECKING

import pytest
from serving.helpers_site import ADA, ERASED, NOOR, Running, digest, history, leave, start, status, view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Route
    from support import Workspace

    from newsletter.store.database import Database

pytestmark = pytest.mark.browser

CONTRAST = """() => {
  const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = rgb => { const [r, g, b] = rgb.match(/[\\d.]+/g).map(Number).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c; } return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('header, h1, p, b, a, button')].map(e => {
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05); });
}"""


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A phone's screen, on which every complaint of the browser is a failure."""
    made = browser.new_page(viewport={"width": 320, "height": 640}, color_scheme=request.param)
    made.set_default_timeout(15_000)
    complaints: list[str] = []
    made.on("console", lambda message: complaints.append(message.text))
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    made.close()
    # Chromium reports an answer of 404 as an error, too.
    assert [each for each in complaints if "404" not in each] == []


def test_opening_the_page_does_nothing_and_the_button_does(page: Page, running: Running, database: Database) -> None:
    """With scripts allowed, as a link scanner would; then by keyboard alone."""
    before = digest(database.path)
    page.goto(f"{running.url}{leave(ADA)[1:]}", wait_until="networkidle")
    page.reload(wait_until="networkidle")
    assert digest(database.path) == before
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector("text=You have unsubscribed")
    assert page.url.endswith(leave(ADA))
    assert history(database, ADA) == [("unsubscribed", "unsubscribe page")]
    assert status(database, NOOR) == "active"


def test_the_button_works_without_scripts(browser: Browser, running: Running, database: Database) -> None:
    """The page has none, and needs none."""
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{running.url}{leave(ADA)[1:]}")
    page.get_by_role("button", name="Unsubscribe").click()
    page.wait_for_selector("text=You have unsubscribed")
    page.close()
    assert status(database, ADA) == "unsubscribed"


@pytest.mark.parametrize("path", [leave(NOOR), leave(ERASED), "/nothing", "/"])
def test_every_page_can_be_read(page: Page, running: Running, path: str) -> None:
    """On the narrowest screen nothing is cut off; contrast as WCAG 2.2 AA asks; a title, a language, one heading."""
    page.goto(f"{running.url}{path[1:]}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert min(page.evaluate(CONTRAST)) >= 4.5
    assert page.title()
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("h1").count() == page.locator("main").count() == 1


def test_a_copy_runs_nothing_and_its_links_work(browser: Browser, workspace: Workspace, database: Database) -> None:
    """What stands in a mail is sandboxed; a link out of it is not."""
    workspace.issue("Text and a [link](https://example.org/out).\n")
    workspace.newsletter("send", "--yes")
    running = start(workspace)
    context = browser.new_context()
    asked: list[str] = []

    def stand_in(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(body="out")

    context.route("https://example.org/**", stand_in)
    page = context.new_page()
    page.goto(f"{running.url}{view(1, ADA)[1:]}")
    assert "Text and a" in page.inner_text("body")
    assert page.evaluate("window.origin") == "null"
    with page.expect_event("popup") if page.locator("a[target]").count() else page.expect_navigation():
        page.get_by_text("link", exact=True).click()
    assert asked == ["https://example.org/out"]
    context.close()
    assert database
    assert running.end(signal.SIGTERM) == (0, "")


def test_the_same_page_comes_whole_over_one_connection(running: Running) -> None:
    """Nothing else is loaded: no style sheet, no script, no picture."""
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("GET", leave(NOOR))
    body = connection.getresponse().read().decode()
    connection.close()
    for part in (" src=", "url(", "@import", 'rel="stylesheet"', "<script"):
        assert part not in body
