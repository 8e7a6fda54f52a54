"""The messages of the embedded outbox, listed, searched and read; nothing here writes.

The layout is the outbox provider's: ``<issue>/<person>-<key>.eml``, with ``<issue>/.index/<key>.jsonl``
naming each file of a batch with its address and subject, and ``images/`` beside the issues. A list
must stay quick with 100,000 messages, so no message is opened to be counted: folders are read again
only when they changed, addresses and subjects come from the batch's index or else from the first
few kilobytes of the file, once. Whatever a browser asks for is looked up among the names found;
no path is ever made from a request, and symbolic links are left alone.
"""

from __future__ import annotations

import json
import os
import re
import stat
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from newsletter.preview.opening import head_fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

IMAGES = "images"
INDEX = ".index"
PAGE = 50
_ENDING = ".eml"
_PICTURE = re.compile(r"[0-9a-f]{1,128}\.(?:jpg|png|gif)")
_FIRST, _MOST = 8 * 1024, 256 * 1024
_SETTLED = 1_000_000_000
"""Nanoseconds after which a folder's time stamp tells every change: clocks of file systems are coarse."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One message file: its issue's folder, its name without ending, and when it was written (ns)."""

    folder: str
    name: str
    inode: int
    at: int


@dataclass(frozen=True, slots=True)
class Head:
    """What a list shows of a message; ``inode`` tells whether the file is still the same."""

    to: str
    subject: str
    inode: int


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: all words of ``text`` in address or subject, one issue or all, and the page from 1."""

    text: str = ""
    issue: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; ``first`` counts from 1, and all is 0 in an empty list."""

    rows: tuple[tuple[Entry, Head], ...]
    total: int
    number: int
    pages: int
    first: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages one issue's folder holds, and when the newest was written (ns)."""

    folder: str
    messages: int
    newest: int


@dataclass(slots=True)
class _Folder:
    """What is known of one folder; heads are kept as long as their files stay the same."""

    name: str
    path: Path
    changed: int = -1
    settled: bool = False
    entries: tuple[Entry, ...] = ()
    by_name: dict[str, Entry] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    indexes: set[str] = field(default_factory=set)


class Mailbox:
    """The outbox below ``root``; safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[str, _Folder] = {}
        self._lock = threading.Lock()

    def counts(self) -> tuple[Count, ...]:
        """Every issue that has messages, the one with the newest first."""
        return tuple(Count(f.name, len(f.entries), f.entries[0].at) for f in self._look())

    def page(self, query: Query, *, around: Entry | None = None) -> Page:
        """One page of the list, or the page on which ``around`` stands."""
        chosen = self.select(query)
        number = query.page
        if around is not None and around in chosen:
            number = chosen.index(around) // PAGE + 1
        pages = max(1, -(-len(chosen) // PAGE))
        number = min(max(number, 1), pages)
        start = (number - 1) * PAGE
        rows = tuple((entry, self.head(entry)) for entry in chosen[start : start + PAGE])
        return Page(rows, len(chosen), number, pages, start + 1 if rows else 0)

    def select(self, query: Query) -> list[Entry]:
        """Every message that fits, by issue and newest first."""
        words = query.text.casefold().split()
        folders = [f for f in self._look() if query.issue in ("", f.name)]
        return [entry for f in folders for entry in f.entries if not words or self._fits(f, entry, words)]

    def neighbours(self, query: Query, entry: Entry) -> tuple[Entry | None, Entry | None]:
        """The messages before and after ``entry`` in the list."""
        chosen = self.select(query)
        if entry not in chosen:
            return None, None
        at = chosen.index(entry)
        return chosen[at - 1] if at else None, chosen[at + 1] if at + 1 < len(chosen) else None

    def find(self, folder: str, name: str) -> Entry | None:
        """The message of that name, or ``None``."""
        return next((f.by_name.get(name) for f in self._look() if f.name == folder), None)

    def head(self, entry: Entry) -> Head:
        """Address and subject of a message; empty for one that has gone or cannot be read."""
        folder = self._folders.get(entry.folder)
        return _head(folder, entry) if folder else Head("", "", entry.inode)

    def read(self, entry: Entry) -> bytes | None:
        """The bytes of a message; ``None`` when it has gone."""
        return _bytes(self.root / entry.folder / f"{entry.name}{_ENDING}")

    def picture(self, name: str) -> bytes | None:
        """A hosted picture, named by its content's hash; ``None`` for every other name."""
        folder = self.root / IMAGES
        if not _PICTURE.fullmatch(name) or folder.is_symlink():
            return None
        return _bytes(folder / name)

    def warm(self, stop: threading.Event, *, every: float = 2.0) -> None:
        """Read heads ahead of the first search, until ``stop``; for a thread of its own."""
        while not stop.is_set():
            for number, (folder, entry) in enumerate(self._unread()):
                _head(folder, entry)
                if number % 200 == 0 and stop.wait(0.002):
                    return
            stop.wait(every)

    def _unread(self) -> Iterator[tuple[_Folder, Entry]]:
        for folder in self._look():
            for entry in folder.entries:
                known = folder.heads.get(entry.name)
                if known is None or known.inode != entry.inode:
                    yield folder, entry

    def _fits(self, folder: _Folder, entry: Entry, words: Sequence[str]) -> bool:
        head = _head(folder, entry)
        text = f"{head.to}\n{head.subject}".casefold()
        return all(word in text for word in words)

    def _look(self) -> list[_Folder]:
        """The folders as they are now, the one with the newest message first."""
        with self._lock:
            names = set(_folders(self.root))
            for name in names:
                folder = self._folders.setdefault(name, _Folder(name, self.root / name))
                _refresh(folder)
            for gone in self._folders.keys() - names:
                del self._folders[gone]
            filled = [f for f in self._folders.values() if f.entries]
        return sorted(filled, key=lambda f: (-f.entries[0].at, f.name))


