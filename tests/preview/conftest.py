"""Fixtures for the preview: an outbox folder, a client on its site, and a real browser where there is one."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from preview.helpers_preview import PICTURE, PIXEL, Client, Running, Sample, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
