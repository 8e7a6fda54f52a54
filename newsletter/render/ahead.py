"""The default theme's templates, compiled ahead: kept beside our own compiled modules, and by the same rules.

Jinja takes longer to compile a mail's dozen templates than all the rest of the rendering. Only the
templates that ship are kept, in the package's own ``__pycache__``: code is never read from a workspace.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
from collections.abc import Mapping
from importlib.util import cache_from_source
from pathlib import Path
from types import CodeType

from newsletter.errors import Unwritable
from newsletter.files import write

Compiled = Mapping[tuple[str, str], CodeType]
"""The code of templates, by name and text."""

_DIGEST = 32


def compiled(sources: Mapping[str, str]) -> Compiled:
    """The code of the templates that ship; nothing where it is not kept and cannot be."""
    path = Path(cache_from_source(__file__)).with_suffix(".templates")
    digest = _digest(sources)
    try:
        kept = path.read_bytes()
        if kept[:_DIGEST] == digest:
            found: dict[tuple[str, str], CodeType] = marshal.loads(kept[_DIGEST:])  # noqa: S302 - trusted as the .pyc files beside it
            return found
    except (OSError, ValueError, EOFError, TypeError):
        pass  # missing or damaged: it is made again
    return {} if sys.dont_write_bytecode or not os.access(path.parent, os.W_OK) else _make(path, digest, sources)


def _make(path: Path, digest: bytes, sources: Mapping[str, str]) -> Compiled:
    from newsletter.render.jinja import Templates

    made = Templates({name: (text, name) for name, text in sources.items()}).compile()
    try:
        write(path, digest + marshal.dumps(made))
    except Unwritable:
        return {}  # the next build compiles again
    return made


def _digest(sources: Mapping[str, str]) -> bytes:
    import jinja2

    digest = hashlib.sha256(f"{jinja2.__version__} {sys.version}".encode())
    for each in ("jinja.py", "ahead.py"):  # how the environment is set up
        digest.update(Path(__file__).with_name(each).read_bytes())
    digest.update(repr(sorted(sources.items())).encode())
    return digest.digest()
