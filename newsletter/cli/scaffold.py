"""What ``newsletter init`` puts into a new workspace."""

from __future__ import annotations

import contextlib
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter import files
from newsletter.config import API_KEYS, FILE, SECRET
from newsletter.errors import Unwritable
from newsletter.files import display

if TYPE_CHECKING:
    from collections.abc import Iterator

_GITIGNORE = """\
# Made by newsletter: state, secrets and built files stay out of git.
.newsletter/
.env
build/
"""

_ENV_EXAMPLE = f"""\
# Copy to .env and fill in; .env stays out of git.
# Signs the unsubscribe links: at least 16 characters, and never change it after a send.
{SECRET}=

# The key of the provider that `provider:` in {FILE} names.
""" + "".join(f"#{name}=\n" for name in API_KEYS.values())


def _configuration(name: str, sender: str) -> str:
    return f"""\
# The configuration of this newsletter. Every key: docs/configuration.md
name: {json.dumps(name, ensure_ascii=False)}
from: {json.dumps(sender, ensure_ascii=False)}
lang: en
timezone: UTC

# The law asks for a postal address in commercial mail; it stands in the footer.
postal_address: ""

# Why readers get this, in the footer.
reason: ""

# Who sends. The outbox is embedded: nothing leaves this machine.
provider: outbox
"""


def _theme_files(default_theme: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(default_theme.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield Path("templates") / default_theme.name / path.relative_to(default_theme), path.read_bytes()


def plan(root: Path, *, name: str, sender: str, default_theme: Path) -> dict[Path, bytes]:
    """Every file of a workspace except its first issue, by path below ``root``."""
    return {
        root / FILE: _configuration(name, sender).encode(),
        root / ".env": f"{SECRET}={secrets.token_urlsafe(32)}\n".encode(),
        root / ".env.example": _ENV_EXAMPLE.encode(),
        root / ".gitignore": _GITIGNORE.encode(),
        **{root / path: data for path, data in _theme_files(default_theme)},
    }


def make(planned: dict[Path, bytes]) -> tuple[list[Path], list[Path]]:
    """Write what is not there yet; returns the files made and those kept as they were.

    Raises ``Unwritable``, before anything is written when a file stands where a folder is needed; when the
    disk is full, what was written is taken away again.
    """
    for folder in sorted({path.parent for path in planned}):
        if blocking := next((each for each in (folder, *folder.parents) if each.is_file()), None):
            message = f"{display(blocking)}: a file stands where a folder is needed"
            raise Unwritable(message, hint="Move it away, or choose another folder; nothing was made.")
    kept = [path for path in planned if path.exists() or path.is_symlink()]
    made = [path for path in planned if path not in kept]
    folders = {folder for path in made for folder in path.parents if not folder.exists()}
    written: list[Path] = []
    try:
        for path in made:
            files.make_folder(path.parent)
            files.write(path, planned[path], mode=0o600 if path.name == ".env" else 0o644)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        for folder in sorted(folders, reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    return made, kept
