"""Which provider a configuration gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import CONFIGURATION

from newsletter.config import API_KEYS, PROVIDERS
from newsletter.errors import BadConfig
from newsletter.providers.registry import FACTORIES, make

if TYPE_CHECKING:
    from support import Workspace


def test_the_outbox_is_the_default(workspace: Workspace) -> None:
    """Nothing leaves this machine unless the configuration says so; a batch is as the configuration cuts it."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}send:\n  batch: 7\n")
    provider = make(workspace.config())
    assert (provider.capabilities.name, provider.capabilities.real, provider.capabilities.batch_max) == (
        "outbox",
        False,
        7,
    )


def test_every_known_name_has_a_factory() -> None:
    """The registry and the configuration agree."""
    assert set(FACTORIES) == set(PROVIDERS)


@pytest.mark.parametrize("name", sorted(API_KEYS))
def test_a_real_provider_without_its_key_says_so(workspace: Workspace, name: str) -> None:
    """78 names the variable, and nothing was sent."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}provider: {name}\n")
    with pytest.raises(BadConfig, match=API_KEYS[name]) as caught:
        make(workspace.config())
    assert caught.value.exit_code == 78
