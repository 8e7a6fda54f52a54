"""The nouns of the house: frozen, and one type for each stage.

``Issue`` is what the author wrote, ``Edition`` is what is sent, ``Finding`` is what the
pre-flight says about it. Text that holds a merge field carries one *mark* in its place
(see ``newsletter.personal``); the mark's number is an index into ``fields``.

Small nouns are named tuples: a build makes some fifty such classes at every start, and a frozen dataclass
takes five to ten times as long to make.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import datetime as dt

# -- places ---------------------------------------------------------------------------


class Place(NamedTuple):
    """A position in a file the author can open; line and column count from 1."""

    path: str
    line: int = 1
    col: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.col}"


class Mailbox(NamedTuple):
    """A sender: display name (may be empty) and address, both free of control characters."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The part after the last ``@``."""
        return self.address.rpartition("@")[2]


# -- merge fields ---------------------------------------------------------------------


class Filter(NamedTuple):
    """One ``| name(args)`` of a merge field; arguments are text."""

    name: str
    args: tuple[str, ...] = ()


class Field(NamedTuple):
    """A merge field as the author wrote it: ``{{ name | filter(…) }}``."""

    name: str
    filters: tuple[Filter, ...] = ()
    source: str = ""
    place: Place | None = None

    @property
    def default(self) -> str | None:
        """The text of the first ``default`` filter, or ``None`` without one."""
        return next((f.args[0] for f in self.filters if f.name == "default"), None)


Context = Literal["html", "url", "link", "text", "header"]
"""Where a value is put: HTML text or attribute, part of a URL, a URL that needs no encoding, plain text, a header."""


class Slot(NamedTuple):
    """A place for one value: an index into ``Edition.fields`` and the context to escape for."""

    field: int
    context: Context


Template = tuple["str | Slot", ...]
"""Static text and slots; joining them with one person's values gives that person's text."""

# -- conditions -----------------------------------------------------------------------

Op = Literal["==", "!=", "<", "<=", ">", ">=", "in", "has", "not", "and", "or"]


class Condition(NamedTuple):
    """What decides who gets a part: one value compared (``name``, ``values``), or other conditions (``inner``).

    ``has`` asks whether there is a value at all. ``and`` of nothing always holds, ``or`` of nothing never.
    """

    op: Op
    name: str = ""
    values: tuple[str, ...] = ()
    inner: tuple[Condition, ...] = ()


class Choice(NamedTuple):
    """A part of the mail that a condition decides, with the choices inside its two sides.

    ``name`` is the condition's own in the keys of variants; equal conditions share one.
    """

    name: str
    condition: Condition
    then: tuple[Choice, ...] = ()
    otherwise: tuple[Choice, ...] = ()
    place: Place | None = None


# -- pictures -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture: ``name`` is its content hash and ending; sizes are pixels of the file."""

    name: str
    data: bytes = field(repr=False)
    media_type: str
    width: int
    height: int
    place: Place
    animated: bool = False


# -- inline content -------------------------------------------------------------------


class Text(NamedTuple):
    """Plain characters, marks included."""

    text: str


Style = Literal[
    "strong", "em", "s", "sub", "sup", "mark", "u", "small", "kbd", "ins", "del", "abbr", "cite", "q", "var", "samp"
]


class Styled(NamedTuple):
    """Emphasis and its like, around other inline content; ``title`` serves ``abbr``."""

    style: Style
    children: Inlines
    title: str = ""


class Code(NamedTuple):
    """Inline code; always literal."""

    text: str


class Link(NamedTuple):
    """A link; ``href`` may hold marks in its path, query or fragment."""

    href: str
    children: Inlines
    place: Place
    title: str = ""


class Break(NamedTuple):
    """A line break; a soft one may be shown as a space."""

    hard: bool


class InlineImage(NamedTuple):
    """A picture in running text; one that stands alone in its paragraph becomes a ``Figure``."""

    picture: Picture
    alt: str
    width: int
    place: Place


class NoteRef(NamedTuple):
    """The mark of a footnote; ``occurrence`` counts its uses from 1."""

    number: int
    occurrence: int = 1


Inline = Text | Styled | Code | Link | Break | InlineImage | NoteRef
Inlines = tuple[Inline, ...]

# -- blocks ---------------------------------------------------------------------------


class Paragraph(NamedTuple):
    children: Inlines
    place: Place


class Heading(NamedTuple):
    """A section head; ``level`` as in Markdown (1–6), ``anchor`` is unique in the issue."""

    level: int
    children: Inlines
    anchor: str
    place: Place


class ListBlock(NamedTuple):
    """A list; each item is a tuple of blocks; ``tight`` items have no space between them."""

    ordered: bool
    start: int
    items: tuple[Blocks, ...]
    tight: bool
    place: Place


class Quote(NamedTuple):
    """A Markdown block quote (``>``)."""

    children: Blocks
    place: Place


class PullQuote(NamedTuple):
    """``::: quote {source="…"}``."""

    children: Blocks
    source: str
    place: Place


class Note(NamedTuple):
    """``::: note Title``: a box, its title set bold as a lead-in."""

    title: str
    children: Blocks
    place: Place


class Figure(NamedTuple):
    """One picture with its caption; ``width`` is its display width in CSS pixels."""

    picture: Picture
    alt: str
    caption: Inlines
    credit: str
    width: int
    place: Place
    href: str = ""


class Button(NamedTuple):
    label: Inlines
    href: str
    place: Place


class Columns(NamedTuple):
    """Two or three columns that stack on a phone."""

    columns: tuple[Blocks, ...]
    place: Place


class Card(NamedTuple):
    title: str
    kicker: str
    href: str
    picture: Picture | None
    alt: str
    children: Blocks
    place: Place


