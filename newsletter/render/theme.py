"""Themes: a folder of templates, style sheets and one file of settings, laid over its parent and the default theme.

Templates read the colours, fonts and settings of ``theme.yaml`` as ``c.name`` and its widths as ``w.name``,
style sheets as ``$name`` and ``$name_width``. A file that a theme lacks comes from its parent, which is the
default theme where it names none; of ``theme.yaml`` and ``inline.css``, so does each single value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from newsletter.errors import BadInput, Problem
from newsletter.files import display
from newsletter.model import Picture, Place
from newsletter.personal import PRIVATE
from newsletter.render import logo, sheets, themefile
from newsletter.render.ahead import compiled
from newsletter.render.themefile import FILE, WIDTH, ThemeFile
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from newsletter.render.ahead import Compiled
    from newsletter.render.themefile import Measured

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

WIDTHS = ("page", "text", "box", "card", "portrait")
"""What the program itself needs to know of a theme's widths."""

_Files = dict[str, tuple[str, str]]


class Logo(NamedTuple):
    """A theme's logo for light and for dark pages, and its display width in CSS pixels."""

    light: Picture
    dark: Picture
    width: int


class Theme(NamedTuple):
    """A loaded theme: ``sources`` maps a template's name to its text and the path to show for it."""

    name: str
    title: str
    about: str
    folder: str
    parent: str
    """The theme that what this one lacks comes from; empty for the default theme itself."""
    folders: tuple[Path, ...]
    """The folder of this theme, then those of its parents."""
    sources: Mapping[str, tuple[str, str]]
    settings: Mapping[str, str]
    widths: Mapping[str, int]
    logo: Logo | None
    styles: Mapping[str, str]
    """Inline CSS by element; ``$start`` and ``$end`` still stand for the reading direction."""
    head: str
    """The style sheet of the mail's head."""
    page: str
    """The style sheet of the web page."""
    contrast: tuple[Measured, ...]
    """Every text on its ground, light and dark."""
    compiled: Compiled
    """The code of the default theme's own templates, as far as it is kept."""


class _Layer(NamedTuple):
    """One theme of a row of parents: its folder, its files, and its ``theme.yaml``."""

    folder: Path
    files: _Files
    file: ThemeFile


def load_theme(name: str, search: Sequence[Path], named: Place | None = None) -> Theme:
    """Read a theme from the first folder of ``search`` that has it; what it lacks comes from its parents.

    ``named`` is where the author named it. Raises ``BadInput`` when no folder has it, and for every problem in it.
    """
    problems: list[Problem] = []
    layers = _layers(name, search, named, problems)
    own, base = layers[0], layers[-1]
    files: _Files = {key: file for layer in reversed(layers) for key, file in layer.files.items()}
    file = themefile.laid_over([layer.file for layer in layers], problems)
    shown = own.files.get(FILE, ("", ""))
    if not problems:
        themefile.check(file, shown[1], problems)
    _unread(layers, problems)
    _known_blocks(own.files, problems)
    _printable(own.files, problems)
    changed = {key: each for key, each in files.items() if key not in base.files or base.files[key][0] != each[0]}
    _syntax(changed, problems)
    _missing(files, file, own.folder, problems)
    for key in (sheets.MAIL, sheets.PAGE):
        if key in own.files:
            sheets.balanced(*own.files[key], problems)
    shown_logo = _logo(file, [layer.folder for layer in layers], problems)
    if problems:
        raise BadInput(problems)
    settings = {key: f"{each.text}px" if key.endswith(WIDTH) else each.text for key, each in file.values.items()}
    above = [layer.files for layer in layers]
    styles = dict(sheets.laid_rules(sheets.INLINE, above, settings, problems))
    mail = sheets.laid(sheets.MAIL, above, settings, problems)
    head = sheets.head(mail, sheets.laid_rules(sheets.DARK, above, settings, problems))
    page = sheets.laid(sheets.PAGE, above, settings, problems)
    if problems:
        raise BadInput(problems)
    return Theme(
        name=name,
        title=own.file.title or name,
        about=own.file.about,
        folder=display(own.folder),
        parent=(own.file.parent.text if own.file.parent else DEFAULT) if len(layers) > 1 else "",
        folders=tuple(layer.folder for layer in layers),
        sources={key: each for key, each in files.items() if key.endswith(".j2")},
        settings=settings,
        widths={key.removesuffix(WIDTH): int(each.text) for key, each in file.values.items() if each.group == "widths"},
        logo=shown_logo,
        styles=styles,
        head=head,
        page=page,
        contrast=tuple(themefile.measured(file)),
        compiled=compiled({key: text for key, (text, _) in base.files.items() if key.endswith(".j2")}),
    )


