"""HTML becomes blocks: what readers see of it is kept, what mail cannot hold is left out and named in place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from newsletter.content.drafts import notes
from newsletter.content.drafts.flow import Flow
from newsletter.content.drafts.nouns import (
    Article,
    Facts,
    Remark,
)
from newsletter.content.drafts.tree import Element, head, parse
from newsletter.content.targets import SCHEMES

if TYPE_CHECKING:
    from newsletter.content.drafts.nouns import Blocks
    from newsletter.content.drafts.runs import Wrap

_SPACES = re.compile(r"[ \t\n\f\r]+")


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
        self.note_texts = {id(note.element) for note in found.values()}
        self.backs = {back for note in found.values() for back in note.backs}
        self.captions: dict[str, str] = {}
        self.handlers: dict[str, None] = {}
        self._keys = 0

    def blocks(self, element: Element, wraps: tuple[Wrap, ...] = (), depth: int = 0) -> Blocks:
        """The blocks of what stands in an element."""
        flow = Flow(self, depth)
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
