"""Fixtures for the preview: an outbox folder, a client on its site, and a real browser where there is one."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from helpers_preview import Client, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


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
