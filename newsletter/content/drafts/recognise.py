"""What stands where in an article: title, dek, byline, dateline, note, captions, heads, credits.

What is sure is taken to its place; what is not stays in the text, under a comment that asks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.content.drafts import dates, language, signs, tail
from newsletter.content.drafts.escape import tidy
from newsletter.content.drafts.nouns import (
    Box,
    Break,
    Draft,
    Figure,
    Heading,
    Image,
    Mention,
    Paragraph,
    Remark,
    Styled,
    Words,
    holds,
    plain,
    without,
)

if TYPE_CHECKING:
    from newsletter.content.drafts.nouns import Article, Block, Blocks, Facts, Inlines

_LONGEST_TITLE, _LONGEST_DEK = 150, 260


def recognise(article: Article, *, title: str = "", fallback: str = "", lang: str = "") -> Draft:
    """The draft in an article.

    ``title`` is the one that was asked for, ``fallback`` the name of the file, ``lang`` the configuration's language.
    """
    words = " ".join(tail.texts(article.blocks))
    guessed = "" if article.facts.lang else language.guess(words)
    known = article.facts.lang or guessed or lang
    top = _Top(list(article.blocks), article.loose, known, article.facts)
    doubts = [*article.doubts]
    if guessed and guessed != lang.lower().partition("-")[0]:
        doubts.append(f"The language was told by the words: lang: {guessed}")
    found = top.title()
    if title and found:
        top.done.append(Heading(1, top.headline))
    top.opening()
    if not (title or found):
        doubts.append("No title was recognised: this one is a name from outside the text.")
    left = tail.heads(tuple(top.left)) if article.loose else tuple(top.left)
    rest, credits_, source = tail.credits_of(left)
    body = tail.levels(tail.captions((*top.done, *rest)) if article.loose else (*top.done, *rest))
    return Draft(
        title=title or found or article.facts.title or fallback,
        blocks=tuple(_boxed(body)),
        notes=article.notes,
        kicker=top.kicker,
        dek=top.dek,
        authors=top.authors or article.facts.authors,
        place=top.place,
        date=top.date,
        credits=credits_,
        lang=article.facts.lang or (guessed if guessed != lang.lower().partition("-")[0] else ""),
        url=article.facts.url,
        sources=(*top.sources, *source),
        doubts=(*doubts, *top.doubts),
    )


class _Top:
    """Takes the parts at the top of an article out of ``left``, one after the other; ``done`` stays before the rest."""

    def __init__(self, blocks: list[Block], loose: bool, lang: str, facts: Facts) -> None:  # noqa: FBT001 - internal
        self.left, self.loose, self.lang, self.facts = blocks, loose, lang, facts
        self.done: list[Block] = []
        self.kicker, self.place, self.date = "", "", ""
        self.dek: Inlines = ()
        self.headline: Inlines = ()
        self.authors: tuple[str, ...] = ()
        self.sources: list[tuple[str, str]] = []
        self.doubts: list[str] = []

    def title(self) -> str:
        """The headline, and a kicker above it."""
        self._keep()
        if (
            self.left
            and isinstance(first := self.left[0], Paragraph)
            and signs.KICKER.fullmatch(plain(first.children).strip())
        ):
            self.kicker = _one_line(self._take())
            self._keep()
        if not self.left:
            return ""
        first = self.left[0]
        text = _one_line(first)
        if isinstance(first, Heading) and not holds(first.children, Image, Mention) and _fits(text):
            if self.loose or first.level == 1 or not self._has_title_below():
                return self._titled(text)
        elif self.loose and isinstance(first, Paragraph) and _fits(text) and not signs.END.search(text):
            if len(self.left) > 1:
                return self._titled(text)
        elif not self.loose:
            return self._title_behind()
        return ""

    def _titled(self, text: str) -> str:
        first = self._take()
        self.headline = first.children if isinstance(first, Paragraph | Heading) else ()
        if text.isupper() and len(text) > 12:
            self.doubts.append("The title is in capitals, as in the source.")
        return text

    def _has_title_below(self) -> bool:
        return any(isinstance(block, Heading) and block.level == 1 for block in self.left[1:4])

    def _title_behind(self) -> str:
        """A first-level heading that stands behind a picture or a line or two."""
        for index, block in enumerate(self.left[:4]):
            if isinstance(block, Heading) and block.level == 1 and _fits(text := _one_line(block)):
                self.headline = block.children
                self.done += [Remark("This stood above the title."), *self.left[:index]]
                del self.left[: index + 1]
                return text
        return ""

    def opening(self) -> None:
        """Dek, byline, date, note and dateline, in whatever order they stand."""
        for _ in range(6):
            self._keep()
            if not self.left or not (self._byline() or self._day() or self._note() or self._dek()):
                break
        self._dateline()

    def _keep(self) -> None:
        while self.left and isinstance(self.left[0], Remark | Figure):
            self.done.append(self.left.pop(0))

    def _take(self) -> Block:
        return self.left.pop(0)

    def _paragraph(self) -> tuple[Inlines, str]:
        first = self.left[0]
        return (first.children, " ".join(plain(first.children).split())) if isinstance(first, Paragraph) else ((), "")

    def _byline(self) -> bool:
        children, text = self._paragraph()
        found = signs.BYLINE.fullmatch(text)
        if self.authors or not found or len(text) > 100 or holds(children, Image, Mention):
            return False
        names = [name for name in signs.AND.split(found["names"]) if name]
        if not all(signs.NAME.fullmatch(name) and not name[0].islower() for name in names):
            return False
        self.authors = tuple(names)
        self.sources.append(("authors", text))
        self._take()
        return True

    def _day(self) -> bool:
        _, text = self._paragraph()
        if self.date or len(text) > 40 or not (day := dates.read(text, self.lang)):
            return False
        self.date = day
        self.sources.append(("date", text))
        self._take()
        return True

    def _note(self) -> bool:
        if made := note_of(self.left):
            box, count = made
            self.done += box
            del self.left[:count]
            return True
        return False

    def _dek(self) -> bool:
        children, text = self._paragraph()
        if isinstance(first := self.left[0], Heading) and not self.loose:
            # A second heading right below the headline, with text behind it, that is not the first section's.
            follows = len(self.left) > 1 and isinstance(self.left[1], Paragraph)
            alone = not any(isinstance(b, Heading) and b.level == first.level for b in self.left[1:])
            if not follows or not alone or first.level < 2 or not signs.END.search(_one_line(first)):
                return False
            children, text = first.children, _one_line(first)
        if (
            self.dek
            or self.authors
            or not text
            or len(self.left) < 2
            or len(text) > _LONGEST_DEK
            or holds(children, Image, Mention)
        ):
            return False
        if signs.NOTE.match(text) or signs.DATELINE.match(text):
            return False
        same = text == self.facts.dek
        whole = len(children) == 1 and isinstance(only := children[0], Styled) and only.style in {"em", "strong"}
        before = _is_byline(self.left[1])
        line = self.loose and len(text.split()) > 3 and not signs.SENTENCE.search(text) and not holds(children, Break)
        if line and not (same or whole or before):
            self.doubts.append("The line below the title was taken for the dek.")
        if not (same or whole or before or line):
            if self.loose and len(text) < 160 and len(_one_line(self.left[1])) > 1.5 * len(text):
                self.done.append(
                    Remark("Is this the dek? Then write it behind `dek:` in the front matter, and delete it here.")
                )
            return False
        self.dek = only.children if whole and isinstance(only := children[0], Styled) else children
        self._take()
        return True

    def _dateline(self) -> None:
        if not self.left or not isinstance(first := self.left[0], Paragraph):
            return
        text = plain(first.children)
        found = signs.DATELINE.match(text)
        if not found or len(text) - found.end() < 20:
            return
        place, date = found["place"], (found["date"] or "").strip(" ,،")
        sure = found["place"].partition(",")[0].isupper() and len(place) > 2
        if not (sure or (date and dates.has_year(date))):
            return
        self.place = place
        day = dates.read(date, self.lang) if date and not self.date else ""
        kept: Block = Paragraph(tidy(without(first.children, found.end())))
        if date and not day:
            kept = Paragraph(tidy((Words(f"{date} {found['dash']} "), *without(first.children, found.end()))))
            self.done.append(
                Remark("The place went to the front matter; the date would be shown in other words there, and stays.")
            )
        self.date = day or self.date
        self.sources.append(("place", found[0].strip()))
        self.left[0] = kept


def _is_byline(block: Block) -> bool:
    return isinstance(block, Paragraph) and signs.BYLINE.fullmatch(_one_line(block)) is not None


def _one_line(block: Block) -> str:
    return " ".join(plain(block.children).split()) if isinstance(block, Paragraph | Heading) else ""


def _fits(text: str) -> bool:
    return bool(re.search(r"\w", text)) and len(text) <= _LONGEST_TITLE


def note_of(blocks: list[Block]) -> tuple[list[Block], int] | None:
    """The editor's note that the first of ``blocks`` begins, and how many blocks it takes."""
    first = blocks[0]
    text = plain(first.children).lstrip() if isinstance(first, Paragraph | Heading) else ""
    found = signs.NOTE.match(text)
    if not found or not isinstance(first, Paragraph | Heading) or len(text) != len(plain(first.children)):
        return None
    rest = tidy(without(first.children, found.end()))
    if isinstance(first, Paragraph) and plain(rest).strip():
        return ([Box(found["title"], (Paragraph(rest),))], 1) if found["end"].strip() else None
    following = blocks[1] if len(blocks) > 1 else None
    if plain(rest).strip() or not isinstance(following, Paragraph):
        return None
    return [Remark("Does the note end here?"), Box(found["title"], (following,))], 2


def _boxed(blocks: Blocks) -> list[Block]:
    """Editor's notes further down."""
    left, done = list(blocks), []
    while left:
        if made := note_of(left):
            done += made[0]
            del left[: made[1]]
        else:
            done.append(left.pop(0))
    return done
