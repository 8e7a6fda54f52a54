"""What the commands around a send say of an issue's approval, and what holds a send that has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from newsletter.cli import output
from newsletter.errors import Blocked, WrongUsage

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.delivery.approval import Approval, Standing
    from newsletter.delivery.ledger import Send
    from newsletter.model import Edition

_LINES = 40
"""Lines of a text's difference that are printed; ``--json`` has all."""


def standing(
    config: Config, folder: Path, edition: Edition, at: dt.datetime | None = None, *, whenever: bool = False
) -> Standing:
    """How a send of this edition, at this time, stands to the approval beside it.

    ``whenever`` leaves the time out, where it is not known yet. Raises ``BadInput`` when the approval cannot be read.
    """
    from newsletter.delivery import approval, approvalfile

    if (before := approvalfile.found(folder)) is None:
        return approval.Standing(None)
    return approval.stand(before, approval.matter(edition, config, at), whenever=whenever)


def before_send(config: Config, folder: Path, edition: Edition, at: dt.datetime | None = None) -> None:
    """Raise ``Blocked`` when a send that is to begin needs an approval and has none, or has one of something else.

    Where none is required, a difference is a warning. A trial mails nobody and needs none.
    """
    found = standing(config, folder, edition, at)
    if found.state == "approved" or not (config.approval or found.approval):
        return
    if found.approval is None:
        text = f"{edition.slug} is not approved, and newsletter.yaml says `approval: required`"
        hint = f"Whoever answers for it looks at it and runs: newsletter approve {edition.slug}"
    else:
        head = f"{edition.slug} is not what was approved {who(config, found.approval)}:"
        text = "\n".join([head, *told(found)])
        hint = f"Undo the change, or look at it and approve it: newsletter approve {edition.slug}"
    if holds(config, found):
        raise Blocked(text, hint=hint)
    if config.approval:
        output.note("A trial on this machine needs no approval; a real send would be refused now:")
    output.warn(text)


def before_start(config: Config, folder: Path, made: Send, edition: Edition | None) -> None:
    """The same when a planned send begins: what was frozen for it counts, whatever became of the issue since.

    ``edition`` is the issue as it is now, if it is still what was frozen.
    """
    from newsletter.delivery import approvalfile

    if edition is not None:
        before_send(config, folder, edition, made.approved_for)
        return
    before = approvalfile.found(folder)
    fits = before is not None and (before.matter.content, before.matter.at) == (made.content_sha, made.approved_for)
    if fits or not (config.approval or before):
        return
    what = "is not approved" if before is None else f"is not what was approved {who(config, before)}"
    text = f"{made.slug} {what}: the issue has changed since it was planned, and what was frozen then would be sent"
    if config.approval and not config.trial:
        raise Blocked(
            text, hint=f"Approve the issue as it is now, and plan it anew: newsletter send {made.slug} --at …"
        )
    output.warn(text)


def holds(config: Config, found: Standing) -> bool:
    """Whether a real send is held for want of an approval."""
    return config.approval and not config.trial and found.state != "approved"


# -- words ----------------------------------------------------------------------------


def who(config: Config, approval: Approval) -> str:
    """By whom and when."""
    from newsletter.delivery.approval import visible

    at = approval.approved_at.astimezone(config.timezone)
    return f"by {visible(approval.by)} on {at:%Y-%m-%d at %H:%M %Z}"


def told(found: Standing) -> Iterator[str]:
    """What differs, a line for each part, and the text's lines below it."""
    for each in found.differences:
        yield f"    {each}"
        yield from (f"        {line}" for line in each.diff[:_LINES])
        if len(each.diff) > _LINES:
            yield f"        … and {len(each.diff) - _LINES} lines more (--json has all)"


def sentence(config: Config, found: Standing) -> str:
    """The state in a few words; empty where nobody asks for an approval and there is none."""
    if found.approval is None:
        return "none yet, and a real send needs one" if config.approval else ""
    text = who(config, found.approval)
    if at := found.approval.matter.at:
        text += f", to be sent at {at.isoformat(' ')}"
    if found.differences:
        text += f"; changed since: {', '.join(each.part for each in found.differences)}"
    return text


def data(config: Config, found: Standing) -> dict[str, Any]:
    """The state for ``--json``."""
    return {
        "state": found.state,
        "required": config.approval,
        "by": found.approval.by if found.approval else None,
        "changed": [each.part for each in found.differences],
    }


# -- what the operator types ----------------------------------------------------------


def name(given: str | None, operator: str) -> str:
    """Who approves; ``WrongUsage`` for what is no name on one line, or when nobody is known."""
    from newsletter.headers import unsafe

    found = (operator if given is None else given).strip()
    if not found:
        raise WrongUsage("nobody is named who approves", hint="Say who with --by NAME.")
    if len(found) > 100 or (reason := unsafe(found)):
        said = "it is longer than 100 characters" if len(found) > 100 else reason
        raise WrongUsage(f"this is not a name: {said}", hint="Say who with --by NAME.")
    return found


def confirm(*, as_json: bool) -> None:
    """Ask; ``Blocked`` for a no, ``WrongUsage`` where nobody can be shown what it is about and asked."""
    import sys

    import click

    if as_json or not sys.stdin.isatty():
        hint = "Look at the issue first, then run this command with --yes."
        raise WrongUsage(
            "there is no terminal to ask on" if not as_json else "--json shows nothing to ask about", hint=hint
        )
    if not click.confirm("Approve this?", default=False, err=True):
        raise Blocked("Not approved: nothing was written.")
