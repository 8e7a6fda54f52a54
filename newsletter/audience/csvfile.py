"""Reading a CSV file row by row, at any size, with the physical line of each row."""

from __future__ import annotations

import codecs
import contextlib
import csv
import hashlib
import io
import itertools
import re
from functools import partial
from typing import IO, TYPE_CHECKING, NamedTuple

from newsletter.audience import names
from newsletter.config import display
from newsletter.errors import BadInput, Problem
from newsletter.model import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LONGEST_LINE = 1 << 20
"""Bytes of one physical line, at most."""

_BLOCK = 1 << 17
_DELIMITERS = ",;\t"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_BARE_RETURN = "a line ends with a bare carriage return, or one stands outside quotes"
_ENCODINGS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


Row = tuple[int, list[str], str]
"""One row as read: its first physical line, its cells, and what is wrong with its form."""


class CsvFile:
    """An open CSV file: its heading line, then its rows, read once.

    After each row ``raw`` holds its bytes as they stand in the file. Whatever makes the rest of the
    file unreadable raises ``BadInput`` with its line.
    """

    def __init__(self, path: Path, binary: IO[bytes], advance: Callable[[int], None]) -> None:
        self.shown = display(path)
        self.raw: list[bytes] = []
        self._hash = hashlib.sha256()
        self._bytes = io.BufferedReader(_Counted(binary, self._hash.update, advance), _BLOCK)
        self._above = 0
        first = self._first_line()
        self._lines = itertools.chain([first], self._lines_from(self._above + 2))
        self.delimiter = self._delimiter(first)
        self.header = self._read_header()
        self.header_raw = b"".join(self.raw)

    @property
    def sha256(self) -> str:
        """The hash of what was read so far; after the last row, of the whole file."""
        return self._hash.hexdigest()

    def rows(self) -> Iterator[Row]:
        """Every row below the heading; blank ones are passed over."""
        reader = self._reader
        above = self._above + 1
        while True:
            self.raw.clear()
            line = above + reader.line_num
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, [], self._fault(str(error), line)
                continue
            text = "".join(cells)
            if text and not text.isspace():
                yield line, cells, "" if text.isprintable() else _control(text)

    def _first_line(self) -> str:
        """The heading line, below a ``sep=;`` that Excel writes for itself."""
        lines = self._lines_from(1)
        first = next(lines, None)
        if first is None:
            hint = "It needs a heading line and a row for each person."
            raise BadInput(f"{self.shown}: the file is empty", hint=hint)
        if _SEPARATOR.fullmatch(first):
            self.raw.clear()
            self._above = 1
            self._separator = first[4]
            return next(lines, "")
        return first

    def _fault(self, message: str, line: int) -> str:
        """Why the csv module gave up on a row; raises where the rows below cannot be told apart either."""
        if "unexpected end of data" in message:
            raise self._unreadable(
                "a quote is opened here and never closed", 'Close it, or write "" for a quote inside a value.', line
            )
        if "field larger" in message:
            raise self._unreadable(
                f"a value is longer than {csv.field_size_limit():,} characters; is a quote left open?",
                "Close the quote, or shorten the value.",
                line,
            )
        if "new-line character" in message:
            return _BARE_RETURN
        return 'text follows a closing quote; write "" for a quote inside a value'

    def _unreadable(self, message: str, hint: str, line: int, col: int = 1) -> BadInput:
        return BadInput([Problem(Place(self.shown, line, col), message, hint)])

    def _read_header(self) -> tuple[str, ...]:
        line = self._above + 1
        try:
            header = next(self._reader, [])
        except csv.Error as error:
            raise self._unreadable(self._fault(str(error), line), "Mend the heading line.", line) from None
        if fault := _control("".join(header)):
            raise self._unreadable(f"in the heading line, {fault}", "Remove it.", line)
        return tuple(header)

    def _lines_from(self, number: int) -> Iterator[str]:
        """Physical lines as text; each is kept in ``raw`` until the row is done."""
        keep = self.raw.append
        for line in iter(partial(self._bytes.readline, LONGEST_LINE), b""):
            content = self._without_mark(line) if number == 1 else line
            keep(content)
            try:
                text = content.decode()
            except UnicodeDecodeError as error:
                raise self._not_utf8(content, error.start, number) from None
            if len(line) == LONGEST_LINE:
                hint = "Save the file with ordinary line ends." if b"\r" in line else "Is this a CSV file?"
                raise self._unreadable(f"the line is longer than {LONGEST_LINE:,} bytes", hint, number)
            yield text
            number += 1

    def _without_mark(self, line: bytes) -> bytes:
        for mark, name in _ENCODINGS.items():
            if line.startswith(mark):
                raise self._unreadable(f"the file is {name}, not UTF-8", self._convert(name), 1)
        return line.removeprefix(codecs.BOM_UTF8)

    def _not_utf8(self, line: bytes, at: int, number: int) -> BadInput:
        col = len(line[:at].decode()) + 1
        message = f"this is not UTF-8 (byte 0x{line[at]:02X}); it may be Latin-1, which Excel calls “CSV” without UTF-8"
        return self._unreadable(message, self._convert("WINDOWS-1252"), number, col)

    def _convert(self, encoding: str) -> str:
        return f"Convert it: iconv -f {encoding} -t UTF-8 {self.shown} > utf8.csv"


@contextlib.contextmanager
def opened(path: Path, advance: Callable[[int], None]) -> Iterator[CsvFile]:
    """The CSV file at ``path``; ``advance`` is told how many bytes were read.

    Raises ``BadInput`` when it cannot be read.
    """
    try:
        binary = path.open("rb", buffering=0)
    except OSError as error:
        reason = (
            "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        )
        raise BadInput(f"{display(path)}: {reason}", hint="Name a CSV file to import.") from None
    with binary:
        yield CsvFile(path, binary, advance)


def _control(text: str) -> str:
    """What is wrong with a row that holds a control character; line breaks and tabs may stand in quotes."""
    found = _CONTROL.search(text)
    return f"it holds a control character (U+{ord(found[0]):04X})" if found else ""


def _sniff(line: str) -> str:
    """The delimiter of a heading line: one that lays the address bare, else one that makes most columns."""

    def merit(delimiter: str) -> tuple[bool, int]:
        with contextlib.suppress(csv.Error):
            headers = next(csv.reader([line], delimiter=delimiter), [])
            return len(headers) > 1 and any(map(names.is_email, headers)), len(headers)
        return False, 0

    return max(_DELIMITERS, key=merit)


class _Counted(io.RawIOBase):
    """A raw file that tells what passes through it."""

    def __init__(self, raw: IO[bytes], digest: Callable[[memoryview], None], advance: Callable[[int], None]) -> None:
        super().__init__()
        self._raw = raw
        self._digest = digest
        self._advance = advance

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill ``buffer``; the number of bytes."""
        count = self._raw.readinto(buffer)  # type: ignore[attr-defined]
        self._digest(memoryview(buffer)[:count])
        self._advance(count)
        return int(count)
