"""Models that a picture, or opening them, is the end of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from ray import cloudpickle

from srdiff import Upscaler
from srdiff.batch.recipe import Recipe

VALUE = 7


def poison(path: Path) -> None:
    Image.fromarray(np.full((16, 20, 3), VALUE, np.uint8)).save(path)


@dataclass(frozen=True)
class Poisoned(Recipe):
    """Whose worker's process ends, as for want of memory, at a picture of :func:`poison`."""

    def open(self, threads: int | None = None, device: str | None = None) -> Upscaler:
        upscaler: Any = super().open(threads, device)
        enlarge = upscaler.enlarge

        def poisoned(photo: Any, *arguments: Any) -> Any:
            if (photo.pixels == VALUE).all():
                os._exit(1)
            return enlarge(photo, *arguments)

        upscaler.enlarge = poisoned
        return upscaler


@dataclass(frozen=True)
class Crashing(Recipe):
    """Whose worker's process ends while it opens the model."""

    def open(self, threads: int | None = None, device: str | None = None) -> Upscaler:
        os._exit(1)


def _teach_workers() -> None:
    """Who imports nothing of the tests."""
    from . import poison as here

    cloudpickle.register_pickle_by_value(here)


_teach_workers()
