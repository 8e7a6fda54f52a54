"""What may stand in ``newsletter.yaml``: every key with its reader, its default and its help.

``KEYS`` is the single list: reading (``newsletter.config``) and ``docs/configuration.md`` both come from it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from newsletter import moments
from newsletter.headers import mailbox, unsafe
from newsletter.personal import PRIVATE
from newsletter.yamlread import suggestion

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from newsletter.model import Mailbox

Provider = Literal["outbox", "mailgun", "resend"]
PROVIDERS: tuple[Provider, ...] = ("outbox", "mailgun", "resend")


class Wrong(ValueError):
    """A value does not fit its key; the text says how, and the hint what would."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


_UNFIT = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|{PRIVATE.pattern}")


def _text(raw: str) -> str:
    if found := _UNFIT.search(raw):
        raise Wrong(f"it holds a character that no mail can hold (U+{ord(found[0]):04X})", "Delete it.")
    return raw.strip()


def _header_text(raw: str) -> str:
    if reason := unsafe(raw.strip()):
        raise Wrong(reason, "Write it on one line, as plain words.")
    return _text(raw)


def _mailbox(raw: str) -> Mailbox | None:
    if not raw.strip():
        return None
    try:
        return mailbox(_text(raw))
    except Wrong:
        raise
    except ValueError as error:
        raise Wrong(str(error), "Write: Your Name <you@example.org>") from None


def _lines(raw: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in _text(raw).splitlines() if line.strip())


def _lang(raw: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", raw.strip()):
        raise Wrong("this is not a language tag (BCP 47)", "Write: en, de, pt-BR, ar …")
    return raw.strip()


def _timezone(raw: str) -> ZoneInfo:
    if (zone := moments.zone_named(raw.strip())) is None:
        raise Wrong("this is not a time zone's name", "Write a name such as Europe/Berlin or America/New_York.")
    return zone


def _length(raw: str) -> dt.timedelta:
    try:
        return moments.wait(raw)
    except ValueError as error:
        raise Wrong(str(error), "Write 30m, 2h or 1d.") from None


def _percent(raw: str) -> str:
    """A percentage as the exact decimal number that was written."""
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%?", raw.strip())
    if found is None or float(found[1]) > 100:
        raise Wrong("this is not a percentage from 0% to 100%", "Write 5% or 0.1%; 100% never stops a send.")
    return found[1]


def _url(raw: str) -> str:
    url = raw.strip().rstrip("/")
    if url and not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?", url):
        hint = "Write: https://letters.example.org; other characters than ASCII's are written as %C3%A4."
        raise Wrong("this is not an http or https address", hint if not url.isascii() else hint.partition(";")[0])
    return url


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine by its very text; no name is looked up but ``localhost``."""
    import ipaddress
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _api(raw: str) -> str:
    """The address of a provider's API: a key goes there, so in the clear on this machine only."""
    url = _url(raw)
    if url.startswith("http://") and not is_loopback(url):
        raise Wrong("a key may not travel over http", "Write https://…; http is for this machine only.")
    return url


def _domain(raw: str) -> str:
    if raw.strip() and not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+", raw.strip()):
        raise Wrong("this is not a domain", "Write: mg.example.org")
    return raw.strip().lower()


def _rate(raw: str) -> float | None:
    if not raw.strip():
        return None
    if not re.fullmatch(r"\d{1,5}(\.\d{1,3})?", raw.strip()) or float(raw) <= 0:
        raise Wrong("this must be a number of calls a second above 0", "Write: 5")
    return float(raw)


def _choice(*names: str) -> Callable[[str], str]:
    def read_choice(raw: str) -> str:
        if raw.strip() not in names:
            raise Wrong(f"“{raw.strip()}” is not one of {', '.join(names)}", suggestion(raw, names))
        return raw.strip()

    return read_choice


def _feedback_id(raw: str) -> str:
    if raw.strip() and not re.fullmatch(r"[A-Za-z0-9_-]{5,15}", raw.strip()):
        raise Wrong("a sender id has 5 to 15 letters and digits", "Write a name that stays the same: harbourletter")
    return raw.strip()


def _address(raw: str) -> str:
    found = _mailbox(raw)
    return found.address if found else ""


def _addresses(raw: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_address(each) for each in re.split(r"[,\n]", raw) if each.strip()))


def _host(raw: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", raw.strip()):
        raise Wrong("this is not an address to listen on", "Write 127.0.0.1, or 0.0.0.0 for every one.")
    return raw.strip()


def _hosts(raw: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.split(r"[,\s]+", raw.strip()))) if raw.strip() else ()


