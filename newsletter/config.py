"""The configuration: ``newsletter.yaml`` read once into a frozen tree, all problems at once.

``KEYS`` is the single list of what may stand in the file; reading and ``docs/configuration.md``
both come from it. Secrets never stand in the file: they come from the environment or ``.env``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from newsletter.errors import BadConfig, Problem
from newsletter.files import display
from newsletter.headers import mailbox, unsafe
from newsletter.model import Mailbox, Place
from newsletter.personal import PRIVATE
from newsletter.yamlread import Entry, Mapped, Node, Scalar, read, suggestion, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FILE = "newsletter.yaml"
STATE = ".newsletter"
SECRET = "NEWSLETTER_SECRET"  # noqa: S105 - a variable's name, not its value
OUTBOX = "outbox"

Provider = Literal["outbox", "mailgun", "resend"]
PROVIDERS: tuple[Provider, ...] = ("outbox", "mailgun", "resend")


class Sending(NamedTuple):
    """How a send is cut and worked off."""

    batch: int
    workers: int


class Limits(NamedTuple):
    """Where the pre-flight draws its lines; bytes, and characters."""

    html_warning: int
    html_error: int
    image_warning: int
    subject: int


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
    provider: Provider
    outbox_port: int
    sending: Sending
    limits: Limits

    @property
    def state(self) -> Path:
        """The folder of the ledger, the outbox and the cache."""
        return self.root / STATE

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.state / "newsletter.db"

    @property
    def real(self) -> bool:
        """Whether sending would leave this machine."""
        return self.provider != OUTBOX

    @property
    def link_base(self) -> str:
        """Where personal links point: ``public_url``, or this machine's outbox page without one."""
        return self.public_url or f"http://localhost:{self.outbox_port}"

    @property
    def picture_base(self) -> str:
        """Where hosted pictures are found, with a slash at the end."""
        return f"{self.assets_url or self.link_base}/images/"


# -- what may stand in the file -------------------------------------------------------


