"""Rendering, with the MJML engine alone as the yardstick; and what one recipient's mail costs once that is done.

Prints ratios taken in one run; both sides take turns, and of several rounds the fastest of each counts, because
other work on the machine only slows down. The process is warm, as the preview's is: templates are compiled, pictures
cached, and YAML that did not change has been read. *Rendering* makes the mail, the text and the web page of an
issue that was read; *from its file* reads the issue, too, and *theme and all* every file of its theme.

    python benchmarks/render.py [--quick] [--rounds 100]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import jinja2
import mjml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from newsletter.cli import wiring  # noqa: E402 - after the path to it
from newsletter.config import load  # noqa: E402
from newsletter.model import Edition, Field, Slot, Template  # noqa: E402
from newsletter.personal import join, mark  # noqa: E402
from newsletter.providers.calls import written  # noqa: E402
from newsletter.render import marks  # noqa: E402
from newsletter.render.edition import render  # noqa: E402
from newsletter.render.markup import Element, Origin, parse  # noqa: E402
from newsletter.render.mjml import compile_document, serialise  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIELDS = 10
SECTIONS = 17
"""So many that the mail has some 48 kB."""

FEW, MANY, PEOPLE = 4, 100, 1_000
"""How many people each way is timed with at once: the shorter, the less is in its way."""


def fastest(rounds: int, *parts: Callable[[], object]) -> list[float]:
    """The fewest seconds of the processor for each part, in turns."""
    least = [float("inf")] * len(parts)
    for _ in range(rounds):
        for index, part in enumerate(parts):
            began = process_time()
            part()
            least[index] = min(least[index], process_time() - began)
    return least


def line(name: str, ratio: float, goal: str) -> None:
    """One figure and what it shall be."""
    print(f"  {name:<66} {ratio:8.4f}   ({goal})", flush=True)


# -- a whole rendering ----------------------------------------------------------------


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A copy of the samples and the theme, and the folder that it lies in for as long."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="newsletter-") as folder:
        for name in ("issues", "templates"):
            shutil.copytree(ROOT / name, Path(folder) / name)
        shutil.copy(ROOT / "newsletter.yaml", folder)
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def compiled(make: Callable[[], Edition]) -> tuple[Edition, list[str]]:
    """An edition and the documents that the engine was given for it."""
    given: list[str] = []
    engine = mjml.mjml2html

    def spy(document: str, **how: Any) -> str:
        given.append(document)
        html: str = engine(document, **how)
        return html

    mjml.mjml2html = spy  # type: ignore[assignment]
    try:
        return make(), given
    finally:
        mjml.mjml2html = engine


def whole(root: Path, rounds: int) -> None:
    """The largest sample against the engine alone on its MJML."""
    config = load(root)
    folder = max((root / "issues").glob("*/index.md"), key=lambda path: path.stat().st_size).parent
    edition, given = compiled(lambda: wiring.edition(config, folder))
    issue = wiring.issue(config, folder)
    theme = wiring.theme(config, issue)
    alone, rendering, reading, everything = fastest(
        rounds,
        lambda: [mjml.mjml2html(each, disable_comments=True, fonts={}) for each in given],
        lambda: render(issue, theme, config),
        lambda: render(wiring.issue(config, folder), theme, config),
        lambda: wiring.edition(config, folder),
    )
    size = len(join(edition.variants[0].html, ["" for _ in edition.fields]).encode()) // 1000
    print(f"{folder.name} ({size} kB of HTML), pictures cached, ÷ mjml2html alone on its MJML")
    line("rendering: mail, text and web page", rendering / alone, "goal at most 40")
    line("the same, from its file", reading / alone, "goal at most 40")
    line("the same, theme and all", everything / alone, "goal at most 40")


# -- one recipient --------------------------------------------------------------------


def letter() -> tuple[Element, tuple[Field, ...]]:
    """A mail of some kilobytes with ten fields: eight in text, one in an address, one in an alt."""
    fields = tuple(Field(f"field_{index}", (), "") for index in range(FIELDS))
    held = [mark(index, 3) for index in range(FIELDS)]
    words = "The harbour keeps what the tide brings, and the tide table knows when. " * 5
    parts = [
        _section(words, [held[index], "", ""] if index < FIELDS - 2 else ["", "", ""]) for index in range(SECTIONS)
    ]
    parts.append(_section(words, ["", held[-2], held[-1]]))
    head = "<mj-head><mj-title>A letter</mj-title></mj-head>"
    source = f'<mjml lang="en" dir="ltr">{head}<mj-body>{"".join(parts)}</mj-body></mjml>'
    root = parse(source, Origin("letter", source))[0]
    if not isinstance(root, Element):
        raise TypeError
    return root, fields


def _section(words: str, held: list[str]) -> str:
    text, address, alt = held
    return (
        f'<mj-section><mj-column><mj-image src="https://a.example/a.jpg" alt="{alt}" /><mj-text><p>{words}{text}</p>'
        f'<p><a href="https://a.example/?c={marks.in_url(address)}">{words}</a></p></mj-text></mj-column></mj-section>'
    )


def one(rounds: int) -> None:
    """What it costs to make one recipient's mail, in three ways."""
    root, fields = letter()
    document, word = marks.to_tokens(serialise(root))
    source = re.sub(f"{word}[hu]([0-9]+)z", r"{{ values[\1] }}", document)
    template: Template = marks.cut(compile_document(root), "html", fields)
    again = jinja2.Environment(autoescape=True).from_string(source)
    people = [[f"value{field}of{person}" for field in range(FIELDS)] for person in range(PEOPLE)]

    def anew(values: list[str]) -> str:
        html: str = mjml.mjml2html(again.render(values=values), disable_comments=True, fonts={})
        return html

    def one_by_one(make: Callable[[list[str]], str], rows: list[list[str]]) -> None:
        for row in rows:
            make(row)

    html = join(template, people[0])
    if anew(people[0]) != html:
        raise AssertionError("the two ways differ")
    columns = [list(column) for column in zip(*people, strict=True)]
    slots = list(dict.fromkeys(part for part in template if isinstance(part, Slot)))
    rendered, joined, values = fastest(
        rounds,
        lambda: one_by_one(anew, people[:FEW]),
        lambda: one_by_one(lambda each: join(template, each), people[:MANY]),
        lambda: written(slots, columns),
    )
    per = [rendered / FEW, joined / MANY, values / PEOPLE]
    print(f"one recipient's mail, {len(html.encode()) / 1000:.0f} kB of HTML, {FIELDS} fields")
    line("joining ÷ a compiled Jinja template, and MJML again", per[1] / per[0], f"goal at most {1 / 40:.4f}")
    line("values only (the provider substitutes) ÷ joining", per[2] / per[1], f"goal at most {1 / 5:.4f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="few rounds, only to see that it runs")
    options = parser.parse_args()
    rounds = 2 if options.quick else options.rounds
    with workspace() as root:
        whole(root, rounds)
    one(rounds)


if __name__ == "__main__":
    main()
