"""``srdiff-preprocess`` in this process, and what it reads and writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

from srdiff_training.commands.preprocess import main


def save(path: Path, height: int, width: int, seed: int = 0) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def run(root: Path, output: Path, *options: object, dataset: str = "folder", jobs: int = 1) -> Result:
    command = ["--root", root, "--dataset", dataset, "--output", output, "--jobs", jobs, *options]
    return CliRunner().invoke(main, [str(word) for word in command])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def bytes_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every image."""
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.png")}
