"""The file that takes refused rows: as they stood, each after the reason, so that they can be mended and imported."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import secrets
from typing import TYPE_CHECKING

from sqlalchemy import select

from newsletter.audience.columns import REFUSED_BECAUSE
from newsletter.audience.staging import refused
from newsletter.errors import BadInput
from newsletter.files import display, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from newsletter.audience.csvfile import CsvFile
    from newsletter.store.database import Session

_AT_A_TIME = 1_000


def check_free(path: Path) -> None:
    """Raise ``BadInput`` when the file is there already, or its folder is not."""
    if path.exists() or path.is_symlink():
        hint = "Nothing is ever overwritten here: name another file."
        raise BadInput(f"{display(path)}: the file for refused rows exists already", hint=hint)
    if not path.absolute().parent.is_dir():
        raise BadInput(f"{display(path.parent)}: there is no such folder", hint="Make it first.")


@contextlib.contextmanager
def refused_file(path: Path | None, file: CsvFile, session: Session) -> Iterator[Callable[[], None]]:
    """Write the rows beside ``path``; calling what this yields puts them in place.

    An exception after that takes them away again. Without refused rows there is no file.
    """
    half = path and path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    published = False

    def publish() -> None:
        nonlocal published
        if path and half and half.exists():
            with writing(path):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                published = True
                half.replace(path)

    try:
        if half:
            _write(half, file, session)
        yield publish
    except BaseException:
        if path and published:
            path.unlink(missing_ok=True)
        raise
    finally:
        if half:
            half.unlink(missing_ok=True)


def _write(half: Path, file: CsvFile, session: Session) -> None:
    every = select(refused).order_by(refused.c.line)
    with session.read() as connection:
        if connection.execute(every.limit(1)).first() is None:
            return
        with writing(half), os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            target.write(_cell(REFUSED_BECAUSE, file.delimiter) + _ended(file.header_raw))
            for line, reason, raw in connection.execute(every, execution_options={"yield_per": _AT_A_TIME}):
                target.write(_cell(f"{file.shown}:{line}: {reason}", file.delimiter) + _ended(raw))
            target.flush()
            os.fsync(target.fileno())


def _cell(text: str, delimiter: str) -> bytes:
    """One cell and the delimiter after it."""
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter, lineterminator="").writerow([text, ""])
    return written.getvalue().encode()


def _ended(raw: bytes) -> bytes:
    return raw if raw.endswith((b"\n", b"\r")) else raw + b"\n"
