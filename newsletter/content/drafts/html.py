"""HTML becomes blocks: what readers see of it is kept, what mail cannot hold is left out and named in place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin

from newsletter.content.drafts import notes, tables
from newsletter.content.drafts.nouns import (
    Article,
    Break,
    Cite,
    Code,
    Facts,
    Figure,
    Heading,
    Image,
    Items,
    Link,
    Mention,
    Paragraph,
    Remark,
    Rule,
    Styled,
    Verbatim,
    Words,
    holds,
    plain,
)
from newsletter.content.drafts.tree import BLOCKS, DROPPED, Element, head, parse
from newsletter.content.targets import SCHEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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


class _Wrap(NamedTuple):
    """A style, code or link around a run of text; ``key`` tells one element from its neighbours."""

    kind: str
    key: int
    href: str = ""


class _Run(NamedTuple):
    wraps: tuple[_Wrap, ...]
    inline: Inline


def read(text: str, *, base: str = "", made: bool = False, label: str = "") -> Article:
    """The article of a page or a piece of HTML; relative links are resolved against ``base`` or the page's own.

    ``made`` says that the HTML was made from Markdown, where nothing stands around the article, and a picture's
    title is its caption; ``label`` begins the names of its footnotes.
    """
    facts, root = head(text), parse(text)
    url = next((facts[key] for key in ("canonical", "og:url") if facts.get(key, "").startswith("http")), "")
    title = next((each.text() for each in root.find("title")), "") or facts.get("og:title", "")
    main, around = (root, "") if made else _main(root)
    reader = Reader(urljoin(base or url, facts.get("base", "")) or base or url, notes.find(main, label), made=made)
    blocks = reader.blocks(main)
    remarks = [*reader.attributes()]
    if around:
        remarks.append(Remark(f"Left out, because it stands around the article: {around}"))
    lang = facts.get("lang", "")
    return Article(
        (*remarks, *blocks),
        tuple((note.label, reader.blocks(note.element)) for note in reader.notes.values()),
        Facts(
            title=" ".join(title.split()),
            dek=" ".join((facts.get("description") or facts.get("og:description", "")).split()),
            authors=tuple(filter(None, (" ".join(facts.get("author", "").split()),))),
            lang=lang if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", lang) else "",
            url=url,
        ),
    )


def _main(root: Element) -> tuple[Element, str]:
    """The one element that holds the article, and the words around it; the whole page where it isn't marked."""
    for tag in ("article", "main"):
        found = [each for each in root.find(tag) if each.text()]
        if len(found) == 1:
            whole, inner = root.text(), found[0].text()
            title = " ".join(each.text() for each in root.find("title"))
            before, _, after = whole.removeprefix(title).partition(inner)
            if not found[0].find("h1") and (heads := [each for each in root.find("h1") if each.text()]):
                found[0].children.insert(0, heads[0])
                before = before.replace(heads[0].text(), "", 1)
            return found[0], " … ".join(filter(None, (before.strip(), after.strip())))
    return root, ""


class Reader:
    """Reads elements; what it leaves out is told once, in the order in which it was met."""

    def __init__(self, base: str, found: dict[str, notes.Found], *, made: bool) -> None:
        self.base, self.notes, self.made = base, found, made
        self.captions: dict[str, str] = {}
        self.handlers: dict[str, None] = {}
        self._keys = 0

    def blocks(self, element: Element, wraps: tuple[_Wrap, ...] = (), depth: int = 0) -> Blocks:
        """The blocks of what stands in an element."""
        flow = _Flow(self, depth)
        flow.walk(element, wraps)
        flow.flush()
        return tuple(flow.made)

    def attributes(self) -> list[Remark]:
        """A comment on the scripts in attributes, which stand in no place of their own."""
        return [Remark(f"Left out, because mail runs no scripts: {', '.join(self.handlers)}.")] if self.handlers else []

    def key(self) -> int:
        """A number that no other element has."""
        self._keys += 1
        return self._keys

    def target(self, href: str) -> tuple[str, str]:
        """A link's address, or why there is none."""
        href = _SPACES.sub("", href) if href.lower().startswith(("http", "javascript")) else href.strip()
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", href)
        if scheme and scheme[0][:-1].lower() not in SCHEMES:
            return "", f"Left out, a link of a kind that mail cannot hold: {href[:200]}"
        if not scheme and self.base:
            href = urljoin(self.base, href)
        elif not scheme and href.startswith("//"):
            href = f"https:{href}"
        elif not scheme:
            return "", f"Left out, a link that leads nowhere from a mail; write the whole address: {href[:200]}"
        if href.lower().startswith("http") and not re.match(r"https?://[^/?#\\\s]+", href, re.IGNORECASE):
            return "", f"Left out, a link without a host: {href[:200]}"
        return href, ""


