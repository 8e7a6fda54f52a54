"""Times as people type them, where clocks go forward, back, by half an hour, and over a whole day."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter import moments
from newsletter.errors import WrongUsage

BERLIN = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 11, 27, 4, 0, tzinfo=dt.UTC)


def utc(text: str) -> str:
    """What is typed in Berlin, in UTC."""
    return moments.moment(text, BERLIN).utc


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("2026-12-01 08:00", "2026-12-01 07:00 UTC"),
        ("2026-12-01 8:00", "2026-12-01 07:00 UTC"),
        ("  2026-12-01   08:00:30 ", "2026-12-01 07:00:30 UTC"),
        ("2026-07-01 08:00", "2026-07-01 06:00 UTC"),
        ("2026-12-01 08:00 Europe/Berlin", "2026-12-01 07:00 UTC"),
        ("2026-12-01 08:00 America/New_York", "2026-12-01 13:00 UTC"),
        ("2026-12-01 08:00 Asia/Kolkata", "2026-12-01 02:30 UTC"),
        ("2026-12-01T08:00:00+01:00", "2026-12-01 07:00 UTC"),
        ("2026-12-01T08:00-0330", "2026-12-01 11:30 UTC"),
        ("2026-12-01 08:00 +05", "2026-12-01 03:00 UTC"),
        ("2026-12-01T08:00Z", "2026-12-01 08:00 UTC"),
        ("2026-07-01 08:00 UTC", "2026-07-01 08:00 UTC"),
        ("2026-12-01 08:00 CET", "2026-12-01 07:00 UTC"),
        ("2026-07-01 08:00 Europe/Berlin CEST", "2026-07-01 06:00 UTC"),
    ],
)
def test_a_time_is_read_on_the_clock_that_it_names(typed: str, at: str) -> None:
    """The configured zone's where it names none."""
    assert utc(typed) == at


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("2027-03-28 02:30", "from 2027-03-28 02:00 straight to 2027-03-28 03:00"),
        ("2027-03-28 02:00", "from 2027-03-28 02:00 straight to 2027-03-28 03:00"),
        ("2027-03-28 02:59:59", "from 2027-03-28 02:00 straight to 2027-03-28 03:00"),
        ("2027-03-14 02:30 America/New_York", "from 2027-03-14 02:00 straight to 2027-03-14 03:00"),
        ("2026-10-04 02:15 Australia/Lord_Howe", "from 2026-10-04 02:00 straight to 2026-10-04 02:30"),
        ("2011-12-30 12:00 Pacific/Apia", "from 2011-12-30 00:00 straight to 2011-12-31 00:00"),
    ],
)
def test_a_time_that_the_clock_leaves_out_is_refused_with_what_it_goes_over(typed: str, words: str) -> None:
    """An hour, half an hour, a whole day."""
    with pytest.raises(WrongUsage, match="there is no") as caught:
        moments.moment(typed, BERLIN)
    assert not isinstance(caught.value, moments.Twice)
    assert words in str(caught.value)


def test_a_time_that_is_left_out_is_said_by_the_clock_before_and_after() -> None:
    """Both are times that can be typed instead, and each is as far from the change as what was typed."""
    with pytest.raises(WrongUsage) as caught:
        moments.moment("2027-03-28 02:30", BERLIN)
    assert '"2027-03-28 03:30"' in caught.value.hint
    assert '"2027-03-28 01:30"' in caught.value.hint
    assert utc("2027-03-28 03:30") == "2027-03-28 01:30 UTC"
    assert utc("2027-03-28 01:30") == "2027-03-28 00:30 UTC"


@pytest.mark.parametrize(
    ("typed", "first", "second"),
    [
        ("2027-10-31 02:30", "2027-10-31 00:30 UTC", "2027-10-31 01:30 UTC"),
        ("2027-11-07 01:00 America/New_York", "2027-11-07 05:00 UTC", "2027-11-07 06:00 UTC"),
        ("2027-04-04 01:45 Australia/Lord_Howe", "2027-04-03 14:45 UTC", "2027-04-03 15:15 UTC"),
    ],
)
def test_a_time_that_comes_twice_names_both(typed: str, first: str, second: str) -> None:
    """In order, and each as it can be typed."""
    with pytest.raises(moments.Twice) as caught:
        moments.moment(typed, BERLIN)
    assert tuple(each.utc for each in caught.value.both) == (first, second)
    for each in caught.value.both:
        said = f"{typed[:16]} {moments.offset_text(each.at)}"
        assert f'"{said}"' in caught.value.hint
        assert moments.moment(said, BERLIN).at == each.at


@pytest.mark.parametrize(
    ("word", "at"),
    [
        ("CEST", "2027-10-31 00:30 UTC"),
        ("CET", "2027-10-31 01:30 UTC"),
        ("Europe/Berlin CEST", "2027-10-31 00:30 UTC"),
        ("Europe/Berlin +01:00", "2027-10-31 01:30 UTC"),
        ("+02:00", "2027-10-31 00:30 UTC"),
    ],
)
def test_a_short_name_or_an_offset_tells_the_two_apart(word: str, at: str) -> None:
    """So no question is left."""
    assert utc(f"2027-10-31 02:30 {word}") == at


