"""The frozen content of a send: what readers get, as bytes, and what an edit changed.

Only what reaches a reader is in it: no place, path, slug or build date. So the same mail built in
another folder has the same hash, and a changed comma has another.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from newsletter.conditions import variant_key
from newsletter.links import fingerprint
from newsletter.model import (
    Choice,
    Condition,
    Edition,
    Field,
    Filter,
    Mailbox,
    Picture,
    Place,
    Slot,
    Template,
    Variant,
)
from newsletter.providers.base import Letter

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from newsletter.mime import Masthead

_VERSION = 3
_PLAIN = 2
_READABLE = (1, 2, 3)
"""Version 1 had no header that lets people write to leave, and no sender id; version 2 no conditions, and fewer
filters. What needs none of them is still written as version 2, so that its hash, and an approval of it, holds.
"""

_FILTERS_OF_2 = frozenset({"default", "upper", "lower", "title", "date"})


@dataclass(frozen=True, slots=True)
class Frozen:
    """An edition without its author's files."""

    list_name: str
    lang: str
    sender: Mailbox
    reply_to: Mailbox | None
    fields: tuple[Field, ...]
    variants: tuple[Variant, ...] = field(repr=False)
    pictures: tuple[Picture, ...] = field(repr=False)
    unsubscribe_email: str = ""
    feedback_id: str = ""
    choices: tuple[Choice, ...] = ()

    def key_of(self, address: str, values: Mapping[str, str]) -> str:
        """The key of the variant that a person gets."""
        return variant_key(self.choices, {**values, "email": address}) if self.choices else ""

    def variant(self, key: str) -> Variant:
        """The variant that a batch names."""
        return next(each for each in self.variants if each.key == key)

    def letter(self, key: str, tag: str, date: dt.datetime) -> Letter:
        """What a provider is given of the variant ``key``."""
        variant = self.variant(key)
        return Letter(
            tag=tag,
            sender=self.sender,
            reply_to=self.reply_to,
            list_name=self.list_name,
            date=date,
            subject=variant.subject,
            html=variant.html,
            text=variant.text,
            pictures=self.pictures,
            unsubscribe_email=self.unsubscribe_email,
            feedback_id=self.feedback_id,
        )


def of_edition(edition: Edition, masthead: Masthead) -> Frozen:
    """The part of ``edition`` that readers get, under the newsletter's masthead; equal fields become one."""
    bare = [Field(each.name, each.filters) for each in edition.fields]
    fields = tuple(dict.fromkeys(bare))
    number = {each: index for index, each in enumerate(fields)}

    def renumbered(template: Template) -> Template:
        return tuple(p if isinstance(p, str) else Slot(number[bare[p.field]], p.context) for p in template)

    variants = (Variant(v.key, renumbered(v.subject), renumbered(v.html), renumbered(v.text)) for v in edition.variants)
    return Frozen(
        list_name=masthead.name,
        lang=edition.lang,
        sender=edition.sender,
        reply_to=edition.reply_to,
        fields=fields,
        variants=tuple(variants),
        pictures=tuple(_bare(picture) for picture in edition.pictures),
        unsubscribe_email=masthead.unsubscribe_email,
        feedback_id=masthead.feedback_id,
        choices=tuple(map(_placeless, edition.choices)),
    )


def _placeless(choice: Choice) -> Choice:
    then, otherwise = tuple(map(_placeless, choice.then)), tuple(map(_placeless, choice.otherwise))
    return Choice(choice.name, choice.condition, then, otherwise)


def _bare(picture: Picture) -> Picture:
    """``picture`` without its place in the author's folder."""
    return Picture(
        name=picture.name,
        data=picture.data,
        media_type=picture.media_type,
        width=picture.width,
        height=picture.height,
        place=Place(picture.name),
        animated=picture.animated,
    )


# -- bytes ----------------------------------------------------------------------------


