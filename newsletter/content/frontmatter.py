"""The head of ``index.md``: its keys, their places, and everything that is wrong with them."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from newsletter.config import KEYS
from newsletter.content.source import forbidden
from newsletter.errors import Problem
from newsletter.headers import mailbox, unsafe
from newsletter.model import Place
from newsletter.yamlread import Listed, Mapped, Scalar, read, text_of, texts_of, unknown_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from newsletter.config import Config
    from newsletter.content.source import Source
    from newsletter.model import Mailbox
    from newsletter.yamlread import Node

ID = re.compile(r"[A-Za-z0-9_-]{6,64}")
"""What an issue's id looks like."""

MISSING_ID = "It tells issues apart for ever: give it 6 to 64 letters, digits, - or _ that no other issue has."
"""What to do about an issue without an id."""

PERSONAL = ("subject", "preheader")
"""The keys whose text may hold merge fields."""

KNOWN = (
    "id", "title", "subject", "preheader", "number", "date", "place", "kicker", "dek", "authors", "credits", "lang",
    "theme", "from", "reply_to", "canonical_url", "data",
)  # fmt: skip
"""Every key, in the order in which ``newsletter new`` explains them."""

_LATER: Mapping[str, str] = {
    "audience": "An issue goes to every active subscriber; delete the key.",
    "utm": "Links stay as you write them; delete the key.",
}
_FENCE = re.compile(r"---[ \t]*")
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}($|[T ]\d{2}:\d{2})")
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})(?!\d)")
_EXAMPLE = "Begin the file with ---, then “id: …” and “title: …”, then --- again; `newsletter new` makes such a file."


class Front(NamedTuple):
    """The front matter, checked; Markdown and merge fields in it are not read yet."""

    id: str
    title: str
    personal: Mapping[str, str]
    """The texts of ``PERSONAL``, by key."""
    number: str
    date: dt.datetime
    location: str
    kicker: str
    dek: str
    authors: tuple[str, ...]
    credits: tuple[tuple[str, Place], ...]
    lang: str
    theme: str
    sender: Mailbox
    reply_to: Mailbox | None
    canonical_url: str
    data: tuple[tuple[str, Place], ...]
    places: tuple[tuple[str, Place], ...]


def split(source: Source, problems: list[Problem]) -> tuple[str | None, str]:
    """The YAML between the two ``---``, and the body with as many empty lines and spaces before it as keep all offsets.

    Without front matter (``None``) all is body; when it does not end, nothing is.
    """
    start = Place(source.path)
    if not _FENCE.fullmatch(source.line(1)):
        problems.append(Problem(start, "the front matter is missing", _EXAMPLE))
        return None, source.text
    for number in range(2, len(source.starts) + 1):
        if _FENCE.fullmatch(source.line(number)):
            end = source.starts[number - 1]
            behind = end + len(source.line(number))
            return source.text[source.starts[1] : end], re.sub(r"[^\n]", " ", source.text[:behind]) + source.text[
                behind:
            ]
    problems.append(
        Problem(start, "the front matter that begins here never ends", "Write --- on a line of its own behind it.")
    )
    return None, ""


def read_front(yaml: str | None, source: Source, folder: str, config: Config, problems: list[Problem]) -> Front:
    """The front matter; for what is missing or wrong the configuration's value or an empty one stands in.

    ``folder`` is the name of the issue's folder, whose leading day dates an issue without ``date``.
    """
    node = read(yaml or "", source.path, problems, first_line=2)
    if node is not None and not isinstance(node, Mapped):
        problems.append(Problem(node.place, "the front matter is a list of “key: value” lines"))
    mapped = node if isinstance(node, Mapped) else Mapped((), Place(source.path))
    missing = isinstance(node, Mapped) or (yaml is not None and not yaml.strip())
    reader = _Reader(mapped, source, problems, missing)
    reader.check_keys()
    id_ = reader.id()
    title = reader.needed("title", "The first thing readers see, such as: title: What we saw at the harbour")
    return Front(
        id=id_,
        title=title,
        personal={"subject": reader.text("subject") or title, "preheader": reader.text("preheader")},
        number=reader.text("number"),
        date=reader.date(folder, config),
        location=reader.text("place"),
        kicker=reader.text("kicker"),
        dek=reader.text("dek"),
        authors=tuple(text for text, _ in reader.lines("authors")),
        credits=reader.lines("credits"),
        lang=reader.by_config("lang", config.lang),
        theme=reader.by_config("theme", config.theme),
        sender=reader.mailbox("from") or config.sender,
        reply_to=reader.mailbox("reply_to") or config.reply_to,
        canonical_url=reader.url("canonical_url"),
        data=reader.lines("data"),
        places=tuple((entry.key.text, entry.value.place) for entry in reader.node.entries),
    )


