"""``newsletter serve``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from newsletter.cli import output, sending, wiring
from newsletter.cli.app import Call, command
from newsletter.errors import BadConfig

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.links import Links
    from newsletter.store.database import Database

_GRACE = 20
"""Seconds for answers on their way: longer than one waits for a busy database."""


@command()
@click.option("--host", metavar="ADDRESS", help="Another address to listen on than configured.")
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="N", help="Another port than configured; 0 for any free."
)
def serve(call: Call, host: str | None, port: int | None) -> None:
    """Answer the links in the mails: unsubscribe, view in browser; and the published pages.

    It listens on this machine and belongs behind a reverse proxy with https, as docs/serving.md shows. With -v it
    prints a line for each request, without the personal part of its path. Ctrl-C or SIGTERM ends it, with exit code 0.

    \b
    Examples:
      newsletter serve
      newsletter serve --host 0.0.0.0 --port 8080
    """
    from newsletter.cli.copies import copies
    from newsletter.cli.serving import listen
    from newsletter.cli.serving import serve as run
    from newsletter.site.app import Outside, application
    from newsletter.store.clock import utcnow

    config = call.config()
    database, links = _ready(config)
    try:
        outside = Outside(
            copies(database, links), utcnow, time.monotonic, output.warn, output.note if call.verbose else None
        )
        app = application(config, links, database, outside)
        listener = listen(config.serving.port if port is None else port, host or config.serving.host, command="serve")
        url = _url(*listener.getsockname()[:2])
        run(app, listener, ready=lambda: _tell(call, config, url), proxies=config.serving.proxies, grace=_GRACE)
    finally:
        database.close()


def _ready(config: Config) -> tuple[Database, Links]:
    """The database and the links; ``BadConfig`` when either is missing, for then no link could be answered."""
    from newsletter.config import SECRET, secret

    if not secret(config.root):
        message = f"{SECRET} is not set, and no link can be told from a forged one without it"
        raise BadConfig(message, hint="Set it as it is where you send from, in the environment or in .env.")
    database = wiring.database(config)
    if database is None:
        message = "there is no database here, so nobody could be taken off a list"
        hint = "Run this in the workspace that you send from; `newsletter subscribers import` makes its database."
        raise BadConfig(message, hint=hint)
    try:
        sending.tell_if_restored(database)
        return database, wiring.links(config, database.instance())
    except BaseException:
        database.close()
        raise


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _tell(call: Call, config: Config, url: str) -> None:
    if call.json:
        click.echo(json.dumps({"url": url}))
        return
    output.say(f"Answering at {output.style(url, bold=True)}")
    if config.public_url.startswith("https://"):
        output.hint(f"Let your reverse proxy pass {config.public_url}/ on to it. Ctrl-C ends it.")
    else:
        what = f"{config.public_url} is not https" if config.public_url else "public_url is not set"
        output.hint(f"{what}: mails for real need one that leads here through https. Ctrl-C ends it.")
