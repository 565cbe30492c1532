"""Cases by the thousand: each must end in success or in one SRDiffError of one line, within 20 seconds of processor
time and 2 GiB, and leave no file. A process of its own does the work, so that a crash or a hang is a finding with a
number, from which the case can be made again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).parents[2]
SECONDS = 20
MEMORY = 2 << 30

# (number, an empty folder to work in) -> the refusal, or an empty string; raises for whatever should not be.
Case = Callable[[int, Path], str]


@dataclass(frozen=True)
class Fuzz:
    """Numbered cases of one kind.

    Attributes:
        module: that can be run with ``python -m``, and whose ``main`` is this one's.
        cases: gives the case of every number; called in the process that works.
        count: how many there are by default.
    """

    module: str
    cases: Callable[[], Case]
    count: int

    def run(self, first: int, count: int) -> list[str]:
        """All findings among these numbers, and a summary on standard output."""
        findings: list[str] = []
        ended = refused = 0
        slowest = largest = 0.0
        number, stop = first, first + count
        while number < stop:
            with tempfile.TemporaryDirectory() as folder:
                child = self._child(number, stop, folder)
                assert child.stdout is not None
                watchdog = _Watchdog(child)
                for line in child.stdout:
                    watchdog.pat()
                    record = json.loads(line)
                    if "begin" in record:
                        number = record["begin"]
                        continue
                    ended += 1
                    number += 1
                    refused += bool(record["refusal"])
                    slowest, largest = max(slowest, record["seconds"]), max(largest, record["memory"])
                    if record["problem"]:
                        findings.append(f"{record['end']}: {record['problem']}")
                    if record["seconds"] > SECONDS or record["memory"] > MEMORY:
                        findings.append(f"{record['end']}: {record['seconds']:.1f} s, {record['memory'] >> 20} MiB")
                watchdog.stop()
                if child.wait() != 0:
                    findings.append(f"{number}: the process ended with {child.returncode}")
                    number += 1
        print(
            f"{ended} files ended, {refused} of them in a refusal; {slowest:.1f} s and {largest / 2**20:.0f} MiB at "
            f"most; {len(findings)} findings"
        )
        return findings

    def main(self) -> None:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--first", type=int, default=0, help="number of the first case")
        parser.add_argument("--count", type=int, default=self.count)
        parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
        options = parser.parse_args()
        if options.worker:
            self._work(range(options.first, options.first + options.count), options.worker)
            return
        findings = self.run(options.first, options.count)
        print("\n".join(findings))
        sys.exit(bool(findings))

    def _child(self, number: int, stop: int, folder: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", self.module, "--first", str(number), "--count", str(stop - number)]
        return subprocess.Popen([*command, "--worker", folder], stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def _work(self, numbers: range, folder: Path) -> None:
        """The child's side: a line of JSON when a case begins, one when it ends."""
        case = self.cases()
        _peak_memory()
        for number in numbers:
            print(json.dumps({"begin": number}), flush=True)
            started = time.process_time()  # a busy machine is no finding; one that waits is the watchdog's
            problem = refusal = ""
            try:
                refusal = case(number, folder)
                assert list(folder.iterdir()) == [], "a file is left"
                assert "\n" not in refusal, refusal
            except BaseException as error:  # anything at all is a finding
                problem, refusal = f"{type(error).__name__}: {error}", ""
                for path in folder.iterdir():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            seconds, memory = time.process_time() - started, _peak_memory()
            record = {"end": number, "problem": problem, "refusal": refusal, "seconds": seconds, "memory": memory}
            print(json.dumps(record), flush=True)


class _Watchdog:
    """Ends a child that has said nothing for long: a case that hangs."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self._timer: threading.Timer | None = None
        self.pat()

    def pat(self) -> None:
        self.stop()
        self._timer = threading.Timer(3 * SECONDS, self._child.kill)
        self._timer.start()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _peak_memory() -> int:
    """Bytes, since the last call where the system can count from there."""
    with suppress(OSError):
        status = Path("/proc/self/status").read_text()
        Path("/proc/self/clear_refs").write_text("5")
        return int(status.split("VmHWM:")[1].split()[0]) << 10
    return 0