def themes(search: Sequence[Path]) -> list[tuple[str, Path]]:
    """The name and folder of every theme, the first of a name only; the default theme comes first."""
    found: dict[str, Path] = {}
    for root in search:
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if folder.is_dir() and not folder.name.startswith((".", "_")):
                found.setdefault(folder.name, folder)
    return sorted(found.items(), key=lambda each: (each[0] != DEFAULT, each[0]))


def _layers(name: str, search: Sequence[Path], named: Place | None, problems: list[Problem]) -> list[_Layer]:
    """The theme, its parent, the parent of that, and at last the packaged default theme."""
    folder = next((each / name for each in search if (each / name).is_dir()), None)
    if folder is None:
        known = [each for each, _ in themes(search)]
        hint = suggestion(name, known) if known else "There are no themes here."
        raise BadInput([Problem(named, f"there is no theme “{name}”", hint)])
    base = next((each / DEFAULT for each in reversed(search) if (each / DEFAULT).is_dir()), folder)
    layers: list[_Layer] = []
    while folder:
        files = _files(folder, problems)
        before = layers[-1] if layers else None
        if before and FILE in files and before.files.get(FILE, ("",))[0] == files[FILE][0]:
            file = before.file  # the workspace's copy of the default theme: read once
        else:
            file = themefile.read_file(*files[FILE], problems) if FILE in files else ThemeFile()
        layers.append(_Layer(folder, files, file))
        folder = None if folder.samefile(base) else _parent(file, base, layers, search, problems)
    return layers


def _parent(
    file: ThemeFile, base: Path, layers: Sequence[_Layer], search: Sequence[Path], problems: list[Problem]
) -> Path | None:
    if file.parent is None or file.parent.text == DEFAULT:
        return base
    name = file.parent.text
    folders = [each / name for each in search if (each / name).is_dir()]
    fresh = (each for each in folders if not any(each.samefile(layer.folder) for layer in layers))
    if found := next(fresh, None):
        return found
    message = f"the parent “{name}” is this theme itself" if folders else f"there is no theme “{name}”"
    known = [each for each, folder in themes(search) if folder != layers[0].folder]
    problems.append(Problem(file.parent.place, message, suggestion(name, known)))
    return base


def _files(folder: Path, problems: list[Problem]) -> _Files:
    found: _Files = {}
    shown, prefix = display(folder), len(f"{folder.as_posix()}/")
    for path in sorted((*folder.rglob("*.j2"), *(folder / name for name in (FILE, *sheets.ALL)))):
        if not path.is_file():
            continue
        key = path.as_posix()[prefix:]
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            problems.append(
                Problem(Place(f"{shown}/{key}"), "this is a link out of the theme's folder", "Copy the file.")
            )
            continue
        try:
            text = path.read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            message = f"this is not UTF-8 (byte 0x{error.object[error.start]:02X})"
            place = Place(f"{shown}/{key}", error.object.count(b"\n", 0, error.start) + 1)
            problems.append(Problem(place, message, "Save the file as UTF-8."))
        except OSError as error:
            message = f"this file cannot be read: {error.strerror or error}"
            problems.append(Problem(Place(f"{shown}/{key}"), message, "Mend its permissions."))
        else:
            found[key] = (text, f"{shown}/{key}")
    return found


# -- theme.yaml -----------------------------------------------------------------------


def _unread(layers: Sequence[_Layer], problems: list[Problem]) -> None:
    """A value of the theme's own that no parent has and none of its files reads: most likely misspelt."""
    own = layers[0]
    known = {name for layer in layers[1:] for name in layer.file.values}
    if not known:
        return
    for name, value in own.file.values.items():
        reads = f"w.{name.removesuffix(WIDTH)}" if value.group == "widths" else name
        sources = [source for key, (source, _) in own.files.items() if key != FILE]
        if name not in known and not any(reads in source or name in source for source in sources):
            shown = name.removesuffix(WIDTH) if value.group == "widths" else name
            place = value.place._replace(col=1)
            problems.append(Problem(place, f"nothing reads the setting “{shown}”", suggestion(name, sorted(known))))


def _logo(file: ThemeFile, folders: Sequence[Path], problems: list[Problem]) -> Logo | None:
    if len(file.logo) < 3 or problems:
        return None
    light, dark = (logo.read(file.logo[kind], folders, problems) for kind in ("light", "dark"))
    return Logo(light, dark, int(file.logo["width"].text)) if light and dark else None


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


def _missing(files: _Files, file: ThemeFile, folder: Path, problems: list[Problem]) -> None:
    needed = (LAYOUT, TEXT, PAGE, INDEX, *sheets.ALL, *(f"blocks/{name}.mjml.j2" for name in BLOCKS))
    problems.extend(
        Problem(Place(display(folder)), f"the theme lacks {name}", "Take it from the default theme.")
        for name in needed
        if name not in files
    )
    problems.extend(
        Problem(Place(display(folder)), f"the theme lacks the width “{name}”", "Take it from the default theme.")
        for name in WIDTHS
        if name + WIDTH not in file.values
    )
