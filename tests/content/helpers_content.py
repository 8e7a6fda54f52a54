"""What the tests of the content room share: pictures made on the spot, and an issue read from text."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from newsletter.content.issue import load_issue
from newsletter.errors import BadInput
from newsletter.personal import MARK, number

if TYPE_CHECKING:
    from pathlib import Path

    from support import Workspace

    from newsletter.errors import Problem
    from newsletter.model import Issue

FIRST = 7
"""The line of index.md on which the body of ``Workspace.issue`` begins."""


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image as a file's bytes."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def photograph(width: int = 800, height: int = 500) -> Image.Image:
    """A picture with many colours and soft edges; the same each time."""
    channels = [Image.linear_gradient("L").rotate(turn).resize((width, height)) for turn in (0, 90, 180)]
    return Image.merge("RGB", channels)


def photo(width: int = 800, height: int = 500) -> bytes:
    """A JPEG file."""
    return encoded(photograph(width, height), "JPEG", quality=90)


def read(workspace: Workspace, body: str, **front: str) -> Issue:
    """The issue with this body."""
    return load_issue(workspace.issue(body, **front), workspace.config())


def faults(workspace: Workspace, folder: Path) -> tuple[Problem, ...]:
    """The problems of an issue that must not load."""
    with pytest.raises(BadInput) as caught:
        load_issue(folder, workspace.config())
    assert caught.value.exit_code == 65
    return caught.value.problems


def wrong(workspace: Workspace, body: str, **front: str) -> list[str]:
    """The problems of a body as ``line:col message``, lines counted from its own first."""
    found = faults(workspace, workspace.issue(body, **front))
    return [f"{p.place.line - FIRST + 1}:{p.place.col} {p.message}" for p in found if p.place]


def shown(text: str, issue: Issue) -> str:
    """A text with its marks written out as ``⟨source⟩``."""
    return MARK.sub(lambda found: f"⟨{issue.fields[number(found)].source}⟩", text)


def names_of(value: Any) -> tuple[str, ...]:
    """The names of the fields of one of the model's nouns; empty for anything else."""
    return tuple(getattr(value, "_fields", getattr(value, "__dataclass_fields__", ())))


def outline(value: Any) -> Any:
    """Blocks and inline content as nested tuples: the type's name, then its fields without places; pictures as ``*.jpg``."""
    if type(value).__name__ == "Picture":
        return re.sub(r"^.*\.", "*.", value.name)
    if names := names_of(value):
        return (type(value).__name__, *(outline(getattr(value, name)) for name in names if name != "place"))
    return tuple(outline(each) for each in value) if isinstance(value, tuple) else value
