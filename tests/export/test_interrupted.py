"""``srdiff-export`` under real signals: what it leaves, says and ends with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("mindspore")

from tests.conftest import DATA

COMMAND = [sys.executable, "-m", "srdiff_export.command", "--ckpt", str(DATA / "mindediting_tiny.ckpt")]


def stopped(folder: Path, number: int, after: float) -> tuple[int, str]:
    """Exit code and standard error of an export that got a signal so many seconds after its folder was there."""
    process = subprocess.Popen([*COMMAND, "-o", "new/m.srdiff"], cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 240
        while time.monotonic() < end and process.poll() is None and not unfinished(folder / "new"):
            time.sleep(0.02)
        time.sleep(after)
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, said


def unfinished(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if name.startswith(".srdiff-")} if folder.is_dir() else set()


@pytest.mark.skipif(os.name != "posix", reason="these signals are POSIX's")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_and_says_so(tmp_path: Path, number: int) -> None:
    code, said = stopped(tmp_path, number, after=1.0)  # in the middle of tracing
    assert (code, said.splitlines()[-1]) == (130, "Interrupted."), said
    assert "Traceback" not in said
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="these signals are POSIX's")
def test_what_a_killed_export_left_goes_with_the_next(tmp_path: Path) -> None:
    assert stopped(tmp_path, signal.SIGKILL, after=0.1)[0] == -signal.SIGKILL
    assert len(unfinished(tmp_path / "new")) == 1
    done = subprocess.run([*COMMAND, "-o", "new/m.srdiff"], cwd=tmp_path, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path / "new") == ["m.srdiff"]
