"""The command line's own words."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import click
import pytest
from support import ROOT, Workspace

from newsletter.cli.app import app, run
from newsletter.cli.registry import COMMANDS, main_help


def test_the_quick_help_is_the_help_that_click_would_print(capsys: pytest.CaptureFixture[str]) -> None:
    """Two ways in, one text."""
    assert run(["--help"]) == 0
    assert capsys.readouterr().out.strip() == main_help().strip()


def test_help_imports_no_command_and_not_even_click() -> None:
    """Start-up is part of the interface."""
    code = "import sys; sys.argv = ['newsletter', '--help']; import newsletter.__main__ as m; m.main(); print(sorted(sys.modules), file=sys.stderr)"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert "Commands:" in done.stdout
    assert "'click'" not in done.stderr
    assert "'newsletter.config'" not in done.stderr


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_command_exists_and_has_help_with_an_example(entry: tuple[str, str, str]) -> None:
    """The registry names what is there, and each command shows how it is used."""
    name, line, target = entry
    module, _, attribute = target.partition(":")
    found = getattr(importlib.import_module(f"newsletter.cli.commands.{module}"), attribute)
    assert isinstance(found, click.Command)
    assert line.endswith(".")
    text = found.get_help(click.Context(found, info_name=name))
    assert "Example" in text or isinstance(found, click.Group)
    for option in ("--config", "--json", "--verbose"):
        assert option in text


def test_a_misspelt_command_gets_a_suggestion(workspace: Workspace) -> None:
    """Usage errors end with 2."""
    result = workspace.run("snd")
    assert result.code == 2
    assert "Did you mean “send”?" in result.err


def test_an_unknown_option_is_a_usage_error(workspace: Workspace) -> None:
    """With click's own words."""
    assert workspace.run("check", "--frobnicate").code == 2


def test_the_version_is_the_package_s(workspace: Workspace) -> None:
    """From one place."""
    assert workspace.newsletter("--version").out.startswith("newsletter 0.")


def test_the_same_options_work_before_and_after_the_command(workspace: Workspace) -> None:
    """`newsletter --json check` is `newsletter check --json`."""
    workspace.issue("Text.\n")
    assert workspace.newsletter("--json", "check").json() == workspace.newsletter("check", "--json").json()


def test_another_configuration_can_be_named(workspace: Workspace) -> None:
    """Its folder is the workspace."""
    workspace.issue("Text.\n")
    result = workspace.run("--config", str(workspace.root / "newsletter.yaml"), "check", "--json")
    assert result.code == 0, result.err


def test_every_registered_command_is_known_to_the_application() -> None:
    """No command is reachable by one way only."""
    assert app.list_commands(click.Context(app)) == [entry.name for entry in COMMANDS]
