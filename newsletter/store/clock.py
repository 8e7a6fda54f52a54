"""Stored time: UTC as text of one fixed width, so that text order is time order."""

from __future__ import annotations

import datetime as dt


def stamp(moment: dt.datetime) -> str:
    """``2026-11-23T08:00:00.000000Z``."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> dt.datetime:
    """The aware moment that ``stamp`` wrote."""
    return dt.datetime.fromisoformat(text)


def utcnow() -> dt.datetime:
    """The wall clock, in UTC; injected wherever time matters."""
    return dt.datetime.now(dt.UTC)
