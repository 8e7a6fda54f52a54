"""What an import would do, as a value: the counts, some examples, and every refusal's first lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from newsletter.audience.erased import VERDICT
from newsletter.audience.staging import CHANGED, UNCHANGED, incoming, is_new, known, refused, stage
from newsletter.errors import BadInput, Problem
from newsletter.model import Place
from newsletter.store.mentions import ERASED
from newsletter.store.tables import STATUSES, person

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Select, Table

    from newsletter.audience.columns import Column

EXAMPLES = 3
LISTED = 1_000
"""How many refused rows a plan names."""

_TOLD = 20


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a kind: where, who, and what of it."""

    line: int
    address: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row that cannot be taken."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import means for the list: ``rows`` = ``accepted`` + ``refused`` + ``repeated``."""

    file: str
    sha256: str
    columns: tuple[Column, ...]
    rows: int
    new: int
    changed: int
    unchanged: int
    repeated: int
    refused: int
    suppressed: Mapping[str, int]
    """People left as they are, by the status that keeps mail from them; ``erased`` is no status but does too."""
    not_mailed: Mapping[str, int]
    """People new or changed who will not be mailed, by the status that the file gives them."""
    examples: Mapping[str, tuple[Example, ...]]
    """The first few by ``new``, ``changed``, ``repeated`` and each status in ``suppressed``."""
    refusals: tuple[Refusal, ...]

    @property
    def accepted(self) -> int:
        """Rows that say something of a person, be it known already."""
        return self.new + self.changed + self.unchanged + sum(self.suppressed.values())

    def refusal_error(self) -> BadInput:
        """The refused rows with their places; the last one says how to go on."""
        problems = [Problem(Place(self.file, each.line), each.reason) for each in self.refusals[:_TOLD]]
        more = self.refused - len(problems)
        hint = "Nothing was imported. Mend these rows, or leave them out with --skip-bad FILE."
        if more:
            hint = f"… and {more:,} more. {hint}"
        last = problems[-1]
        return BadInput([*problems[:-1], Problem(last.place, last.message, hint)])


def read_plan(connection: Connection, *, file: str, sha256: str, columns: tuple[Column, ...]) -> Plan:
    """The plan of what is staged and judged."""
    staged = _count(connection, stage)
    once = _count(connection, incoming)
    bad = _count(connection, refused)
    there = _count(connection, known)
    by_verdict = select(known.c.verdict, func.count()).group_by(known.c.verdict)
    verdicts = {str(verdict): int(count) for verdict, count in connection.execute(by_verdict)}
    listed = select(refused.c.line, refused.c.reason).order_by(refused.c.line).limit(LISTED)
    return Plan(
        file=file,
        sha256=sha256,
        columns=columns,
        rows=staged + bad,
        new=once - there,
        changed=verdicts.get(CHANGED, 0),
        unchanged=verdicts.get(UNCHANGED, 0),
        repeated=staged - once,
        refused=bad,
        suppressed={status: verdicts[status] for status in (*STATUSES, VERDICT) if status in verdicts},
        not_mailed=_not_mailed(connection),
        examples=_examples(connection, repeated=staged > once),
        refusals=tuple(Refusal(*row) for row in connection.execute(listed)),
    )


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _not_mailed(connection: Connection) -> dict[str, int]:
    counts = dict.fromkeys(STATUSES, 0)
    new = select(incoming.c.rank, func.count()).where(incoming.c.rank > 0, is_new()).group_by(incoming.c.rank)
    for rank, count in connection.execute(new):
        counts[STATUSES[rank]] += count
    lowered = select(known.c.status, func.count()).where(known.c.status.is_not(None)).group_by(known.c.status)
    for status, count in connection.execute(lowered):
        counts[status] += count
    return {status: count for status, count in counts.items() if count}


_WHO = (incoming.c.line, func.coalesce(incoming.c.address, incoming.c.key))


def _examples(connection: Connection, *, repeated: bool) -> dict[str, tuple[Example, ...]]:
    new = select(*_WHO).where(is_new()).order_by(incoming.c.line).limit(EXAMPLES)
    return {
        "new": tuple(Example(*row) for row in connection.execute(new)),
        "changed": _changes(connection),
        "repeated": _repeats(connection) if repeated else (),
        **{status: _suppressed(connection, status) for status in STATUSES[1:]},
        VERDICT: _erased(connection),
    }


def _known(verdict: str, *more: Any) -> Select[Any]:
    found = (
        select(*_WHO, *more).join(known, known.c.incoming == incoming.c.id).join(person, person.c.id == known.c.person)
    )
    return found.where(known.c.verdict == verdict).order_by(incoming.c.line).limit(EXAMPLES)


def _suppressed(connection: Connection, status: str) -> tuple[Example, ...]:
    rows = connection.execute(_known(status, person.c.status_at, person.c.status_reason))
    return tuple(
        Example(line, address, f"{status} since {at[:10]}" + (f": {reason}" if reason else ""))
        for line, address, at, reason in rows
    )


def _erased(connection: Connection) -> tuple[Example, ...]:
    """Lines only: an erased address is shown nowhere, so that no log has it."""
    lines = select(incoming.c.line).join(known, known.c.incoming == incoming.c.id).where(known.c.verdict == VERDICT)
    found = connection.execute(lines.order_by(incoming.c.line).limit(EXAMPLES)).scalars()
    return tuple(Example(line, ERASED, "take them off this list") for line in found)


def _changes(connection: Connection) -> tuple[Example, ...]:
    rows = connection.execute(_known(CHANGED, person.c.fields, known.c.fields, person.c.status, known.c.status))
    return tuple(
        Example(line, address, "; ".join(_differences(old, new or old, status, lowered or status)))
        for line, address, old, new, status, lowered in rows
    )


def _differences(old: str, new: str, status: str, lowered: str) -> Iterator[str]:
    before, after = json.loads(old), json.loads(new)
    if status != lowered:
        yield f"{status} → {lowered}"
    for name in sorted(before.keys() | after.keys()):
        was, is_ = before.get(name, ""), after.get(name, "")
        if was != is_:
            yield f"{name}: {was or 'nothing'} → {is_ or 'nothing'}"


def _repeats(connection: Connection) -> tuple[Example, ...]:
    firsts = select(incoming.c.key, *_WHO).where(incoming.c.times > 1).order_by(incoming.c.line).limit(EXAMPLES)
    found = list(connection.execute(firsts))
    again = select(stage.c.key, stage.c.line).where(stage.c.key.in_([row[0] for row in found])).order_by(stage.c.line)
    lines: dict[str, list[int]] = {}
    for key, line in connection.execute(again):
        lines.setdefault(key, []).append(line)
    return tuple(Example(line, address, _again(lines[key][1:])) for key, line, address in found)


def _again(lines: list[int]) -> str:
    listed = ", ".join(map(str, lines[:EXAMPLES]))
    return f"again on line {listed}" + (" and more" if len(lines) > EXAMPLES else "")
