"""What the commands around a send share: finding it, carrying it out, and telling how it went."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.cli import output, standing, telling, watching, wiring
from newsletter.cli.stopping import stopping
from newsletter.errors import BadInput, Blocked, Problem
from newsletter.keys import is_loopback
from newsletter.model import Severity
from newsletter.personal import CannotRender

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from newsletter.cli.app import Call
    from newsletter.config import Config
    from newsletter.delivery.freeze import Frozen
    from newsletter.delivery.ledger import Send
    from newsletter.delivery.plan import Plan
    from newsletter.delivery.pulse import Pulse
    from newsletter.delivery.start import Wish
    from newsletter.delivery.summary import Status
    from newsletter.delivery.terms import Terms
    from newsletter.model import Edition, Finding, Picture
    from newsletter.providers.base import Provider
    from newsletter.store.database import Database


def realm(config: Config) -> str:
    """Real sends and trials on this machine do not know of each other."""
    return "outbox" if config.trial else "real"


@contextlib.contextmanager
def opened(config: Config) -> Iterator[Database | None]:
    """The workspace's database for the block, or ``None`` when there is none yet."""
    database = wiring.database(config)
    try:
        yield database
    finally:
        if database is not None:
            database.close()


def find(config: Config, database: Database, name: str | None) -> Send | None:
    """The newest send of an issue, found by its id; by the folder's name when the issue cannot be read.

    Raises ``BadInput`` when it cannot be read and no send is known by that name either.
    """
    from newsletter.delivery import ledger

    slug = Path(name).name if name else ""
    try:
        folder = wiring.issue_folder(config, name)
        slug = folder.name
        issue_id = wiring.issue(config, folder).id
    except BadInput:
        with database.read() as connection:
            if found := ledger.latest_of_slug(connection, slug, realm(config)):
                return found
        raise
    with database.read() as connection:
        return ledger.latest(connection, issue_id, realm(config))


@contextlib.contextmanager
def found(config: Config, name: str | None) -> Iterator[tuple[Database, Send]]:
    """The database and the issue's newest send; ``Blocked`` when there is none."""
    with opened(config) as database:
        made = find(config, database, name) if database else None
        if database is None or made is None:
            what = wiring.issue_folder(config, name).name
            message = f"{what} has not been sent"
            raise Blocked(message, hint=f"Look at `newsletter plan {what}`, then `newsletter send {what}`.")
        yield database, made


def find_edition(config: Config, database: Database | None, edition: Edition) -> Send | None:
    """The newest send of an edition's issue."""
    from newsletter.delivery import ledger

    if database is None:
        return None
    with database.read() as connection:
        return ledger.latest(connection, edition.issue_id, realm(config))


# -- planning -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Errand:
    """What one call of a command works with."""

    call: Call
    config: Config
    database: Database
    provider: Provider
    edition: Edition


def wish(config: Config, provider: Provider, edition: Edition, kind: str = "issue", terms: Terms | None = None) -> Wish:
    """What the configuration and this edition ask delivery for."""
    from newsletter.delivery import freeze, start
    from newsletter.delivery.terms import NO_TERMS

    return start.Wish(
        issue_id=edition.issue_id,
        slug=edition.slug,
        kind=kind,
        frozen=freeze.of_edition(edition, config),
        capabilities=provider.capabilities,
        account=provider.account,
        batch=config.sending.batch,
        by=operator(),
        terms=terms or NO_TERMS,
    )