class _Reader(NamedTuple):
    """Reads the keys one by one and reports what is wrong; ``missing`` is whether a missing key is news."""

    node: Mapped
    source: Source
    problems: list[Problem]
    missing: bool

    def wrong(self, node: Node | None, message: str, hint: str = "") -> None:
        self.problems.append(Problem(node.place if node else Place(self.source.path), message, hint))

    def check_keys(self) -> None:
        later = [entry for entry in self.node.entries if entry.key.text in _LATER]
        for entry in later:
            self.problems.append(
                Problem(entry.key.place, f"“{entry.key.text}” comes with a later release", _LATER[entry.key.text])
            )
        unknown_keys(self.node, (*KNOWN, *_LATER), self.problems)
        for entry in self.node.entries:
            if entry.key.text not in PERSONAL:
                for scalar in _scalars(entry.value):
                    if "{{" in scalar.text:
                        hint = "They may stand in the subject, the preheader and the body."
                        self.problems.append(
                            Problem(
                                locate(self.source, "{{", scalar.place),
                                f"a merge field may not stand in “{entry.key.text}”",
                                hint,
                            )
                        )

    # -- kinds of values --------------------------------------------------------------

    def raw(self, key: str) -> str:
        node = self.node.get(key)
        return text_of(node, key, self.problems).strip() if node else ""

    def text(self, key: str) -> str:
        """One line that may become a header."""
        text = self.raw(key)
        return text if self.fits(key, text, self.node.get(key)) else ""

    def fits(self, key: str, text: str, node: Node | None) -> bool:
        """Whether a value is free of line breaks and of what an escape in quotes can bring in; reported if not."""
        bad = forbidden(text)
        reason = unsafe(text) or (f"it holds a character that may not stand ({bad[0][1]})" if bad else "")
        if reason:
            self.wrong(node, f"“{key}” cannot be used: {reason}", "Write it on one line, as plain words.")
        return not reason

    def needed(self, key: str, hint: str) -> str:
        """The same for a key that must be given."""
        node = self.node.get(key)
        if self.missing and (node is None or isinstance(node, Scalar)) and not self.raw(key):
            self.wrong(node, f"“{key}” is missing", hint)
        return self.text(key)

    def lines(self, key: str) -> tuple[tuple[str, Place], ...]:
        """A list of lines, or a single one, each with its place."""
        node = self.node.get(key)
        nodes = node.items if isinstance(node, Listed) else (node,) if node else ()
        found = [(text.strip(), each) for each in nodes for text in texts_of(each, key, self.problems)]
        return tuple((text, each.place) for text, each in found if text and self.fits(key, text, each))

    def by_config(self, key: str, default: str) -> str:
        """A value that follows the rule of the same key in ``newsletter.yaml``."""
        rule = next(each for each in KEYS if each.name == key)
        return self._read(key, rule.read) or default

    def mailbox(self, key: str) -> Mailbox | None:
        found: Mailbox | None = self._read(key, mailbox, "Write: Your Name <you@example.org>")
        return found

    def url(self, key: str) -> str:
        text = self.text(key)
        if text and not re.fullmatch(r"https?://[^\s/?#\\]+[^\s\\]*", text):
            self.wrong(
                self.node.get(key), f"“{key}” is not an http or https address", "Write: https://example.org/letters/23"
            )
            return ""
        return text

    def _read(self, key: str, rule: Callable[[str], Any], hint: str = "") -> Any:
        text = self.text(key)
        try:
            return rule(text) if text else None
        except ValueError as error:
            self.wrong(self.node.get(key), f"“{key}”: {error}", getattr(error, "hint", "") or hint)
            return None

    # -- single keys --------------------------------------------------------------------

    def id(self) -> str:
        text = self.needed("id", MISSING_ID)
        if text and not ID.fullmatch(text):
            hint = "Copy it from what `newsletter new` wrote, or choose another."
            self.wrong(self.node.get("id"), "“id” is 6 to 64 letters, digits, - or _", hint)
        return text

    def date(self, folder: str, config: Config) -> dt.datetime:
        """The date, midnight in the configured zone where only a day is given."""
        node, text = self.node.get("date"), self.text("date")
        found = moment(text) if text else None
        if text and found is None:
            self.wrong(
                node, "“date” is not an ISO date", "Write: date: 2026-11-23, or with a time: date: 2026-11-23T08:00"
            )
        elif found is None and (dated := _DATED.match(folder)):
            found = moment(dated[1])
        if found is None and not text and self.missing:
            self.wrong(
                node, "“date” is missing, and the folder's name does not begin with one", "Write: date: 2026-11-23"
            )
        return _aware(found or dt.datetime(2000, 1, 1), config)  # noqa: DTZ001 - the zone follows


def moment(text: str) -> dt.datetime | None:
    """An ISO day or moment, perhaps without a zone; ``None`` for anything else."""
    if not _ISO.match(text):
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    # Far from both ends of the calendar, so that no zone leads beyond them.
    return found if 1970 <= found.year <= 9990 else None


def _aware(moment_: dt.datetime, config: Config) -> dt.datetime:
    return moment_ if moment_.tzinfo else moment_.replace(tzinfo=config.timezone)


def locate(source: Source, text: str, start: Place) -> Place:
    """Where ``text`` stands at or behind ``start``, also as YAML escapes it in quotes; else ``start`` itself."""
    offset = source.starts[start.line - 1] + start.col - 1
    end = source.text.find("\n---", offset)
    for form in (text, text.replace('"', '\\"'), text.replace("'", "''")):
        if (found := source.text.find(form, offset, end if end >= 0 else len(source.text))) >= 0:
            return source.place(found)
    return start


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Listed):
        for item in node.items:
            yield from _scalars(item)
    else:
        for entry in node.entries:
            yield from _scalars(entry.value)
