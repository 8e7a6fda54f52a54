"""Side by side with the official engine on the same MJML: pixel by pixel, on a phone, at the mail's width, on a desk.

The engine is a program for Node, put into ``build/node`` by ``make node``; where it is missing the tests that need
it are skipped, and a failure where everything must run (``NEWSLETTER_FULL=1``) and npm is there. The documents in
``mjml/`` use every tag that may be used; the official collection of templates is in no registry.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mjml
import pytest
from PIL import Image, ImageChops
from render.helpers_mjml import cured, tree
from render.helpers_render import TEMPLATES, config
from support import ROOT

from newsletter.content.issue import load_issue
from newsletter.personal import MARK
from newsletter.render import schema
from newsletter.render.edition import render
from newsletter.render.markup import Element
from newsletter.render.mjml import serialise
from newsletter.render.nesting import KNOWN, check
from newsletter.render.theme import load_theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser, Route

DOCUMENTS = sorted((Path(__file__).parent / "mjml").glob("*.mjml"))
WIDTHS = (375, 600, 1200)
NODE = ROOT / "build" / "node"

_PROGRAM = """
const mjml = require('mjml').default || require('mjml')
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'))
;(async () => {
  const made = []
  for (const each of given) made.push((await mjml(each, { fonts: {}, keepComments: true, minify: false })).html)
  console.log(JSON.stringify(made))
})()
"""


def node() -> str:
    """Node, when the official engine is there; otherwise the test ends here."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed")
    if not (NODE / "node_modules" / "mjml").is_dir():
        reason = "the official MJML engine is not in build/node: run `make node`"
        if os.environ.get("NEWSLETTER_FULL") == "1" and NODE.is_dir():
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def official(documents: Sequence[str]) -> list[str]:
    """What the official engine makes of each."""
    done = subprocess.run(
        [node(), "-e", _PROGRAM],
        cwd=NODE,
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    made: list[str] = json.loads(done.stdout)
    return made


@cache
def officials() -> dict[str, str]:
    """The official HTML of each document of the collection."""
    return dict(
        zip([path.stem for path in DOCUMENTS], official([path.read_text("utf-8") for path in DOCUMENTS]), strict=True)
    )


@cache
def picture() -> bytes:
    """Stands for every picture."""
    made = io.BytesIO()
    Image.linear_gradient("L").resize((300, 200)).save(made, "PNG")
    return made.getvalue()


def shot(browser: Browser, html: str, width: int) -> Image.Image:
    """The whole page as a browser of this width shows it; nothing is fetched from elsewhere."""
    context = browser.new_context(viewport={"width": width, "height": 400})
    try:
        page = context.new_page()

        def answer(route: Route) -> None:
            if route.request.resource_type == "image":
                route.fulfill(body=picture(), content_type="image/png")
            else:
                route.abort()

        page.route("**/*", answer)
        page.set_content(html, wait_until="load")
        return Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    finally:
        context.close()


def same(browser: Browser, ours: str, theirs: str, folder: Path, name: str) -> None:
    """Fail, with both pictures and their difference written, when they differ anywhere."""
    for width in WIDTHS:
        mine, other = shot(browser, ours, width), shot(browser, theirs, width)
        difference = ImageChops.difference(mine, other).getbbox() if mine.size == other.size else "size"
        if difference:
            for kind, image in (
                ("ours", mine),
                ("official", other),
                ("difference", ImageChops.difference(mine, other)),
            ):
                image.save(folder / f"{name}-{width}-{kind}.png")
            pytest.fail(f"{name} at {width} px: {mine.size} against {other.size}, {difference}; see {folder}")


@pytest.mark.browser
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_the_collection_looks_as_the_official_engine_makes_it(path: Path, browser: Browser, tmp_path: Path) -> None:
    """The same MJML as it was written, with our cures on one side and their engine on the other."""
    same(browser, cured(path.read_text("utf-8")), officials()[path.stem], tmp_path, path.stem)


SAMPLES = sorted(path for path in (ROOT / "issues").iterdir() if (path / "index.md").is_file())
PAIRS = [
    *((folder, "default") for folder in SAMPLES),
    *(
        (folder, path.name)
        for folder in SAMPLES
        if "specimen" in folder.name
        for path in sorted(TEMPLATES.iterdir())
        if path.name != "default"
    ),
]


@pytest.mark.browser
@pytest.mark.parametrize(("folder", "theme"), PAIRS, ids=lambda each: getattr(each, "name", each))
def test_every_sample_looks_as_the_official_engine_makes_it(
    folder: Path, theme: str, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the very MJML that our engine is given for it; the specimen of all blocks in every theme."""
    given: list[tuple[str, str]] = []
    engine = mjml.mjml2html

    def spy(document: str, **how: Any) -> str:
        html: str = engine(document, **how)
        given.append((document, html))
        return html

    monkeypatch.setattr("mjml.mjml2html", spy)
    made = config(root=ROOT)
    render(load_issue(folder, made), load_theme(theme, [TEMPLATES]), made)
    assert given
    for index, (document, html) in enumerate(given):
        same(browser, html, official([document])[0], tmp_path, f"{folder.name}-{theme}-{index}")


def test_the_official_validator_agrees_about_the_collection() -> None:
    """What we let pass, it lets pass; what our cures write is MJML, too."""
    given = [path.read_text("utf-8") for path in DOCUMENTS]
    assert all(not check([tree(each)]) for each in given)
    assert all(MARK.search(serialise(tree(each))) is None for each in given)
    assert len(official([serialise(tree(each)) for each in given])) == len(given)


def test_the_collection_uses_every_tag() -> None:
    """A new tag is not forgotten here."""

    def used(element: Element) -> set[str]:
        return {element.tag}.union(*(used(child) for child in element.children if isinstance(child, Element)))

    assert set(KNOWN) <= set().union(*(used(tree(path.read_text("utf-8"))) for path in DOCUMENTS))


def test_the_table_is_what_the_official_engine_says() -> None:
    """It is written by ``docs/mjml_schema.py``; run that after a new release."""
    node()
    spec = importlib.util.spec_from_file_location("mjml_schema", ROOT / "docs" / "mjml_schema.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found = script.dump(NODE)
    assert found["version"] == schema.VERSION
    assert script.written(found) == (ROOT / "newsletter" / "render" / "schema.py").read_text("utf-8")
