"""The wrappers: each keeps the contract, and each does its one thing and nothing else."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from providers.contract import LETTER, Contract, message

from newsletter.providers.base import Answer, Fault, NotSent, Payload, ProviderError, Refused, Sought, Unknown, Verdict
from newsletter.providers.outbox import Outbox
from newsletter.providers.wrappers import Paced, Recorded, Retried

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.providers.base import Provider


def nothing(_seconds: float) -> None:
    """Nobody waits in a test."""


def retried(provider: Provider) -> Provider:
    """A provider that is asked again."""
    return Retried(provider, nothing, lambda: 0.5)


def paced(provider: Provider) -> Provider:
    """A provider whose turn is always now."""
    return Paced(provider, lambda: 0.0, nothing, nothing, nothing)


def recorded(provider: Provider) -> Provider:
    """A provider whose records nobody reads."""
    return Recorded(provider, lambda _line: None)


def every(provider: Provider) -> Provider:
    """All of them, as `newsletter test` stacks them."""
    return retried(paced(recorded(provider)))


@dataclass
class WrappedKit:
    """The outbox inside of a wrapper."""

    folder: Path
    wrap: Callable[[Provider], Provider]

    @property
    def provider(self) -> Provider:
        """The provider under test."""
        return self.wrap(Outbox(self.folder))

    def accepted(self) -> Counter[int]:
        """Messages by person, from the files."""
        return Counter(int(path.name.partition("-")[0]) for path in self.folder.glob(f"{LETTER.tag}/*.eml"))

    def reopened(self) -> Provider:
        """Another process's."""
        return self.provider


class TestWrappersContract(Contract):
    """The contract of all providers, around the outbox."""

    @pytest.fixture(params=[retried, paced, recorded, every], ids=lambda wrap: str(wrap.__name__))
    def kit(self, request: pytest.FixtureRequest, tmp_path: Path) -> WrappedKit:
        """One wrapper."""
        return WrappedKit(tmp_path / "outbox", request.param)


@dataclass
class Scripted(Outbox):
    """A provider that answers as it is told; it is inside of every wrapper below."""

    script: list[Answer | ProviderError]
    idempotent: bool = True
    keys: list[str] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        """Be an outbox, keys or not."""
        super().__init__(Path("nothing-is-written"))
        self.capabilities = replace(self.capabilities, idempotent=self.idempotent)
        self.account = "scripted"

    def submit(self, payload: Payload, key: str) -> Answer:
        """The next answer."""
        del payload
        self.keys.append(key)
        answer = self.script.pop(0)
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    def find(self, sought: Sought) -> Answer | None:
        """The next answer, or nothing."""
        del sought
        return self.submit(PAYLOAD, "find") if self.script else None

    def close(self) -> None:
        """Remember it."""
        self.closed = True


PAYLOAD = Payload("abc", None, 2, 1000)
DONE = Answer("ref")


def tried(script: list[Answer | ProviderError], *, idempotent: bool = True) -> tuple[Any, list[str], list[float]]:
    """What comes out of three tries, the keys that were used, and the waits between."""
    inner = Scripted(script, idempotent)
    waits: list[float] = []
    outcome: Any
    try:
        outcome = Retried(inner, waits.append, lambda: 1.0).submit(PAYLOAD, "key-1")
    except ProviderError as error:
        outcome = error
    return outcome, inner.keys, waits


# -- made again -----------------------------------------------------------------------


def test_what_was_surely_not_sent_is_sent_again() -> None:
    """A time that is named is kept; without one each wait is twice the last."""
    assert tried([NotSent("a"), NotSent("b", retry_after=7), DONE]) == (DONE, ["key-1"] * 3, [1.0, 7])
    assert tried([NotSent("a"), NotSent("b"), DONE], idempotent=False) == (DONE, ["key-1"] * 3, [1.0, 2.0])


