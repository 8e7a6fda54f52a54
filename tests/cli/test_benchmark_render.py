"""The benchmark of rendering runs on any machine; its figures are for `make bench`."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_every_ratio_of_rendering_is_printed_with_its_goal(tmp_path: Path) -> None:
    """The two ways to one recipient's mail give the same bytes, or it stops; nothing is said of how fast this machine is."""
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "render.py", "--quick"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^  .+ +\d+\.\d{4}   \(goal at most .+\)$", done.stdout, re.MULTILINE)) == 5
