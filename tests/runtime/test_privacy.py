"""Engines tell nobody, leave nothing in the home folder, print nothing, and need no home."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ENLARGE = """
import sys
import numpy as np

def noticed(event, arguments):
    if event.startswith("socket."):
        print("network:", event, *arguments)
sys.addaudithook(noticed)

from srdiff import Upscaler
upscaler = Upscaler.from_bundle(engine=sys.argv[1], device="cpu")
upscaler.upscale(np.zeros((8, 8, 3), np.uint8))
"""
# Calls with which a process writes or reaches out.
TRACED = "openat,creat,mkdir,mkdirat,connect,sendto,sendmsg,bind"


@pytest.fixture(params=["openvino", "onnxruntime"])
def engine(request: pytest.FixtureRequest) -> str:
    if find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


def enlarge(engine: str, home: Path, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """An image enlarged in a process of its own, without the variables by which libraries know a build server."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": ":".join(sys.path)}
    command = [*before, sys.executable, "-c", ENLARGE, engine]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(sys.version_info < (3, 8), reason="audit hooks came with Python 3.8")
def test_nothing_is_left_printed_or_looked_up(engine: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    result = enlarge(engine, home)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert list(home.rglob("*")) == []


@pytest.mark.skipif(sys.version_info < (3, 8), reason="audit hooks came with Python 3.8")
def test_a_home_is_not_needed(engine: str, tmp_path: Path) -> None:
    file = tmp_path / "no folder"
    file.write_text("")
    result = enlarge(engine, file / "home")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_system_sees_no_connection_and_no_file(engine: str, tmp_path: Path) -> None:
    """Below Python, too: the libraries are C++."""
    home = tmp_path / "home"
    home.mkdir()
    trace = tmp_path / "trace"
    strace = (str(shutil.which("strace")), "-f", "-qq", "-e", f"trace={TRACED}", "-o", str(trace))
    assert enlarge(engine, home, strace).returncode == 0
    calls = trace.read_text(errors="replace").splitlines()
    assert len(calls) > 100
    assert [call for call in calls if re.search(r"\b(connect|sendto|sendmsg|bind)\(", call)] == []
    writing = [call for call in calls if re.search(r"O_WRONLY|O_RDWR|O_CREAT|\b(creat|mkdir|mkdirat)\(", call)]
    elsewhere = [call for call in writing if not re.search(r"/dev/|/__pycache__|/proc/self|ENOENT|ENOTDIR", call)]
    assert elsewhere == []