def freeze(frozen: Frozen) -> bytes:
    """Canonical bytes; ``thaw`` reads them back to an equal value."""
    filters = {each.name for field in frozen.fields for each in field.filters}
    data: dict[str, Any] = {
        "version": _VERSION if frozen.choices or not filters <= _FILTERS_OF_2 else _PLAIN,
        "list_name": frozen.list_name,
        "lang": frozen.lang,
        "sender": _mailbox(frozen.sender),
        "reply_to": _mailbox(frozen.reply_to) if frozen.reply_to else None,
        "unsubscribe_email": frozen.unsubscribe_email,
        "feedback_id": frozen.feedback_id,
        "fields": [[each.name, [[f.name, *f.args] for f in each.filters]] for each in frozen.fields],
        "variants": [
            {"key": v.key, "subject": _template(v.subject), "html": _template(v.html), "text": _template(v.text)}
            for v in frozen.variants
        ],
        "pictures": [
            [p.name, p.media_type, p.width, p.height, p.animated, base64.b64encode(p.data).decode()]
            for p in frozen.pictures
        ],
    }
    if frozen.choices:
        data["choices"] = [_choice(each) for each in frozen.choices]
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sha(frozen: Frozen) -> str:
    """The content's name: the hash of its bytes."""
    return fingerprint(freeze(frozen))


def thaw(data: bytes) -> Frozen:
    """The value that ``freeze`` wrote."""
    read = json.loads(data)
    if read["version"] not in _READABLE:
        message = f"frozen content of version {read['version']}"
        raise ValueError(message)
    return Frozen(
        list_name=read["list_name"],
        lang=read["lang"],
        sender=Mailbox(*read["sender"]),
        reply_to=Mailbox(*read["reply_to"]) if read["reply_to"] else None,
        fields=tuple(
            Field(name, tuple(Filter(each[0], tuple(each[1:])) for each in filters)) for name, filters in read["fields"]
        ),
        variants=tuple(
            Variant(v["key"], _parts(v["subject"]), _parts(v["html"]), _parts(v["text"])) for v in read["variants"]
        ),
        pictures=tuple(
            Picture(name, base64.b64decode(raw), kind, width, height, Place(name), animated)
            for name, kind, width, height, animated, raw in read["pictures"]
        ),
        unsubscribe_email=read.get("unsubscribe_email", ""),
        feedback_id=read.get("feedback_id", ""),
        choices=tuple(map(_read_choice, read.get("choices", ()))),
    )


def _choice(choice: Choice) -> list[Any]:
    sides = ([_choice(each) for each in side] for side in (choice.then, choice.otherwise))
    return [choice.name, _condition(choice.condition), *sides]


def _read_choice(read: list[Any]) -> Choice:
    name, condition, then, otherwise = read
    return Choice(name, _read_condition(condition), tuple(map(_read_choice, then)), tuple(map(_read_choice, otherwise)))


def _condition(condition: Condition) -> list[Any]:
    inner = [_condition(each) for each in condition.inner]
    return [condition.op, condition.name, list(condition.values), inner]


def _read_condition(read: list[Any]) -> Condition:
    op, name, values, inner = read
    return Condition(op, name, tuple(values), tuple(map(_read_condition, inner)))


def _mailbox(mailbox: Mailbox) -> list[str]:
    return [mailbox.name, mailbox.address]


def _template(template: Template) -> list[Any]:
    return [part if isinstance(part, str) else [part.field, part.context] for part in template]


def _parts(read: list[Any]) -> Template:
    return tuple(part if isinstance(part, str) else Slot(*part) for part in read)


# -- what an edit changed -------------------------------------------------------------


def changes(old: Frozen, new: Frozen) -> tuple[str, ...]:
    """The parts in which two contents differ, in the words of the one who edits them."""
    parts = {
        "subject": ([v.subject for v in old.variants], [v.subject for v in new.variants]),
        "html": ([v.html for v in old.variants], [v.html for v in new.variants]),
        "text": ([v.text for v in old.variants], [v.text for v in new.variants]),
        "merge fields": (old.fields, new.fields),
        "pictures": (old.pictures, new.pictures),
        "sender": (old.sender, new.sender),
        "reply-to": (old.reply_to, new.reply_to),
        "language": (old.lang, new.lang),
        "newsletter's name": (old.list_name, new.list_name),
        "unsubscribe_email": (old.unsubscribe_email, new.unsubscribe_email),
        "feedback_id": (old.feedback_id, new.feedback_id),
        "variants": ([v.key for v in old.variants], [v.key for v in new.variants]),
        "conditions": (old.choices, new.choices),
    }
    return tuple(part for part, (before, after) in parts.items() if before != after)


def subject_text(frozen: Frozen, variant: Variant) -> str:
    """A subject as the author would read it: ``Hello {{ first_name }}``."""
    return "".join(
        part if isinstance(part, str) else f"{{{{ {frozen.fields[part.field].name} }}}}" for part in variant.subject
    )
