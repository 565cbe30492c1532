"""What docs/many_images.md says of many images, once more: ``python -m tests.ray.measure``, about a quarter of an hour.

Prints a line per part; Linux only.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
import numpy as np

from .chaos import FAILURES, MISSING, command, map_workers, results, run, spoilt_pictures, survive
from .cluster import pictures, three_nodes

PAGE = os.sysconf("SC_PAGE_SIZE")


@click.command()
@click.option("--images", default=300, show_default=True)
@click.option("--kills", default=20, show_default=True)
@click.option("--long", default=2000, show_default=True, help="Images that memory is measured over.")
def main(images: int, kills: int, long: int) -> None:
    for part, argument in ((the_same_everywhere, (images,)), (killed, (images, kills)), (memory, (long,))):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            said = part(Path(folder), *argument)
            click.echo(f"{said} ({time.monotonic() - began:.0f} s)")


def the_same_everywhere(folder: Path, images: int) -> str:
    """Alone, as three shards, on three nodes."""
    wrong = spoilt_pictures(folder, images, "alone", "shards", "nodes")
    assert run(folder, "alone", MISSING).returncode == FAILURES
    for shard in range(3):
        run(folder, "shards", MISSING, "--shard", f"{shard}/3")
    cluster = three_nodes()
    try:
        assert run(folder, "nodes", MISSING, "--ray", cluster.address).returncode == FAILURES
    finally:
        cluster.shutdown()
    expected = results(folder / "alone")
    for output in ("alone", "shards", "nodes"):
        done, promised, failed = said_by_ledgers(folder / output)
        assert results(folder / output) == expected and len(expected) == images - 3
        assert set(done.values()) == set(promised.values()) == {1} and len(done) == len(promised) == images - 3
        assert failed == wrong, failed
    return f"{images} images alone, as 3 shards, on 3 nodes: the same {len(expected)} files, each made once, 4 failed"


def said_by_ledgers(folder: Path) -> tuple[Counter[str], Counter[str], set[str]]:
    """How often each image was done and promised, and those that failed."""
    done: Counter[str] = Counter()
    promised: Counter[str] = Counter()
    failed = set()
    for file in folder.glob("srdiff-ledger*.jsonl"):
        for data in map(json.loads, file.read_text().splitlines()):
            if "promise" in data:
                promised[data["promise"]["key"]] += 1
            elif data.get("status") == "done":
                done[data["key"]] += 1
            elif "key" in data:
                failed.add(data["key"])
    return done, promised, failed


def killed(folder: Path, images: int, kills: int) -> str:
    said = survive(folder, images, kills, random.Random(0))
    _, promised, _ = said_by_ledgers(folder / "out")
    again = sum(promised.values()) - len(promised)
    return f"{images} images, killed: {said}; every result is there, whole and once, {again} were made more than once"


def memory(folder: Path, images: int) -> str:
    """By least squares over what the processes held after each image, the first tenth left out."""
    pictures(folder / "in", images)
    alone = grown(folder, "alone", images, [])
    cluster = three_nodes()
    try:
        actor = grown(folder, "actor", images, ["--ray", cluster.address, "--workers", "1"])
    finally:
        cluster.shutdown()
    return f"MiB per 100 images over {images}: {alone:+.2f} alone, {actor:+.2f} in a Ray worker"


def grown(folder: Path, output: str, images: int, arguments: list[str]) -> float:
    process = subprocess.Popen(command(output, MISSING, *arguments), cwd=folder, stderr=subprocess.DEVNULL)
    samples = []
    while process.poll() is None:
        who = [worker for worker, _ in map_workers()] if arguments else [process.pid]
        count = len(list((folder / output).glob("[!.]*.png")))
        if len(who) == 1 and count > images // 10:
            try:
                pages = int(Path(f"/proc/{who[0]}/statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
            if pages:
                samples.append((count, pages * PAGE / 2**20))
        time.sleep(0.2)
    assert process.returncode == FAILURES and len(samples) > 10, (process.returncode, samples)
    counts, sizes = np.array(samples).T
    return float(100 * np.polyfit(counts, sizes, 1)[0])


if __name__ == "__main__":
    main()
