"""``newsletter outbox``."""

from __future__ import annotations

import json
import os
import sys
import webbrowser

import click

from newsletter.cli import output
from newsletter.cli.app import Call, command
from newsletter.files import display


@command()
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="N", help="Another port than configured; 0 for any free."
)
@click.option("--no-open", is_flag=True, help="Do not open the browser.")
def outbox(call: Call, port: int | None, *, no_open: bool) -> None:
    """Read the mail that the embedded outbox took, in the browser.

    The page is for this machine only. Ctrl-C or SIGTERM ends it, with exit code 0.

    \b
    Examples:
      newsletter outbox
      newsletter outbox --port 8026 --no-open
    """
    from newsletter.preview.mailbox import Mailbox
    from newsletter.preview.outbox import About, application
    from newsletter.preview.serving import HOST, listen, serve

    config = call.config()
    folder = config.state / "outbox"
    listener = listen(config.outbox_port if port is None else port)
    taken = listener.getsockname()[1]
    url = f"http://{HOST}:{taken}/"

    def ready() -> None:
        if call.json:
            click.echo(json.dumps({"url": url, "folder": str(folder)}, ensure_ascii=False))
        else:
            output.say(f"The outbox is at {output.style(url, bold=True)}")
            output.hint("Only this machine can reach it. Ctrl-C ends it.")
        if not (no_open or call.json) and sys.stdout.isatty() and _desktop():
            webbrowser.open(url)

    box = Mailbox(folder)
    about = About(config.name, config.timezone, config.picture_base, display(folder))
    serve(application(box, about, taken), listener, ready=ready, beside=box.warm)


def _desktop() -> bool:
    """Whether a browser would open a window of its own, not take over the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
