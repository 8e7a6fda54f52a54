"""`newsletter outbox --listen`: the options, and the site that takes mail as the real providers do."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from newsletter.cli import rehearsing
from newsletter.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    from newsletter.providers.hostile.fates import Plan

_HANG = 70.0
"""Seconds: longer than the time-out that a provider is configured with by default."""


class Listening(NamedTuple):
    """How the outbox takes mail over HTTP, if it does; ``plan`` is what goes wrong with it."""

    on: bool
    limit: int | None
    plan: Plan | None
    hang: float


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which gets them as ``listening``."""

    @click.option("--listen", "on", is_flag=True, help="Take mail as Mailgun and Resend do, over HTTP.")
    @click.option(
        "--limit",
        type=click.IntRange(0),
        metavar="N",
        help="With --listen: calls a second before 429; 0 for any number. Default: 5 for Resend, none for Mailgun.",
    )
    @click.option(
        "--hostile",
        is_flag=False,
        flag_value="some",
        metavar="[LIST]",
        help="With --listen: let calls go wrong: some, many, or faults by name between commas.",
    )
    @click.option("--seed", type=click.IntRange(0), metavar="N", help="With --hostile: draw what goes wrong from this.")
    @click.option(
        "--hang",
        type=click.FloatRange(0.1, 600),
        metavar="SECONDS",
        help=f"With --hostile: how long an answer that never comes is held back. Default: {_HANG:g}.",
    )
    @functools.wraps(function)
    def wrapped(
        *args: Any,
        on: bool,
        limit: int | None,
        hostile: str | None,
        seed: int | None,
        hang: float | None,
        **kwargs: Any,
    ) -> Any:
        for name, given in (("limit", limit), ("hostile", hostile)):
            if given is not None and not on:
                message = f"--{name} is about the calls that --listen takes"
                raise WrongUsage(message, hint=f"newsletter outbox --listen --{name} {given}")
        for name, value in (("seed", seed), ("hang", hang)):
            if value is not None and hostile is None:
                message = f"--{name} is about what goes wrong with --hostile"
                raise WrongUsage(message, hint=f"newsletter outbox --listen --hostile some --{name} {value:g}")
        plan = None if hostile is None else _plan(hostile, seed)
        return function(*args, listening=Listening(on, limit, plan, hang or _HANG), **kwargs)

    return wrapped


def _plan(hostile: str, seed: int | None) -> Plan:
    from newsletter.providers.dialects.hostile_words import SAID

    drawn = rehearsing.plan(hostile, seed)
    rehearsing.refuse_impossible(drawn, {name for said in SAID.values() for name in said}, "over HTTP")
    return drawn


def site(listening: Listening, folder: Path, pages: ASGIApp) -> ASGIApp:
    """The providers' APIs in front of the outbox's ``pages``."""
    from newsletter.providers.dialects.app import Dialects
    from newsletter.providers.dialects.desk import Desk
    from newsletter.providers.dialects.keep import Keep

    if listening.plan is None:
        return Dialects(Desk(Keep(folder), limit=listening.limit), pages)
    from newsletter.providers.dialects import hostile
    from newsletter.providers.hostile.truth import FILE, Truth

    truth = Truth(folder / FILE)
    keep = hostile.Witness(folder, truth, lambda: dt.datetime.now(dt.UTC))
    desk = hostile.HostileDesk(Desk(keep, limit=listening.limit), hostile.plans(listening.plan), truth)
    return Dialects(desk, pages, give=hostile.Giver(listening.hang))
