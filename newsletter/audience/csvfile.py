"""Reading a CSV file row by row, at any size, with the physical line of each row."""

from __future__ import annotations

import codecs
import contextlib
import csv
import hashlib
import io
import itertools
import re
import shlex
from functools import partial
from typing import IO, TYPE_CHECKING

from newsletter.audience import names
from newsletter.errors import BadInput, Problem
from newsletter.files import display
from newsletter.model import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

LONGEST_LINE = 1 << 20
"""Bytes of one physical line, at most."""

_BLOCK = 1 << 17
_DELIMITERS = ",;\t"
_SEPARATOR = re.compile(r"sep=([^\r\n])\r?\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

Row = tuple[int, list[str], str]
"""One row as read: its first physical line, its cells, and what is wrong with its form."""


class CsvFile:
    """An open CSV file: its heading line, then its rows, read once.

    After each row ``raw`` holds its bytes as they stand in the file. Whatever makes the rest of the
    file unreadable raises ``BadInput`` with its line.
    """

    def __init__(self, path: Path, binary: IO[bytes], advance: Callable[[int], None]) -> None:
        self.shown = display(path)
        self._lines = _Lines(self.shown, binary, advance)
        self.raw = self._lines.raw
        first, separator = self._heading()
        self._first = 2 if separator else 1
        self.delimiter = separator or _sniff(first)
        lines = itertools.chain([first], self._lines)
        self._reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        self.header = self._read_header()
        self.header_raw = b"".join(self.raw)
        self._first_row: tuple[list[str], bytes] | None = None

    def without_heading(self, heading: Sequence[str]) -> None:
        """Take what was read as the heading line for the first row; ``heading`` is what it should have been."""
        self._first_row = list(self.header), self.header_raw
        self.header = tuple(heading)
        self.header_raw = f"{self.delimiter.join(heading)}\n".encode()

    @property
    def sha256(self) -> str:
        """The hash of what was read so far; after the last row, of the whole file."""
        return self._lines.hash.hexdigest()

    def rows(self) -> Iterator[Row]:
        """Every row below the heading; blank ones are passed over."""
        reader = self._reader
        if self._first_row is not None:
            cells, raw = self._first_row
            self.raw[:] = [raw]
            yield self._first, cells, ""
        while True:
            self.raw.clear()
            line = self._first + reader.line_num
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

    def _heading(self) -> tuple[str, str]:
        """The heading's first line, and the delimiter that Excel may tell above it (``sep=;``)."""
        separator = ""
        for line in self._lines:
            found = _SEPARATOR.fullmatch(line)
            if separator or not found:
                return line, separator
            separator = found[1]
            self.raw.clear()
        hint = "It needs a heading line and a row for each person."
        raise BadInput(f"{self.shown}: the file is empty", hint=hint)

    def _read_header(self) -> tuple[str, ...]:
        try:
            header = next(self._reader, [])
        except csv.Error as error:
            hint = "Save the file with ordinary line ends." if "new-line" in str(error) else "Mend it."
            raise _unreadable(self.shown, self._fault(str(error), self._first), hint, self._first) from None
        if fault := _control("".join(header)):
            raise _unreadable(self.shown, f"in the heading line, {fault}", "Remove it.", self._first)
        return tuple(header)

    def _fault(self, message: str, line: int) -> str:
        """Why the csv module gave up on a row; raises where the rows below cannot be told apart either."""
        if "unexpected end of data" in message:
            hint = 'Close it, or write "" for a quote inside a value.'
            raise _unreadable(self.shown, "a quote is opened in this row and never closed", hint, line)
        if "field larger" in message:
            longest = f"{csv.field_size_limit():,}"
            hint = "Close the quote, or shorten the value."
            message = f"a value in this row is longer than {longest} characters; is a quote left open?"
            raise _unreadable(self.shown, message, hint, line)
        if "new-line character" in message:
            return "a carriage return stands outside quotes"
        return 'text follows a closing quote; write "" for a quote inside a value'


class _Lines:
    """The physical lines of a file as text; their bytes gather in ``raw``, their hash in ``hash``."""

    def __init__(self, shown: str, binary: IO[bytes], advance: Callable[[int], None]) -> None:
        self.hash = hashlib.sha256()
        self.raw: list[bytes] = []
        self._shown = shown
        self._lines = self._read(io.BufferedReader(_Counted(binary, self.hash.update, advance), _BLOCK))

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _read(self, file: io.BufferedReader) -> Iterator[str]:
        keep = self.raw.append
        for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), b""), 1):
            content = self._without_mark(line) if number == 1 else line
            keep(content)
            try:
                text = content.decode()
            except UnicodeDecodeError as error:
                raise self._not_utf8(content, error.start, number) from None
            if len(line) == LONGEST_LINE:
                hint = "Save the file with ordinary line ends." if b"\r" in line else "Is this a CSV file?"
                raise _unreadable(self._shown, f"the line is longer than {LONGEST_LINE:,} bytes", hint, number)
            yield text

    def _without_mark(self, line: bytes) -> bytes:
        if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise _unreadable(self._shown, "the file is UTF-16, not UTF-8", self._convert("UTF-16"), 1)
        return line.removeprefix(codecs.BOM_UTF8)

    def _not_utf8(self, line: bytes, at: int, number: int) -> BadInput:
        message = f"this is not UTF-8 (byte 0x{line[at]:02X}); it may be Latin-1, which Excel calls “CSV” without UTF-8"
        return _unreadable(self._shown, message, self._convert("WINDOWS-1252"), number, len(line[:at].decode()) + 1)

    def _convert(self, encoding: str) -> str:
        return f"Convert it: iconv -f {encoding} -t UTF-8 {shlex.quote(self._shown)} > utf8.csv"


def _unreadable(path: str, message: str, hint: str, line: int, col: int = 1) -> BadInput:
    return BadInput([Problem(Place(path, line, col), message, hint)])


@contextlib.contextmanager
def opened(path: Path, advance: Callable[[int], None]) -> Iterator[CsvFile]:
    """The CSV file at ``path``; ``advance`` is told how many bytes were read.

    Raises ``BadInput`` when it cannot be read.
    """
    try:
        binary = path.open("rb", buffering=0)
    except OSError as error:
        reason = (
            "there is no such file" if isinstance(error, FileNotFoundError) else f"it cannot be read: {error.strerror}"
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
    first = line.partition("\r")[0]  # a file with the line ends of old Macs is one long line

    def merit(delimiter: str) -> tuple[bool, int]:
        headers = next(csv.reader([first], delimiter=delimiter), [])
        return len(headers) > 1 and any(map(names.is_email, headers)), len(headers)

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

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the buffered reader gives a view
        """Fill ``buffer``; the number of bytes."""
        count = int(self._raw.readinto(buffer))  # type: ignore[attr-defined]  # a raw file has it
        self._digest(memoryview(buffer)[:count])
        self._advance(count)
        return count
