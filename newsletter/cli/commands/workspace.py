"""``newsletter init``."""

from __future__ import annotations

import datetime as dt
import secrets
import shlex
from pathlib import Path

import click

from newsletter.cli import output, scaffold, wiring
from newsletter.cli.app import Call, command
from newsletter.config import FILE, load
from newsletter.errors import BadInput
from newsletter.files import display
from newsletter.headers import mailbox, unsafe


@command()
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option("--name", help="The newsletter's name; the folder's name without it.")
@click.option("--from", "sender", default="Your Name <you@example.org>", show_default=True, help="The sender.")
def init(call: Call, folder: Path, name: str | None, sender: str) -> None:
    """Make a workspace: configuration, theme, first issue, and a secret in .env.

    Files that are already there stay as they are.

    \b
    Examples:
      newsletter init letters
      newsletter init --name "The Harbour Letter" --from "Ada <ada@example.org>"
    """
    root = folder.absolute()
    name = name or root.name.replace("-", " ").replace("_", " ").strip().capitalize() or "My newsletter"
    _refuse_unsafe(name, sender)
    if (root / FILE).exists():
        load(root)  # a broken one is reported before anything is made beside it
    default_theme = next(each / "default" for each in wiring.theme_folders_of_package() if (each / "default").is_dir())
    made, kept = scaffold.make(scaffold.plan(root, name=name, sender=sender, default_theme=default_theme))
    config = load(root)
    if not any((root / config.issues).glob("*/index.md")):
        from newsletter.content.draft import draft

        made.append(
            draft(config, "Hello, readers", today=dt.datetime.now(config.timezone).date(), token=secrets.token_hex(6))
        )
    if call.json:
        output.emit({"root": str(root), "made": [str(p) for p in made], "kept": [str(p) for p in kept]})
        return
    _report(root, folder, made, kept)


def _refuse_unsafe(name: str, sender: str) -> None:
    if reason := unsafe(name):
        message = f"--name: {reason}"
        raise BadInput(message)
    try:
        mailbox(sender)
    except ValueError as error:
        message = f"--from: {error}"
        raise BadInput(message) from None


def _report(root: Path, folder: Path, made: list[Path], kept: list[Path]) -> None:
    themes = sum("templates" in path.parts for path in made)
    for path in made:
        if "templates" not in path.relative_to(root).parts:
            output.say(f"{output.style('made', fg='green')}  {display(path)}")
    if themes:
        output.say(f"{output.style('made', fg='green')}  {display(root / 'templates')}/ ({themes} files)")
    if kept:
        output.say(f"{output.style('kept', fg='yellow')}  {len(kept)} files that were already there")
    into = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    output.hint(f"\nNext: edit {FILE}, then run: {into}newsletter build && newsletter check")
