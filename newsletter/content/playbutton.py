"""A play button drawn on a video's poster: mail clients lay nothing over a picture."""

from __future__ import annotations

from PIL import Image, ImageDraw

_FINER = 4
"""How much finer the button is drawn than it is shown, for smooth edges."""

_DISC, _SIGN = (22, 25, 29, 205), (255, 255, 255, 255)


def with_play_button(image: Image.Image) -> Image.Image:
    """``image`` with a dark disc in the middle, and a white triangle on it."""
    size = max(24, round(min(image.width * 0.17, image.height * 0.34)))
    button = _button(size * _FINER).resize((size, size), Image.Resampling.LANCZOS)
    made = image.convert("RGBA")
    made.alpha_composite(button, (max(0, (image.width - size) // 2), max(0, (image.height - size) // 2)))
    return made if image.mode == "RGBA" else made.convert("RGB")


def _button(size: int) -> Image.Image:
    button = Image.new("RGBA", (size, size), (*_DISC[:3], 0))
    draw = ImageDraw.Draw(button)
    edge = size / 26
    draw.ellipse((1, 1, size - 2, size - 2), fill=_SIGN)
    draw.ellipse((edge, edge, size - 1 - edge, size - 1 - edge), fill=_DISC)
    # A triangle's weight lies to the left of its middle, so it stands a little to the right.
    draw.polygon([(size * x, size * y) for x, y in ((0.40, 0.31), (0.40, 0.69), (0.71, 0.5))], fill=_SIGN)
    return button
