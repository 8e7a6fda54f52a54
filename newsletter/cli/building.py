"""The files of ``build/<slug>/``: made in memory, then put in place all at once."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

from newsletter import files
from newsletter.conditions import variant_key
from newsletter.links import fingerprint
from newsletter.mime import edition_message
from newsletter.personal import evaluate, join, used, without_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.model import Edition, Variant

MANIFEST = "manifest.json"
VARIANTS = "variants"
"""The folder of a build in which each variant lies, where there is more than one."""


def files_of(edition: Edition, config: Config, values: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """Every file of a build by name, the manifest last; ``values`` are one reader's.

    Without ``public_url`` or ``assets_url`` no server has the pictures, so ``email.html`` names
    those beside it and can be opened from the disk. Where there are several variants, the mail is the
    reader's, and nobody's without one; then each of them is written, too.
    """
    variant = variant_of(edition, values)
    texts = _texts(edition, variant, config, values)
    built = {
        "email.html": _html(variant, config, texts),
        "email.txt": join(variant.text, texts).encode(),
        "web.html": edition.web.encode(),
        "email.eml": edition_message(edition, variant, config, texts),
        **{f"images/{picture.name}": picture.data for picture in edition.pictures},
    }
    if len(edition.variants) > 1 and values is None:
        for each in edition.variants:
            built[f"{VARIANTS}/{each.key}.html"] = _html(each, config, texts, "../")
            built[f"{VARIANTS}/{each.key}.txt"] = join(each.text, texts).encode()
    built[MANIFEST] = _manifest(edition, variant, built)
    return built


def keys_of(names: Iterable[str]) -> list[str]:
    """The keys of the variants that lie among the files of a build."""
    start, end = f"{VARIANTS}/", ".html"
    return [each[len(start) : -len(end)] for each in names if each.startswith(start) and each.endswith(end)]


def variant_of(edition: Edition, values: Mapping[str, str] | None) -> Variant:
    """The variant of a reader with these values; nobody's without them."""
    key = variant_key(edition.choices, values or {})
    return next(each for each in edition.variants if each.key == key)


def _texts(edition: Edition, variant: Variant, config: Config, values: Mapping[str, str] | None) -> list[str]:
    """The text of every field; what stands in another reader's part only is not worked out."""
    if values is None:
        return [without_reader(field, edition.lang, config.link_base) for field in edition.fields]
    shown = used((variant.subject, variant.html, variant.text))
    return [
        evaluate(field, values, edition.lang) if index in shown else "" for index, field in enumerate(edition.fields)
    ]


def _html(variant: Variant, config: Config, texts: Sequence[str], up: str = "") -> bytes:
    html = join(variant.html, texts)
    served = config.public_url or config.assets_url
    return (html if served else html.replace(config.picture_base, f"{up}images/")).encode()


def _manifest(edition: Edition, variant: Variant, built: Mapping[str, bytes]) -> bytes:
    listed = {name: {"sha256": fingerprint(data), "bytes": len(data)} for name, data in sorted(built.items())}
    about: dict[str, object] = {"issue": edition.issue_id, "slug": edition.slug}
    if edition.choices:
        about |= {"variant": variant.key, "variants": [each.key for each in edition.variants]}
    return (json.dumps(about | {"files": listed}, indent=2) + "\n").encode()


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
