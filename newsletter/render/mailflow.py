"""Blocks inside blocks in the mail: the kinds that need tables there, because Outlook pads only cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from newsletter.model import (
    Button,
    Card,
    Cards,
    CodeBlock,
    Columns,
    Contents,
    Figure,
    Note,
    PullQuote,
    Quote,
    SignOff,
    Social,
    Sponsor,
    Table,
    Video,
)
from newsletter.render.flow import LAST, SHARED, Flow, table
from newsletter.render.highlight import highlighted
from newsletter.render.inline import escape, html, plain
from newsletter.render.words import service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from newsletter.model import Inlines

_FRAME = 'role="presentation" width="100%" border="0" cellpadding="0" cellspacing="0"'


def box(content: str, flow: Flow, css: str, class_: str, gap: str) -> str:
    """Content in a table of one cell, because a cell is what every client pads and colours."""
    cell = flow.pen.tag("td", content, css=css, class_=class_)
    return flow.spaced(
        "div", f"<table {_FRAME}{flow.pen.attributes('frame')}><tr>{cell}</tr></table>", gap, css="block"
    )


def lead_in(title: str, content: str, flow: Flow) -> str:
    """A bold title that runs into the first paragraph, or stands above what is not one."""
    if not title:
        return content
    lead = f"{flow.pen.tag('strong', escape(title), css='lead')}\u2002"
    if content.startswith(("<p>", "<p ")):
        head, bracket, tail = content.partition(">")
        return f"{head}{bracket}{lead}{tail}"
    return f"{flow.pen.tag('p', lead)}{content}"


def quote(block: Quote, flow: Flow, gap: str = "") -> str:
    """A block quote: a bar at its side."""
    return flow.pen.tag("blockquote", box(flow.blocks(block.children), flow, "quote", "bar", LAST), css=f"block{gap}")


def code(block: CodeBlock, flow: Flow, gap: str = "") -> str:
    """Code in a box, wrapped where it is too wide."""
    pre = flow.pen.tag("pre", highlighted(block.text.rstrip("\n"), block.language, flow.pen), dir="ltr")
    return box(pre, flow, "code-box", "box", gap)


def data_table(block: Table, flow: Flow, gap: str = "") -> str:
    """A table; a wide one becomes one record below the other on a phone, or scrolls sideways in its own frame."""
    return box(f"<div{flow.pen.attributes('scroll')}>{table(block, flow)}</div>", flow, "bare", "", gap)


def contents(_block: Contents, flow: Flow, gap: str = "") -> str:
    """The list of section heads."""
    pen = flow.pen
    items = "".join([pen.tag("li", pen.link(f"#{each.anchor}", escape(plain(each.children)))) for each in pen.headings])
    title = pen.tag("p", pen.tag("strong", escape(pen.words["contents"]), css="lead"), css="p-small")
    return f"{title}{pen.tag('ul', items, css=f'list{gap}')}"


def social(block: Social, flow: Flow, gap: str = "") -> str:
    """Links to other places, in one line."""
    links = " · ".join([flow.pen.link(href, escape(service(name))) for name, href in block.links])
    return flow.spaced("p", links, gap)


def _pull_quote(block: PullQuote, flow: Flow, gap: str) -> str:
    source = flow.pen.tag("p", f"— {escape(block.source)}", css="credit", class_="mute") if block.source else ""
    inner = box(f"{flow.blocks(block.children)}{source}", flow, "pull", "ink", LAST)
    return flow.pen.tag("blockquote", inner, css=f"block{gap}")


def _note(block: Note, flow: Flow, gap: str) -> str:
    inner = flow.small()
    return box(lead_in(block.title, inner.blocks(block.children), inner), flow, "box", "box", gap)


def caption(content: Inlines, credit: str, flow: Flow) -> str:
    """A caption and a credit; empty without either."""
    pen = flow.pen
    text = html(content, pen)
    small = pen.tag("span", escape(credit), css="credit", class_="mute") if credit else ""
    return f"{text} {small}".strip()


def _figure(block: Figure, flow: Flow, gap: str) -> str:
    pen = flow.pen
    picture = pen.link(
        block.href, pen.picture(block.picture, block.alt, min(block.width, pen.widths["box"]), "img-block")
    )
    text = caption(block.caption, block.credit, flow)
    below = pen.tag("p", text, css="caption", class_="mute") if text else ""
    return flow.spaced("div", f"{picture}{below}", gap, css="block")


def _button(block: Button, flow: Flow, gap: str) -> str:
    pen = flow.pen
    cell = pen.tag("td", pen.link(block.href, html(block.label, pen), css="a-button"), css="button")
    table_ = pen.attributes("loose", role="presentation", border="0", cellpadding="0", cellspacing="0")
    inner = f"<table{table_}><tr>{cell}</tr></table>"
    return flow.spaced("div", inner, gap, css="block", class_="btn")


def _columns(block: Columns, flow: Flow, gap: str) -> str:
    return flow.spaced("div", flow.blocks(tuple(each for column in block.columns for each in column)), gap, css="block")


def _cards(block: Cards, flow: Flow, gap: str) -> str:
    return flow.spaced("div", "".join([_card(card, flow) for card in block.cards]), gap, css="block")


def _card(card: Card, flow: Flow) -> str:
    pen = flow.pen
    shown = pen.picture(card.picture, card.alt, pen.widths["card"], "img-block") if card.picture else ""
    picture = pen.link(card.href, shown) if shown else ""
    kicker = pen.tag("p", escape(card.kicker), css="kicker", class_="accent") if card.kicker else ""
    title = pen.tag("p", pen.link(card.href, escape(card.title)), css="head") if card.title else ""
    return f"{picture}{kicker}{title}{flow.blocks(card.children)}"


def _sponsor(block: Sponsor, flow: Flow, gap: str) -> str:
    label = flow.pen.tag("p", escape(sponsor_label(block, flow)), css="credit", class_="mute")
    return box(f"{label}{flow.small().blocks(block.children)}", flow, "box", "box", gap)


def sponsor_label(block: Sponsor, flow: Flow) -> str:
    """What marks the block as paid for."""
    words = flow.pen.words
    return words["sponsor"].format(name=block.name) if block.name else words["sponsor_plain"]


def _video(block: Video, flow: Flow, gap: str) -> str:
    pen = flow.pen
    title = block.title or pen.words["watch"]
    picture = pen.link(block.href, pen.picture(block.poster, title, pen.widths["box"], "img-block"))
    below = pen.tag("p", pen.link(block.href, f"▶\ufe0e {escape(title)}"), css="p-last")
    return flow.spaced("div", f"{picture}{below}", gap, css="block")


def _sign_off(block: SignOff, flow: Flow, gap: str) -> str:
    picture = (
        flow.pen.picture(block.picture, block.alt, flow.pen.widths["portrait"], "img-round") if block.picture else ""
    )
    return flow.spaced("div", f"{picture}{flow.blocks(block.children)}", gap, css="block")


MAIL: Mapping[type, Callable[[Any, Flow, str], str]] = {
    **SHARED,
    Quote: quote,
    CodeBlock: code,
    Table: data_table,
    Contents: contents,
    Social: social,
    PullQuote: _pull_quote,
    Note: _note,
    Figure: _figure,
    Button: _button,
    Columns: _columns,
    Cards: _cards,
    Sponsor: _sponsor,
    Video: _video,
    SignOff: _sign_off,
}
