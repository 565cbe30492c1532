"""Tiny training runs: photos, settings and a compiled step that several tests share."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator
from unittest.mock import patch

import numpy as np
from PIL import Image

from srdiff_training.run.settings import TrainSettings
from srdiff_training.run.settings_file import settings_from

SIZES = {"encoder_channels": 4, "encoder_blocks": 2, "encoder_growth": 2, "unet_channels": 4, "unet_mults": [1, 2]}
TINY = {
    "network": SIZES,
    "patch": 16,
    "batch": 4,
    "epochs": 1,
    "steps_per_epoch": 6,
    "freeze_encoder": False,
    "log_every": 1,
    "save_every": 2,
    "workers": 1,
}


def make_photos(folder: Path, sizes: tuple[tuple[int, int], ...] = ((40, 52), (36, 32), (61, 47))) -> Path:
    """Photos of (height, width) with structure at every scale."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (height, width) in enumerate(sizes):
        rng = np.random.default_rng(number)
        smooth = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).resize((width, height), Image.BICUBIC)
        noisy = np.asarray(smooth, np.int64) + rng.integers(-30, 31, (height, width, 3))
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(folder / f"photo_{number}.png")
    return folder


@contextmanager
def uncompiled() -> Iterator[None]:
    """Runs within take their steps operator by operator: a few of a tiny network cost less than compiling one."""
    from srdiff_training.model.one_by_one import operator_by_operator
    from srdiff_training.run.devices import Devices

    # join_devices would choose to compile.
    with patch("srdiff_training.run.train.join_devices", lambda settings: Devices()), operator_by_operator():
        yield


def tiny_settings(data: Path, output: Path, stage: str = "srdiff", **changes: Any) -> TrainSettings:
    return settings_from(stage, {**TINY, "data": str(data), "output": str(output), **changes})
