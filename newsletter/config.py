"""The configuration: ``newsletter.yaml`` read once into a frozen tree, all problems at once.

What may stand in the file is listed in ``newsletter.keys``. Secrets never stand in it: they come from the
environment or ``.env``.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from newsletter.errors import BadConfig, Problem
from newsletter.files import display
from newsletter.keys import KEYS, PROVIDERS, Key, Provider, Wrong, is_loopback
from newsletter.model import Mailbox, Place
from newsletter.yamlread import Entry, Mapped, Node, Scalar, read, suggestion, text_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from zoneinfo import ZoneInfo

__all__ = ["API_KEYS", "FILE", "KEYS", "OUTBOX", "PROVIDERS", "SECRET", "STATE", "Config", "Provider"]

FILE = "newsletter.yaml"
STATE = ".newsletter"
SECRET = "NEWSLETTER_SECRET"  # noqa: S105 - a variable's name, not its value
OUTBOX = "outbox"
API_KEYS = {"mailgun": "MAILGUN_API_KEY", "resend": "RESEND_API_KEY"}
"""The variable that holds each provider's key, in the environment or in ``.env``."""


class Sending(NamedTuple):
    """How a send is cut and worked off; without a ``batch`` as many go into a call as the provider takes.

    ``late`` is how late a planned one may begin without a person's yes.
    """

    batch: int | None
    workers: int
    late: dt.timedelta = dt.timedelta(hours=1)


class Brakes(NamedTuple):
    """Percentages, as exact decimal numbers, above which a staged send stops between two stages."""

    refused: str = "5"
    bounced: str = "3"
    complained: str = "0.1"


class Account(NamedTuple):
    """How a real provider is reached; its key is a secret and stands elsewhere.

    ``timeout`` is seconds without a byte; ``per_second`` is calls a second, ``None`` for the provider's own limit.
    """

    base_url: str
    timeout: int
    per_second: float | None
    domain: str = ""

    @property
    def local(self) -> bool:
        """Whether calls stay on this machine."""
        return is_loopback(self.base_url)


class Serving(NamedTuple):
    """Where `newsletter serve` listens, and whose word on the caller's address it takes."""

    host: str
    port: int
    proxies: tuple[str, ...]


class Limits(NamedTuple):
    """Where the pre-flight draws its lines; bytes, and characters."""

    html_warning: int
    html_error: int
    image_warning: int
    subject: int


_BRAKES = Brakes()


@dataclass(frozen=True, slots=True)
class Config:
    """One workspace's configuration."""

    root: Path
    name: str
    sender: Mailbox
    reply_to: Mailbox | None
    lang: str
    timezone: ZoneInfo
    theme: str
    public_url: str
    assets_url: str
    postal_address: tuple[str, ...]
    reason: str
    issues: str
    unsubscribe_email: str
    """Where `List-Unsubscribe` lets people write to; an address."""
    feedback_id: str
    testers: tuple[str, ...]
    provider: Provider
    outbox_port: int
    mailgun: Account
    resend: Account
    serving: Serving
    public: str
    sending: Sending
    limits: Limits
    approval: bool = False
    """Whether a real send needs an approval."""
    brakes: Brakes = _BRAKES

    @property
    def state(self) -> Path:
        """The folder of the ledger, the outbox and the cache."""
        return self.root / STATE

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.state / "newsletter.db"

    @property
    def account(self) -> Account | None:
        """How the configured provider is reached; ``None`` for the embedded outbox."""
        return {"mailgun": self.mailgun, "resend": self.resend}.get(self.provider)

    @property
    def real(self) -> bool:
        """Whether a real provider's rules hold, be its address on this machine or not."""
        return self.provider != OUTBOX

    @property
    def trial(self) -> bool:
        """Whether nothing leaves this machine: the embedded outbox, or an address on loopback."""
        account = self.account
        return account is None or account.local

    @property
    def link_base(self) -> str:
        """Where personal links point: ``public_url``, or this machine's outbox page without one."""
        return self.public_url or f"http://localhost:{self.outbox_port}"

    @property
    def picture_base(self) -> str:
        """Where hosted pictures are found, with a slash at the end."""
        return f"{self.assets_url or self.link_base}/images/"


