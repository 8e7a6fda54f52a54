"""Running text as Markdown that says exactly its words: whatever means something to the parser is escaped."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from newsletter.content.drafts.nouns import Break, Code, Image, Link, Mention, Styled, Words, plain
from newsletter.content.source import UNPRINTABLE, forbidden

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from newsletter.content.drafts.nouns import Inline, Inlines

_SPACE = re.compile(r"[ \t\n\r]+")
_BACKSLASH = re.compile(r"\\(?=[!-/:-@\[-`{-~\s]|$)")
_ENTITY = re.compile(r"&(?=#?[A-Za-z0-9]+;)")
_SPECIAL = re.compile(r"[*`\[\]]|~(?=~)|(?<=~)~|<(?=[A-Za-z/!?]|$)|(?<![^\W_])_|_(?![^\W_])|\{(?=#)")
_BRACES = re.compile(r"\{\{")
_OPENERS = re.compile(r"(#{1,6}|[-+])(?=\s|$)|>|:(?=::)|[=-](?=[=-]*\s*$)|[|:-](?=[|:\s-]*$)")
_NUMBER = re.compile(r"(\d{1,9})([.)])(?=\s|$)")
_PLAIN_URL = re.compile(r"(?:https?://|mailto:)[A-Za-z0-9/:.,;_~@?&=%+!$'()*-]+")
_ADDRESS = re.compile(r"[A-Za-z0-9.+-][A-Za-z0-9._+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
JOINER = "\u2060"
"""Zero wide: it parts two characters that may not stand side by side."""

_MARKS = {"em": "*", "strong": "**"}


def clean(text: str) -> str:
    """``text`` without the characters that no issue may hold."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return UNPRINTABLE.sub("", re.sub("[\x0b\x0c\x85\u2028\u2029]", "\n", text))


def literal(text: str) -> str:
    """Words that stand in the body, with what Markdown and merge fields are made of escaped."""
    text = _BACKSLASH.sub(r"\\\\", _SPACE.sub(" ", text))
    text = _SPECIAL.sub(lambda found: f"\\{found[0]}", text)
    # Not by a backslash: a numeric entity of a forbidden character is refused wherever it stands.
    return _BRACES.sub(r"\\{{", _ENTITY.sub("&amp;", text))


def verbatim(text: str) -> str:
    """Lines of code; a numeric entity that no issue may hold is parted, because nothing can be escaped in code."""
    for offset, _ in sorted(forbidden(text), reverse=True):
        text = f"{text[: offset + 1]}{JOINER}{text[offset + 1 :]}"
    return text


def outside(markdown: str) -> str:
    """Markdown for where no merge field is lifted: front matter, titles and options."""
    return re.sub(r"(\\\\)*\\\{\{", lambda found: f"{found[0][:-3]}&#123;{{", markdown)


def quoted(markdown: str) -> str:
    """Inline Markdown as the title of a picture in double quotes, which is read twice."""
    return _ENTITY.sub("&amp;", outside(markdown).replace("\\", "\\\\").replace('"', '\\"'))


def option(markdown: str) -> str:
    """Inline Markdown as the value of a container's option in double quotes."""
    return outside(markdown).replace("\\", "\\\\").replace('"', '\\"')


def guarded(line: str) -> str:
    """A line of Markdown that begins no block of another kind."""
    if found := _NUMBER.match(line):
        return f"{found[1]}\\{line[found.end(1) :]}"
    return f"\\{line}" if _OPENERS.match(line) else line


def address(href: str) -> str:
    """A link's address as it can stand in parentheses."""
    href = "".join(quote(char, safe="") if char in ' <>()\\"{}|^`\n\t' else char for char in clean(href))
    return _ENTITY.sub("&amp;", href)


# -- inline content ---------------------------------------------------------------------


def tidy(children: Inlines, styles: tuple[str, ...] = ()) -> Inlines:
    """Running text with neighbours of a kind made one, breaks outside of styles at their ends, and nothing empty.

    ``styles`` are those around it, which mean nothing a second time.
    """
    done: list[Inline] = []
    for each in (part for child in children for part in _hoisted(child, styles)):
        last = done[-1] if done else None
        if isinstance(each, Words) and isinstance(last, Words):
            done[-1] = Words(last.text + each.text)
        elif isinstance(each, Code) and isinstance(last, Code):
            done[-1] = Code(last.text + each.text)
        elif not isinstance(each, Words | Code) or each.text:
            done.append(each)
    return tuple(done)


def _hoisted(each: Inline, styles: tuple[str, ...]) -> Inlines:
    """A style or link with the breaks at its ends before and behind it; nothing when nothing is in it."""
    if not isinstance(each, Styled | Link):
        return (each,)
    if isinstance(each, Styled) and each.style in styles:
        return tidy(each.children, styles)
    inner = tidy(each.children, (*styles, each.style) if isinstance(each, Styled) else styles)
    core = trimmed(inner, Break)
    start = next((index for index, one in enumerate(inner) if not isinstance(one, Break)), len(inner))
    return (*inner[:start], *((each._replace(children=core),) if core else ()), *inner[start + len(core) :])


def trimmed(children: Inlines, *kinds: type) -> Inlines:
    """Running text without what is of these kinds at its ends."""
    left = list(children)
    while left and isinstance(left[0], kinds):
        left.pop(0)
    while left and isinstance(left[-1], kinds):
        left.pop()
    return tuple(left)