class _Wrong(ValueError):
    """A value does not fit its key; the text says how, and the hint what would."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


_UNFIT = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|{PRIVATE.pattern}")


def _text(raw: str) -> str:
    if found := _UNFIT.search(raw):
        raise _Wrong(f"it holds a character that no mail can hold (U+{ord(found[0]):04X})", "Delete it.")
    return raw.strip()


def _header_text(raw: str) -> str:
    if reason := unsafe(raw.strip()):
        raise _Wrong(reason, "Write it on one line, as plain words.")
    return _text(raw)


def _mailbox(raw: str) -> Mailbox | None:
    if not raw.strip():
        return None
    try:
        return mailbox(_text(raw))
    except _Wrong:
        raise
    except ValueError as error:
        raise _Wrong(str(error), "Write: Your Name <you@example.org>") from None


def _lines(raw: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in _text(raw).splitlines() if line.strip())


def _lang(raw: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", raw.strip()):
        raise _Wrong("this is not a language tag (BCP 47)", "Write: en, de, pt-BR, ar …")
    return raw.strip()


_HOSTS_OWN = frozenset({"localtime", "posixrules"})
"""Names that mean another zone on every machine."""


def _timezone(raw: str) -> ZoneInfo:
    name = raw.strip()
    try:
        return ZoneInfo("" if name in _HOSTS_OWN else name)
    except (KeyError, ValueError, OSError):
        raise _Wrong(
            "this is not a time zone's name", "Write a name such as Europe/Berlin or America/New_York."
        ) from None


def _url(raw: str) -> str:
    url = raw.strip().rstrip("/")
    if url and not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?", url):
        hint = "Write: https://letters.example.org; other characters than ASCII's are written as %C3%A4."
        raise _Wrong("this is not an http or https address", hint if not url.isascii() else hint.partition(";")[0])
    return url


def _folder(raw: str) -> str:
    folder = raw.strip().strip("/")
    if not folder or folder.startswith(".") or ".." in Path(folder).parts or Path(raw.strip()).is_absolute():
        raise _Wrong("this is not a folder inside the workspace", "Write a plain name such as issues.")
    return folder


def _slug(raw: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", raw.strip()):
        raise _Wrong("a theme is named by its folder's name", "Write: default")
    return raw.strip()


def _provider(raw: str) -> Provider:
    for name in PROVIDERS:
        if name == raw.strip():
            return name
    raise _Wrong(f"unknown provider “{raw}”", suggestion(raw, PROVIDERS))


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read_whole(raw: str) -> int:
        if not re.fullmatch(r"\d{1,12}", raw.strip()) or not low <= int(raw) <= high:
            raise _Wrong(f"this must be a whole number from {low:,} to {high:,}")
        return int(raw)

    return read_whole


class Key(NamedTuple):
    """One key of the file: its dotted name, how its text is read, its default, and its help."""

    name: str
    read: Callable[[str], Any]
    default: str
    help: str
    example: str
    required: bool = False


KEYS: tuple[Key, ...] = (
    Key(
        "name",
        _header_text,
        "",
        "The newsletter's name: the wordmark at the top of each issue.",
        "The Harbour Letter",
        required=True,
    ),
    Key("from", _mailbox, "", "The sender that readers see.", "Ada Moreno <ada@example.org>", required=True),
    Key("reply_to", _mailbox, "", "Where answers go, when not to the sender.", "editors@example.org"),
    Key("lang", _lang, "en", "The language of issues that name none (BCP 47).", "en"),
    Key("timezone", _timezone, "UTC", "The time zone of dates without one; never the machine's own.", "Europe/Berlin"),
    Key("theme", _slug, "default", "The theme of issues that name none: a folder in `templates/`.", "default"),
    Key(
        "public_url",
        _url,
        "",
        "Where unsubscribe links are answered; https for real sends.",
        "https://letters.example.org",
    ),
    Key(
        "assets_url",
        _url,
        "",
        "Where published pictures are served; `public_url` when empty.",
        "https://static.example.org",
    ),
    Key(
        "postal_address",
        _lines,
        "",
        "The postal address in the footer, required by law in commercial mail (CAN-SPAM).",
        "1 Quay Street, 20457 Hamburg, Germany",
    ),
    Key(
        "reason",
        _text,
        "",
        "Why readers get this, in the footer; a standard sentence when empty.",
        "You signed up at example.org.",
    ),
    Key("issues", _folder, "issues", "The folder of the issues.", "issues"),
    Key(
        "provider",
        _provider,
        "outbox",
        "Who sends: `outbox` (embedded); `check` knows the rules of `mailgun` and `resend`, too.",
        "outbox",
    ),
    Key("outbox.port", _whole(1024, 65535), "8025", "The port of `newsletter outbox`.", "8025"),
    Key(
        "send.batch",
        _whole(1, 1000),
        "100",
        "Recipients in one batch, at most; the provider's own limit may be lower.",
        "100",
    ),
    Key("send.workers", _whole(1, 64), "2", "Threads that send at the same time.", "2"),
    Key("check.html_warning", _whole(1, 10_000_000), "80000", "Bytes of HTML above which `check` warns.", "80000"),
    Key(
        "check.html_error",
        _whole(1, 10_000_000),
        "102000",
        "Bytes of HTML above which `check` fails: Gmail clips at about 102 kB.",
        "102000",
    ),
    Key(
        "check.image_warning",
        _whole(1, 100_000_000),
        "1000000",
        "Bytes of pictures in one issue above which `check` warns.",
        "1000000",
    ),
    Key("check.subject", _whole(10, 998), "70", "Characters of subject above which `check` warns.", "70"),
)

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
        provider=values["provider"],
        outbox_port=values["outbox.port"],
        sending=Sending(values["send.batch"], values["send.workers"]),
        limits=Limits(
            values["check.html_warning"],
            values["check.html_error"],
            values["check.image_warning"],
            values["check.subject"],
        ),
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
    raw = text_of(entry.value, key.name, problems) if entry else ""
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
    except _Wrong as error:
        problems.append(Problem(_place(entry.value if entry else None, shown), f"“{key.name}”: {error}", error.hint))
        return None


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
        "links already mailed stop working when it changes |"
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
