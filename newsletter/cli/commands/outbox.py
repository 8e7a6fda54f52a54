"""``newsletter outbox``."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import listening as taking
from newsletter.cli import output
from newsletter.cli.app import Call, command
from newsletter.files import display, make_folder

if TYPE_CHECKING:
    from newsletter.cli.listening import Listening

SPOKEN = {"mailgun": "MAILGUN_API_KEY", "resend": "RESEND_API_KEY"}
"""The dialects, and where each looks for its key."""


@command()
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="N", help="Another port than configured; 0 for any free."
)
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
@taking.options
def outbox(call: Call, port: int | None, *, no_open: bool, listening: Listening) -> None:
    """Read the mail that the embedded outbox took, in the browser.

    The page is for this machine only. Ctrl-C or SIGTERM ends it, with exit code 0.

    With --listen it also answers as the APIs of Mailgun and Resend: it checks what they check, puts values in
    as they do, and keeps each mail. Any key will do, but one with "wrong" or "invalid" in it is refused.
    With --hostile some calls go wrong as they do in life; outbox/truth.jsonl tells what was accepted.

    \b
    Examples:
      newsletter outbox
      newsletter outbox --port 8026 --no-open
      newsletter outbox --listen
      newsletter outbox --listen --limit 1
      newsletter outbox --listen --hostile many --seed 7
    """
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
            spoken: dict[str, Any] = {"listen": _spoken(base)} if listening.on else {}
            if listening.plan is not None:
                spoken |= {"hostile": {"seed": listening.plan.seed, "truth": str(folder / "truth.jsonl")}}
            click.echo(json.dumps({"url": url, "folder": str(folder)} | spoken, ensure_ascii=False))
        else:
            output.say(f"The outbox is at {output.style(url, bold=True)}")
            if listening.on:
                _tell(base)
            if listening.plan is not None:
                output.say(f"\nCalls go wrong, drawn from --seed {listening.plan.seed}.")
            output.hint("Only this machine can reach it. Ctrl-C ends it.")
        if not (no_open or call.json) and sys.stdout.isatty() and _desktop():
            webbrowser.open(url)

    box = Mailbox(folder)
    about = About(config.name, config.timezone, config.picture_base, display(folder))
    pages = application(box, about, taken)
    if listening.on:
        make_folder(config.state, mode=0o700)
    serve(taking.site(listening, folder, pages) if listening.on else pages, listener, ready=ready, beside=box.warm)


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
