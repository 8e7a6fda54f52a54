"""Writes what the harness came to into docs/guarantees.md: ``python -m delivery.harness.page``, after `make soak`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from delivery.harness.figures import FOLDER, ROOT, kept

from newsletter.delivery.checker import INVARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from delivery.harness.figures import Kept

PAGE = ROOT / "docs" / "guarantees.md"
BEGIN, END = "<!-- figures: written by the harness -->\n", "<!-- end of figures -->\n"


class Unmarked(ValueError):
    """The page does not hold the marks between which the figures stand, each once and in their order."""


def put(text: str, figures: str) -> str:
    """The page with these figures in place of those before; raises ``Unmarked``."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise Unmarked(PAGE.name)
    return f"{before}{BEGIN}{figures}{END}{after}"


def figures(folder: Path = FOLDER) -> str:
    """The tables, as far as each layer has been run as a whole."""
    rows = [f"| {what} | {_came_to(layer, kept(layer, folder))} |" for layer, what in _LAYERS.items()]
    rules = [f"| *{name}* | {says} |" for name, says in INVARIANTS.items()]
    lines = [
        "\n| what befell a send | in the last run |",
        "|---|---|",
        *rows,
        "\nThe rules that held after each of these:\n",
        "| rule | what it says |",
        "|---|---|",
        *rules,
        *_mistakes(kept("E", folder)),
        "",
    ]
    return "\n".join(lines) + "\n"


_LAYERS = {
    "A": "its process died before or after one of its commits, or before or after one of its acceptances: each in turn",
    "B": "a random life: deaths, two processes in turns, lost answers, people who come and go, an operator, wrong clocks",
    "C": "`newsletter send` was killed (SIGKILL) while it sent through a server, which was killed too now and then",
    "C8": "eight processes began it at once",
    "D": "the operating system failed one of its writes, syncs or sends (EIO, ENOSPC), or killed it there",
    "F": "any story of steps, backups and their return among them",
}


def _came_to(layer: str, ran: Kept | None) -> str:
    if ran is None:
        return "not run"
    return f"{_WORDS[layer](ran)}; {ran.day}"


def _of_a(ran: Kept) -> str:
    kinds = len({each["kind"] for each in ran.parts})
    return f"{ran.total('deaths'):,} deaths, in {len(ran.parts)} sends through {kinds} kinds of provider"


def _of_b(ran: Kept) -> str:
    calls, wrong = ran.total("calls"), ran.total("calls that went wrong")
    return f"{ran.total('lives'):,} lives with {ran.total('deaths'):,} deaths; {wrong:,} of {calls:,} calls went wrong"


def _of_c(ran: Kept) -> str:
    return f"{ran.total('kills'):,} kills, {ran.total('in the middle'):,} of them in the midst of its work"


_WORDS: dict[str, Callable[[Kept], str]] = {
    "A": _of_a,
    "B": _of_b,
    "C": _of_c,
    "C8": lambda ran: f"{ran.total('rounds'):,} rounds: one send, everybody once",
    "D": lambda ran: f"{ran.total('faults'):,} faults, {ran.total('killed'):,} of them deaths",
    "F": lambda ran: f"{ran.total('stories'):,} stories",
}


def _mistakes(ran: Kept | None) -> list[str]:
    """Which rule found each mistake that was made on purpose."""
    if ran is None:
        return []
    rows = [f"| {each['mutant']} | *{each['rule']}* | {each['seed']} |" for each in ran.parts]
    said = f"\nAnd {len(ran.parts)} mistakes, each put into a copy of the program on purpose, that these rules found; {ran.day}:\n"
    return [said, "| mistake | rule that found it | in the life with seed |", "|---|---|---|", *rows]


def main() -> None:
    """Write the page; layers that were not run on this machine are called so."""
    PAGE.write_text(put(PAGE.read_text("utf-8"), figures()), "utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is written.\n")


if __name__ == "__main__":
    main()
