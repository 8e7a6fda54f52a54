"""Running text to HTML, for the mail (styles inline) and for the web page (none)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from markupsafe import Markup

from newsletter.model import Break, Code, Heading, InlineImage, Link, NoteRef, Picture, Styled, Text
from newsletter.render import marks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from newsletter.model import Inlines
    from newsletter.render.words import Words


class Pen(NamedTuple):
    """What writing HTML needs to know: where it goes, the inline styles by element, and where pictures lie."""

    where: Literal["email", "web"]
    css: Mapping[str, str]
    source: Callable[[Picture], str]
    words: Words
    direction: str
    headings: tuple[Heading, ...]
    widths: Mapping[str, int]
    """The theme's widths, CSS pixels."""

    def tag(self, name: str, content: str, *, css: str = "", **attributes: str) -> str:
        """An element with its inline style; an attribute without a value is left away."""
        return f"<{name}{self.attributes(css or name, **attributes)}>{content}</{name}>"

    def attributes(self, css: str, **attributes: str) -> str:
        """Attributes as text, the style of ``css`` last; ``class_`` is ``class``, ``aria_label`` is ``aria-label``."""
        if style := self.css.get(css):
            attributes["style"] = style
        return "".join(
            f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items() if value
        )

    def small(self) -> Pen:
        """The same pen in a box of smaller type: styles named ``x-small`` take the place of ``x``."""
        smaller = {name.removesuffix("-small"): style for name, style in self.css.items() if name.endswith("-small")}
        return self._replace(css={**self.css, **smaller}) if smaller else self

    def picture(self, picture: Picture, alt: str, width: int, css: str) -> str:
        """An ``img`` that shrinks with its column; ``width`` in CSS pixels is for Outlook."""
        height = str(round(picture.height * width / picture.width)) if self.where == "web" and picture.width else ""
        src = escape(self.source(picture))
        return f'<img src="{src}" alt="{escape(alt)}"{self.attributes(css, width=str(width), height=height)} />'

    def link(self, href: str, content: str, *, css: str = "a", **attributes: str) -> str:
        """A link; an empty address leaves the content bare."""
        return self.tag("a", content, css=css, href=marks.in_url(href), **attributes) if href else content


def escape(text: str) -> str:
    """Text as HTML, also between double quotes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def safe(markup: str) -> Markup:
    """HTML that this room wrote itself, for a template to print as it is."""
    return Markup(markup)  # noqa: S704 - every text in it went through escape


def html(children: Inlines, pen: Pen) -> str:
    """Running text as HTML; marks stay where they are."""
    return "".join([_KINDS[type(child)](child, pen) for child in children])


def ref_id(number: int, occurrence: int) -> str:
    """The anchor of a footnote's mark in the text."""
    return f"fnref-{number}" if occurrence == 1 else f"fnref-{number}-{occurrence}"


def _note_ref(ref: NoteRef, pen: Pen) -> str:
    label = pen.words["note"].format(number=ref.number)
    link = pen.link(
        f"#fn-{ref.number}", str(ref.number), css="a-note", id=ref_id(ref.number, ref.occurrence), aria_label=label
    )
    return pen.tag("sup", link)


def _link(link: Link, pen: Pen) -> str:
    return pen.link(link.href, html(link.children, pen), title=link.title)


def _styled(styled: Styled, pen: Pen) -> str:
    return pen.tag(styled.style, html(styled.children, pen), title=styled.title)


_KINDS: Mapping[type, Callable[[Any, Pen], str]] = {
    Text: lambda text, _pen: escape(text.text),
    Link: _link,
    Styled: _styled,
    Code: lambda code, pen: pen.tag("code", escape(code.text)),
    Break: lambda each, _pen: "<br />" if each.hard else " ",
    InlineImage: lambda image, pen: pen.picture(image.picture, image.alt, image.width, "img"),
    NoteRef: _note_ref,
}


def plain(children: Inlines) -> str:
    """Running text without its markup: for labels and titles."""
    parts: list[str] = []
    for child in children:
        match child:
            case Text(text) | Code(text):
                parts.append(text)
            case Styled() | Link():
                parts.append(plain(child.children))
            case InlineImage():
                parts.append(child.alt)
            case Break():
                parts.append(" ")
    return "".join(parts)
