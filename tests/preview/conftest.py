"""Fixtures for the preview: an outbox folder, a client on its site, and a real browser where there is one."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from preview.helpers_preview import PICTURE, PIXEL, Client, Running, Sample, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from support import Workspace


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """An outbox without messages; its folder does not exist yet."""
    return Sample(tmp_path / "outbox")


@pytest.fixture
def client(sample: Sample) -> Iterator[Client]:
    """A client that names the server as a browser on this machine would."""
    made = Client(sample.app())
    yield made
    made.close()


@pytest.fixture
def running(workspace: Workspace) -> Iterator[Running]:
    """``newsletter outbox`` as a real process on a free port, on an outbox with two messages and a picture."""
    messages = Sample(workspace.root / ".newsletter" / "outbox")
    messages.put("a", to="ada@example.org")
    messages.put("b", to="noor@example.org")
    messages.raw(f"images/{PICTURE}", PIXEL)
    started = start(workspace, messages)
    yield started
    started.end(signal.SIGTERM)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without one the test is skipped, or fails where everything must run (NEWSLETTER_FULL=1)."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        reason = "Chromium is not installed"
        if os.environ.get("NEWSLETTER_FULL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()
