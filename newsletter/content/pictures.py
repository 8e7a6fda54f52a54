"""The pictures of an issue: found beside it, checked, encoded once and remembered in a cache."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from newsletter.content.cache import TYPES, Shape, Unusable, encoded
from newsletter.errors import Problem
from newsletter.links import fingerprint
from newsletter.model import Picture, Place
from newsletter.yamlread import suggestion

LARGEST = 60_000_000
"""Bytes; a picture file larger than this is refused before it is read."""

_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp"})
_REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LONGEST = 500


class Widths(NamedTuple):
    """How wide pictures are shown, in CSS pixels; the files are twice as wide."""

    full: int = 536
    inset: int = 320
    half: int = 256
    third: int = 160
    card: int = 256
    avatar: int = 64


class Gallery:
    """Hands out the pictures of one folder; ``taken`` holds each once, in the order of use."""

    def __init__(self, folder: Path, cache: Path | None, problems: list[Problem], *, keep: bool = True) -> None:
        self.folder, self.cache, self.problems, self.keep = folder, cache, problems, keep
        self.taken: dict[str, Picture] = {}
        self._made: dict[tuple[str, int, Shape], Picture | None] = {}

    def take(self, name: str, width: int, place: Place, shape: Shape = "") -> Picture | None:
        """The picture of a relative path for a display width, or ``None`` with a problem reported."""
        key = name, width, shape
        if key in self._made:
            return self._made[key]
        picture = self._make(name, width, place, shape)
        self._made[key] = picture
        if picture:
            self.taken.setdefault(picture.name, picture)
        return picture

    def _make(self, name: str, width: int, place: Place, shape: Shape) -> Picture | None:
        if not name:
            self.problems.append(Problem(place, "this picture names no file", "Write: ![What it shows](photo.jpg)"))
            return None
        try:
            made = encoded(self._read(name), 2 * width, self.cache, keep=self.keep, shape=shape)
        except Unusable as error:
            self.problems.append(Problem(place, f"the picture “{name[:80]}” {error}", error.hint))
            return None
        digest = fingerprint(made.data)[:20]
        return Picture(
            f"{digest}.{made.ending}",
            made.data,
            TYPES[made.ending],
            made.width,
            made.height,
            place,
            made.animated,
        )

    def _read(self, name: str) -> bytes:
        path = self._find(name)
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise Unusable("is not a file")
            if found.st_size > LARGEST:
                raise Unusable(f"is larger than {LARGEST // 1_000_000} MB", "Make it smaller first.")
            return path.read_bytes()
        except FileNotFoundError:
            raise Unusable("is a link to a file that does not exist") from None
        except OSError as error:
            raise Unusable(f"cannot be read: {error.strerror or error}") from None

    def _find(self, name: str) -> Path:
        if _REMOTE.match(name):
            raise Unusable("lies on another server, which is not supported", "Download it and put it beside index.md.")
        if _SCHEME.match(name) or name.startswith(("/", "\\", "~")) or len(name) > _LONGEST:
            raise Unusable(
                "is not a path inside the issue's folder", "Put the file beside index.md and name it from there."
            )
        for path in (self.folder / name, self.folder / unquote(name)):
            if "\0" in str(path):
                continue
            if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.folder)):
                raise Unusable("lies outside the issue's folder", "Copy it into the folder.")
            if os.path.lexists(path):
                return path
        raise Unusable("is missing", self._near(name))

    def _near(self, name: str) -> str:
        """What to do about a missing picture: the nearest name, whatever its capitals."""
        files = (each for each in self.folder.rglob("*") if each.suffix.lower() in _ENDINGS)
        known = {str(each.relative_to(self.folder)).lower(): str(each.relative_to(self.folder)) for each in files}
        if not known:
            return "Put the file into the issue's folder."
        hint = suggestion(name, sorted(known)[:20])
        return re.sub(r"“(.+)”", lambda found: f"“{known[found[1]]}”", hint)
