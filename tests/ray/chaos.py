"""A folder on a cluster of three nodes whose workers, nodes and drivers are killed again and again.

python -m tests.ray.chaos --images 300 --kills 20
"""

from __future__ import annotations

import hashlib
import itertools
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

from .cluster import NODE, QUICK, pictures, three_nodes

WAIT = 300  # seconds without a new result


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
    pictures(folder / "in", images)
    run(folder, "whole").check_returncode()
    chaos = Chaos(folder, rng)
    try:
        for _, kind in zip(range(kills), itertools.cycle([chaos.worker, chaos.node, chaos.driver, chaos.cancel])):
            chaos.wait_for_a_result()
            kind()
        chaos.finish()
    finally:
        chaos.close()
    again = run(folder, "out", "--retry-failed")
    assert again.returncode == 0, again.stderr.decode()
    expected, found = results(folder / "whole"), results(folder / "out")
    assert found == expected, f"{len(found)} of {len(expected)} results, some of them others"
    entries = Ledger(ledger_in(folder / "out")).entries
    assert len(entries) == images and {entry.status for entry in entries.values()} == {"done"}
    left = [name for name in os.listdir(folder / "out") if name.startswith(".")]
    assert not left, f"half-written: {left}"
    run(folder, "out", "--verify").check_returncode()
    return ", ".join(f"{count} {kind}" for kind, count in chaos.counts.items())


def command(folder: Path, output: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "srdiff.commands.run", "in", "-o", output, *QUICK, *arguments]


def run(folder: Path, output: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(folder, output, *arguments), cwd=folder, stderr=subprocess.PIPE)


def results(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[!.]*.png")}


class Chaos:
    """A cluster at work on a folder, and what may happen to it."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.counts = {"workers": 0, "nodes": 0, "drivers": 0, "cancels": 0}
        self._folder = folder
        self._rng = rng
        self._cluster: Cluster = three_nodes()
        self._driver = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        words = command(self._folder, "out", "--ray", self._cluster.address)
        with (self._folder / "driver.log").open("ab") as log:
            return subprocess.Popen(words, cwd=self._folder, stderr=log)

    def wait_for_a_result(self) -> None:
        """Until one more is there than now; where all are, every other one has to be made again."""
        before, deadline = self._count(), time.monotonic() + WAIT
        while self._count() <= before:
            if self._driver.poll() is not None:
                assert self._driver.returncode == 0, self._log()
                for path in sorted((self._folder / "out").glob("[!.]*.png"))[::2]:
                    path.unlink()
                before, self._driver = self._count(), self._start()
            assert time.monotonic() < deadline, f"nothing moves any more\n{self._log()}"
            time.sleep(0.01)
        time.sleep(self._rng.random() * 0.1)

    def worker(self) -> None:
        deadline = time.monotonic() + WAIT
        workers: list[int] = []
        while not workers:  # those of a killed driver's are gone before the next one's are there
            assert time.monotonic() < deadline and self._driver.poll() is None, self._log()
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
        self._driver.wait()
        self._driver = self._start()
        self.counts["drivers"] += 1

    def cancel(self) -> None:
        """As at a terminal: it ends by itself, and its workers with it."""
        self._driver.send_signal(signal.SIGINT)
        assert self._driver.wait(timeout=WAIT) == 130, self._log()
        deadline = time.monotonic() + WAIT
        while self._workers():
            assert time.monotonic() < deadline, "workers outlive a driver that was interrupted"
            time.sleep(0.05)
        self._driver = self._start()
        self.counts["cancels"] += 1

    def finish(self) -> None:
        self._driver.wait(timeout=WAIT)
        assert self._driver.returncode == 0, self._log()

    def close(self) -> None:
        self._driver.kill()
        self._driver.wait()
        self._cluster.shutdown()

    def _workers(self) -> list[int]:
        raylets = {self._raylet(node) for node in self._cluster.list_all_nodes()}
        return [process for process, parent in _map_workers() if parent in raylets]

    def _count(self) -> int:
        return len(list((self._folder / "out").glob("[!.]*.png")))

    def _log(self) -> str:
        return (self._folder / "driver.log").read_text()[-3000:]

    @staticmethod
    def _raylet(node: Any) -> int:
        return int(node.all_processes["raylet"][0].process.pid)


def _map_workers() -> list[tuple[int, int]]:
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
