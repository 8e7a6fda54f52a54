"""What somebody approved of an issue, and in what the present state differs from it.

Small values are kept as they stand, so that a difference can be told in the author's words; HTML and pictures by
their hashes. The text part is kept line by line: it is the one form of the content that people can read a difference
in, and git may never have seen the version that was approved. All of it is the template that readers share: no
subscriber's address or value is in it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from newsletter.conditions import every, written
from newsletter.delivery import freeze
from newsletter.links import fingerprint
from newsletter.personal import WHOLE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from newsletter.mime import Masthead
    from newsletter.model import Edition, Field, Mailbox, Template, Variant

Rule = tuple[tuple[str, str], ...]
EVERYONE: Rule = (("status", "active"),)
"""Who gets an issue, as data: the rule is approved and not the people, who come and go until the send begins."""

_KEPT = 100_000
"""Characters of text; a longer one is known by its hash only, and its difference is not shown."""

_KEPT_TOGETHER = 2_000_000
"""The same for all variants of a mail together."""


class Version(NamedTuple):
    """One variant; ``html`` and ``text`` are hashes, ``lines`` the text itself unless it is too long to keep."""

    key: str
    subject: str
    html: str
    html_bytes: int
    text: str
    lines: tuple[str, ...] | None


class Image(NamedTuple):
    """One picture: its name in the mail, the hash of its bytes, how many, and its alternative text."""

    name: str
    sha: str
    bytes: int
    alt: str


@dataclass(frozen=True, slots=True)
class Matter:
    """What is approved: every byte that readers share, who they are, from whom it comes, and when it goes."""

    issue_id: str
    content: str
    """The hash of the frozen content, which covers every part below but audience and time."""
    audience: Rule
    at: dt.datetime | None
    """The planned time, aware; ``None`` for a send that is not scheduled."""
    sender: Mailbox
    reply_to: Mailbox | None
    list_name: str
    lang: str
    unsubscribe_email: str
    feedback_id: str
    preheader: str
    versions: tuple[Version, ...]
    images: tuple[Image, ...]
    conditions: tuple[str, ...] = ()
    """What decides who gets which variant, as the author wrote it, behind the name that it has in their keys."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A matter, and the circumstances of its approval, which are never compared."""

    matter: Matter
    by: str
    approved_at: dt.datetime
    program: str
    recipients: int
    """How many people the rule stood for then."""


def matter(edition: Edition, masthead: Masthead, at: dt.datetime | None = None) -> Matter:
    """What there is to approve of an edition that would be sent at this time."""
    frozen = freeze.of_edition(edition, masthead)
    alts = {each.name: each.alt for each in reversed(edition.images)}
    return Matter(
        issue_id=edition.issue_id,
        content=freeze.sha(frozen),
        audience=EVERYONE,
        at=at,
        sender=frozen.sender,
        reply_to=frozen.reply_to,
        list_name=frozen.list_name,
        lang=frozen.lang,
        unsubscribe_email=frozen.unsubscribe_email,
        feedback_id=frozen.feedback_id,
        preheader=_shown(edition.preheader, edition.fields),
        versions=tuple(_version(each, frozen.fields, len(frozen.variants)) for each in frozen.variants),
        images=tuple(Image(p.name, fingerprint(p.data), len(p.data), alts.get(p.name, "")) for p in frozen.pictures),
        conditions=tuple(dict.fromkeys(f"{c.name}: {written(c.condition)}" for c in every(frozen.choices))),
    )


