"""Elements become blocks: what is text, what is left out and named, and what a paragraph is made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.content.drafts import notes, tables
from newsletter.content.drafts.nouns import (
    Break,
    Cite,
    Figure,
    Heading,
    Image,
    Items,
    Link,
    Mention,
    Paragraph,
    Remark,
    Rule,
    Verbatim,
    Words,
    holds,
    plain,
)
from newsletter.content.drafts.runs import Run, Wrap, nested, trimmed
from newsletter.content.drafts.tree import BLOCKS, DROPPED, Element

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from newsletter.content.drafts.html import Reader
    from newsletter.content.drafts.nouns import Block, Blocks, Inline, Inlines

_STYLES: Mapping[str, str] = {
    "b": "strong", "strong": "strong", "i": "em", "em": "em", "dfn": "em", "cite": "cite", "s": "s", "strike": "s",
    "del": "del", "ins": "ins", "u": "u", "sub": "sub", "sup": "sup", "mark": "mark", "small": "small", "kbd": "kbd",
    "q": "q", "var": "var", "samp": "samp",
}  # fmt: skip
_DEEPEST = 8
_HIDDEN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_ANCHORS = frozenset({"", "#", "¶", "§", "🔗"})
_LANGUAGE = re.compile(r"(?:language|lang|highlight-source|brush:)[-\s]?([A-Za-z0-9+#]+)")
_SPACES = re.compile(r"[ \t\n\f\r]+")


class Flow:
    """The blocks of one container as they are made, and the run of text that is not a block yet."""

    def __init__(self, reader: Reader, depth: int) -> None:
        self.reader, self.depth = reader, depth
        self.made: list[Block] = []
        self.runs: list[Run] = []
        self.remarks: list[Remark] = []

    def walk(self, element: Element, wraps: tuple[Wrap, ...]) -> None:
        """Take in everything that stands in ``element``."""
        for child in element.children:
            if isinstance(child, str):
                self.runs.append(Run(wraps, Words(_SPACES.sub(" ", child))))
                continue
            self._attributes(child)
            if child.tag in DROPPED:
                self._drop(child)
            elif child.tag == "title" or self._is_note(child, wraps):
                continue
            elif "hidden" in child.attributes or _HIDDEN.search(child.get("style")):
                if words := child.text():
                    self.remarks.append(Remark(f"Left out, because the page does not show it: {words}"))
            elif child.tag in BLOCKS:
                self.flush()
                self._block(child, wraps)
                self.flush()
            else:
                self._inline(child, wraps)

    def _attributes(self, element: Element) -> None:
        for name in element.attributes:
            if name.startswith("on"):
                self.reader.handlers[f"{name} on <{element.tag}>"] = None

    def _drop(self, element: Element) -> None:
        if element.tag in {"meta", "link", "base", "param"}:
            return
        source = element.get("src") or element.get("data") or next((e.get("src") for e in element.find("source")), "")
        what = f"<{element.tag}>{f' {source[:300]}' if source and not source.startswith('data:') else ''}"
        words = element.text() if element.tag in {"select", "textarea", "object", "video", "audio", "dialog"} else ""
        inner = " ".join(" ".join(each for each in element.children if isinstance(each, str)).split())
        words = words or (inner if element.tag in {"svg", "canvas", "map", "select", "textarea", "dialog"} else "")
        self.remarks.append(Remark(f"Left out, because mail cannot hold it: {what}{f': {words}' if words else ''}"))

    def _is_note(self, element: Element, wraps: tuple[Wrap, ...]) -> bool:
        """Whether an element is the mark, the text or the way back of a footnote, which have their own places."""
        reader = self.reader
        if id(element) in reader.note_texts:
            return True
        if element.tag == "a" and (href := element.get("href")).startswith("#"):
            if href[1:] in reader.backs:
                return True
            if note := reader.notes.get(href[1:]):
                self.runs.append(Run(tuple(w for w in wraps if w.kind != "sup"), Mention(note.label)))
                return True
        return False

    # -- running text -----------------------------------------------------------------

    def _inline(self, element: Element, wraps: tuple[Wrap, ...]) -> None:
        tag = element.tag
        if tag == "br":
            self.runs.append(Run((), Break()))
        elif tag == "img":
            self._image(element, wraps)
        elif tag == "a":
            self._anchor(element, wraps)
        elif tag in {"code", "tt"}:
            self.walk(element, (*wraps, Wrap("code", self.reader.key())))
        elif tag in _STYLES and len(wraps) < _DEEPEST:
            self.walk(element, (*wraps, Wrap(_STYLES[tag], self.reader.key())))
        elif tag != "wbr":
            self.walk(element, wraps)

    def _anchor(self, element: Element, wraps: tuple[Wrap, ...]) -> None:
        href = element.get("href")
        if href.startswith("#") or not href or any(wrap.kind == "link" for wrap in wraps):
            if not (href.startswith("#") and element.text() in _ANCHORS and not element.find("img")):
                self.walk(element, wraps)
            return
        target, reason = self.reader.target(href)
        if reason:
            self.remarks.append(Remark(reason))
            self.walk(element, wraps)
        else:
            self.walk(element, (*wraps, Wrap("link", self.reader.key(), target)))

    def _image(self, element: Element, wraps: tuple[Wrap, ...]) -> None:
        source = next(
            (element.get(key) for key in ("data-src", "data-original", "data-lazy-src") if element.get(key)), ""
        )
        source = source or element.get("src") or element.get("srcset").strip().partition(" ")[0]
        alt = " ".join(element.get("alt").split())
        if {element.get("width"), element.get("height")} <= {"0", "1", "0px", "1px"} and element.get("width"):
            self.remarks.append(Remark(f"Left out, a picture of one pixel: {source[:300]}"))
        elif re.search(r"\b(?:wp-smiley|emoji)\b", element.get("class")) and alt:
            self.runs.append(Run(wraps, Words(alt)))
        elif source:
            self.runs.append(Run(wraps, Image(source, alt, self.reader.base)))
            if self.reader.made and (title := " ".join(element.get("title").split())):
                self.reader.captions[source] = title

    def flush(self) -> None:
        """Make blocks of the text so far."""
        self.made += self.remarks
        runs, self.runs, self.remarks = self.runs, [], []
        paragraph: list[Run] = []
        for index, run in enumerate(runs):
            if isinstance(run.inline, Break) and _another(runs, index):
                self._paragraph(paragraph)
                paragraph = []
            else:
                paragraph.append(run)
        self._paragraph(paragraph)

    def _paragraph(self, runs: Sequence[Run]) -> None:
        children = trimmed(nested(runs, 0))
        if not children or not (plain(children).strip() or holds(children, Image, Mention)):
            return
        lone = children[0] if len(children) == 1 else None
        if isinstance(lone, Image):
            self.made.append(Figure(lone, self._caption(lone)))
        elif isinstance(lone, Link) and len(lone.children) == 1 and isinstance(image := lone.children[0], Image):
            self.made.append(Figure(image, self._caption(image), href=lone.href))
        else:
            self.made.append(Paragraph(children))

    def _caption(self, image: Image) -> Inlines:
        title = self.reader.captions.get(image.source)
        return (Words(title),) if title else ()

    # -- blocks -----------------------------------------------------------------------

    def _block(self, element: Element, wraps: tuple[Wrap, ...]) -> None:
        kinds: Mapping[str, Callable[[Element, tuple[Wrap, ...]], None]] = {
            **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), self._heading),
            **dict.fromkeys(("ul", "ol", "menu", "dir"), self._list),
            "blockquote": self._cite,
            "pre": self._pre,
            "table": self._table,
            "figure": self._figure,
            "nav": self._nav,
        }
        if element.tag == "hr":
            self.made += () if "footnotes-sep" in element.get("class") else (Rule(),)
        elif re.search(r"\bwp-caption\b", element.get("class")):
            self._figure(element, wraps)
        elif re.search(r"\bfootnotes?\b", element.get("class")) and notes.emptied(element, self.reader.notes):
            return
        else:
            kinds.get(element.tag, self.walk)(element, wraps)

    def _inner(self, element: Element, wraps: tuple[Wrap, ...]) -> Blocks:
        """What stands in an element as blocks of its own, or here where it gets too deep."""
        return self.reader.blocks(element, wraps, self.depth + 1)

    def _heading(self, element: Element, wraps: tuple[Wrap, ...]) -> None:
        for block in self._inner(element, wraps):
            self.made.append(Heading(int(element.tag[1]), block.children) if isinstance(block, Paragraph) else block)

    def _list(self, element: Element, wraps: tuple[Wrap, ...]) -> None:
        if self.depth >= _DEEPEST:
            self.walk(element, wraps)
            return
        items: list[Blocks] = []
        for child in element.children:
            if isinstance(child, Element) and child.tag == "li" and not self._is_note(child, wraps):
                self._attributes(child)
                items.append(self._inner(child, wraps))
            elif (isinstance(child, str) and child.strip()) or (isinstance(child, Element) and child.tag != "li"):
                holder = Element("", {})
                holder.children = [child]
                stray = self._inner(holder, wraps)
                items = [*items[:-1], items[-1] + stray] if items else [stray]
        # A comment in an item would tear the list apart.
        self.made += [block for item in items for block in item if isinstance(block, Remark)]
        start = re.fullmatch(r"\d{1,9}", element.get("start"))
        kept = tuple(tuple(block for block in item if not isinstance(block, Remark)) for item in items)
        if kept := tuple(filter(None, kept)):
            self.made.append(Items(kept, (int(start[0]) if start else 1) if element.tag == "ol" else None))

    def _cite(self, element: Element, wraps: tuple[Wrap, ...]) -> None:
        if self.depth >= _DEEPEST:
            self.walk(element, wraps)
        elif inner := self._inner(element, wraps):
            self.made.append(Cite(inner))

    def _pre(self, element: Element, _wraps: tuple[Wrap, ...]) -> None:
        named = " ".join(each.get("class") for each in element.all())
        language = _LANGUAGE.search(named)
        self.made.append(Verbatim(element.as_is(), language[1] if language else ""))

    def _table(self, element: Element, wraps: tuple[Wrap, ...]) -> None:
        self.made += tables.read(element, lambda cell: self._inner(cell, wraps))

    def _nav(self, element: Element, _wraps: tuple[Wrap, ...]) -> None:
        if words := element.text():
            self.made.append(Remark(f"Left out, the page's navigation: {words}"))

    def _figure(self, element: Element, wraps: tuple[Wrap, ...]) -> None:
        captions = [
            each for each in element.all()
            if each.tag == "figcaption" or re.search(r"\bwp-caption-text\b", each.get("class"))
        ]  # fmt: skip
        caption = [block for each in captions[:1] for block in self._inner(each, wraps)]
        if captions:
            element.take_out(captions[0])
        inner = self._inner(element, wraps)
        pictures = [block for block in inner if isinstance(block, Figure)]
        words: list[Inline] = []
        for block in caption:
            if isinstance(block, Paragraph):
                words += [Words(" "), *block.children] if words else block.children
        simple = all(isinstance(block, Paragraph | Remark) for block in caption) and not holds(
            tuple(words), Image, Mention
        )
        remarks = [block for block in caption if isinstance(block, Remark)]
        if simple and pictures:
            self.made += remarks
            self.made += [block._replace(caption=tuple(words)) if block is pictures[-1] else block for block in inner]
        else:
            self.made += [*inner, *caption]


def _another(runs: Sequence[Run], index: int) -> bool:
    """Whether a break is followed by one more."""
    index += 1
    while index < len(runs) and runs[index].inline == Words(" "):
        index += 1
    return index < len(runs) and isinstance(runs[index].inline, Break)
