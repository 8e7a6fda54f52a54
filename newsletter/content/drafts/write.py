"""A draft's blocks as the body of ``index.md``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from newsletter.content.drafts.escape import clean, inline, option, outside, quoted, verbatim
from newsletter.content.drafts.nouns import (
    Box,
    Cite,
    Figure,
    Grid,
    Heading,
    Items,
    Paragraph,
    Remark,
    Rule,
    Verbatim,
    Words,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from newsletter.content.drafts.nouns import Block, Blocks, Inlines, Notes

_ALIGNS = {"left": ":---", "center": ":---:", "right": "---:"}
_LONGEST_REMARK = 2000
_EMPTY_LINES = re.compile(r"\n\s*\n")


def body(blocks: Blocks, notes: Notes = ()) -> str:
    """The Markdown of blocks and footnotes."""
    parts = [*_blocks(blocks), *(_note(label, children) for label, children in notes)]
    return "\n\n".join("\n".join(line.rstrip(" ") for line in part) for part in parts if part) + "\n"


def remark(text: str) -> str:
    """A comment as it stands in the body: nothing in it ends it, and nothing in it is a merge field."""
    text = clean(text).replace("<", "‹").replace(">", "›").replace("&", "&amp;").replace("{{", "\\{{").strip()
    if len(text) > _LONGEST_REMARK:
        text = f"{text[:_LONGEST_REMARK].rstrip()} …"
    text = _EMPTY_LINES.sub("\n", text)
    return f"<!-- {text} -->"


def _blocks(blocks: Blocks) -> list[list[str]]:
    """The lines of each block; lists that follow each other get different marks, or they would become one."""
    done: list[list[str]] = []
    other = False
    previous: Block | None = None
    for each in _together(blocks):
        other = isinstance(each, Items) and isinstance(previous, Items) and not other
        if made := _block(each, other=other):
            done.append(made)
            previous = each
    return done


def _together(blocks: Blocks) -> Blocks:
    """Comments that follow each other as one."""
    done: list[Block] = []
    for each in blocks:
        if isinstance(each, Remark) and done and isinstance(last := done[-1], Remark):
            done[-1] = last if each.text in last.text.split("\n") else Remark(f"{last.text}\n{each.text}")
        else:
            done.append(each)
    return tuple(done)


def _block(block: Block, *, other: bool) -> list[str]:
    return _items(block, other=other) if isinstance(block, Items) else _WRITERS[type(block)](block)


def _paragraph(block: Paragraph) -> list[str]:
    text = inline(block.children)
    return text.split("\n") if text else []


def _cite(block: Cite) -> list[str]:
    return [f"> {line}" if line else ">" for line in _joined(_blocks(block.children))]


def _box(block: Box) -> list[str]:
    title = outside(inline((Words(block.title),), single=True))
    return [f"::: note {title}".rstrip(), *_joined(_blocks(block.children)), ":::"] if block.children else []


def _joined(parts: Sequence[list[str]]) -> list[str]:
    return [line for index, part in enumerate(parts) for line in (["", *part] if index else part)]


def _heading(block: Heading) -> list[str]:
    text = re.sub(r"#+$", lambda found: f"\\{found[0]}", inline(block.children, single=True))
    return [f"{'#' * min(6, max(1, block.level))} {text}"] if text else []


def _figure(block: Figure) -> list[str]:
    caption = inline(block.caption, single=True)
    alt = outside(inline((Words(block.image.alt.strip()),), single=True))
    title = f' "{quoted(caption)}"' if caption else ""
    picture = f"![{alt}]({block.image.source}{title})"
    options = [f'credit="{option(inline((Words(block.credit),), single=True))}"'] if block.credit else []
    if block.href:
        options.append(f'href="{option(block.href)}"')
    return [f"::: figure {{{' '.join(options)}}}", picture, ":::"] if options else [picture]


def _items(block: Items, *, other: bool) -> list[str]:
    items = [item for item in block.items if _blocks(item)]
    tight = all(_tight(item) for item in items)
    lines: list[str] = []
    for index, item in enumerate(items):
        mark = "*" if other else "-"
        if block.start is not None:
            mark = f"{block.start + index}{')' if other else '.'}"
        parts = _blocks(item)
        inner = [line for part in parts for line in part] if tight else _joined(parts)
        pad = " " * (len(mark) + 1)
        if lines and not tight:
            lines.append("")
        lines += [f"{mark} {inner[0]}", *(f"{pad}{line}" if line else "" for line in inner[1:])]
    return lines


def _tight(item: Blocks) -> bool:
    """Whether an item is one paragraph, perhaps with lists below it."""
    first, *rest = item
    return isinstance(first, Paragraph) and len(rest) < 2 and all(isinstance(each, Items) for each in rest)


def _verbatim(block: Verbatim) -> list[str]:
    text = verbatim(clean(block.text)).strip("\n")
    fence = "```"
    while fence in text:
        fence += "`"
    language = block.language if re.fullmatch(r"[A-Za-z0-9+#_.-]{1,30}", block.language) else ""
    return [f"{fence}{language}", *text.split("\n"), fence] if text.strip() else []


def _grid(block: Grid) -> list[str]:
    def row(cells: Sequence[Inlines]) -> str:
        return f"| {' | '.join(inline(cell, cell=True) for cell in cells)} |"

    head, *rest = block.rows
    rule = f"| {' | '.join(_ALIGNS.get(align, '---') for align in block.aligns)} |"
    return (
        [row(head), rule, *(row(cells) for cells in rest)]
        if any(map(plain, (c for r in block.rows for c in r)))
        else []
    )


def _note(label: str, children: Blocks) -> list[str]:
    lines = _joined(_blocks(children))
    return [f"[^{label}]: {lines[0]}", *(f"    {line}" if line else "" for line in lines[1:])] if lines else []


_WRITERS: Mapping[type, Callable[[Any], list[str]]] = {
    Paragraph: _paragraph,
    Heading: _heading,
    Figure: _figure,
    Cite: _cite,
    Box: _box,
    Verbatim: _verbatim,
    Grid: _grid,
    Rule: lambda _: ["***"],
    Remark: lambda block: remark(block.text).split("\n"),
}
