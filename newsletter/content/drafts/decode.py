"""The bytes of a source as text, and what kind of source it is."""

from __future__ import annotations

import codecs
import re
from typing import Literal, NamedTuple

from newsletter.content.drafts.escape import clean
from newsletter.content.source import UNPRINTABLE
from newsletter.errors import BadInput

LARGEST = 20_000_000
"""Bytes; a source larger than this is taken for a mistake. Pictures may stand in it as text."""

Kind = Literal["text", "markdown", "html", "feed"]
KINDS: tuple[Kind, ...] = ("text", "markdown", "html", "feed")

_ENDINGS: dict[str, Kind] = {
    "txt": "text", "text": "text", "md": "markdown", "markdown": "markdown", "mdown": "markdown", "mkd": "markdown",
    "html": "html", "htm": "html", "xhtml": "html", "rss": "feed", "atom": "feed", "xml": "feed", "rdf": "feed",
}  # fmt: skip
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(
    rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._:-]+)|<meta[^>]*?charset\s*=\s*[\"']?\s*([A-Za-z0-9._:-]+)",
    re.IGNORECASE,
)
_OTHERS = (
    (b"%PDF", "a PDF", "Copy its text into a file, or save it as HTML."),
    (b"PK\x03\x04", "a Word, OpenDocument or ZIP file", "Save it as HTML or plain text in the program it comes from."),
    (b"\xd0\xcf\x11\xe0", "an old Word file", "Save it as HTML or plain text in the program it comes from."),
    (b"{\\rtf", "an RTF file", "Save it as HTML or plain text in the program it comes from."),
    (b"\x89PNG", "a picture", "Name the text; pictures are taken along with it."),
    (b"\xff\xd8\xff", "a picture", "Name the text; pictures are taken along with it."),
    (b"GIF8", "a picture", "Name the text; pictures are taken along with it."),
)
_BEFORE = re.compile(r"(?:<\?[^>]*>|<!--.*?-->|<!DOCTYPE(?! html)[^>]*>)\s*", re.DOTALL | re.IGNORECASE)
_FEED = re.compile(r"<(?:rss|feed|(?:\w+:)?RDF)\b")
_PAGE = re.compile(r"<(?:!doctype html|html|head|body|article|main|section)\b", re.IGNORECASE)
_TAG = re.compile(r"</(?:p|div|h[1-6]|ul|ol|a|em|strong|b|i|span|table)>", re.IGNORECASE)
_SIGNS = (
    re.compile(r"^#{1,6} \S", re.MULTILINE),
    re.compile(r"\]\([^)\s]+\)"),
    re.compile(r"^(?:```|~~~)", re.MULTILINE),
    re.compile(r"\*\*\S[^*\n]*\S\*\*"),
    re.compile(r"\A---\n(?:[\w-]+:.*\n)+---\n"),
    re.compile(r"^\|?\s*:?-{3,}:?\s*\|", re.MULTILINE),
)


class Source(NamedTuple):
    """A source as text.

    ``guessed`` is the encoding that nothing in it names, ``dropped`` counts the characters that no text may hold.
    """

    text: str
    guessed: str = ""
    dropped: int = 0


def decode(raw: bytes, shown: str, encoding: str = "") -> Source:
    """The text of ``raw``, by the encoding that is asked for, its BOM, its own word, or UTF-8.

    Raises ``BadInput`` for what is empty, too large or no text.
    """
    if not raw.strip():
        raise BadInput(f"{shown}: there is nothing in it", hint="Name a file that holds the draft.")
    if len(raw) > LARGEST:
        raise BadInput(f"{shown}: this is larger than {LARGEST:,} bytes", hint="Cut the draft into several issues.")
    for sign, what, hint in _OTHERS:
        if raw.startswith(sign):
            raise BadInput(f"{shown}: this is {what}, which cannot be read", hint=hint)
    source = _decoded(raw, shown, encoding)
    text = clean(source.text.removeprefix("\ufeff"))
    if not text.strip():
        raise BadInput(f"{shown}: there is nothing in it", hint="Name a file that holds the draft.")
    return source._replace(text=text, dropped=len(UNPRINTABLE.findall(re.sub("[\x0b\x0c\x85]", "", source.text))))


def _decoded(raw: bytes, shown: str, encoding: str) -> Source:
    bom = next((name for sign, name in _BOMS if raw.startswith(sign)), "")
    if not bom and b"\0" in raw:
        raise BadInput(f"{shown}: this is not a text", hint="Save the draft as plain text, Markdown or HTML.")
    found = _DECLARED.search(raw[:4096])
    declared = (found[1] or found[2]).decode() if found else ""
    wanted = encoding or bom or _known(declared)
    if wanted:
        try:
            return Source(raw.decode(wanted))
        except UnicodeDecodeError as error:
            if encoding or bom:
                message = f"{shown}: this is not {wanted} (byte {error.start + 1:,})"
                raise BadInput(message, hint="Name its encoding, for example: --encoding windows-1252") from None
        except LookupError:
            raise BadInput(f"there is no encoding “{encoding}”", hint="For example: --encoding windows-1252") from None
    try:
        return Source(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Source(_western(raw, shown, error.start), "windows-1252")


def _known(declared: str) -> str:
    """A declared encoding as it is really meant: browsers read Latin-1 as Windows-1252, and so does everybody."""
    try:
        name = codecs.lookup(declared).name if declared else ""
    except LookupError:
        return ""
    return "windows-1252" if name in {"iso8859-1", "ascii"} else name


def _western(raw: bytes, shown: str, at: int) -> str:
    """Windows-1252, where so few letters are not ASCII that it must be a Western text."""
    foreign = sum(byte >= 0x80 for byte in raw)
    hint = "Save it as UTF-8, or name its encoding, for example: --encoding windows-1251"
    if foreign * 6 > len(raw):
        raise BadInput(f"{shown}: this is not UTF-8 (byte {at + 1:,}), and it does not say what it is", hint=hint)
    try:
        return raw.decode("windows-1252")
    except UnicodeDecodeError:
        raise BadInput(f"{shown}: this is not a text, or of an unknown encoding (byte {at + 1:,})", hint=hint) from None


def kind_of(text: str, name: str) -> Kind:
    """What a source is: by what stands in it where that is plain, else by its name, else by its signs."""
    head = text.lstrip()[:20_000]
    while before := _BEFORE.match(head):
        head = head[before.end() :]
    if _FEED.match(head):
        return "feed"
    if _PAGE.match(head):
        return "html"
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    if head.startswith("<") and len(_TAG.findall(head)) > 1:
        return "html"
    signs = sum(1 for sign in _SIGNS if sign.search(head))
    strong = _SIGNS[4].search(head) or len(_SIGNS[0].findall(head)) > 1
    return "markdown" if strong or signs > 1 else "text"
