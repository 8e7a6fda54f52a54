"""Layer D: the operating system fails or kills a real send at one of its writes, syncs or sends, by strace."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pytest
from delivery.harness.figures import note, number, shares
from delivery.harness.scene import Scene, finished, free_port, prepare, workspace_in
from support import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ALL = number("FAULTS")
FILES = list(enumerate(shares(_ALL - _ALL // 8, 10, least=2)))
SOCKETS = list(enumerate(shares(_ALL // 8, 10), len(FILES)))
"""So many faults in each test of layer D; the number of the test drives it."""

PEOPLE = 12
_FRESH = 0.3
"""How many of the faults fall into the first send of a ledger."""

_ON_FILES = {"write": 5, "pwrite64": 54, "fdatasync": 6, "fsync": 2}
"""Calls that write, and up to which of them of one thread a fault falls."""

_ON_SOCKETS = {"sendto": 8}


class Blow(NamedTuple):
    """What befalls a process: at which call of which kind, and what."""

    call: str
    at: int
    what: str

    def around(self, strace: str, trace: Path) -> tuple[str, ...]:
        """The words before the command that bring it about."""
        killed = self.what == "KILL"
        how = "signal=KILL" if killed else f"error={self.what}"
        # With the filter everything else goes on at full speed, and a signal is never sent (strace 6.1).
        quick = () if killed else ("--seccomp-bpf",)
        tracing = ("-f", *quick, "-q", "-o", str(trace), "-e", f"trace={self.call}")
        return (strace, *tracing, "-e", f"inject={self.call}:{how}:when={self.at}")

    def fell(self, trace: Path) -> bool:
        """Whether the process came that far."""
        text = trace.read_text("utf-8", "replace") if trace.exists() else ""
        return "(INJECTED)" in text or "+++ killed by SIGKILL" in text


@pytest.fixture(scope="module")
def strace() -> str:
    """The program, allowed to trace; skipped without, or failing where everything must run (NEWSLETTER_FULL=1)."""
    found = shutil.which("strace")
    if found is None:
        reason = "strace is not installed"
        if os.environ.get("NEWSLETTER_FULL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    argv = [found, "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "true"]
    tried = subprocess.run(argv, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")
    return found


def drawn(chance: random.Random, calls: dict[str, int]) -> Blow:
    """One blow."""
    call = chance.choice(list(calls))
    return Blow(call, chance.randint(1, calls[call]), chance.choice(("KILL", "EIO", "ENOSPC")))


def struck(scene: Scene, strace: str, blow: Blow, happened: Counter[str]) -> None:
    """A send that is struck and run again: exit codes by the contract, and no rule broken on the way."""
    trace = scene.workspace.root / "trace"
    trace.unlink(missing_ok=True)
    more = ("--again",) if scene.sends() else ()
    code, err = finished(scene.send(*more, around=blow.around(strace, trace)))
    happened["sends"] += 1
    happened["faults"] += blow.fell(trace)
    happened[f"exit code {code}" if code >= 0 else "killed"] += 1
    allowed = {0, -signal.SIGKILL} if blow.what == "KILL" else {0, 3, 69 if blow.call == "sendto" else 74}
    assert code in allowed, f"{blow}: exit code {code}\n{err}"
    assert scene.check() == [], blow
    made = scene.to_its_end()
    assert scene.check(ended=True) == [], f"{blow}, and at rest"
    if not scene.people()["in_doubt"]:
        assert made.state == "done", blow
    else:
        assert made.state == "running", blow
        scene.workspace.newsletter("resolve", "--assume", "sent", "--all", "--yes")  # the next send needs an ended one


@pytest.mark.parametrize(("part", "faults"), FILES)
def test_a_send_whose_writes_fail_goes_on_afterwards(part: int, faults: int, strace: str, tmp_path: Path) -> None:
    """SIGKILL, EIO and ENOSPC at a write or a sync of the ledger, its mark, or the outbox."""
    model = workspace_in(tmp_path / "model")
    prepare(model, "outbox", count=PEOPLE, batch=2)
    chance, happened = random.Random(part), Counter[str]()
    scene = Scene(Workspace(shutil.copytree(model.root, tmp_path / "scene")), "outbox")
    while happened["faults"] < faults:
        if chance.random() < _FRESH:
            shutil.rmtree(scene.workspace.root)
            shutil.copytree(model.root, scene.workspace.root)
        struck(scene, strace, drawn(chance, _ON_FILES), happened)
        assert happened["sends"] < 4 * (faults + 2), f"the faults fall beside the work: {happened}"
    assert happened["exit code 74"] + happened["killed"]
    note("D", str(part), len(FILES) + len(SOCKETS), happened=happened)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Scene]:
    """A send through a dialect whose server is well."""
    made = Scene(workspace_in(tmp_path), "mailgun", free_port())
    # After a write that failed the client still reads what the server may have said, until the time-out.
    prepare(made.workspace, made.provider, count=PEOPLE, batch=2, port=made.port, timeout=2)
    made.listen("--hostile", "none")
    yield made
    made.stop()


@pytest.mark.parametrize(("part", "faults"), SOCKETS)
def test_a_send_whose_calls_fail_goes_on_afterwards(part: int, faults: int, strace: str, served: Scene) -> None:
    """SIGKILL, EIO and ENOSPC at a send to the provider's socket."""
    chance, happened = random.Random(part), Counter[str]()
    while happened["faults"] < faults:
        struck(served, strace, drawn(chance, _ON_SOCKETS), happened)
        assert happened["sends"] < 4 * (faults + 2), f"the faults fall beside the work: {happened}"
    note("D", str(part), len(FILES) + len(SOCKETS), happened=happened)
