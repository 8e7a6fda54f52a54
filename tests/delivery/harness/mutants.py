"""Layer E: twelve mistakes, each a change to shipped code, that the random lives of layer B must find.

They are the mistakes that programs like this one were seen to make. None has a test of its own: a named rule of the
checker has to fail over the same seeds over which it holds for the code as it is.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import newsletter

PACKAGE = Path(newsletter.__file__).parent


class Change(NamedTuple):
    """In ``file`` the text ``old``, which stands there exactly once, becomes ``new``."""

    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    """A mistake: what it is called, and the changes that make it."""

    name: str
    changes: tuple[Change, ...]


class Stale(AssertionError):
    """The source is not what a change was written for."""


def plant(mutant: Mutant, folder: Path) -> Path:
    """A copy of the package with the mistake in it, below ``folder``, to be put on the path; raises ``Stale``."""
    copy = folder / "newsletter"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "templates"))
    for change in mutant.changes:
        path = copy / change.file
        text = path.read_text("utf-8")
        if (count := text.count(change.old)) != 1:
            message = f"{mutant.name}: newsletter/{change.file} holds this {count} times, not once:\n{change.old}"
            raise Stale(message)
        path.write_text(text.replace(change.old, change.new), "utf-8")
    return folder


_ATTEMPT, _CLAIMS, _LEDGER = "delivery/attempt.py", "delivery/claims.py", "delivery/ledger.py"
_ORPHANS, _WORK = "delivery/orphans.py", "delivery/work.py"

_SUBMIT = """\
    try:
        answer = job.provider.submit(call.payload, call.key)
"""
_INTEND = """\
            ledger.intend(connection, claim.held, at, Intent(key, payload.sha, expires, lease), failed)
"""
_RECORD = """\
        with job.database.write(durable=durable) as connection:
            return change(connection, job.tools.now())
"""
_KEY = """\
    key = claim.key or "-".join"""
_KEYLESS = """\
        else:
            ledger.doubt(connection, claim.held, at, error.reason)
"""
_ORPHAN = """\
        else:
            ledger.doubt(connection, held, now, why)
"""
_FRESH = """\
    ledger.move(connection, Held(row.id, row.fence, bool(row.doubt)), "pending", "claimed", now, **stamps)
"""
_THROUGH = """\
    through: Through | None = None,
) -> Claim | None:
"""
_FIND = """\
        while row := due.one(connection, when):
"""
_TAKE = """\
        with job.database.write() as connection:
            return _next(job, connection)
"""
_CUT = """\
        cutting.cut("""

MUTANTS = (
    Mutant(
        "mark before send",
        (
            Change(
                _ATTEMPT,
                _SUBMIT,
                f"""\
    from newsletter.providers.base import Answer

    _record(job, claim, lambda c, at: ledger.accept(c, claim.held, at, Answer()))
{_SUBMIT}""",
            ),
        ),
    ),
    Mutant(
        "mark after send",
        (
            Change(
                _ATTEMPT,
                _INTEND,
                """\
            job.database.later = (Intent(key, payload.sha, expires, lease), failed)
""",
            ),
            Change(
                _ATTEMPT,
                _RECORD,
                """\
        with job.database.write(durable=durable) as connection:
            if intent := vars(job.database).pop("later", None):
                ledger.intend(connection, claim.held, job.tools.now(), *intent)
            return change(connection, job.tools.now())
""",
            ),
        ),
    ),
    Mutant(
        "no claim lock",
        (
            Change(
                _WORK,
                _TAKE,
                """\
        tools = job.tools
        with job.database.read() as connection:
            free = claims.look(connection, job.send_id, tools.now())
        with job.database.write() as connection:
            return claims.take(connection, job.send_id, job.owner, tools.now(), tools.lease, job.through, free)
""",
            ),
            Change(
                _CLAIMS,
                _THROUGH,
                """\
    through: Through | None = None,
    free: Any = None,
) -> Claim | None:
""",
            ),
            Change(
                _CLAIMS,
                _FIND,
                """\
        if due is _DUE_FRESH and free:
            return _fresh(connection, _Due._make(free), owner, now, lease)
        while row := due.one(connection, when):
""",
            ),
            Change(
                _CLAIMS,
                _FRESH,
                """\
    state, fence = connection.execute(select(batch.c.state, batch.c.fence).where(batch.c.id == row.id)).one()
    row = row._replace(fence=fence)
    stamps["fence"] = fence = fence + 1
    ledger.move(connection, Held(row.id, row.fence, bool(row.doubt)), state, "claimed", now, **stamps)
""",
            ),
            Change(
                _CLAIMS,
                "def take(\n",
                """\
def look(connection: Connection, send_id: int, now: dt.datetime) -> Any:
    when = {"now": clock.stamp(now), "never": clock.stamp(now + 2 * LONGEST_WAIT)}
    stage = _stage(connection, send_id, None)
    return None if stage is None else _DUE_FRESH.one(connection, {"of_send": send_id, "stage": stage, **when})


def take(
""",
            ),
        ),
    ),
    Mutant("fresh key per retry", (Change(_ATTEMPT, _KEY, '    key = "-".join'),)),
    Mutant(
        "keyless retry after time-out",
        (
            Change(
                _ATTEMPT,
                _KEYLESS,
                f"""\
        elif error.reason.startswith("no answer in time"):
            ledger.put_back(connection, claim.held, at, error.reason, at + wait)
{_KEYLESS}""",
            ),
        ),
    ),
    Mutant(
        "keyless retry after 5xx",
        (
            Change(
                _ATTEMPT,
                _KEYLESS,
                f"""\
        elif error.reason.startswith("50"):
            ledger.put_back(connection, claim.held, at, error.reason, at + wait)
{_KEYLESS}""",
            ),
        ),
    ),
    Mutant(
        "retrying orphans",
        (
            Change(
                _ORPHANS,
                _ORPHAN,
                """\
        else:
            ledger.put_back(connection, held, now, why, None)
""",
            ),
        ),
    ),
    Mutant(
        "unknown reported as failed",
        (
            Change(
                _ATTEMPT,
                _KEYLESS,
                """\
        else:
            ledger.refuse(connection, claim.held, at, error.reason)
""",
            ),
        ),
    ),
    Mutant(
        "audience built in two commits",
        (
            Change(
                "delivery/start.py",
                _CUT,
                """\
    with database.write() as connection:
        cutting.cut(""",
            ),
        ),
    ),
    Mutant("no late suppression check", (Change(_CLAIMS, "    if leavers:\n", "    if leavers < 0:\n"),)),
    Mutant(
        "forgotten doubt",
        (
            Change(
                _LEDGER,
                "why, error=why, doubt=True, not_before=later, **FREE)",
                "why, error=why, not_before=later, **FREE)",
            ),
        ),
    ),
    Mutant(
        "key used past its window",
        (
            Change(
                _CLAIMS,
                "    if row.key_expires_at and _forgotten(connection, row, now + lease):\n",
                "    if row.key_expires_at and not now:\n",
            ),
            Change(
                _CLAIMS,
                "    if row.key_expires_at and _forgotten(connection, row, until):\n",
                "    if row.key_expires_at and not now:\n",
            ),
        ),
    ),
)
