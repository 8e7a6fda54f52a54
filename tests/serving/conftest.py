"""Fixtures for the site: one in this process, and one that really runs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from serving.helpers_site import ledger, site, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.helpers_site import Running, Site
    from support import Workspace

    from newsletter.store.database import Database


@pytest.fixture
def database(workspace: Workspace) -> Iterator[Database]:
    """The workspace's database with everybody in it; nobody waits long for a busy one."""
    opened = ledger(workspace, busy_seconds=0.05)
    yield opened
    opened.close()


@pytest.fixture
def web(workspace: Workspace, database: Database) -> Iterator[Site]:
    """The site of the workspace, without ``public_url``."""
    made = site(workspace, database)
    yield made
    made.client.close()


@pytest.fixture
def running(workspace: Workspace, database: Database) -> Iterator[Running]:
    """``newsletter serve`` as a real process on a free port."""
    assert database
    started = start(workspace)
    yield started
    started.end(signal.SIGTERM)