def operator() -> str:
    """Who is at the keyboard, as the system knows them; empty when it does not."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def plan(config: Config, database: Database | None, provider: Provider, edition: Edition) -> Plan:
    """The plan for an edition; ``BadInput`` when the sender or the subject cannot go out."""
    from newsletter.delivery import plan as plans

    wanted = wish(config, provider, edition)
    links = wiring.links(config, database.instance() if database else "", mailed=False)
    try:
        if database is None:
            return plans.make(None, wanted, provider, links, edition.date)
        with database.read() as connection:
            return plans.make(connection, wanted, provider, links, edition.date)
    except CannotRender as error:
        raise BadInput([Problem(edition.where("from"), f"this issue cannot go out: {error}")]) from error


def refuse_findings(slug: str, found: Sequence[Finding]) -> None:
    """Raise ``Blocked`` when the pre-flight found errors."""
    lines = [f"{each.place}: {each.message} [{each.rule}]" for each in found if each.severity is Severity.ERROR]
    if lines:
        raise Blocked("\n".join([f"{slug} may not be sent yet:", *lines]), hint="See `newsletter check`.")


def fit(config: Config, database: Database, folder: Path, pictures: Sequence[Picture]) -> None:
    """A real send must be fit to leave this machine, from the ledger that began it; the embedded outbox may always.

    A trial through a real provider's dialect goes without the server that readers will need, and says so.
    """
    from newsletter.config import secret
    from newsletter.delivery import guard, ledger
    from newsletter.store import mark

    mark.check(database)
    if not config.real:
        return
    guard.fit_for_real(config, secret(config.root))
    if not config.trial:
        with database.read() as connection:
            guard.refuse_foreign(folder, database.instance(), partial(ledger.exists, connection))
    _reach(config, database, pictures)


def tell_if_restored(database: Database) -> None:
    """Warn of a database that is not known to be the newest state of its ledger: a send would be refused."""
    from newsletter.store import mark

    if why := mark.why(database, mark.look(database).standing):
        output.warn(f"{why}. Nothing is sent until you decide how to go on: newsletter db adopt")


def _reach(config: Config, database: Database, pictures: Sequence[Picture]) -> None:
    """Fetch what readers will fetch, before the first of them may."""
    from newsletter.delivery import reach
    from newsletter.providers.fetch import Fetcher, Unreachable

    instance = database.instance()
    if config.trial and not is_loopback(config.public_url):
        output.note(f"A trial, but {config.public_url} is looked up on the network, as readers will look for it.")
    with Fetcher() as fetch, output.progress(len(pictures) + 1, "Looking at public_url", unit="files") as advance:
        found = tuple(
            reach.missing(
                links=wiring.links(config, instance),
                instance=instance,
                picture_base=config.picture_base,
                pictures=pictures,
                fetch=fetch,
                unreachable=Unreachable,
                advance=advance,
            )
        )
    lacking = reach.must_be_there(found, trial=config.trial)
    if lacking:
        output.note("A trial on this machine; a real send would be refused now:")
        for problem in lacking:
            output.note(f"  {problem.message}")


def lacking(config: Config) -> dict[str, Problem]:
    """What a send through the configured provider would be refused for; the embedded outbox lacks nothing."""
    from newsletter.config import secret
    from newsletter.delivery import guard

    return guard.lacks(config, secret(config.root)) if config.real else {}


def tell_what_a_trial_lacks(config: Config) -> None:
    """A trial in the outbox goes without what a real send needs, and says so."""
    from newsletter.config import secret
    from newsletter.delivery import guard

    if not config.real and (names := guard.lacks(config, secret(config.root))):
        output.note(f"A trial on this machine; a real send would still need {', '.join(names)}.")
    elif config.real and config.trial:
        output.note("A trial: the provider's base_url is this machine, so nothing leaves it and nothing is used up.")


# -- going on with a send -------------------------------------------------------------


def refuse_changed(database: Database, made: Send, now: Frozen) -> None:
    """Raise ``Blocked`` when the issue is not what was frozen, naming what changed."""
    from newsletter.delivery import freeze, start

    if freeze.sha(now) == made.content_sha:
        return
    with database.read() as connection:
        before = start.content_of(connection, made.content_sha)
    parts = freeze.changes(before, now)
    if not parts:  # frozen by an older version, in other words
        return
    lines = [f"{made.slug}: the issue has changed since this send began: {', '.join(parts)}"]
    if "subject" in parts:
        old, new = (freeze.subject_text(each, each.variants[0]) for each in (before, now))
        lines.append(f"    subject: “{old}” became “{new}”")
    if "sender" in parts:
        lines.append(f"    sender: {before.sender.address} became {now.sender.address}")
    hint = f"Undo the change, or go on with what the others got: newsletter resume {made.slug} --frozen"
    raise Blocked("\n".join(lines), hint=hint)


def bound(database: Database, made: Send, provider: Provider) -> Send:
    """The send, going on through the account that is configured now; ``Blocked`` where the one before may have it."""
    from newsletter.delivery import rebind
    from newsletter.store.clock import utcnow

    now = rebind.rebind(database, made, provider, utcnow())
    if not rebind.same(made, provider):
        output.note(f"Nothing went out through {rebind.began(made)} yet; it goes on through {rebind.began(now)}.")
    return now


def carry_out(
    call: Call, config: Config, database: Database, made: Send, provider: Provider, *, wait: bool = True
) -> int:
    """Work on a running send until it ends or is held, and tell how it stands; the exit code.

    Without ``wait`` it is left at the end of a stage.
    """
    status, pulse, code = worked_off(call, config, database, made, provider, wait=wait)
    with output.unheard():
        standing.report(call, status, pulse)
    return code


def worked_off(
    call: Call, config: Config, database: Database, made: Send, provider: Provider, *, wait: bool
) -> tuple[Status, Pulse, int]:
    """The same without a word at the end: how it stands then, and the exit code."""
    from newsletter.cli import staging
    from newsletter.delivery import desk, summary, work
    from newsletter.providers.wrappers import Announced
    from newsletter.store import mark

    mark.start(database)
    provider = Announced(provider, mark.advancer(database))
    record(config, database, made)
    stop = threading.Event()
    tools = desk.tools(stop, telling.retries(call, provider.capabilities.name), telling.held(call))
    between = staging.between(call, config, database, made, provider, tools, wait=wait)
    job = desk.job(database, made.id, provider, wiring.links(config, database.instance()), tools, between)
    workers = min(config.sending.workers, provider.capabilities.workers or config.sending.workers)
    with stopping(stop), _bar(database, made) as watch:
        work.run(job, workers, watch)
    mark.advance(database, sync=True)
    status, pulse = watching.look(database, made.id)
    record(config, database, status.send)
    return status, pulse, summary.exit_code(status, interrupted=stop.is_set())


def record(config: Config, database: Database, made: Send) -> None:
    """Write down beside the issue how its real send stands."""
    from newsletter.delivery import guard

    folder = wiring.folder_of(config, made.issue_id)
    if not config.trial and folder is not None:
        guard.write_record(folder, database.instance(), made)


class _Watch:
    """Moves the bar on to what the ledger says, whoever did it."""

    def __init__(self, database: Database, send_id: int, advance: output.Advance, done: int) -> None:
        self._database = database
        self._send_id = send_id
        self._advance = advance
        self._done = done

    def __call__(self) -> None:
        from newsletter.delivery import summary

        with self._database.read() as connection:
            now = summary.settled(connection, self._send_id)
        if now > self._done:
            self._advance(now - self._done)
            self._done = now


@contextlib.contextmanager
def _bar(database: Database, made: Send) -> Iterator[_Watch]:
    from newsletter.delivery import summary

    with database.read() as connection:
        done = summary.settled(connection, made.id)
    with output.progress(made.recipients, "Sending", unit="mails", done=done) as advance:
        yield _Watch(database, made.id, advance, done)
