"""An issue, a theme and a configuration become an edition: subject, HTML, text and web page."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from newsletter import personal
from newsletter.errors import BadInput, Problem
from newsletter.model import Edition, Field, Place, Slot, Variant
from newsletter.render import marks
from newsletter.render.blocks import Mail, slot
from newsletter.render.flow import Flow, with_back_links
from newsletter.render.inline import Pen, escape, html, plain, safe
from newsletter.render.jinja import Templates
from newsletter.render.mailflow import MAIL
from newsletter.render.markup import Element
from newsletter.render.mjml import compile_document
from newsletter.render.showing import shown
from newsletter.render.text import TextWriter
from newsletter.render.theme import LAYOUT, PAGE, TEXT
from newsletter.render.tree import footnotes, headings
from newsletter.render.uses import uses
from newsletter.render.variants import choices, combinations
from newsletter.render.web import WEB
from newsletter.render.words import day, direction, listing, numbered, words
from newsletter.render.wrap import KEEP, Ruler

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from newsletter.config import Config
    from newsletter.model import Footnote, ImageUse, Issue, LinkUse, Picture, Template
    from newsletter.render.theme import Theme


_SEAM = "<![endif]--><!--[if mso | IE]>"
"""Where one part for Outlook ends and the next begins: they are one part, which the official engine joins, too."""


def render(issue: Issue, theme: Theme, config: Config) -> Edition:
    """The edition of an issue; the same input gives the same bytes.

    Raises ``BadInput`` for what is wrong in the theme, or in the author's own MJML and HTML.
    """
    with not_too_deep(issue):
        return _render(issue, theme, config)


@contextlib.contextmanager
def not_too_deep(issue: Issue) -> Iterator[None]:
    """Turn the end of Python's stack into an error about the issue."""
    try:
        yield
    except RecursionError:
        raise BadInput([Problem(issue.place, "the blocks of this issue are nested too deep", "Nest less.")]) from None


def _render(issue: Issue, theme: Theme, config: Config) -> Edition:
    found = choices(issue)
    people = combinations(found, issue)
    presses = {key: Press(shown(issue, values), theme, config) for key, values in people.items()}
    first = next(iter(presses.values()))
    subject = marks.cut(issue.subject, "header", first.fields)
    sheets = [press.sheet() for press in presses.values()]
    templates = [template for sheet in sheets for template in (sheet.html, sheet.text)]
    fields, trimmed = _trimmed(first.fields, len(issue.fields), templates)
    keys = list(presses) if len(presses) > 1 else [""]
    return Edition(
        issue_id=issue.id,
        slug=issue.slug,
        title=issue.title,
        lang=issue.lang,
        sender=issue.sender,
        reply_to=issue.reply_to,
        date=issue.date,
        fields=fields,
        variants=tuple(map(Variant, keys, [subject] * len(keys), trimmed[::2], trimmed[1::2])),
        web=first.web(),
        pictures=first.pictures(),
        preheader=marks.cut(issue.preheader, "text", first.fields),
        links=tuple(dict.fromkeys(link for sheet in sheets for link in sheet.links)),
        images=tuple(dict.fromkeys(image for sheet in sheets for image in sheet.images)),
        places=(*issue.places, ("", issue.place)),
        choices=found if len(presses) > 1 else (),
    )


class Sheet(NamedTuple):
    """One variant, printed, and what the pre-flight needs to know of it."""

    html: Template
    text: Template
    links: tuple[LinkUse, ...]
    images: tuple[ImageUse, ...]


def _trimmed(
    fields: Sequence[Field], own: int, templates: Sequence[Template]
) -> tuple[tuple[Field, ...], list[Template]]:
    """The fields without the theme's own that no template uses, and the templates with their numbers."""
    used = personal.used(templates)
    kept = [index for index in range(len(fields)) if index < own or index in used]
    number = {old: new for new, old in enumerate(kept)}

    def renumbered(template: Template) -> Template:
        return tuple(part if isinstance(part, str) else Slot(number[part.field], part.context) for part in template)

    return tuple(fields[index] for index in kept), [renumbered(each) for each in templates]


