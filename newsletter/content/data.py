"""The data files of an issue: their top-level keys, as text, for ``{{ data.key }}``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from newsletter.content.source import UNPRINTABLE, Source, read_source
from newsletter.errors import Problem
from newsletter.model import Place
from newsletter.yamlread import Mapped, Scalar, read, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_ENDINGS = (".yaml", ".yml", ".json")


def load_data(folder: Path, names: Sequence[tuple[str, Place]], problems: list[Problem]) -> Mapping[str, str | None]:
    """The values of all files by key; ``None`` for one that is a list or a mapping and has no text of its own."""
    values: dict[str, str | None] = {}
    first: dict[str, Place] = {}
    for name, place in names:
        if (path := _beside(folder, name, place, problems)) is None or (source := read_source(path, problems)) is None:
            continue
        for key, value, where in (
            _from_json(source, problems) if name.endswith(".json") else _from_yaml(source, problems)
        ):
            if key in first:
                problems.append(
                    Problem(where, f"the key “{key}” is already given in {first[key]}", "Keep one of the two.")
                )
                continue
            first[key] = where
            values[key] = value
            if value and (found := UNPRINTABLE.search(value)):
                problems.append(
                    Problem(
                        where, f"the value of “{key}” holds a character (U+{ord(found[0]):04X}) that no mail can hold"
                    )
                )
    return values


def _beside(folder: Path, name: str, place: Place, problems: list[Problem]) -> Path | None:
    path = folder / name
    if "/" in name or "\\" in name or not name.endswith(_ENDINGS) or name.startswith("."):
        problems.append(
            Problem(
                place,
                f"“{name}” is not a data file's name",
                f"Name a file beside index.md that ends in {', '.join(_ENDINGS)}.",
            )
        )
    elif not path.is_file():
        near = sorted(each.name for each in folder.iterdir() if each.suffix in _ENDINGS and each.is_file())
        problems.append(
            Problem(place, f"there is no file “{name}” beside index.md", suggestion(name, near) if near else "")
        )
    elif not path.resolve().is_relative_to(folder.resolve()):
        problems.append(Problem(place, f"“{name}” leads out of the issue's folder", "Copy the file into the folder."))
    else:
        return path
    return None


def _from_yaml(source: Source, problems: list[Problem]) -> Iterator[tuple[str, str | None, Place]]:
    node = read(source.text, source.path, problems)
    if isinstance(node, Mapped):
        for entry in node.entries:
            value = entry.value
            text = ("" if value.kind == "null" else value.text) if isinstance(value, Scalar) else None
            yield entry.key.text, text, entry.value.place
    elif node is not None:
        problems.append(Problem(node.place, "a data file holds “key: value” lines"))


class _Repeated(ValueError):
    """A key of a JSON object that is given twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Repeated(next(name for name in names if names.count(name) > 1))
    return found


def _from_json(source: Source, problems: list[Problem]) -> Iterator[tuple[str, str | None, Place]]:
    start = Place(source.path)
    try:
        # Numbers stay as they are written: 1.50 is not 1.5.
        found = json.loads(source.text, object_pairs_hook=_object, parse_float=str, parse_int=str, parse_constant=str)
    except json.JSONDecodeError as error:
        problems.append(Problem(Place(source.path, error.lineno, error.colno), f"this is not valid JSON: {error.msg}"))
        return
    except _Repeated as error:
        place = source.place(max(source.text.rfind(f'"{error}"'), 0))
        problems.append(Problem(place, f"the key “{error}” is given twice", "Keep one of the two."))
        return
    except RecursionError:
        problems.append(Problem(start, "this is nested too deep to be read"))
        return
    if not isinstance(found, dict):
        problems.append(Problem(start, "a data file holds one object: { … }"))
        return
    for key, value in found.items():
        place = source.place(max(source.text.find(json.dumps(key, ensure_ascii=False)), 0))
        text = {True: "true", False: "false", None: ""}[value] if value is None or isinstance(value, bool) else value
        yield key, text if isinstance(text, str) else None, place