def inline(children: Inlines, *, single: bool = False, cell: bool = False) -> str:
    """Running text as Markdown; ``single`` keeps it on one line, ``cell`` makes it a table's."""
    done = list(tidy(children))
    while done and (isinstance(done[0], Break) or _is_space(done[0])):
        done.pop(0)
    while done and (isinstance(done[-1], Break) or _is_space(done[-1])):
        done.pop()
    text = _Writer(single=single or cell, cell=cell).text(tuple(done), "", "").strip(" ")
    # A backslash before the space that was taken away would break the line.
    text = f"{text}\\" if re.search(r"(?<!\\)(\\\\)*\\$", text) else text
    if single or cell:
        return text
    return "\n".join(guarded(line) for line in text.split("\n"))


def _is_space(each: Inline) -> bool:
    return isinstance(each, Words) and not each.text.strip(" \t\n\r")


class _Writer:
    def __init__(self, *, single: bool, cell: bool) -> None:
        self.single, self.cell = single, cell
        self.open: list[str] = []
        self._kinds: Mapping[type, Callable[[Any], str]] = {
            Words: lambda each: self._bars(literal(each.text)),
            Code: lambda each: self._code(each.text),
            Link: self._link,
            Break: lambda _: "<br>" if single else "\\\n",
            Mention: lambda each: f"[^{each.label}]",
            Image: self._image,
        }

    def text(self, children: Inlines, before: str, after: str) -> str:
        """``children`` between two neighbouring characters, by which emphasis is told from a star."""
        out = ""
        for index, each in enumerate(children):
            following = self._first(children[index + 1]) if index + 1 < len(children) else after
            piece = self._piece(each, _last(out) or before, following)
            if piece.startswith("[") and out.endswith(("!", "^")) and not out.endswith(("\\!", "\\^")):
                out = f"{out[:-1]}\\{out[-1]}"
            if isinstance(each, Words) and index and isinstance(children[index - 1], Image) and piece.startswith("{"):
                piece = f"\\{piece}"
            if isinstance(each, Break):
                out = out.rstrip(" ")
            elif index and isinstance(children[index - 1], Break):
                piece = piece.lstrip(" ")
            out += piece
        return out

    def _first(self, following: Inline) -> str:
        """The first character that a neighbour is written with, as far as emphasis asks."""
        if isinstance(following, Words):
            text = literal(following.text)
            return "x" if text.startswith("\\{{") else text[:1]
        return " " if isinstance(following, Break) else "*"

    def _piece(self, each: Inline, before: str, after: str) -> str:
        if isinstance(each, Styled):
            return self._styled(each, before, after)
        return str(self._kinds[type(each)](each))

    def _image(self, each: Image) -> str:
        return f"![{self._bars(outside(literal(each.alt.strip())))}]({address(each.source)})"

    def _bars(self, text: str) -> str:
        return text.replace("|", "\\|") if self.cell else text

    def _code(self, text: str) -> str:
        text = _SPACE.sub(" ", text)
        if (
            not text.strip()
            or forbidden(text)
            or ("{{" in text and not re.fullmatch(r"[^{}\"']*(\{\{[^{}\"'\n]*\}\}[^{}\"']*)*", text))
        ):
            return f"<samp>{self._bars(literal(text))}</samp>" if text.strip() else text
        fence = "`"
        while fence in re.findall("`+", text):
            fence += "`"
        pad = " " if text[0] in "` " or text[-1] in "` " else ""
        return f"{fence}{pad}{self._bars(text)}{pad}{fence}"

    def _styled(self, each: Styled, before: str, after: str) -> str:
        mark = _MARKS.get(each.style)
        self.open.append(each.style)
        inner = self.text(each.children, "*" if mark else ">", "*" if mark else "<")
        self.open.pop()
        core = inner.strip(" ")
        if not core:
            return inner
        lead, trail = inner[: len(inner) - len(inner.lstrip(" "))], inner[len(inner.rstrip(" ")) :]
        before, after = lead[-1:] or before, trail[:1] or after
        # Stars within stars, or within tags, could close each other: there they must stand between spaces.
        plain_ = not self.open or (before + after == "  " and core[0].isalnum() and core[-1].isalnum())
        if mark and plain_ and "\n" not in core and _opens(before, core) and _opens(after, core[::-1]):
            return f"{lead}{mark}{core}{mark}{trail}"
        return f"{lead}<{each.style}>{core}</{each.style}>{trail}"

    def _link(self, each: Link) -> str:
        label = plain(each.children)
        if isinstance(each.children[0], Words) and len(each.children) == 1 and not self.cell:
            if label == each.href and _PLAIN_URL.fullmatch(label):
                return f"<{label}>"
            if f"mailto:{label}" == each.href and _ADDRESS.fullmatch(label):
                return f"<{label}>"
        inner = self.text(each.children, "[", "]")
        core = inner.strip(" ")
        if not core:
            return inner
        lead, trail = inner[: len(inner) - len(inner.lstrip(" "))], inner[len(inner.rstrip(" ")) :]
        return f"{lead}[{core}]({self._bars(address(each.href))}){trail}"


def _opens(outer: str, core: str) -> bool:
    """Whether a run of stars between ``outer`` and ``core`` is one that CommonMark lets open (or close) emphasis."""
    inner = core[:1]
    if outer == "*" or inner in {"*", "<"} or inner.isspace():
        return False
    if not _punctuation(inner) or not outer or outer.isspace():
        return True
    # Versions of the specification differ on symbols: they count where they hinder, not where they help.
    return unicodedata.category(outer)[0] == "P"


def _last(text: str) -> str:
    """The last character as the parser sees it: braces have been lifted out by then, and left a letter."""
    return "x" if text.endswith("{{") else text[-1:]


def _punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] in "PS"
