"""``newsletter providers``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import output
from newsletter.cli.app import Call, command
from newsletter.config import API_KEYS, FILE, secret
from newsletter.errors import WrongUsage
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    from newsletter.config import Account, Config
    from newsletter.providers.base import Capabilities


@command()
@click.argument("name", required=False)
def providers(call: Call, name: str | None) -> None:
    """Show what the providers can do, which one is configured, and whether its key is set.

    With NAME, everything about that one. No provider is asked, and no key is shown.

    \b
    Examples:
      newsletter providers
      newsletter providers resend
      newsletter providers --json
    """
    from newsletter.providers.registry import capabilities

    every = capabilities()
    names = [can.name for can in every]
    if name is not None and name not in names:
        message = f"there is no provider “{name}”. {suggestion(name, names)}".strip()
        raise WrongUsage(message, hint=f"There are {', '.join(names)}.")
    config = _config(call)
    chosen = [can for can in every if name in (None, can.name)]
    if call.json:
        output.emit([_data(config, can) for can in chosen])
    elif name is None:
        _show_all(config, chosen)
    else:
        _show_one(config, chosen[0])


def _config(call: Call) -> Config | None:
    """The configuration; outside of a workspace the table is of use as well."""
    return call.config() if call.config_file or (call.root / FILE).exists() else None


def _key(config: Config | None, name: str) -> bool | None:
    """Whether a provider's key is set; ``None`` where none is needed, or nobody can say."""
    if config is None or name not in API_KEYS:
        return None
    return bool(secret(config.root, API_KEYS[name]).strip())


def _account(config: Config | None, name: str) -> Account | None:
    return {"mailgun": config.mailgun, "resend": config.resend}.get(name) if config else None


def _show_all(config: Config | None, every: list[Capabilities]) -> None:
    from newsletter.providers.table import SUMMARY, summary

    rows = [(*summary(can), _said(_key(config, can.name)), _mark(config, can.name)) for can in every]
    output.table((*SUMMARY, "key", ""), rows)
    if config is None:
        output.hint("\nThere is no workspace here: newsletter init")
    elif _key(config, config.provider) is False:
        output.hint(f"\nNext: set {API_KEYS[config.provider]} in the environment or in .env")
    else:
        output.hint(f"\nMore about one: newsletter providers {config.provider}")


def _said(key: bool | None) -> str:  # noqa: FBT001 - the three words for what may be known of a key
    return {None: "–", True: "set", False: "not set"}[key]


def _mark(config: Config | None, name: str) -> str:
    return "configured" if config and config.provider == name else ""


def _show_one(config: Config | None, can: Capabilities) -> None:
    from newsletter.providers.table import facts

    mark = _mark(config, can.name)
    output.say(output.style(can.name, bold=True) + (f"  {mark}" if mark else ""))
    rows = list(facts(can))
    if account := _account(config, can.name):
        rows.append(("asked at", account.base_url + (" (this machine: a trial)" if account.local else "")))
        if account.domain:
            rows.append(("sending domain", account.domain))
    if can.name in API_KEYS:
        rows.append(("key", f"{API_KEYS[can.name]}, {_said(_key(config, can.name)).replace('–', 'not looked for')}"))
    width = max(len(what) for what, _ in rows)
    for what, how in rows:
        output.say(f"  {what:<{width}}  {how}")
    output.hint(f"\nSet-up, limits and bad answers: docs/providers/{can.name}.md")


def _data(config: Config | None, can: Capabilities) -> dict[str, Any]:
    """For ``--json``: the capabilities as they are, and what the configuration says."""
    plain: dict[str, Any] = {name: getattr(can, name) for name in can.__slots__ if name != "keyring"}
    plain["key_lifetime"] = can.key_lifetime.total_seconds() if can.key_lifetime else None
    account = _account(config, can.name)
    return plain | {
        "configured": bool(config and config.provider == can.name),
        "key_variable": API_KEYS.get(can.name),
        "key_set": _key(config, can.name),
        "base_url": account.base_url if account else None,
        "trial": account.local if account else None,
    }
