"""What is kept in ``tests/golden/``: each block alone, and pictures of the specimen; ``make golden`` writes it anew.

``blocks/<name>/block.md`` is written by hand; the MJML, HTML and text of the mail and the HTML of the web page are what
the default theme makes of it, without head and foot. The pictures are taken with one box for every letter
(``box.ttf``), so that they do not hang on the machine's fonts.
"""

from __future__ import annotations

import base64
import io
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from PIL import Image
from support import CONFIGURATION, ROOT

from newsletter.cli import building
from newsletter.config import load
from newsletter.content.issue import load_issue
from newsletter.personal import join, without_reader
from newsletter.render import edition
from newsletter.render.mjml import compile_document, serialise
from newsletter.render.theme import LAYOUT, PAGE, TEXT, load_theme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.config import Config
    from newsletter.render.markup import Element
    from newsletter.render.theme import Theme

FOLDER = ROOT / "tests" / "golden"
BLOCKS = FOLDER / "blocks"
PICTURES = FOLDER / "specimen"
SPECIMEN = ROOT / "issues" / "2026-10-30-a-specimen"
TEMPLATES = ROOT / "templates"
THEMES = ("default", "digest", "plain")
SHOTS = [(theme, width, scheme) for theme in THEMES for width in (640, 375) for scheme in ("light", "dark")]

_FRONT = "---\nid: golden-0001\ntitle: A block\ndate: 2026-11-23\n---\n"
_BODY = re.compile(r"(<mj-body[^>]*>).*(</mj-body>)", re.DOTALL)
_COLOURS = 128


def names() -> list[str]:
    """The blocks that there are."""
    return sorted(folder.name for folder in BLOCKS.iterdir())


# -- blocks ---------------------------------------------------------------------------


def bare() -> Theme:
    """The default theme with nothing round the body of an issue."""
    theme = load_theme("default", [TEMPLATES])
    layout, path = theme.sources[LAYOUT]
    sources = {
        **theme.sources,
        LAYOUT: (_BODY.sub(r"\1{{ body }}\2", layout), path),
        TEXT: ("{{ body }}\n\n{{ notes }}\n\n{{ links }}\n", TEXT),
        PAGE: (
            '{{ body }}{% for note in notes %}\n<li id="fn-{{ note.number }}">{{ note.html }}</li>{% endfor %}\n',
            PAGE,
        ),
    }
    return theme._replace(sources=sources)


def made(name: str, root: Path, theme: Theme) -> dict[str, str]:
    """What becomes of a block, by the names of its files; ``root`` is an empty folder."""
    (root / "newsletter.yaml").write_text(CONFIGURATION, "utf-8")
    folder = root / "issues" / name
    shutil.copytree(SPECIMEN, folder)
    (folder / "index.md").write_text(_FRONT + (BLOCKS / name / "block.md").read_text("utf-8"), "utf-8")
    config = load(root)
    roots: list[Element] = []

    def compiled(tree: Element) -> str:
        roots.append(tree)
        return compile_document(tree)

    with mock.patch.object(edition, "compile_document", compiled):
        done = edition.render(load_issue(folder, config, cache=ROOT / ".newsletter" / "cache"), theme, config)
    texts = [without_reader(field, done.lang, config.link_base) for field in done.fields]
    html = join(done.variants[0].html, texts)
    body = html[html.index("<body") : html.index("</body>")]
    inside = serialise(roots[0])
    return {
        "mail.mjml": _lines(inside[inside.index("<mj-body") : inside.index("</mj-body>")]),
        "mail.html": _lines(body),
        "mail.txt": join(done.variants[0].text, texts),
        "web.html": _lines(done.web),
    }


def _lines(markup: str) -> str:
    """Markup with a line for each element that lays out, so that a change can be read."""
    tags = "mj-|table|/table|tr|td|div|/div|p|h[1-6]|ul|ol|li|figure|figcaption|blockquote|pre|img|aside|section|!--"
    return re.sub(rf">(?=<(?:{tags})(?:[ >a-z-]))", ">\n", markup).rstrip() + "\n"


# -- pictures of the specimen -----------------------------------------------------------


def specimens(root: Path) -> dict[str, Path]:
    """The mail of the specimen in each theme, with its pictures, as files to open."""
    (root / "newsletter.yaml").write_text(CONFIGURATION, "utf-8")
    config = load(root)
    return {name: _specimen(name, root / name, config) for name in THEMES}


def _specimen(name: str, target: Path, config: Config) -> Path:
    issue = load_issue(SPECIMEN, config, cache=ROOT / ".newsletter" / "cache")
    files = building.files_of(edition.render(issue, load_theme(name, [TEMPLATES]), config), config)
    font = base64.b64encode(Path(__file__).with_name("box.ttf").read_bytes()).decode()
    boxes = (
        f"<style>@font-face {{ font-family: Box; src: url(data:font/ttf;base64,{font}) }}"
        "* { font-family: Box !important; font-synthesis: none !important }</style></head>"
    )
    html = files["email.html"].decode().replace("</head>", boxes, 1)
    building.write(target, {**files, "email.html": html.encode()})
    return target / "email.html"


def shot(browser: Any, page: Path, width: int, scheme: str) -> Image.Image:
    """A picture of the whole page."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    try:
        opened = context.new_page()
        opened.goto(page.as_uri())
        opened.evaluate("document.fonts.ready")
        raw = opened.screenshot(full_page=True, animations="disabled")
    finally:
        context.close()
    return Image.open(io.BytesIO(raw)).convert("RGB")


def picture(theme: str, width: int, scheme: str) -> Path:
    """Where a picture of the specimen is kept."""
    return PICTURES / f"{theme}-{width}-{scheme}.png"


# -- writing it all anew ----------------------------------------------------------------


def _write_blocks() -> Iterator[Path]:
    theme = bare()
    for name in names():
        with tempfile.TemporaryDirectory() as root:
            for file, text in made(name, Path(root), theme).items():
                path = BLOCKS / name / file
                path.write_text(text, "utf-8")
                yield path


def _write_pictures() -> Iterator[Path]:
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as root:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        pages = specimens(Path(root))
        for theme, width, scheme in SHOTS:
            path = picture(theme, width, scheme)
            taken = shot(browser, pages[theme], width, scheme)
            taken.quantize(_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
            yield path
        browser.close()


def main() -> None:
    """Write every golden file."""
    for path in (*_write_blocks(), *_write_pictures()):
        print(path.relative_to(ROOT))  # noqa: T201 - a script


if __name__ == "__main__":
    main()
