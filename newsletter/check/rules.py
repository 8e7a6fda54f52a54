"""The rules of the pre-flight, each a pure function of the edition; ``RULES`` lists them all."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from newsletter import conditions
from newsletter.config import FILE, Config
from newsletter.files import display
from newsletter.model import Edition, Field, FieldGap, Finding, Place, Severity, Template, Variant
from newsletter.personal import MARK, RESERVED, is_whole, join, number, used, without_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

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


def _of(variant: Variant) -> str:
    """Which mail is meant, where there are several."""
    return f" of variant “{variant.key}”" if variant.key else ""


def size(subject: Subject) -> Iterator[Finding]:
    """Gmail clips a message at about 102 kB of HTML."""
    limits = subject.config.limits
    place = subject.edition.where("")
    for variant in subject.edition.variants:
        weight = len(subject.plain(variant.html).encode())
        advice = "Shorten the issue, or move a part of it to the web page (`::: web-only`)."
        if weight > limits.html_error:
            clips = f"Gmail clips what goes beyond {limits.html_error:,}"
            message = f"the mail{_of(variant)} is {weight:,} bytes of HTML; {clips}"
            yield Finding("size", Severity.ERROR, place, message, advice)
        elif weight > limits.html_warning:
            near = f"near the {limits.html_error:,} at which Gmail clips"
            message = f"the mail{_of(variant)} is {weight:,} bytes of HTML, {near}"
            yield Finding("size", Severity.WARNING, place, message, advice)


def alt(subject: Subject) -> Iterator[Finding]:
    """Many readers never see the pictures."""
    for image in subject.edition.images:
        if not image.alt.strip():
            message = "this picture has no text for readers who don't see it"
            yield Finding("alt", Severity.WARNING, image.place, message, "Describe it: ![What it shows](…)")


def image_weight(subject: Subject) -> Iterator[Finding]:
    """Heavy pictures load slowly on a phone."""
    weights = {image.name: image.bytes for image in subject.edition.images}
    for variant in subject.edition.variants:
        html_ = "".join(part for part in variant.html if isinstance(part, str))
        shown = [image for image in subject.edition.images if not variant.key or image.name in html_]
        total = sum(weights[name] for name in {image.name for image in shown})
        if total > subject.config.limits.image_warning:
            heaviest = max(shown, key=lambda image: (image.bytes, image.name))
            message = f"the pictures{_of(variant)} weigh {total:,} bytes together; this one {heaviest.bytes:,}"
            yield Finding("image-weight", Severity.WARNING, heaviest.place, message, "Use fewer, or smaller, pictures.")


def links(subject: Subject) -> Iterator[Finding]:
    """A link in a mail has no page to be relative to."""
    for link in subject.edition.links:
        if _is_whole_link(link.href, subject.edition):
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


def _is_whole_link(href: str, edition: Edition) -> bool:
    whole = MARK.fullmatch(href.strip())
    return whole is not None and is_whole(edition.fields[number(whole)])


def unsubscribe(subject: Subject) -> Iterator[Finding]:
    """Every reader must be able to leave, in the HTML and in the text."""
    edition = subject.edition
    for variant in edition.variants:
        for part, template in (("HTML", variant.html), ("text", variant.text)):
            if not any(edition.fields[index].name == "unsubscribe_url" for index in used([template])):
                message = f"the {part} part{_of(variant)} has no unsubscribe link"
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
                message = f"the {part} part{_of(variant)} does not show the postal address"
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
    gaps = {(gap.name, gap.fallback): gap for gap in subject.gaps}
    yield from _undecided(subject.edition, gaps)
    these = " who get this" if subject.edition.choices else ""
    for field in _used_fields(subject.edition):
        gap = gaps.get((field.name, field.default is not None)) or gaps.get((field.name, False))
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
            message = f"no subscriber{these.replace('get', 'gets')} has a value for “{field.name}”"
            yield Finding("value-unknown", Severity.ERROR, place, message, advice)
        elif gap.missing:
            lost = "; they get no mail, for a link needs an address" if is_whole(field) else ""
            message = f"{gap.missing:,} of {gap.total:,} subscribers{these} have no value for “{field.name}”{lost}"
            yield Finding("value-empty", Severity.WARNING, place, message, advice)


def _undecided(edition: Edition, gaps: Mapping[tuple[str, bool], FieldGap]) -> Iterator[Finding]:
    """Conditions on what nobody has a value for: most often the name is misspelt."""
    for choice in conditions.every(edition.choices):
        for name in dict.fromkeys(atom.name for atom in conditions.atoms(choice.condition)):
            gap = gaps.get((name, True))
            if gap and gap.missing == gap.total > 0 and name not in RESERVED:
                message = f"no subscriber has a value for “{name}”, which decides who gets this part"
                place = choice.place or edition.where("")
                yield Finding("value-unknown", Severity.WARNING, place, message, "Is the name spelt as in the list?")


def needed_values(edition: Edition) -> tuple[str, ...]:
    """The names of the values that readers may lack: all but those that every reader has."""
    names = {f.name for f in _used_fields(edition)} | {*conditions.asked(edition.choices)}
    return tuple(sorted(names - RESERVED))


def needs(edition: Edition) -> Callable[[Mapping[str, str]], frozenset[tuple[str, bool]]]:
    """What tells of each reader's values which ones their mail asks for, and whether it can do without."""
    decide = {(name, True) for name in conditions.asked(edition.choices)}
    found = {}
    for variant in edition.variants:
        templates = (variant.subject, variant.html, variant.text)
        fields = [edition.fields[index] for index in used(templates)]
        asked = {(field.name, field.default is not None) for field in fields} | decide
        found[variant.key] = frozenset(each for each in asked if each[0] not in RESERVED)
    return lambda values: found[conditions.variant_key(edition.choices, values)]


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
