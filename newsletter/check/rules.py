"""The rules of the pre-flight, each a pure function of the edition; ``RULES`` lists them all."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter.config import FILE, Config
from newsletter.files import display
from newsletter.model import Edition, Field, FieldGap, Finding, Place, Severity, Template
from newsletter.personal import LINKS, MARK, RESERVED, join, number, used, without_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subject:
    """What the rules look at; ``gaps`` is ``None`` when nobody asked the audience."""

    edition: Edition
    config: Config
    gaps: tuple[FieldGap, ...] | None

    def plain(self, template: Template) -> str:
        """A part as it reads without a reader."""
        edition = self.edition
        return join(template, [without_reader(f, edition.lang, self.config.link_base) for f in edition.fields])

    def legal(self) -> Severity:
        """How grave a breach of the sender rules is: nothing leaves this machine by the outbox."""
        return Severity.ERROR if self.config.real else Severity.WARNING


def size(subject: Subject) -> Iterator[Finding]:
    """Gmail clips a message at about 102 kB of HTML."""
    limits = subject.config.limits
    place = subject.edition.where("")
    for variant in subject.edition.variants:
        weight = len(subject.plain(variant.html).encode())
        advice = "Shorten the issue, or move a part of it to the web page (`::: web-only`)."
        if weight > limits.html_error:
            message = f"the mail is {weight:,} bytes of HTML; Gmail clips what goes beyond {limits.html_error:,}"
            yield Finding("size", Severity.ERROR, place, message, advice)
        elif weight > limits.html_warning:
            message = f"the mail is {weight:,} bytes of HTML, near the {limits.html_error:,} at which Gmail clips"
            yield Finding("size", Severity.WARNING, place, message, advice)


def alt(subject: Subject) -> Iterator[Finding]:
    """Many readers never see the pictures."""
    for image in subject.edition.images:
        if not image.alt.strip():
            message = "this picture has no text for readers who don't see it"
            yield Finding("alt", Severity.WARNING, image.place, message, "Describe it: ![What it shows](…)")


def image_weight(subject: Subject) -> Iterator[Finding]:
    """Heavy pictures load slowly on a phone."""
    total = sum({image.name: image.bytes for image in subject.edition.images}.values())
    if total > subject.config.limits.image_warning:
        heaviest = max(subject.edition.images, key=lambda image: (image.bytes, image.name))
        message = f"the pictures weigh {total:,} bytes together; this one {heaviest.bytes:,}"
        yield Finding("image-weight", Severity.WARNING, heaviest.place, message, "Use fewer, or smaller, pictures.")


def links(subject: Subject) -> Iterator[Finding]:
    """A link in a mail has no page to be relative to."""
    for link in subject.edition.links:
        if _is_reserved_link(link.href, subject.edition):
            continue
        href = MARK.sub("x", link.href).strip()
        if href in {"", "#"}:
            message = f"the link “{link.label}” leads nowhere"
            yield Finding("link-empty", Severity.ERROR, link.place, message, "Give it an address.")
        elif href.startswith("#"):
            continue
        elif not _SCHEME.match(href):
            message = f"“{href}” is a relative link; in a mail it leads nowhere"
            yield Finding(
                "link-relative", Severity.ERROR, link.place, message, "Write the whole address, with https://."
            )
        elif re.fullmatch(r"https?:/*", href, re.IGNORECASE):
            message = f"the link “{link.label}” has no host"
            yield Finding("link-empty", Severity.ERROR, link.place, message, "Write the whole address.")


def _is_reserved_link(href: str, edition: Edition) -> bool:
    whole = MARK.fullmatch(href.strip())
    return whole is not None and edition.fields[number(whole)].name in LINKS


def unsubscribe(subject: Subject) -> Iterator[Finding]:
    """Every reader must be able to leave, in the HTML and in the text."""
    edition = subject.edition
    for variant in edition.variants:
        for part, template in (("HTML", variant.html), ("text", variant.text)):
            if not any(edition.fields[index].name == "unsubscribe_url" for index in used([template])):
                message = f"the {part} part has no unsubscribe link"
                advice = "Put `unsubscribe_url` into the theme's footer, as the default theme does."
                yield Finding("unsubscribe", subject.legal(), edition.where(""), message, advice)


def postal_address(subject: Subject) -> Iterator[Finding]:
    """CAN-SPAM asks for a postal address in each commercial mail."""
    lines = subject.config.postal_address
    place = subject.edition.where("")
    if not lines:
        message = "there is no postal address in the footer; the law asks for one in commercial mail"
        place = Place(display(subject.config.root / FILE))
        yield Finding("postal-address", subject.legal(), place, message, f"Set `postal_address` in {FILE}.")
        return
    for variant in subject.edition.variants:
        for part, text in (("HTML", html.unescape(subject.plain(variant.html))), ("text", subject.plain(variant.text))):
            folded = " ".join(text.split())
            if not all(" ".join(line.split()) in folded for line in lines):
                message = f"the {part} part does not show the postal address"
                advice = "Put `postal_address` into the theme's footer, as the default theme does."
                yield Finding("postal-address", subject.legal(), place, message, advice)


def preheader(subject: Subject) -> Iterator[Finding]:
    """Without a preheader the inbox shows the first words of the mail."""
    if not subject.plain(subject.edition.preheader).strip():
        message = "there is no preheader: the line that inboxes show after the subject"
        advice = "Add `preheader:` to the front matter, 40 to 100 characters."
        yield Finding("preheader", Severity.WARNING, subject.edition.where(""), message, advice)


def subject_line(subject: Subject) -> Iterator[Finding]:
    """A subject is read in a row that is cut off."""
    limit = subject.config.limits.subject
    place = subject.edition.where("subject")
    for variant in subject.edition.variants:
        text = subject.plain(variant.subject).strip()
        if not text:
            yield Finding("subject", Severity.ERROR, place, "the subject is empty", "Write one in the front matter.")
        elif len(text) > limit:
            message = f"the subject has {len(text)} characters; most inboxes cut it after {limit} or sooner"
            yield Finding("subject", Severity.WARNING, place, message, "Put what matters first, or shorten it.")


def values(subject: Subject) -> Iterator[Finding]:
    """A value that somebody lacks leaves a hole in that reader's mail: “Hi ,”."""
    if subject.gaps is None:
        return
    gaps = {gap.name: gap for gap in subject.gaps}
    for field in _used_fields(subject.edition):
        gap = gaps.get(field.name)
        place = field.place or subject.edition.where("")
        if gap is None or field.name in RESERVED:
            continue
        if field.default is not None:
            if gap.missing == gap.total > 0:
                message = f"no subscriber has a value for “{field.name}”; everybody gets its default"
                yield Finding("value-unknown", Severity.WARNING, place, message, "Is the name spelt as in the list?")
            continue
        advice = f'Give it a default: {{{{ {field.name} | default("…") }}}}'
        if gap.total == 0:
            message = f"nobody is subscribed yet, so nobody has a value for “{field.name}”"
            yield Finding("value-unknown", Severity.WARNING, place, message, advice)
        elif gap.missing == gap.total:
            message = f"no subscriber has a value for “{field.name}”"
            yield Finding("value-unknown", Severity.ERROR, place, message, advice)
        elif gap.missing:
            message = f"{gap.missing:,} of {gap.total:,} subscribers have no value for “{field.name}”"
            yield Finding("value-empty", Severity.WARNING, place, message, advice)


def needed_values(edition: Edition) -> tuple[str, ...]:
    """The names of the values that readers may lack: all but those that every reader has."""
    names = {f.name for f in _used_fields(edition) if f.name not in RESERVED}
    return tuple(sorted(names))


def _used_fields(edition: Edition) -> list[Field]:
    templates = [part for variant in edition.variants for part in (variant.subject, variant.html, variant.text)]
    return [edition.fields[index] for index in sorted(used(templates))]


RULES = (size, alt, image_weight, links, unsubscribe, postal_address, preheader, subject_line, values)


def preflight(edition: Edition, config: Config, gaps: Sequence[FieldGap] | None = None) -> tuple[Finding, ...]:
    """Every finding about ``edition``, in the order of the author's file.

    ``gaps`` counts the subscribers who lack a value (``needed_values``); ``None`` leaves that rule out.
    """
    subject = Subject(edition, config, None if gaps is None else tuple(gaps))
    found = {finding: None for rule in RULES for finding in rule(subject)}
    return tuple(sorted(found, key=lambda finding: (finding.place, finding.rule)))
