"""What the tests of imported drafts share: the samples, an import in one call, and the words that readers see."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.cli import wiring
from newsletter.content.drafts import dates, decode, importing
from newsletter.personal import join, without_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from support import Workspace

    from newsletter.content.drafts.decode import Kind
    from newsletter.content.drafts.feed import Entry, Feed
    from newsletter.content.drafts.importing import Imported

SAMPLES = Path(__file__).parent / "drafts_samples"
TODAY = dt.date(2026, 11, 25)
_COUNT = iter(range(1_000_000))

_HIDDEN = frozenset({"script", "style", "title", "iframe", "noscript", "template"})


def every(feed: Feed) -> Sequence[Entry]:
    """All entries of a feed."""
    return feed.entries


def bring(
    workspace: Workspace,
    source: str | bytes,
    kind: Kind | None = None,
    *,
    name: str = "draft",
    title: str = "",
    choose: Callable[[Feed], Sequence[Entry]] = every,
) -> Imported:
    """Import a source that lies in the workspace's root; each call makes a folder of its own."""
    raw = source.encode() if isinstance(source, str) else source
    text = decode.decode(raw, name).text
    article = importing.article_of(text, kind or decode.kind_of(text, name), name, choose)
    day = TODAY + dt.timedelta(days=next(_COUNT))
    return importing.import_article(
        article,
        workspace.config(),
        workspace.root,
        name=name,
        title=title,
        today=day,
        token=f"token{next(_COUNT):06}",
    )


def body_of(made: Imported) -> str:
    """The body of the ``index.md`` that was made."""
    return made.path.read_text("utf-8").split("\n---\n", 1)[1].strip("\n")


def front_of(made: Imported) -> list[str]:
    """The lines of the front matter that are no comments."""
    head = made.path.read_text("utf-8").split("\n---\n", 1)[0]
    return [line for line in head.splitlines()[1:] if line and not line.startswith("#")]


def text_part(workspace: Workspace, made: Imported) -> str:
    """The text part as it is built, between the masthead and the footer, without a day that is only the folder's."""
    config = workspace.config()
    edition = wiring.edition(config, made.path.parent)
    values = [without_reader(field, edition.lang, config.link_base) for field in edition.fields]
    text = join(edition.variants[0].text, values)
    shown = text.split("/v/example\n", 1)[1].rsplit("-" * 72, 1)[0]
    day = r"\s+".join(map(re.escape, dates.shown(edition.date.date(), edition.lang).split()))
    return shown if made.draft.date else re.sub(day, " ", shown, count=1)


def shown_words(text: str) -> list[str]:
    """The words of a text part, without what the renderer adds: numbers of links and notes, and the list of links."""
    text = re.sub(r"\n(?:Links|الروابط):\n.*?(?=\n\n[^\[]|\Z)", "\n", text, flags=re.DOTALL)
    text = re.sub(r"\n(?:Notes|Anmerkungen|ملاحظات):\n", "\n", text)
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+|[ \u00a0\U000f0003]\[\d+\]", " ", text)
    return words(re.sub(r"\[(?:Image|Bild|صورة)(?:: )?", "[", text))


def words(text: str) -> list[str]:
    """Runs of letters and digits."""
    return re.findall(r"[^\W_]+", text.replace("\u2060", ""))


def same_words(found: Sequence[str], wanted: Sequence[str]) -> None:
    """Fail with the words that are missing and those that are too many."""
    missing, added = Counter(wanted) - Counter(found), Counter(found) - Counter(wanted)
    assert not missing, f"missing: {dict(missing)}"
    assert not added, f"added: {dict(added)}"


class _Visible(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in _HIDDEN
        self.parts.append(
            {"img": f" {dict(attrs).get('alt') or ''} "}.get(tag, " " if tag in {"br", "p", "li", "td"} else "")
        )

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in _HIDDEN
        self.parts.append("" if tag in {"b", "i", "em", "strong", "a", "span", "sup", "code"} else " ")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def html_words(html: str) -> list[str]:
    """The words that a browser shows of a page, found in another way than the importer's."""
    reader = _Visible()
    reader.feed(html)
    reader.close()
    return words("".join(reader.parts))
