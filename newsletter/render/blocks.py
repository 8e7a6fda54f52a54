"""Blocks to MJML: each one through its own template, read as XML at once, gathered into sections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from newsletter.errors import BadInput
from newsletter.model import (
    Button,
    Cards,
    CodeBlock,
    Columns,
    Contents,
    Figure,
    Heading,
    ListBlock,
    Note,
    Paragraph,
    PullQuote,
    Quote,
    RawHtml,
    RawMjml,
    Rule,
    SignOff,
    Social,
    Sponsor,
    Table,
    Video,
)
from newsletter.render import mailflow, marks
from newsletter.render.flow import LAST, with_back_links
from newsletter.render.inline import escape, html, safe
from newsletter.render.markup import Element, Node, Origin, parse, problem, written
from newsletter.render.nesting import CONTAINERS, SECTIONS
from newsletter.render.places import Printed
from newsletter.render.tree import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from markupsafe import Markup

    from newsletter.model import Block, Blocks, Footnote, Place
    from newsletter.render.flow import Flow
    from newsletter.render.jinja import Templates

_SLOT = "newsletter-slot"
_WEB = re.compile(r"https?://([A-Za-z0-9.-]+)(?=[/?#:]|$)", re.IGNORECASE)


class Mail:
    """Writes an issue's blocks as MJML elements with one theme's templates."""

    def __init__(self, templates: Templates, flow: Flow, common: Mapping[str, object]) -> None:
        self.templates, self.flow, self.common = templates, flow, common

    # -- one template -----------------------------------------------------------------

    def fragment(
        self, name: str, values: Mapping[str, object], block: Place | None, slots: Sequence[Sequence[Node]] = ()
    ) -> list[Node]:
        """The nodes of one template, with ready-made nodes in its slots.

        Raises ``BadInput`` when the template or what it makes is broken, or when it leaves a slot out.
        """
        values = {**self.common, **values}
        markup = self.templates.render(name, values, block)
        source, path = self.templates.source(name)
        here = Origin(path, source, block, printed=Printed(self.templates, name, values))
        nodes = parse(markup, here)
        _no_stray_text(nodes, markup, here)
        filled: set[int] = set()
        nodes = _fill(nodes, slots, filled)
        if missing := set(range(len(slots))) - filled:
            message = f"this template leaves out {len(missing)} of the parts it was given"
            raise BadInput([problem(here, markup, 1, message, "Print each part where it belongs, such as {{ body }}.")])
        return nodes

    # -- the body ---------------------------------------------------------------------

    def body(self, blocks: Blocks, notes: Sequence[tuple[Footnote, tuple[int, ...]]]) -> list[Node]:
        """The sections of the body: blocks that share a column are gathered into one section."""
        sections: list[Node] = []
        run: list[Node] = []
        first: Place | None = None

        def close() -> None:
            if run:
                sections.extend(self.fragment("blocks/run.mjml.j2", {"body": slot(0)}, first, [list(run)]))
                run.clear()

        pieces: list[tuple[Place | None, list[Node]]] = [
            (block.place, self.block(block)) for block in visible(blocks, "email")
        ]
        if notes:
            pieces.append((pieces[-1][0] if pieces else None, self.footnotes(notes)))
        for place, nodes in pieces:
            if _stands_alone(nodes):
                close()
                sections.extend(nodes)
            else:
                first = place if not run else first
                run.extend(nodes)
        close()
        return sections

    def column(self, blocks: Blocks) -> list[Node]:
        """The elements of a column; what would be a section of its own is written as HTML there."""
        nodes: list[Node] = []
        for block in visible(blocks, "email"):
            if isinstance(block, Columns | Cards | RawMjml):
                values = {"block": block, "html": safe(self.flow.block(block))}
                nodes.extend(self.fragment("blocks/html.mjml.j2", values, block.place))
            else:
                nodes.extend(self.block(block, inside=True))
        return nodes

    def block(self, block: Block, *, inside: bool = False) -> list[Node]:
        """The nodes of one block, from its template; ``inside`` a column that one may print no section of its own."""
        if isinstance(block, RawMjml):
            markup, here = written(block)
            nodes = parse(markup, here)
            _no_stray_text(nodes, markup, here)
            _adopt(nodes)
            return nodes
        if isinstance(block, Columns):
            slots = [self.column(column) for column in block.columns]
            values: dict[str, object] = {"columns": [slot(index) for index in range(len(slots))]}
            return self.fragment("blocks/columns.mjml.j2", {"block": block, **values}, block.place, slots)
        name, context = _KINDS[type(block)]
        return self.fragment(
            f"blocks/{name}.mjml.j2", {"block": block, "inside": inside, **context(block, self.flow)}, block.place
        )

    def footnotes(self, notes: Sequence[tuple[Footnote, tuple[int, ...]]]) -> list[Node]:
        """The footnotes, each with its links back."""
        flow = self.flow.small()
        items = [
            {
                "number": note.number,
                "html": safe(with_back_links(note.number, uses, flow.blocks(note.children), flow.pen)),
            }
            for note, uses in notes
        ]
        return self.fragment("blocks/footnotes.mjml.j2", {"notes": items}, None)


def slot(index: int) -> Markup:
    """What a template prints to have ready-made nodes put there."""
    return safe(f'<{_SLOT} n="{index}"></{_SLOT}>')


def _stands_alone(nodes: Sequence[Node]) -> bool:
    """Whether nodes stand in the body itself: sections, or raw HTML with nothing around it."""
    tags_ = {node.tag for node in nodes if isinstance(node, Element)}
    return bool(tags_ & SECTIONS) or tags_ == {"mj-raw"}


def _fill(nodes: Sequence[Node], slots: Sequence[Sequence[Node]], filled: set[int]) -> list[Node]:
    if not slots:
        return list(nodes)
    result: list[Node] = []
    for node in nodes:
        if isinstance(node, Element) and node.tag == _SLOT:
            index = int(node.attributes["n"])
            filled.add(index)
            result.extend(slots[index])
            continue
        if isinstance(node, Element):
            node.children = _fill(node.children, slots, filled)
        result.append(node)
    return result


def _no_stray_text(nodes: Sequence[Node], markup: str, here: Origin) -> None:
    """Refuse text that stands in no element: the engine would drop it."""
    if stray := next((node for node in nodes if isinstance(node, str) and node.strip()), ""):
        line = markup[: markup.find(stray.strip()[:20])].count("\n") + 1
        message = f"text cannot stand outside an MJML tag: “{stray.strip()[:60]}”"
        raise BadInput([problem(here, markup, line, message, "Put it into an mj-text.")])


def _adopt(nodes: Sequence[Node]) -> None:
    """Let the author's own text follow the theme into the dark, where it has no colours of its own."""
    for node in nodes:
        if not isinstance(node, Element) or any("background" in name for name in node.attributes):
            continue
        if node.tag == "mj-text" and not {"color", "css-class"} & node.attributes.keys():
            node.attributes["css-class"] = "t"
        elif node.tag in CONTAINERS:
            _adopt(node.children)