class _Flow:
    """The blocks of one container as they are made, and the run of text that is not a block yet."""

    def __init__(self, reader: Reader, depth: int) -> None:
        self.reader, self.depth = reader, depth
        self.made: list[Block] = []
        self.runs: list[_Run] = []
        self.remarks: list[Remark] = []

    def walk(self, element: Element, wraps: tuple[_Wrap, ...]) -> None:
        """Take in everything that stands in ``element``."""
        for child in element.children:
            if isinstance(child, str):
                self.runs.append(_Run(wraps, Words(_SPACES.sub(" ", child))))
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

    def _is_note(self, element: Element, wraps: tuple[_Wrap, ...]) -> bool:
        """Whether an element is the mark, the text or the way back of a footnote, which have their own places."""
        reader = self.reader
        if any(note.element is element for note in reader.notes.values()):
            return True
        if element.tag == "a" and (href := element.get("href")).startswith("#"):
            if any(href[1:] in note.backs for note in reader.notes.values()):
                return True
            if note := reader.notes.get(href[1:]):
                self.runs.append(_Run(tuple(w for w in wraps if w.kind != "sup"), Mention(note.label)))
                return True
        return False

    # -- running text -----------------------------------------------------------------

    def _inline(self, element: Element, wraps: tuple[_Wrap, ...]) -> None:
        tag = element.tag
        if tag == "br":
            self.runs.append(_Run((), Break()))
        elif tag == "img":
            self._image(element, wraps)
        elif tag == "a":
            self._anchor(element, wraps)
        elif tag in {"code", "tt"}:
            self.walk(element, (*wraps, _Wrap("code", self.reader.key())))
        elif tag in _STYLES and len(wraps) < _DEEPEST:
            self.walk(element, (*wraps, _Wrap(_STYLES[tag], self.reader.key())))
        elif tag != "wbr":
            self.walk(element, wraps)

    def _anchor(self, element: Element, wraps: tuple[_Wrap, ...]) -> None:
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
            self.walk(element, (*wraps, _Wrap("link", self.reader.key(), target)))

    def _image(self, element: Element, wraps: tuple[_Wrap, ...]) -> None:
        source = next(
            (element.get(key) for key in ("data-src", "data-original", "data-lazy-src") if element.get(key)), ""
        )
        source = source or element.get("src") or element.get("srcset").strip().partition(" ")[0]
        alt = " ".join(element.get("alt").split())
        if {element.get("width"), element.get("height")} <= {"0", "1", "0px", "1px"} and element.get("width"):
            self.remarks.append(Remark(f"Left out, a picture of one pixel: {source[:300]}"))
        elif re.search(r"\b(?:wp-smiley|emoji)\b", element.get("class")) and alt:
            self.runs.append(_Run(wraps, Words(alt)))
        elif source:
            self.runs.append(_Run(wraps, Image(source, alt, self.reader.base)))
            if self.reader.made and (title := " ".join(element.get("title").split())):
                self.reader.captions[source] = title

    def flush(self) -> None:
        """Make blocks of the text so far."""
        self.made += self.remarks
        runs, self.runs, self.remarks = self.runs, [], []
        paragraph: list[_Run] = []
        for index, run in enumerate(runs):
            following = next((r for r in runs[index + 1 :] if r.inline != Words(" ")), None)
            if isinstance(run.inline, Break) and following and isinstance(following.inline, Break):
                self._paragraph(paragraph)
                paragraph = []
            else:
                paragraph.append(run)
        self._paragraph(paragraph)

    def _paragraph(self, runs: Sequence[_Run]) -> None:
        children = _trimmed(_nested(runs, 0))
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

    def _block(self, element: Element, wraps: tuple[_Wrap, ...]) -> None:
        kinds: Mapping[str, Callable[[Element, tuple[_Wrap, ...]], None]] = {
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

    def _inner(self, element: Element, wraps: tuple[_Wrap, ...]) -> Blocks:
        """What stands in an element as blocks of its own, or here where it gets too deep."""
        return self.reader.blocks(element, wraps, self.depth + 1)

    def _heading(self, element: Element, wraps: tuple[_Wrap, ...]) -> None:
        for block in self._inner(element, wraps):
            self.made.append(Heading(int(element.tag[1]), block.children) if isinstance(block, Paragraph) else block)

    def _list(self, element: Element, wraps: tuple[_Wrap, ...]) -> None:
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

    def _cite(self, element: Element, wraps: tuple[_Wrap, ...]) -> None:
        if self.depth >= _DEEPEST:
            self.walk(element, wraps)
        elif inner := self._inner(element, wraps):
            self.made.append(Cite(inner))

    def _pre(self, element: Element, _wraps: tuple[_Wrap, ...]) -> None:
        named = " ".join(each.get("class") for each in element.all())
        language = _LANGUAGE.search(named)
        self.made.append(Verbatim(_as_is(element), language[1] if language else ""))

    def _table(self, element: Element, wraps: tuple[_Wrap, ...]) -> None:
        self.made += tables.read(element, lambda cell: self._inner(cell, wraps))

    def _nav(self, element: Element, _wraps: tuple[_Wrap, ...]) -> None:
        if words := element.text():
            self.made.append(Remark(f"Left out, the page's navigation: {words}"))

    def _figure(self, element: Element, wraps: tuple[_Wrap, ...]) -> None:
        captions = [
            each for each in element.all()
            if each.tag == "figcaption" or re.search(r"\bwp-caption-text\b", each.get("class"))
        ]  # fmt: skip
        caption = [block for each in captions[:1] for block in self._inner(each, wraps)]
        if captions:
            _take_out(element, captions[0])
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


def _take_out(element: Element, wanted: Element) -> None:
    for each in element.all():
        each.children = [child for child in each.children if child is not wanted]


def _as_is(element: Element) -> str:
    parts = []
    for child in element.children:
        parts.append(child if isinstance(child, str) else "\n" if child.tag == "br" else _as_is(child))
    return "".join(parts)


# -- runs to running text -----------------------------------------------------------------


def _nested(runs: Sequence[_Run], level: int) -> Inlines:
    """Runs as a tree: neighbours that share a wrap at ``level`` are put into it together."""
    done: list[Inline] = []
    at = 0
    while at < len(runs):
        wraps = runs[at].wraps
        if len(wraps) <= level:
            done.append(runs[at].inline)
            at += 1
            continue
        end = at + 1
        while end < len(runs) and runs[end].wraps[level : level + 1] == (wraps[level],):
            end += 1
        inner = _nested(runs[at:end], level + 1)
        wrap = wraps[level]
        if wrap.kind == "code":
            done += [Code(each.text) if isinstance(each, Words) else each for each in inner]
        elif wrap.kind == "link":
            done.append(Link(wrap.href, inner))
        elif plain(inner).strip() or holds(inner, Image, Mention):
            done.append(Styled(wrap.kind, inner))
        else:
            done += inner
        at = end
    return tuple(done)


def _trimmed(children: Inlines) -> Inlines:
    """Without the space and the breaks around, and without double spaces between neighbours."""
    left = list(children)

    def empty(each: Inline) -> bool:
        return isinstance(each, Break) or (isinstance(each, Words) and not each.text.strip(" "))

    while left and empty(left[0]):
        left.pop(0)
    while left and empty(left[-1]):
        left.pop()
    return tuple(left)
