"""Fixtures for every room."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from support import CONFIGURATION, SECRET, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with a configuration, a secret and the default theme, and no issue."""
    made = Workspace(tmp_path)
    made.write("newsletter.yaml", CONFIGURATION)
    made.write(".env", f"NEWSLETTER_SECRET={SECRET}\n")
    return made


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
