"""RSS 0.9 to 2.0, RDF and Atom become a list of entries, in the order of the file."""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from html import unescape
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin

from newsletter.content.drafts import html, plain, xml
from newsletter.content.drafts.nouns import Article
from newsletter.errors import BadInput

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_BASE = "http://www.w3.org/XML/1998/namespace\nbase"
_LANG = "http://www.w3.org/XML/1998/namespace\nlang"
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_MEDIA = "http://search.yahoo.com/mrss/"
_DATES = ("published", "pubdate", "date", "issued", "updated", "modified")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|&(?:#\d+|#x[0-9A-Fa-f]+|[A-Za-z]+);")


class Entry(NamedTuple):
    """One entry: its texts as HTML or plain text, still to be read."""

    title: str
    url: str
    date: dt.datetime | None
    author: str
    text: str
    picture: str
    base: str

    def article(self, label: str = "") -> Article:
        """What stands in the entry; ``label`` begins the names of its footnotes."""
        if _MARKUP.search(self.text):
            return html.read(self.text, base=self.base, label=label)
        return plain.read(self.text, label=label) if self.text.strip() else Article(())


class Feed(NamedTuple):
    """A feed with its entries."""

    title: str
    about: str
    url: str
    lang: str
    entries: tuple[Entry, ...]


def read(text: str, shown: str) -> Feed:
    """The feed in an XML file.

    Raises ``BadInput`` for what is no XML, no feed, or a feed without entries.
    """
    try:
        root = xml.parse(text)
    except xml.Unreadable as error:
        message = f"{shown}:{error.line}: this feed cannot be read: {error}"
        raise BadInput(message, hint="Save the feed again, or name what it is: --as html") from None
    if xml.name(root) not in {"rss", "feed", "rdf"}:
        message = f"{shown}: this is not a feed: it begins with <{xml.name(root)}>"
        raise BadInput(message, hint="RSS and Atom can be read; for anything else name what it is: --as html") from None
    channel = _child(root, "channel")
    about = root if channel is None else channel
    base = root.get(_BASE, "") or _link(about, "")
    entries = tuple(_entry(each, base) for each in root.iter() if xml.name(each) in {"item", "entry"})
    if not entries:
        raise BadInput(f"{shown}: this feed has no entries", hint="Save it again when there are some.")
    return Feed(
        _words(_child(about, "title")),
        _words(_child(about, "subtitle", "description", "tagline")),
        _link(about, base),
        _text(_child(about, "language")) or root.get(_LANG, ""),
        entries,
    )


def _entry(item: Element, base: str) -> Entry:
    base = urljoin(base, item.get(_BASE, ""))
    url = _link(item, base)
    content = next(
        (each for each in item if xml.name(each) in {"encoded", "content"} and xml.space(each) != _MEDIA), None
    )
    text = _markup(content) or _markup(_child(item, "description", "summary"))
    inner = content if content is not None else item
    return Entry(
        _words(_child(item, "title")),
        url,
        next((found for name in _DATES if (found := _date(_text(_child(item, name))))), None),
        _author(item),
        text,
        _picture(item),
        urljoin(base or url, inner.get(_BASE, "")) or url,
    )


def _child(element: Element, *names: str) -> Element | None:
    """The first child by the first of these names; of Media RSS none, whose titles are those of pictures."""
    for name in names:
        for each in element:
            if xml.name(each) == name and xml.space(each) != _MEDIA:
                return each
    return None


def _text(element: Element | None) -> str:
    return "".join(element.itertext()).strip() if element is not None else ""


def _words(element: Element | None) -> str:
    """A title as plain words; it may be HTML, and often says so nowhere."""
    text = _markup(element)
    if re.search(r"</?[A-Za-z][^<>]*>", text):
        from newsletter.content.drafts.tree import parse

        return parse(text).text()
    return " ".join(unescape(text).split())


def _markup(element: Element | None) -> str:
    """The text of an element, as HTML where it holds elements itself (Atom's ``xhtml``)."""
    if element is None:
        return ""
    if not len(element):
        return (element.text or "").strip()
    return "".join([_escaped(element.text or ""), *map(_written, element)]).strip()


def _written(element: Element) -> str:
    name = xml.name(element)
    attributes = "".join([f' {_local(key)}="{_escaped(value)}"' for key, value in element.items()])
    inner = "".join([_escaped(element.text or ""), *map(_written, element)])
    tail = _escaped(element.tail or "")
    return (
        f"<{name}{attributes}>{tail}" if name in {"br", "hr", "img"} else f"<{name}{attributes}>{inner}</{name}>{tail}"
    )


def _local(key: str) -> str:
    return key.rpartition("\n")[2]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _link(element: Element, base: str) -> str:
    links = [each for each in element if xml.name(each) == "link"]
    named = [each for each in links if each.get("href") and each.get("rel", "alternate") == "alternate"]
    found = named[0].get("href", "") if named else next((_text(each) for each in links if _text(each)), "")
    guid = _child(element, "guid")
    if not found and guid is not None and guid.get("isPermaLink", "true") == "true":
        found = _text(guid)
    url = urljoin(base, found.strip()) if found else ""
    return url if re.match(r"https?://[^/?#\\\s]+", url, re.IGNORECASE) else ""


def _author(item: Element) -> str:
    element = _child(item, "creator", "author")
    if element is None:
        return ""
    named = _text(_child(element, "name")) or _text(element)
    # RSS wants an address with the name in parentheses.
    found = re.fullmatch(r"\S+@\S+\s*\((.+)\)", named)
    return " ".join((found[1] if found else named).split())


def _picture(item: Element) -> str:
    for each in item.iter():
        kind = each.get("type", "") or each.get("medium", "")
        url = each.get("url", "") or (each.get("href", "") if each.get("rel") == "enclosure" else "")
        if url and (xml.name(each) == "thumbnail" or kind.startswith("image")):
            return url
    return ""


def _date(text: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        try:
            found = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
