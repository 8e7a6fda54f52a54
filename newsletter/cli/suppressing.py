"""How lists of people who must never be mailed are shown, and how a provider's is asked for."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING, Any

from newsletter.cli import output
from newsletter.errors import (
    BadConfig,
    Blocked,
    NewsletterError,
    TryLater,
    Unavailable,
    Unwritable,
    WrongUsage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.audience.columns import Wishes
    from newsletter.audience.importing import Outcome
    from newsletter.audience.plan import Example, Plan
    from newsletter.audience.suppressing import Order, Pulled, Told
    from newsletter.providers.base import Provider, ProviderError, Turn

_STATUSES = ("unsubscribed", "bounced", "complained")


def check_targets(wishes: Wishes) -> None:
    """Raise ``WrongUsage`` when ``--map`` asks for more than the addresses."""
    for header, target in wishes.targets.items():
        if target != "email":
            hint = f'Only the addresses of such a list count: --map "{header}=email"'
            raise WrongUsage(f"--map {header}={target} has no meaning with --suppress", hint=hint)


# -- a file ---------------------------------------------------------------------------


def show_outcome(outcome: Outcome, order: Order) -> None:
    """The plan for people to read, what was done, and the next command."""
    plan = outcome.plan
    output.say(f"{output.style(plan.file, bold=True)}: {plan.rows:,} rows, {order.status}")
    header = next(column.header for column in plan.columns if column.role == "email")
    output.hint(f"  the addresses stand in the column “{header}”\n")
    _counts(plan)
    if outcome.applied:
        done = "They get no more mail." if plan.new or plan.changed else "All of this was known; nothing was changed."
        output.say(f"\n{output.style('Imported.', fg='green', bold=True)} {done}")
        return
    output.say(f"\n{output.style('Nothing was written.', bold=True)} This is what an import would do.")
    if order.skip or not plan.refused:
        output.hint(f"\nNext: {_next(order)}")


def _next(order: Order) -> str:
    words = ["newsletter", "subscribers", "import", str(order.path), "--suppress", order.status]
    for header, target in order.wishes.targets.items():
        words += ["--map", f"{header}={target}"]
    for header in sorted(order.wishes.ignored):
        words += ["--ignore", header]
    if order.skip:
        words += ["--skip-bad", str(order.skip)]
    return f"{shlex.join(words)} --apply"


def _counts(plan: Plan) -> None:
    _count("New", plan.new, plan.examples["new"])
    _count("Changed", plan.changed, plan.examples["changed"])
    for status in _STATUSES:
        if number := plan.suppressed.get(status, 0):
            _count(f"Known, {status}", number)
    if erased := plan.suppressed.get("erased", 0):
        _count("Erased", erased, plan.examples["erased"])
    if plan.repeated:
        _count("Repeated", plan.repeated)
    _count("Refused", plan.refused)


def _count(label: str, number: int, examples: tuple[Example, ...] = ()) -> None:
    output.say(f"  {label:<22}{number:>9,}")
    for each in examples:
        note = f"  {each.note}" if each.note else ""
        output.hint(f"      line {each.line}: {each.address}{note}")
    if examples and number > len(examples):
        output.hint(f"      and {number - len(examples):,} more")


def _numbers(plan: Plan) -> dict[str, Any]:
    known = sum(plan.suppressed.get(status, 0) for status in _STATUSES)
    return {
        "new": plan.new,
        "changed": plan.changed,
        "known": known,
        "erased": plan.suppressed.get("erased", 0),
        "repeated": plan.repeated,
    }


def outcome_json(outcome: Outcome, order: Order) -> dict[str, Any]:
    """The plan for scripts."""
    plan = outcome.plan
    return {
        "file": plan.file,
        "sha256": plan.sha256,
        "suppress": order.status,
        "applied": outcome.applied,
        "rows": plan.rows,
        **_numbers(plan),
        "refused": plan.refused,
        "refusals": [{"place": f"{plan.file}:{each.line}", "reason": each.reason} for each in plan.refusals],
        "skipped_to": str(order.skip) if outcome.applied and plan.refused else None,
    }


# -- a provider -----------------------------------------------------------------------


def told(provider: Provider, turn: Turn, *, bar: bool = True) -> Iterator[Told]:
    """What the provider tells, in plain words for the audience; its errors become ours."""
    name = provider.capabilities.name
    counting = (
        output.progress(None, f"Asking {name}", unit="people") if bar else contextlib.nullcontext(lambda _n: None)
    )
    with _translated(name), counting as advance:
        for each in provider.suppressions(turn):
            yield each.address, each.status, each.at, each.reason
            advance(1)


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    from newsletter.providers.base import ProviderError

    try:
        yield
    except ProviderError as error:
        raise _ours(name, error) from error


def _ours(name: str, error: ProviderError) -> NewsletterError:
    from newsletter.providers.base import Fault, NotSent, Refused

    message = f"{name}: {error.reason}"
    if isinstance(error, Refused):
        return Blocked(message, hint="Nothing was changed.")
    fault = getattr(error, "fault", None)
    if fault is Fault.CONFIG:
        return BadConfig(message, hint="Mend the configuration or the key; nothing was changed.")
    if fault is Fault.DISK:
        return Unwritable(message)
    hint = "Nothing was changed. Run the same command again later."
    later = fault is Fault.LATER or (isinstance(error, NotSent) and fault is None and error.retry_after is not None)
    return TryLater(message, hint=hint) if later else Unavailable(message, hint=hint)


def show_pulled(pulled: Pulled) -> None:
    """What the provider's list means for ours."""
    plan = pulled.plan
    output.say(f"{output.style(plan.file, bold=True)}: {pulled.told:,} told\n")
    for name, number in _numbers(plan).items():
        if number or name in {"new", "changed", "known"}:
            _count(name.capitalize(), number)
    if pulled.unreadable:
        _count("Unreadable", pulled.unreadable)
        for reason in pulled.examples:
            output.hint(f"      {reason}")
    if not pulled.applied:
        output.say(f"\n{output.style('Nothing was written.', bold=True)}")
        output.hint("\nNext: newsletter suppressions pull")
    elif plan.new or plan.changed:
        output.say(f"\n{output.style('Applied.', fg='green', bold=True)} They get no more mail.")
    else:
        output.say(f"\n{output.style('Known already.', bold=True)} Nothing was changed.")


def pulled_json(pulled: Pulled) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "provider": pulled.plan.file,
        "applied": pulled.applied,
        "told": pulled.told,
        **_numbers(pulled.plan),
        "unreadable": pulled.unreadable,
        "unreadable_examples": list(pulled.examples),
    }
