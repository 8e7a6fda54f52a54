"""A theme of one's own: a copy whose every file may be deleted again, because it names what it came from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.errors import Blocked
from newsletter.files import display

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from newsletter.render.theme import Theme

FILE = "theme.yaml"

_ENDINGS = frozenset({".j2", ".css", ".png"})
_PARENT = re.compile(rb"\A\s*@parent;\n?")
_HEAD = re.compile(r"^(?:title|parent):.*\n", re.MULTILINE)


def refuse_taken(target: Path) -> None:
    """Raise ``Blocked`` when anything stands where the copy would: nothing is ever overwritten."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        message = f"{display(target)} is already there; nothing was written"
        raise Blocked(message, hint="Choose another folder, or delete that one first.")


def files_of(theme: Theme, name: str) -> dict[str, bytes]:
    """Every file of a theme and of its parents, as a theme ``name`` of its own that names ``theme`` as its parent."""
    files: dict[str, bytes] = {}
    for folder in reversed(theme.folders):
        for path in sorted(folder.rglob("*")):
            if path.suffix in _ENDINGS and path.is_file():
                key, data = path.relative_to(folder).as_posix(), path.read_bytes()
                # What stands behind its parent's sheet would stand there twice in the copy.
                found = _PARENT.match(data)
                files[key] = files.get(key, b"") + data[found.end() :] if found else data
    return {FILE: _head(theme, name).encode(), **dict(sorted(files.items()))}


def _head(theme: Theme, name: str) -> str:
    """The theme's own ``theme.yaml`` with another title and parent; its comments stay."""
    path = theme.folders[0] / FILE
    text = path.read_text("utf-8-sig") if path.is_file() else ""
    title = name.replace("-", " ").replace("_", " ").capitalize()
    first = f'title: "{title}"\nparent: {theme.name}\n'
    found = _HEAD.search(text)
    at = found.start() if found else 0
    return text[:at] + first + _HEAD.sub("", text[at:])


def may_go(names: Sequence[str]) -> list[str]:
    """The files of a copy that may be deleted one by one: what is missing comes from the parent."""
    return [name for name in names if name != FILE]