def _folders(root: Path) -> Iterator[str]:
    try:
        with os.scandir(root) as found:
            for each in found:
                if each.name != IMAGES and _plain(each.name) and each.is_dir(follow_symlinks=False):
                    yield each.name
    except FileNotFoundError:
        return


def _plain(name: str) -> bool:
    """Whether a name may be shown and linked: not hidden, and all of it text."""
    return not name.startswith(".") and name.isprintable()


def _refresh(folder: _Folder) -> None:
    """Read a folder's names again if it changed; files already known are not asked again."""
    try:
        changed = folder.path.stat().st_mtime_ns
        if folder.settled and changed == folder.changed:
            return
        settled = time.time_ns() - changed > _SETTLED
        by_name = dict(_entries(folder))
    except FileNotFoundError:
        changed, settled, by_name = -1, False, {}
    if by_name != folder.by_name:
        folder.entries = tuple(sorted(by_name.values(), key=lambda e: (e.at, e.name), reverse=True))
        folder.by_name = by_name
    folder.changed, folder.settled = changed, settled


def _entries(folder: _Folder) -> Iterator[tuple[str, Entry]]:
    with os.scandir(folder.path) as found:
        for each in found:
            name = each.name.removesuffix(_ENDING)
            if name == each.name or not _plain(name) or not each.is_file(follow_symlinks=False):
                continue
            known = folder.by_name.get(name)
            if known is None or known.inode != each.inode():
                try:
                    at = each.stat(follow_symlinks=False).st_mtime_ns
                except FileNotFoundError:
                    continue
                known = Entry(folder.name, name, each.inode(), at)
            yield name, known


# -- addresses and subjects -----------------------------------------------------------


def _head(folder: _Folder, entry: Entry) -> Head:
    known = folder.heads.get(entry.name)
    if known is None:
        _read_index(folder, entry.name.partition("-")[2])
        known = folder.heads.get(entry.name)
    if known is None or known.inode != entry.inode:
        to, subject = _read_head(folder.path / f"{entry.name}{_ENDING}")
        known = folder.heads[entry.name] = Head(to, subject, entry.inode)
    return known


def _read_index(folder: _Folder, key: str) -> None:
    """Take over what a batch's index says; a message it doesn't name is opened instead."""
    if not key or key in folder.indexes:
        return
    if (raw := _bytes(folder.path / INDEX / f"{key}.jsonl")) is None:
        return
    folder.indexes.add(key)
    for line in raw.splitlines():
        try:
            row = json.loads(line)
            name, to, subject = row["file"].removesuffix(_ENDING), str(row["to"]), str(row["subject"])
        except (ValueError, LookupError, TypeError, AttributeError):
            continue
        if entry := folder.by_name.get(name):
            folder.heads.setdefault(name, Head(to, subject, entry.inode))


def _read_head(path: Path) -> tuple[str, str]:
    raw = _bytes(path, _FIRST) or b""
    if len(raw) == _FIRST and b"\r\n\r\n" not in raw and b"\n\n" not in raw:
        raw = _bytes(path, _MOST) or b""
    return head_fields(raw)


def _bytes(path: Path, most: int = -1) -> bytes | None:
    """A plain file's bytes, its first ``most`` only; ``None`` when it has gone or is anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
