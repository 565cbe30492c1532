"""Simulates a very large batch: how many images per second so many workers make, and what holds them up.

    python benchmarks/scale.py

Each of the parts that workers share (the scheduler, the store's requests, its bytes, the ledger) is a queue with one
server of a given rate; a worker reads the next image and writes the last one while it computes, as the pipeline does.
The rates of the shared parts are assumptions; docs/scale.md says which and why.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import click
import numpy as np
from common.tables import table

from srdiff.commands.command import Command


@dataclass(frozen=True)
class Cluster:
    """What a batch runs on.

    Attributes:
        seconds: that an image takes a worker.
        spread: of the logarithm of those seconds; images differ in size.
        block: images that a worker gets at a time.
        blocks_per_second: that the scheduler gives out.
        requests_per_second: that the store takes; each image is one read and one write.
        bytes_per_second: of the store, both ways together.
        image_bytes: that an image's input and result have together.
        lines_per_second: that the ledger takes; each image has two.
    """

    seconds: float
    spread: float = 0.5
    block: int = 8
    blocks_per_second: float = 200.0
    requests_per_second: float = 5500.0
    bytes_per_second: float = 5e9
    image_bytes: float = 7.5e6
    lines_per_second: float = 20_000.0


def simulate(cluster: Cluster, workers: int, images: int, seed: int = 0) -> tuple[float, dict[str, float]]:
    """Images per second, and the share of the time that each shared part and the workers are busy."""
    rng = np.random.default_rng(seed)
    blocks = -(-images // cluster.block)
    # the mean of a lognormal with this spread is cluster.seconds
    sizes = rng.lognormal(-(cluster.spread**2) / 2, cluster.spread, (blocks, cluster.block)) * cluster.seconds
    service = {
        "scheduler": 1 / cluster.blocks_per_second,
        "requests": 2 * cluster.block / cluster.requests_per_second,
        "bytes": cluster.block * cluster.image_bytes / cluster.bytes_per_second,
        "ledger": 2 * cluster.block / cluster.lines_per_second,
    }
    free = dict.fromkeys(service, 0.0)  # when each part is next idle
    ready = [(0.0, worker) for worker in range(workers)]
    heapq.heapify(ready)
    end = computed = 0.0
    for block in range(blocks):
        now, worker = heapq.heappop(ready)
        for part, seconds in service.items():
            free[part] = max(free[part], now) + seconds
        # reading and writing go on beside computing: the longer of the two counts
        work = float(sizes[block].sum())
        done = max(free["scheduler"] + work, *free.values())
        computed += work
        end = max(end, done)
        heapq.heappush(ready, (done, worker))
    busy = {part: blocks * seconds / end for part, seconds in service.items()}
    return blocks * cluster.block / end, {"workers": computed / (workers * end), **busy}


@click.command(cls=Command)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Of an image.")
@click.option("--block", type=click.IntRange(1), default=8, show_default=True, help="Images a worker gets at a time.")
@click.option("--megabytes", type=click.FloatRange(0), default=7.5, show_default=True, help="Of an input and result.")
@click.option("--per-worker", type=click.IntRange(1), default=80, show_default=True, help="Images to simulate.")
def main(seconds: float, block: int, megabytes: float, per_worker: int) -> None:
    """Throughput of 64 to 65,536 workers, and how busy each part is."""
    cluster = Cluster(seconds, block=block, image_bytes=megabytes * 1e6)
    rows = []
    for workers in (64, 256, 1024, 4096, 16_384, 65_536):
        images = min(workers * per_worker, 4_000_000)
        rate, busy = simulate(cluster, workers, images)
        rows.append([f"{workers:,}", f"{rate:,.0f}", *(f"{share:.0%}" for share in busy.values())])
    click.echo(table(["Workers", "Images per second", *(f"{name}, busy" for name in busy)], rows))


if __name__ == "__main__":
    main()
