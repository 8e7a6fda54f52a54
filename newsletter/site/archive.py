"""The archive: a folder that any static host serves.

images/<hash>.<ending>  the pictures that mails and pages point at; none is ever taken away
<slug>/index.html       the page of an issue, where it was published first
issues.json             what is listed, from which the index is made anew
index.html              the index

``contents`` names the files in the order in which they are put in place, so that whatever is there points at
nothing that is not. The folder is its own record: an issue whose page is gone is listed no longer.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from newsletter import files
from newsletter.errors import BadInput, Blocked, Problem, Unwritable
from newsletter.files import display
from newsletter.model import Place, Published

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from newsletter.model import Page

INDEX = "index.html"
LIST = "issues.json"
IMAGES = "images"

_VERSION = 1
_TAKEN = frozenset({INDEX, LIST, IMAGES, "u", "v"})
"""Names that are no issue's: what is written beside the pages, and what ``newsletter serve`` answers itself."""

_STAGE = ".publish."


# -- what is listed -------------------------------------------------------------------


def listed(folder: Path) -> tuple[Published, ...]:
    """The issues that the archive in ``folder`` lists and still has the pages of.

    Raises ``BadInput`` when the list cannot be read, and ``Blocked`` when the folder is somebody else's site.
    """
    path = folder / LIST
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if (folder / INDEX).exists():
            message = (
                f"{display(folder / INDEX)} was not made by newsletter, and would be replaced; nothing was written"
            )
            hint = f"Publish to another folder, or move it away. (An archive of newsletter's has {LIST} beside it.)"
            raise Blocked(message, hint=hint) from None
        return ()
    try:
        found = [_entry(each) for each in _entries(json.loads(raw))]
    except json.JSONDecodeError as error:
        raise _unreadable(Place(display(path), error.lineno, error.colno), error.msg) from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _unreadable(Place(display(path)), "this is not a list of published issues") from None
    return tuple(each for each in found if _page(folder, each.slug).is_file())


def _unreadable(place: Place, reason: str) -> BadInput:
    hint = "Put it back from a copy; or delete it and index.html, and run `newsletter publish --all`."
    return BadInput([Problem(place, f"the list of what is published cannot be read: {reason}", hint)])


def _entries(data: Any) -> list[dict[str, Any]]:
    if data["version"] != _VERSION:
        raise ValueError
    entries: list[dict[str, Any]] = data["issues"]
    return entries


def _entry(data: dict[str, Any]) -> Published:
    made = Published(**{**data, "date": dt.datetime.fromisoformat(data["date"])})
    texts = (made.id, made.slug, made.number, made.title, made.dek, made.lang)
    if not all(isinstance(each, str) for each in texts) or made.date.tzinfo is None or not _fit(made.slug):
        raise ValueError
    return made


def _fit(slug: str) -> bool:
    """Whether a name is that of one folder that hosts show, and free for a page."""
    return bool(slug) and slug[0] != "." and not {"/", "\\", "\0"} & set(slug) and slug.casefold() not in _TAKEN


def _page(folder: Path, slug: str) -> Path:
    return folder / slug / INDEX


# -- where a page goes ----------------------------------------------------------------


def slug_of(issues: Iterable[Published], issue: str, slug: str, place: Place) -> str:
    """The folder of an issue's page: where it is published already, else its own folder's name.

    ``issue`` is the id. An address that was public stays, whatever becomes of the author's folder: people have
    linked to it. Raises ``BadInput`` when the name is another issue's, or not free for a page.
    """
    known = tuple(issues)
    if before := next((each.slug for each in known if each.id == issue), ""):
        return before
    rename = "Rename the issue's folder; the issue is known by its id."
    if not _fit(slug):
        raise BadInput([Problem(place, f"no page can lie in a folder named “{slug}”: the site needs the name", rename)])
    if other := next((each for each in known if each.slug.casefold() == slug.casefold()), None):
        message = f"the page {other.slug}/ is that of another issue, “{other.title}” ({other.id})"
        raise BadInput([Problem(place, message, f"{rename} To give the address up, delete the page's folder.")])
    return slug


def together(before: Sequence[Published], fresh: Sequence[Published]) -> tuple[Published, ...]:
    """Everything listed, what is fresh in place of what it was before; the newest first."""
    issues = {each.id: each for each in (*before, *fresh)}.values()
    return tuple(sorted(issues, key=_age, reverse=True))


def _age(issue: Published) -> tuple[dt.datetime, int, str]:
    return issue.date, int(issue.number) if issue.number.isdecimal() else 0, issue.slug


# -- files ----------------------------------------------------------------------------


def contents(pages: Sequence[Page], issues: Sequence[Published], index: str) -> dict[str, bytes]:
    """Every file to write, by its path in the archive, in the order of writing."""
    pictures = {f"{IMAGES}/{each.name}": each.data for page in pages for each in page.pictures}
    texts = {f"{page.about.slug}/{INDEX}": page.html.encode() for page in pages}
    return {**pictures, **texts, LIST: _list(issues), INDEX: index.encode()}


def _list(issues: Sequence[Published]) -> bytes:
    entries = [{**each._asdict(), "date": each.date.isoformat()} for each in issues]
    return (json.dumps({"version": _VERSION, "issues": entries}, indent=2, ensure_ascii=False) + "\n").encode()


def differences(folder: Path, planned: Mapping[str, bytes]) -> dict[str, str]:
    """What of ``planned`` is missing or changed in ``folder``, by path; other files there are none of its business."""
    return {
        name: "changed" if (folder / name).exists() else "missing"
        for name, data in planned.items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != data
    }


def write(folder: Path, planned: Mapping[str, bytes]) -> tuple[str, ...]:
    """Put in place what differs, in its order; returns the paths.

    Everything is on the disk before the first file is put in place: a full disk changes nothing.
    """
    names = tuple(differences(folder, planned))
    targets = [folder / name for name in names]
    if not targets:
        _clear(folder)
        return ()
    _refuse_folders(targets)
    stage = folder / f"{_STAGE}{os.urandom(4).hex()}.tmp"
    there = {each for path in (stage, *targets) for each in path.parents if each.exists()}
    try:
        files.make_folder(folder)
        with files.writing(folder):
            stage.mkdir()
        for path in targets:
            files.make_folder(path.parent)
        for number, path in enumerate(targets):
            with files.writing(path):
                (stage / str(number)).write_bytes(planned[names[number]])
        for number, path in enumerate(targets):
            with files.writing(path):
                (stage / str(number)).replace(path)
    finally:
        _clear(folder)
        _remove_empty({each for path in targets for each in path.parents} - there)
    return names


def _refuse_folders(targets: Iterable[Path]) -> None:
    for path in targets:
        if path.is_dir():
            message = f"{display(path)}: cannot be written: a folder stands where a file is needed"
            raise Unwritable(message, hint="Move it away, or publish to another folder.")


def _clear(folder: Path) -> None:
    """Take away the stage, and what a run that was killed has left of its own."""
    for path in folder.glob(f"{_STAGE}*.tmp"):
        shutil.rmtree(path, ignore_errors=True)


def _remove_empty(folders: Iterable[Path]) -> None:
    for path in sorted(folders, reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir()
