"""The hostile provider: what it accepts, what it says of it, and that a seed says it again."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import errno
import gc
import json
import multiprocessing
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from providers.contract import LETTER, Contract, message

from newsletter.providers.base import Answer, Fault, NotSent, ProviderError, Refused, Sought, Unknown
from newsletter.providers.hostile import fates, likes, mishaps
from newsletter.providers.hostile.fates import Plan, Script
from newsletter.providers.hostile.mishaps import MISHAPS, NAMED
from newsletter.providers.hostile.provider import TOO_FAST, Hostile, World
from newsletter.providers.hostile.truth import Taken, Tried, Truth

if TYPE_CHECKING:
    from pathlib import Path

    from support import Workspace

    from newsletter.providers.base import Provider
    from newsletter.providers.hostile.fates import Fates
    from newsletter.providers.hostile.mishaps import Mishap

NOW = dt.datetime(2026, 11, 25, 8, 0, tzinfo=dt.UTC)
KINDS: dict[str, type[ProviderError]] = {"not sent": NotSent, "unknown": Unknown, "refused": Refused}


@dataclass
class HostileKit:
    """A hostile provider, its truth, and a clock that stands until it is moved."""

    like: str = "keys-24h"
    fates: Fates = field(default_factory=lambda: Script([]))
    truth: Truth = field(default_factory=Truth)
    at: dt.datetime = NOW
    provider: Hostile = field(init=False)

    def __post_init__(self) -> None:
        self.provider = self.reopened()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.at += dt.timedelta(seconds=seconds)

    def accepted(self) -> Counter[int]:
        """Messages by person."""
        return self.truth.accepted()

    def reopened(self) -> Hostile:
        """Another process's, on the same truth."""
        return Hostile(self.truth, self.fates, likes.MODELS[self.like], World(lambda: self.at, self.wait))

    def submit(self, *people: int, key: str = "key-1", batch: str = "b-1") -> Answer:
        """One call."""
        return self.provider.submit(self.provider.prepare(LETTER, [message(n) for n in people], batch), key)


class Everybody:
    """The same mishap for one person, in every call."""

    def __init__(self, name: str, person: int) -> None:
        self._mishap = NAMED[name]
        self._person = str(person)

    def of_call(self, who: str, attempt: int) -> Mishap | None:
        """Nothing."""
        del who, attempt
        return None

    def of_person(self, person: str) -> Mishap | None:
        """The mishap, for that one."""
        return self._mishap if person == self._person else None


class TestHostileContract(Contract):
    """The contract of all providers, with every model of keys."""

    @pytest.fixture(params=likes.MODELS)
    def kit(self, request: pytest.FixtureRequest) -> HostileKit:
        """One on which nothing goes wrong."""
        return HostileKit(request.param)


class TestHostileContractOnDisk(Contract):
    """The same with the truth in a file that two processes share."""

    @pytest.fixture
    def kit(self, tmp_path: Path) -> HostileKit:
        """Opened anew, it reads what the other wrote."""
        path = tmp_path / "truth.jsonl"

        @dataclass
        class OnDisk(HostileKit):
            def reopened(self) -> Hostile:
                return Hostile(Truth(path), self.fates, likes.MODELS[self.like], World(lambda: self.at))

        return OnDisk(truth=Truth(path))


