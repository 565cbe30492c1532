"""A folder on a cluster of three nodes whose workers, nodes and drivers are killed again and again.

python -m tests.ray.chaos --images 300 --kills 20
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from ray.cluster_utils import Cluster

from srdiff.batch.ledger import Ledger, ledger_in
from srdiff.commands.interruption import INTERRUPTED

from .cluster import NODE, QUICK, pictures, three_nodes

WAIT = 300  # seconds without a new result
LATE = 5  # drivers that may end before they are interrupted
MISSING = "in/none.png"
FAILURES = 2  # the exit code


@click.command()
@click.option("--images", default=12, show_default=True)
@click.option("--kills", default=3, show_default=True, help="In turn of a worker, a node, the driver, and a Ctrl-C.")
@click.option("--seed", default=0, show_default=True)
def main(images: int, kills: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as text:
        started = time.monotonic()
        said = survive(Path(text), images, kills, random.Random(seed))
        click.echo(f"{images} images, {kills} kills ({said}) in {time.monotonic() - started:.0f} s: all there, once")


def survive(folder: Path, images: int, kills: int, rng: random.Random) -> str:
    """Raises AssertionError where a result is missing, another than without a cluster, or half-written."""
    wrong = spoilt_pictures(folder, images, "whole", "out")
    assert run(folder, "whole", MISSING).returncode == FAILURES
    chaos = Chaos(folder, rng)
    try:
        kinds = [chaos.worker, chaos.node, chaos.driver, chaos.cancel]
        while chaos.done < kills:
            chaos.wait_for_a_result()
            kinds[chaos.done % len(kinds)]()
        chaos.finish()
    finally:
        chaos.close()
    again = run(folder, "out", MISSING, "--retry-failed")
    assert again.returncode == FAILURES, again.stderr.decode()
    expected, found = results(folder / "whole"), results(folder / "out")
    assert found == expected, f"{len(found)} of {len(expected)} results, some of them others"
    entries = Ledger(ledger_in(folder / "out")).entries
    assert {key for key, entry in entries.items() if entry.status != "done"} == wrong
    assert len(found) == images - 3 == len(entries) - len(wrong)
    left = [name for name in os.listdir(folder / "out") if name.startswith(".")]
    assert not left, f"half-written: {left}"
    assert f"{images - 3} verified, 4 failed" in run(folder, "out", MISSING, "--verify").stderr.decode()
    return ", ".join(f"{count} {kind}" for kind, count in chaos.counts.items())


def command(output: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "srdiff.commands.run", "in", "-o", output, *QUICK, *arguments]


def spoilt_pictures(folder: Path, images: int, *outputs: str) -> set[str]:
    """Of which three cannot be done and one is missing; the ledger's keys of the four."""
    pictures(folder / "in", images)
    (folder / "in" / "0001.png").write_bytes(b"no image")
    (folder / "in" / "0002.png").write_bytes((folder / "in" / "0003.png").read_bytes()[:200])
    for output in outputs:
        (folder / output / "0004.png").mkdir(parents=True)  # where a folder is, no file can be written
    return {MISSING, *(f"in/{number:04}.png" for number in (1, 2, 4))}


def run(folder: Path, output: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(output, *arguments), cwd=folder, stderr=subprocess.PIPE)


def results(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[!.]*.png") if path.is_file()
    }


class Chaos:
    """A cluster at work on a folder, and what may happen to it."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.counts = {"workers": 0, "nodes": 0, "drivers": 0, "cancels": 0}
        self._folder = folder
        self._rng = rng
        self._late = 0
        self._cluster: Cluster = three_nodes()
        self._driver = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        words = command("out", MISSING, "--ray", self._cluster.address)
        with (self._folder / "driver.log").open("ab") as log:
            self._begun = log.tell()
            return subprocess.Popen(words, cwd=self._folder, stderr=log, preexec_fn=_hear_interrupts)

    @property
    def done(self) -> int:
        return sum(self.counts.values())

    def wait_for_a_result(self) -> None:
        """Until one more is there than now; where all are, every other one has to be made again."""
        before, deadline = self._count(), time.monotonic() + WAIT
        while self._count() <= before:
            if self._driver.poll() is not None:
                assert self._driver.returncode == FAILURES, self._log()
                for name in sorted(results(self._folder / "out"))[::2]:
                    (self._folder / "out" / name).unlink()
                before, self._driver = self._count(), self._start()
            assert time.monotonic() < deadline, f"nothing moves any more\n{self._log()}"
            time.sleep(0.01)
        time.sleep(self._rng.random() * 0.1)

    def worker(self) -> None:
        deadline = time.monotonic() + WAIT
        workers: list[int] = []
        while not workers:  # those of a killed driver's are gone before the next one's are there
            assert time.monotonic() < deadline, self._log()
            if self._driver.poll() is not None:
                return
            workers = self._workers()
        os.kill(self._rng.choice(workers), signal.SIGKILL)
        self.counts["workers"] += 1

    def node(self) -> None:
        """One of those that the driver is not on; another comes for it."""
        node = self._rng.choice(sorted(self._cluster.worker_nodes, key=self._raylet))
        self._cluster.remove_node(node, allow_graceful=False)
        self._cluster.add_node(**NODE)
        self.counts["nodes"] += 1

    def driver(self) -> None:
        self._driver.kill()
        self.counts["drivers"] += self._driver.wait() == -signal.SIGKILL  # unless it had ended
        self._driver = self._start()

    def cancel(self) -> None:
        """As at a terminal, once it has told of an image: it ends by itself, and its workers with it."""
        deadline = time.monotonic() + WAIT
        while self._driver.poll() is None and ", Ray, " not in self._said():
            assert time.monotonic() < deadline, self._log()
            time.sleep(0.01)
        self._driver.send_signal(signal.SIGINT)
        code = self._driver.wait(timeout=WAIT)
        assert code in (INTERRUPTED, FAILURES), self._log()  # it may have ended just then
        self.counts["cancels"] += code == INTERRUPTED
        self._late += code != INTERRUPTED
        assert self._late < LATE, "it ends as if nobody had interrupted it"
        while self._workers():
            assert time.monotonic() < deadline, "workers outlive a driver that was interrupted"
            time.sleep(0.05)
        self._driver = self._start()

    def finish(self) -> None:
        self._driver.wait(timeout=WAIT)
        assert self._driver.returncode == FAILURES, self._log()

    def close(self) -> None:
        self._driver.kill()
        self._driver.wait()
        self._cluster.shutdown()

    def _workers(self) -> list[int]:
        raylets = {self._raylet(node) for node in self._cluster.list_all_nodes()}
        return [process for process, parent in map_workers() if parent in raylets]

    def _count(self) -> int:
        return len(list((self._folder / "out").glob("[!.]*.png")))

    def _said(self) -> str:
        return (self._folder / "driver.log").read_bytes()[self._begun :].decode()

    def _log(self) -> str:
        return (self._folder / "driver.log").read_text()[-3000:]

    @staticmethod
    def _raylet(node: Any) -> int:
        return int(node.all_processes["raylet"][0].process.pid)


def _hear_interrupts() -> None:
    """What a shell starts in the background does not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def map_workers() -> list[tuple[int, int]]:
    """Number and parent's number of each process that makes images, on Linux."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            title = (process / "cmdline").read_bytes()
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if title.startswith(b"ray::MapWorker"):
            found.append((int(process.name), parent))
    return found


if __name__ == "__main__":
    main()
