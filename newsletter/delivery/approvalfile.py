"""``approval.json``, which lies beside the issue so that git remembers who approved what.

It is no signature: whoever can write the file can approve. Who may do that is for the repository to rule.
"""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

from newsletter.delivery.approval import Approval, Image, Matter, Version, text_sha, visible
from newsletter.errors import BadInput, Problem
from newsletter.files import display, write
from newsletter.model import Mailbox, Place
from newsletter.store import clock

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

FILE = "approval.json"
_VERSION = 2
"""What has no conditions is still written as version 1, which knew none."""

_LARGEST = 4_000_000

_Kind = type | tuple[type, ...]
_NONE = type(None)
_TOP: dict[str, _Kind] = {
    "version": int,
    "issue": str,
    "approved_by": str,
    "approved_at": str,
    "program": str,
    "recipients": int,
    "content": str,
    "audience": dict,
    "at": (str, _NONE),
    "from": dict,
    "reply_to": (dict, _NONE),
    "name": str,
    "lang": str,
    "unsubscribe_email": str,
    "feedback_id": str,
    "preheader": str,
    "variants": list,
    "images": list,
}
_CONDITIONS: dict[str, _Kind] = {"conditions": list}
_MAILBOX: dict[str, _Kind] = {"name": str, "address": str}
_VARIANT: dict[str, _Kind] = {"key": str, "subject": str, "html": dict, "text": dict}
_HTML: dict[str, _Kind] = {"sha256": str, "bytes": int}
_TEXT: dict[str, _Kind] = {"sha256": str, "lines": (list, _NONE)}
_IMAGE: dict[str, _Kind] = {"name": str, "sha256": str, "bytes": int, "alt": str}


class _Broken(ValueError):
    """The file is not what the program writes; the text says where."""


# -- writing --------------------------------------------------------------------------


def keep(folder: Path, approval: Approval) -> Path:
    """Write the approval beside the issue, in place of an earlier one or of a link to it; its path."""
    path = folder / FILE
    write(path, json.dumps(data(approval), indent=2, ensure_ascii=False) + "\n", durable=True)
    return path


def data(approval: Approval) -> dict[str, Any]:
    """The file's content."""
    what = approval.matter
    return {
        "version": _VERSION if what.conditions else 1,
        "issue": what.issue_id,
        "approved_by": approval.by,
        "approved_at": clock.stamp(approval.approved_at),
        "program": approval.program,
        "recipients": approval.recipients,
        "content": what.content,
        "audience": dict(what.audience),
        "at": what.at.isoformat() if what.at else None,
        "from": what.sender._asdict(),
        "reply_to": what.reply_to._asdict() if what.reply_to else None,
        "name": what.list_name,
        "lang": what.lang,
        "unsubscribe_email": what.unsubscribe_email,
        "feedback_id": what.feedback_id,
        "preheader": what.preheader,
        **({"conditions": list(what.conditions)} if what.conditions else {}),
        "variants": [
            {
                "key": each.key,
                "subject": each.subject,
                "html": {"sha256": each.html, "bytes": each.html_bytes},
                "text": {"sha256": each.text, "lines": None if each.lines is None else list(each.lines)},
            }
            for each in what.versions
        ],
        "images": [
            {"name": each.name, "sha256": each.sha, "bytes": each.bytes, "alt": each.alt} for each in what.images
        ],
    }


# -- reading --------------------------------------------------------------------------


def found(folder: Path) -> Approval | None:
    """The approval beside an issue, or ``None``; ``BadInput`` when it cannot be read or was not written by us."""
    path = folder / FILE
    place = Place(display(path))
    try:
        return _approval(_load(path))
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        place = Place(place.path, error.lineno, error.colno)
        reason = f"this is not JSON ({error.msg})"
    except UnicodeError:
        reason = "this is not UTF-8"
    except OSError as error:
        reason = error.strerror or str(error)
    except RecursionError:
        reason = "it is nested too deep"
    except ValueError as error:  # ours, and numbers that are too long
        reason = visible(str(error))
    hint = f"Take it back from git, or look at the issue and approve it again: newsletter approve {folder.name}"
    raise BadInput([Problem(place, f"this approval cannot be read: {reason}", hint)])


