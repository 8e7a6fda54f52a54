"""A draft's front matter: the one of every new issue, with what was recognised in the place of the examples."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from newsletter.content.draft import head
from newsletter.content.drafts.escape import JOINER, clean, inline, outside

if TYPE_CHECKING:
    import datetime as dt

    from newsletter.config import Config
    from newsletter.content.drafts.nouns import Draft, Inlines

_URL = re.compile(r"https?://[^\s/?#\\]+[^\s\\]*")
DOUBT = re.compile(r"^# Look at this: (.*)$", re.MULTILINE)
"""A comment in the front matter that asks the author something."""


def front(draft: Draft, config: Config, *, today: dt.date, token: str) -> str:
    """The front matter, with a comment behind each value that was made from other words."""
    text = head(config, line(draft.title), today=today, token=token)
    sources = dict(draft.sources)
    for key, value in _values(draft).items():
        origin = f"    # in the source: {_comment(sources[key])}" if key in sources else ""
        example = re.search(rf"^# {key}: .*$", text, re.MULTILINE)
        if example:
            new = f"{key}: {json.dumps(value, ensure_ascii=False)}{origin}"
            text = f"{text[: example.start()]}{new}{text[example.end() :]}"
    doubts = "".join(f"# Look at this: {_comment(doubt)}\n" for doubt in draft.doubts)
    return text.replace("\ntitle: ", f"\n{doubts}title: ", 1)


def line(text: str) -> str:
    """Plain words on one line, without what front matter refuses."""
    return _parted(" ".join(clean(text).split()))


def _values(draft: Draft) -> dict[str, object]:
    values: dict[str, object] = {
        "date": draft.date,
        "place": line(draft.place),
        "kicker": line(draft.kicker),
        "dek": _markdown(draft.dek),
        "authors": [line(name) for name in draft.authors],
        "credits": [_markdown(each) for each in draft.credits],
        "lang": draft.lang,
        "canonical_url": draft.url if _URL.fullmatch(draft.url) and "{{" not in draft.url else "",
    }
    return {key: value for key, value in values.items() if value}


def _markdown(children: Inlines) -> str:
    return _parted(outside(inline(children, single=True))) if children else ""


def _parted(text: str) -> str:
    """``text`` with nothing in it that looks like a merge field or an encoded word of a mail's header."""
    return text.replace("{{", f"{{{JOINER}{{").replace("{{", f"{{{JOINER}{{").replace("=?", f"={JOINER}?")


def _comment(text: str) -> str:
    return " ".join(clean(text).split())[:300]
