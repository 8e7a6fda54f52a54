"""Files: written so that a crash, a full disk or a second process leaves no half of one, and shown by short paths."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.errors import Unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator


def display(path: Path) -> str:
    """A path as the operator would type it: relative to the working folder when it lies below."""
    with contextlib.suppress(ValueError, OSError):
        return path.absolute().relative_to(Path.cwd()).as_posix()
    return str(path)


@contextlib.contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn an ``OSError`` raised inside into one clear error about ``path``."""
    try:
        yield
    except OSError as error:
        shown = display(Path(path))
        if isinstance(error, FileExistsError | NotADirectoryError):
            message = f"{shown}: cannot be written: a file stands where a folder is needed"
            raise Unwritable(message, hint="Move it away, or choose another place.") from error
        message = f"{shown}: cannot be written: {error.strerror or error}"
        raise Unwritable(
            message, hint="Free some space or mend the permissions, then run the same command again."
        ) from error


def write(path: Path, data: bytes | str, *, mode: int = 0o644, durable: bool = False) -> None:
    """Write a whole file or nothing: a temporary file beside it, then a rename.

    ``durable`` waits until the bytes and the name are on the disk.
    """
    raw = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    with writing(path):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(raw)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
            if durable:
                sync(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def sync(path: Path) -> None:
    """Wait until a file's bytes, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path, *, mode: int = 0o755) -> None:
    """Make a folder and its parents, all with ``mode``; one that exists is left as it is."""
    with writing(path):
        for each in (*reversed([parent for parent in path.parents if not parent.exists()]), path):
            each.mkdir(mode=mode, exist_ok=True)
