"""The entry point: help and version at once, everything else through click."""

from __future__ import annotations

import gc
import sys

_YOUNG = 100_000
"""How many new objects the collector waits for; Python's own 700 make it walk through all that a start-up imports."""


def main() -> None:
    """Run the command line and exit with the code of the contract."""
    arguments = sys.argv[1:]
    if quick := _quick(arguments):
        try:
            sys.stdout.write(quick)
            sys.stdout.flush()
        except (OSError, AttributeError):  # full, gone or closed: below, the same ends in an error of the contract
            arguments = arguments or ["--help"]
        else:
            return
    gc.set_threshold(_YOUNG)
    from newsletter.cli.app import run

    code = run(arguments)
    gc.freeze()  # what lives now goes with the process; a last walk through it all would find nothing worth the time
    sys.exit(code)


def _quick(arguments: list[str]) -> str:
    """What can be printed without loading anything; empty when there is work to do."""
    if arguments in ([], ["--help"], ["-h"]):
        from newsletter.cli.registry import main_help

        return main_help()
    if arguments == ["--version"]:
        from newsletter import __version__

        return f"newsletter {__version__}\n"
    return ""


if __name__ == "__main__":
    main()
