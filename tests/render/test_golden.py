"""Each block, and the whole specimen, against what is kept in ``tests/golden/``."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops
from render import golden
from support import ROOT

from newsletter import model
from newsletter.content.containers import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.render.theme import Theme

TOLERANCE = 40
"""How far a channel of a pixel may be off: colours are kept in a palette, and pictures are scaled by the browser."""

SHARE = 0.002
"""How many of the pixels may be further off."""


@pytest.fixture(scope="module")
def bare() -> Theme:
    """The default theme without head and foot."""
    return golden.bare()


@pytest.mark.parametrize("name", golden.names())
def test_a_block_is_what_it_was(tmp_path: Path, bare: Theme, name: str) -> None:
    """As MJML, as the mail's HTML and text, and as the web page's HTML; `make golden` writes them anew."""
    made = golden.made(name, tmp_path, bare)
    kept = {path.name: path.read_text("utf-8") for path in (golden.BLOCKS / name).iterdir() if path.name != "block.md"}
    assert made == kept


def test_every_container_and_every_kind_of_block_is_kept() -> None:
    """A new one is not forgotten."""
    written = "".join((golden.BLOCKS / name / "block.md").read_text("utf-8") for name in golden.names())
    unnamed = {"else", "when", "column", "card"}
    assert [name for name in KINDS if name not in unnamed and f"::: {name}" not in written] == []
    assert len(golden.names()) >= len(typing.get_args(model.Block))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The specimen's mail in each theme."""
    return golden.specimens(tmp_path_factory.mktemp("specimen"))


@pytest.mark.browser
@pytest.mark.parametrize(("theme", "width", "scheme"), golden.SHOTS)
def test_the_specimen_looks_as_it_did(
    browser: Any, pages: dict[str, Path], theme: str, width: int, scheme: str
) -> None:
    """On a desk and on a phone, light and dark; where it does not, the difference is written to build/golden/."""
    taken = golden.shot(browser, pages[theme], width, scheme)
    path = golden.picture(theme, width, scheme)
    with Image.open(path) as opened:
        kept = opened.convert("RGB")
    if (share := off(taken, kept)) <= SHARE:
        return
    folder = ROOT / "build" / "golden"
    folder.mkdir(parents=True, exist_ok=True)
    taken.save(folder / path.name)
    difference(taken, kept).save(folder / f"{path.stem}-difference.png")
    pytest.fail(
        f"{path.name}: {share:.1%} of the pixels differ ({kept.size} before, {taken.size} now); look at "
        f"build/golden/{path.stem}-difference.png, and run `make golden` if the change is meant"
    )


def difference(one: Image.Image, other: Image.Image) -> Image.Image:
    """Where two pictures differ, on the room of both."""
    size = max(one.width, other.width), max(one.height, other.height)
    sheets = [Image.new("RGB", size, "magenta") for _ in range(2)]
    for sheet, image in zip(sheets, (one, other), strict=True):
        sheet.paste(image, (0, 0))
    return ImageChops.difference(*sheets)


def off(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels that are further off than is allowed."""
    bands = difference(one, other).split()
    worst = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    return sum(worst.histogram()[TOLERANCE + 1 :]) / (worst.width * worst.height)


def test_a_moved_block_is_seen() -> None:
    """The comparison can fail: a text line's height of shift, or one wrong colour on a button."""
    page = Image.new("RGB", (375, 6000), "white")
    page.paste("black", (20, 100, 355, 148))
    moved = Image.new("RGB", (375, 6000), "white")
    moved.paste("black", (20, 110, 355, 158))
    taller = Image.new("RGB", (375, 6020), "white")
    taller.paste("black", (20, 100, 355, 148))
    recoloured = page.copy()
    recoloured.paste("navy", (20, 100, 355, 148))
    assert off(page, page) == 0
    assert all(off(page, other) > SHARE for other in (moved, taller, recoloured))
