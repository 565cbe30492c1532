"""The encoder's results of an image's windows, which every step needs again."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np

from .engines import Graph
from .engines.base import computing
from .graph_io import ENCODER, LR
from .half_floats import HALVES
from .tiles import Window

# Kept in memory, in a temporary file beyond that, and of all others nothing: they are computed again in every step.
MEMORY_BYTES = 1 << 29
FILE_BYTES = 1 << 30


def fit_into_memory(size: int) -> bool:
    """Whether results of so many bytes in all are kept as they are, none of them in a file."""
    return size <= MEMORY_BYTES


class ConditionCache:
    """Called with a window, it gives the encoder's result [1, C, H, W] float32; valid until the next call.

    The first windows up to ``MEMORY_BYTES`` are kept in memory, those up to ``FILE_BYTES`` more in a file in the
    system's folder for temporary ones (``TMPDIR``), which vanishes with this object or the process; where the disk
    takes no more, it ends there. What is kept and what is computed again are the same numbers.

    Args:
        encoder: compiled for the windows' shape; its one output is what is kept.
        lr: the whole input [3, h, w] float32.
        windows: how many there are.
        precision: of the arithmetic that takes the results. Where that is a half one and they do not all fit into
            memory, they are rounded to it, as the engine would, and take half the room.
    """

    def __init__(self, encoder: Graph, lr: np.ndarray, windows: int, precision: str) -> None:
        self._encoder = encoder
        self._lr = lr
        self._windows = windows
        self._half = HALVES.get(precision)
        self._kept: dict[tuple[int, int], np.ndarray] = {}
        self._memory, self._disk = MEMORY_BYTES, FILE_BYTES
        self._places: dict[tuple[int, int], int] = {}  # in the file
        self._read_into = np.empty(0)
        self._file: Any = None

    def __enter__(self) -> ConditionCache:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._file is not None:
            self._file.close()

    def __call__(self, window: Window) -> np.ndarray:
        key = (window.top, window.left)
        if key in self._kept:
            return self._full(self._kept[key])
        if key in self._places:
            return self._full(self._read(key))
        with computing(ENCODER):
            (result,) = self._encoder.run({LR: np.ascontiguousarray(window.lr(self._lr))[None]}).values()
        if self._half is not None and fit_into_memory(result.nbytes * self._windows):
            self._half = None
        stored = result if self._half is None else self._half.rounded(result)
        if stored.nbytes <= self._memory:
            self._memory -= stored.nbytes
            self._kept[key] = stored
        elif stored.nbytes <= self._disk:
            self._disk -= stored.nbytes
            self._write(key, stored)
        return self._full(stored)

    def _full(self, stored: np.ndarray) -> np.ndarray:
        return stored if self._half is None else self._half.widened(stored)

    def _write(self, key: tuple[int, int], stored: np.ndarray) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="srdiff-", buffering=0)  # noqa: SIM115  # closed by __exit__
            place = self._file.seek(0, os.SEEK_END)
            if self._file.write(stored) != stored.nbytes:  # stored.tofile would not tell
                raise OSError("the disk is full")
        except OSError:
            self._disk = 0
        else:
            self._places[key] = place
            self._read_into = np.empty_like(stored) if self._read_into.shape != stored.shape else self._read_into

    def _read(self, key: tuple[int, int]) -> np.ndarray:
        self._file.seek(self._places[key])
        self._file.readinto(self._read_into)
        return self._read_into