@pytest.mark.parametrize("beside", ["01:59:59", "03:00"])
def test_the_edges_of_a_repeat_come_once(beside: str) -> None:
    """Neither the second before the hour nor its end is asked about."""
    assert utc(f"2027-10-31 {beside}")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "is not a time"),
        ("soon", "is not a time"),
        ("2026-12-01", "is not a time"),
        ("08:00", "is not a time"),
        ("2026-13-01 08:00", "month"),
        ("2027-02-29 08:00", "is not a time"),
        ("2026-12-01 24:00", "hour"),
        ("2026-12-01 08:00 +25:00", "not an offset"),
        ("2026-12-01 08:00 Europe/Berlin CET now", "too much"),
        ("0001-01-01 00:00", "is not a time"),
        ("9999-12-31 23:59 -11:00", "is not a time"),
        ("٢٠٢٦-12-01 08:00", "is not a time"),
        ("2026-12-01 08:00 Europe/Berlni", "Did you mean “Europe/Berlin”?"),
        ("2026-12-01 08:00 europe/berlin", "Did you mean “Europe/Berlin”?"),
        ("2026-12-01 08:00 Europe", "no time zone"),
        ("2026-12-01 08:00 localtime", "no time zone"),
        ("2026-12-01 08:00 ../../etc/passwd", "no time zone"),
        ("2026-07-01 08:00 CET", "is on CEST (+02:00), not on CET"),
        ("2026-12-01 08:00 EST", "“EST” is not a time of Europe/Berlin"),
        ("2026-12-01 08:00 Europe/Berlin +02:00", "is on CET (+01:00), not on +02:00"),
    ],
)
def test_what_is_no_time_is_a_usage_error(typed: str, words: str) -> None:
    """With what would be one."""
    with pytest.raises(WrongUsage) as caught:
        moments.moment(typed, BERLIN)
    assert words in str(caught.value)
    assert caught.value.hint


def test_a_short_name_that_is_also_a_zone_means_that_time_and_no_other() -> None:
    """Some old zones are called EST or CET; who writes that means the offset, in a zone that has it."""
    new_york = ZoneInfo("America/New_York")
    assert moments.moment("2026-12-01 08:00 EST", new_york).utc == "2026-12-01 13:00 UTC"
    with pytest.raises(WrongUsage):
        moments.moment("2026-07-01 08:00 EST", new_york)


def test_a_time_that_must_be_to_come_may_not_be_past() -> None:
    """The present itself may."""
    assert moments.ahead("2026-11-27 05:00", BERLIN, NOW).at == NOW
    with pytest.raises(WrongUsage, match="is past: 1 minute ago"):
        moments.ahead("2026-11-27 04:59", BERLIN, NOW)


def test_a_moment_is_said_on_its_own_clock_and_in_utc() -> None:
    """With the short name where the zone has one."""
    made = moments.moment("2026-12-01 08:00", BERLIN)
    assert (made.local, made.utc) == ("2026-12-01 08:00 CET (Europe/Berlin)", "2026-12-01 07:00 UTC")
    assert moments.moment("2026-12-01 08:00 Pacific/Apia", BERLIN).local == "2026-12-01 08:00 Pacific/Apia"
    assert moments.moment("2026-12-01 08:00 +03:30", BERLIN).local == "2026-12-01 08:00 +03:30"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (273_600, "in 3 days 4 hours"),
        (86_400, "in 1 day"),
        (90, "in 1 minute 30 seconds"),
        (3_605, "in 1 hour"),
        (1, "in 1 second"),
        (0, "now"),
        (-7_200, "2 hours ago"),
    ],
)
def test_how_far_ahead_is_said_in_two_units(seconds: int, words: str) -> None:
    """Real time, whatever the clocks do in between."""
    assert moments.until(NOW, NOW + dt.timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("30m", 1_800), ("30min", 1_800), ("1h30m", 5_400), ("1h 30m", 5_400), ("2d", 172_800), ("45s", 45), ("0", 0)],
)
def test_a_length_of_time_is_read(typed: str, seconds: int) -> None:
    """In the units of a day."""
    assert moments.wait(typed).total_seconds() == seconds


@pytest.mark.parametrize("typed", ["", "30", "m", "-5m", "1.5h", "30m1h", "soon"])
def test_what_is_no_length_of_time_is_refused(typed: str) -> None:
    """A number without a unit above all."""
    with pytest.raises(ValueError, match="length of time"):
        moments.wait(typed)


ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kolkata",
    "Africa/Casablanca",
)


@settings(deadline=None)
@given(st.datetimes(dt.datetime(2010, 1, 1), dt.datetime(2037, 1, 1)), st.sampled_from(ZONES))  # noqa: DTZ001 - in UTC
def test_every_moment_can_be_typed(naive: dt.datetime, name: str) -> None:
    """As its zone's clock shows it, with the offset; and without one it means the same, or both are named."""
    at = naive.replace(microsecond=0, tzinfo=dt.UTC)
    here = at.astimezone(ZoneInfo(name))
    typed = f"{here:%Y-%m-%d %H:%M:%S} {name}"
    assert moments.moment(f"{typed} {here.isoformat()[-6:]}", BERLIN).at == at
    try:
        found = {moments.moment(typed, BERLIN).at}
    except moments.Twice as twice:
        found = {each.at for each in twice.both}
    assert at in found
