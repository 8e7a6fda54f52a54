"""What came of a rehearsal: as data, and in words."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from newsletter.cli import output
from newsletter.files import display

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from newsletter.delivery.rehearsal import Played, Row
    from newsletter.providers.base import Capabilities
    from newsletter.providers.hostile.fates import Plan
    from newsletter.providers.hostile.provider import Prepares

_ROWS = 12
"""Batches that a person is shown, those first at which something happened; all of them stand in --json."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Cast:
    """What a rehearsal is to be: like whom, with what going wrong, and how often the process dies.

    ``can`` and ``prepares`` are the provider's that it is like.
    """

    like: str
    faults: str
    plan: Plan
    kills: int
    can: Capabilities
    prepares: Prepares

    def line(self, slug: str) -> str:
        """The command that replays it."""
        with_faults = f"--seed {self.plan.seed} --faults {shlex.quote(self.faults)} --kills {self.kills}"
        return f"newsletter rehearse {slug} --like {self.like} {with_faults}"


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it."""

    cast: Cast
    played: Played
    calls: int
    again: int
    mishaps: dict[str, int]
    duplicates: int
    kept: Path | None

    @property
    def lost(self) -> int:
        """People who are called accepted and got nothing."""
        return sum(each.invariant == "accepted is true" for each in self.played.violations)

    @property
    def at_rate(self) -> float | None:
        """Seconds that the calls take as fast as the provider allows."""
        return self.calls / self.cast.can.per_second if self.cast.can.per_second else None

    def data(self) -> dict[str, Any]:
        """For ``--json``."""
        played, status = self.played, self.played.status
        about = status.data()
        return {
            **{key: about[key] for key in ("issue", "slug", "provider", "state", "recipients", "people", "batches")},
            "seed": self.cast.plan.seed,
            "faults": self.cast.faults,
            "replay": self.cast.line(status.send.slug),
            "calls": self.calls,
            "retries": self.again,
            "mishaps": self.mishaps,
            "runs": played.runs,
            "deaths": played.deaths,
            "unsubscribed": len(played.left),
            "duplicates": self.duplicates,
            "lost": self.lost,
            "in_doubt": [{"reason": reason, "people": count} for reason, count in played.doubts],
            "seconds": round(played.seconds, 1),
            "seconds_at_rate": None if self.at_rate is None else round(self.at_rate, 1),
            "violations": [each._asdict() for each in played.violations],
            "ledger": [row._asdict() for row in played.batches],
            "kept": str(self.kept) if self.kept else None,
        }


def tell(report: Report) -> None:
    """What came of it, for a person."""
    from newsletter.cli import telling
    from newsletter.delivery import checker

    played, status = report.played, report.played.status
    output.say(f"{output.style(status.send.slug, bold=True)}  rehearsed like {report.cast.like}")
    for outcome, count in status.people.items():
        if count:
            output.say(f"  {outcome.replace('_', ' '):<12}{count:>10,}")
        if outcome == "in_doubt":
            for reason, part in played.doubts[:_SHOWN]:
                output.say(f"  {'':<22}  {part:,}: {reason}")
            if others := sum(part for _, part in played.doubts[_SHOWN:]):
                output.say(f"  {'':<22}  {others:,}: other reasons (--json has all)")
    output.say(f"  {'duplicates':<12}{report.duplicates:>10,}")
    output.say(f"  {'lost':<12}{report.lost:>10,}")
    output.say(f"  calls       {report.calls:>10,}  {report.again:,} of them made again")
    for name, count in report.mishaps.items():
        output.say(f"  went wrong  {count:>10,}  {name}")
    output.say(f"  runs        {played.runs:>10,}  {played.deaths:,} of them killed")
    if played.left:
        output.say(f"  left        {len(played.left):>10,}  unsubscribed in the middle")
    rate = f"; {telling.duration(report.at_rate)} at the provider's rate" if report.at_rate is not None else ""
    output.say(f"  time        {telling.duration(played.seconds):>10}  by its own clock, waits included{rate}")
    output.say()
    _ledger(played.batches)
    output.say()
    for each in played.violations[:_SHOWN]:
        output.say(f"{output.style('BROKEN', fg='red', bold=True)}  {each}")
    if not played.violations:
        output.say(f"The ledger agrees with what was accepted: all {len(checker.INVARIANTS)} rules hold.")
    if report.kept:
        output.say(f"Kept: {display(report.kept)}. It holds people's addresses: remove it when you have seen enough.")
    output.hint(f"To see it again:\n  {report.cast.line(status.send.slug)}")


def _ledger(batches: Sequence[Row]) -> None:
    """The batches with a story; the first ones where none has any."""
    rows = [row for row in batches if row.attempts != 1 or row.state != "accepted"] or batches
    output.table(("batch", "people", "state", "attempts", "error"), [_row(row) for row in rows[:_ROWS]])
    if left := len(batches) - len(rows[:_ROWS]):
        smooth = sum(row.attempts == 1 and row.state == "accepted" for row in batches)
        output.hint(f"… and {left:,} more; {smooth:,} of all were accepted at once. --json lists them all")


def _row(row: Row) -> tuple[object, ...]:
    return row.seq + 1, row.people, row.state.replace("_", " "), row.attempts, row.error
