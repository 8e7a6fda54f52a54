"""Another process holds the database: what waits for it, what gives up, and who hears of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from newsletter.delivery.desk import patiently
from newsletter.errors import Interrupted, TryLater

if TYPE_CHECKING:
    from delivery.helpers_delivery import Clock


def busy() -> None:
    """What a write says while a stopped process holds the database."""
    message = "newsletter.db: another process holds the database"
    raise TryLater(message)


def test_whoever_waits_for_the_database_says_so_and_ends_with_try_later(clock: Clock) -> None:
    """A silent wait of minutes cannot be told from a hang."""
    heard: list[str] = []
    tools = replace(clock.tools(), busy=heard.append)
    with pytest.raises(TryLater):
        patiently(tools, clock.now() + dt.timedelta(seconds=5), busy)
    assert set(heard) == {"newsletter.db: another process holds the database"}


def test_a_process_that_shall_stop_does_not_wait_for_the_database(clock: Clock) -> None:
    """The first Ctrl-C is enough where nothing has begun; it ends with 130."""
    clock.stop.set()
    began = clock.now()
    with pytest.raises(Interrupted, match="another process holds the database") as raised:
        patiently(clock.tools(), began + dt.timedelta(minutes=5), busy)
    assert raised.value.exit_code == 130
    assert clock.now() - began < dt.timedelta(seconds=1)


def test_what_has_begun_is_written_down_even_then(clock: Clock) -> None:
    """The outcome of a call that was made is worth the wait."""
    clock.stop.set()
    until = clock.now() + dt.timedelta(minutes=5)
    tries = 0

    def write() -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            busy()
        return "written"

    assert patiently(clock.tools(), until, write, finishing=True) == "written"
