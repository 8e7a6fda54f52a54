"""The click application: a lazy group, the options that work everywhere, and one place for errors."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from newsletter.cli import output, stopping
from newsletter.cli.registry import COMMANDS, main_help
from newsletter.config import Config, find_root, load
from newsletter.errors import Interrupted, NewsletterError, Unwritable
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Call(NamedTuple):
    """What every command is told: where the workspace is and how to print."""

    config_file: Path | None = None
    json: bool = False
    verbose: bool = False

    @property
    def root(self) -> Path:
        """The workspace's folder."""
        return self.config_file.parent if self.config_file else find_root(Path.cwd())

    def config(self) -> Config:
        """The configuration; ``BadConfig`` lists everything wrong with it."""
        return load(self.root, self.config_file.name if self.config_file else None)


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    @click.option(
        "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="Use this newsletter.yaml."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
    @click.option("-v", "--verbose", is_flag=True, help="Say more; show tracebacks.")
    @functools.wraps(function)
    def wrapped(*args: Any, config_file: Path | None, as_json: bool, verbose: bool, **kwargs: Any) -> Any:
        context = click.get_current_context()
        above = context.find_object(Call) or Call()
        call = above._replace(
            config_file=config_file.absolute() if config_file else above.config_file,
            json=as_json or above.json,
            verbose=verbose or above.verbose,
        )
        context.obj = call
        return function(call, *args, **kwargs)

    return wrapped


def command(name: str | None = None) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command that takes a ``Call`` first and the options that work everywhere."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        return click.command(name, context_settings=_CONTEXT)(_options(function))

    return decorate


class Group(click.Group):
    """A group of sub-commands made with ``group()``; ``group.sub()`` adds one."""

    def sub(self, name: str | None = None) -> Callable[[Callable[..., Any]], click.Command]:
        """Add a sub-command, with the options that work everywhere."""

        def decorate(function: Callable[..., Any]) -> click.Command:
            made = command(name)(function)
            self.add_command(made)
            return made

        return decorate

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the nearest."""
        if args and not args[0].startswith("-") and args[0] not in (names := self.list_commands(ctx)):
            message = f"there is no command “{args[0]}”. {suggestion(args[0], names)}"
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)


def group(name: str | None = None) -> Callable[[Callable[..., Any]], Group]:
    """Make a group of sub-commands."""

    def decorate(function: Callable[..., Any]) -> Group:
        return click.group(name, cls=Group, context_settings=_CONTEXT)(_options(function))

    return decorate


class Newsletter(Group):
    """The top: commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the work."""
        del ctx
        return [entry.name for entry in COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one command that was asked for."""
        del ctx
        for entry in COMMANDS:
            if entry.name == cmd_name:
                module, _, attribute = entry.target.partition(":")
                found = getattr(importlib.import_module(f"newsletter.cli.commands.{module}"), attribute)
                if not isinstance(found, click.Command):
                    raise TypeError(entry.target)
                return found
        return None

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The same text as the quick way in ``__main__``."""
        del ctx
        formatter.write(main_help().removesuffix("\n"))


@click.group(cls=Newsletter, context_settings=_CONTEXT)
@click.version_option(package_name="newsletter", message="newsletter %(version)s")
@_options
def app(call: Call) -> None:
    """Hold the options given before the command's name."""
    del call


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code of the contract."""
    verbose = any(a == "--verbose" or (a.startswith("-") and not a.startswith("--") and "v" in a) for a in arguments)
    _prepare_streams()
    try:
        with stopping.orderly():
            return _invoke(arguments)
    except NewsletterError as error:
        return _report(error, verbose=verbose)
    except (KeyboardInterrupt, click.Abort):
        return _report(Interrupted("Interrupted.", hint="It is safe to run the same command again."), verbose=False)
    except BrokenPipeError:
        # The reader of our output went away (`| head`); that is no fault of the command's.
        _drop_output()
        return 141  # as if SIGPIPE had ended it: 128 + 13
    except OSError as error:
        where = error.filename or "the output cannot be written"
        code = _report(Unwritable(f"{where}: {error.strerror or error}"), verbose=verbose)
        _drop_output()
        return code
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback reaches a user unasked
        hint = "This is a fault in newsletter itself. Run it again with -v and report what it prints."
        return _report(NewsletterError(f"unexpected {type(error).__name__}: {error}", hint=hint), verbose=verbose)


def _prepare_streams() -> None:
    """Make printing safe where standard output is closed, or cannot show every character."""
    if sys.stdout is None:  # `>&-`
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open as long as the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not output.shows_all(stream):
            stream.reconfigure(errors="backslashreplace")


def _drop_output() -> None:
    """Let what is still buffered go nowhere, so that the end of the process does not fail once more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _colour() -> bool | None:
    """Never with NO_COLOR (https://no-color.org), else where there is a terminal."""
    return False if os.environ.get("NO_COLOR") else None


def _invoke(arguments: Sequence[str]) -> int:
    try:
        # Not `app.main`, which ends a broken pipe with 1: that means findings here.
        with app.make_context("newsletter", list(arguments), color=_colour()) as context:
            result = app.invoke(context)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as ended:
        return ended.exit_code
    sys.stdout.flush()
    return result if isinstance(result, int) else 0


def _report(error: NewsletterError, *, verbose: bool) -> int:
    with output.unheard():  # the terminal may be gone: the exit code still says it
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {error}", err=True, color=_colour())
    if verbose:
        import traceback

        traceback.print_exc()
    return error.exit_code
