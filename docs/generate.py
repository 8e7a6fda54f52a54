"""Write the documentation that comes from the code; a test fails when it is stale."""

from __future__ import annotations

from pathlib import Path

from newsletter.cli import rehearsalpage
from newsletter.config import reference
from newsletter.providers import registry, table

PAGES = {
    "configuration.md": reference,
    "providers.md": lambda: table.reference(registry.capabilities()),
    "rehearsing.md": rehearsalpage.reference,
}


def main() -> None:
    """Write every generated page."""
    for name, make in PAGES.items():
        (Path(__file__).parent / name).write_text(make(), "utf-8")


if __name__ == "__main__":
    main()
