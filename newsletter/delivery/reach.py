"""Whether what readers will ask for is there: the unsubscribe page of this very ledger, and every picture."""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Protocol

from newsletter.errors import BadConfig, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from newsletter.links import Links
    from newsletter.model import Picture

PROOF = "/.well-known/newsletter"
"""Where `newsletter serve` proves which ledger and secret it has."""


class Fetch(Protocol):
    """Gets what stands at an address; ``straight`` when no redirect may lead there."""

    def __call__(self, url: str, *, straight: bool = False) -> bytes:
        """The whole body, or an error."""


def missing(
    *,
    links: Links,
    instance: str,
    picture_base: str,
    pictures: Sequence[Picture],
    fetch: Fetch,
    unreachable: type[Exception],
    advance: Callable[[int], object] = lambda _n: None,
) -> Iterator[tuple[Problem, bool]]:
    """Everything that readers would not find, and whether it is merely not there.

    ``False`` goes with what is there and wrong: another ledger's page, another picture. ``fetch`` raises
    ``unreachable`` when it gets nothing.
    """
    yield from _page(links, instance, fetch, unreachable)
    advance(1)
    absent: dict[str, list[str]] = {}
    for picture in pictures:
        url = f"{picture_base}{picture.name}"
        try:
            same = fetch(url) == picture.data
        except unreachable as error:
            absent.setdefault(str(error), []).append(url)
        else:
            if not same:
                hint = "Publish it once more; a proxy that recompresses pictures must leave these alone."
                yield Problem(None, f"another picture than this issue's stands at {url}", hint), False
        advance(1)
    hint = "Run `newsletter publish` and bring its folder to where assets_url, or public_url, is served."
    for reason, urls in absent.items():
        what = "a picture of this issue is" if len(urls) == 1 else f"{len(urls)} pictures of this issue are"
        first = urls[0] if len(urls) == 1 else f"{urls[0]}, the first of them"
        yield Problem(None, f"{what} not where readers will look: {first}: {reason}", hint), True


def _page(links: Links, instance: str, fetch: Fetch, unreachable: type[Exception]) -> Iterator[tuple[Problem, bool]]:
    url = f"{links.base}{PROOF}"
    hint = "Run `newsletter serve` on this workspace behind public_url, over https and without a redirect."
    try:
        raw = fetch(url, straight=True)  # nobody follows a redirect for a reader who leaves, RFC 8058 §3.1
    except unreachable as error:
        yield Problem(None, f"public_url does not answer for this newsletter: {url}: {error}", hint), True
        return
    try:
        proof = json.loads(raw)["proof"]
    except (ValueError, KeyError, TypeError):
        yield Problem(None, f"public_url does not answer for this newsletter: {url} is another page", hint), True
        return
    if not hmac.compare_digest(str(proof).encode(), links.proof(instance).encode()):
        message = f"{url} answers for another ledger, or with another secret: unsubscribes would be lost there"
        hint = "Run `newsletter serve` on this workspace's .newsletter folder and with the same NEWSLETTER_SECRET."
        yield Problem(None, message, hint), False


def must_be_there(found: Sequence[tuple[Problem, bool]], *, trial: bool) -> tuple[Problem, ...]:
    """What a trial may go without; raises ``BadConfig`` with everything that must be mended first.

    A trial on this machine needs no server yet, but what answers wrongly is wrong for it as well.
    """
    fatal = [problem for problem, absent in found if not (trial and absent)]
    if fatal:
        raise BadConfig(fatal)
    return tuple(problem for problem, _ in found)
