"""Figures side by side, portraits cut square, and posters with a play button."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from content.helpers_content import encoded, outline, photo, photograph, read, wrong
from PIL import Image, ImageChops

from newsletter.content.encode import encode
from newsletter.model import Columns, Figure, SignOff, Video

if TYPE_CHECKING:
    from support import Workspace

HOME = "issues/2026-11-23-hello"


@pytest.fixture
def desk(workspace: Workspace) -> Workspace:
    """A workspace with three pictures."""
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.jpg"):
        workspace.write(f"{HOME}/{name}", photo())
    return workspace


PAIRS = {
    "lines": '![One](a.jpg "Left")\n![Two](b.jpg "Right")',
    "paragraphs": '![One](a.jpg "Left")\n\n![Two](b.jpg "Right")',
    "one line": '![One](a.jpg "Left") ![Two](b.jpg "Right")',
    "hard break": '![One](a.jpg "Left")\\\n![Two](b.jpg "Right")',
}


@pytest.mark.parametrize("body", PAIRS.values(), ids=PAIRS.keys())
def test_two_pictures_in_a_figure_stand_side_by_side(desk: Workspace, body: str) -> None:
    """Each with its own caption; the credit stands below the last."""
    (block,) = read(desk, f'::: figure {{credit="A. Person"}}\n{body}\n:::').blocks
    assert isinstance(block, Columns)
    assert outline(block.columns) == (
        (("Figure", "*.jpg", "One", (("Text", "Left"),), "", 256, ""),),
        (("Figure", "*.jpg", "Two", (("Text", "Right"),), "A. Person", 256, ""),),
    )


def test_three_pictures_are_narrower_and_may_each_be_a_link(desk: Workspace) -> None:
    """A picture's own link stands before the figure's."""
    body = "![One](a.jpg)\n[![Two](b.jpg)](https://e.org/2)\n![Three](c.jpg)"
    (block,) = read(desk, f'::: figure {{href="https://e.org/all"}}\n{body}\n:::').blocks
    assert isinstance(block, Columns)
    figures = [column[0] for column in block.columns if isinstance(column[0], Figure)]
    assert [each.href for each in figures] == ["https://e.org/all", "https://e.org/2", "https://e.org/all"]
    assert [each.width for each in figures] == [160] * 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("::: figure\n![a](a.jpg)\n![b](b.jpg)\n![c](c.jpg)\n![d](d.jpg)\n:::", "1:1 a figure holds at most three"),
        ("::: figure {width=inset}\n![a](a.jpg)\n![b](b.jpg)\n:::", "1:19 pictures side by side share the whole width"),
        ("::: figure\n![a](a.jpg)\n![b](nosuch.jpg)\n:::", "3:1 the picture “nosuch.jpg” is missing"),
        ("::: figure\n![a](a.jpg) and ![b](b.jpg)\n:::", "1:1 a figure holds one picture, or two or three"),
        ("::: figure\n- ![a](a.jpg)\n\n![b](b.jpg)\n:::", "1:1 a figure holds one picture, or two or three"),
    ],
)
def test_what_cannot_stand_side_by_side_is_reported(desk: Workspace, body: str, expected: str) -> None:
    """Once, at its place."""
    (found,) = wrong(desk, body)
    assert found.startswith(expected)


@pytest.mark.parametrize("size", [(300, 500), (500, 300), (40, 90)])
def test_a_portrait_is_cut_square(desk: Workspace, size: tuple[int, int]) -> None:
    """So that the round picture shows a face, and not an egg."""
    desk.write(f"{HOME}/me.jpg", photo(*size))
    (block,) = read(desk, '::: signoff {image="me.jpg" alt="Me"}\nBye.\n:::').blocks
    assert isinstance(block, SignOff)
    assert block.picture is not None
    assert block.picture.width == block.picture.height == min(128, *size)


def test_the_same_picture_may_be_a_portrait_and_a_figure(desk: Workspace) -> None:
    """Each in its own shape."""
    issue = read(desk, '![x](a.jpg)\n\n::: signoff {image="a.jpg" alt="Me"}\nBye.\n:::')
    assert [(each.width, each.height) for each in issue.pictures] == [(800, 500), (128, 128)]


def test_a_poster_carries_a_play_button_in_its_middle(desk: Workspace) -> None:
    """No mail client lays anything over a picture; the corners stay as they were."""
    (block,) = read(desk, '::: video {href="https://e.org/v" poster="a.jpg" title="T"}\n:::').blocks
    assert isinstance(block, Video)
    plain, played = (
        Image.open(io.BytesIO(data)).convert("RGB") for data in (encode(photo(), 1072).data, block.poster.data)
    )
    box = ImageChops.difference(plain, played).point(lambda value: 255 * (value > 60)).getbbox()
    assert box is not None
    assert abs((box[0] + box[2]) / 2 - plain.width / 2) < 8
    assert abs((box[1] + box[3]) / 2 - plain.height / 2) < 8
    assert box[2] - box[0] < plain.width / 4
    colour = played.getpixel((plain.width // 2 + 4, plain.height // 2))
    assert isinstance(colour, tuple)
    assert min(colour) > 230


@pytest.mark.parametrize(
    "raw",
    [
        encoded(photograph(60, 40).convert("L"), "PNG"),
        encoded(photograph(60, 40).convert("RGBA"), "PNG"),
        encoded(Image.new("RGB", (1, 1)), "PNG"),
        encoded(Image.new("P", (900, 3)), "PNG"),
    ],
)
@pytest.mark.parametrize("shape", ["square", "play"])
def test_any_picture_can_take_any_shape(raw: bytes, shape: str) -> None:
    """Grey, transparent, tiny or very flat."""
    made = encode(raw, 1072, "square" if shape == "square" else "play")
    with Image.open(io.BytesIO(made.data)) as opened:
        assert opened.size == (made.width, made.height)
