"""The web page of an issue: semantic HTML, no tables but for tables, no script, and no reader."""

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
    Heading,
    Note,
    PullQuote,
    Quote,
    RawMjml,
    SignOff,
    Social,
    Sponsor,
    Table,
    Video,
)
from newsletter.render import mailflow
from newsletter.render.flow import SHARED, Flow, table
from newsletter.render.highlight import highlighted
from newsletter.render.inline import escape, html

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TEXT_WIDTH = 536
"""The width of a picture that fills the mail's column, CSS pixels; on the page it fills the measure."""

FULL = ' class="full"'


def _heading(block: Heading, flow: Flow, _gap: str) -> str:
    level = max(2, block.level)
    return flow.pen.tag(f"h{level}", html(block.children, flow.pen), id=block.anchor)


def _quote(block: Quote, flow: Flow, _gap: str) -> str:
    return f"<blockquote>{flow.blocks(block.children)}</blockquote>"


def _pull_quote(block: PullQuote, flow: Flow, _gap: str) -> str:
    source = f"<figcaption>— {escape(block.source)}</figcaption>" if block.source else ""
    return f'<figure class="pull"><blockquote>{flow.blocks(block.children)}</blockquote>{source}</figure>'


def _note(block: Note, flow: Flow, _gap: str) -> str:
    return f'<aside class="note">{mailflow.lead_in(block.title, flow.blocks(block.children), flow)}</aside>'


def _figure(block: Figure, flow: Flow, _gap: str) -> str:
    picture = flow.pen.link(block.href, flow.pen.picture(block.picture, block.alt, block.width, "img"))
    caption = html(block.caption, flow.pen)
    credit = f'<span class="credit">{escape(block.credit)}</span>' if block.credit else ""
    below = f"<figcaption>{f'{caption} {credit}'.strip()}</figcaption>" if caption or credit else ""
    return f"<figure{FULL if block.width >= TEXT_WIDTH else ''}>{picture}{below}</figure>"


def _button(block: Button, flow: Flow, _gap: str) -> str:
    return f"<p>{flow.pen.link(block.href, html(block.label, flow.pen), class_='button')}</p>"


def _columns(block: Columns, flow: Flow, _gap: str) -> str:
    columns = "".join(f"<div>{flow.blocks(column)}</div>" for column in block.columns)
    narrow = " three" if len(block.columns) > 2 else ""
    return f'<div class="columns{narrow}">{columns}</div>'


def _cards(block: Cards, flow: Flow, _gap: str) -> str:
    return f'<div class="cards">{"".join([_card(card, flow) for card in block.cards])}</div>'


def _card(card: Card, flow: Flow) -> str:
    pen = flow.pen
    picture = (
        pen.link(card.href, pen.picture(card.picture, card.alt, pen.widths["card"], "img")) if card.picture else ""
    )
    kicker = f'<p class="kicker">{escape(card.kicker)}</p>' if card.kicker else ""
    title = f"<h3>{pen.link(card.href, escape(card.title))}</h3>" if card.title else ""
    return f"<section>{picture}<div>{kicker}{title}{flow.blocks(card.children)}</div></section>"


def _table(block: Table, flow: Flow, _gap: str) -> str:
    return f'<div class="scroll" tabindex="0">{table(block, flow)}</div>'


def _code(block: CodeBlock, flow: Flow, _gap: str) -> str:
    return f'<pre dir="ltr"><code>{highlighted(block.text, block.language, flow.pen)}</code></pre>'


def _contents(block: Contents, flow: Flow, _gap: str) -> str:
    return f'<nav class="note" aria-label="{escape(flow.pen.words["contents"])}">{mailflow.contents(block, flow)}</nav>'


def _sponsor(block: Sponsor, flow: Flow, _gap: str) -> str:
    label = escape(mailflow.sponsor_label(block, flow))
    return f'<aside class="sponsor"><p class="label">{label}</p>{flow.blocks(block.children)}</aside>'


def _video(block: Video, flow: Flow, _gap: str) -> str:
    title = block.title or flow.pen.words["watch"]
    picture = flow.pen.link(block.href, flow.pen.picture(block.poster, title, TEXT_WIDTH, "img"))
    below = flow.pen.link(block.href, f"▶\ufe0e {escape(title)}")
    return f"<figure{FULL}>{picture}<figcaption>{below}</figcaption></figure>"


def _social(block: Social, flow: Flow, gap: str) -> str:
    return mailflow.social(block, flow, gap).replace("<p>", '<p class="social">', 1)


def _sign_off(block: SignOff, flow: Flow, _gap: str) -> str:
    picture = flow.pen.picture(block.picture, block.alt, flow.pen.widths["portrait"], "img") if block.picture else ""
    return f'<div class="signoff">{picture}<div>{flow.blocks(block.children)}</div></div>'


def _no_mjml(_block: RawMjml, _flow: Flow, _gap: str) -> str:
    """MJML is for mail; what it says cannot be told from how it is laid out."""
    return ""


WEB: Mapping[type, Callable[[Any, Flow, str], str]] = {
    **SHARED,
    Heading: _heading,
    Quote: _quote,
    PullQuote: _pull_quote,
    Note: _note,
    Figure: _figure,
    Button: _button,
    Columns: _columns,
    Cards: _cards,
    Table: _table,
    CodeBlock: _code,
    Contents: _contents,
    Sponsor: _sponsor,
    Video: _video,
    Social: _social,
    SignOff: _sign_off,
    RawMjml: _no_mjml,
}
