"""``newsletter outbox``."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from typing import TYPE_CHECKING

import click

from newsletter.cli import output
from newsletter.cli.app import Call, command
from newsletter.errors import WrongUsage
from newsletter.files import display, make_folder

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp

SPOKEN = {"mailgun": "MAILGUN_API_KEY", "resend": "RESEND_API_KEY"}
"""The dialects, and where each looks for its key."""


@command()
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="N", help="Another port than configured; 0 for any free."
)
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
@click.option("--listen", "listening", is_flag=True, help="Take mail as Mailgun and Resend do, over HTTP.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    metavar="N",
    help="With --listen: calls a second before 429; 0 for any number. Default: 5 for Resend, none for Mailgun.",
)
def outbox(call: Call, port: int | None, limit: int | None, *, no_open: bool, listening: bool) -> None:
    """Read the mail that the embedded outbox took, in the browser.

    The page is for this machine only. Ctrl-C or SIGTERM ends it, with exit code 0.

    With --listen it also answers as the APIs of Mailgun and Resend: it checks what they check, puts values in
    as they do, and keeps each mail. Any key will do, but one with "wrong" or "invalid" in it is refused.

    \b
    Examples:
      newsletter outbox
      newsletter outbox --port 8026 --no-open
      newsletter outbox --listen
      newsletter outbox --listen --limit 1
    """
    if limit is not None and not listening:
        message = "--limit is about the calls that --listen takes"
        raise WrongUsage(message, hint=f"newsletter outbox --listen --limit {limit}")
    from newsletter.cli.serving import HOST, listen, serve
    from newsletter.preview.mailbox import Mailbox
    from newsletter.preview.outbox import About, application

    config = call.config()
    folder = config.state / "outbox"
    listener = listen(config.outbox_port if port is None else port)
    taken = listener.getsockname()[1]
    base = f"http://{HOST}:{taken}"
    url = f"{base}/"

    def ready() -> None:
        if call.json:
            spoken = {"listen": _spoken(base)} if listening else {}
            click.echo(json.dumps({"url": url, "folder": str(folder)} | spoken, ensure_ascii=False))
        else:
            output.say(f"The outbox is at {output.style(url, bold=True)}")
            if listening:
                _tell(base)
            output.hint("Only this machine can reach it. Ctrl-C ends it.")
        if not (no_open or call.json) and sys.stdout.isatty() and _desktop():
            webbrowser.open(url)

    box = Mailbox(folder)
    about = About(config.name, config.timezone, config.picture_base, display(folder))
    pages = application(box, about, taken)
    if listening:
        make_folder(config.state, mode=0o700)
    serve(_listening(folder, limit, pages) if listening else pages, listener, ready=ready, beside=box.warm)


def _listening(folder: Path, limit: int | None, pages: ASGIApp) -> ASGIApp:
    from newsletter.providers.dialects.app import Dialects
    from newsletter.providers.dialects.desk import Desk
    from newsletter.providers.dialects.keep import Keep

    return Dialects(Desk(Keep(folder), limit=limit), pages)


def _spoken(base: str) -> dict[str, dict[str, str]]:
    return {name: {"base_url": base, "key": key} for name, key in SPOKEN.items()}


def _tell(base: str) -> None:
    output.say("It takes mail as Mailgun and Resend do. For a trial of one, in newsletter.yaml and .env:")
    for name, key in SPOKEN.items():
        output.say(f"\n  provider: {name}\n  {name}: {{base_url: {base}}}\n  {key}=anything")
    output.hint("\nThe rules of a real send hold: an https public_url and a postal address.")


def _desktop() -> bool:
    """Whether a browser would open a window of its own, not take over the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