class Cards(NamedTuple):
    cards: tuple[Card, ...]
    place: Place


Align = Literal["", "left", "center", "right"]


class Table(NamedTuple):
    """A table; every row has as many cells as ``aligns``."""

    head: tuple[Inlines, ...]
    rows: tuple[tuple[Inlines, ...], ...]
    aligns: tuple[Align, ...]
    place: Place


class CodeBlock(NamedTuple):
    """Fenced or indented code; always literal; ``language`` may be empty."""

    text: str
    language: str
    place: Place


class Rule(NamedTuple):
    place: Place


class Contents(NamedTuple):
    """``::: contents``: the list of section heads."""

    place: Place


class Sponsor(NamedTuple):
    name: str
    children: Blocks
    place: Place


class Video(NamedTuple):
    href: str
    poster: Picture
    title: str
    place: Place


class Social(NamedTuple):
    """``::: social``: pairs of service name and address."""

    links: tuple[tuple[str, str], ...]
    place: Place


class SignOff(NamedTuple):
    picture: Picture | None
    alt: str
    children: Blocks
    place: Place


class Only(NamedTuple):
    """``::: web-only`` and ``::: email-only``."""

    where: Literal["web", "email"]
    children: Blocks
    place: Place


class When(NamedTuple):
    """``::: when`` and the ``::: else`` behind it; the renderer puts one of the two sides in its place."""

    condition: Condition
    children: Blocks
    otherwise: Blocks
    place: Place


class RawMjml(NamedTuple):
    """``::: mjml``: the expert's own MJML sections, as text."""

    source: str
    place: Place


class RawHtml(NamedTuple):
    """A block of HTML in Markdown, sanitised, well-formed as XML."""

    html: str
    place: Place


Block = (
    Paragraph
    | Heading
    | ListBlock
    | Quote
    | PullQuote
    | Note
    | Figure
    | Button
    | Columns
    | Cards
    | Table
    | CodeBlock
    | Rule
    | Contents
    | Sponsor
    | Video
    | Social
    | SignOff
    | Only
    | When
    | RawMjml
    | RawHtml
)
Blocks = tuple[Block, ...]


class Footnote(NamedTuple):
    """A footnote's text; ``uses`` is how often the body refers to it."""

    number: int
    children: Blocks
    uses: int = 1


# -- an issue, as written -------------------------------------------------------------


class Issue(NamedTuple):
    """An issue folder, read and found sound; every string may hold marks where fields are allowed."""

    id: str
    slug: str
    title: str
    subject: str
    preheader: str
    number: str
    date: dt.datetime
    """Aware; midnight in the configured time zone where the author gave a day only."""
    location: str
    kicker: str
    dek: Inlines
    authors: tuple[str, ...]
    credits: tuple[Inlines, ...]
    lang: str
    theme: str
    sender: Mailbox
    reply_to: Mailbox | None
    canonical_url: str
    fields: tuple[Field, ...]
    blocks: Blocks
    footnotes: tuple[Footnote, ...]
    pictures: tuple[Picture, ...]
    place: Place
    """The start of ``index.md``."""
    places: tuple[tuple[str, Place], ...]
    """Where each front-matter value stands, by key."""

    def where(self, key: str) -> Place:
        """The place of a front-matter value, or the start of the file when it is not given."""
        return dict(self.places).get(key, self.place)


# -- an edition, as sent --------------------------------------------------------------


class Variant(NamedTuple):
    """One distinct combination of conditional parts; ``key`` names those that hold, and is empty for the only one."""

    key: str
    subject: Template
    html: Template
    text: Template


class LinkUse(NamedTuple):
    """A link that readers can follow, for the pre-flight."""

    href: str
    label: str
    place: Place


class ImageUse(NamedTuple):
    """A picture as it stands in the mail, for the pre-flight."""

    name: str
    alt: str
    bytes: int
    place: Place
    animated: bool = False


class Edition(NamedTuple):
    """What readers receive: static text with slots, and what the pre-flight needs to know of it."""

    issue_id: str
    slug: str
    title: str
    lang: str
    sender: Mailbox
    reply_to: Mailbox | None
    date: dt.datetime
    fields: tuple[Field, ...]
    variants: tuple[Variant, ...]
    web: str
    pictures: tuple[Picture, ...]
    preheader: Template
    links: tuple[LinkUse, ...]
    images: tuple[ImageUse, ...]
    places: tuple[tuple[str, Place], ...]
    choices: tuple[Choice, ...] = ()
    """What decides who gets which variant (``conditions.variant_key``); the first variant is nobody's in particular."""

    def where(self, key: str) -> Place:
        """The place of a front-matter value, or of ``index.md`` itself."""
        places = dict(self.places)
        return places.get(key) or places[""]


# -- an issue, as published -----------------------------------------------------------


class Published(NamedTuple):
    """What the index of the archive says of an issue; ``slug`` names its page for good."""

    id: str
    slug: str
    number: str
    title: str
    dek: str
    lang: str
    date: dt.datetime


class Page(NamedTuple):
    """An issue's public page, and the pictures that the page and the mail point at."""

    about: Published
    html: str
    pictures: tuple[Picture, ...]


# -- the pre-flight -------------------------------------------------------------------


class Severity(StrEnum):
    """How grave a finding is: an error blocks the send."""

    ERROR = "error"
    WARNING = "warning"


class Finding(NamedTuple):
    """One thing the pre-flight found: which rule, where, why it matters and what to do."""

    rule: str
    severity: Severity
    place: Place
    message: str
    advice: str = ""


class FieldGap(NamedTuple):
    """How many active subscribers lack a value for a field, out of how many who get a mail that asks for it.

    ``fallback`` counts those whose mail has something to show, or to decide, without a value.
    """

    name: str
    missing: int
    total: int
    fallback: bool = False
