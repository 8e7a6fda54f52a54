"""What tests share: a workspace in a temporary folder, and the real command."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsletter.config import Config, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from newsletter.store.database import Database, Session

ROOT = Path(__file__).resolve().parent.parent
SECRET = "a-secret-made-for-tests-only"

CONFIGURATION = """\
name: The Test Letter
from: Tess Editor <tess@example.org>
postal_address: |
  1 Quay Street
  20457 Hamburg
timezone: Europe/Berlin
"""

FRONT = {"id": "hello-0001", "title": "Hello", "preheader": "A first line to look at", "date": "2026-11-23"}


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Workspace:
    """A workspace on disk, and ways to fill and use it."""

    root: Path

    def config(self) -> Config:
        """The configuration as it stands now."""
        return load(self.root)

    def write(self, name: str, data: str | bytes) -> Path:
        """Write one file below the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def issue(self, body: str, *, slug: str = "2026-11-23-hello", **front: str) -> Path:
        """Write an issue; a front-matter value given as empty text is left out."""
        values = {key: value for key, value in (FRONT | front).items() if value}
        head = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
        self.write(f"issues/{slug}/index.md", f"---\n{head}---\n{body}")
        return self.root / "issues" / slug

    def environment(self, env: dict[str, str] | None = None) -> dict[str, str]:
        """The environment of a command: this checkout's program, and no secret of the machine's."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("NEWSLETTER_")}
        return kept | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"} | (env or {})

    def run(self, *argv: str, input: str | None = None, env: dict[str, str] | None = None) -> Result:  # noqa: A002 - subprocess's own name
        """Run ``newsletter`` as a real process in the workspace."""
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", *argv],
            cwd=self.root,
            env=self.environment(env),
            input=input,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=300,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def newsletter(self, *argv: str, **options: Any) -> Result:
        """Run a command that must succeed."""
        result = self.run(*argv, **options)
        assert result.code == 0, result.err
        return result


@contextlib.contextmanager
def listening(workspace: Workspace) -> Iterator[str]:
    """A real ``newsletter outbox --listen`` in a workspace; its address."""
    running = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "outbox", "--listen", "--port", "0", "--limit", "0", "--json"],
        cwd=workspace.root,
        env=workspace.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    try:
        # The answer may be indented over several lines.
        text = ""
        while True:
            text += running.stdout.readline()
            with contextlib.suppress(ValueError):
                yield json.loads(text)["url"].rstrip("/")
                break
    finally:
        running.send_signal(signal.SIGTERM)
        running.stdout.close()
        assert running.wait(timeout=20) == 0


def before_statements(database: Database, act: Callable[[str], object]) -> None:
    """Call ``act`` with the text of every statement that is about to run, those that begin and end a write included."""
    from sqlalchemy import event

    pooled = database._pooled

    @contextlib.contextmanager
    def told() -> Iterator[Session]:
        with pooled() as session:
            run = type(session)._run

            def telling(statement: str) -> Any:
                act(statement)
                return run(session, statement)

            session._run = telling  # type: ignore[method-assign]
            yield session

    database._pooled = told  # type: ignore[method-assign]
    event.listen(database._engine, "before_cursor_execute", lambda _c, _u, sql, *_: act(sql))
