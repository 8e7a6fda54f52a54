"""Themes: a folder of templates, style sheets and one file of settings, laid over the packaged default theme.

``theme.yaml`` has two keys: ``title``, and ``settings``, which templates read as ``c.name`` and style
sheets as ``$name``. A file that a theme lacks comes from the default theme; of ``theme.yaml`` and
``inline.css``, so does each single value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from newsletter.errors import BadInput, Problem
from newsletter.files import display
from newsletter.model import Place
from newsletter.personal import PRIVATE
from newsletter.render import sheets
from newsletter.render.ahead import compiled
from newsletter.yamlread import Mapped, Scalar, read, suggestion, text_of, unknown_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from newsletter.render.ahead import Compiled

FILE = "theme.yaml"
DEFAULT = "default"
LAYOUT = "layout.mjml.j2"
TEXT = "text/layout.txt.j2"
PAGE = "web/page.html.j2"
INDEX = "web/index.html.j2"

BLOCKS = (
    *("paragraph", "heading", "list", "quote", "pullquote", "note", "figure", "button", "columns", "cards"),
    *("table", "code", "rule", "contents", "sponsor", "video", "social", "signoff", "html", "footnotes", "run"),
)
"""The block templates: one for each kind of block, one for the footnotes, one for a run of blocks in a column."""

_KEYS = ("title", "settings")
_Files = dict[str, tuple[str, str]]


class Theme(NamedTuple):
    """A loaded theme: ``sources`` maps a template's name to its text and the path to show for it."""

    name: str
    title: str
    folder: str
    sources: Mapping[str, tuple[str, str]]
    settings: Mapping[str, str]
    styles: Mapping[str, str]
    """Inline CSS by element; ``$start`` and ``$end`` still stand for the reading direction."""
    head: str
    """The style sheet of the mail's head."""
    page: str
    """The style sheet of the web page."""
    compiled: Compiled
    """The code of the default theme's own templates, as far as it is kept."""


def load_theme(name: str, search: Sequence[Path], named: Place | None = None) -> Theme:
    """Read a theme from the first folder of ``search`` that has it; what it lacks comes from the default theme.

    ``named`` is where the author named it. Raises ``BadInput`` when no folder has it, and for every problem in it.
    """
    folder = next((each / name for each in search if (each / name).is_dir()), None)
    if folder is None:
        known = sorted({each.name for root in search if root.is_dir() for each in root.iterdir() if each.is_dir()})
        hint = suggestion(name, known) if known else "There are no themes here."
        raise BadInput([Problem(named, f"there is no theme “{name}”", hint)])
    base = next((each / DEFAULT for each in reversed(search) if (each / DEFAULT).is_dir()), folder)
    problems: list[Problem] = []
    own = _files(folder, problems)
    fallback = own if base.samefile(folder) else _files(base, problems)
    files = {**fallback, **own}
    title, settings = _settings(own, fallback, problems)
    _known_blocks(own, problems)
    _printable(own, problems)
    _syntax({key: file for key, file in own.items() if key not in fallback or fallback[key][0] != file[0]}, problems)
    _missing(files, folder, problems)
    for key in (sheets.MAIL, sheets.PAGE):
        if key in own:
            sheets.balanced(*own[key], problems)
    if problems:
        raise BadInput(problems)
    filled = {
        key: (sheets.filled(key, text, path, settings, problems), path)
        for key, (text, path) in files.items()
        if key in sheets.ALL
    }
    styles = dict(sheets.rules(*filled[sheets.INLINE], problems))
    if sheets.INLINE in own and own is not fallback:
        below = sheets.filled(sheets.INLINE, *fallback[sheets.INLINE], settings, problems)
        styles = {**dict(sheets.rules(below, fallback[sheets.INLINE][1], problems)), **styles}
    head = sheets.head(filled[sheets.MAIL][0], sheets.rules(*filled[sheets.DARK], problems))
    if problems:
        raise BadInput(problems)
    sources = {key: file for key, file in files.items() if key.endswith(".j2")}
    page = filled[sheets.PAGE][0].strip()
    ahead = compiled({key: text for key, (text, _) in fallback.items() if key.endswith(".j2")})
    return Theme(name, title or name, display(folder), sources, settings, styles, head, page, ahead)