_MAILGUN = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
_RESEND = "https://api.resend.com"

_SECRETS = re.compile(r"secret|key|token|password", re.IGNORECASE)


def load(root: Path, name: str | None = None) -> Config:
    """Read ``newsletter.yaml`` (or the file ``name``) of the workspace at ``root``.

    Raises ``BadConfig`` with every problem and its place.
    """
    path = root / (name or FILE)
    shown = display(path)
    problems: list[Problem] = []
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        message = f"{shown}: there is no configuration here"
        raise BadConfig(message, hint="Make a workspace with `newsletter init`, or name one with --config.") from None
    except UnicodeDecodeError as error:
        head = error.object[: error.start].decode("utf-8", "replace")
        place = Place(shown, head.count("\n") + 1, len(head) - head.rfind("\n"))
        message = f"this is not UTF-8 (byte 0x{error.object[error.start]:02X})"
        raise BadConfig([Problem(place, message, "Save the file as UTF-8.")]) from None
    except OSError as error:
        message = f"{shown}: cannot be read: {error.strerror or error}"
        raise BadConfig(message, hint="Name the newsletter.yaml of a workspace.") from error
    node = read(text, shown, problems)
    if node is not None and not isinstance(node, Mapped):
        problems.append(Problem(node.place, "the file must be a list of “key: value” lines"))
    complete = isinstance(node, Mapped) or (node is None and not problems)
    entries = dict(_flat(node, problems)) if isinstance(node, Mapped) else {}
    values = {key.name: _value(key, entries, shown, problems, complete=complete) for key in KEYS}
    if problems:
        raise BadConfig(problems)
    return Config(
        root=root.resolve(),
        name=values["name"],
        sender=values["from"],
        reply_to=values["reply_to"],
        lang=values["lang"],
        timezone=values["timezone"],
        theme=values["theme"],
        public_url=values["public_url"],
        assets_url=values["assets_url"],
        postal_address=values["postal_address"],
        reason=values["reason"],
        issues=values["issues"],
        unsubscribe_email=values["unsubscribe_email"] or (values["reply_to"] or values["from"]).address,
        feedback_id=values["feedback_id"],
        testers=values["testers"],
        provider=values["provider"],
        outbox_port=values["outbox.port"],
        mailgun=Account(
            values["mailgun.base_url"] or _MAILGUN[values["mailgun.region"]],
            values["mailgun.timeout"],
            values["mailgun.per_second"],
            values["mailgun.domain"] or values["from"].domain,
        ),
        resend=Account(values["resend.base_url"] or _RESEND, values["resend.timeout"], values["resend.per_second"]),
        serving=Serving(values["serve.host"], values["serve.port"], values["serve.proxies"]),
        public=values["public"],
        sending=Sending(values["send.batch"], values["send.workers"], values["send.late"]),
        limits=Limits(
            values["check.html_warning"],
            values["check.html_error"],
            values["check.image_warning"],
            values["check.subject"],
        ),
        approval=values["approval"] == "required",
        brakes=Brakes(values["brake.refused"], values["brake.bounced"], values["brake.complained"]),
    )


def _flat(node: Mapped, problems: list[Problem], prefix: str = "") -> Iterator[tuple[str, Entry]]:
    """The entries by dotted name; unknown keys become problems."""
    names = tuple(key.name for key in KEYS)
    here = tuple(dict.fromkeys(name[len(prefix) :].partition(".")[0] for name in names if name.startswith(prefix)))
    for entry in node.entries:
        name = f"{prefix}{entry.key.text}"
        if name in names and "." not in entry.key.text:
            yield name, entry
        elif name in names:
            section, _, key = name.partition(".")
            problems.append(
                Problem(entry.key.place, f"“{name}” is a nested key", f"Write “{section}:”, and below it “  {key}: …”.")
            )
        elif entry.key.text in here and isinstance(entry.value, Mapped):
            yield from _flat(entry.value, problems, f"{name}.")
        elif entry.key.text in here:
            problems.append(
                Problem(
                    entry.value.place,
                    f"“{name}” takes further keys, not a single value",
                    f"For example: {name}: {{{_first(name)}}}",
                )
            )
        else:
            hint = suggestion(entry.key.text, here)
            if _SECRETS.search(entry.key.text):
                hint = "Secrets do not belong in this file: set them in the environment or in .env."
            problems.append(Problem(entry.key.place, f"unknown key “{name}”", hint))