@pytest.mark.parametrize("name", ["mailgun", "resend", "outbox"])
class TestHostileLike:
    """A hostile provider that prepares calls as a real one does."""

    def test_it_is_never_real_and_prepares_the_very_call(self, workspace: Workspace, name: str) -> None:
        """Same hash, same count, same size; a rehearsal that sends other bytes proves nothing."""
        can, like = likes.like(name, workspace.config())
        assert (can.name, can.real) == (name, False)
        hostile = Hostile(Truth(), Script([]), can, World(lambda: NOW), like)
        batch = [message(1), message(2), message(3, "a\x85b")]
        theirs, ours = like.prepare(LETTER, batch, "b-1"), hostile.prepare(LETTER, batch, "b-1")
        assert dataclasses.replace(theirs, body=None) == dataclasses.replace(ours, body=None)
        assert hostile.submit(ours, "key-1").refused == ()
        assert hostile.truth.accepted() == Counter({1: 1, 2: 1})

    def test_nobody_connects_anywhere(self, workspace: Workspace, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not even to this machine."""
        import socket

        def refuse(*_a: Any, **_o: Any) -> None:
            pytest.fail("a socket was opened")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        can, like = likes.like(name, workspace.config())
        hostile = Hostile(Truth(), Script([]), can, World(lambda: NOW), like)
        hostile.submit(hostile.prepare(LETTER, [message(1)], "b-1"), "key-1")
        hostile.find(Sought("b-1", NOW, ("p1@example.com",)))
        assert list(hostile.suppressions()) == []
        hostile.close()


def test_mailgun_s_macros_are_guarded_as_in_the_real_send(workspace: Workspace) -> None:
    """A split that the real code asks for comes through."""
    can, like = likes.like("mailgun", workspace.config())
    hostile = Hostile(Truth(), Script([]), can, World(lambda: NOW), like)
    made = hostile.prepare(LETTER, [message(1), message(2, "%recipient.u%")])
    assert made.split == ((1,), (2,))
    assert not hostile.shares(LETTER, message(2, "%recipient.u%"))


# -- mishaps --------------------------------------------------------------------------

OF_CALLS = [each for each in MISHAPS if not each.of_person]


@pytest.mark.parametrize("mishap", OF_CALLS, ids=lambda each: each.name)
def test_what_arrives_and_what_is_heard_are_as_the_table_says(mishap: Mishap) -> None:
    """The truth has all of it or nothing; the sender hears the very kind of answer."""
    kit = HostileKit(fates=Script([mishap.name]))
    heard: Any = None
    try:
        heard = kit.submit(1, 2, 3)
    except ProviderError as error:
        heard = error
    expected = {"nothing": (), "everything": (1, 2, 3), "all but the refused": (1, 2)}[mishap.arrives]
    assert kit.accepted() == Counter(expected)
    if mishap.says == "accepted":
        assert [each.person for each in heard.refused] == ([3] if mishap.name == "all-but-one" else [])
    else:
        assert type(heard) is KINDS[mishap.says]
        for name in ("retry_after", "fault"):
            assert getattr(heard, name) == getattr(mishap, name)
        assert getattr(heard, "final", False) == mishap.final
    assert kit.at == NOW + dt.timedelta(seconds=mishap.seconds)
    assert [call.mishap for call in kit.truth.calls()] == [mishap.name]


@pytest.mark.parametrize("name", ["unreachable", "error-after", "verdict"])
def test_a_call_that_failed_leaves_nothing_for_the_garbage_collector(name: str) -> None:
    """It comes by rarely, and a thousand people with their links would wait for it after every failure."""
    kit = HostileKit("no-keys", Everybody(name, 1) if NAMED[name].of_person else Script([name]))
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(ProviderError):
            kit.submit(1, 2, 3)
        assert kit.truth.calls()[0].mishap == name
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("mishap", [each for each in OF_CALLS if each.arrives == "everything"], ids=lambda m: m.name)
def test_a_lost_answer_is_replayed_under_its_key(mishap: Mishap) -> None:
    """The call is made again and accepted once, where keys are kept; without them it is doubled."""
    for model, count in (("keys-24h", 1), ("no-keys", 2)):
        kit = HostileKit(model, Script([mishap.name]))
        with contextlib.suppress(Unknown):
            kit.submit(1)
        kit.submit(1)
        assert kit.accepted() == Counter({1: count})


def test_ids_may_come_in_another_order() -> None:
    """Each with its person."""
    straight, turned = HostileKit().submit(1, 2, 3).ids, HostileKit(fates=Script(["reordered"])).submit(1, 2, 3).ids
    assert turned == straight[::-1]


def test_a_key_is_remembered_for_its_life_only() -> None:
    """Half an hour later, the same call is accepted a second time."""
    kit = HostileKit("keys-30min")
    kit.submit(1)
    kit.wait(29 * 60)
    kit.submit(1)
    assert kit.accepted() == Counter({1: 1})
    kit.wait(2 * 60)
    kit.submit(1)
    assert kit.accepted() == Counter({1: 2})


def test_a_key_stands_for_one_body() -> None:
    """Another one under it is in doubt for good, and nothing of it arrives."""
    kit = HostileKit()
    kit.submit(1)
    with pytest.raises(Unknown, match="another body") as caught:
        kit.submit(2)
    assert caught.value.final
    assert kit.accepted() == Counter({1: 1})


def test_one_person_refuses_a_whole_call_until_they_are_alone() -> None:
    """Whatever else is in it, at every attempt."""
    kit = HostileKit("no-keys", Everybody("verdict", 2))
    for people in ((1, 2, 3), (1, 2), (2,)):
        with pytest.raises(Refused) as caught:
            kit.submit(*people)
        assert caught.value.divisible
    kit.submit(1, 3)
    assert kit.accepted() == Counter({1: 1, 3: 1})


def test_one_person_is_refused_beside_the_others() -> None:
    """And again under the same key, and not at all where an answer speaks of the call as a whole."""
    kit = HostileKit("keys-24h", Everybody("mixed", 2))
    for _ in range(2):
        assert [each.person for each in kit.submit(1, 2, 3).refused] == [2]
    assert kit.accepted() == Counter({1: 1, 3: 1})
    assert HostileKit("no-keys", Everybody("mixed", 2)).submit(1, 2).refused == ()


@pytest.mark.parametrize(("limit", "why"), [("batch_max", "messages"), ("batch_bytes", "bytes")])
def test_published_limits_are_held(limit: str, why: str) -> None:
    """A call that is too large is refused whole."""
    kit = HostileKit()
    narrow: Any = {limit: 2}
    kit.provider.capabilities = dataclasses.replace(kit.provider.capabilities, **narrow)
    with pytest.raises(Refused, match=why):
        kit.submit(1, 2, 3)
    assert kit.accepted() == Counter()


def test_calls_that_come_faster_than_the_published_rate_are_throttled() -> None:
    """And noted as the sender's mistake; a second later they may go on."""
    kit = HostileKit()
    kit.provider.capabilities = dataclasses.replace(kit.provider.capabilities, per_second=2.0)
    for number in (1, 2):
        kit.submit(number, key=f"key-{number}")
    with pytest.raises(NotSent, match="faster") as caught:
        kit.submit(3, key="key-3")
    assert caught.value.retry_after == 1.0
    kit.wait(1.0)
    kit.submit(3, key="key-3")
    assert kit.accepted() == Counter((1, 2, 3))
    assert [call.mishap for call in kit.truth.calls()] == ["", "", TOO_FAST, ""]


def test_a_search_finds_what_was_accepted_where_the_model_can_be_searched() -> None:
    """And proves nothing by finding nothing."""
    kit = HostileKit(fates=Script(["timeout-after"]))
    with pytest.raises(Unknown):
        kit.submit(1, batch="b-7")
    assert kit.provider.find(Sought("b-7", NOW, ("p1@example.com",))) is None
    kit.provider.capabilities = dataclasses.replace(kit.provider.capabilities, settling="search")
    assert kit.provider.find(Sought("b-7", NOW, ("p1@example.com",))) is not None
    assert kit.provider.find(Sought("b-8", NOW, ("p1@example.com",))) is None


def test_the_sender_may_die_before_and_after_the_truth_is_written() -> None:
    """The provider goes on knowing."""

    class Dead(BaseException):
        pass

    for moment, count in (("called", 0), ("decided", 1)):

        def passing(now: str, who: str, at: str = moment) -> None:
            assert who == fates.members([1])
            if now == at:
                raise Dead

        truth = Truth()
        hostile = Hostile(truth, Script([]), likes.MODELS["keys-24h"], World(lambda: NOW, passing=passing))
        with pytest.raises(Dead):
            hostile.submit(hostile.prepare(LETTER, [message(1)]), "key-1")
        assert truth.accepted()[1] == count


def test_after_calm_no_call_goes_wrong_and_people_stay_as_they_are() -> None:
    """A provider that is well again still knows a bad address."""
    kit = HostileKit(fates=Plan(1, level=fates.Level(1.0, 1.0), mishaps=(NAMED["error-before"], NAMED["mixed"])))
    with pytest.raises(Unknown):
        kit.submit(1)
    kit.provider.calm()
    assert [each.person for each in kit.submit(1).refused] == [1]


# -- chance ---------------------------------------------------------------------------


def test_a_seed_says_the_same_in_whatever_order_it_is_asked() -> None:
    """Threads may race; another seed says something else."""
    asked = [(fates.members([n]), attempt) for n in range(200) for attempt in (1, 2)]
    level = fates.LEVELS["many"]
    once = {each: Plan(7, level=level).of_call(*each) for each in asked}
    assert {each: Plan(7, level=level).of_call(*each) for each in reversed(asked)} == once
    assert {each: Plan(8, level=level).of_call(*each) for each in asked} != once


def test_the_shares_are_about_what_the_level_says() -> None:
    """And every mishap comes."""
    plan = Plan(1, level=fates.Level(0.3, 0.1))
    calls = [plan.of_call(fates.members([n]), 1) for n in range(4_000)]
    people = [plan.of_person(str(n)) for n in range(4_000)]
    assert 0.27 < sum(each is not None for each in calls) / 4_000 < 0.33
    assert 0.08 < sum(each is not None for each in people) / 4_000 < 0.12
    assert {each.name for each in (*calls, *people) if each} == set(NAMED)


def test_only_what_can_happen_at_a_provider_is_drawn_for_it(workspace: Workspace) -> None:
    """Mailgun's answer speaks of the call as a whole and it keeps no keys."""
    names = {each.name for each in mishaps.fitting(likes.like("mailgun", workspace.config())[0])}
    assert "verdict" in names
    assert names.isdisjoint({"mixed", "short", "reordered", "all-but-one", "in-progress", "conflict"})
    names = {each.name for each in mishaps.fitting(likes.like("resend", workspace.config())[0])}
    assert "verdict" not in names
    assert names >= {"mixed", "short", "in-progress", "conflict"}


def test_a_plan_is_named_by_level_or_by_its_faults() -> None:
    """In words, without doubles; what there is not is said."""
    assert fates.plan("none", 3).of_call("x", 1) is None
    assert [each.name for each in fates.plan("throttled, slow,throttled", 3).mishaps] == ["throttled", "slow"]
    for words in ("slwo", "", ",", "some,slow"):
        with pytest.raises(fates.Unknown):
            fates.plan(words, 3)


# -- the truth ------------------------------------------------------------------------


def _taken(person: int, key: str) -> Taken:
    return Taken((person,), (), key, "sha", f"batch-{key}", NOW)


def test_the_file_tells_what_the_memory_knows(tmp_path: Path) -> None:
    """For a checker that comes later; half a line, left by a kill, costs only itself."""
    path = tmp_path / "outbox" / "truth.jsonl"
    truth = Truth(path)
    truth.note(Tried("who", 1, "slow"))
    truth.take(_taken(1, "a"))
    with path.open("ab") as file:
        file.write(b'{"accepted": {"people": [9')
    truth.take(_taken(2, "b"))
    read = Truth(path)
    assert read.accepted() == truth.accepted() == Counter({1: 1, 2: 1})
    assert read.accepted({"batch-b"}) == Counter({2: 1})
    assert read.calls() == truth.calls() == (Tried("who", 1, "slow"),)
    assert read.with_key("b") == read.of_batch("batch-b") == _taken(2, "b")
    assert read.attempts("who") == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_truth_that_cannot_be_written_holds_the_send(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the acceptance surely nothing was sent; at it, nobody knows."""
    (tmp_path / "truth.jsonl").mkdir()
    with pytest.raises(NotSent) as caught:
        HostileKit(truth=Truth(tmp_path / "truth.jsonl")).submit(1)
    assert caught.value.fault is Fault.DISK

    def broken(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    kit = HostileKit(truth=Truth(tmp_path / "other.jsonl"))
    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(Unknown) as doubt:
        kit.submit(1)
    assert doubt.value.fault is Fault.DISK


def _process(path: Path, number: int) -> None:
    kit = HostileKit(truth=Truth(path))
    for turn in range(20):
        kit.submit(turn, key=f"key-{turn}")
        kit.submit(1_000 * number + turn, key=f"key-{number}-{turn}")


def test_processes_that_race_for_one_key_are_accepted_once(tmp_path: Path) -> None:
    """Looking and taking is one step."""
    path = tmp_path / "truth.jsonl"
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_process, args=(path, number)) for number in (1, 2, 3)]
    for each in running:
        each.start()
    for each in running:
        each.join()
        assert each.exitcode == 0
    accepted = Truth(path).accepted()
    assert len(accepted) == 80
    assert set(accepted.values()) == {1}


def test_no_address_stands_in_the_file(tmp_path: Path) -> None:
    """It may be kept, and shown."""
    kit = HostileKit(truth=Truth(tmp_path / "truth.jsonl"))
    kit.submit(1, 2)
    lines = (tmp_path / "truth.jsonl").read_text("utf-8")
    assert "@" not in lines
    assert [sorted(json.loads(line)) for line in lines.splitlines()] == [["attempt", "call", "mishap"], ["accepted"]]


def test_it_is_a_provider() -> None:
    """For the type checker."""
    provider: Provider = HostileKit().provider
    assert provider.account