class Press:
    """One run of the printing press: what the three outputs share."""

    def __init__(self, issue: Issue, theme: Theme, config: Config) -> None:
        self.issue, self.theme, self.config = issue, theme, config
        self.words = words(issue.lang)
        self.templates = Templates(theme.sources, theme.compiled)
        self.fields: list[Field] = [*issue.fields]
        self.unsubscribe = self._link("unsubscribe_url")
        self.view = self._link("view_url")

    def _link(self, name: str) -> str:
        """The mark of a reserved link, inside a URL."""
        index = next(
            (index for index, each in enumerate(self.fields) if each.name == name and not each.filters),
            len(self.fields),
        )
        if index == len(self.fields):
            self.fields.append(Field(name))
        return marks.in_url(personal.mark(index, 3))

    def pen(self, where: Literal["email", "web"], pictures: str) -> Pen:
        """What writes HTML; ``pictures`` is where they lie, with a slash at the end."""
        way = direction(self.issue.lang)
        sides = ("right", "left") if way == "rtl" else ("left", "right")
        css = {
            name: style.replace("$start", sides[0]).replace("$end", sides[1])
            for name, style in self.theme.styles.items()
        }
        return Pen(
            where=where,
            css=css if where == "email" else {},
            source=lambda picture: f"{pictures}{picture.name}",
            words=self.words,
            direction=way,
            headings=headings(self.issue, where),
            widths=self.theme.widths,
        )

    def common(self, pen: Pen) -> dict[str, object]:
        """What every template is given."""
        issue, config = self.issue, self.config
        rtl = pen.direction == "rtl"
        return {
            "c": self.theme.settings,
            "w": self.theme.widths,
            "logo": self.logo(pen),
            "style": safe(self.theme.page if pen.where == "web" else escape(self.theme.head)),
            "css": pen.css,
            "words": self.words,
            "lang": issue.lang,
            "dir": pen.direction,
            "start": "right" if rtl else "left",
            "end": "left" if rtl else "right",
            "name": config.name,
            "number": numbered(issue.number, self.words),
            "title": issue.title,
            "subject": issue.subject,
            "preheader": issue.preheader,
            "kicker": issue.kicker,
            "dek": safe(html(issue.dek, pen)),
            "byline": self.byline("\u00a0"),
            "credits": [safe(html(credit, pen)) for credit in issue.credits],
            "reason": self.reason(),
            "postal_address": config.postal_address,
        }

    def logo(self, pen: Pen) -> dict[str, object] | None:
        """What templates are given of the theme's logo: two addresses, and one size for both."""
        logo = self.theme.logo
        if logo is None:
            return None
        height = round(logo.light.height * logo.width / max(1, logo.light.width))
        light, dark = pen.source(logo.light), pen.source(logo.dark)
        return {"light": light, "dark": dark, "width": logo.width, "height": height}

    def pictures(self) -> tuple[Picture, ...]:
        """The pictures of the issue, and those of its theme."""
        logo = self.theme.logo
        return (*self.issue.pictures, *((logo.light, logo.dark) if logo else ()))

    def links(self) -> dict[str, object]:
        """The addresses that each reader has an own one of."""
        return {"unsubscribe_url": self.unsubscribe, "view_url": self.view}

    def byline(self, space: str = " ") -> str:
        """Who, where and when; ``space`` holds the date together."""
        issue = self.issue
        authors = listing(issue.authors, self.words["and"])
        return " · ".join(
            part for part in (authors, issue.location, day(issue.date, issue.lang).replace(" ", space)) if part
        )

    def reason(self) -> str:
        """Why the reader gets this."""
        return self.config.reason or self.words["reason"].format(name=self.config.name)

    def sheet(self) -> Sheet:
        """The mail, cut where it holds merge fields."""
        notes = footnotes(self.issue, "email")
        html_, text = (
            marks.cut(self.mail(notes), "html", self.fields),
            marks.cut(self.text(notes), "text", self.fields),
        )
        return Sheet(html_, text, *uses(self.issue, notes))

    def mail(self, notes: Sequence[tuple[Footnote, tuple[int, ...]]]) -> str:
        """The mail's HTML, with marks."""
        pen = self.pen("email", self.config.picture_base)
        mail = Mail(self.templates, Flow(pen, MAIL), {**self.common(pen), **self.links()})
        body = mail.body(self.issue.blocks, notes)
        roots = [node for node in mail.fragment(LAYOUT, {"body": slot(0)}, None, [body]) if isinstance(node, Element)]
        if len(roots) != 1 or roots[0].tag != "mjml":
            place = Place(self.templates.source(LAYOUT)[1])
            message = "the layout must be one <mjml> element"
            raise BadInput([Problem(place, message, "Begin with <mjml> and end with </mjml>.")])
        return compile_document(roots[0]).replace(_SEAM, "")

    def text(self, notes: Sequence[tuple[Footnote, tuple[int, ...]]]) -> str:
        """The text part, with marks."""
        issue, lines = self.issue, "\n".join
        ruler = Ruler(self.fields)
        writer = TextWriter(ruler, self.words, headings(issue, "email"))
        pen = self.pen("email", self.config.picture_base)
        headline = ruler.wrap(issue.title)
        values: dict[str, object] = {
            **self.common(pen),
            **self.links(),
            "headline": lines([*headline, "=" * max(map(ruler.width, headline))]),
            "kicker": lines(ruler.wrap(issue.kicker)),
            "dek": lines(ruler.wrap(writer.inline(issue.dek))),
            "byline": lines(ruler.wrap(self.byline())),
            "body": lines(writer.blocks(issue.blocks)),
            "notes": lines(writer.footnotes(notes)),
            "credits": lines([line for credit in issue.credits for line in ruler.wrap(writer.inline(credit))]),
            "reason": lines(ruler.wrap(self.reason())),
            "postal_address": lines(self.config.postal_address),
            "rule": "-" * ruler.columns,
        }
        values["links"] = lines(writer.links())
        return _tidy(self.templates.render(TEXT, values))

    def web(self) -> str:
        """The web page, as nobody in particular sees it."""
        return self.readerless(self.page("images/", self.links()))

    def page(self, pictures: str, more: Mapping[str, object]) -> Template:
        """The web page, cut where it holds merge fields; ``more`` goes to its template, over what stands here."""
        issue = self.issue
        pen = self.pen("web", pictures)
        flow = Flow(pen, WEB)
        notes = [
            {"number": note.number, "html": safe(with_back_links(note.number, used, flow.blocks(note.children), pen))}
            for note, used in footnotes(issue, "web")
        ]
        values = {
            **self.common(pen),
            "body": safe(flow.blocks(issue.blocks)),
            "notes": notes,
            "date": issue.date.date().isoformat(),
            "description": self.preheader() or plain(issue.dek),
            "canonical_url": issue.canonical_url,
            "home": "",
            **more,
        }
        return marks.cut(self.templates.render(PAGE, values), "html", self.fields)

    def preheader(self) -> str:
        """The preheader where there is no reader; empty when it says nothing without one."""
        preheader = marks.cut(self.issue.preheader, "text", self.fields)
        personal_ = any(needs_reader(self.fields[index]) for index in personal.used([preheader]))
        return "" if personal_ else self.readerless(preheader)

    def readerless(self, template: Template) -> str:
        """A part without a reader: defaults, else the fields' names."""
        base = self.config.link_base
        return personal.join(template, [personal.without_reader(each, self.issue.lang, base) for each in self.fields])


def needs_reader(field: Field) -> bool:
    """Whether a field says nothing where there is no reader: it has no default, or is a link of the reader's own."""
    return field.name in personal.LINKS or field.default is None


def _tidy(text: str) -> str:
    """No space at the end of a line, no two empty lines but in code, one line break at the end."""
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n").replace(KEEP, "") + "\n"