def _first(section: str) -> str:
    key = next(key for key in KEYS if key.name.startswith(f"{section}."))
    return f"{key.name.partition('.')[2]}: {key.example}"


def _value(key: Key, entries: Mapping[str, Entry], shown: str, problems: list[Problem], *, complete: bool) -> Any:
    entry = entries.get(key.name)
    raw = _raw(entry.value, key, problems) if entry else ""
    if key.required and not raw.strip():
        if complete and (entry is None or isinstance(entry.value, Scalar)):
            problems.append(
                Problem(
                    _place(entry.value if entry else None, shown),
                    f"“{key.name}” is missing",
                    f"Write: {key.name}: {key.example}",
                )
            )
        return None
    try:
        return key.read(raw if raw.strip() else key.default)
    except Wrong as error:
        problems.append(Problem(_place(entry.value if entry else None, shown), f"“{key.name}”: {error}", error.hint))
        return None


def _raw(node: Node, key: Key, problems: list[Problem]) -> str:
    """The text of a value; a list's items stand on a line each."""
    if key.listed:
        return "\n".join(texts_of(node, key.name, problems))
    return text_of(node, key.name, problems)


def _place(node: Node | None, shown: str) -> Place:
    return node.place if node else Place(shown)


# -- the workspace --------------------------------------------------------------------


def find_root(start: Path) -> Path:
    """The nearest folder at or above ``start`` that holds ``newsletter.yaml``, else ``start``."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    return start


def secret(root: Path, name: str = SECRET) -> str:
    """A secret from the environment, else from ``.env``; empty when it is set in neither.

    Raises ``BadConfig`` when the link secret is too short to protect anything.
    """
    value = os.environ.get(name, "")
    if not value and (root / ".env").is_file():
        from dotenv import dotenv_values

        try:
            value = dotenv_values(root / ".env", interpolate=False).get(name) or ""
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "this is not UTF-8"
            message = f"{display(root / '.env')}: cannot be read: {reason}"
            raise BadConfig(message, hint="Mend the file or its permissions; .env.example shows its form.") from None
    shortest = 16
    if name == SECRET and value and len(value) < shortest:
        message = f"{SECRET} is shorter than {shortest} characters"
        raise BadConfig(message, hint='Make one with: python3 -c "import secrets; print(secrets.token_urlsafe(32))"')
    return value


# -- the reference page ---------------------------------------------------------------


def _row(key: Key) -> str:
    required = " **Required.**" if key.required else ""
    default = f"`{key.default}`" if key.default else "–"
    return f"| `{key.name}` | {key.help}{required} | {default} | `{key.example}` |"


def reference() -> str:
    """``docs/configuration.md``, from ``KEYS``."""
    rows = "\n".join(_row(key) for key in KEYS)
    variable = (
        f"| `{SECRET}` | signs the unsubscribe and view-in-browser links, at least 16 characters; "
        "links already mailed stop working when it changes |\n"
        + "\n".join(f"| `{name}` | the API key of {provider.title()} |" for provider, name in API_KEYS.items())
    )
    return f"""# Configuration

<!-- Generated from newsletter/config.py by `make docs`; edit it there. -->

One file, `newsletter.yaml`, at the root of the workspace. It is read once; every problem is
reported at once with its place, and an unknown key is an error with a suggestion. A dotted name
is a nested key: `send.workers` is written

```yaml
send:
  workers: 2
```

| key | what it is | default | example |
|---|---|---|---|
{rows}

## Secrets

Secrets stand in the environment or in `.env` beside `newsletter.yaml` (the environment wins), never in
the file itself. `newsletter init` makes `.env` with a fresh secret and keeps it out of git.

| variable | what it is |
|---|---|
{variable}

## The workspace

`newsletter` looks for `newsletter.yaml` in the working folder and upwards; `--config FILE` names another.
State lies in `{STATE}/` (mode 0700, ignored by git): the ledger, the outbox and the cache. Built files lie in `build/`.
"""
