"""The benchmark of sending runs on any machine; its figures are for `make bench`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("anymail", reason="django-anymail comes with the development requirements")


@pytest.mark.parametrize("compiler", [True, False])
def test_every_ratio_is_printed_with_its_goal(tmp_path: Path, *, compiler: bool) -> None:
    """The sink is named, whether there is a C compiler or not; nothing is said of how fast this machine is."""
    environment = {**os.environ, "PATH": os.environ["PATH"] if compiler else str(tmp_path)}
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "send.py", "--quick"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"sink on loopback: (C|Python), ", done.stdout)
    assert compiler or "for want of a C compiler" in done.stdout
    ratios = re.findall(r"^  .+ +\d+\.\d\d   \(goal .+\)$", done.stdout, re.MULTILINE)
    assert len(ratios) == 13
    assert sum("Mailgun" in line for line in ratios) == 4
