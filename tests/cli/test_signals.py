"""What may befall a send's process, as real processes: signals, a terminal that closes, pipes, a disk, a lock."""

from __future__ import annotations

import contextlib
import os
import pty
import resource
import signal
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest
from cli.helpers_live import (
    SLUG,
    TAKEN,
    TOO_FAST,
    finish,
    gated,
    prepare,
    send,
    slow,
    start,
    status,
    until,
)
from providers.scripted import scripted, silence
from support import CONFIGURATION, Workspace

if TYPE_CHECKING:
    from pathlib import Path

# -- signals --------------------------------------------------------------------------


def at_rest(workspace: Workspace, calls: int) -> None:
    """Nothing is in anybody's hands, every call is recorded, and the same command completes the send."""
    now = status(workspace)
    assert (now["state"], set(now["batches"]), now["processes"]) == ("running", {"accepted", "pending"}, [])
    assert now["people"]["accepted"] == calls
    done = send(workspace)
    assert (done.code, done.json()["people"]["accepted"]) == (0, 12), done.err


@pytest.mark.parametrize(
    "numbers",
    [(signal.SIGHUP,), (signal.SIGHUP, signal.SIGHUP), (signal.SIGTERM, signal.SIGHUP), (signal.SIGHUP, signal.SIGINT)],
)
def test_a_signal_lets_the_batch_in_flight_finish(workspace: Workspace, numbers: tuple[signal.Signals, ...]) -> None:
    """130. A second SIGHUP, one after SIGTERM, or a first Ctrl-C after one, is nobody's impatience."""
    with slow(workspace, seconds=0.3) as server:
        process = start(workspace)
        until(lambda: len(server.requests) == 2, process)
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.02)
        code, _, err = finish(process)
        assert (code, err.count("Finishing the batch in flight")) == (130, 1)
        at_rest(workspace, len(server.requests))


