"""A theme's logo: a PNG beside ``theme.yaml``, used as it is."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from newsletter.errors import Problem
from newsletter.links import fingerprint
from newsletter.model import Picture

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from newsletter.render.themefile import Value

HEAVIEST = 100_000
"""Bytes; a logo comes with every mail."""

_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def read(named: Value, folders: Sequence[Path], problems: list[Problem]) -> Picture | None:
    """The picture from the first folder that has it; ``None`` with a problem reported."""
    name = named.text
    path = next((each / name for each in folders if (each / name).is_file()), None)
    if path is None or not any(path.resolve().is_relative_to(each.resolve()) for each in folders):
        hint = "Put the file beside theme.yaml, and write its name."
        problems.append(Problem(named.place, f"there is no picture “{name}” in the theme's folder", hint))
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        problems.append(Problem(named.place, f"“{name}” cannot be read: {error.strerror or error}"))
        return None
    if not data.startswith(_PNG) or len(data) < len(_PNG) + 8:
        problems.append(Problem(named.place, f"“{name}” is not a PNG picture", "Save the logo as PNG."))
        return None
    if len(data) > HEAVIEST:
        message = f"“{name}” weighs {len(data):,} bytes, and comes with every mail"
        problems.append(Problem(named.place, message, f"Make it lighter than {HEAVIEST:,} bytes."))
        return None
    width, height = struct.unpack_from(">II", data, len(_PNG))
    return Picture(f"{fingerprint(data)[:20]}.png", data, "image/png", width, height, named.place)
