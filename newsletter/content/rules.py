"""The Markdown parser: CommonMark with tables, footnotes, containers and typographic quotes.

The rules here only make tokens, with offsets where the place matters; what is wrong with a token
is said where it becomes a block or inline content, so that everything is said once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from markdown_it.rules_inline import autolink, html_inline, image, link
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.footnote.index import footnote_inline

from newsletter.content.options import Unreadable, read_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline

    from newsletter.content.options import Option

    InlineRule = Callable[[StateInline, bool], bool]

RAW = "mjml"
"""The container whose content is not Markdown."""

# markdown-it drops what is nested deeper; two of its levels make one of ours, and ours are capped far below.
_NESTING = 40

_QUOTES = {
    "en": "“”‘’", "pt": "“”‘’", "nl": "“”‘’", "tr": "“”‘’", "ko": "“”‘’",
    "de": "„“‚‘", "cs": "„“‚‘", "sk": "„“‚‘", "sl": "„“‚‘", "is": "„“‚‘", "lt": "„“‚‘", "bg": "„“‚‘",
    "fr": ["«\u00a0", "\u00a0»", "‹\u00a0", "\u00a0›"],
    "es": "«»“”", "it": "«»“”", "el": "«»“”", "ru": "«»„“", "uk": "«»„“", "be": "«»„“",
    "pl": "„”«»", "ro": "„”«»", "hu": "„”»«", "hr": "„”‚’", "sr": "„”‚’",
    "sv": "””’’", "fi": "””’’", "no": "«»‘’", "nb": "«»‘’", "nn": "«»‘’", "da": "»«›‹",
    "de-ch": "«»‹›", "fr-ch": "«»‹›",
    "ja": "「」『』", "zh-hant": "「」『』",
}  # fmt: skip

_FENCE = re.compile(r"`{3,}(?=[^`]*$)|~{3,}")
_COLONS = re.compile(r"(:{3,})[ \t]*(.*?)[ \t]*$")
_NOTE = re.compile(r"\[\^([^\]\s]+)\]")
_ANCHOR = re.compile(r"[ \t]+\{#([A-Za-z][\w-]*)\}$")


def parser(lang: str) -> MarkdownIt:
    """A parser whose quotes are those of a language (BCP 47)."""
    low = lang.lower()
    quotes = next(
        (_QUOTES[key] for key in (low, low[:7], low[:5], low.partition("-")[0]) if key in _QUOTES), _QUOTES["en"]
    )
    md = MarkdownIt("commonmark", {"typographer": True, "quotes": quotes, "maxNesting": _NESTING})
    md.enable(["table", "strikethrough", "smartquotes"])
    footnote_plugin(md, move_to_end=False)
    # Links are kept as written: they are checked, refused or encoded when they become inline content.
    replaced: dict[str, Callable[[str], Any]] = {
        "normalizeLink": str,
        "normalizeLinkText": str,
        "validateLink": lambda _: True,
    }
    for name, function in replaced.items():
        setattr(md, name, function)
    for name, rule, kind in (
        ("link", link, "link_open"),
        ("autolink", autolink, "link_open"),
        ("html_inline", html_inline, "html_inline"),
        ("footnote_inline", footnote_inline, "footnote_ref"),
    ):
        md.inline.ruler.at(name, _placed(rule, kind))
    md.inline.ruler.at("image", _with_options(_placed(image, "image")))
    md.inline.ruler.after("footnote_ref", "missing_note", _missing_note)
    md.block.ruler.before("fence", "box", box, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    md.core.ruler.before("inline", "heading_anchor", _heading_anchor)
    md.core.ruler.after("inline", "inline_notes", _inline_notes)
    return md


# -- inline rules ---------------------------------------------------------------------


def _placed(rule: InlineRule, kind: str) -> InlineRule:
    """``rule``, with the offset at which it matched noted on the token it makes."""

    def placed(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it calls it so
        start, count = state.pos, len(state.tokens)
        if not rule(state, silent):
            return False
        for token in state.tokens[count:]:
            if token.type == kind:
                token.meta["at"] = start
                break
        return True

    return placed


def _with_options(rule: InlineRule) -> InlineRule:
    """``rule`` for a picture, and the options in braces right behind it."""

    def with_options(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it calls it so
        if not rule(state, silent):
            return False
        options: tuple[Option, ...] | Unreadable = ()
        if state.pos < state.posMax and state.src[state.pos] == "{":
            try:
                options, state.pos = read_options(state.src[: state.posMax], state.pos)
            except Unreadable as error:
                options = error
        if not silent:
            state.tokens[-1].meta["options"] = options
        return True

    return with_options


def _missing_note(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - markdown-it calls it so
    """``[^x]`` that no other rule took: a footnote that is not defined."""
    found = _NOTE.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        token = state.push("missing_note", "", 0)
        token.content = found[1]
        token.meta["at"] = state.pos
    state.pos = found.end()
    return True


# -- core rules -----------------------------------------------------------------------


def _heading_anchor(state: StateCore) -> None:
    """``# Title {#anchor}``: the author's own anchor."""
    for opening, token in zip(state.tokens, state.tokens[1:], strict=False):
        if opening.type == "heading_open" and (found := _ANCHOR.search(token.content)):
            token.content = token.content[: found.start()]
            opening.meta["anchor"] = found[1]


