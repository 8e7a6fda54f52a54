"""The issues of a workspace: finding one, and telling them apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.content.source import Source
from newsletter.errors import BadInput, Problem
from newsletter.files import display
from newsletter.model import Place
from newsletter.yamlread import Mapped, Scalar, read, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.config import Config

FILE = "index.md"

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(?:-|$)")
_ID = re.compile(r"""^id[ \t]*:[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#"'][^\s#]*))""", re.MULTILINE)
_HEAD = 20_000


def all_issues(config: Config) -> tuple[Path, ...]:
    """Every folder of the workspace's issues with an ``index.md``, the newest first: dated names, then others.

    Of one day's issues the one that was written last comes first.
    """
    home = config.root / config.issues
    if not home.is_dir():
        return ()
    found = [folder for folder in home.iterdir() if not folder.name.startswith(".") and (folder / FILE).is_file()]
    return tuple(sorted(found, key=_age, reverse=True))


def _age(folder: Path) -> tuple[str, int, str]:
    dated = _DATED.match(folder.name)
    try:
        written = (folder / FILE).stat().st_mtime_ns
    except OSError:  # gone since it was listed
        written = 0
    return (dated[0][:10], written, folder.name) if dated else ("", 0, folder.name)


def find_issue(config: Config, name: str | None = None) -> Path:
    """The folder of an issue: a path, the folder's name, or that without its date; the newest without a name.

    Raises ``BadInput`` with a suggestion when there is none, or more than one.
    """
    issues = all_issues(config)
    if name is None:
        if issues:
            return issues[0]
        message = f"{display(config.root / config.issues)}: there is no issue yet"
        raise BadInput(message, hint='Draft one with: newsletter new "A title"')
    if path := _as_path(config, name):
        return path
    wanted = name.strip("/").removeprefix(f"{config.issues}/")
    fits = [folder for folder in issues if wanted in {folder.name, _DATED.sub("", folder.name)}]
    exact = [folder for folder in fits if folder.name == wanted]
    if len(exact or fits) == 1:
        return (exact or fits)[0]
    if fits:
        message = f"“{name}” could be any of {', '.join(folder.name for folder in fits)}"
        raise BadInput(message, hint="Give the folder's whole name.")
    message = f"there is no issue “{name}”"
    known = tuple(
        dict.fromkeys(each for folder in issues for each in (folder.name, _DATED.sub("", folder.name)) if each)
    )
    raise BadInput(message, hint=suggestion(name, known[:20]) if issues else 'Draft one with: newsletter new "A title"')


def _as_path(config: Config, name: str) -> Path | None:
    for path in (Path(name), config.root / name):
        if path.name == FILE and _is(path.is_file):
            return path.parent.absolute()
        if _is((path / FILE).is_file):
            return path.absolute()
    if "/" in name and _is(Path(name).is_dir):
        message = f"{display(Path(name))}: there is no {FILE} in this folder"
        raise BadInput(message, hint="Name an issue's folder, or make one with `newsletter new`.")
    return None


def _is(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (OSError, ValueError):  # the name is too long, or cannot be one
        return False


# -- ids ------------------------------------------------------------------------------


def check_ids(config: Config, folder: Path) -> None:
    """Make sure that no other issue has the id of the one in ``folder``; a missing one is ``load_issue``'s to report.

    Raises ``BadInput`` with both places.
    """
    own, place = _id(folder)
    if not own:
        return
    here = folder.resolve()
    problems = []
    for other in all_issues(config):
        if other.resolve() == here:
            continue
        found, where = _id(other)
        if found == own:
            hint = "A copied issue needs an id of its own: change it in the one that has not been sent."
            problems.append(Problem(place, f"the id “{own}” is also that of {where}", hint))
    if problems:
        raise BadInput(problems)


def folder_of(config: Config, issue_id: str) -> Path | None:
    """The folder of the issue with this id, whatever it is called now; ``None`` when there is none."""
    return next((folder for folder in all_issues(config) if _id(folder)[0] == issue_id), None)


def _id(folder: Path) -> tuple[str, Place]:
    """The id in a folder's front matter and its place, without reading the rest; empty when it has none."""
    path = folder / FILE
    start = Place(display(path))
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return "", start
    text = head.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    front = re.match(r"---[ \t]*\n(.*?)^---[ \t]*$", text, re.DOTALL | re.MULTILINE)
    if front is None:
        return "", start
    found = _ID.search(front[1])
    if found is None:
        return _id_as_yaml(front[1], start)
    group = next(number for number in (1, 2, 3) if found[number] is not None)
    quoted = group != 3  # a scalar's place is its quote
    return found[group], Source.of(start.path, text).place(front.start(1) + found.start(group) - quoted)


def _id_as_yaml(front: str, start: Place) -> tuple[str, Place]:
    """The id of a front matter that does not give it in the usual form, such as ``"id": …`` or ``{id: …}``."""
    node = read(front, start.path, [], first_line=2)
    value = node.get("id") if isinstance(node, Mapped) else None
    return (value.text, value.place) if isinstance(value, Scalar) else ("", start)
