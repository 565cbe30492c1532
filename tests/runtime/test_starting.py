"""What holds while a command is being imported, and for nothing else."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from srdiff import starting

COMMAND = Path(sys.executable).with_name("srdiff-run")


@pytest.mark.skipif(
    not Path("/proc/self/maps").exists(), reason="only Linux tells which libraries a process has loaded"
)
def test_an_interrupt_amid_the_imports_ends_without_a_word() -> None:
    for _ in range(3):
        process = subprocess.Popen([COMMAND, "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        maps = Path(f"/proc/{process.pid}/maps")
        while "_multiarray_umath" not in maps.read_text() and process.poll() is None:
            time.sleep(0.001)  # until NumPy is being imported
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
        assert b"Traceback" not in said
        assert said == b"" or process.returncode != -signal.SIGINT  # the command had begun by then


ORDINARY = "assert gc.isenabled() and signal.getsignal(2) is signal.default_int_handler"


@pytest.mark.parametrize("program", ["-c", "srdiff-my-batch.py", "/home/me/srdiff-", "srdiff"])
def test_other_programs_keep_their_interrupt_and_their_garbage_collector(program: str) -> None:
    code = f"import gc, signal, sys; sys.argv = [{program!r}]; import srdiff.commands.run; {ORDINARY}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_commands_own_workers_keep_theirs(tmp_path: Path) -> None:
    """A process of its pool is started with the command's name."""
    code = f"import gc, signal\ndef work():\n    import srdiff\n    {ORDINARY}\n    return 'fine'\n"
    (tmp_path / "workers.py").write_text(code)
    begin = (
        "import multiprocessing, sys; sys.argv = ['srdiff-preprocess']; import srdiff.starting, workers\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        assert pool.apply(workers.work) == 'fine'\n"
    )
    subprocess.run([sys.executable, "-c", begin], check=True, timeout=120, cwd=str(tmp_path))


@pytest.mark.parametrize("program", [*starting.COMMANDS, "/usr/bin/srdiff-run", "srdiff-run.exe"])
def test_each_of_the_commands_is_one(program: str) -> None:
    code = f"import gc, sys; sys.argv = [{program!r}]; import srdiff.starting; assert not gc.isenabled()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_command_that_has_begun_has_both_again() -> None:
    code = f"import gc, signal, sys; sys.argv = ['srdiff-run']; import srdiff.starting as s; s.imported(); {ORDINARY}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(("program", "left_out"), [("srdiff-run", True), ("mine.py", False)])
def test_commands_alone_leave_openvinos_converter_out(program: str, left_out: bool) -> None:
    pytest.importorskip("openvino")
    code = (
        f"import sys; sys.argv = [{program!r}]; from srdiff.telemetry import import_quietly\n"
        f"assert hasattr(import_quietly('openvino'), 'convert_model') != {left_out}\n"
        "import openvino.tools.ovc  # which is there for whoever asks\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