def test_ctrl_c_twice_ends_at_once(workspace: Workspace) -> None:
    """The call under way is not waited for; what became of it nobody knows, and that is what the next run says."""
    with scripted(TAKEN, silence, last=TAKEN) as server:
        prepare(workspace, server.url)
        process = start(workspace)
        until(lambda: len(server.requests) == 2, process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while b"Press Ctrl-C again" not in (line := process.stderr.readline()):
            assert line
        assert len(line) <= 80
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert finish(process)[0] == 130
        now = status(workspace)
        assert (now["batches"]["sending"], [each["alive"] for each in now["processes"]]) == (1, [False])
        done = send(workspace)
        assert (done.code, done.json()["people"]["accepted"], done.json()["people"]["in_doubt"]) == (3, 11, 1)


def test_nohup_is_heeded(workspace: Workspace) -> None:
    """Where SIGHUP is ignored, a closed terminal is nothing to a send."""
    with slow(workspace) as server:
        process = start(workspace, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        until(lambda: len(server.requests) == 2, process)
        process.send_signal(signal.SIGHUP)
        assert finish(process)[0] == 0
    assert status(workspace)["state"] == "done"


def test_a_terminal_that_closes_ends_the_send_after_its_batch(workspace: Workspace) -> None:
    """The bar is being drawn on it; the exit code is 130 although nobody can be told anything any more."""
    with slow(workspace, seconds=0.3) as server:
        ours, theirs = pty.openpty()
        process = start(
            workspace,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: _take_terminal(0),
        )
        os.close(theirs)
        screen = b""
        while len(server.requests) < 2 or b"Sending" not in screen:
            screen += os.read(ours, 65536)
        os.close(ours)
        assert process.wait(timeout=60) == 130
        at_rest(workspace, len(server.requests))


def _take_terminal(descriptor: int) -> None:
    """Make a terminal the controlling one, so that its end is told by a signal."""
    import fcntl
    import termios

    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


# -- pipes ----------------------------------------------------------------------------


@pytest.mark.parametrize("streams", [("stdout",), ("stderr",), ("stdout", "stderr")])
def test_a_send_whose_output_nobody_reads_goes_on(workspace: Workspace, streams: tuple[str, ...]) -> None:
    """As with `| head`: the pipe is closed, the provider wants a pause (which is told), everyone is mailed, and 0."""
    with slow(workspace, TAKEN, TOO_FAST, seconds=0.01) as server:
        ends = [os.pipe() for _ in streams]
        process = start(workspace, **{name: end[1] for name, end in zip(streams, ends, strict=True)})
        for reader, writer in ends:
            os.close(writer)
            os.close(reader)
        code, _, err = finish(process)
        assert (code, "Traceback" in err) == (0, False), err
        assert len(server.requests) == 13
    now = status(workspace)
    assert (now["state"], now["people"]["accepted"]) == ("done", 12)


def test_a_record_that_cannot_be_written_warns_nobody_in_vain(workspace: Workspace) -> None:
    """A full disk under --record, and a closed standard error: the send is what counts."""
    if not os.path.exists("/dev/full"):  # noqa: PTH110 - a device, not a file
        pytest.skip("there is no /dev/full here")
    with slow(workspace, seconds=0.01):
        reader, writer = os.pipe()
        process = start(workspace, "send", "--yes", "--record", "/dev/full", stderr=writer)
        os.close(writer)
        os.close(reader)
        assert finish(process)[0] == 0
    assert status(workspace)["state"] == "done"


def test_a_status_whose_reader_went_away_is_no_fault(workspace: Workspace) -> None:
    """141, as of any program in a pipe, and no traceback."""
    with gated(workspace, 1) as (server, gate):
        process = start(workspace)
        until(lambda: len(server.requests) == 2, process)
        with start(workspace, "status", "--watch", SLUG) as watching:
            assert watching.stdout is not None
            assert watching.stdout.readline().startswith(SLUG.encode())
            watching.stdout.close()
            gate.set()
            assert watching.stderr is not None
            assert watching.stderr.read() == b""
            assert watching.wait(timeout=60) == 141
        assert finish(process)[0] == 0


# -- disk and lock --------------------------------------------------------------------


def outbox(workspace: Workspace, people: int) -> None:
    """A workspace that sends to the embedded outbox in batches of one."""
    workspace.write("newsletter.yaml", f"{CONFIGURATION}send:\n  batch: 1\n")
    workspace.issue("Hello.\n", slug=SLUG)
    rows = "".join(f"p{n}@example.com\n" for n in range(1, people + 1))
    workspace.write("people.csv", f"email\n{rows}")
    workspace.newsletter("subscribers", "import", "people.csv", "--apply", "--consent-source", "test")


def mails(workspace: Workspace) -> list[str]:
    """Every mail in the outbox, by the person's number."""
    folder = workspace.root / ".newsletter" / "outbox" / SLUG
    return sorted(path.name.partition("-")[0] for path in folder.glob("*.eml"))


def test_a_database_that_may_not_grow_ends_the_send(workspace: Workspace) -> None:
    """A full disk in the midst of it: 74, no traceback; with room again, the same command mails everyone once."""
    outbox(workspace, 150)
    limit = 450_000  # more than the database has, less than the send writes to its log

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    code, _, err = finish(start(workspace, preexec_fn=full))
    assert (code, "Traceback" in err) == (74, False), err
    assert "cannot be written" in err
    assert 0 < len(mails(workspace)) < 150
    done = send(workspace)
    assert (done.code, done.json()["people"]["accepted"]) == (0, 150), done.err
    assert mails(workspace) == [f"{n:08d}" for n in range(1, 151)]


def test_a_database_that_another_process_holds_is_waited_for(workspace: Workspace) -> None:
    """In the midst of a send: nothing is lost, nothing is made twice."""
    with slow(workspace, seconds=0.02) as server:
        process = start(workspace)
        until(lambda: len(server.requests) >= 2, process)
        with _held(workspace.root / ".newsletter" / "newsletter.db"):
            time.sleep(1.5)
            assert process.poll() is None
        assert finish(process)[0] == 0
        assert len(server.requests) == 12
    assert status(workspace)["people"]["accepted"] == 12


class _held(contextlib.AbstractContextManager[None]):  # noqa: N801 - reads as a verb
    """The database's write lock, as another program would hold it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()
