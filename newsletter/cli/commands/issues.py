"""``newsletter new``, ``build`` and ``check``: from a draft to a mail that may be sent."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import approving, building, output, sending, wiring
from newsletter.cli.app import Call, command
from newsletter.errors import BadInput, Blocked, Problem, WrongUsage
from newsletter.files import display
from newsletter.model import Finding, Severity
from newsletter.personal import CannotRender

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.delivery.approval import Standing
    from newsletter.model import Edition


@command()
@click.argument("title", required=False)
@click.option("--from", "source", metavar="FILE", help="Make it of this text, Markdown, HTML or feed; - reads it.")
@click.option("--as", "kind", type=click.Choice(["text", "markdown", "html", "feed"]), help="What FILE is.")
@click.option("--encoding", metavar="NAME", default="", help="How FILE is encoded, where it is not UTF-8.")
@click.option("--pick", metavar="1,3-5", default="", help="Of a feed: these entries, or all.")
@click.option("--since", metavar="DATE", default="", help="Of a feed: the entries from this day on.")
@click.option("--limit", metavar="N", type=click.IntRange(1), help="Of a feed: at most so many.")
def new(call: Call, title: str | None, **wanted: Any) -> None:
    """Draft an issue: a dated folder with an index.md that explains itself.

    With --from it is made of a text you have. Title, dek, byline, dateline, notes, section heads, pictures with
    their captions, links and credits are recognised; every word is kept, and what was uncertain is left as a
    comment in its place.

    \b
    Examples:
      newsletter new "The tide tables"
      newsletter new --from article.txt
      newsletter new "My own title" --from page.html
      newsletter new --from feed.xml --since 2026-11-01 --limit 5
      pandoc article.docx -t html | newsletter new --from -
    """
    from newsletter.content.draft import draft

    config = call.config()
    if wanted["source"]:
        from newsletter.cli import drafting

        made, kind = drafting.import_draft(config, drafting.Wanted(title=title or "", **wanted))
        if call.json:
            output.emit(drafting.as_data(made, kind))
        else:
            drafting.tell(made, kind)
        return
    if given := [name for name, value in wanted.items() if value]:
        name = "as" if given[0] == "kind" else given[0]
        raise WrongUsage(f"--{name} goes with --from", hint="For example: newsletter new --from article.txt")
    if title is None:
        raise WrongUsage("an issue needs a title", hint='For example: newsletter new "The tide tables"')
    path = draft(config, title, today=dt.datetime.now(config.timezone).date(), token=os.urandom(6).hex())
    if call.json:
        output.emit({"path": str(path), "slug": path.parent.name})
        return
    output.say(f"{output.style('made', fg='green')}  {display(path)}")
    output.hint(f"\nNext: write it, then run: newsletter build {path.parent.name}")


@command()
@click.argument("issue", required=False)
@click.option("--as", "reader", metavar="ADDRESS", help="Build this subscriber's copy.")
@click.option("--check", "verify", is_flag=True, help="Build nothing; fail if build/ is not what would be built.")
def build(call: Call, issue: str | None, reader: str | None, *, verify: bool) -> None:
    """Write the mail, its text and its web page to build/<slug>/.

    ISSUE is a folder or its slug; the newest issue without it. The same workspace gives the same bytes;
    what is up to date is left as it is. Where `::: when` makes several mails of an issue, email.html is the one
    of somebody of whom nothing is known, and variants/ holds each of them.

    \b
    Examples:
      newsletter build
      newsletter build 2026-11-20-the-tide-tables --as ada@example.org
    """
    config = call.config()
    folder = wiring.issue_folder(config, issue)
    stamp = None if reader or verify else wiring.stamp(config, folder, call.config_file)
    target = config.root / "build" / folder.name
    if stamp and (sizes := stamp.unchanged(target)):
        _tell(call, target, sizes, "kept")
        return
    made = wiring.edition(config, folder)
    built, variant = _files(config, made, reader)
    target = config.root / "build" / made.slug
    if verify:
        _verify(call, target, built)
        return
    building.write(target, built)
    if stamp:
        stamp.keep(built)
    _tell(call, target, {name: len(data) for name, data in built.items()}, "made", variant)


def _files(config: Config, made: Edition, reader: str | None) -> tuple[dict[str, bytes], str]:
    """The files of a build, and the variant of the reader; ``BadInput`` where a value of theirs does not fit."""
    if reader is None:
        return building.files_of(made, config), ""
    values = wiring.reader_values(config, reader)
    try:
        return building.files_of(made, config, values), building.variant_of(made, values).key
    except CannotRender as error:
        hint = "A send would leave this reader out for the same reason."
        raise BadInput(f"the copy of {reader} cannot be made: {error}", hint=hint) from error


def _tell(call: Call, target: Path, sizes: dict[str, int], verb: str, variant: str = "") -> None:
    keys = building.keys_of(sizes)
    if call.json:
        output.emit({"folder": str(target), "files": sizes, "variants": [variant] if variant else keys})
        return
    shown, done = display(target), output.style(verb, fg="green")
    for name, size in sizes.items():
        if not name.startswith(f"{building.VARIANTS}/"):
            output.say(f"{done}  {shown}/{name}  {output.style(f'{size:,} bytes', dim=True)}")
    if keys:
        output.say(f"{done}  {shown}/{building.VARIANTS}/  {len(keys)} variants of the mail: {', '.join(keys)}")
    if variant:
        output.say(f"This reader gets the variant {variant}.")
    if verb == "kept":
        output.say("Nothing has changed: the build is up to date.")
    output.hint(f"\nNext: open {shown}/email.html in a browser, then run: newsletter check {target.name}")


def _verify(call: Call, target: Path, built: dict[str, bytes]) -> None:
    differing = building.differences(target, built)
    if call.json:
        output.emit({"folder": str(target), "ok": not differing, "differences": differing})
    if differing:
        message = "\n    ".join([f"{display(target)} is not what would be built now:", *differing])
        raise Blocked(message, hint="Run `newsletter build` to bring it up to date.")
    if not call.json:
        output.say(f"{display(target)} is up to date: {len(built)} files, byte for byte.")


@command()
@click.argument("issues", metavar="[ISSUE]...", nargs=-1)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print findings.")
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
def check(call: Call, issues: tuple[str, ...], form: str, *, strict: bool) -> int:
    """Look over issues before they are sent: size, links, pictures, the law, empty values.

    Exit code 1 when a finding blocks a send, 65 when an issue cannot be read at all.

    \b
    Examples:
      newsletter check
      newsletter check --strict --format json
    """
    config = call.config()
    reports: list[tuple[str, tuple[Finding, ...], Standing | None]] = []
    unreadable: list[Problem] = []
    for name in issues or (None,):
        try:
            reports.append(_checked(config, name, unreadable))
        except BadInput as error:
            unreadable += error.problems
    blocking = sum(1 for _, found, _ in reports for each in found if strict or each.severity is Severity.ERROR)
    lacking = sending.lacking(config)
    if call.json or form == "json":
        output.emit(
            [
                _as_json(slug, found, strict=strict)
                | {"approval": approving.data(config, approval) if approval else {"state": "broken"}}
                | {"lacks": {name: problem.message for name, problem in lacking.items()}}
                for slug, found, approval in reports
            ]
        )
    else:
        for slug, found, approval in reports:
            print_findings(slug, found)
            if approval and (words := approving.sentence(config, approval)):
                output.say(f"{slug}: approval: {words}.")
        if lacking:
            output.note("\n".join(["A send would be refused for now:", *map(str, lacking.values())]))
    if unreadable:
        raise BadInput(unreadable)
    return 1 if blocking else 0


def _checked(
    config: Config, name: str | None, unreadable: list[Problem]
) -> tuple[str, tuple[Finding, ...], Standing | None]:
    """One issue's findings and its approval, ``None`` for one that cannot be read."""
    folder = wiring.issue_folder(config, name)
    made = wiring.edition(config, folder)
    found = (*wiring.findings(config, made), *_unpublishable(config, folder, made))
    try:
        return made.slug, found, approving.standing(config, folder, made, whenever=True)
    except BadInput as error:
        unreadable += error.problems
        return made.slug, found, None


