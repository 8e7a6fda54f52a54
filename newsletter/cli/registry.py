"""Every command, in the order of the work: its name, its one-line help, and where it is.

The help stands here so that ``newsletter --help`` imports no command, and not even click.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One command; ``target`` is ``module:attribute`` below ``newsletter.cli.commands``."""

    name: str
    help: str
    target: str


COMMANDS: tuple[Entry, ...] = (
    Entry("init", "Make a workspace: configuration, theme, first issue.", "workspace:init"),
    Entry("new", "Draft an issue, from nothing or from a text.", "issues:new"),
    Entry("build", "Write the mail, its text and its web page to build/.", "issues:build"),
    Entry("check", "Look over issues before they are sent.", "issues:check"),
    Entry("theme", "List the themes, look at one, make one of your own.", "themes:theme"),
    Entry("publish", "Write pictures, web pages and an index for a static host.", "publish:publish"),
    Entry("subscribers", "Import, list and export subscribers; take leavers off.", "subscribers:subscribers"),
    Entry("suppressions", "List who must not be mailed; ask the provider for more.", "suppressions:suppressions"),
    Entry("test", "Send test copies of an issue to a few addresses.", "testing:test"),
    Entry("approve", "Approve what is to be sent, so that nothing else is.", "approve:approve"),
    Entry("plan", "Show what a send would do; writes nothing.", "plan:plan"),
    Entry("send", "Send an issue; run it again to go on.", "send:send"),
    Entry("rehearse", "Play a send on a copy, with everything going wrong.", "rehearse:rehearse"),
    Entry("status", "Show a running or finished send.", "status:status"),
    Entry("pause", "Hold a running send.", "status:pause"),
    Entry("resume", "Go on with a paused or cancelled send.", "status:resume"),
    Entry("cancel", "Stop a send; resume takes it up again.", "status:cancel"),
    Entry("resolve", "Settle messages in doubt, by asking or by your word.", "resolve:resolve"),
    Entry("receipt", "Show what one person got, and why they get it.", "receipt:receipt"),
    Entry("providers", "Show what the providers can do, and which one is set up.", "providers:providers"),
    Entry("serve", "Answer the links in the mails, and show what is published.", "serve:serve"),
    Entry("outbox", "Read the mail that the embedded outbox took.", "outbox:outbox"),
    Entry("db", "Back the database up, look it over, put a backup back.", "database:db"),
)

USAGE = "Usage: newsletter [OPTIONS] COMMAND [ARGS]..."
SUMMARY = "Draft a newsletter issue, look it over, and send it to every subscriber once."
EXAMPLES = (
    "newsletter init letters",
    'newsletter new "The tide tables"',
    "newsletter check",
    "newsletter send",
)
EPILOG = "Run `newsletter COMMAND --help` for a command's options and examples."


def main_help() -> str:
    """The text of ``newsletter --help``."""
    width = max(len(entry.name) for entry in COMMANDS)
    lines = [USAGE, "", f"  {SUMMARY}", "", "  Examples:"]
    lines += [f"    {example}" for example in EXAMPLES]
    lines += ["", "Options:"]
    lines += ["  --version  Show the version and exit.", "  -h, --help  Show this message and exit."]
    lines += ["", "Commands:"]
    lines += [f"  {entry.name:<{width}}  {entry.help}" for entry in COMMANDS]
    lines += ["", f"  {EPILOG}", ""]
    return "\n".join(lines)