def test_jitter_spreads_the_tries_of_many() -> None:
    """Half of the wait is chance."""
    waits: list[float] = []
    Retried(Scripted([NotSent("a"), DONE]), waits.append, lambda: 0.0).submit(PAYLOAD, "key-1")
    assert waits == [0.5]


def test_the_last_word_is_passed_on_after_three_tries() -> None:
    """It is no use to ask for ever."""
    errors: list[Answer | ProviderError] = [NotSent("a"), NotSent("b"), last := NotSent("c"), DONE]
    outcome, keys, waits = tried(errors)
    assert outcome is last
    assert (len(keys), len(waits)) == (3, 2)


@pytest.mark.parametrize(
    "error",
    [
        NotSent("the key is wrong", fault=Fault.CONFIG),
        NotSent("the quota is used up", retry_after=5, fault=Fault.LATER),
        NotSent("come back tomorrow", retry_after=61),
        Refused("no such mailbox"),
        Refused("one of them", divisible=True),
        Unknown("with another body", final=True),
        Unknown("the disk fails", fault=Fault.DISK),
        Unknown("busy for long", retry_after=3600),
    ],
    ids=lambda error: str(error.reason),
)
def test_nothing_else_is_made_again(error: ProviderError) -> None:
    """Faults are the operator's, refusals are verdicts, and the provider's own time counts."""
    assert tried([error, DONE]) == (error, ["key-1"], [])


def test_doubt_is_made_again_only_where_keys_are_kept() -> None:
    """With the same key; without keys it would be a second copy."""
    assert tried([Unknown("cut off"), DONE]) == (DONE, ["key-1"] * 2, [1.0])
    error = Unknown("cut off")
    assert tried([error, DONE], idempotent=False) == (error, ["key-1"], [])


@pytest.mark.parametrize(
    ("later", "fault"),
    [(Refused("no"), None), (NotSent("no", fault=Fault.CONFIG), Fault.CONFIG), (NotSent("no", retry_after=99), None)],
)
def test_doubt_is_sticky(later: ProviderError, fault: Fault | None) -> None:
    """The first try may have been accepted, whatever is said of the second."""
    outcome, _, _ = tried([Unknown("cut off"), later])
    assert isinstance(outcome, Unknown)
    assert outcome.fault is fault
    assert "may have been accepted" in outcome.reason


# -- one after the other --------------------------------------------------------------


def test_every_try_waits_for_a_slot_of_its_own() -> None:
    """Also the second one, whose wait the provider named."""
    inner = Scripted([NotSent("too fast", retry_after=3), DONE])
    slots, slept, slowed = iter([2.0, 0.0]), list[float](), list[float]()
    provider = Retried(
        Paced(inner, lambda: next(slots), slept.append, slowed.append, nothing), slept.append, lambda: 1.0
    )
    assert provider.submit(PAYLOAD, "key-1") == DONE
    assert (slept, slowed) == ([2.0, 3], [3])
    assert next(slots, None) is None


def test_a_provider_that_wants_a_pause_is_not_too_slow() -> None:
    """An acceptance with a wait holds the next call, and lowers no rate."""
    slowed, held = list[float](), list[float]()
    paced = Paced(Scripted([Answer("ref", wait=4.0), DONE]), lambda: 0.0, nothing, slowed.append, held.append)
    paced.submit(PAYLOAD, "key-1")
    paced.submit(PAYLOAD, "key-2")
    assert (slowed, held) == ([], [4.0])


@pytest.mark.parametrize("error", [NotSent("refused"), Refused("no"), Unknown("cut off")], ids=lambda e: str(e.reason))
def test_other_errors_say_nothing_of_the_rate(error: ProviderError) -> None:
    """A dead network is not a provider that says “too fast”."""
    slowed = list[float]()
    with pytest.raises(type(error)):
        Paced(Scripted([error]), lambda: 0.0, nothing, slowed.append, slowed.append).submit(PAYLOAD, "key-1")
    assert slowed == []