def _folder(raw: str) -> str:
    folder = raw.strip().strip("/")
    if not folder or folder.startswith(".") or ".." in Path(folder).parts or Path(raw.strip()).is_absolute():
        raise Wrong("this is not a folder inside the workspace", "Write a plain name such as issues.")
    return folder


def _slug(raw: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", raw.strip()):
        raise Wrong("a theme is named by its folder's name", "Write: default")
    return raw.strip()


def _provider(raw: str) -> Provider:
    for name in PROVIDERS:
        if name == raw.strip():
            return name
    raise Wrong(f"unknown provider “{raw}”", suggestion(raw, PROVIDERS))


def _whole(low: int, high: int) -> Callable[[str], Any]:
    def read_whole(raw: str) -> int | None:
        if not raw.strip():  # only where the default is empty, too
            return None
        if not re.fullmatch(r"\d{1,12}", raw.strip()) or not low <= int(raw) <= high:
            raise Wrong(f"this must be a whole number from {low:,} to {high:,}")
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

    @property
    def listed(self) -> bool:
        """Whether the value may be a list."""
        return self.read in (_addresses, _hosts)


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
        "unsubscribe_email",
        _address,
        "",
        "Where people may write to leave, in the `List-Unsubscribe` header; `reply_to` or `from` when empty.",
        "leave@example.org",
    ),
    Key(
        "feedback_id",
        _feedback_id,
        "",
        "Your sender id (5–15 characters) in the `Feedback-ID` header, for Gmail's spam reports; no header when empty.",
        "harbourletter",
    ),
    Key("testers", _addresses, "", "Who gets `newsletter test` when no `--to` is given; a list.", "ada@example.org"),
    Key(
        "approval",
        _choice("optional", "required"),
        "optional",
        "Whether a real send needs `newsletter approve` first: `optional` or `required`.",
        "required",
    ),
    Key("provider", _provider, "outbox", "Who sends: `outbox` (embedded), `mailgun` or `resend`.", "outbox"),
    Key("outbox.port", _whole(1024, 65535), "8025", "The port of `newsletter outbox`.", "8025"),
    Key("mailgun.domain", _domain, "", "The sending domain at Mailgun; the sender's when empty.", "mg.example.org"),
    Key("mailgun.region", _choice("us", "eu"), "us", "Where the Mailgun domain lives: `us` or `eu`.", "eu"),
    Key(
        "mailgun.base_url",
        _api,
        "",
        "Another address of Mailgun's API; on loopback, as `newsletter outbox --listen` prints it, a send is a trial.",
        "http://127.0.0.1:8025",
    ),
    Key("mailgun.timeout", _whole(1, 120), "60", "Seconds without a byte after which a call is given up.", "60"),
    Key("mailgun.per_second", _rate, "", "Calls a second to Mailgun, at most; it publishes no limit.", "10"),
    Key(
        "resend.base_url",
        _api,
        "",
        "Another address of Resend's API; on loopback a send is a trial.",
        "http://127.0.0.1:8025",
    ),
    Key("resend.timeout", _whole(1, 120), "60", "Seconds without a byte after which a call is given up.", "60"),
    Key("resend.per_second", _rate, "", "Calls a second to Resend, at most; 5 when empty.", "2"),
    Key("serve.host", _host, "127.0.0.1", "The address `newsletter serve` listens on.", "127.0.0.1"),
    Key("serve.port", _whole(1, 65535), "8000", "The port of `newsletter serve`.", "8000"),
    Key(
        "serve.proxies",
        _hosts,
        "127.0.0.1",
        "Reverse proxies whose `X-Forwarded-For` is believed: addresses or networks.",
        "10.0.0.0/8",
    ),
    Key("public", _folder, "public", "The folder that `newsletter publish` writes.", "public"),
    Key(
        "send.batch",
        _whole(1, 1000),
        "",
        "Recipients in one batch, at most; as many as the provider takes in one call when empty.",
        "100",
    ),
    Key("send.workers", _whole(1, 64), "2", "Threads that send at the same time.", "2"),
    Key("send.late", _length, "1h", "How late a planned send may begin without a person's yes.", "30m"),
    Key("brake.refused", _percent, "5%", "Refused of those tried, above which a staged send stops.", "5%"),
    Key("brake.bounced", _percent, "3%", "Bounced of those accepted, above which a staged send stops.", "3%"),
    Key("brake.complained", _percent, "0.1%", "Complaints of those accepted, above which a staged send stops.", "0.1%"),
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
