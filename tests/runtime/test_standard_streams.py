"""Streams that are closed, full, or have nobody at the other end cost a line at most, never a result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .in_process import names, picture

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a Linux device")

RUN = f"{sys.executable} -m srdiff.commands.run --engine onnxruntime --device cpu"
MODELS = Path(sys.executable).with_name("srdiff-models")


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    whole = ["bash", "-c", f"set -o pipefail; {command}"]
    return subprocess.run(whole, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("right")
    pictures(folder)
    assert shell(f"{RUN} a.png b.png -o out", folder).returncode == 0
    return results(folder)


def pictures(folder: Path) -> None:
    for value, name in enumerate(("a.png", "b.png")):
        picture(folder / name, value)


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "out" / name).read_bytes() for name in names(folder / "out")}


@pytest.mark.parametrize(
    ("redirection", "code"),
    [
        (">&-", 0),
        ("2>&-", 0),
        ("<&- >&- 2>&-", 0),
        ("2>/dev/full", 0),
        ("--json >/dev/full", 2),
        ("--json | true", 2),
        ("--json >&- 2>/dev/full", 2),
    ],
)
def test_a_folder_of_results(redirection: str, code: int, right: dict[str, bytes], tmp_path: Path) -> None:
    pictures(tmp_path)
    ended = shell(f"{RUN} a.png b.png -o out {redirection}", tmp_path)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    if "--json >&-" in redirection:  # known before anything is made
        assert not (tmp_path / "out").exists()
    else:
        assert results(tmp_path) == right


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"{RUN} a.png b.png -o out --json >/dev/full", "standard output cannot be written (No space left on device)"),
        (f"{RUN} a.png b.png -o out --json | true", "standard output cannot be written (Broken pipe)"),
        (f"{RUN} a.png b.png -o out --json >&-", "standard output is closed"),
        (f"{RUN} a.png -o - >&-", "standard output is closed"),
        (f"{RUN} a.png -o - >/dev/full", "a.png: standard output cannot be written (No space left on device)"),
        (f"{RUN} - -o out.png <&-", "standard input is closed"),
        (f"{RUN} --version >/dev/full", "standard output cannot be written (No space left on device)"),
        (f"{MODELS} list >/dev/full", "standard output cannot be written"),
        (f"{MODELS} --version >/dev/full", "standard output cannot be written"),
        (f"{sys.executable} -m srdiff.commands.doctor >/dev/full", "standard output cannot be written"),
    ],
)
def test_what_was_to_go_there_is_missed_in_one_sentence(command: str, said: str, tmp_path: Path) -> None:
    pictures(tmp_path)
    ended = shell(command, tmp_path)
    assert ended.returncode == 2, ended.stderr
    (line,) = [line for line in ended.stderr.splitlines() if not line.startswith(("out/", "ledger", "2 enlarged"))]
    assert line.startswith("Error: ") and said in line
