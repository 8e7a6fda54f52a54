"""The entry point: help and version at once, everything else through click."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with the code of the contract."""
    arguments = sys.argv[1:]
    if arguments in ([], ["--help"], ["-h"]):
        from newsletter.cli.registry import main_help

        sys.stdout.write(main_help())
        return
    if arguments == ["--version"]:
        from newsletter import __version__

        sys.stdout.write(f"newsletter {__version__}\n")
        return
    from newsletter.cli.app import run

    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
