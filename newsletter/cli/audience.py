"""How the audience is shown: an import's plan, people, and the options that speak of columns."""

from __future__ import annotations

import contextlib
import itertools
import json
import shlex
from typing import TYPE_CHECKING, Any

from newsletter import config
from newsletter.cli import output, wiring
from newsletter.errors import WrongUsage
from newsletter.personal import unsafe_in_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from newsletter.audience.importing import Order, Outcome
    from newsletter.audience.people import Person
    from newsletter.audience.plan import Example, Plan
    from newsletter.cli.app import Call
    from newsletter.store.database import Database

_AT_A_TIME = 500


@contextlib.contextmanager
def opened(call: Call) -> Iterator[Database]:
    """The workspace's database, made if it is not there, closed at the end of the block."""
    database = wiring.made(call.config())
    try:
        yield database
    finally:
        database.close()


def secret(call: Call) -> Callable[[], str]:
    """Where erased people are known again by; nothing is read before it is needed."""
    return lambda: config.secret(call.root)


def mapped_columns(given: Sequence[str]) -> dict[str, str]:
    """``--map`` options; a column's name may hold ``=``."""
    found = _pairs("--map COLUMN=TARGET", [(each, *each.rpartition("=")) for each in given])
    for name, target in found.items():
        if not target:
            raise WrongUsage(f"--map gives no target for “{name}”", hint=f'To pass over the column: --ignore "{name}"')
    return found


def given_fields(given: Sequence[str]) -> dict[str, str]:
    """``--field`` options; a value may hold ``=``."""
    return _pairs("--field NAME=VALUE", [(each, *each.partition("=")) for each in given])


