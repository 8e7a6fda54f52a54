"""How well one colour can be read on another, by WCAG 2, and the nearest colour that would do."""

from __future__ import annotations

import colorsys
import re

ENOUGH = 4.5
"""The least contrast of running text, WCAG 2 level AA (1.4.3)."""

COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
"""How a theme writes a colour: some mail clients read no shorter form, and no name."""

_STEPS = 255


def luminance(colour: str) -> float:
    """Relative luminance, 0 for black and 1 for white."""
    red, green, blue = (_linear(channel) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The ratio of two colours, 1 to 21, whichever of them is the lighter."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def would_do(text: str, ground: str) -> str:
    """The colour nearest to ``text``, of the same hue, that can be read on ``ground``; black or white always can."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(text))
    for step in range(_STEPS + 1):
        for moved in (lightness - step / _STEPS, lightness + step / _STEPS):
            if 0 <= moved <= 1 and contrast(found := _written(hue, moved, saturation), ground) >= ENOUGH:
                return found
    return "#000000" if luminance(ground) > 0.18 else "#FFFFFF"


def _channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _written(hue: float, lightness: float, saturation: float) -> str:
    red, green, blue = (round(each * 255) for each in colorsys.hls_to_rgb(hue, lightness, saturation))
    return f"#{red:02X}{green:02X}{blue:02X}"
