"""The files of ``build/<slug>/``: made in memory, then put in place all at once."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from newsletter import files
from newsletter.links import fingerprint
from newsletter.mime import edition_message
from newsletter.personal import evaluate, join, without_reader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.model import Edition

MANIFEST = "manifest.json"


def files_of(edition: Edition, config: Config, values: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """Every file of a build by name, the manifest last; ``values`` are one reader's.

    Without ``public_url`` or ``assets_url`` no server has the pictures, so ``email.html`` names
    those beside it and can be opened from the disk.
    """
    fields = edition.fields
    if values is None:
        texts = [without_reader(field, edition.lang, config.link_base) for field in fields]
    else:
        texts = [evaluate(field, values, edition.lang) for field in fields]
    variant = edition.variants[0]
    html = join(variant.html, texts)
    if not (config.public_url or config.assets_url):
        html = html.replace(config.picture_base, "images/")
    built = {
        "email.html": html.encode(),
        "email.txt": join(variant.text, texts).encode(),
        "web.html": edition.web.encode(),
        "email.eml": edition_message(edition, config, texts),
        **{f"images/{picture.name}": picture.data for picture in edition.pictures},
    }
    built[MANIFEST] = _manifest(edition, built)
    return built


def _manifest(edition: Edition, built: Mapping[str, bytes]) -> bytes:
    listed = {name: {"sha256": fingerprint(data), "bytes": len(data)} for name, data in sorted(built.items())}
    return (json.dumps({"issue": edition.issue_id, "slug": edition.slug, "files": listed}, indent=2) + "\n").encode()


def write(target: Path, built: Mapping[str, bytes]) -> None:
    """Put a whole build in place of the last one; what stood there stays until the new one is complete."""
    first = not target.parent.exists()
    files.make_folder(target.parent)
    fresh = target.with_name(f".{target.name}.{os.urandom(4).hex()}.tmp")
    old = fresh.with_suffix(".old")
    with files.writing(target):
        try:
            for name, data in built.items():
                path = fresh / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            if target.exists():
                target.rename(old)
            fresh.rename(target)
        finally:
            if old.exists() and not target.exists():
                old.rename(target)
            shutil.rmtree(fresh, ignore_errors=True)
            _remove(old)
            if first and not target.exists():
                target.parent.rmdir()


def _remove(path: Path) -> None:
    """Take away what a build replaced: a folder, or the file or link that somebody had put in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def differences(target: Path, built: Mapping[str, bytes]) -> list[str]:
    """What in ``target`` is missing, changed or left over, compared with ``built``."""
    there = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    missing = [f"missing: {name}" for name in built if name not in there]
    changed = [f"changed: {name}" for name in built if name in there and (target / name).read_bytes() != built[name]]
    return missing + changed + [f"left over: {name}" for name in sorted(there - built.keys())]
