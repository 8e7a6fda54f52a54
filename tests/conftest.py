"""Fixtures for every room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import CONFIGURATION, SECRET, Workspace

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with a configuration, a secret and the default theme, and no issue."""
    made = Workspace(tmp_path)
    made.write("newsletter.yaml", CONFIGURATION)
    made.write(".env", f"NEWSLETTER_SECRET={SECRET}\n")
    return made