def _inline_notes(state: StateCore) -> None:
    """Give the text of ``^[…]`` to the token stream, so that the later rules see it."""
    for number, note in state.env.get("footnotes", {}).get("list", {}).items():
        if "tokens" in note:
            token = Token("inline", "", 0, content=note["content"], children=note["tokens"])
            opening = Token("inline_note_open", "", 1, meta={"id": number})
            state.tokens += [opening, token, Token("inline_note_close", "", -1)]


# -- containers -----------------------------------------------------------------------


def box(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:  # noqa: FBT001 - markdown-it calls it so
    """``::: name … :::``; also a ``:::`` that closes nothing."""
    found = _colons(state, start_line)
    if not found:
        return False
    if silent:
        return True
    at = state.bMarks[start_line] + state.tShift[start_line]
    if not found[2]:
        token = state.push("stray", "", 0)
        token.map, token.meta = [start_line, start_line + 1], {"at": at}
        state.line = start_line + 1
        return True
    raw = re.match(rf"{RAW}\b", found[2]) is not None
    end, notes = _find_end(state, start_line, end_line, len(found[1]), raw=raw)
    token = state.push("box_open", "", 1)
    token.info, token.markup, token.map = found[2], found[1], [start_line, end]
    token.meta = {"at": at, "info_at": at + found.start(2), **notes}
    if raw:
        token.content = state.getLines(start_line + 1, end, 0, keepLastLF=True)  # as it stands, so that columns hold
    else:
        outer = state.lineMax, state.parentType
        state.lineMax, state.parentType = end, "container"
        state.md.block.tokenize(state, start_line + 1, end)
        state.lineMax, state.parentType = outer
    state.push("box_close", "", -1)
    state.line = end + (0 if notes["unclosed"] else 1)
    return True


def _colons(state: StateBlock, line: int) -> re.Match[str] | None:
    if state.is_code_block(line):
        return None
    return _COLONS.match(state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]])


def _find_end(
    state: StateBlock, start_line: int, end_line: int, count: int, *, raw: bool
) -> tuple[int, dict[str, Any]]:
    """The closing line, or where the container stops without one; and what is odd about it.

    A container inside with as many colons is skipped as a whole, so that only the one mistake is reported.
    """
    depth, fence, fence_line, crowded = 0, "", 0, ""
    line = start_line + 1
    while line < end_line:
        if not state.isEmpty(line) and state.sCount[line] < state.blkIndent:
            break
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
        code = None if raw or state.is_code_block(line) else _FENCE.match(text)
        found = None if fence else _colons(state, line)
        if fence:
            if code and code[0].startswith(fence) and not text[code.end() :].strip():
                fence = ""
        elif code:
            fence, fence_line = code[0], line
        elif found and len(found[1]) >= count and found[2] and not raw:
            depth, crowded = depth + 1, crowded or found[2].partition(" ")[0]
        elif found and len(found[1]) >= count and not found[2]:
            if not depth:
                return line, {"unclosed": False, "crowded": crowded}
            depth -= 1
        line += 1
    return line, {"unclosed": True, "crowded": crowded, "fence": fence_line + 1 if fence else 0}