# -- written down ---------------------------------------------------------------------


def lines(script: list[Answer | ProviderError], calls: Callable[[Provider], object]) -> list[dict[str, Any]]:
    """What is recorded of some calls."""
    written: list[str] = []
    times = iter(range(100))
    at = dt.datetime(2026, 11, 25, 9, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    provider = Recorded(Scripted(script), written.append, now=lambda: at, timer=lambda: float(next(times)))
    with contextlib.suppress(ProviderError):
        calls(provider)
    return [json.loads(line) for line in written]


def test_a_call_is_one_line() -> None:
    """What was tried, how big it was, and what became of it."""
    assert lines([Answer("ref", (Verdict(1, "no"),))], lambda p: p.submit(PAYLOAD, "key-1")) == [
        {
            "time": "2026-11-25T08:00:00.000Z",
            "call": "submit",
            "provider": "outbox",
            "account": "scripted",
            "key": "key-1",
            "payload": "abc",
            "count": 2,
            "size": 1000,
            "outcome": "accepted",
            "refused": 1,
            "reason": "",
            "seconds": 1.0,
        }
    ]


@pytest.mark.parametrize(
    ("error", "outcome"), [(NotSent("a"), "not sent"), (Refused("a"), "refused"), (Unknown("a"), "unknown")]
)
def test_an_error_is_recorded_and_passed_on(error: ProviderError, outcome: str) -> None:
    """With its reason."""
    (line,) = lines([error], lambda p: p.submit(PAYLOAD, "key-1"))
    assert (line["outcome"], line["reason"]) == (outcome, "a")
    with pytest.raises(type(error)):
        recorded(Scripted([error])).submit(PAYLOAD, "key-1")


def test_a_process_that_is_stopped_leaves_a_line_as_well() -> None:
    """What cannot be known is not called anything else."""
    written: list[str] = []
    provider = Recorded(Scripted([]), written.append)
    with pytest.raises(IndexError):
        provider.submit(PAYLOAD, "key-1")
    assert json.loads(written[0])["outcome"] == "broken off"


@pytest.mark.parametrize(
    "reason",
    [
        "'to' parameter is not a valid address: ada+x@example.com",
        "<ada@example.com>: mailbox unavailable",
        'no such user "ada@example.com"',
        "https://api.example.org/?address=ada%40example.com failed",
        "ada@éxample.com is unknown",
    ],
)
def test_no_address_stands_in_a_record(reason: str) -> None:
    """Providers quote them in their answers."""
    (line,) = lines([Refused(reason)], lambda p: p.submit(PAYLOAD, "key-1"))
    assert "ada" not in json.dumps(line)
    assert "(address)" in line["reason"]


def test_a_search_is_recorded_without_whom_it_was_for() -> None:
    """Found or not."""
    sought = Sought("abc-7", dt.datetime(2026, 11, 25, tzinfo=dt.UTC), ("ada@example.com",))
    (found,) = lines([DONE], lambda p: p.find(sought))
    (missed,) = lines([], lambda p: p.find(sought))
    assert (found["call"], found["batch"], found["count"], found["outcome"]) == ("find", "abc-7", 1, "accepted")
    assert missed["outcome"] == "not found"
    assert "ada" not in json.dumps([found, missed])


# -- all the rest ---------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [retried, paced, recorded, every], ids=lambda wrap: str(wrap.__name__))
def test_everything_else_goes_to_the_provider_inside(wrap: Callable[[Provider], Provider]) -> None:
    """A wrapper adds one thing."""
    inner = Scripted([])
    outer = wrap(inner)
    assert outer.capabilities is inner.capabilities
    assert outer.account == "scripted"
    assert outer.shares(LETTER, message(1))
    assert list(outer.suppressions()) == []
    assert outer.find(Sought("abc-7", dt.datetime(2026, 11, 25, tzinfo=dt.UTC), ())) is None
    outer.close()
    assert inner.closed
