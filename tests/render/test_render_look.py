"""The look in a real browser: nothing scrolls sideways, nothing is left pale in the dark, contrast holds."""

from __future__ import annotations

from typing import Any

import pytest
from render.helpers_render import as_nobody, at, para, picture, printed, words

from newsletter.model import Button, CodeBlock, Columns, Figure, Heading, Note, PullQuote, Quote, Sponsor, Table

pytestmark = pytest.mark.browser

WORD = "Donaudampfschifffahrtsgesellschaftskapitaen" * 3
BLOCKS = (
    Note("A note", (para("noted ", WORD),), at()),
    para("https://example.org/" + "a" * 200),
    Heading(2, words("A head"), "head", at()),
    Figure(picture(), "cranes", words("caption"), "credit", 536, at()),
    PullQuote((para("pulled"),), "Ada", at()),
    Quote((para("quoted"),), at()),
    Table(tuple(words(f"Column {n}") for n in range(8)), (tuple(words("12,345") for _ in range(8)),), ("",) * 8, at()),
    CodeBlock("x = " + "1 + " * 60, "python", at()),
    Columns(((para("left ", WORD),), (para("right"),)), at()),
    Sponsor("Example", (para("bought"),), at()),
    Button(words("Press"), "https://example.org", at()),
)

COLOURS = """() => {
  const shown = [...document.querySelectorAll('p, h1, h2, li, td, th, pre, a, span')].filter(
    e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.offsetHeight);
  const ground = e => {
    for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (c !== 'rgba(0, 0, 0, 0)') return c;
    }
    return 'rgb(255, 255, 255)';
  };
  return shown.map(e => [e.textContent.trim().slice(0, 30), getComputedStyle(e).color, ground(e)]);
}"""


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The mail and the web page of one issue with a bit of everything."""
    edition = printed(*BLOCKS)
    return {"mail": as_nobody(edition)[0], "web": edition.web}


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2."""
    parts = [int(each) / 255 for each in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio by WCAG 2."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def opened(browser: Any, html: str, *, width: int = 700, scheme: str = "light") -> Any:
    """A page that fetches nothing."""
    page = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    page.route("**/*", lambda route: route.abort())
    page.set_content(html)
    return page


@pytest.mark.parametrize("width", [320, 375, 700])
@pytest.mark.parametrize("kind", ["mail", "web"])
def test_nothing_scrolls_sideways(browser: Any, pages: dict[str, str], kind: str, width: int) -> None:
    """Long words, addresses, code and wide tables included."""
    page = opened(browser, pages[kind], width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["mail", "web"])
def test_all_text_can_be_read(browser: Any, pages: dict[str, str], kind: str, scheme: str) -> None:
    """Every text has a contrast of at least 4.5 with what lies behind it, in both schemes."""
    found = opened(browser, pages[kind], scheme=scheme).evaluate(COLOURS)
    assert len(found) > 20
    assert [each for each in found if contrast(each[1], each[2]) < 4.5] == []


def test_outlooks_own_dark_mode_can_be_read(browser: Any, pages: dict[str, str]) -> None:
    """It marks the document instead of answering the media query."""
    found = opened(browser, pages["mail"].replace("<body", '<body data-ogsc="" data-ogsb=""')).evaluate(COLOURS)
    assert [each for each in found if contrast(each[1], each[2]) < 4.5] == []
    assert {each[2] for each in found} >= {"rgb(20, 23, 27)", "rgb(31, 36, 43)"}


def test_no_pale_gutter_is_left_in_the_dark(browser: Any, pages: dict[str, str]) -> None:
    """The mail's colour sits on the engine's outer div and on the body; both turn dark."""
    page = opened(browser, pages["mail"], scheme="dark", width=1200)
    colours = page.evaluate("['body', '.page'].map(e => getComputedStyle(document.querySelector(e)).backgroundColor)")
    assert colours == ["rgb(20, 23, 27)"] * 2


def test_the_sizes_of_the_design_hold_on_desk_and_phone(browser: Any, pages: dict[str, str]) -> None:
    """Headline, text and padding; the button is as wide as a phone's column."""
    measure = """() => [
      getComputedStyle(document.querySelector('h1')).fontSize,
      getComputedStyle([...document.querySelectorAll('p')].find(e => e.textContent.startsWith('https'))).fontSize,
      document.querySelector('h1').getBoundingClientRect().left,
      [...document.querySelectorAll('a')].find(e => e.textContent === 'Press').getBoundingClientRect().height,
      [...document.querySelectorAll('a')].find(e => e.textContent === 'Press').getBoundingClientRect().width,
    ]"""
    assert opened(browser, pages["mail"], width=700).evaluate(measure)[:4] == ["36px", "18px", 82, 48]
    phone = opened(browser, pages["mail"], width=375).evaluate(measure)
    assert phone == ["29px", "18px", 20, 48, 335]
