"""The published folder: which of its files a path means, and how a browser may keep it.

Only what ``newsletter publish`` could have written is given out: known kinds of files, nothing hidden, and
nothing that lies elsewhere, be it by ``..`` or by a symbolic link.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import FileResponse, Response

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".rss": "application/rss+xml; charset=utf-8",
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
_PART = re.compile(r"[^\x00-\x1f\x7f/\\.][^\x00-\x1f\x7f/\\]*")
_PICTURE = re.compile(r"/images/[0-9a-f]{16,64}\.[a-z]+")

_PAGE_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' https: http: data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"


def answer(folder: Path, path: str, request: Request) -> Response | None:
    """The file below ``folder`` that ``path`` means, or ``None`` when there is none to give out."""
    try:
        found, details, slash = _find(folder, path)
    except (OSError, ValueError, RuntimeError):  # missing, outside, too long a name, or a circle of links
        return None
    if not slash:
        return to_the_folder(path.rpartition("/")[2])
    return _file(found, details, path, request)


def _find(folder: Path, path: str) -> tuple[Path, os.stat_result, bool]:
    """The file with its details; last ``False`` when a folder was named without the slash at its end."""
    start, *parts = path.split("/")
    if start or not parts or not all(_PART.fullmatch(part) for part in parts[: len(parts) - (parts[-1] == "")]):
        raise ValueError(path)
    root = folder.resolve(strict=True)
    found = root.joinpath(*parts).resolve(strict=True)
    is_folder = found.is_dir()
    if is_folder:
        found = (found / "index.html").resolve(strict=True)
    elif parts[-1] == "":
        raise NotADirectoryError(path)
    hidden = any(part.startswith(".") for part in found.relative_to(root).parts)
    details = found.stat()
    if hidden or found.suffix not in _KINDS or not stat.S_ISREG(details.st_mode) or not os.access(found, os.R_OK):
        raise ValueError(path)
    return found, details, parts[-1] == "" or not is_folder


def _file(found: Path, details: os.stat_result, path: str, request: Request) -> Response:
    """A picture is named by its content, so it may be kept for good; mail on the web shows it from elsewhere."""
    kind = _KINDS[found.suffix]
    lasting = _PICTURE.fullmatch(path)
    headers = {
        "etag": f'"{details.st_mtime_ns:x}-{details.st_size:x}"',
        "cache-control": "public, max-age=31536000, immutable" if lasting else "public, max-age=300",
        "content-security-policy": _PAGE_POLICY if found.suffix == ".html" else _FILE_POLICY,
        "cross-origin-resource-policy": "cross-origin" if kind.startswith("image/") else "same-origin",
    }
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if headers["etag"] in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return FileResponse(found, headers=headers, media_type=kind, stat_result=details)


def to_the_folder(name: str) -> Response:
    """To the same path with a slash, so that relative links hold; never to another host, whatever the name."""
    headers = {"location": f"./{quote(name, safe='')}/", "cache-control": "public, max-age=300"}
    return Response(status_code=308, headers=headers)