def _version(variant: Variant, fields: Sequence[Field], of: int) -> Version:
    html, text = (_shown(each, fields) for each in (variant.html, variant.text))
    return Version(
        key=variant.key,
        subject=_shown(variant.subject, fields),
        html=fingerprint(html.encode()),
        html_bytes=len(html.encode()),
        text=text_sha(lines := text.split("\n")),
        lines=tuple(lines) if len(text) <= min(_KEPT, _KEPT_TOGETHER // of) else None,
    )


def text_sha(lines: Sequence[str]) -> str:
    """The hash of a text part."""
    return fingerprint("\n".join(lines).encode())


def _shown(template: Template, fields: Sequence[Field]) -> str:
    """A template as an author writes it, each field with its filters."""
    return "".join(part if isinstance(part, str) else f"{{{{ {_source(fields[part.field])} }}}}" for part in template)


def _source(field: Field) -> str:
    def call(name: str, args: Sequence[str]) -> str:
        return f"{name}({', '.join(json.dumps(each, ensure_ascii=False) for each in args)})" if args else name

    written_ = (each for each in field.filters if each.name != WHOLE)
    return " | ".join([field.name, *(call(each.name, each.args) for each in written_)])


# -- comparing ------------------------------------------------------------------------


class Difference(NamedTuple):
    """One part in which two matters differ, in words; ``diff`` is a unified diff where there is text to show."""

    part: str
    approved: str
    now: str
    diff: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.diff:
            gone, new = (sum(line.startswith(sign) for line in self.diff[2:]) for sign in "-+")
            return f"{self.part}: lines gone: {gone}, new: {new}"
        return f"{self.part}: approved {self.approved}, now {self.now}"

    def data(self) -> dict[str, Any]:
        """For ``--json``."""
        return self._asdict() | {"diff": list(self.diff)}


class Standing(NamedTuple):
    """How the present state stands to the approval beside the issue, if there is one."""

    approval: Approval | None
    differences: tuple[Difference, ...] = ()

    @property
    def state(self) -> str:
        """``missing``, ``approved``, or ``changed`` since."""
        if self.approval is None:
            return "missing"
        return "changed" if self.differences else "approved"


def stand(approval: Approval | None, now: Matter, *, whenever: bool = False) -> Standing:
    """Compare; ``whenever`` leaves the time out, where it is not known yet."""
    if approval is None:
        return Standing(None)
    then = approval.matter
    return Standing(approval, compare(then, replace(now, at=then.at) if whenever else now))


def compare(approved: Matter, now: Matter) -> tuple[Difference, ...]:
    """Every part in which what would be sent differs from what was approved."""
    if approved.issue_id != now.issue_id:
        return (Difference("issue", quoted(approved.issue_id), quoted(now.issue_id)),)
    found = (*_values(approved, now), *_versions(approved.versions, now.versions), *_images(approved, now))
    if not found and approved.content != now.content:
        # A program of another version may freeze the same parts in other words. What goes out is other bytes then,
        # so it is for a person to say that they are as good.
        return (Difference("content", visible(approved.content[:12]), now.content[:12]),)
    return found


def _values(approved: Matter, now: Matter) -> Iterator[Difference]:
    words: dict[str, tuple[str, Callable[[Any], str]]] = {
        "preheader": ("preheader", quoted),
        "sender": ("sender", mailbox),
        "reply_to": ("reply-to", mailbox),
        "audience": ("audience", rule),
        "at": ("time", moment),
        "list_name": ("newsletter's name", quoted),
        "lang": ("language", quoted),
        "unsubscribe_email": ("unsubscribe_email", quoted),
        "feedback_id": ("feedback_id", quoted),
        "conditions": ("conditions", lambda each: quoted("; ".join(each))),
    }
    for name, (part, say) in words.items():
        before, after = getattr(approved, name), getattr(now, name)
        if before != after:
            yield Difference(part, say(before), say(after))


def _versions(approved: Sequence[Version], now: Sequence[Version]) -> Iterator[Difference]:
    before, after = ({each.key: each for each in versions} for versions in (approved, now))
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        if old and new:
            yield from _parts(old, new)
        else:
            yield Difference(f"variant {quoted(key)}", "there" if old else "none", "there" if new else "none")


def _parts(old: Version, new: Version) -> Iterator[Difference]:
    of = f" of variant {quoted(new.key)}" if new.key else ""
    if old.subject != new.subject:
        yield Difference(f"subject{of}", quoted(old.subject), quoted(new.subject))
    if old.text != new.text:
        yield Difference(f"text{of}", visible(old.text[:12]), new.text[:12], _diff(old, new))
    if old.html != new.html:
        yield Difference(f"html{of}", _bytes(old.html_bytes, old.html), _bytes(new.html_bytes, new.html))


def _diff(old: Version, new: Version) -> tuple[str, ...]:
    if old.lines is None or new.lines is None:
        return ()
    from difflib import unified_diff

    return tuple(visible(line) for line in unified_diff(old.lines, new.lines, "approved", "now", n=1, lineterm=""))


def _images(approved: Matter, now: Matter) -> Iterator[Difference]:
    """Pictures that differ: those with the same alternative text are one that changed, others came or went."""
    kept = {(each.name, each.sha) for each in approved.images} & {(each.name, each.sha) for each in now.images}
    gone, new = ([i for i in each.images if (i.name, i.sha) not in kept] for each in (approved, now))
    for old in gone:
        match = next((each for each in new if each.alt == old.alt), None)
        if match:
            new.remove(match)
        yield Difference(
            f"picture {quoted(old.alt or old.name)}",
            _bytes(old.bytes, old.sha),
            _bytes(match.bytes, match.sha) if match else "none",
        )
    for each in new:
        yield Difference(f"picture {quoted(each.alt or each.name)}", "none", _bytes(each.bytes, each.sha))


# -- words ----------------------------------------------------------------------------

_HIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What a terminal would act on, or show in another place: a file that others can write is being shown."""


def visible(text: str) -> str:
    """``text`` on one line, fit for a terminal."""
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def quoted(text: str) -> str:
    """``text`` in quotes; “none” without any."""
    return f"“{visible(text)}”" if text else "none"


def mailbox(box: Mailbox | None) -> str:
    """A sender for people."""
    if box is None:
        return "none"
    return visible(f"{box.name} <{box.address}>" if box.name else box.address)


def rule(audience: Rule) -> str:
    """Who is meant."""
    if audience == EVERYONE:
        return "everyone who is active"
    return visible(", ".join(f"{name} = {value}" for name, value in audience)) or "nobody"


def moment(at: dt.datetime | None) -> str:
    """A planned time."""
    return at.isoformat(" ") if at else "no planned time"


def _bytes(count: int, sha: str) -> str:
    return f"{count:,} bytes ({visible(sha[:8])})"