def _load(path: Path) -> Any:
    there = path.lstat()
    if stat.S_ISLNK(there.st_mode):
        raise _Broken("it is a symbolic link; git would remember where it points, and not what was approved")
    if not stat.S_ISREG(there.st_mode):
        raise _Broken("it is not a file")
    if there.st_size > _LARGEST:
        raise _Broken(f"it is larger than {_LARGEST // 1_000_000} MB")
    read = json.loads(path.read_bytes(), object_pairs_hook=_unique)
    json.dumps(read, ensure_ascii=False).encode()  # half a surrogate pair is no text; it fails here and not in print
    return read


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _Broken("a key stands in it twice, as after a merge")
    return made


def _fields(value: Any, where: str, kinds: dict[str, _Kind]) -> dict[str, Any]:
    """An object with exactly these keys, each of its kind; a truth value is no number here."""
    if type(value) is not dict:
        raise _Broken(f"{where} is not an object")
    if odd := sorted(kinds.keys() ^ value.keys()):
        raise _Broken(f"{where} {'lacks' if odd[0] in kinds else 'has an unknown key'} “{odd[0]}”")
    for name, kind in kinds.items():
        if type(value[name]) not in (kind if isinstance(kind, tuple) else (kind,)):
            raise _Broken(f"“{name}” in {where} is of the wrong type")
    return value


def _strings(value: list[Any], where: str) -> tuple[str, ...]:
    if not all(type(each) is str for each in value):
        raise _Broken(f"{where} holds something that is no text")
    return tuple(value)


def _approval(read: Any) -> Approval:
    version = read.get("version") if type(read) is dict else None
    if type(version) is int and version > _VERSION:
        raise _Broken(f"it is of version {version}, which a newer newsletter writes")
    top = _fields(read, "the file", _TOP | (_CONDITIONS if version == _VERSION else {}))
    if version not in {1, _VERSION}:
        raise _Broken(f"there is no version {version}")
    audience = _strings([*top["audience"].values()], "“audience”")
    return Approval(
        matter=Matter(
            issue_id=top["issue"],
            content=top["content"],
            audience=tuple(zip(top["audience"], audience, strict=True)),
            at=None if top["at"] is None else _moment(top["at"], "at"),
            sender=_mailbox(top["from"], "from"),
            reply_to=None if top["reply_to"] is None else _mailbox(top["reply_to"], "reply_to"),
            list_name=top["name"],
            lang=top["lang"],
            unsubscribe_email=top["unsubscribe_email"],
            feedback_id=top["feedback_id"],
            preheader=top["preheader"],
            versions=tuple(_version(each, f"variant {at}") for at, each in enumerate(top["variants"], 1)),
            images=tuple(_image(each, f"image {at}") for at, each in enumerate(top["images"], 1)),
            conditions=_strings(top.get("conditions", []), "“conditions”"),
        ),
        by=top["approved_by"],
        approved_at=_moment(top["approved_at"], "approved_at"),
        program=top["program"],
        recipients=top["recipients"],
    )


def _moment(text: str, name: str) -> dt.datetime:
    try:
        moment = clock.parse(text)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise _Broken(f"“{name}” is not a time with its offset, such as 2026-12-01T08:00:00+01:00")
    return moment


def _mailbox(value: Any, where: str) -> Mailbox:
    return Mailbox(**_fields(value, f"“{where}”", _MAILBOX))


def _version(value: Any, where: str) -> Version:
    each = _fields(value, where, _VARIANT)
    html = _fields(each["html"], f"“html” in {where}", _HTML)
    text = _fields(each["text"], f"“text” in {where}", _TEXT)
    lines = None if text["lines"] is None else _strings(text["lines"], f"“lines” in {where}")
    if lines is not None and text_sha(lines) != text["sha256"]:
        raise _Broken(f"the text in {where} does not fit its own hash: it was edited")
    return Version(each["key"], each["subject"], html["sha256"], html["bytes"], text["sha256"], lines)


def _image(value: Any, where: str) -> Image:
    each = _fields(value, where, _IMAGE)
    return Image(each["name"], each["sha256"], each["bytes"], each["alt"])
