"""``newsletter publish``."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from newsletter.cli import output, wiring
from newsletter.cli.app import Call, command
from newsletter.errors import Blocked, TryLater, WrongUsage
from newsletter.files import display, make_folder, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from newsletter.config import Config
    from newsletter.model import Page

_PATIENCE = 10
"""Seconds to wait for another run, which takes far less to put its files in place."""


@command()
@click.argument("issue", required=False)
@click.option("--all", "every", is_flag=True, help="Publish every issue of the workspace.")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Another folder than configured (`public`)."
)
@click.option("--check", "verify", is_flag=True, help="Write nothing; fail if the folder is not what would be written.")
def publish(call: Call, issue: str | None, folder: Path | None, *, every: bool, verify: bool) -> None:
    """Write pictures, web pages and an index to a folder that any static host serves.

    ISSUE is a folder or its slug; the newest issue without it. What was published before stays listed, and
    no picture is ever taken away. Put the folder on your host before a real send: the mail's pictures
    are fetched from there.

    \b
    Examples:
      newsletter publish
      newsletter publish --all --to ../website/letters
    """
    config = call.config()
    if issue and every:
        message = "--all publishes every issue; do not name one beside it"
        raise WrongUsage(message, hint="Leave out either the issue or --all.")
    target = folder.absolute() if folder else config.root / config.public
    with contextlib.nullcontext() if verify else _alone(config):
        done = _publish(config, target, issue, every=every, verify=verify)
    _tell(call, config, done)


class _Done(NamedTuple):
    """What is published, and which files differed from it."""

    folder: Path
    pages: tuple[Page, ...]
    planned: Mapping[str, bytes]
    differing: Mapping[str, str]
    verified: bool


def _publish(config: Config, target: Path, issue: str | None, *, every: bool, verify: bool) -> _Done:
    from newsletter.site import archive

    folders = wiring.issue_folders(config) if every else (wiring.issue_folder(config, issue),)
    before = archive.listed(target)
    pages = wiring.pages(config, folders, before, keep=not verify)
    issues = archive.together(before, [page.about for page in pages])
    planned = archive.contents(pages, issues, wiring.archive_index(config, issues))
    differing = archive.differences(target, planned)
    if not verify:
        archive.write(target, planned)
    return _Done(target, pages, planned, differing, verify)


@contextlib.contextmanager
def _alone(config: Config) -> Iterator[None]:
    """One run at a time: the list is read, and written with one issue more."""
    from filelock import FileLock, Timeout

    make_folder(config.state, mode=0o700)
    lock = FileLock(config.state / "publish.lock")
    with writing(config.state):
        try:
            lock.acquire(timeout=_PATIENCE)
        except Timeout:
            message = "another `newsletter publish` is at work here"
            raise TryLater(message, hint="Run it again when that one has ended.") from None
    try:
        yield
    finally:
        lock.release()


def _tell(call: Call, config: Config, done: _Done) -> None:
    shown = display(done.folder)
    if call.json:
        output.emit(_as_json(config, done))
    if done.verified and done.differing:
        lines = [f"{kind}: {name}" for name, kind in done.differing.items()]
        message = "\n    ".join([f"{shown} is not what would be written now:", *lines])
        raise Blocked(message, hint="Run `newsletter publish` to bring it up to date.")
    if call.json:
        return
    if done.verified:
        output.say(f"{shown} is up to date: {len(done.planned)} files, byte for byte.")
        return
    for name in done.differing:
        size = f"{len(done.planned[name]):,} bytes"
        output.say(f"{output.style('made', fg='green')}  {shown}/{name}  {output.style(size, dim=True)}")
    if not done.differing:
        output.say(f"Nothing has changed: {shown} is up to date.")
    _hint(config, shown)


def _hint(config: Config, shown: str) -> None:
    from newsletter.render.publication import address

    if address(config):
        output.hint(f"\nNext: put {shown}/ on your host; a real send looks for the pictures at {config.picture_base}")
    else:
        output.hint("\nNext: set public_url, or assets_url, in newsletter.yaml to the address where this is served.")


def _as_json(config: Config, done: _Done) -> dict[str, object]:
    from newsletter.render.publication import address

    return {
        "folder": str(done.folder),
        "pictures": config.picture_base,
        "issues": [
            {
                "id": page.about.id,
                "slug": page.about.slug,
                "title": page.about.title,
                "url": address(config, page.about.slug),
            }
            for page in done.pages
        ],
        "files": {name: len(data) for name, data in done.planned.items()},
        "differing": list(done.differing),
    }
