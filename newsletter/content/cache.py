"""Encoded pictures, remembered by the hash of their source, so that a build need not load what encodes them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from newsletter.errors import Unwritable
from newsletter.files import make_folder, write
from newsletter.links import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = 1
"""Counts the changes of ``encode``, so that the cache forgets what an older one made."""

Shape = Literal["", "square", "play"]
"""What is done to a picture besides: cut square, or a play button put on it."""

TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif"}
"""The media type of each ending that an encoded picture can have."""


class Encoded(NamedTuple):
    """A finished picture file; sizes in pixels."""

    data: bytes
    ending: str
    width: int
    height: int
    animated: bool = False


class Unusable(ValueError):
    """Why a picture cannot be used, as the rest of a sentence that begins with it, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def encoded(raw: bytes, widest: int, cache: Path | None, *, keep: bool = True, shape: Shape = "") -> Encoded:
    """The picture file for ``raw``, at most ``widest`` pixels wide; from the cache when a sound entry is there.

    Without ``keep`` nothing is written; a cache that cannot be written is done without. Raises
    ``Unusable`` as ``encode`` does.
    """
    path = cache / "pictures" / _key(raw, widest, shape) if cache else None
    if path and (kept := _read(path)):
        return kept
    from newsletter.content.encode import encode

    made = encode(raw, widest, shape)
    if path and keep:
        _keep(path, made)
    return made


def _key(raw: bytes, widest: int, shape: Shape) -> str:
    import PIL  # its version only: PIL.Image is the costly part

    digest = hashlib.sha256(f"picture {PIPELINE} {PIL.__version__} {widest} {shape}".encode())
    digest.update(raw)
    return digest.hexdigest()


def _read(path: Path) -> Encoded | None:
    try:
        head, _, data = path.read_bytes().partition(b"\n")
        found: Any = json.loads(head)
        if found["sha256"] == fingerprint(data) and found["ending"] in TYPES:
            return Encoded(data, found["ending"], int(found["width"]), int(found["height"]), bool(found["animated"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None  # missing or damaged: it is made again
    return None


def _keep(path: Path, made: Encoded) -> None:
    head = {
        "sha256": fingerprint(made.data),
        "ending": made.ending,
        "width": made.width,
        "height": made.height,
        "animated": made.animated,
    }
    try:
        make_folder(path.parent, mode=0o700)
        write(path, json.dumps(head).encode() + b"\n" + made.data)
    except Unwritable:
        return  # the next build encodes again