# -- what each template is given ------------------------------------------------------


def _whole(write: Callable[..., str]) -> Callable[..., dict[str, object]]:
    return lambda block, flow: {"html": safe(write(block, flow))}


def _running(block: Paragraph | Heading, flow: Flow) -> dict[str, object]:
    return {"html": safe(html(block.children, flow.pen))}


def _children(block: PullQuote, flow: Flow) -> dict[str, object]:
    return {"html": safe(flow.blocks(block.children))}


def _note(block: Note, flow: Flow) -> dict[str, object]:
    inner = flow.small()
    return {"html": safe(mailflow.lead_in(block.title, inner.blocks(block.children), inner))}


def _sponsor(block: Sponsor, flow: Flow) -> dict[str, object]:
    return {"html": safe(flow.small().blocks(block.children)), "label": mailflow.sponsor_label(block, flow)}


def _figure(block: Figure, flow: Flow) -> dict[str, object]:
    return {
        "src": flow.pen.source(block.picture),
        "href": marks.in_url(block.href),
        "caption": safe(html(block.caption, flow.pen)),
    }


def _button(block: Button, flow: Flow) -> dict[str, object]:
    return {"html": safe(html(block.label, flow.pen)), "href": marks.in_url(block.href)}


def _cards(block: Cards, flow: Flow) -> dict[str, object]:
    small = flow.small()
    cards = [
        {
            "card": card,
            "src": flow.pen.source(card.picture) if card.picture else "",
            "title": safe(flow.pen.link(card.href, escape(card.title), css="a-head")),
            "host": _host(card.href),
            "html": safe(small.blocks(card.children)),
        }
        for card in block.cards
    ]
    return {"cards": cards}


def _host(href: str) -> str:
    """Where a link leads, as a reader would say it; empty for what is no web address."""
    found = _WEB.match(href)
    return found[1].lower().removeprefix("www.") if found else ""


def _video(block: Video, flow: Flow) -> dict[str, object]:
    return {"src": flow.pen.source(block.poster), "title": block.title or flow.pen.words["watch"]}


def _sign_off(block: SignOff, flow: Flow) -> dict[str, object]:
    return {"html": safe(flow.blocks(block.children)), "src": flow.pen.source(block.picture) if block.picture else ""}


def _nothing(_block: Rule, _flow: Flow) -> dict[str, object]:
    return {}


_KINDS: Mapping[type, tuple[str, Callable[..., dict[str, object]]]] = {
    Paragraph: ("paragraph", _running),
    Heading: ("heading", _running),
    ListBlock: ("list", _whole(lambda block, flow: flow.block(block))),
    Quote: ("quote", _whole(mailflow.quote)),
    PullQuote: ("pullquote", _children),
    Note: ("note", _note),
    Figure: ("figure", _figure),
    Button: ("button", _button),
    Cards: ("cards", _cards),
    Table: ("table", _whole(mailflow.data_table)),
    CodeBlock: ("code", _whole(mailflow.code)),
    Rule: ("rule", _nothing),
    Contents: ("contents", _whole(lambda block, flow: mailflow.contents(block, flow.small(), LAST))),
    Sponsor: ("sponsor", _sponsor),
    Video: ("video", _video),
    Social: ("social", _whole(mailflow.social)),
    SignOff: ("signoff", _sign_off),
    RawHtml: ("html", _whole(lambda block, flow: flow.block(block))),
}
