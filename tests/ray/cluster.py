"""A cluster of three nodes on this machine, and pictures for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from ray.cluster_utils import Cluster

# One step, the same on every CPU, quick to open.
QUICK = ["--model", "clean", "--engine", "onnxruntime", "--device", "cpu", "--precision", "fp32", "--threads", "1"]
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


def three_nodes() -> Cluster:
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(**NODE)
    return cluster


def pictures(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (16, 20, 3), np.uint8)).save(folder / f"{number:04}.png")
