"""``newsletter approve``: a person's word that this, and nothing else, is to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from newsletter import moments
from newsletter.cli import approving, output, sending, telling, wiring
from newsletter.cli.app import Call, command
from newsletter.cli.commands.issues import print_findings
from newsletter.errors import BadInput, WrongUsage
from newsletter.files import display

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.config import Config
    from newsletter.delivery.approval import Approval, Matter, Standing
    from newsletter.model import Edition


@command()
@click.argument("issue", required=False)
@click.option("--by", metavar="NAME", help="Who approves. [the operator's name]")
@click.option("--at", metavar="TIME", help="When it is to be sent, if it is to be scheduled.")
@click.option("--show", is_flag=True, help="Tell how the issue stands to its approval; write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def approve(call: Call, issue: str | None, by: str | None, at: str | None, *, show: bool, yes: bool) -> int:
    """Approve what is to be sent, and write it down beside the issue for git to remember.

    ISSUE is a folder or its slug; the newest issue without it. Content, pictures, sender, audience rule
    and time are approved; a change of any of them needs a new approval. With `approval: required` in
    newsletter.yaml a real send does not begin without one. Issues with errors are refused.

    With --show the exit code is 0 when the approval holds, and 1 when there is none or something changed.

    \b
    Examples:
      newsletter approve
      newsletter approve 2026-11-20-the-tide-tables --by "Ada Moreno" --at "2026-12-01 08:00 Europe/Berlin"
      newsletter approve --show
    """
    from newsletter.store.clock import utcnow

    if show and (by is not None or yes):
        raise WrongUsage("--show approves nothing", hint="Leave --by and --yes out.")
    config = call.config()
    now = utcnow()
    time = None if at is None else moments.ahead(at, config.timezone, now).at
    folder = wiring.issue_folder(config, issue)
    edition = wiring.edition(config, folder, keep=not show)
    if show:
        whenever = time is None
        return _show(call, config, edition, approving.standing(config, folder, edition, time, whenever=whenever))
    from newsletter import __version__
    from newsletter.delivery.approval import Approval, matter

    what = matter(edition, config, time)
    desk = _Desk(call, config, folder, edition)
    made = Approval(what, approving.name(by, sending.operator()), now, __version__, _look_over(desk, what))
    before = _before(desk, made)
    if before and before.state == "approved" and before.approval and by in {None, before.approval.by}:
        return _already(desk, before.approval)
    if not yes:
        approving.confirm(as_json=call.json)
    return _keep(desk, made)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What one call works with."""

    call: Call
    config: Config
    folder: Path
    edition: Edition


def _look_over(desk: _Desk, what: Matter) -> int:
    """Run the pre-flight and show what is to be approved; how many people would get it."""
    config, edition = desk.config, desk.edition
    with sending.opened(config) as database:
        found = wiring.findings(config, edition, database)
        sending.refuse_findings(edition.slug, found)
        people: dict[str, int] = {}
        if database is not None:
            from newsletter.audience.listing import by_status

            with database.read() as connection:
                people = by_status(connection)
        if not config.trial and (send := sending.find_edition(config, database, edition)):
            output.note(f"This issue has a send already ({send.state}), which goes on with what was frozen for it.")
    if not desk.call.json:
        if found:
            print_findings(edition.slug, found)
        _describe(what, edition.slug, people)
    return people.get("active", 0)


def _describe(what: Matter, slug: str, people: dict[str, int]) -> None:
    """What is to be approved, for a person."""
    from newsletter.delivery import approval as words

    for subject in dict.fromkeys(each.subject for each in what.versions):
        output.say(f"{output.style(slug, bold=True)}  {words.quoted(subject)}")
    left_out = ", ".join(f"{count:,} {status}" for status, count in people.items() if status != "active" and count)
    active = f"{people.get('active', 0):,} now"
    output.say(f"  preheader   {words.quoted(what.preheader)}")
    output.say(f"  sender      {words.mailbox(what.sender)}")
    if what.reply_to:
        output.say(f"  reply-to    {words.mailbox(what.reply_to)}")
    output.say(f"  audience    {words.rule(what.audience)}: {active}{f'; left out: {left_out}' if left_out else ''}")
    output.say(f"  time        {words.moment(what.at)}")
    for each in what.versions:
        text = "" if each.lines is None else f", text {len(each.lines):,} lines"
        variant = f"{words.visible(each.key)}: " if each.key else ""
        output.say(f"  size        {variant}HTML {telling.size(each.html_bytes)}{text}")
    for condition in what.conditions:
        output.say(f"  condition   {words.visible(condition)}")
    total = sum(image.bytes for image in what.images)
    output.say(f"  pictures    {len(what.images)}{f', {telling.size(total)} together' if what.images else ''}")
    for image in what.images:
        output.say(f"              {words.quoted(image.alt or image.name)}, {telling.size(image.bytes)}")
    output.say(f"  content     {what.content[:12]}")


def _before(desk: _Desk, made: Approval) -> Standing | None:
    """How the issue stands to an earlier approval, told; a broken one is told too, for the new one replaces it."""
    from newsletter.delivery import approval, approvalfile

    try:
        before = approval.stand(approvalfile.found(desk.folder), made.matter)
    except BadInput as error:
        output.warn(f"{error.problems[0].place}: {error.problems[0].message}; it would be replaced")
        return None
    if before.state == "changed" and before.approval and not desk.call.json:
        output.say(f"\nApproved {approving.who(desk.config, before.approval)}, but changed since:")
        for line in approving.told(before):
            output.say(line)
    return before


def _already(desk: _Desk, approval: Approval) -> int:
    if desk.call.json:
        output.emit(_written(desk, approval, written=False))
        return 0
    output.say(f"\nThis was approved already, {approving.who(desk.config, approval)}; nothing has changed.")
    return 0


def _keep(desk: _Desk, made: Approval) -> int:
    from newsletter.delivery import approvalfile

    path = approvalfile.keep(desk.folder, made)
    if desk.call.json:
        output.emit(_written(desk, made, written=True))
        return 0
    output.say(f"{output.style('approved', fg='green')}  {display(path)}")
    output.hint(f"\nNext: commit it with the issue, then: newsletter send {desk.edition.slug}")
    return 0


def _written(desk: _Desk, approval: Approval, *, written: bool) -> dict[str, object]:
    from newsletter.delivery import approvalfile

    about = {"slug": desk.edition.slug, "state": "approved", "written": written}
    return about | {"path": str(desk.folder / approvalfile.FILE), "approval": approvalfile.data(approval)}


def _show(call: Call, config: Config, edition: Edition, found: Standing) -> int:
    """How the present state compares."""
    from newsletter.delivery import approvalfile

    code = 0 if found.state == "approved" else 1
    if call.json:
        about = {"issue": edition.issue_id, "slug": edition.slug} | approving.data(config, found)
        differences = [each.data() for each in found.differences]
        approval = approvalfile.data(found.approval) if found.approval else None
        output.emit(about | {"differences": differences, "approval": approval})
        return code
    name = output.style(edition.slug, bold=True)
    if found.approval is None:
        output.say(f"{name}  {output.style('not approved', fg='yellow')}")
        output.hint(f"\nNext: newsletter approve {edition.slug}")
        return code
    output.say(f"{name}  approved {approving.sentence(config, found)}")
    for line in approving.told(found):
        output.say(line)
    if found.differences:
        output.hint(f"\nUndo the change, or look at it and approve it: newsletter approve {edition.slug}")
    else:
        output.say("  What would be sent now is what was approved, to the byte.")
    return code