def _pairs(form: str, cut: Sequence[tuple[str, str, str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each, left, equals, right in cut:
        name = left.strip()
        if not equals or not name:
            raise WrongUsage(f"“{each}” does not have the form {form}")
        if name in found:
            raise WrongUsage(f"“{name}” is given twice with {form.partition(' ')[0]}")
        found[name] = right.strip()
    return found


def text_option(option: str, value: str) -> str:
    """A text that is kept as evidence: not blank, on one line."""
    if not value.strip() or unsafe_in_header(value):
        raise WrongUsage(f"{option} must say something, on one line")
    return value.strip()


# -- an import's plan -----------------------------------------------------------------


def show_outcome(outcome: Outcome, order: Order, consent: str | None = None) -> None:
    """The plan for people to read, what was done, and the next command."""
    plan = outcome.plan
    output.say(f"{output.style(plan.file, bold=True)}: {_people(plan.rows, 'row')}\n")
    _columns(plan)
    _counts(plan)
    if outcome.applied:
        done = (
            "The list has them now." if plan.new or plan.changed else "The list had all of this; nothing was changed."
        )
        output.say(f"\n{output.style('Imported.', fg='green', bold=True)} {done}")
    else:
        output.say(f"\n{output.style('Nothing was written.', bold=True)} This is what an import would do.")
        if order.skip or not plan.refused:
            output.hint(f"\nNext: {_next(order, consent)}")


def _people(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _columns(plan: Plan) -> None:
    shown = [column for column in plan.columns if column.header]
    width = max(len(column.header) for column in shown)
    meaning = {"email": "the address", "status": "who may be mailed", "ignored": "passed over"}
    for column in shown:
        told = meaning.get(column.role) or (
            f"{column.name}, if yes or a date" if column.role == "flag" else column.name
        )
        arrow = output.style(f"→ {told}", dim=column.role == "ignored")
        output.say(f"  {column.header:<{width}}  {arrow}")
    output.say()


def _counts(plan: Plan) -> None:
    examples = plan.examples
    _count("New", plan.new, examples["new"], fg="green")
    _count("Changed", plan.changed, examples["changed"], fg="cyan")
    _count("Unchanged", plan.unchanged, ())
    for status, number in plan.suppressed.items():
        _count(f"Left {status}", number, examples[status], fg="yellow")
    _count("Repeated", plan.repeated, examples["repeated"], fg="yellow")
    _count("Refused", plan.refused, (), fg="red")
    if plan.not_mailed:
        listed = " and ".join(f"{number:,} {status}" for status, number in plan.not_mailed.items())
        output.say(f"\n  Of the new and changed, {listed} will get no mail.")


def _count(label: str, number: int, examples: Sequence[Example], **style: Any) -> None:
    counted = output.style(f"{number:>9,}", **(style if number else {"dim": True}))
    output.say(f"  {label:<18}{counted}")
    for each in examples:
        note = f"  {each.note}" if each.note else ""
        output.hint(f"      line {each.line}: {each.address}{note}")
    if examples and number > len(examples):
        output.hint(f"      and {number - len(examples):,} more")


def _next(order: Order, consent: str | None) -> str:
    words = ["newsletter", "subscribers", "import", str(order.path)]
    for header, target in order.wishes.targets.items():
        words += ["--map", f"{header}={target}"]
    for header in sorted(order.wishes.ignored):
        words += ["--ignore", header]
    if order.skip:
        words += ["--skip-bad", str(order.skip)]
    given = shlex.quote(consent) if consent else '"where these people agreed"'
    return f"{shlex.join(words)} --apply --consent-source {given}"


def outcome_json(outcome: Outcome, order: Order) -> dict[str, Any]:
    """The plan for scripts."""
    plan = outcome.plan
    return {
        "file": plan.file,
        "sha256": plan.sha256,
        "applied": outcome.applied,
        "consent_source": order.consent,
        "columns": {column.header: column.target for column in plan.columns if column.header},
        "rows": plan.rows,
        "accepted": plan.accepted,
        "new": plan.new,
        "changed": plan.changed,
        "unchanged": plan.unchanged,
        "suppressed": dict(plan.suppressed),
        "not_mailed": dict(plan.not_mailed),
        "repeated": plan.repeated,
        "refused": plan.refused,
        "refusals": [{"place": f"{plan.file}:{each.line}", "reason": each.reason} for each in plan.refusals],
        "skipped_to": str(order.skip) if outcome.applied and plan.refused else None,
        "examples": {
            kind: [{"line": each.line, "address": each.address, "note": each.note} for each in listed]
            for kind, listed in plan.examples.items()
        },
    }


# -- people ---------------------------------------------------------------------------


def person_json(person: Person) -> dict[str, Any]:
    """One person for scripts."""
    return {
        "address": person.address,
        "status": person.status,
        "status_at": person.status_at,
        "status_reason": person.status_reason,
        "consent_source": person.consent_source,
        "consent_at": person.consent_at,
        "created_at": person.created_at,
        "fields": dict(person.fields),
    }


def people_json(people: Iterable[Person], total: int, more: dict[str, Any] | None = None) -> Iterator[str]:
    """JSON of any number of people, one to a line, after the numbers."""
    numbers = {"total": total} | (more or {})
    yield json.dumps(numbers, indent=2).removesuffix("\n}") + ',\n  "people": ['
    comma = ""
    for person in people:
        yield f"{comma}\n    {json.dumps(person_json(person), ensure_ascii=False)}"
        comma = ","
    yield "\n  ]\n}\n" if comma else "]\n}\n"


def show_people(people: Iterable[Person]) -> None:
    """A line for each person, with their values."""
    rows = ((p.address, p.status, p.status_at[:10], _fields(p)) for p in people)
    _show(rows, ("Address", "Status", "Since", "Fields"))


def show_suppressed(people: Iterable[Person]) -> None:
    """A line for each person, with the reason why they get no mail."""
    rows = ((p.address, p.status, p.status_at[:10], p.status_reason) for p in people)
    _show(rows, ("Address", "Status", "Since", "Why"))


def _show(rows: Iterator[tuple[str, str, str, str]], head: tuple[str, str, str, str]) -> None:
    """A table of any length; the first block of rows sets the widths."""
    block = list(itertools.islice(rows, _AT_A_TIME))
    widths = [max(len(row[i]) for row in (head, *block)) for i in range(3)]
    output.say(output.style(_line(head, widths), bold=True))
    for row in itertools.chain(block, rows):
        output.say(_line(row, widths))


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()


def _fields(person: Person) -> str:
    return ", ".join(f"{name}={' '.join(value.split())}" for name, value in person.fields.items())
