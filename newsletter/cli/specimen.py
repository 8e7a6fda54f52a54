"""The specimen of a theme: one page with every block, on a desk and on a phone, in light and in dark."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from newsletter.render.theme import Theme

PAGE = "index.html"

_PHONE = 375
_WEB = 580
_DARK = "(prefers-color-scheme: dark)"
_ALWAYS, _NEVER = "(min-width: 0px)", "(max-width: 0px)"


def page(theme: Theme, mail: str, web: str, text: str) -> str:
    """The whole page; pictures lie in ``images/`` beside it."""
    desk = theme.widths["page"] + 80
    frames = [
        _frame(mail, f"The mail, {scheme}, on a {place}", width, dark=scheme == "dark", phone=place == "phone")
        for scheme in ("light", "dark")
        for place, width in (("desk", desk), ("phone", _PHONE))
    ]
    pages = [_frame(web, f"The web page, {scheme}", _WEB, dark=scheme == "dark") for scheme in ("light", "dark")]
    style = Path(__file__).with_name("specimen.css").read_text("utf-8")
    parent = f", with what it lacks from <code>{escape(theme.parent)}</code>" if theme.parent else ""
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Theme {escape(theme.name)}: a specimen</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{escape(theme.title)}</h1>
<p>{escape(theme.about)}</p>
<p class="mute"><code>{escape(theme.folder)}/</code>{parent}</p>
<nav><a href="#mail">Mail</a> <a href="#web">Web page</a> <a href="#text">Text</a> <a href="#colours">Colours</a></nav>
</header>
<main>
<section id="mail"><h2>The mail</h2><div class="row">{"".join(frames)}</div></section>
<section id="web" class="desk"><h2>The web page</h2><div class="row">{"".join(pages)}</div></section>
<section id="text"><h2>The text part</h2><pre tabindex="0">{escape(text)}</pre></section>
<section id="colours" class="desk"><h2>Text on its ground, and its contrast</h2>{_contrast(theme)}</section>
</main>
</body>
</html>
"""


def _frame(html: str, caption: str, width: int, *, dark: bool, phone: bool = False) -> str:
    """A page in a frame of its own; the scheme is fixed in its style sheet, whatever the reader's own one is."""
    fixed = html.replace(_DARK, _ALWAYS if dark else _NEVER).replace('href="#', 'target="_self" href="#')
    fixed = fixed.replace("<head>", '<head><base target="_blank">', 1)
    kind = ' class="phone"' if phone else ""
    grow = "this.style.height=this.contentDocument.documentElement.scrollHeight+'px'"
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption>"
        f'<iframe{kind} title="{escape(caption)}" width="{width}" sandbox="allow-same-origin allow-popups" '
        f'onload="{grow}" srcdoc="{escape(fixed)}"></iframe></figure>'
    )


def _contrast(theme: Theme) -> str:
    by_pair: dict[tuple[str, str], list[str]] = {}
    for each in theme.contrast:
        style = f"background:{each.ground};color:{each.text}"
        cell = f'<td class="shown" style="{style}">{each.text} {each.ratio:.1f}:1</td>'
        by_pair.setdefault((each.pair.text, each.pair.ground), []).append(cell)
    rows = "".join(
        f"<tr><td><code>{escape(text)}</code> on <code>{escape(ground)}</code></td>{''.join(cells)}</tr>"
        for (text, ground), cells in by_pair.items()
    )
    head = "<thead><tr><th>Pair</th><th>Light</th><th>Dark</th></tr></thead>"
    return f'<div class="scroll" tabindex="0"><table>{head}<tbody>{rows}</tbody></table></div>'


def files_of(theme: Theme, built: Mapping[str, bytes]) -> dict[str, bytes]:
    """The page and what it needs, of a build of the specimen."""
    mail, web, text = (built[name].decode() for name in ("email.html", "web.html", "email.txt"))
    return {PAGE: page(theme, mail, web, text).encode(), **built}
