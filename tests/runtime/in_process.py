"""Small pictures to give to ``srdiff-run``, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

PICTURE = np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8)


def picture(path: Path, value: int = 0) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PICTURE + np.uint8(value)).save(path)
    return path.read_bytes()


def names(folder: Path) -> set[str]:
    """Of all files but ledgers."""
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in files if Path(name).name != "srdiff-ledger.jsonl"}