def _files(folder: Path, problems: list[Problem]) -> _Files:
    found: _Files = {}
    for path in sorted((*folder.rglob("*.j2"), *(folder / name for name in (FILE, *sheets.ALL)))):
        if not path.is_file():
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            problems.append(Problem(Place(display(path)), "this is a link out of the theme's folder", "Copy the file."))
            continue
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            message = f"this is not UTF-8 (byte 0x{error.object[error.start]:02X})"
            place = Place(display(path), error.object.count(b"\n", 0, error.start) + 1)
            problems.append(Problem(place, message, "Save the file as UTF-8."))
        except OSError as error:
            message = f"this file cannot be read: {error.strerror or error}"
            problems.append(Problem(Place(display(path)), message, "Mend its permissions."))
        else:
            found[path.relative_to(folder).as_posix()] = (text, display(path))
    return found


# -- theme.yaml -----------------------------------------------------------------------


def _settings(own: _Files, fallback: _Files, problems: list[Problem]) -> tuple[str, dict[str, str]]:
    """The title, and the settings over those of the default theme."""
    title, settings = _read(own.get(FILE), problems)
    if own is fallback or own.get(FILE, ("",))[0] == fallback.get(FILE, ("",))[0]:
        return title, settings
    _, base = _read(fallback.get(FILE), problems)
    text, path = own.get(FILE, ("", ""))
    for name in settings:
        if name not in base and not any(name in source for key, (source, _) in own.items() if key != FILE):
            place = Place(
                path, next((n for n, line in enumerate(text.split("\n"), 1) if line.strip().startswith(f"{name}:")), 1)
            )
            problems.append(Problem(place, f"nothing reads the setting “{name}”", suggestion(name, base)))
    return title, {**base, **settings}


def _read(file: tuple[str, str] | None, problems: list[Problem]) -> tuple[str, dict[str, str]]:
    node = read(*file, problems) if file else None
    if node is None:
        return "", {}
    if not isinstance(node, Mapped):
        problems.append(Problem(node.place, "the file must be a list of “key: value” lines"))
        return "", {}
    unknown_keys(node, _KEYS, problems)
    title = node.get("title")
    return text_of(title, "title", problems) if title else "", _mapping(node, problems)


def _mapping(node: Mapped, problems: list[Problem]) -> dict[str, str]:
    value = node.get("settings")
    if value is None:
        return {}
    if not isinstance(value, Mapped):
        problems.append(Problem(value.place, "“settings” takes “name: value” lines below it"))
        return {}
    for entry in value.entries:
        if isinstance(entry.value, Scalar) and entry.value.kind == "null":
            hint = 'A colour must be quoted, because # begins a comment: "#16191D".'
            problems.append(Problem(entry.key.place, f"the setting “{entry.key.text}” is empty", hint))
    return {entry.key.text: text_of(entry.value, entry.key.text, problems) for entry in value.entries}


# -- the other files ------------------------------------------------------------------


def _known_blocks(own: _Files, problems: list[Problem]) -> None:
    for key, (_, path) in own.items():
        stem = key.removeprefix("blocks/").removesuffix(".mjml.j2")
        if key.startswith("blocks/") and not stem.startswith("_") and stem not in BLOCKS:
            message = f"there is no block “{stem}”, so this template would never be used"
            problems.append(Problem(Place(path), message, suggestion(stem, BLOCKS)))


def _printable(own: _Files, problems: list[Problem]) -> None:
    """What merge fields' marks are made of would be taken for one."""
    for text, path in own.values():
        if found := PRIVATE.search(text):
            place = Place(path, text.count("\n", 0, found.start()) + 1)
            problems.append(Problem(place, f"this character (U+{ord(found[0]):04X}) may not stand here", "Delete it."))


def _syntax(files: _Files, problems: list[Problem]) -> None:
    """Check the templates that are not the default theme's own; those are checked by its tests."""
    names = [name for name in files if name.endswith(".j2")]
    if not names:
        return
    from newsletter.render.jinja import Templates

    templates = Templates(files)
    problems.extend(found for name in names if (found := templates.check(name)))


def _missing(files: _Files, folder: Path, problems: list[Problem]) -> None:
    needed = (LAYOUT, TEXT, PAGE, INDEX, *sheets.ALL, *(f"blocks/{name}.mjml.j2" for name in BLOCKS))
    problems.extend(
        Problem(Place(display(folder)), f"the theme lacks {name}", "Take it from the default theme.")
        for name in needed
        if name not in files
    )