def _unpublishable(config: Config, folder: Path, made: Edition) -> Iterator[Finding]:
    """What `publish` would refuse, where it has to be run: for hosted pictures, or because it was before."""
    hosted = config.real and bool(made.pictures)
    if not (hosted or config.assets_url or (config.root / config.public).is_dir()):
        return
    try:
        wiring.pages(config, [folder], ())
    except BadInput as error:
        for problem in error.problems:
            message = f"`newsletter publish` would refuse this issue: {problem.message}"
            yield Finding("publish", Severity.WARNING, problem.place or made.where(""), message, problem.hint)


def _as_json(slug: str, found: Sequence[Finding], *, strict: bool) -> dict[str, Any]:
    errors = sum(each.severity is Severity.ERROR for each in found)
    return {
        "issue": slug,
        "ok": not (found if strict else errors),
        "errors": errors,
        "warnings": len(found) - errors,
        "findings": [
            {
                "rule": each.rule,
                "severity": each.severity.value,
                "path": each.place.path,
                "line": each.place.line,
                "column": each.place.col,
                "message": each.message,
                "advice": each.advice,
            }
            for each in found
        ],
    }


def print_findings(slug: str, found: Sequence[Finding]) -> None:
    """Findings for a person: the place first, so that a terminal can open it."""
    colours = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
    for each in found:
        severity = output.style(each.severity.value, fg=colours[each.severity], bold=True)
        output.say(f"{each.place}: {severity}: {each.message} {output.style(f'[{each.rule}]', dim=True)}")
        if each.advice:
            output.say(f"    {each.advice}")
    errors = sum(each.severity is Severity.ERROR for each in found)
    warnings = len(found) - errors
    if not found:
        output.say(f"{output.style('✓', fg='green')} {slug}: nothing found.")
    else:
        output.say(f"{slug}: {_count(errors, 'error')}, {_count(warnings, 'warning')}.")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
